//! The landmarks are MediaPipe's: compared with MediaPipe 0.10.14's own answers on 50 frames of unseen people.
//!
//! `../shared/reference/landmarks.json` was written with MediaPipe's Python package:
//! `FaceLandmarker.create_from_options(..).detect(mp.Image.create_from_file(frame))`, image mode, one face,
//! `output_face_blendshapes=True`.

use std::path::{Path, PathBuf};

use gioconda_face::topology::point;
use gioconda_face::{FaceChoice, FaceDetector, FaceFinder, LandmarkModel, Landmarks, Threads};
use image::RgbImage;
use serde::Deserialize;

#[derive(Deserialize)]
struct Reference {
    frames: Vec<Frame>,
}

#[derive(Deserialize)]
struct Frame {
    frame: String,
    width: f32,
    height: f32,
    landmarks: Vec<[f32; 3]>,
}

fn shared(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared").join(path)
}

/// Mean distance in the picture plane over the distance of the outer eye corners, and the same for depth.
fn errors(found: &Landmarks, frame: &Frame) -> (f32, f32) {
    let reference = |i: usize| {
        let [x, y, z] = frame.landmarks[i];
        nalgebra::Vector3::new(x * frame.width, y * frame.height, z * frame.width)
    };
    let eyes = (reference(point::RIGHT_EYE_OUTER) - reference(point::LEFT_EYE_OUTER)).xy().norm();
    let count = frame.landmarks.len() as f32;
    let (mut plane, mut depth) = (0.0, 0.0);
    for (i, point) in found.points.iter().enumerate() {
        let difference = point - reference(i);
        plane += difference.xy().norm();
        depth += difference.z.abs();
    }
    (plane / count / eyes, depth / count / eyes)
}

fn reference() -> Option<Reference> {
    let Ok(json) = std::fs::read_to_string(shared("reference/landmarks.json")) else {
        println!("skipped: no ../shared/reference/landmarks.json");
        return None;
    };
    Some(serde_json::from_str(&json).unwrap())
}

fn picture(frame: &Frame) -> RgbImage {
    image::open(shared("reference").join(&frame.frame)).unwrap().to_rgb8()
}

/// Prints the errors of every frame and returns their mean and the largest.
fn table(reference: &Reference, mut landmarks: impl FnMut(&RgbImage) -> Landmarks) -> (f32, f32) {
    let (mut sum, mut worst) = (0.0, 0.0_f32);
    println!("{:<28} {:>8} {:>8}", "frame", "xy %", "z %");
    for frame in &reference.frames {
        let (plane, depth) = errors(&landmarks(&picture(frame)), frame);
        println!("{:<28} {:>8.3} {:>8.3}", frame.frame, 100.0 * plane, 100.0 * depth);
        sum += plane;
        worst = worst.max(plane);
    }
    let mean = sum / reference.frames.len() as f32;
    println!("mean {:.3} %, worst {:.3} % of the distance of the eyes", 100.0 * mean, 100.0 * worst);
    (mean, worst)
}

#[test]
fn one_look_gives_mediapipes_own_landmarks() {
    let Some(reference) = reference() else { return };
    let mut detector = FaceDetector::new(Threads::Shared).unwrap();
    let mut model = LandmarkModel::new(Threads::Shared).unwrap();
    let (mean, worst) = table(&reference, |picture| {
        let detection = detector.detect(picture).unwrap()[0];
        model.find(picture, &detection.landmark_region()).unwrap().landmarks
    });
    assert!(mean <= 0.005 && worst <= 0.02, "mean {mean}, worst {worst}");
}

/// What photos and tracked clips get: a second look, in the region that the first landmarks give.
#[test]
fn found_faces_agree_with_mediapipe() {
    let Some(reference) = reference() else { return };
    let mut finder = FaceFinder::new(Threads::Shared).unwrap();
    let (mean, worst) = table(&reference, |picture| {
        let faces = finder.find_faces(picture).unwrap();
        FaceChoice::Largest.choose(&faces).unwrap().expect("every frame shows a face").landmarks.clone()
    });
    assert!(mean <= 0.010 && worst <= 0.040, "mean {mean}, worst {worst}");
}
