//! All faces of a photo, with what makes them more or less fit to be animated.

use image::RgbImage;
use image::imageops::thumbnail;
use std::f32::consts::{FRAC_PI_2, PI};

use crate::detection::Detection;
use crate::detector::FaceDetector;
use crate::landmark_model::{
    FoundLandmarks, LOOKS_AT_A_FRAME, LOOKS_AT_A_PHOTO, LandmarkModel, MIN_PRESENCE, landmark_region,
};
use crate::models::Threads;
use crate::quality::Quality;
use crate::region::Region;
use crate::{Error, HeadPose, Landmarks, Matte, MatteFinder};

/// One face of a photo.
#[derive(Clone, Debug)]
pub struct FoundFace {
    /// What the detector saw.
    pub detection: Detection,
    /// The face's landmarks, picture pixels.
    pub landmarks: Landmarks,
    /// Probability that this is a face, 0.5..1.
    pub presence: f32,
    /// How the head stands.
    pub pose: HeadPose,
    /// How well the face can be seen.
    pub quality: Quality,
}

/// Which of several faces is meant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FaceChoice {
    /// The only face, or the one that is clearly larger than all others: [`CLEARLY_LARGER`] times as wide. Where
    /// there is none such, [`Error::AmbiguousFace`] lists the faces.
    #[default]
    Clear,
    /// The face with the largest box.
    Largest,
    /// A face by its number: from 1, left to right.
    Index(usize),
}

impl FaceChoice {
    /// The chosen one of `faces`, which are sorted left to right as [`FaceFinder::find_faces`] gives them; `None`
    /// when there are none at all.
    pub fn choose<'a>(&self, faces: &'a [FoundFace]) -> Result<Option<&'a FoundFace>, Error> {
        let area = |face: &FoundFace| face.detection.bounds.area();
        match *self {
            Self::Clear => match faces {
                [] => Ok(None),
                _ if clearly_largest(faces).is_some() => Ok(clearly_largest(faces)),
                _ => Err(Error::AmbiguousFace { found: faces.iter().map(|face| face.detection).collect() }),
            },
            Self::Largest => Ok(faces.iter().max_by(|a, b| area(a).total_cmp(&area(b)))),
            Self::Index(_) if faces.is_empty() => Ok(None),
            Self::Index(wanted) => match wanted.checked_sub(1).and_then(|i| faces.get(i)) {
                Some(face) => Ok(Some(face)),
                None => Err(Error::NoSuchFace {
                    wanted,
                    found: faces.iter().map(|face| face.detection).collect(),
                }),
            },
        }
    }
}

/// A face this many times as wide as every other is the one that is meant.
pub const CLEARLY_LARGER: f32 = 1.6;

fn clearly_largest(faces: &[FoundFace]) -> Option<&FoundFace> {
    let width = |face: &FoundFace| face.detection.bounds.width;
    faces.iter().enumerate().find_map(|(i, face)| {
        let mut others = faces.iter().enumerate().filter(|&(j, _)| j != i);
        others.all(|(_, other)| width(face) >= CLEARLY_LARGER * width(other)).then_some(face)
    })
}

/// Finds the faces of photos, and their landmarks.
pub struct FaceFinder {
    pub(crate) detector: FaceDetector,
    pub(crate) landmark_model: LandmarkModel,
    threads: Threads,
    /// Loaded when the first matte is asked for.
    matte_finder: Option<MatteFinder>,
}

/// How much time a search may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effort {
    /// One look at the whole picture: video.
    Quick,
    /// Whatever may still find a face: photos.
    Thorough,
}

impl FaceFinder {
    /// Loads the built-in models; the detector runs on `threads`.
    pub fn new(threads: Threads) -> Result<Self, Error> {
        let (detector, landmark_model) = (FaceDetector::new(threads)?, LandmarkModel::new()?);
        Ok(Self { detector, landmark_model, threads, matte_finder: None })
    }

