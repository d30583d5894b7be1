//! The signed statement: C2PA Content Credentials, embedded in a picture or clip.

use std::ffi::OsString;
use std::fs::File;
use std::io::{BufRead as _, BufReader, Cursor, Read, Seek as _};
use std::path::{Path, PathBuf};

use c2pa::Builder;
use c2pa::assertions::DataHash;
use image::RgbImage;
use image::codecs::jpeg::JpegEncoder;
use serde::Serialize;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::credentials::sidecar;
use crate::settings::context;
use crate::watermark::Payload;
use crate::{Error, Identity, Subject};

/// Label of what Gioconda adds to the assertions that C2PA defines.
pub(crate) const ASSERTION: &str = "org.gioconda.portrait";

const CREATED: &str = "c2pa.created";
const TRAINED: &str = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia";
const COMPOSITE: &str = "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia";

/// First bytes of Matroska, of which `WebM` is a part.
const WEBM: &[u8] = &[0x1a, 0x45, 0xdf, 0xa3];
/// The media type of a statement by itself.
const MANIFEST: &str = "application/c2pa";

/// Longest side of an ingredient's thumbnail, pixels.
const THUMBNAIL_SIDE: u32 = 192;
const THUMBNAIL_QUALITY: u8 = 80;

/// How a picture came about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// Parts of a photo and what a network painted: `compositeWithTrainedAlgorithmicMedia`.
    Composite,
    /// A network painted all of it: `trainedAlgorithmicMedia`.
    Trained,
}

/// What a picture was made of.
#[derive(Clone, Debug)]
pub struct Input {
    /// What it served as: `portrait`, `driver`.
    pub role: &'static str,
    /// The file's name, where its maker is to be credited.
    pub credit: Option<String>,
    /// The SHA-256 of the file.
    pub sha256: [u8; 32],
    /// A small JPEG of it.
    pub thumbnail: Option<Vec<u8>>,
}

/// A model that took part.
#[derive(Clone, Debug, Serialize)]
pub struct Model {
    /// Its name.
    pub name: String,
    /// The SHA-256 of its file, in hexadecimal.
    pub sha256: String,
}

/// Everything that is said of an output.
#[derive(Clone, Debug)]
pub struct Statement {
    /// How it came about.
    pub source: Source,
    /// What it was made of.
    pub inputs: Vec<Input>,
    /// Which models took part.
    pub models: Vec<Model>,
    /// Who is shown, as far as was declared.
    pub subject: Subject,
    /// Who agreed to what, in free words.
    pub consent: Option<String>,
    /// What the watermark says.
    pub watermark: Payload,
}

impl Input {
    /// Reads the file at `path` for its hash, as a stream; `picture` is shown small. Its name is kept only to give
    /// credit.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn read(
        role: &'static str,
        path: &Path,
        picture: Option<&RgbImage>,
        credit: bool,
    ) -> Result<Self, Error> {
        let name = path.file_name().filter(|_| credit).map(|name| name.to_string_lossy().into_owned());
        Ok(Self { role, credit: name, sha256: hash(path)?, thumbnail: picture.and_then(thumbnail) })
    }

    /// The hash in hexadecimal.
    pub fn sha256_hex(&self) -> String {
        self.sha256.iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"))
    }
}

/// The SHA-256 of the file at `path`; of a folder, of the names and hashes of its files in order.
fn hash(path: &Path) -> Result<[u8; 32], Error> {
    let mut digest = Sha256::new();
    if path.is_dir() {
        let entries = std::fs::read_dir(path).map_err(Error::read(path))?;
        let mut files: Vec<PathBuf> = entries
            .map(|entry| entry.map(|entry| entry.path()))
            .collect::<std::io::Result<_>>()
            .map_err(Error::read(path))?;
        files.retain(|file| file.is_file());
        files.sort();
        for file in files {
            digest.update(file.file_name().unwrap_or_default().as_encoded_bytes());
            digest.update(hash(&file)?);
        }
        return Ok(digest.finalize().into());
    }
    let mut file = File::open(path).map_err(Error::read(path))?;
    let mut buffer = vec![0; 1 << 16];
    loop {
        match file.read(&mut buffer).map_err(Error::read(path))? {
            0 => return Ok(digest.finalize().into()),
            length => digest.update(&buffer[..length]),
        }
    }
}

fn thumbnail(picture: &RgbImage) -> Option<Vec<u8>> {
    let (width, height) = picture.dimensions();
    let scale = (f64::from(THUMBNAIL_SIDE) / f64::from(width.max(height))).min(1.0);
    let side = |side: u32| ((f64::from(side) * scale) as u32).max(1);
    let small = image::imageops::thumbnail(picture, side(width), side(height));
    let mut jpeg = Vec::new();
    let encoder = JpegEncoder::new_with_quality(&mut jpeg, THUMBNAIL_QUALITY);
    small.write_with_encoder(encoder).ok().map(|()| jpeg)
}

