//! Who signs: a real certificate the user brings, or one of the user's own that is made on first use.
//!
//! C2PA asks for a chain (RFC 5280) whose first certificate may sign, and says what for. The own chain is an authority
//! and a certificate it vouches for, with P-256 keys; the authority's key is thrown away. Nobody else vouches for it:
//! it shows that a file was not changed since, and that two files come from the same installation, not who made them.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
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

use crate::Error;

const FOLDER: &str = "gioconda";
const CERTIFICATES: &str = "signing-certificates.pem";
const KEY: &str = "signing-key.pem";

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
    /// # Errors
    /// When a file cannot be read, does not hold what it should, the certificate has expired or is not the key's.
    pub fn from_files(certificates: &Path, key: &Path) -> Result<Self, Error> {
        let chain = fs::read_to_string(certificates).map_err(Error::read(certificates))?;
        let secret = fs::read_to_string(key).map_err(Error::read(key))?;
        let signer = signer(&Pair { chain, key: secret }).map_err(|fault| match fault {
            Fault::Certificates(what) => Error::Credentials { path: certificates.to_owned(), what },
            Fault::Key(what) => Error::Credentials { path: key.to_owned(), what },
        })?;
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

    /// As [`Identity::of_user`], with another folder.
    ///
    /// # Errors
    /// As [`Identity::of_user`].
    pub fn in_folder(folder: &Path) -> Result<Self, Error> {
        let (certificates, key) = (folder.join(CERTIFICATES), folder.join(KEY));
        if !key.exists() || !certificates.exists() {
            let pair = Pair::make()?;
            // The key comes last: whoever finds it finds its certificates too.
            let stored = fs::create_dir_all(folder)
                .and_then(|()| store(&certificates, &pair.chain))
                .and_then(|()| store(&key, &pair.key));
            if let Err(cause) = stored {
                return Self::ephemeral(&format!("{}: cannot be written ({cause})", folder.display()));
            }
        }
        Self::from_files(&certificates, &key)
    }

    fn ephemeral(why: &str) -> Result<Self, Error> {
        let signer = signer(&Pair::make()?).map_err(|fault| Error::Certificate(fault.to_string()))?;
        let warning = format!("{why}; signing with a key for this run only");
        Ok(Self { signer, warning: Some(warning) })
    }
}

/// Writes a file that only its owner may read, whole or not at all.
fn store(path: &Path, text: &str) -> std::io::Result<()> {
    let folder: PathBuf = path.parent().map_or_else(PathBuf::new, Path::to_owned);
    // Temporary files are made with mode 0600.
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(text.as_bytes())?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    Ok(())
}

/// Certificates and a key, as PEM.
struct Pair {
    chain: String,
    key: String,
}

#[derive(Debug, thiserror::Error)]
enum Fault {
    #[error("{0}")]
    Certificates(String),
    #[error("{0}")]
    Key(String),
}

impl Pair {
    fn make() -> Result<Self, Error> {
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
}

fn serial_number() -> Result<SerialNumber, x509_cert::der::Error> {
    let mut number = [0; 16];
    OsRng.fill_bytes(&mut number);
    // Serial numbers are positive and do not begin with a zero.
    number[0] = number[0] & 0x7f | 0x40;
    SerialNumber::new(&number)
}

fn signer(pair: &Pair) -> Result<BoxedSigner, Fault> {
    check_dates(&pair.chain)?;
    let algorithm = algorithm(&pair.key)?;
    let signer = create_signer::from_keys(pair.chain.as_bytes(), pair.key.as_bytes(), algorithm, None)
        .map_err(|error| {
            Fault::Key(format!("cannot be used for signing ({})", crate::error::one_line(&error.to_string())))
        })?;
    Ok(signer)
}

fn check_dates(chain: &str) -> Result<(), Fault> {
    let fault = |what: String| Fault::Certificates(what);
    // `load_pem_chain` panics on text without certificates.
    let certificates = Some(chain)
        .filter(|chain| chain.contains("-----END CERTIFICATE-----"))
        .and_then(|chain| Certificate::load_pem_chain(chain.as_bytes()).ok())
        .filter(|certificates| !certificates.is_empty())
        .ok_or_else(|| {
            fault("holds no certificates in PEM form; give the chain, the signer's first".to_owned())
        })?;
    let now = SystemTime::now();
    for certificate in &certificates {
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

fn algorithm(key: &str) -> Result<SigningAlg, Fault> {
    let unusable = || {
        Fault::Key("is no private key in PEM form (PKCS#8, `BEGIN PRIVATE KEY`); convert it with `openssl pkcs8 -topk8 -nocrypt`".to_owned())
    };
    let (label, document) = SecretDocument::from_pem(key).map_err(|_| unusable())?;
    if label != "PRIVATE KEY" {
        return Err(unusable());
    }
    let info = PrivateKeyInfo::from_der(document.as_bytes()).map_err(|_| unusable())?;
    let kind = info.algorithm.oid;
    let curve = || info.algorithm.parameters_oid().ok();
    match kind {
        RSA | RSA_PSS => Ok(SigningAlg::Ps256),
        ED25519 => Ok(SigningAlg::Ed25519),
        ELLIPTIC if curve() == Some(P256) => Ok(SigningAlg::Es256),
        ELLIPTIC if curve() == Some(P384) => Ok(SigningAlg::Es384),
        ELLIPTIC if curve() == Some(P521) => Ok(SigningAlg::Es512),
        _ => Err(Fault::Key(
            "is of a kind C2PA does not know; use P-256, P-384, P-521, Ed25519 or RSA".to_owned(),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use x509_cert::der::asn1::UtcTime;

    #[test]
    fn the_first_use_makes_a_private_key_and_the_second_finds_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let config = folder.path().join("config");
        let first = Identity::in_folder(&config).expect("an identity");
        assert_eq!(first.warning, None);
        let key = fs::read_to_string(config.join(KEY)).expect("a key");
        Identity::in_folder(&config).expect("an identity");
        assert_eq!(fs::read_to_string(config.join(KEY)).expect("a key"), key);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = fs::metadata(config.join(KEY)).expect("a key").permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
    }

    #[test]
    fn where_nothing_can_be_written_the_key_lives_for_one_run() {
        let folder = tempfile::tempdir().expect("a folder");
        let in_the_way = folder.path().join("file");
        fs::write(&in_the_way, "").expect("written");
        let identity = Identity::in_folder(&in_the_way.join("config")).expect("an identity");
        assert!(identity.warning.expect("a warning").contains("this run only"));
    }

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
