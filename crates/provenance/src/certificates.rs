//! Who signs: a real certificate the user brings, or one of the user's own that is made on first use.
//!
//! C2PA asks for a chain (RFC 5280) whose first certificate may sign, and says what for. The own chain is an authority
//! and a certificate it vouches for, with P-256 keys; the authority's key is thrown away. Nobody else vouches for it:
//! it shows that a file was not changed since, and that two files come from the same installation, not who made them.

use std::fs;
use std::path::Path;

use c2pa::BoxedSigner;
use etcetera::BaseStrategy as _;

use crate::pair::Pair;
use crate::{Error, identity_file};

const FOLDER: &str = "gioconda";

/// A key, the certificates that vouch for it, and what the user should know about them.
pub struct Identity {
    pub(crate) signer: BoxedSigner,
    /// Why the key is not the user's lasting one, for the user to read.
    pub warning: Option<String>,
}

impl std::fmt::Debug for Identity {
    /// Without the key.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Identity").field("warning", &self.warning).finish_non_exhaustive()
    }
}

impl Identity {
    /// A certificate chain and its private key from PEM files: the signer's certificate first, the key as PKCS#8.
    ///
    /// Something is signed with them and verified, so that a key of another certificate, or a certificate that C2PA
    /// does not accept, is refused here and not found out by those who verify the outputs.
    ///
    /// # Errors
    /// When a file cannot be read, does not hold what it should, the certificate has expired, is not the key's, or is
    /// none that may sign Content Credentials.
    pub fn from_files(certificates: &Path, key: &Path) -> Result<Self, Error> {
        let chain = fs::read_to_string(certificates).map_err(Error::read(certificates))?;
        let secret = fs::read_to_string(key).map_err(Error::read(key))?;
        let signer =
            Pair { chain, key: secret }.signer().map_err(|fault| fault.in_files(certificates, key))?;
        Ok(Self { signer, warning: None })
    }

    /// The user's own, made on first use in the configuration folder, readable by the user alone. Where nothing can be
    /// written it is made for this run only, and the warning says so.
    ///
    /// # Errors
    /// When there is one, but it cannot be read or used: it is not replaced behind the user's back.
    pub fn of_user() -> Result<Self, Error> {
        match etcetera::choose_base_strategy() {
            Ok(places) => Self::in_folder(&places.config_dir().join(FOLDER)),
            Err(error) => Self::ephemeral(&format!("the home folder is not known: {error}")),
        }
    }

    /// As [`Identity::of_user`], with another folder. Any number of processes may do so at the same time; all get the
    /// same key.
    ///
    /// # Errors
    /// As [`Identity::of_user`].
    pub fn in_folder(folder: &Path) -> Result<Self, Error> {
        match identity_file::read_or_make(folder)? {
            identity_file::Kept::Stored { signer, warning } => Ok(Self { signer, warning }),
            identity_file::Kept::Unwritable(why) => Self::ephemeral(&why),
        }
    }

    fn ephemeral(why: &str) -> Result<Self, Error> {
        let signer = Pair::make()?.signer().map_err(|fault| Error::Certificate(fault.to_string()))?;
        let warning = format!("{why}; signing with a key for this run only");
        Ok(Self { signer, warning: Some(warning) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;
    use x509_cert::der::asn1::UtcTime;
    use x509_cert::time::Validity;

    #[test]
    fn what_cannot_sign_is_named() {
        let folder = tempfile::tempdir().expect("a folder");
        let (certificates, key) = (folder.path().join("c.pem"), folder.path().join("k.pem"));
        let pair = Pair::make().expect("a pair");
        let day =
            |days: u64| UtcTime::from_unix_duration(Duration::from_hours(24 * days)).expect("a date").into();
        let past = Validity { not_before: day(18_000), not_after: day(18_001) };
        let expired = Pair::build(past).expect("a pair");
        let cases = [
            ("", pair.key.as_str(), "c.pem: holds no certificates"),
            (pair.chain.as_str(), "", "k.pem: is no private key"),
            (
                &pair.chain,
                "-----BEGIN EC PRIVATE KEY-----\nAAAA\n-----END EC PRIVATE KEY-----\n",
                "k.pem: is no private key",
            ),
            (&expired.chain, &expired.key, "c.pem: the certificate of"),
        ];
        for (chain, secret, expected) in cases {
            fs::write(&certificates, chain).expect("written");
            fs::write(&key, secret).expect("written");
            let error = Identity::from_files(&certificates, &key).expect_err(expected).to_string();
            assert!(error.contains(expected), "{error}");
        }
        let absent =
            Identity::from_files(&folder.path().join("absent"), &key).expect_err("no file").to_string();
        assert!(absent.contains("absent: cannot be read"), "{absent}");
    }
}
