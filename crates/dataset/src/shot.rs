//! A clip, followed shot by shot: stretches without a scene change, each of which becomes a video of its own.
//!
//! A shot ends at a cut, where the face jumps to another place or size, or after [`LONGEST_SHOT`] frames, which
//! bounds the memory of a clip however long it is.

use gioconda_face::{Landmarks, TrackedFace, Tracker};
use gioconda_media::{ClipReader, Frame};
use image::RgbImage;

use crate::window::FaceBox;

/// Frames after which a shot is ended although nothing changed: a minute at 25 frames per second.
pub(crate) const LONGEST_SHOT: usize = 1500;

/// Side of the thumbnails that pictures are compared by.
const THUMBNAIL: u32 = 32;
/// Mean difference of two thumbnails, in grey levels, below which there is no cut.
const LEAST_CUT: f32 = 22.0;
/// A cut stands out from the differences before it by this factor.
const CUT_FACTOR: f32 = 5.0;
/// How many differences before a frame say how lively the shot is.
const MEMORY: usize = 12;
/// A face that was lost and is found this far away, in its own sides, is another one.
const JUMP: f32 = 0.5;
/// Likewise one that is this many times as large or small.
const GROWTH: f32 = 1.5;

/// A frame of a shot: its face, if there was one.
pub(crate) type ShotFrame = Option<(Landmarks, f32)>;

/// A small grey picture of a frame, to compare it by.
#[derive(Clone, Debug)]
pub(crate) struct Thumbnail(Vec<f32>);

impl Thumbnail {
    /// Mean luminance of the cells of a 32 x 32 grid over `picture`.
    pub(crate) fn of(picture: &RgbImage) -> Self {
        let (width, height) = picture.dimensions();
        let (columns, rows) = (THUMBNAIL.min(width.max(1)), THUMBNAIL.min(height.max(1)));
        let mut sums = vec![(0_u32, 0_u32); (columns * rows) as usize];
        let stride = width as usize * 3;
        for (y, row) in picture.as_raw().chunks_exact(stride.max(1)).enumerate() {
            // Every other pixel of every other row is enough for a mean.
            for (x, rgb) in row.chunks_exact(3).enumerate().step_by(2).filter(|_| y % 2 == 0) {
                let cell = (y as u32 * rows / height) * columns + x as u32 * columns / width;
                let (sum, count) = &mut sums[cell as usize];
                *sum += 77 * u32::from(rgb[0]) + 150 * u32::from(rgb[1]) + 29 * u32::from(rgb[2]);
                *count += 256;
            }
        }
        Self(sums.into_iter().map(|(sum, count)| sum as f32 / count.max(1) as f32).collect())
    }

    /// Mean absolute difference in grey levels, 0..255.
    pub(crate) fn difference(&self, other: &Self) -> f32 {
        let sum: f32 = self.0.iter().zip(&other.0).map(|(a, b)| (a - b).abs()).sum();
        sum / self.0.len().max(1) as f32
    }
}

/// Tells cuts from movement.
#[derive(Default)]
struct CutDetector {
    before: Option<Thumbnail>,
    /// The last differences between neighbouring frames.
    differences: Vec<f32>,
    face: Option<FaceBox>,
}

impl CutDetector {
    /// Whether a new shot begins with this frame.
    fn begins_shot(&mut self, thumbnail: Thumbnail, face: Option<&TrackedFace>) -> bool {
        let difference = self.before.as_ref().map_or(0.0, |before| before.difference(&thumbnail));
        let now = face.map(|face| (FaceBox::around(&face.landmarks), face.redetected));
        let jumped = match (self.face, now) {
            (Some(before), Some((face, true))) => is_elsewhere(&before, &face),
            _ => false,
        };
        let cut = difference > LEAST_CUT.max(CUT_FACTOR * self.usual_difference());
        if cut || jumped {
            self.face = None;
        }
        // The difference at a cut counts too: the median bears it, and a shot that stays lively is not cut again.
        if self.differences.len() == MEMORY {
            self.differences.remove(0);
        }
        self.differences.push(difference);
        self.before = Some(thumbnail);
        self.face = now.map(|(face, _)| face).or(self.face);
        cut || jumped
    }

    /// The median of the last differences.
    fn usual_difference(&self) -> f32 {
        let mut sorted = self.differences.clone();
        sorted.sort_by(f32::total_cmp);
        sorted.get(sorted.len() / 2).copied().unwrap_or(0.0)
    }
}