impl Statement {
    /// Embeds the signed statement into the file at `path`, which is replaced once the signed one is complete. Formats:
    /// mp4, mov, JPEG, PNG, WebP, GIF. `WebM` cannot carry one: it is written beside the file, in `NAME.webm.c2pa`.
    ///
    /// # Errors
    /// When the file cannot be read, is of another format, or cannot be replaced.
    pub fn sign(&self, path: &Path, identity: &Identity) -> Result<(), Error> {
        let failed = || Error::signing(path);
        let mut source = BufReader::new(File::open(path).map_err(Error::read(path))?);
        let head = source.fill_buf().map_err(Error::read(path))?;
        if head.starts_with(WEBM) {
            return self.sign_beside(path, &mut source, identity);
        }
        let format = format_of(head).ok_or_else(|| Error::Signing {
            path: path.to_owned(),
            what: "only mp4, mov, JPEG, PNG, WebP, GIF and WebM can be signed".to_owned(),
        })?;
        let folder = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let hidden = tempfile::Builder::new().prefix(&hidden_name(path)).tempfile_in(folder);
        let mut signed = hidden.map_err(Error::write(path))?;
        let permissions = source.get_ref().metadata().map_err(Error::read(path))?.permissions();
        signed.as_file().set_permissions(permissions).map_err(Error::write(path))?;
        let mut builder = self.builder(format).map_err(failed())?;
        let mut target = signed.as_file_mut();
        builder.sign(identity.signer.as_ref(), format, &mut source, &mut target).map_err(failed())?;
        target.rewind().map_err(Error::write(path))?;
        signed.persist(path).map_err(|error| Error::write(path)(error.error))?;
        Ok(())
    }

    /// Writes the statement of a file that cannot carry one; it holds the hash of the whole file.
    fn sign_beside(
        &self,
        path: &Path,
        source: &mut BufReader<File>,
        identity: &Identity,
    ) -> Result<(), Error> {
        let failed = || Error::signing(path);
        let signer = identity.signer.as_ref();
        let mut builder = self.builder(MANIFEST).map_err(failed())?;
        builder.data_hashed_placeholder(signer.reserve_size(), MANIFEST).map_err(failed())?;
        let mut whole = DataHash::new("whole file", "sha256");
        source.rewind().map_err(Error::read(path))?;
        whole.gen_hash_from_stream(source).map_err(failed())?;
        let manifest = builder.sign_data_hashed_embeddable(signer, &whole, MANIFEST).map_err(failed())?;
        std::fs::write(sidecar(path), manifest).map_err(Error::write(path))
    }

    fn builder(&self, format: &str) -> c2pa::Result<Builder> {
        let mut builder = Builder::from_context(context()).with_definition(self.definition(format))?;
        for (number, input) in self.inputs.iter().enumerate() {
            if let Some(jpeg) = &input.thumbnail {
                builder.add_resource(&thumbnail_name(number), Cursor::new(jpeg))?;
            }
        }
        Ok(builder)
    }

    fn definition(&self, format: &str) -> Value {
        let source = match self.source {
            Source::Composite => COMPOSITE,
            Source::Trained => TRAINED,
        };
        let ingredients: Vec<Value> =
            self.inputs.iter().enumerate().map(|(number, input)| ingredient(number, input)).collect();
        let ids: Vec<String> = (0..ingredients.len()).map(ingredient_name).collect();
        let inputs: Vec<Value> = self
            .inputs
            .iter()
            .map(|input| json!({ "role": input.role, "sha256": input.sha256_hex() }))
            .collect();
        json!({
            "claim_generator_info": [{ "name": "Gioconda", "version": env!("CARGO_PKG_VERSION") }],
            "format": format,
            "ingredients": ingredients,
            "assertions": [
                { "label": "c2pa.actions", "data": { "actions": [{
                    "action": CREATED,
                    "digitalSourceType": source,
                    "description": "A portrait, moved by a driver's motion",
                    "parameters": { "ingredientIds": ids },
                }] } },
                { "label": ASSERTION, "data": {
                    "subject": self.subject,
                    "consent": self.consent,
                    "inputs": inputs,
                    "models": self.models,
                    "watermark": self.watermark,
                } },
            ],
        })
    }
}

fn ingredient(number: usize, input: &Input) -> Value {
    let mut ingredient = json!({
        "title": input.credit.as_deref().unwrap_or(input.role),
        "format": "application/octet-stream",
        "relationship": "inputTo",
        "label": ingredient_name(number),
        "description": format!("{}, SHA-256 {}", input.role, input.sha256_hex()),
    });
    if input.thumbnail.is_some() {
        ingredient["thumbnail"] = json!({ "format": "image/jpeg", "identifier": thumbnail_name(number) });
    }
    ingredient
}

fn ingredient_name(number: usize) -> String {
    format!("input-{number}")
}

fn thumbnail_name(number: usize) -> String {
    format!("input-{number}.jpg")
}

/// The media type by a file's first 12 bytes, of what can carry a statement.
pub(crate) fn format_of(head: &[u8]) -> Option<&'static str> {
    match head {
        [0xff, 0xd8, 0xff, ..] => Some("image/jpeg"),
        [0x89, b'P', b'N', b'G', ..] => Some("image/png"),
        [b'G', b'I', b'F', b'8', ..] => Some("image/gif"),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Some("image/webp"),
        [_, _, _, _, b'f', b't', b'y', b'p', ..] => Some("video/mp4"),
        _ => None,
    }
}

/// What the name of the signed copy begins with: hidden, and with the file's own name, so that whoever removes an
/// unfinished file finds its copy.
fn hidden_name(path: &Path) -> OsString {
    let name = path.file_name().unwrap_or_default();
    let mut hidden = OsString::new();
    if !name.as_encoded_bytes().starts_with(b".") {
        hidden.push(".");
    }
    // Names have at most 255 bytes.
    if name.len() < 200 {
        hidden.push(name);
    }
    hidden.push(".signing-");
    hidden
}
