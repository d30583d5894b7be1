//! A key and the certificates that vouch for it, as PEM: made, read, and proven to sign.

use std::str::FromStr as _;
use std::time::{Duration, SystemTime};

use c2pa::{BoxedSigner, SigningAlg, create_signer};
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
use crate::fault::Fault;
use crate::{Error, probe};

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

/// Certificates and a key, as PEM.
pub(crate) struct Pair {
    pub(crate) chain: String,
    pub(crate) key: String,
}

impl Pair {
    pub(crate) fn make() -> Result<Self, Error> {
        let validity =
            Validity::from_now(VALID_FOR).map_err(|error| Error::Certificate(error.to_string()))?;
        Self::build(validity).map_err(|error| Error::Certificate(error.to_string()))
    }

    pub(crate) fn build(validity: Validity) -> Result<Self, Box<dyn std::error::Error>> {
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
