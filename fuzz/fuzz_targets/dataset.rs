//! Arbitrary bytes as the files of a data folder: index, frame table, crops and landmarks of a shard, whatever their checksums.
//!
//! `RUSTC_BOOTSTRAP=1 cargo fuzz run --no-default-features --features dataset --sanitizer none dataset seeds/dataset -- -max_total_time=240 -rss_limit_mb=1024`

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| gioconda_dataset::fuzz_dataset(bytes));