fn is_elsewhere(before: &FaceBox, face: &FaceBox) -> bool {
    let moved = (face.center - before.center).norm() / before.side.max(face.side);
    let grown = face.side / before.side;
    !(moved < JUMP && (1.0 / GROWTH..GROWTH).contains(&grown))
}

/// Cuts a clip into shots, tracking the face.
pub(crate) struct ShotFinder<'a> {
    reader: ClipReader,
    tracker: &'a mut Tracker,
    cuts: CutDetector,
    frame: Frame,
    /// The first frame of the next shot, where the last one ended with a cut.
    pending: Option<ShotFrame>,
    ended: bool,
}

/// Why a clip could not be followed to its end.
pub(crate) enum Trouble {
    /// The clip is damaged from here on; what was read before can be used.
    Clip(gioconda_media::Error),
    /// Nothing can be done without the models.
    Face(gioconda_face::Error),
}

impl<'a> ShotFinder<'a> {
    pub(crate) fn new(reader: ClipReader, tracker: &'a mut Tracker) -> Self {
        tracker.reset();
        let cuts = CutDetector::default();
        Self { reader, tracker, cuts, frame: Frame::default(), pending: None, ended: false }
    }

    /// The next shot, frame by frame; empty after the last one. `go_on` is asked after each frame: the shot ends early
    /// when it says no. A clip that breaks off gives what it has into `shot` before the error.
    pub(crate) fn next(
        &mut self,
        shot: &mut Vec<ShotFrame>,
        mut go_on: impl FnMut() -> bool,
    ) -> Result<(), Trouble> {
        shot.clear();
        shot.extend(self.pending.take());
        while !self.ended && shot.len() < LONGEST_SHOT {
            match self.reader.read(&mut self.frame) {
                Ok(true) => {}
                Ok(false) => {
                    self.ended = true;
                    break;
                }
                Err(error) => {
                    self.ended = true;
                    return Err(Trouble::Clip(error));
                }
            }
            let face = self.tracker.track(&self.frame.image).map_err(Trouble::Face)?;
            let begins = self.cuts.begins_shot(Thumbnail::of(&self.frame.image), face.as_ref());
            let frame = face.map(|face| (face.landmarks, face.presence));
            let cut = begins && !shot.is_empty();
            if cut {
                self.pending = Some(frame);
            } else {
                shot.push(frame);
            }
            if !go_on() || cut {
                break;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::descriptor::tests::face;

    fn waves(shift: u32, tone: u8) -> RgbImage {
        RgbImage::from_fn(96, 64, |x, y| {
            let wave = ((x + shift) as f32 * 0.2).sin() * (y as f32 * 0.1).cos();
            image::Rgb([tone, (120.0 + 90.0 * wave) as u8, 40])
        })
    }

    fn shots(frames: &[(RgbImage, Option<TrackedFace>)]) -> Vec<usize> {
        let mut cuts = CutDetector::default();
        let begins = |(i, (picture, face)): (usize, &(RgbImage, Option<TrackedFace>))| {
            cuts.begins_shot(Thumbnail::of(picture), face.as_ref()).then_some(i)
        };
        frames.iter().enumerate().filter_map(begins).collect()
    }

    #[test]
    fn a_cut_stands_out_and_movement_does_not() {
        let still = |tone| (0..10).map(move |_| (waves(0, tone), None));
        let lively = (0..10).map(|i| (waves(i, 100), None));
        assert_eq!(shots(&still(20).chain(still(250)).collect::<Vec<_>>()), [10]);
        assert_eq!(shots(&still(100).chain(lively).collect::<Vec<_>>()), Vec::<usize>::new());
    }

    #[test]
    fn a_face_found_elsewhere_begins_a_shot_and_one_found_again_does_not() {
        let seen = |size: f32, redetected| {
            let landmarks = face(size, 0.0, 0.0);
            (waves(0, 100), Some(TrackedFace { landmarks, presence: 0.9, redetected }))
        };
        let nobody = || (waves(0, 100), None);
        let frames =
            vec![seen(90.0, true), seen(91.0, false), nobody(), seen(92.0, true), nobody(), seen(40.0, true)];
        assert_eq!(shots(&frames), [5]);
    }

    #[test]
    fn thumbnails_of_tiny_pictures_do_not_fail() {
        for (width, height) in [(0, 0), (1, 1), (1, 40), (70, 3)] {
            let thumbnail = Thumbnail::of(&RgbImage::new(width, height));
            assert!(thumbnail.difference(&thumbnail) < 1e-6, "{width}x{height}");
        }
    }
}
