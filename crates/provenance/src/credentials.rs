//! Reading the signed statements of any file, whoever wrote it.
//!
//! A statement that cannot be read is no proof that anything was changed: a file without one may be damaged, and one
//! with a statement may be damaged on its way. So three things are told apart: there is none (however damaged the file
//! is), it does not fit the file, and it is there but cannot be read or judged.

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, BufReader, Cursor, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::Duration;

use c2pa::jumbf_io::load_jumbf_from_stream;
use c2pa::validation_status::{ASSERTION_MISSING, ASSERTION_UNDECLARED, SIGNING_CREDENTIAL_UNTRUSTED};
use c2pa::{Manifest, Reader, Relationship, ValidationState};
use serde::Serialize;
use serde_json::Value;

use crate::error::one_line;
use crate::settings::bounded_context;
use crate::statement::{ASSERTION, format_of};
use crate::{Error, Subject};
use crate::{container_parts, manifest_store};

/// First bytes that tell a format.
const HEAD: u64 = 12;
/// What C2PA calls a file of which nothing is known.
const ANY_FORMAT: &str = "application/octet-stream";
/// Time to check a statement, besides what the file's size takes.
const PATIENCE: Duration = Duration::from_secs(10);
/// Bytes a second that are hashed at least.
const SLOWEST: u64 = 20 << 20;
const TOO_MANY_PARTS: &str = "the file is too large, or has too many parts";
/// Manifests that are looked into for where a picture comes from.
const MOST_INGREDIENTS: usize = 200;

/// What a file's statement is worth.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(tag = "status", rename_all = "lowercase")]
pub enum Credentials {
    /// There is none.
    Missing,
    /// It is whole, and so is the file. Whether its issuer can be trusted is another question.
    Valid(Box<Claims>),
    /// It does not fit the file, or parts of it do not fit each other: one of them was changed.
    Tampered {
        /// What it says all the same.
        #[cfg_attr(feature = "openapi", schema(required))]
        claims: Option<Box<Claims>>,
        /// The validation codes of C2PA that failed.
        problems: Vec<String>,
    },
    /// It is there, but cannot be read or judged. Whether anything was changed is not known.
    Unverifiable {
        /// What it says all the same, where it can be read.
        #[cfg_attr(feature = "openapi", schema(required))]
        claims: Option<Box<Claims>>,
        /// The validation codes of C2PA that failed, or why it cannot be read.
        problems: Vec<String>,
    },
    /// The file only says where one is. It is not fetched.
    Elsewhere {
        /// The address.
        url: String,
    },
}

/// A manifest in a `.c2pa` file beside a picture or clip.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Sidecar {
    /// Its name, without the folder.
    pub file: String,
    /// What became of it.
    #[serde(flatten)]
    pub outcome: SidecarOutcome,
}

/// What became of a manifest beside a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(tag = "status", rename_all = "lowercase")]
pub enum SidecarOutcome {
    /// It is the statement that was judged: the file itself has none.
    Used,
    /// It was left alone: the file itself has a statement.
    Ignored,
    /// It is no manifest, and was left alone.
    Unreadable {
        /// The reason.
        why: String,
    },
}

/// What a statement says.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Claims {
    /// The organisation or name in the signer's certificate.
    #[cfg_attr(feature = "openapi", schema(required))]
    pub issuer: Option<String>,
    /// The program that wrote it, with its version.
    #[cfg_attr(feature = "openapi", schema(required))]
    pub generator: Option<String>,
    /// When it was signed, where an authority vouches for it.
    #[cfg_attr(feature = "openapi", schema(required))]
    pub time: Option<String>,
    /// Last word of the digital source type, such as `trainedAlgorithmicMedia` or `digitalCapture`: the first that names
    /// a generative model, else the first.
    #[cfg_attr(feature = "openapi", schema(required))]
    pub source: Option<String>,
    /// The same of a picture that this one was made from, where that one's own statement names a generative model.
    #[cfg_attr(feature = "openapi", schema(required))]
    pub ingredient_source: Option<String>,
    /// Who is shown, where Gioconda wrote it.
    #[cfg_attr(feature = "openapi", schema(required))]
    pub subject: Option<Subject>,
    /// Who agreed to what, where Gioconda wrote it.
    #[cfg_attr(feature = "openapi", schema(required))]
    pub consent: Option<String>,
}

