//! Where faces are: MediaPipe's two BlazeFace detectors.
//!
//! A square region of the picture is sampled at the model's size; every anchor of its grids predicts one box, six
//! keypoints and a score. Overlapping boxes are averaged, weighted by score. Constants and conventions are those of
//! MediaPipe's `tasks/cc/vision/face_detector/face_detector_graph.cc` (short range),
//! `modules/face_detection/face_detection_full_range.pbtxt`, `tensors_to_detections_calculator.cc` and
//! `non_max_suppression_calculator.cc`.
//!
//! The full-range model finds small and distant faces. The short-range model frames near faces as the landmark model
//! was trained to see them: with the full-range model's boxes alone, landmarks differ from MediaPipe's by 1.1 % of the
//! eyes' distance instead of 0.25 %. So both look, and where both see a face, the short-range model's box stands.

use image::RgbImage;
use nalgebra::Vector2;

use crate::Error;
use crate::detection::{Bounds, Detection};
use crate::models::{Session, Threads};
use crate::region::Region;
use crate::sampling::{Border, sample};

/// Values per anchor: box centre and size, then six keypoints.
const VALUES: usize = 16;
/// Detections below this score are no faces. MediaPipe's graph for near-camera video uses 0.6, its tasks API 0.5;
/// the landmark model's presence weeds out what gets through here.
const MIN_SCORE: f32 = 0.5;
/// Boxes that overlap more than this (intersection over union) are one face.
const SAME_FACE_OVERLAP: f32 = 0.3;

/// The face detector.
pub struct FaceDetector {
    /// In order of precedence.
    networks: [BlazeFace; 2],
    /// The models' input, kept between pictures.
    tensor: Vec<f32>,
}

impl FaceDetector {
    /// Loads the built-in models.
    pub fn new(threads: Threads) -> Result<Self, Error> {
        let pool = threads.pool();
        let short_range = Session::load("face_detector_short_range", pool.clone())?;
        let full_range = Session::load("face_detector_full_range", pool)?;
        let networks = [
            BlazeFace { session: short_range, input: 128, anchors: anchors(&[(16, 2), (8, 6)]) },
            BlazeFace { session: full_range, input: 192, anchors: anchors(&[(48, 1)]) },
        ];
        Ok(Self { networks, tensor: Vec::new() })
    }

    /// The faces of a picture, largest first. Faces smaller than about a fifteenth of the picture's longer side
    /// can be missed: see [`FaceDetector::detect_in`], and [`crate::FaceFinder`] for a search that misses little.
    pub fn detect(&mut self, picture: &RgbImage) -> Result<Vec<Detection>, Error> {
        self.detect_in(picture, &[Region::around(picture)])
    }

    /// The faces in any of `regions` of a picture, each counted once, largest first.
    pub fn detect_in(&mut self, picture: &RgbImage, regions: &[Region]) -> Result<Vec<Detection>, Error> {
        let mut faces: Vec<Detection> = Vec::new();
        for network in &self.networks {
            let mut candidates = Vec::new();
            for region in regions {
                candidates.extend(network.candidates(picture, region, &mut self.tensor)?);
            }
            for face in merge_overlapping(candidates) {
                if !faces.iter().any(|known| known.bounds.overlap(&face.bounds) > SAME_FACE_OVERLAP) {
                    faces.push(face);
                }
            }
        }
        faces.sort_by(|a, b| b.bounds.area().total_cmp(&a.bounds.area()));
        Ok(faces)
    }
}

/// One detection network.
struct BlazeFace {
    session: Session,
    /// Side of its input.
    input: usize,
    /// What its predictions are relative to: points in 0..1 of the input.
    anchors: Vec<Vector2<f32>>,
}

/// The cell centres of square grids, row by row; each grid is (cells along a side, anchors per cell).
fn anchors(grids: &[(usize, usize)]) -> Vec<Vector2<f32>> {
    let mut anchors = Vec::new();
    for &(side, per_cell) in grids {
        for cell in 0..side * side {
            let center = Vector2::new((cell % side) as f32 + 0.5, (cell / side) as f32 + 0.5) / side as f32;
            anchors.extend(std::iter::repeat_n(center, per_cell));
        }
    }
    anchors
}

