//! Arbitrary bytes as a sequence parameter set of H.264.
//!
//! `RUSTC_BOOTSTRAP=1 cargo fuzz run --no-default-features --features media --sanitizer none sps seeds/sps -- -max_total_time=240 -rss_limit_mb=512`

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| gioconda_media::fuzz::sps(bytes));