impl Claims {
    /// Whether the statement says that a generative model had a part in the picture.
    pub fn says_synthetic(&self) -> bool {
        [&self.source, &self.ingredient_source].into_iter().flatten().any(|source| is_synthetic(source))
    }
}

/// Whether a digital source type names a generative model.
fn is_synthetic(source: &str) -> bool {
    let source = source.to_ascii_lowercase();
    source.contains("trainedalgorithmic") || source == "compositesynthetic"
}

impl Credentials {
    /// Reads and checks the statement in the file at `path`, or in a `.c2pa` file beside it where the file has none.
    /// Nothing is fetched from elsewhere. Files of formats that carry no statements have none.
    ///
    /// # Errors
    /// When the file cannot be read. What is wrong with a statement is no error but [`Credentials::Tampered`] or
    /// [`Credentials::Unverifiable`].
    pub fn read(path: &Path) -> Result<Self, Error> {
        Self::read_with_sidecar(path).map(|(credentials, _)| credentials)
    }

    /// As [`Credentials::read`], and what became of the `.c2pa` file beside it, if there is one.
    ///
    /// # Errors
    /// As [`Credentials::read`].
    pub fn read_with_sidecar(path: &Path) -> Result<(Self, Option<Sidecar>), Error> {
        let mut file = BufReader::new(File::open(path).map_err(Error::read(path))?);
        let mut head = Vec::new();
        file.by_ref().take(HEAD).read_to_end(&mut head).map_err(Error::read(path))?;
        let format = format_of(&head);
        // The library reads a GIF byte by byte, with a call to the system for each: from memory, a file of tiny blocks
        // takes seconds and not an hour.
        if let Some(gif @ "image/gif") = format
            && !container_parts::are_too_many(gif, &mut file).map_err(Error::read(path))?
        {
            let mut bytes = Vec::new();
            file.rewind().and_then(|()| file.read_to_end(&mut bytes)).map_err(Error::read(path))?;
            return Self::read_from(path, format, &mut Cursor::new(bytes));
        }
        Self::read_from(path, format, &mut file)
    }

    fn read_from(
        path: &Path,
        format: Option<&str>,
        file: &mut (impl Read + Seek + Send),
    ) -> Result<(Self, Option<Sidecar>), Error> {
        let embedded = Self::embedded(format, file).map_err(Error::read(path))?;
        let mut noted = None;
        for beside in sidecars(path) {
            let name = beside.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let note = |outcome| Some(Sidecar { file: name, outcome });
            if !matches!(embedded, Self::Missing | Self::Elsewhere { .. }) {
                return Ok((embedded, note(SidecarOutcome::Ignored)));
            }
            match manifest_store::read(&beside) {
                Ok(manifest) => {
                    let credentials = Self::beside(&manifest, format, file).map_err(Error::read(path))?;
                    return Ok((credentials, note(SidecarOutcome::Used)));
                }
                Err(why) => noted = noted.or(note(SidecarOutcome::Unreadable { why })),
            }
        }
        Ok((embedded, noted))
    }

    /// As [`Credentials::read`], of a file in memory; `sidecar` is a manifest that came with it.
    pub fn parse(bytes: &[u8], sidecar: Option<&[u8]>) -> Self {
        let (format, mut file) = (format_of(bytes), Cursor::new(bytes));
        let embedded = Self::embedded(format, &mut file);
        let found = match (embedded, sidecar) {
            (Ok(Self::Missing | Self::Elsewhere { .. }), Some(manifest)) => {
                Self::beside(manifest, format, &mut file)
            }
            (embedded, _) => embedded,
        };
        // Reading from memory does not fail.
        found.unwrap_or(Self::Missing)
    }