impl BlazeFace {
    /// Everything in `region` that may be a face, many times over.
    fn candidates(
        &self,
        picture: &RgbImage,
        region: &Region,
        tensor: &mut Vec<f32>,
    ) -> Result<Vec<Detection>, Error> {
        sample(picture, region, self.input, (-1.0, 1.0), Border::Black, tensor);
        let [boxes, logits] = self.session.run(&[1, self.input, self.input, 3], tensor)?;
        for (output, expected) in [(&boxes, self.anchors.len() * VALUES), (&logits, self.anchors.len())] {
            if output.len() != expected {
                return Err(self.session.wrong_output(output.len(), expected));
            }
        }
        Ok(decode(&boxes, &logits, &self.anchors, self.input as f32, region))
    }
}

/// A network's raw outputs as detections in picture pixels.
fn decode(
    boxes: &[f32],
    logits: &[f32],
    anchors: &[Vector2<f32>],
    input: f32,
    region: &Region,
) -> Vec<Detection> {
    let predictions = boxes.chunks_exact(VALUES).zip(logits).zip(anchors);
    let detection = |((raw, &logit), anchor): ((&[f32], &f32), &Vector2<f32>)| {
        let score = 1.0 / (1.0 + (-logit.clamp(-100.0, 100.0)).exp());
        let finite = raw.iter().all(|v| v.is_finite());
        // `score` may be NaN: only a true comparison lets it pass.
        if !(score >= MIN_SCORE && finite) {
            return None;
        }
        let point = |x: f32, y: f32| region.to_picture(anchor + Vector2::new(x, y) / input);
        let center = point(raw[0], raw[1]);
        let size = Vector2::new(raw[2], raw[3]).map(|v| v.max(0.0)) * (region.size / input);
        let bounds = Bounds {
            left: center.x - size.x / 2.0,
            top: center.y - size.y / 2.0,
            width: size.x,
            height: size.y,
        };
        let keypoints = std::array::from_fn(|k| point(raw[4 + 2 * k], raw[5 + 2 * k]));
        Some(Detection { bounds, keypoints, score })
    };
    predictions.filter_map(detection).collect()
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
    let mean =
        |value: &dyn Fn(&Detection) -> f32| same.iter().map(|d| d.score * value(d)).sum::<f32>() / total;
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
        let merged =
            merge_overlapping(vec![face(0.0, 10.0, 0.6), face(1.0, 10.0, 0.9), face(50.0, 10.0, 0.7)]);
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
        let (mut boxes, mut logits) = (vec![0.0; 48 * 48 * VALUES], vec![-10.0; 48 * 48]);
        let cell = 10 * 48 + 20;
        logits[cell] = 3.0;
        boxes[cell * VALUES..][..6].copy_from_slice(&[2.0, 4.0, 48.0, 96.0, -2.0, 0.0]);
        logits[0] = f32::NAN;
        let region = Region::from_corner(100.0, 0.0, 384.0);
        let faces = decode(&boxes, &logits, &anchors(&[(48, 1)]), 192.0, &region);
        assert_eq!(faces.len(), 1);
        // Anchor (20.5, 10.5) / 48 of 384 pixels is (164, 84); one input pixel is two picture pixels.
        let center = faces[0].bounds.center();
        assert!((center - Vector2::new(100.0 + 164.0 + 4.0, 84.0 + 8.0)).norm() < 1e-3, "{center}");
        assert!((faces[0].bounds.width - 96.0).abs() < 1e-3 && (faces[0].bounds.height - 192.0).abs() < 1e-3);
        assert!((faces[0].keypoints[0] - Vector2::new(260.0, 84.0)).norm() < 1e-3, "{:?}", faces[0]);
    }
}
