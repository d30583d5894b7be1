//! Reading the signed statements of any file, whoever wrote it.

use std::fs::{self, File};
use std::io::{BufReader, Cursor, Read, Seek};
use std::path::{Path, PathBuf};

use c2pa::{Manifest, Reader, ValidationState};
use serde::Serialize;
use serde_json::Value;

use crate::error::one_line;
use crate::statement::{ASSERTION, context, format_of};
use crate::{Error, Subject};

/// First bytes that tell a format.
const HEAD: u64 = 12;
/// What C2PA calls a file of which nothing is known.
const ANY_FORMAT: &str = "application/octet-stream";
/// Manifests beyond it are no statements about a picture.
const LARGEST_SIDECAR: u64 = 64 << 20;

/// What a file's statement is worth.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "status", rename_all = "lowercase")]
pub enum Credentials {
    /// There is none.
    Missing,
    /// It is whole, and so is the file. Whether its issuer can be trusted is another question.
    Valid(Box<Claims>),
    /// It does not fit the file, or is itself broken: one of them was changed.
    Tampered {
        /// What it says all the same, where it can be read.
        claims: Option<Box<Claims>>,
        /// The validation codes of C2PA that failed, or why it cannot be read.
        problems: Vec<String>,
    },
}

/// What a statement says.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Claims {
    /// The organisation or name in the signer's certificate.
    pub issuer: Option<String>,
    /// The program that wrote it, with its version.
    pub generator: Option<String>,
    /// When it was signed, where an authority vouches for it.
    pub time: Option<String>,
    /// Last word of the digital source type, such as `trainedAlgorithmicMedia` or `digitalCapture`.
    pub source: Option<String>,
    /// Who is shown, where Gioconda wrote it.
    pub subject: Option<Subject>,
    /// Who agreed to what, where Gioconda wrote it.
    pub consent: Option<String>,
}

impl Claims {
    /// Whether the statement says that a generative model had a part in the picture.
    pub fn says_synthetic(&self) -> bool {
        self.source
            .as_deref()
            .is_some_and(|source| source.to_ascii_lowercase().contains("trainedalgorithmic"))
    }
}

impl Credentials {
    /// Reads and checks the statement in the file at `path`, or in a `.c2pa` file beside it. Nothing is fetched from
    /// elsewhere. Files of formats that carry no statements have none.
    ///
    /// # Errors
    /// When the file cannot be read. What is wrong with a statement is no error but [`Credentials::Tampered`].
    pub fn read(path: &Path) -> Result<Self, Error> {
        let mut file = BufReader::new(File::open(path).map_err(Error::read(path))?);
        let mut head = Vec::new();
        file.by_ref().take(HEAD).read_to_end(&mut head).map_err(Error::read(path))?;
        Ok(Self::of(format_of(&head), sidecar(path)?.as_deref(), &mut file))
    }

    /// As [`Credentials::read`], of a file in memory; `sidecar` is a manifest that came with it.
    pub fn parse(bytes: &[u8], sidecar: Option<&[u8]>) -> Self {
        Self::of(format_of(bytes), sidecar, &mut Cursor::new(bytes))
    }

    fn of(format: Option<&str>, sidecar: Option<&[u8]>, file: &mut (impl Read + Seek + Send)) -> Self {
        let reader = Reader::from_context(context());
        let reader = match (sidecar, format) {
            (Some(manifest), format) => {
                reader.with_manifest_data_and_stream(manifest, format.unwrap_or(ANY_FORMAT), file)
            }
            (None, Some(format)) => reader.with_stream(format, file),
            (None, None) => return Self::Missing,
        };
        match reader {
            Ok(reader) => Self::judge(&reader),
            Err(
                c2pa::Error::JumbfNotFound | c2pa::Error::ProvenanceMissing | c2pa::Error::UnsupportedType,
            ) => Self::Missing,
            Err(error) => Self::Tampered { claims: None, problems: vec![one_line(&error.to_string())] },
        }
    }