    /// The statement in the file itself.
    fn embedded(format: Option<&str>, file: &mut (impl Read + Seek + Send)) -> io::Result<Self> {
        let Some(format) = format else { return Ok(Self::Missing) };
        if container_parts::are_too_many(format, file)? {
            return Ok(if manifest_store::is_in(file)? {
                Self::unreadable(TOO_MANY_PARTS)
            } else {
                Self::Missing
            });
        }
        if let Ok(store) = load_jumbf_from_stream(format, file)
            && let Some(why) = manifest_store::excess(&store)
        {
            return Ok(Self::unreadable(why));
        }
        let reader = Reader::from_context(bounded_context(patience(file)?));
        Ok(match reader.with_stream(format, &mut *file) {
            Ok(reader) => Self::judge(&reader),
            Err(c2pa::Error::JumbfNotFound | c2pa::Error::UnsupportedType) => Self::Missing,
            Err(c2pa::Error::RemoteManifestUrl(url)) => Self::Elsewhere { url },
            // The library reads the whole container first and stops at the first fault, statement or not.
            Err(_) if !manifest_store::is_in(file)? => Self::Missing,
            Err(error) => Self::unreadable(&in_words(&error)),
        })
    }

    /// The statement that came with the file.
    fn beside(
        manifest: &[u8],
        format: Option<&str>,
        file: &mut (impl Read + Seek + Send),
    ) -> io::Result<Self> {
        let format = format.unwrap_or(ANY_FORMAT);
        if container_parts::are_too_many(format, file)? {
            return Ok(Self::unreadable(TOO_MANY_PARTS));
        }
        if let Some(why) = manifest_store::excess(manifest) {
            return Ok(Self::unreadable(why));
        }
        let reader = Reader::from_context(bounded_context(patience(file)?));
        file.rewind()?;
        let reader = reader.with_manifest_data_and_stream(manifest, format, file);
        Ok(reader.map_or_else(|error| Self::unreadable(&in_words(&error)), |reader| Self::judge(&reader)))
    }

    fn unreadable(why: &str) -> Self {
        Self::Unverifiable { claims: None, problems: vec![why.to_owned()] }
    }

    fn judge(reader: &Reader) -> Self {
        let claims = reader.active_manifest().map(|manifest| Box::new(Claims::of(reader, manifest)));
        if let (ValidationState::Valid | ValidationState::Trusted, Some(claims)) =
            (reader.validation_state(), &claims)
        {
            return Self::Valid(claims.clone());
        }
        let statuses = reader.validation_status().unwrap_or_default().iter();
        let mut problems: Vec<String> = statuses.map(|status| status.code().to_owned()).collect();
        problems.retain(|code| code != SIGNING_CREDENTIAL_UNTRUSTED);
        problems.dedup();
        if problems.iter().any(|code| tells_of_a_change(code)) {
            Self::Tampered { claims, problems }
        } else {
            Self::Unverifiable { claims, problems }
        }
    }

    /// What it says, whole or not.
    pub fn claims(&self) -> Option<&Claims> {
        match self {
            Self::Missing | Self::Elsewhere { .. } => None,
            Self::Valid(claims) => Some(claims),
            Self::Tampered { claims, .. } | Self::Unverifiable { claims, .. } => claims.as_deref(),
        }
    }
}

fn in_words(error: &c2pa::Error) -> String {
    match error {
        c2pa::Error::OperationCancelled => "checking it takes too long".to_owned(),
        error => one_line(&error.to_string()),
    }
}

/// Whether a failed validation code shows that the file or the statement was changed, and not only that the statement
/// cannot be judged: an expired certificate, an algorithm that is not known.
fn tells_of_a_change(code: &str) -> bool {
    let mismatch = code.ends_with(".mismatch") && !code.starts_with("timeStamp");
    mismatch || [ASSERTION_MISSING, ASSERTION_UNDECLARED].contains(&code)
}

/// How long the check of this file's statement may take.
fn patience(file: &mut impl Seek) -> io::Result<Duration> {
    let length = file.seek(SeekFrom::End(0))?;
    file.rewind()?;
    Ok(PATIENCE + Duration::from_secs(length / SLOWEST))
}

