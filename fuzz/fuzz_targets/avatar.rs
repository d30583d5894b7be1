//! Arbitrary bytes as an avatar file, whatever its checksums; what is accepted must find its place on a canvas.
//!
//! `RUSTC_BOOTSTRAP=1 cargo fuzz run --no-default-features --features avatar --sanitizer none avatar seeds/avatar -- -max_total_time=240 -rss_limit_mb=1024`

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| gioconda_avatar::fuzz_avatar(bytes));
