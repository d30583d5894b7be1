//! Which clips a folder holds, which of their frames are looked at, and the faces in them.

use std::path::{Path, PathBuf};

use gioconda_avatar::network_input::{cropped, cropped_landmarks};
use gioconda_face::{Landmarks, Region, Tracker};
use gioconda_media::{ClipReader, Frame, ReadOptions};
use image::RgbImage;
use nalgebra::Vector2;
use walkdir::WalkDir;

use crate::{Error, Result};

/// Files with these extensions are taken for clips.
const EXTENSIONS: [&str; 9] = ["avi", "gif", "m4v", "mkv", "mov", "mp4", "mpg", "webm", "webp"];

/// Side of the crops that everything is measured on, pixels.
pub const SIDE: u32 = 256;

/// Side of a crop over the longer side of the median face box, as `gioconda prepare` cuts.
const CROP: f32 = 1.5;

/// Face boxes below this, pixels, hold no detail worth measuring.
const LEAST_FACE: f32 = 64.0;

/// The photo is the first of so many frames that shows a face.
const PHOTO_WITHIN: usize = 25;

/// With sampled frames, jitter is measured at so many of them, each with the two frames before it.
const JITTER_SAMPLES: usize = 8;

/// A clip of the folder.
#[derive(Clone, Debug)]
pub(crate) struct Clip {
    pub(crate) path: PathBuf,
    /// Path inside the folder, `/` between folders.
    pub(crate) name: String,
    /// The first folder, or the clip's own stem.
    pub(crate) person: String,
}

/// All clips below `folder`, sorted by name.
pub(crate) fn find(folder: &Path) -> Result<Vec<Clip>> {
    std::fs::read_dir(folder).map_err(Error::read(folder))?;
    let mut clips: Vec<Clip> = WalkDir::new(folder)
        .follow_links(true)
        .into_iter()
        .filter_map(std::result::Result::ok)
        .filter(|entry| entry.file_type().is_file() && is_clip(entry.path()))
        .filter_map(|entry| Clip::new(folder, entry.path()))
        .collect();
    clips.sort_by(|a, b| a.name.cmp(&b.name));
    if clips.is_empty() { Err(Error::NoClips { path: folder.into() }) } else { Ok(clips) }
}

fn is_clip(path: &Path) -> bool {
    let hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
    let extension = path.extension().and_then(|extension| extension.to_str()).map(str::to_ascii_lowercase);
    !hidden && extension.is_some_and(|extension| EXTENSIONS.contains(&extension.as_str()))
}

impl Clip {
    fn new(folder: &Path, path: &Path) -> Option<Self> {
        let inside: Vec<String> =
            path.strip_prefix(folder).ok()?.iter().map(|part| part.to_string_lossy().into_owned()).collect();
        let person = match inside.as_slice() {
            [_] => path.file_stem()?.to_string_lossy().into_owned(),
            [person, ..] => person.clone(),
            [] => return None,
        };
        Some(Self { path: path.into(), name: inside.join("/"), person })
    }

    /// Calls `see` with each frame and its number until it says no.
    pub(crate) fn for_each_frame(&self, mut see: impl FnMut(usize, &RgbImage) -> Result<bool>) -> Result<()> {
        let mut reader = ClipReader::open(&self.path, &ReadOptions::default())?;
        let (mut frame, mut index) = (Frame::default(), 0);
        while reader.read(&mut frame)? && see(index, &frame.image)? {
            index += 1;
        }
        Ok(())
    }

    /// How many frames there are; counted where the container only guesses.
    pub(crate) fn frames(&self) -> Result<usize> {
        let reader = ClipReader::open(&self.path, &ReadOptions::default())?;
        if let (Some(frames), true) = (reader.expected_frames(), reader.info().decoder != "ffmpeg") {
            return Ok(frames as usize);
        }
        let mut count = 0;
        self.for_each_frame(|index, _| {
            count = index + 1;
            Ok(true)
        })?;
        Ok(count)
    }
}