    /// The faces of a photo, left to right; the first is face number 1.
    ///
    /// One look at the whole picture finds the faces of most photos at once. Where it finds none, closer and wider
    /// looks and a photo lying on its side or upside down are tried.
    pub fn find_faces(&mut self, picture: &RgbImage) -> Result<Vec<FoundFace>, Error> {
        self.search(picture, Effort::Thorough)
    }

    /// The matte of the person whose face is at `landmarks` in `photo`; `others` are the faces of other people in it. The
    /// model is loaded at the first call.
    pub fn matte(
        &mut self,
        photo: &RgbImage,
        landmarks: &Landmarks,
        others: &[&Landmarks],
    ) -> Result<Matte, Error> {
        let finder = match self.matte_finder.take() {
            Some(finder) => finder,
            None => MatteFinder::new(self.threads)?,
        };
        self.matte_finder.insert(finder).find_among(photo, landmarks, others)
    }

    pub(crate) fn search(&mut self, picture: &RgbImage, effort: Effort) -> Result<Vec<FoundFace>, Error> {
        if picture.width() < MIN_PICTURE || picture.height() < MIN_PICTURE {
            return Ok(Vec::new());
        }
        // Detectors scale every tile to 192 pixels or less: in large photos, tiles of a sixth of a 2048-pixel copy still have
        // more.
        let factor = picture.width().max(picture.height()) / DETECTED_SIDE;
        let smaller = (factor >= 2).then(|| {
            thumbnail(picture, (picture.width() / factor).max(1), (picture.height() / factor).max(1))
        });
        let searched = smaller.as_ref().unwrap_or(picture);
        let scale = picture.width() as f32 / searched.width() as f32;
        let looks = looks(searched, if smaller.is_some() { MAX_TILES_ALONG_LARGE } else { MAX_TILES_ALONG });
        let (looks, landmark_looks) = match effort {
            Effort::Quick => (&looks[..1], LOOKS_AT_A_FRAME),
            Effort::Thorough => (&looks[..], LOOKS_AT_A_PHOTO),
        };
        for look in looks {
            let mut faces: Vec<FoundFace> = Vec::new();
            for detection in self.detector.detect_in(searched, look)? {
                let detection = detection.scaled(scale);
                let found = self.landmarks_of(picture, &detection, landmark_looks);
                if found.presence >= MIN_PRESENCE && !faces.iter().any(|face| is_same_face(face, &found)) {
                    faces.push(describe(picture, detection, found));
                }
            }
            if !faces.is_empty() {
                let center = |face: &FoundFace| face.detection.bounds.center().x;
                faces.sort_by(|a, b| center(a).total_cmp(&center(b)));
                return Ok(faces);
            }
        }
        Ok(Vec::new())
    }

    /// Landmarks of a detected face. The detector's box is rough, so the model looks a second time where the first
    /// landmarks say the face is: a frame then gives the same landmarks whether its face was detected or tracked. The
    /// mean of so many `looks`.
    pub(crate) fn landmarks_of(
        &mut self,
        picture: &RgbImage,
        detection: &Detection,
        looks: usize,
    ) -> FoundLandmarks {
        let first = self.landmark_model.find(picture, &detection.landmark_region());
        if first.presence < MIN_PRESENCE {
            return first;
        }
        let region = landmark_region(&first.landmarks);
        let found = self.landmark_model.find(picture, &region);
        if found.presence < MIN_PRESENCE {
            return found;
        }
        self.landmark_model.steadied(picture, &region, found, looks)
    }
}

/// Pictures of at least twice this side, pixels, are searched in a copy reduced by the largest whole number that leaves the
/// longer side this long.
const DETECTED_SIDE: u32 = 2048;

/// Pictures with fewer pixels than this on a side have no faces that landmarks could be found in.
const MIN_PICTURE: u32 = 16;

