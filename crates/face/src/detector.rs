//! Where faces are: MediaPipe's BlazeFace full-range detector.
//!
//! A square region of the picture is sampled at 192 x 192; every cell of a 48 x 48 grid predicts one box, six
//! keypoints and a score. Overlapping boxes are averaged, weighted by score. Constants and conventions are those of
//! MediaPipe's `modules/face_detection/face_detection_full_range.pbtxt`, `tensors_to_detections_calculator.cc` and
//! `non_max_suppression_calculator.cc`.

use image::RgbImage;
use nalgebra::Vector2;

use crate::models::{Session, Threads};
use crate::region::{Border, Region, sample};
use crate::Error;

/// Side of the model's input.
const INPUT: usize = 192;
/// Side of the grid of anchors; anchors are cell centres.
const GRID: usize = 48;
/// Values per anchor: box centre and size, then six keypoints.
const VALUES: usize = 16;
/// Detections below this score are no faces. MediaPipe's graph for near-camera video uses 0.6, its tasks API 0.5;
/// the landmark model's presence weeds out what gets through here.
const MIN_SCORE: f32 = 0.5;
/// Boxes that overlap more than this (intersection over union) are one face.
const SAME_FACE_OVERLAP: f32 = 0.3;

/// An upright box in a picture, pixels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bounds {
    /// Left edge.
    pub left: f32,
    /// Top edge.
    pub top: f32,
    /// Width.
    pub width: f32,
    /// Height.
    pub height: f32,
}

impl Bounds {
    /// The middle of the box.
    pub fn center(&self) -> Vector2<f32> {
        Vector2::new(self.left + self.width / 2.0, self.top + self.height / 2.0)
    }

    /// Intersection over union, 0..1.
    pub fn overlap(&self, other: &Self) -> f32 {
        let shared = |a: f32, a_size: f32, b: f32, b_size: f32| ((a + a_size).min(b + b_size) - a.max(b)).max(0.0);
        let intersection = shared(self.left, self.width, other.left, other.width)
            * shared(self.top, self.height, other.top, other.height);
        let union = self.width * self.height + other.width * other.height - intersection;
        if union > 0.0 { intersection / union } else { 0.0 }
    }
}

/// One detected face.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Detection {
    /// The face from forehead to chin, without hair and ears. It may reach over the picture's edge.
    pub bounds: Bounds,
    /// Pixels: the person's right eye, left eye, nose tip, mouth centre, right ear, left ear.
    pub keypoints: [Vector2<f32>; 6],
    /// How sure the detector is, 0..1.
    pub score: f32,
}

impl Detection {
    /// The region that the landmark model wants to see: 1.5 boxes wide, eyes level
    /// (MediaPipe's `face_detector_graph.cc`).
    pub fn landmark_region(&self) -> Region {
        let eyes = self.keypoints[1] - self.keypoints[0];
        Region {
            center: self.bounds.center(),
            size: 1.5 * self.bounds.width.max(self.bounds.height),
            rotation: eyes.y.atan2(eyes.x),
        }
    }
}

/// The face detector.
pub struct FaceDetector {
    session: Session,
    /// The model's input, kept between pictures.
    tensor: Vec<f32>,
}

impl FaceDetector {
    /// Loads the built-in model.
    pub fn new(threads: Threads) -> Result<Self, Error> {
        Ok(Self::on_pool(Session::load("face_detector_full_range", threads.pool())?))
    }

    pub(crate) fn on_pool(session: Session) -> Self {
        Self { session, tensor: Vec::new() }
    }

    /// The faces of a picture, largest first. Faces smaller than about a fifteenth of the picture's longer side
    /// can be missed: see [`FaceDetector::detect_in`], and [`crate::FaceFinder`] for a search that misses little.
    pub fn detect(&mut self, picture: &RgbImage) -> Result<Vec<Detection>, Error> {
        self.detect_in(picture, &[Region::around(picture)])
    }

    /// The faces in any of `regions` of a picture, each counted once, largest first.
    pub fn detect_in(&mut self, picture: &RgbImage, regions: &[Region]) -> Result<Vec<Detection>, Error> {
        let mut candidates = Vec::new();
        for region in regions {
            sample(picture, region, INPUT, (-1.0, 1.0), Border::Black, &mut self.tensor);
            let [boxes, logits] = self.session.run(&[1, INPUT, INPUT, 3], &self.tensor)?;
            for (output, expected) in [(&boxes, GRID * GRID * VALUES), (&logits, GRID * GRID)] {
                if output.len() != expected {
                    return Err(self.session.wrong_output(output.len(), expected));
                }
            }
            candidates.extend(decode(&boxes, &logits, region));
        }
        let mut faces = merge_overlapping(candidates);
        faces.sort_by(|a, b| (b.bounds.width * b.bounds.height).total_cmp(&(a.bounds.width * a.bounds.height)));
        Ok(faces)
    }
}