/// What a frame is looked at for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// It is scored.
    Score,
    /// It leads to a scored frame, so that jitter can be measured.
    LeadIn,
}

/// Frames of a clip of `total` frames to look at, beginning with `first`: `wanted` of them spread evenly, or all.
fn plan(first: usize, total: usize, wanted: Option<usize>) -> Vec<(usize, Purpose)> {
    let available = total.saturating_sub(first);
    let wanted = wanted.unwrap_or(available).min(available);
    let scored: Vec<usize> = (0..wanted).map(|i| first + (2 * i + 1) * available / (2 * wanted)).collect();
    let mut planned: Vec<(usize, Purpose)> = scored.iter().map(|&index| (index, Purpose::Score)).collect();
    let every = wanted.div_ceil(JITTER_SAMPLES).max(1);
    for &index in scored.iter().step_by(every).filter(|&&index| index >= first + 2) {
        planned.extend([(index - 2, Purpose::LeadIn), (index - 1, Purpose::LeadIn)]);
    }
    planned.sort_by_key(|&(index, purpose)| (index, purpose == Purpose::LeadIn));
    planned.dedup_by_key(|(index, _)| *index);
    planned
}

/// A frame and where the face is in it.
#[derive(Clone, Debug)]
pub(crate) struct TrackedFrame {
    pub(crate) index: usize,
    pub(crate) purpose: Purpose,
    /// Pixels of the clip.
    pub(crate) landmarks: Landmarks,
}

/// A clip's faces; its pictures are read again when they are needed.
pub(crate) struct TrackedClip {
    pub(crate) clip: Clip,
    /// The frame that is the photo.
    pub(crate) photo: (usize, Landmarks),
    /// The frames after it, those without a face left out.
    pub(crate) frames: Vec<TrackedFrame>,
    /// Frames to be scored in which no face was found.
    pub(crate) lost: usize,
    /// The square that is seen, the same in every frame.
    pub(crate) window: Region,
}

/// Why a clip cannot be scored: part of the report, or an error of the machine.
pub(crate) enum Unfit {
    /// For the report.
    Clip(String),
    /// For everything.
    All(Error),
}

impl<E: Into<Error>> From<E> for Unfit {
    fn from(error: E) -> Self {
        match error.into() {
            Error::Media(error) => Self::Clip(error.to_string()),
            error => Self::All(error),
        }
    }
}

impl TrackedClip {
    /// Follows the face of `clip` through the photo and `wanted` frames after it, or all.
    pub(crate) fn track(
        clip: &Clip,
        wanted: Option<usize>,
        tracker: &mut Tracker,
    ) -> std::result::Result<Self, Unfit> {
        tracker.reset();
        let total = clip.frames()?;
        let mut photo: Option<(usize, Landmarks)> = None;
        let (mut planned, mut frames, mut lost, mut size) = (Vec::new().into_iter(), Vec::new(), 0, (0, 0));
        let mut next = None;
        clip.for_each_frame(|index, picture| {
            size = picture.dimensions();
            if photo.is_none() {
                if let Some(face) = tracker.track(picture)? {
                    photo = Some((index, face.landmarks));
                    planned = plan(index + 1, total, wanted).into_iter();
                    next = planned.next();
                }
                return Ok(index < PHOTO_WITHIN);
            }
            let Some((_, purpose)) = next.filter(|(wanted, _)| *wanted == index) else {
                return Ok(next.is_some());
            };
            match tracker.track(picture)? {
                Some(face) => frames.push(TrackedFrame { index, purpose, landmarks: face.landmarks }),
                None => lost += usize::from(purpose == Purpose::Score),
            }
            next = planned.next();
            Ok(next.is_some())
        })?;
        let unfit = |what: &str| Unfit::Clip(what.to_owned());
        let photo = photo.ok_or_else(|| unfit("no face in its first second"))?;
        if total <= photo.0 + 1 {
            return Err(unfit("has no frame after the photo"));
        }
        if frames.iter().all(|frame| frame.purpose == Purpose::LeadIn) {
            return Err(unfit("no face after its first frame"));
        }
        let faces = std::iter::once(&photo.1).chain(frames.iter().map(|frame| &frame.landmarks));
        let window = window(faces, size).map_err(Unfit::Clip)?;
        Ok(Self { clip: clip.clone(), photo, frames, lost, window })
    }