fn describe(picture: &RgbImage, detection: Detection, found: FoundLandmarks) -> FoundFace {
    let pose = HeadPose::fit(&found.landmarks);
    let quality = Quality::measure(picture, &found.landmarks, &pose);
    FoundFace { detection, landmarks: found.landmarks, presence: found.presence, pose, quality }
}

/// Two detections of one face lead to the same landmarks.
fn is_same_face(face: &FoundFace, found: &FoundLandmarks) -> bool {
    let (a, b) = (landmark_region(&face.landmarks), landmark_region(&found.landmarks));
    (a.center - b.center).norm() < 0.25 * a.size.min(b.size)
}

/// Where to look for faces, the likely first; each look is a set of regions that are searched together.
fn looks(picture: &RgbImage, most_tiles_along: f32) -> Vec<Vec<Region>> {
    let whole = Region::around(picture);
    // A face that fills the picture is found from further away.
    let wider = Region { size: 2.0 * whole.size, ..whole };
    let mut looks = vec![vec![whole], vec![wider]];
    looks.extend([FRAC_PI_2, -FRAC_PI_2, PI].map(|rotation| vec![Region { rotation, ..whole }]));
    let (width, height) = (picture.width() as f32, picture.height() as f32);
    let mut side = width.min(height) * if width.max(height) > 1.3 * width.min(height) { 1.0 } else { 0.5 };
    while side >= MIN_TILE && side * most_tiles_along >= width.max(height) {
        looks.push(tiles(width, height, side));
        side /= 2.0;
    }
    looks
}

/// Tiles below this side, pixels, would only magnify.
const MIN_TILE: f32 = 256.0;
/// Tiles have at least one eighth of the picture's longer side.
const MAX_TILES_ALONG: f32 = 8.0;
/// The same for photos that are searched in a smaller copy, one sixth: larger tiles still find faces of 100 pixels, and tiles
/// of half the side are four times as many.
const MAX_TILES_ALONG_LARGE: f32 = 6.0;

/// Square tiles that cover a picture and overlap by half, so that every face of up to half a tile is whole in one.
fn tiles(width: f32, height: f32, side: f32) -> Vec<Region> {
    let starts = |length: f32| {
        let count = ((length - side) / (side / 2.0)).ceil().max(0.0) as usize + 1;
        let stride = if count > 1 { (length - side) / (count - 1) as f32 } else { 0.0 };
        (0..count).map(move |i| i as f32 * stride)
    };
    starts(height)
        .flat_map(|top| starts(width).map(move |left| Region::from_corner(left, top, side)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tiles_cover_the_picture_with_overlap() {
        for (width, height, side) in [(1000.0, 600.0, 600.0), (8000.0, 6000.0, 3000.0), (700.0, 700.0, 350.0)]
        {
            let tiles = tiles(width, height, side);
            for &(x, y) in &[(1.0, 1.0), (width - 1.0, height - 1.0), (width / 2.0, height - 1.0)] {
                let inside = |tile: &Region| {
                    let at = tile.from_picture(nalgebra::Vector2::new(x, y));
                    (0.0..=1.0).contains(&at.x) && (0.0..=1.0).contains(&at.y)
                };
                assert!(tiles.iter().any(inside), "{width} x {height}, {side}: {x},{y}");
            }
        }
    }

    #[test]
    fn the_search_of_the_largest_photos_is_bounded() {
        let regions = |width, height, most| {
            looks(&RgbImage::new(width, height), most).iter().map(Vec::len).sum::<usize>()
        };
        // Copies of 8600 x 5800 and of 7000 x 7000 pixels.
        for (width, height) in [(2150, 1450), (2333, 2333)] {
            let count = regions(width, height, MAX_TILES_ALONG_LARGE);
            assert!(count < 100, "{count} in {width} x {height}");
        }
        assert!(regions(4000, 4000, MAX_TILES_ALONG) < 300);
        assert!(regions(6000, 10, MAX_TILES_ALONG) < 10);
    }
}
