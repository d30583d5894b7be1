//! Who signs: a real certificate the user brings, or one of the user's own that is made on first use.
//!
//! C2PA asks for a chain (RFC 5280) whose first certificate may sign, and says what for. The own chain is an authority
//! and a certificate it vouches for, with P-256 keys; the authority's key is thrown away. Nobody else vouches for it:
//! it shows that a file was not changed since, and that two files come from the same installation, not who made them.

use std::fs;
use std::path::Path;
use std::str::FromStr as _;
use std::time::{Duration, SystemTime};

use c2pa::{BoxedSigner, SigningAlg, create_signer};
use etcetera::BaseStrategy as _;
use p256::ecdsa::{DerSignature, SigningKey};
use p256::elliptic_curve::rand_core::{OsRng, RngCore as _};
use p256::pkcs8::{EncodePrivateKey as _, LineEnding, PrivateKeyInfo, SecretDocument};
use x509_cert::Certificate;
use x509_cert::builder::{Builder as _, CertificateBuilder, Profile};
use x509_cert::der::asn1::ObjectIdentifier;
use x509_cert::der::{Decode as _, EncodePem as _};
use x509_cert::ext::pkix::ExtendedKeyUsage;
use x509_cert::name::Name;
use x509_cert::serial_number::SerialNumber;
use x509_cert::spki::SubjectPublicKeyInfoOwned;
use x509_cert::time::Validity;

use crate::error::one_line;
use crate::{Error, identity_file, probe};

const FOLDER: &str = "gioconda";

/// Ten years.
const VALID_FOR: Duration = Duration::from_hours(24 * 3652);

/// `emailProtection`, which C2PA's certificate profile asks for (specification 2.2, section 14.5.1).
const EMAIL_PROTECTION: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.4");

const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
const RSA_PSS: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.10");
const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");
const ELLIPTIC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const P256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
const P384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.34");
const P521: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.35");

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

/// Certificates and a key, as PEM.
pub(crate) struct Pair {
    pub(crate) chain: String,
    pub(crate) key: String,
}

/// What is wrong with a pair, and what to do.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Fault {
    #[error("{0}")]
    Certificates(String),
    #[error("{0}")]
    Key(String),
    #[error("the key is not the certificate's; give the key that the certificate was issued for")]
    Mismatch,
}

impl Fault {
    /// As an error about the files that the pair came from.
    pub(crate) fn in_files(self, certificates: &Path, key: &Path) -> Error {
        let error = |path: &Path, what| Error::Credentials { path: path.to_owned(), what };
        match self {
            Self::Certificates(what) => error(certificates, what),
            Self::Key(what) => error(key, what),
            Self::Mismatch if certificates == key => error(key, "the key and the certificate in it do not belong together; remove the file to have new ones made".to_owned()),
            Self::Mismatch => error(key, format!("is not the key of the certificate in {}; give the key that the certificate was issued for", certificates.display())),
        }
    }
}

impl Pair {
    pub(crate) fn make() -> Result<Self, Error> {
        let validity =
            Validity::from_now(VALID_FOR).map_err(|error| Error::Certificate(error.to_string()))?;
        Self::build(validity).map_err(|error| Error::Certificate(error.to_string()))
    }

    fn build(validity: Validity) -> Result<Self, Box<dyn std::error::Error>> {
        let authority_key = SigningKey::random(&mut OsRng);
        let key = SigningKey::random(&mut OsRng);
        let authority_name = Name::from_str("O=Gioconda,CN=Gioconda installation authority")?;
        let name = Name::from_str("O=Gioconda,CN=Gioconda installation")?;
        let authority = CertificateBuilder::new(
            Profile::Root,
            serial_number()?,
            validity,
            authority_name.clone(),
            SubjectPublicKeyInfoOwned::from_key(*authority_key.verifying_key())?,
            &authority_key,
        )?
        .build::<DerSignature>()?;
        let leaf = Profile::Leaf {
            issuer: authority_name,
            enable_key_agreement: false,
            enable_key_encipherment: false,
        };
        let mut certificate = CertificateBuilder::new(
            leaf,
            serial_number()?,
            validity,
            name,
            SubjectPublicKeyInfoOwned::from_key(*key.verifying_key())?,
            &authority_key,
        )?;
        certificate.add_extension(&ExtendedKeyUsage(vec![EMAIL_PROTECTION]))?;
        let certificate = certificate.build::<DerSignature>()?;
        let chain = certificate.to_pem(LineEnding::LF)? + &authority.to_pem(LineEnding::LF)?;
        Ok(Self { chain, key: key.to_pkcs8_pem(LineEnding::LF)?.to_string() })
    }