    /// The crop of a frame, 256 x 256; a clip whose pictures change their size has none.
    pub(crate) fn crop(&self, picture: &RgbImage) -> Option<RgbImage> {
        let corner = self.window.to_picture(Vector2::zeros()).add_scalar(self.window.size);
        let fits = corner.x <= picture.width() as f32 + 0.5 && corner.y <= picture.height() as f32 + 0.5;
        fits.then(|| cropped(picture, &self.window, SIDE))
    }

    /// Landmarks of the clip in pixels of the crop.
    pub(crate) fn in_crop(&self, landmarks: &Landmarks) -> Landmarks {
        cropped_landmarks(landmarks, &self.window, SIDE)
    }
}

/// The square around the median face box, inside a frame of `width` x `height` pixels.
fn window<'a>(
    faces: impl Iterator<Item = &'a Landmarks>,
    (width, height): (u32, u32),
) -> std::result::Result<Region, String> {
    let (mut sides, mut xs, mut ys) = (Vec::new(), Vec::new(), Vec::new());
    for (low, high) in faces.map(Landmarks::bounds) {
        let middle = (low + high) / 2.0;
        sides.push((high - low).max());
        xs.push(middle.x);
        ys.push(middle.y);
    }
    let face = median(&mut sides);
    if face.is_nan() || face < LEAST_FACE {
        return Err(format!("the face is only {face:.0} pixels high, less than {LEAST_FACE:.0}"));
    }
    let side = (CROP * face).round().min(width.min(height) as f32);
    let corner = |middle: f32, length: u32| (middle - side / 2.0).round().min(length as f32 - side).max(0.0);
    Ok(Region::from_corner(corner(median(&mut xs), width), corner(median(&mut ys), height), side))
}

fn median(values: &mut [f32]) -> f32 {
    values.sort_by(f32::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f32::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_spread_evenly_with_lead_ins_for_jitter() {
        let scored = |planned: &[(usize, Purpose)]| -> Vec<usize> {
            planned
                .iter()
                .filter(|(_, purpose)| *purpose == Purpose::Score)
                .map(|(index, _)| *index)
                .collect()
        };
        let all = plan(1, 6, None);
        assert_eq!(scored(&all), [1, 2, 3, 4, 5]);
        assert_eq!(all.len(), 5);
        let some = plan(1, 101, Some(4));
        assert_eq!(scored(&some), [13, 38, 63, 88]);
        assert_eq!(some.len(), 12);
        assert!(some.windows(2).all(|pair| pair[0].0 < pair[1].0));
        assert_eq!(scored(&plan(1, 4, Some(9))), [1, 2, 3]);
        assert!(plan(1, 1, Some(3)).is_empty() && plan(5, 3, None).is_empty());
    }

    #[test]
    fn people_are_first_folders_or_lone_clips() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(folder.path().join("ann/a")).unwrap();
        for name in ["ann/a/1.mp4", "ben.MOV", ".x.mp4", "notes.txt"] {
            std::fs::write(folder.path().join(name), "").unwrap();
        }
        let clips = find(folder.path()).unwrap();
        let seen: Vec<_> = clips.iter().map(|clip| (&*clip.name, &*clip.person)).collect();
        assert_eq!(seen, [("ann/a/1.mp4", "ann"), ("ben.MOV", "ben")]);
        assert!(matches!(find(&folder.path().join("ann/b")), Err(Error::Read { .. })));
    }
}
