//! Arbitrary bytes as an mp4: boxes, sample tables, edit lists and H.264 parameters.
//!
//! `RUSTC_BOOTSTRAP=1 cargo fuzz run --no-default-features --features mp4 --sanitizer none mp4 seeds/mp4 -- -max_total_time=240`

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| gioconda_media::fuzz_mp4(bytes));
