//! Arbitrary bytes as a motion file; what is accepted must play without a panic or a number that is not finite.
//!
//! `RUSTC_BOOTSTRAP=1 cargo fuzz run --no-default-features --features motion --sanitizer none motion seeds/motion -- -max_total_time=240 -rss_limit_mb=1024`

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| gioconda_avatar::fuzz_motion(bytes));
