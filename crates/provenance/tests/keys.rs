//! Keys that people bring: each kind signs what verifies, and none signs for another's certificate.

mod statements;

use std::path::{Path, PathBuf};

use gioconda_provenance::{Credentials, Identity};
use image::RgbImage;
use statements::statement;

const KINDS: [&str; 6] = ["p256", "p384", "p521", "ed25519", "rsa", "rsa_pss"];

fn key(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/keys").join(format!("{name}.pem"))
}

#[test]
fn every_kind_of_key_signs_what_verifies() {
    let folder = tempfile::tempdir().expect("a folder");
    for kind in KINDS {
        let (chain, key) = (key(&format!("{kind}.chain")), key(&format!("{kind}.key")));
        let identity = Identity::from_files(&chain, &key).unwrap_or_else(|error| panic!("{kind}: {error}"));
        let file = folder.path().join("a.png");
        RgbImage::new(64, 64).save(&file).expect("a picture");
        statement().sign(&file, &identity).expect("signed");
        let credentials = Credentials::read(&file).expect("readable");
        assert!(matches!(credentials, Credentials::Valid(_)), "{kind}: {credentials:?}");
    }
}

/// Issue 22, line 10: what such a pair signs verifies as changed, for good.
#[test]
fn a_key_that_is_not_the_certificates_is_refused() {
    for (number, kind) in KINDS.into_iter().enumerate() {
        let chain = key(&format!("{kind}.chain"));
        let of_another_kind = format!("{}.key", KINDS[(number + 1) % KINDS.len()]);
        for other in [format!("{kind}_other.key"), of_another_kind] {
            let error = Identity::from_files(&chain, &key(&other)).expect_err(&other).to_string();
            assert!(error.contains(&format!("{other}.pem: is not the key of the certificate in")), "{error}");
        }
    }
}

#[test]
fn a_certificate_that_may_not_sign_credentials_is_refused() {
    let error = Identity::from_files(&key("p256_web_server.chain"), &key("p256.key")).expect_err("no signer");
    let error = error.to_string();
    assert!(error.contains("may not sign Content Credentials") && !error.contains('\n'), "{error}");
}