/// The model's raw outputs as detections in picture pixels.
fn decode(boxes: &[f32], logits: &[f32], region: &Region) -> impl Iterator<Item = Detection> {
    let cells = boxes.chunks_exact(VALUES).zip(logits).enumerate();
    cells.filter_map(move |(cell, (raw, &logit))| {
        let score = 1.0 / (1.0 + (-logit.clamp(-100.0, 100.0)).exp());
        let finite = raw.iter().all(|v| v.is_finite());
        // `score` may be NaN: only a true comparison lets it pass.
        if !(score >= MIN_SCORE && finite) {
            return None;
        }
        let anchor = Vector2::new((cell % GRID) as f32 + 0.5, (cell / GRID) as f32 + 0.5) / GRID as f32;
        let point = |x: f32, y: f32| region.to_picture(anchor + Vector2::new(x, y) / INPUT as f32);
        let center = point(raw[0], raw[1]);
        let size = Vector2::new(raw[2], raw[3]).map(|v| v.max(0.0)) * (region.size / INPUT as f32);
        let bounds = Bounds {
            left: center.x - size.x / 2.0,
            top: center.y - size.y / 2.0,
            width: size.x,
            height: size.y,
        };
        let keypoints = std::array::from_fn(|k| point(raw[4 + 2 * k], raw[5 + 2 * k]));
        Some(Detection { bounds, keypoints, score })
    })
}

/// MediaPipe's weighted non-maximum suppression: the best box and all that overlap it become their weighted mean.
fn merge_overlapping(mut candidates: Vec<Detection>) -> Vec<Detection> {
    candidates.sort_by(|a, b| b.score.total_cmp(&a.score));
    let mut faces = Vec::new();
    while let Some(best) = candidates.first().copied() {
        let (same, others): (Vec<_>, Vec<_>) =
            candidates.iter().partition(|c| c.bounds.overlap(&best.bounds) > SAME_FACE_OVERLAP);
        faces.push(weighted_mean(&same, best));
        if others.len() == candidates.len() {
            // Only a box without area does not overlap itself.
            candidates.remove(0);
        } else {
            candidates = others;
        }
    }
    faces
}

fn weighted_mean(same: &[Detection], best: Detection) -> Detection {
    let total: f32 = same.iter().map(|d| d.score).sum();
    if same.is_empty() {
        return best;
    }
    let mean = |value: &dyn Fn(&Detection) -> f32| same.iter().map(|d| d.score * value(d)).sum::<f32>() / total;
    let (left, top) = (mean(&|d| d.bounds.left), mean(&|d| d.bounds.top));
    let bounds = Bounds {
        left,
        top,
        width: mean(&|d| d.bounds.left + d.bounds.width) - left,
        height: mean(&|d| d.bounds.top + d.bounds.height) - top,
    };
    let keypoints =
        std::array::from_fn(|k| Vector2::new(mean(&|d| d.keypoints[k].x), mean(&|d| d.keypoints[k].y)));
    Detection { bounds, keypoints, score: best.score }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn face(left: f32, size: f32, score: f32) -> Detection {
        let bounds = Bounds { left, top: 0.0, width: size, height: size };
        Detection { bounds, keypoints: [Vector2::new(left, 0.0); 6], score }
    }

    #[test]
    fn overlapping_boxes_become_their_weighted_mean() {
        let merged = merge_overlapping(vec![face(0.0, 10.0, 0.6), face(1.0, 10.0, 0.9), face(50.0, 10.0, 0.7)]);
        assert_eq!(merged.len(), 2);
        assert!((merged[0].bounds.left - 0.6).abs() < 1e-5, "{merged:?}");
        assert!((merged[0].keypoints[0].x - 0.6).abs() < 1e-5, "{merged:?}");
        assert!((merged[0].score - 0.9).abs() < 1e-6, "{merged:?}");
        assert!((merged[1].bounds.left - 50.0).abs() < 1e-5, "{merged:?}");
    }

    #[test]
    fn boxes_without_area_do_not_loop_forever() {
        assert_eq!(merge_overlapping(vec![face(0.0, 0.0, 0.6), face(0.0, 0.0, 0.7)]).len(), 2);
    }

    #[test]
    fn cells_decode_around_their_anchor() {
        let (mut boxes, mut logits) = (vec![0.0; GRID * GRID * VALUES], vec![-10.0; GRID * GRID]);
        let cell = 10 * GRID + 20;
        logits[cell] = 3.0;
        boxes[cell * VALUES..][..6].copy_from_slice(&[2.0, 4.0, 48.0, 96.0, -2.0, 0.0]);
        logits[0] = f32::NAN;
        let region = Region::from_corner(100.0, 0.0, 384.0);
        let faces: Vec<_> = decode(&boxes, &logits, &region).collect();
        assert_eq!(faces.len(), 1);
        // Anchor (20.5, 10.5) / 48 of 384 pixels is (164, 84); one input pixel is two picture pixels.
        let center = faces[0].bounds.center();
        assert!((center - Vector2::new(100.0 + 164.0 + 4.0, 84.0 + 8.0)).norm() < 1e-3, "{center}");
        assert!((faces[0].bounds.width - 96.0).abs() < 1e-3 && (faces[0].bounds.height - 192.0).abs() < 1e-3);
        assert!((faces[0].keypoints[0] - Vector2::new(260.0, 84.0)).norm() < 1e-3, "{:?}", faces[0]);
    }
}
