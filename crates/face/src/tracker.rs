//! One face through a clip: landmarks from the previous frame's landmarks, detection where that fails.

use image::RgbImage;

use crate::finder::{Effort, FaceChoice, FaceFinder, FoundFace};
use crate::landmark_model::{FoundLandmarks, LOOKS_AT_A_FRAME, MIN_PRESENCE, landmark_region};
use crate::models::Threads;
use crate::region::Region;
use crate::{Error, Landmarks};

/// The tracked face in one frame.
#[derive(Clone, Debug)]
pub struct TrackedFace {
    /// Its landmarks, frame pixels; not smoothed.
    pub landmarks: Landmarks,
    /// Probability that this is a face, 0.5..1.
    pub presence: f32,
    /// Whether the face was found anew rather than followed from the frame before: true in the first frame, and
    /// after a cut or a moment out of sight.
    pub redetected: bool,
}

/// Follows one face through the frames of a clip.
pub struct Tracker {
    finder: FaceFinder,
    choice: FaceChoice,
    /// Where to look in the next frame; `None` when the face was not found in the last one.
    next: Option<Region>,
    /// Where the face was last seen.
    seen: Option<Region>,
    /// Frames since the face was last seen, or since the start.
    lost: usize,
    /// Looks at a frame whose mean its landmarks are.
    looks: usize,
}

/// A searched face that is out of sight is searched thoroughly in every so many frames, and quickly in the others.
const THOROUGH_EVERY: usize = 25;

/// How often a face that has moved is looked at again, at most, until it is found where it was looked for.
const LOOKS_AGAIN: usize = 3;

impl Tracker {
    /// Loads the built-in models. `choice` is made in the first frame that shows a face and then kept.
    pub fn new(choice: FaceChoice, threads: Threads) -> Result<Self, Error> {
        let finder = FaceFinder::new(threads)?;
        Ok(Self { finder, choice, next: None, seen: None, lost: 0, looks: LOOKS_AT_A_FRAME })
    }

    /// Looks once at each frame and not three times, in a third of the time: landmarks jitter more.
    #[must_use]
    pub fn hasty(self) -> Self {
        Self { looks: 1, ..self }
    }

    /// Forgets the face: the next frame is the first of another clip.
    pub fn reset(&mut self) {
        (self.next, self.seen, self.lost) = (None, None, 0);
    }

    /// The face in the next frame, or `None` when it is not to be seen there.
    ///
    /// [`Error::NoSuchFace`] when the choice was a number and the first frame with faces has fewer.
    pub fn track(&mut self, frame: &RgbImage) -> Result<Option<TrackedFace>, Error> {
        let followed = self.follow(frame);
        let redetected = followed.is_none();
        let found = match followed {
            Some(found) => Some(found),
            None => self.redetect(frame)?,
        };
        let Some(FoundLandmarks { landmarks, presence }) = found else {
            self.next = None;
            self.lost += 1;
            return Ok(None);
        };
        let region = landmark_region(&landmarks);
        (self.next, self.seen, self.lost) = (Some(region), Some(region), 0);
        Ok(Some(TrackedFace { landmarks, presence, redetected }))
    }

    /// Landmarks from where the face was in the frame before, if they can be trusted.
    fn follow(&mut self, frame: &RgbImage) -> Option<FoundLandmarks> {
        let mut region = self.next?;
        let mut found = self.finder.landmark_model.find(frame, &region);
        let mut there = landmark_region(&found.landmarks);
        if found.presence < MIN_PRESENCE || has_jumped(&region, &there) {
            return None;
        }
        for _ in 0..LOOKS_AGAIN {
            if !has_moved(&region, &there) {
                break;
            }
            let again = self.finder.landmark_model.find(frame, &there);
            if again.presence < MIN_PRESENCE {
                break;
            }
            region = there;
            there = landmark_region(&again.landmarks);
            found = again;
        }
        Some(self.finder.landmark_model.steadied(frame, &region, found, self.looks))
    }

    fn redetect(&mut self, frame: &RgbImage) -> Result<Option<FoundLandmarks>, Error> {
        let effort = if self.lost.is_multiple_of(THOROUGH_EVERY) { Effort::Thorough } else { Effort::Quick };
        let faces = self.finder.search(frame, effort)?;
        let face = match self.seen {
            Some(seen) => faces.iter().min_by(|a, b| distance(a, &seen).total_cmp(&distance(b, &seen))),
            None => self.choice.choose(&faces)?,
        };
        Ok(face.map(|face| FoundLandmarks { landmarks: face.landmarks.clone(), presence: face.presence }))
    }
}

/// How far a found face is from where the tracked one was last seen.
fn distance(face: &FoundFace, seen: &Region) -> f32 {
    (landmark_region(&face.landmarks).center - seen.center).norm()
}

/// Between two frames a face moves or grows by a fraction of itself; landmarks that leave the region they were
/// looked for in have slipped.
fn has_jumped(before: &Region, after: &Region) -> bool {
    let (moved, grown) = change(before, after);
    !(moved < 0.35 && (0.6..1.6).contains(&grown))
}

/// A face that was looked for where it no longer is appears off-centre, too small or tilted, and its landmarks are
/// drawn towards where the model is used to see them: it is worth another look, centred.
fn has_moved(before: &Region, after: &Region) -> bool {
    let (moved, grown) = change(before, after);
    let turned = (after.rotation - before.rotation).abs();
    moved > 0.04 || !(0.94..1.06).contains(&grown) || turned > 0.1
}

/// How far a region went, in sides of what it was, and how many times as large it became.
fn change(before: &Region, after: &Region) -> (f32, f32) {
    ((after.center - before.center).norm() / before.size, after.size / before.size)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_told_from_movement() {
        let before = Region::from_corner(100.0, 100.0, 200.0);
        let cases = [
            (Region::from_corner(110.0, 95.0, 205.0), false),
            (Region::from_corner(200.0, 100.0, 200.0), true),
            (Region::from_corner(150.0, 150.0, 100.0), true),
            (Region::from_corner(f32::NAN, 0.0, 200.0), true),
        ];
        for (after, jumped) in cases {
            assert_eq!(has_jumped(&before, &after), jumped, "{after:?}");
        }
    }

    #[test]
    fn a_face_is_looked_at_again_once_it_is_off_centre_of_another_size_or_tilted() {
        let before = Region::from_corner(100.0, 100.0, 200.0);
        let cases = [
            (before, false),
            (Region::from_corner(104.0, 97.0, 204.0), false),
            (Region { rotation: 0.05, ..before }, false),
            (Region::from_corner(112.0, 100.0, 200.0), true),
            (Region::from_corner(90.0, 90.0, 220.0), true),
            (Region { rotation: -0.2, ..before }, true),
        ];
        for (after, moved) in cases {
            assert_eq!(has_moved(&before, &after), moved, "{after:?}");
        }
    }

    #[test]
    fn pictures_without_faces_give_nothing() {
        let mut tracker = Tracker::new(FaceChoice::Largest, Threads::Count(1)).unwrap();
        for (width, height) in [(1, 1), (0, 0), (320, 240), (2000, 3)] {
            assert!(tracker.track(&RgbImage::new(width, height)).unwrap().is_none());
        }
    }
}
