//! Arbitrary bytes as an animated GIF.
//!
//! `RUSTC_BOOTSTRAP=1 cargo fuzz run --no-default-features --features media --sanitizer none gif seeds/gif -- -max_total_time=240 -rss_limit_mb=512`

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| gioconda_media::fuzz::gif(bytes));
