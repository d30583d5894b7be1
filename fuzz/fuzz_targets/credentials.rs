//! Arbitrary bytes as a picture with a signed statement, and as a manifest beside a picture.
//!
//! `RUSTC_BOOTSTRAP=1 cargo fuzz run --no-default-features --features credentials --sanitizer none credentials
//! seeds/credentials -- -max_total_time=240`

#![no_main]

use gioconda_provenance::Credentials;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    // The seeds are signed; what was changed in them may be bytes that mean nothing.
    let _ = Credentials::parse(bytes, None);
    let beside = Credentials::parse(b"\x89PNG\r\n\x1a\n", Some(bytes));
    assert!(!matches!(beside, Credentials::Valid(_)), "nobody signed this");
});
