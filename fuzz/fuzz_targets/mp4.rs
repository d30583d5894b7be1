//! Arbitrary bytes as an mp4: boxes, sample tables, edit lists and H.264 parameters.
//!
//! `RUSTC_BOOTSTRAP=1 cargo fuzz run --no-default-features --features media --sanitizer none mp4 seeds/mp4 -- -max_total_time=240 -rss_limit_mb=512`

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| gioconda_media::fuzz::mp4(bytes));