impl Claims {
    fn of(reader: &Reader, manifest: &Manifest) -> Self {
        let signature = manifest.signature_info();
        let generator = manifest.claim_generator_info.iter().flatten().next().map(|info| {
            let version = info.version.as_ref().map(|version| format!(" {version}")).unwrap_or_default();
            format!("{}{version}", info.name)
        });
        let ours: Option<Value> = manifest.find_assertion(ASSERTION).ok();
        let entry =
            |name: &str| ours.as_ref().and_then(|ours| ours.get(name)).filter(|value| !value.is_null());
        let source = source(manifest);
        let known = source.as_deref().is_some_and(is_synthetic);
        Self {
            issuer: signature.and_then(|info| info.issuer.clone().or_else(|| info.common_name.clone())),
            generator: generator.or_else(|| manifest.claim_generator().map(str::to_owned)),
            time: signature.and_then(|info| info.time.clone()),
            source,
            ingredient_source: if known { None } else { ingredient_source(reader, manifest) },
            subject: entry("subject").and_then(|value| serde_json::from_value(value.clone()).ok()),
            consent: entry("consent").and_then(Value::as_str).map(str::to_owned),
        }
    }
}

/// The digital source type of the first action that names a generative model, else of the first that has one.
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
    let types: Vec<String> = types.map(|uri| uri.rsplit('/').next().unwrap_or(&uri).to_owned()).collect();
    types.iter().find(|source| is_synthetic(source)).or(types.first()).cloned()
}

/// The digital source type that names a generative model in the statements of what this picture is a version or a
/// composite of. Someone who edits such a picture need not say it again.
fn ingredient_source(reader: &Reader, manifest: &Manifest) -> Option<String> {
    let mut seen = HashSet::new();
    let mut left = vec![manifest];
    while let Some(manifest) = left.pop() {
        for ingredient in manifest.ingredients() {
            let part =
                matches!(ingredient.relationship(), Relationship::ParentOf | Relationship::ComponentOf);
            let label = ingredient.active_manifest().filter(|_| part && seen.len() < MOST_INGREDIENTS);
            let Some(next) =
                label.filter(|label| seen.insert(*label)).and_then(|label| reader.get_manifest(label))
            else {
                continue;
            };
            if let Some(source) = source(next).filter(|source| is_synthetic(source)) {
                return Some(source);
            }
            left.push(next);
        }
    }
    None
}

/// Where the manifest of a file stands that cannot carry one: `NAME.EXT.c2pa`.
pub(crate) fn sidecar(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".c2pa");
    name.into()
}

/// The files beside the one at `path` that may hold its manifest: `NAME.EXT.c2pa`, `NAME.c2pa`.
fn sidecars(path: &Path) -> impl Iterator<Item = PathBuf> {
    let beside = [sidecar(path), path.with_extension("c2pa")];
    let path = path.to_owned();
    beside.into_iter().filter(move |sidecar| sidecar.is_file() && *sidecar != path)
}

#[cfg(test)]
mod tests {
    use std::fs;

    #[test]
    fn films_and_their_manifests_are_moved_to_the_same_place() {
        let film = std::path::Path::new("a/film.webm");
        assert_eq!(super::sidecar(film), gioconda_media::statement_beside(film));
    }

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

    /// `WebM` has no place for a statement.
    #[test]
    fn statements_beside_a_file_are_read_and_changes_noticed() {
        let folder = tempfile::tempdir().expect("a folder");
        let picture = RgbImage::from_fn(160, 120, |x, y| image::Rgb([x as u8, y as u8, 90]));
        let (photo, film) = (folder.path().join("photo.png"), folder.path().join("film.webm"));
        picture.save(&photo).expect("a picture");
        let content = [&[0x1a, 0x45, 0xdf, 0xa3][..], &b"webm".repeat(1000)].concat();
        fs::write(&film, &content).expect("written");
        let identity = Identity::in_folder(&folder.path().join("config")).expect("an identity");
        statement(&photo, &picture).sign(&film, &identity).expect("signed");
        assert_eq!(fs::read(&film).expect("bytes"), content, "the film itself is left alone");
        let (credentials, sidecar) = Credentials::read_with_sidecar(&film).expect("readable");
        let Credentials::Valid(claims) = credentials else { panic!("{credentials:?}") };
        assert!(claims.says_synthetic() && claims.subject == Some(Subject::Artwork));
        let file = "film.webm.c2pa".to_owned();
        assert_eq!(sidecar, Some(Sidecar { file, outcome: SidecarOutcome::Used }));

        fs::write(&film, [&content[..], b"more"].concat()).expect("written");
        let credentials = Credentials::read(&film).expect("readable");
        assert!(matches!(credentials, Credentials::Tampered { .. }), "{credentials:?}");
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