    /// What signs with the key, proven to be accepted by those who verify.
    pub(crate) fn signer(&self) -> Result<BoxedSigner, Fault> {
        let certificates = certificates(&self.chain)?;
        check_dates(&certificates)?;
        let (algorithm, kind) = algorithm(&self.key)?;
        let public = &certificates[0].tbs_certificate.subject_public_key_info.algorithm;
        // A certificate for RSA-PSS alone and one for RSA in general may both have this key.
        let plain = |oid| if oid == RSA_PSS { RSA } else { oid };
        let curve = |parameters: Option<ObjectIdentifier>| parameters.filter(|_| kind.oid == ELLIPTIC);
        let public_curve = public.parameters.as_ref().and_then(|any| any.decode_as().ok());
        if plain(public.oid) != plain(kind.oid) || curve(public_curve) != curve(kind.curve) {
            return Err(Fault::Mismatch);
        }
        let signer = create_signer::from_keys(self.chain.as_bytes(), self.key.as_bytes(), algorithm, None)
            .map_err(|error| {
                Fault::Key(format!("cannot be used for signing ({})", one_line(&error.to_string())))
            })?;
        probe::prove(signer.as_ref())?;
        Ok(signer)
    }
}

fn serial_number() -> Result<SerialNumber, x509_cert::der::Error> {
    let mut number = [0; 16];
    OsRng.fill_bytes(&mut number);
    // Serial numbers are positive and do not begin with a zero.
    number[0] = number[0] & 0x7f | 0x40;
    SerialNumber::new(&number)
}

/// The certificates of a chain: at least one.
fn certificates(chain: &str) -> Result<Vec<Certificate>, Fault> {
    // `load_pem_chain` panics on text without certificates.
    Some(chain)
        .filter(|chain| chain.contains("-----END CERTIFICATE-----"))
        .and_then(|chain| Certificate::load_pem_chain(chain.as_bytes()).ok())
        .filter(|certificates| !certificates.is_empty())
        .ok_or_else(|| {
            Fault::Certificates(
                "holds no certificates in PEM form; give the chain, the signer's first".to_owned(),
            )
        })
}

fn check_dates(certificates: &[Certificate]) -> Result<(), Fault> {
    let fault = |what: String| Fault::Certificates(what);
    let now = SystemTime::now();
    for certificate in certificates {
        let Validity { not_before, not_after } = &certificate.tbs_certificate.validity;
        let subject = &certificate.tbs_certificate.subject;
        if not_after.to_system_time() < now {
            return Err(fault(format!(
                "the certificate of {subject} expired on {not_after}; renew it, or remove it and its key to have new ones made"
            )));
        }
        if not_before.to_system_time() > now {
            return Err(fault(format!(
                "the certificate of {subject} is not valid before {not_before}; check the clock"
            )));
        }
    }
    Ok(())
}

/// What a key is for.
struct KeyKind {
    oid: ObjectIdentifier,
    /// Of elliptic keys.
    curve: Option<ObjectIdentifier>,
}

fn algorithm(key: &str) -> Result<(SigningAlg, KeyKind), Fault> {
    let unusable = || {
        Fault::Key("is no private key in PEM form (PKCS#8, `BEGIN PRIVATE KEY`); convert it with `openssl pkcs8 -topk8 -nocrypt`".to_owned())
    };
    let (label, document) = SecretDocument::from_pem(key).map_err(|_| unusable())?;
    if label != "PRIVATE KEY" {
        return Err(unusable());
    }
    let info = PrivateKeyInfo::from_der(document.as_bytes()).map_err(|_| unusable())?;
    let kind = KeyKind { oid: info.algorithm.oid, curve: info.algorithm.parameters_oid().ok() };
    let algorithm = match (kind.oid, kind.curve) {
        (RSA | RSA_PSS, _) => SigningAlg::Ps256,
        (ED25519, _) => SigningAlg::Ed25519,
        (ELLIPTIC, Some(P256)) => SigningAlg::Es256,
        (ELLIPTIC, Some(P384)) => SigningAlg::Es384,
        (ELLIPTIC, Some(P521)) => SigningAlg::Es512,
        _ => {
            let what = "is of a kind C2PA does not know; use P-256, P-384, P-521, Ed25519 or RSA";
            return Err(Fault::Key(what.to_owned()));
        }
    };
    Ok((algorithm, kind))
}

#[cfg(test)]
mod tests {
    use super::*;
    use x509_cert::der::asn1::UtcTime;

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
