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
//! | `matte` | u8 `[n]` | a grey PNG file of the first photo's size, 255 where the person is; absent where no matte can be trusted |
//! | `embedding` | f32 `[E]` | ê; only with a network, as the next two |
//! | `psi` | f32 `[P]` | ψ' |
//! | `weights` | u8 `[n]` | a weight file (`gioconda_model::WeightFile`) with the person's generator, 16-bit |

mod fields;
mod network;

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;

use gioconda_face::{LANDMARKS, Landmarks, Matte};
use gioconda_model::Reference;
use gioconda_warp::LANDMARK_PICTURE_VERSION;
use image::RgbImage;
use nalgebra::Vector3;

use crate::Error;
use crate::avatar::Avatar;
use crate::file::{open_regular, read_within};
use crate::matte::fitted;
use crate::render::canvas::{Canvas, DEFAULT_LONGEST_SIDE, Framing};
use crate::render::references::REFERENCE_CROP;
use fields::{Field, Fields};

/// Version of the format that this program writes and reads.
pub const AVATAR_VERSION: u32 = 1;

/// Most photos an avatar is made of.
pub const MOST_PHOTOS: usize = 32;

/// What avatar files are called.
pub const AVATAR_EXTENSION: &str = "avatar";

const FORMAT: &str = "gioconda-avatar";
/// How avatars without a network were tuned.
const NONE: &str = "none";
const LANDMARKS_FIELD: &str = "landmarks";
const MATTE_FIELD: &str = "matte";

/// 32 large photos and the weights of the larger preset stay below it.
const LARGEST_FILE: u64 = 1 << 30;
/// Longest side of a further photo's head that is kept, pixels.
const LARGEST_HEAD: u32 = 640;
/// Smallest side of a further photo's head, pixels: less shows no face.
const SMALLEST_HEAD: u32 = 16;
/// All photos of an avatar together have at most this many pixels, as one photo; `learn` keeps 17 million at most.
const MOST_PIXELS: u64 = gioconda_media::photo::MAX_PIXELS;
/// Longest header of an avatar file, bytes: names, places and checksums of 36 tensors, and two texts.
const LONGEST_HEADER: u64 = 1 << 20;
/// Longest text of a declaration, bytes.
const LONGEST_TEXT: usize = 1 << 16;
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
    /// the head is kept. One whose head is smaller than 16 pixels shows nothing and is left out.
    pub fn new(mut avatar: Avatar, declaration: Declaration) -> Self {
        let shown =
            Reference { photo: avatar.photo, landmarks: avatar.landmarks }.scaled(1.0, DEFAULT_LONGEST_SIDE);
        (avatar.photo, avatar.landmarks) = (shown.photo, shown.landmarks);
        avatar.matte = avatar.matte.map(|matte| fitted(&matte, avatar.photo.dimensions()));
        for other in &mut avatar.others {
            *other = other.head(REFERENCE_CROP).scaled(1.0, LARGEST_HEAD);
        }
        avatar.others.retain(|other| check_size(other.photo.dimensions(), SMALLEST_HEAD).is_ok());
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
        check_texts(&self.declaration).map_err(refused)?;
        for (index, reference) in photos.iter().enumerate() {
            let png = fields::encode_png(&reference.photo).map_err(refused)?;
            fields.insert(photo_name(index), Field::bytes(png));
        }
        if let Some(matte) = &self.avatar.matte {
            let png = fields::encode_grey_png(&matte.alpha).map_err(refused)?;
            fields.insert(MATTE_FIELD.to_owned(), Field::bytes(png));
        }
        let points = photos.iter().flat_map(|photo| &photo.landmarks.points).flat_map(|p| [p.x, p.y, p.z]);
        fields.insert(LANDMARKS_FIELD.to_owned(), Field::floats(points, vec![photos.len(), LANDMARKS, 3]));
        let tuning = match &self.avatar.network {
            Some(personal) => network::write(personal, path, &mut fields)?,
            None => NONE.to_owned(),
        };
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
        let bytes = read_within(path, LARGEST_FILE)?.ok_or_else(|| {
            let most = LARGEST_FILE >> 20;
            let what = format!("more than {most} MB are too much for an avatar file; use another");
            Error::AvatarFile { path: path.to_owned(), what }
        })?;
        Self::parse(path, &bytes)
    }

    /// Reads only what is declared in an avatar file: its first kilobytes, whatever its size. Photos and network are not
    /// checked.
    ///
    /// # Errors
    /// When it is no avatar file of this version, or its header has not the checksum it was written with.
    pub fn read_declaration(path: &Path) -> Result<Declaration, Error> {
        let failed = |source| Error::Read { path: path.to_owned(), source };
        let refused = |what: String| Error::AvatarFile { path: path.to_owned(), what };
        let mut file = open_regular(path)?;
        let mut length = [0; 8];
        file.read_exact(&mut length).map_err(failed)?;
        let length = u64::from_le_bytes(length);
        if length > LONGEST_HEADER {
            return Err(refused(damaged("its header is too long")));
        }
        let mut text = Vec::new();
        file.take(length).read_to_end(&mut text).map_err(failed)?;
        if text.len() as u64 != length {
            return Err(refused(damaged("it ends within its header")));
        }
        let header = fields::header(&text, FORMAT, AVATAR_VERSION).map_err(refused)?;
        declaration(|name| header.get(name).cloned()).map_err(refused)
    }

    /// Reads an avatar from the bytes of its file; `path` is the name errors call it by.
    ///
    /// # Errors
    /// As [`AvatarFile::read`].
    pub fn parse(path: &Path, bytes: &[u8]) -> Result<Self, Error> {
        let refused = |what: String| Error::AvatarFile { path: path.to_owned(), what };
        let fields = Fields::open(bytes, FORMAT, AVATAR_VERSION).map_err(refused)?;
        fields.verify().map_err(refused)?;
        Self::of_fields(path, &fields)
    }

    fn of_fields(path: &Path, fields: &Fields<'_>) -> Result<Self, Error> {
        let refused = |what: String| Error::AvatarFile { path: path.to_owned(), what };
        let photos = photos(fields).map_err(refused)?;
        let network = network::read(path, fields)?;
        let mut photos = photos.into_iter();
        let shown = photos.next().ok_or_else(|| refused(damaged("it holds no photo")))?;
        let matte = matte(fields, shown.photo.dimensions()).map_err(refused)?;
        let avatar = Avatar {
            photo: shown.photo,
            landmarks: shown.landmarks,
            matte: matte.map(Arc::new),
            warnings: Vec::new(),
            others: photos.collect(),
            network: network.map(Arc::new),
        };
        let declaration = declaration(|name| fields.entry(name).map(str::to_owned)).map_err(refused)?;
        Ok(Self { avatar, declaration })
    }
}