    fn judge(reader: &Reader) -> Self {
        let claims = reader.active_manifest().map(|manifest| Box::new(Claims::of(manifest)));
        match (reader.validation_state(), claims) {
            (ValidationState::Valid | ValidationState::Trusted, Some(claims)) => Self::Valid(claims),
            (_, claims) => {
                let statuses = reader.validation_status().unwrap_or_default().iter();
                let mut problems: Vec<String> = statuses.map(|status| status.code().to_owned()).collect();
                problems.retain(|code| code != c2pa::validation_status::SIGNING_CREDENTIAL_UNTRUSTED);
                problems.dedup();
                Self::Tampered { claims, problems }
            }
        }
    }

    /// What it says, whole or not.
    pub fn claims(&self) -> Option<&Claims> {
        match self {
            Self::Missing => None,
            Self::Valid(claims) => Some(claims),
            Self::Tampered { claims, .. } => claims.as_deref(),
        }
    }
}

impl Claims {
    fn of(manifest: &Manifest) -> Self {
        let signature = manifest.signature_info();
        let generator = manifest.claim_generator_info.iter().flatten().next().map(|info| {
            let version = info.version.as_ref().map(|version| format!(" {version}")).unwrap_or_default();
            format!("{}{version}", info.name)
        });
        let ours: Option<Value> = manifest.find_assertion(ASSERTION).ok();
        let entry =
            |name: &str| ours.as_ref().and_then(|ours| ours.get(name)).filter(|value| !value.is_null());
        Self {
            issuer: signature.and_then(|info| info.issuer.clone().or_else(|| info.common_name.clone())),
            generator: generator.or_else(|| manifest.claim_generator().map(str::to_owned)),
            time: signature.and_then(|info| info.time.clone()),
            source: source(manifest),
            subject: entry("subject").and_then(|value| serde_json::from_value(value.clone()).ok()),
            consent: entry("consent").and_then(Value::as_str).map(str::to_owned),
        }
    }
}

/// The digital source type of the first action that has one.
fn source(manifest: &Manifest) -> Option<String> {
    let actions =
        manifest.assertions().iter().filter(|assertion| assertion.label().starts_with("c2pa.actions"));
    let values = actions.filter_map(|assertion| assertion.value().ok());
    let types = values.flat_map(|value| {
        let actions = value.get("actions").and_then(Value::as_array).cloned().unwrap_or_default();
        actions
            .into_iter()
            .filter_map(|action| action.get("digitalSourceType").and_then(Value::as_str).map(str::to_owned))
    });
    types.map(|uri| uri.rsplit('/').next().unwrap_or(&uri).to_owned()).next()
}

