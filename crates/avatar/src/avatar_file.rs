//! `.avatar` files: everything that `animate` needs of one person, in one file.
//!
//! A [safetensors](https://github.com/huggingface/safetensors) file, described for users in `docs/avatar-files.md`.
//! Metadata: `format` = `gioconda-avatar`, `version`, `landmark_picture_version`, `tuning` (`none`, `feed-forward` or
//! the number of steps), `subject`, `consent`, and `checksums`, a JSON object with the SHA-256 of each tensor's bytes and of the
//! other metadata (`header`). Tensors:
//!
//! | name | type, shape | meaning |
//! |---|---|---|
//! | `photo.0`, `photo.1`, ... | u8 `[n]` | PNG files; the first is what is shown, of the others only the head is kept |
//! | `landmarks` | f32 `[T, 478, 3]` | the face in each photo, pixels |
//! | `embedding` | f32 `[E]` | ê; only with a network, as the next two |
//! | `psi` | f32 `[P]` | ψ' |
//! | `weights` | u8 `[n]` | a weight file (`gioconda_networks::WeightFile`) with the person's generator, 16-bit |

mod fields;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use gioconda_face::{LANDMARK_PICTURE_VERSION, LANDMARKS, Landmarks};
use gioconda_networks::{Device, Generator, Preset, WeightFile, WeightWriter};
use image::RgbImage;
use nalgebra::Vector3;

use crate::Error;
use crate::avatar::{Avatar, Reference};
use crate::canvas::DEFAULT_LONGEST_SIDE;
use crate::neural_renderer::{PersonalNetwork, Tuning, check_sizes};
use crate::references::REFERENCE_CROP;
use fields::{Field, Fields};

/// Version of the format that this program writes and reads.
pub const AVATAR_VERSION: u32 = 1;

/// Most photos an avatar is made of.
pub const MOST_PHOTOS: usize = 32;

/// What avatar files are called.
pub const AVATAR_EXTENSION: &str = "avatar";

const FORMAT: &str = "gioconda-avatar";
const LANDMARKS_FIELD: &str = "landmarks";
const EMBEDDING: &str = "embedding";
const PSI: &str = "psi";
const WEIGHTS: &str = "weights";
const GENERATOR: &str = "generator";

/// 32 large photos and the weights of the larger preset stay below it.
const LARGEST_FILE: u64 = 1 << 30;
/// Longest side of a further photo's head that is kept, pixels.
const LARGEST_HEAD: u32 = 640;
/// Landmarks lie at most this many sides outside their photo.
const BEYOND: f32 = 2.0;
/// Width and height of the smallest face, pixels.
const SMALLEST_FACE: f32 = 8.0;

/// An avatar as it stands in a file.
#[derive(Clone, Debug)]
pub struct AvatarFile {
    /// The photos, the face in them, and the network if there is one.
    pub avatar: Avatar,
    /// What was declared about who is shown; nothing in it was checked.
    pub declaration: Declaration,
}

/// What the maker of an avatar declared about who it shows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Declaration {
    /// One word: `self`, `consented`, `historical`, `artwork`, `fictional`; `None` is undeclared.
    pub subject: Option<String>,
    /// Who agreed to what, in free words.
    pub consent: Option<String>,
}

impl AvatarFile {
    /// Brings an avatar to the form in which it is stored: a large photo is made smaller, and of further photos only
    /// the head is kept.
    pub fn new(mut avatar: Avatar, declaration: Declaration) -> Self {
        let shown =
            Reference { photo: avatar.photo, landmarks: avatar.landmarks }.scaled(1.0, DEFAULT_LONGEST_SIDE);
        (avatar.photo, avatar.landmarks) = (shown.photo, shown.landmarks);
        for other in &mut avatar.others {
            *other = other.head(REFERENCE_CROP).scaled(1.0, LARGEST_HEAD);
        }
        Self { avatar, declaration }
    }

