//! Arbitrary bytes as a picture with a signed statement, and as a manifest beside a picture.
//!
//! `RUSTC_BOOTSTRAP=1 cargo fuzz run credentials --sanitizer none -- -max_total_time=240`

#![no_main]

use gioconda_provenance::Credentials;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    for credentials in [Credentials::parse(bytes, None), Credentials::parse(b"\x89PNG\r\n\x1a\n", Some(bytes))] {
        assert!(!matches!(credentials, Credentials::Valid(_)), "nobody signed this");
    }
});