/// The manifest in `NAME.c2pa` or `NAME.EXT.c2pa` beside the file.
fn sidecar(path: &Path) -> Result<Option<Vec<u8>>, Error> {
    let mut whole = path.as_os_str().to_owned();
    whole.push(".c2pa");
    let beside = [PathBuf::from(whole), path.with_extension("c2pa")];
    let Some(sidecar) = beside.iter().find(|sidecar| sidecar.is_file() && sidecar.as_path() != path) else {
        return Ok(None);
    };
    let size = fs::metadata(sidecar).map_err(Error::read(sidecar))?.len();
    let file = File::open(sidecar).map_err(Error::read(sidecar))?;
    let mut manifest = Vec::new();
    file.take(size.min(LARGEST_SIDECAR)).read_to_end(&mut manifest).map_err(Error::read(sidecar))?;
    Ok(Some(manifest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::watermark::{AvatarId, Day, Payload, Version};
    use crate::{Identity, Input, Source, Statement};
    use image::RgbImage;

    fn statement(photo: &Path, picture: &RgbImage) -> Statement {
        Statement {
            source: Source::Composite,
            inputs: vec![Input::read("portrait", photo, Some(picture), false).expect("an input")],
            models: Vec::new(),
            subject: Subject::Artwork,
            consent: Some("none is needed".to_owned()),
            watermark: Payload {
                version: Version::current(),
                date: Day::today(),
                avatar: AvatarId::of(b"her"),
            },
        }
    }

    #[test]
    fn statements_are_read_back_and_changes_are_noticed() {
        let folder = tempfile::tempdir().expect("a folder");
        let picture = RgbImage::from_fn(160, 120, |x, y| image::Rgb([x as u8, y as u8, 90]));
        let identity = Identity::in_folder(&folder.path().join("config")).expect("an identity");
        for extension in ["jpg", "png"] {
            let file = folder.path().join("picture").with_extension(extension);
            picture.save(&file).expect("a picture");
            assert_eq!(Credentials::read(&file).expect("readable"), Credentials::Missing);
            statement(&file, &picture).sign(&file, &identity).expect("signed");

            let Credentials::Valid(claims) = Credentials::read(&file).expect("readable") else {
                panic!("{extension}: {:?}", Credentials::read(&file))
            };
            assert_eq!(claims.generator.as_deref(), Some(concat!("Gioconda ", env!("CARGO_PKG_VERSION"))));
            assert_eq!(
                (claims.subject, claims.consent.as_deref()),
                (Some(Subject::Artwork), Some("none is needed"))
            );
            assert!(claims.says_synthetic());

            let whole = fs::read(&file).expect("bytes");
            let mut changed = whole.clone();
            let near_the_end = changed.len() - 20;
            changed[near_the_end] ^= 1;
            fs::write(&file, &changed).expect("written");
            let credentials = Credentials::read(&file).expect("readable");
            assert!(matches!(credentials, Credentials::Tampered { .. }), "{extension}: {credentials:?}");
            fs::write(&file, &whole).expect("written");
        }
    }

    /// Every box, hash and certificate is in reach of these changes. (Some pass: a signature is padded with bytes that
    /// mean nothing.)
    #[test]
    fn damaged_files_are_no_crash() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("a.png");
        let picture = RgbImage::from_fn(80, 64, |x, y| image::Rgb([x as u8, y as u8, 90]));
        picture.save(&file).expect("a picture");
        let identity = Identity::in_folder(folder.path()).expect("an identity");
        statement(&file, &picture).sign(&file, &identity).expect("signed");
        let whole = fs::read(&file).expect("bytes");
        assert!(matches!(Credentials::parse(&whole, None), Credentials::Valid(_)));
        let mut noticed = 0;
        for round in 0..150_usize {
            let mut changed = whole.clone();
            let at = round * 7919 % whole.len();
            match round % 3 {
                0 => changed[at] ^= 1 << (round % 8),
                1 => changed.truncate(at),
                _ => changed[at..(at + 8).min(whole.len())].fill(0xff),
            }
            noticed += usize::from(!matches!(Credentials::parse(&changed, None), Credentials::Valid(_)));
        }
        assert!(noticed > 75, "{noticed} of 150");
    }

    #[test]
    fn names_are_kept_to_give_credit_only() {
        let folder = tempfile::tempdir().expect("a folder");
        let photo = folder.path().join("aunt.bin");
        fs::write(&photo, b"a photo").expect("written");
        let name = |credit: bool| Input::read("portrait", &photo, None, credit).expect("an input").credit;
        assert_eq!((name(false), name(true).as_deref()), (None, Some("aunt.bin")));
    }

    #[test]
    fn broken_statements_are_no_crash() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("a.png");
        RgbImage::new(64, 64).save(&file).expect("a picture");
        for manifest in [&b""[..], b"jumb", &[0xff; 4096], b"\0\0\0\x08jumb\0\0\0\x01"] {
            fs::write(folder.path().join("a.png.c2pa"), manifest).expect("written");
            let credentials = Credentials::read(&file).expect("readable");
            assert!(!matches!(credentials, Credentials::Valid(_)), "{credentials:?}");
        }
    }
}