    /// Writes the file, whole or not at all.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, path: &Path) -> Result<(), Error> {
        let bytes = self.to_bytes(path)?;
        Ok(gioconda_media::save_bytes(path, &bytes)?)
    }

    fn to_bytes(&self, path: &Path) -> Result<Vec<u8>, Error> {
        let refused = |what: String| Error::AvatarFile { path: path.to_owned(), what };
        let mut fields = BTreeMap::new();
        let photos = self.avatar.photos();
        for (index, reference) in photos.iter().enumerate() {
            let png = fields::encode_png(&reference.photo).map_err(refused)?;
            fields.insert(photo_name(index), Field::bytes(png));
        }
        let points = photos.iter().flat_map(|photo| &photo.landmarks.points).flat_map(|p| [p.x, p.y, p.z]);
        fields.insert(LANDMARKS_FIELD.to_owned(), Field::floats(points, vec![photos.len(), LANDMARKS, 3]));
        let mut tuning = "none".to_owned();
        if let Some(network) = &self.avatar.network {
            tuning = match network.tuning {
                Tuning::FeedForward => "feed-forward".to_owned(),
                Tuning::Tuned { steps } => steps.to_string(),
            };
            for (name, numbers) in [(EMBEDDING, &network.embedding), (PSI, &network.psi)] {
                let field = Field::floats(numbers.iter().copied(), vec![numbers.len()]);
                fields.insert(name.to_owned(), field);
            }
            let writer = WeightWriter::new(network.header.clone())
                .with(GENERATOR, &network.generator)
                .half_precision();
            fields.insert(WEIGHTS.to_owned(), Field::bytes(writer.to_bytes(path)?));
        }
        let mut header = BTreeMap::from([
            ("format".to_owned(), FORMAT.to_owned()),
            ("version".to_owned(), AVATAR_VERSION.to_string()),
            ("landmark_picture_version".to_owned(), LANDMARK_PICTURE_VERSION.to_string()),
            ("tuning".to_owned(), tuning),
        ]);
        let Declaration { subject, consent } = &self.declaration;
        for (name, declared) in [("subject", subject), ("consent", consent)] {
            header.extend(declared.clone().map(|text| (name.to_owned(), text)));
        }
        fields::serialize(header, &fields).map_err(refused)
    }

    /// Reads and checks an avatar file.
    ///
    /// # Errors
    /// Names the first thing that does not fit: another version, a checksum, a photo, a number.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let failed = |source| Error::Read { path: path.to_owned(), source };
        let size = std::fs::metadata(path).map_err(failed)?.len();
        if size > LARGEST_FILE {
            let what = format!("{} MB is too large for an avatar file; use one made by `learn`", size >> 20);
            return Err(Error::AvatarFile { path: path.to_owned(), what });
        }
        Self::parse(path, &std::fs::read(path).map_err(failed)?)
    }

    /// Reads an avatar from the bytes of its file; `path` is the name errors call it by.
    ///
    /// # Errors
    /// As [`AvatarFile::read`].
    pub fn parse(path: &Path, bytes: &[u8]) -> Result<Self, Error> {
        let refused = |what: String| Error::AvatarFile { path: path.to_owned(), what };
        let fields = Fields::open(bytes, FORMAT, AVATAR_VERSION).map_err(refused)?;
        let photos = photos(&fields).map_err(refused)?;
        let network = network(path, &fields)?;
        let mut photos = photos.into_iter();
        let shown = photos.next().ok_or_else(|| refused(damaged("it holds no photo")))?;
        let avatar = Avatar {
            photo: shown.photo,
            landmarks: shown.landmarks,
            warnings: Vec::new(),
            others: photos.collect(),
            network: network.map(Arc::new),
        };
        let entry = |name: &str| fields.entry(name).map(str::to_owned);
        Ok(Self { avatar, declaration: Declaration { subject: entry("subject"), consent: entry("consent") } })
    }
}

fn photo_name(index: usize) -> String {
    format!("photo.{index}")
}

fn damaged(what: &str) -> String {
    format!("damaged avatar file: {what}; use a fresh copy, or learn it again")
}

fn photos(fields: &Fields<'_>) -> Result<Vec<Reference>, String> {
    let (shape, points) = fields.floats(LANDMARKS_FIELD)?;
    let count = shape.first().copied().unwrap_or(0);
    if shape[..] != [count, LANDMARKS, 3] || !(1..=MOST_PHOTOS).contains(&count) {
        return Err(damaged(&format!(
            "`{LANDMARKS_FIELD}` has shape {shape:?}, but 1 to {MOST_PHOTOS} times {LANDMARKS} x 3 is needed"
        )));
    }
    let faces = points.chunks_exact(3 * LANDMARKS);
    faces.enumerate().map(|(index, face)| reference(fields, &photo_name(index), face)).collect()
}

fn reference(fields: &Fields<'_>, name: &str, face: &[f32]) -> Result<Reference, String> {
    let photo: RgbImage = fields.png(name)?;
    let mut landmarks = Landmarks { points: [Vector3::zeros(); LANDMARKS] };
    for (point, numbers) in landmarks.points.iter_mut().zip(face.as_chunks::<3>().0) {
        *point = Vector3::from(*numbers);
    }
    let (low, high) = landmarks.bounds();
    let reach = BEYOND * photo.width().max(photo.height()) as f32;
    if (high - low).min() >= SMALLEST_FACE && landmarks.points.iter().all(|p| p.amax() <= reach) {
        Ok(Reference { photo: Arc::new(photo), landmarks })
    } else {
        Err(damaged(&format!("the landmarks of `{name}` are no face within it")))
    }
}

fn network(path: &Path, fields: &Fields<'_>) -> Result<Option<PersonalNetwork>, Error> {
    let refused = |what: String| Error::AvatarFile { path: path.to_owned(), what };
    let tuning = match fields.entry("tuning") {
        Some("none") => return Ok(None),
        Some("feed-forward") => Tuning::FeedForward,
        other => {
            let steps = other.and_then(|steps| steps.parse().ok());
            let steps = steps.ok_or_else(|| refused(damaged("its header does not say how it was tuned")))?;
            Tuning::Tuned { steps }
        }
    };
    let file = WeightFile::parse(path, fields.bytes(WEIGHTS).map_err(refused)?)?
        .require(Preset::Portrait, LANDMARK_PICTURE_VERSION)?;
    let header = file.header().clone();
    check_sizes(&header.config).map_err(refused)?;
    let generator = file.load(GENERATOR, Generator::new(&header.config.generator, &Device::flex())?)?;
    let numbers = |name: &str, length: usize| {
        let (_, numbers) = fields.floats(name)?;
        if numbers.len() == length {
            return Ok(numbers);
        }
        Err(damaged(&format!("`{name}` has {} numbers, but its network needs {length}", numbers.len())))
    };
    let embedding = numbers(EMBEDDING, header.config.generator.embedding).map_err(refused)?;
    let psi = numbers(PSI, header.config.generator.psi_len()).map_err(refused)?;
    Ok(Some(PersonalNetwork { header, generator, embedding, psi, tuning }))
}
