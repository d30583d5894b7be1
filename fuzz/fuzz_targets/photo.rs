//! Arbitrary bytes as a photo: PNG, JPEG, WebP, BMP, TIFF or GIF.
//!
//! `RUSTC_BOOTSTRAP=1 cargo fuzz run --no-default-features --features media --sanitizer none photo seeds/photo -- -max_total_time=240 -rss_limit_mb=512`

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| gioconda_media::fuzz::photo(bytes));
