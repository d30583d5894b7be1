//! Arbitrary bytes as an animated WebP.
//!
//! `RUSTC_BOOTSTRAP=1 cargo fuzz run --no-default-features --features media --sanitizer none webp seeds/webp -- -max_total_time=240 -rss_limit_mb=512`

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| gioconda_media::fuzz::webp(bytes));