/// What the header's entries declare.
fn declaration(entry: impl Fn(&str) -> Option<String>) -> Result<Declaration, String> {
    let declaration = Declaration { subject: entry("subject"), consent: entry("consent") };
    check_texts(&declaration)?;
    Ok(declaration)
}

fn check_texts(declaration: &Declaration) -> Result<(), String> {
    let texts = [&declaration.subject, &declaration.consent];
    if texts.into_iter().flatten().any(|text| text.len() > LONGEST_TEXT) {
        return Err(format!("what is declared in it is longer than {} KB; shorten it", LONGEST_TEXT >> 10));
    }
    Ok(())
}

/// Photos of an avatar obey the rules of photos; `smallest` is the least side.
fn check_size((width, height): (u32, u32), smallest: u32) -> Result<(), String> {
    let (short, long) = (width.min(height), width.max(height));
    if short < smallest {
        return Err(format!("has {width}x{height} pixels, but each side needs at least {smallest}"));
    }
    if long / short > gioconda_media::photo::MAX_ASPECT {
        let most = gioconda_media::photo::MAX_ASPECT;
        return Err(format!("has {width}x{height} pixels, a strip longer than {most} times its width"));
    }
    Ok(())
}

/// What fuzzing runs: arbitrary bytes as an avatar file. Checksums are passed over, for whoever forges a file writes
/// fitting ones; what is accepted must find its place on a canvas.
#[doc(hidden)]
pub fn fuzz_avatar(bytes: &[u8]) {
    let path = Path::new("person.avatar");
    let Ok(fields) = Fields::open(bytes, FORMAT, AVATAR_VERSION) else { return };
    let Ok(AvatarFile { avatar, .. }) = AvatarFile::of_fields(path, &fields) else { return };
    for framing in [Framing::Head { side: 64 }, Framing::Full { longest_side: 64 }] {
        Canvas::of(&avatar, framing);
    }
    // Storing it again brings photos to the form in which they are kept.
    let _ = AvatarFile::new(avatar, Declaration::default()).to_bytes(path);
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
    // All sizes before any pixel: a small file may promise more than a machine has.
    let mut pixels = 0;
    for index in 0..count {
        let name = photo_name(index);
        let size = fields.png_size(&name)?;
        let smallest = if index == 0 { gioconda_media::photo::MIN_SIDE } else { SMALLEST_HEAD };
        check_size(size, smallest).map_err(|fault| damaged(&format!("`{name}` {fault}")))?;
        pixels += u64::from(size.0) * u64::from(size.1);
        if pixels > MOST_PIXELS {
            let most = MOST_PIXELS / 1_000_000;
            return Err(damaged(&format!("its photos have more than {most} megapixels in all")));
        }
    }
    let faces = points.chunks_exact(3 * LANDMARKS);
    faces.enumerate().map(|(index, face)| reference(fields, &photo_name(index), face)).collect()
}

/// The matte of a photo of `size`, where there is one.
fn matte(fields: &Fields<'_>, size: (u32, u32)) -> Result<Option<Matte>, String> {
    if !fields.has(MATTE_FIELD) {
        return Ok(None);
    }
    let (width, height) = fields.png_size(MATTE_FIELD)?;
    if (width, height) != size {
        return Err(damaged(&format!(
            "`{MATTE_FIELD}` has {width}x{height} pixels, but its photo {}x{}",
            size.0, size.1
        )));
    }
    Ok(Some(Matte::of_alpha(fields.grey_png(MATTE_FIELD)?)))
}

fn reference(fields: &Fields<'_>, name: &str, face: &[f32]) -> Result<Reference, String> {
    let photo: RgbImage = fields.png(name)?;
    let mut landmarks = Landmarks { points: [Vector3::zeros(); LANDMARKS] };
    for (point, numbers) in landmarks.points.iter_mut().zip(face.as_chunks::<3>().0) {
        *point = Vector3::from(*numbers);
    }
    let (low, high) = landmarks.bounds();
    let middle = (low + high) / 2.0;
    let [width, height] = [photo.width(), photo.height()].map(|side| side as f32);
    let reach = BEYOND * width.max(height);
    let within = (0.0..=width).contains(&middle.x) && (0.0..=height).contains(&middle.y);
    let near = landmarks.points.iter().all(|p| p.amax() <= reach);
    if within && near && (high - low).min() >= SMALLEST_FACE {
        Ok(Reference { photo: Arc::new(photo), landmarks })
    } else {
        Err(damaged(&format!("the landmarks of `{name}` are no face within it")))
    }
}
