//! Arbitrary bytes as a weight file, and the networks that its header speaks of.
//!
//! `RUSTC_BOOTSTRAP=1 cargo fuzz run --no-default-features --features weights --sanitizer none weights seeds/weights -- -max_total_time=240 -rss_limit_mb=1024`

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| gioconda_model::fuzz_weights(bytes));
