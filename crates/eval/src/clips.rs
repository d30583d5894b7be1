//! Which frames of a clip are looked at, and the faces in them.

use gioconda_dataset::{Clip, CropWindow, FaceBox};
use gioconda_face::{Landmarks, Tracker};
use gioconda_media::{ClipReader, Frame, ReadOptions};
use gioconda_model::network_input::cropped;
use image::RgbImage;

use crate::{Error, Result};

/// Side of the crops that everything is measured on, pixels.
pub const SIDE: u32 = 256;

/// The photo is the first of so many frames that shows a face.
const PHOTO_WITHIN: usize = 25;

/// With sampled frames, jitter is measured at so many of them, each with the two frames before it.
const JITTER_SAMPLES: usize = 8;

/// Calls `see` with each frame of `clip` and its number until it says no.
pub(crate) fn for_each_frame(
    clip: &Clip,
    mut see: impl FnMut(usize, &RgbImage) -> Result<bool>,
) -> Result<()> {
    let mut reader = ClipReader::open(&clip.path, &ReadOptions::default())?;
    let (mut frame, mut index) = (Frame::default(), 0);
    while reader.read(&mut frame)? && see(index, &frame.image)? {
        index += 1;
    }
    Ok(())
}

/// How many frames `clip` has; counted where the container only guesses.
pub(crate) fn count_frames(clip: &Clip) -> Result<usize> {
    let reader = ClipReader::open(&clip.path, &ReadOptions::default())?;
    if let (Some(frames), true) = (reader.expected_frames(), reader.info().decoder != "ffmpeg") {
        return Ok(frames as usize);
    }
    let mut count = 0;
    for_each_frame(clip, |index, _| {
        count = index + 1;
        Ok(true)
    })?;
    Ok(count)
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
    pub(crate) window: CropWindow,
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
        let total = count_frames(clip)?;
        let mut photo: Option<(usize, Landmarks)> = None;
        let (mut planned, mut frames, mut lost, mut size) = (Vec::new().into_iter(), Vec::new(), 0, (0, 0));
        let mut next = None;
        for_each_frame(clip, |index, picture| {
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
        let faces: Vec<FaceBox> = std::iter::once(&photo.1)
            .chain(frames.iter().map(|frame| &frame.landmarks))
            .map(FaceBox::around)
            .collect();
        let window = CropWindow::around(&faces, size.0, size.1).map_err(Unfit::Clip)?;
        Ok(Self { clip: clip.clone(), photo, frames, lost, window })
    }

    /// The crop of a frame, 256 x 256; a clip whose pictures change their size has none.
    pub(crate) fn crop(&self, picture: &RgbImage) -> Option<RgbImage> {
        let CropWindow { left, top, side } = self.window;
        let fits = left + side <= picture.width() && top + side <= picture.height();
        fits.then(|| cropped(picture, &self.window.region(), SIDE))
    }

    /// Landmarks of the clip in pixels of the crop.
    pub(crate) fn in_crop(&self, landmarks: &Landmarks) -> Landmarks {
        self.window.landmarks(landmarks, SIDE)
    }
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
}
