//! The landmarks are MediaPipe's: compared with MediaPipe 0.10.14's own answers on 50 frames of unseen people.
//!
//! `../shared/reference/landmarks.json` was written with MediaPipe's Python package:
//! `FaceLandmarker.create_from_options(..).detect(mp.Image.create_from_file(frame))`, image mode, one face,
//! `output_face_blendshapes=True`.

use std::collections::BTreeMap;

use gioconda_face::topology::point;
use gioconda_face::{
    BLENDSHAPE_NAMES, Blendshapes, FaceChoice, FaceDetector, FaceFinder, LANDMARKS, LandmarkModel, Landmarks,
    Threads,
};
use gioconda_testkit::{repository, shared};
use image::RgbImage;
use nalgebra::Vector3;
use serde::Deserialize;

#[derive(Deserialize)]
struct Reference {
    frames: Vec<Frame>,
}

#[derive(Deserialize)]
struct Frame {
    #[serde(rename = "frame")]
    file: String,
    width: f32,
    height: f32,
    landmarks: Vec<[f32; 3]>,
    blendshapes: BTreeMap<String, f32>,
}

impl Frame {
    /// MediaPipe's answer in picture pixels.
    fn landmarks(&self) -> Landmarks {
        let points = std::array::from_fn(|i| {
            let [x, y, z] = self.landmarks[i];
            Vector3::new(x * self.width, y * self.height, z * self.width)
        });
        Landmarks { points }
    }
}

/// Mean distance in the picture plane over the distance of the outer eye corners, and the same for depth.
fn errors(found: &Landmarks, expected: &Landmarks) -> (f32, f32) {
    let eyes = (expected.xy(point::RIGHT_EYE_OUTER) - expected.xy(point::LEFT_EYE_OUTER)).norm();
    let (mut plane, mut depth) = (0.0, 0.0);
    for (found, expected) in found.points.iter().zip(&expected.points) {
        plane += (found - expected).xy().norm();
        depth += (found - expected).z.abs();
    }
    let unit = LANDMARKS as f32 * eyes;
    (plane / unit, depth / unit)
}

fn reference() -> Option<Reference> {
    let json = std::fs::read_to_string(shared("reference/landmarks.json")?).unwrap();
    Some(serde_json::from_str(&json).unwrap())
}

fn picture(frame: &Frame) -> RgbImage {
    image::open(repository("../shared/reference").join(&frame.file)).unwrap().to_rgb8()
}

/// Prints the errors of every frame and returns their mean and the largest.
fn table(reference: &Reference, mut landmarks: impl FnMut(&RgbImage) -> Landmarks) -> (f32, f32) {
    let (mut sum, mut worst) = (0.0, 0.0_f32);
    println!("{:<28} {:>8} {:>8}", "frame", "xy %", "z %");
    for frame in &reference.frames {
        let (plane, depth) = errors(&landmarks(&picture(frame)), &frame.landmarks());
        println!("{:<28} {:>8.3} {:>8.3}", frame.file, 100.0 * plane, 100.0 * depth);
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
    let mut model = LandmarkModel::new().unwrap();
    let (mean, worst) = table(&reference, |picture| {
        let detection = detector.detect(picture).unwrap()[0];
        model.find(picture, &detection.landmark_region()).landmarks
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

#[test]
fn blendshapes_agree_with_mediapipe() {
    let Some(reference) = reference() else { return };
    let model = Blendshapes::new(Threads::Shared).unwrap();
    let mut finder = FaceFinder::new(Threads::Shared).unwrap();
    let difference = |landmarks: &Landmarks, frame: &Frame| {
        let coefficients = model.coefficients(landmarks).unwrap();
        let named = BLENDSHAPE_NAMES.iter().zip(coefficients);
        named.map(|(name, value)| (value - frame.blendshapes[*name]).abs()).sum::<f32>() / 52.0
    };
    let (mut model_alone, mut from_picture) = (0.0, 0.0);
    for frame in &reference.frames {
        let faces = finder.find_faces(&picture(frame)).unwrap();
        let face = FaceChoice::Largest.choose(&faces).unwrap().expect("every frame shows a face");
        model_alone += difference(&frame.landmarks(), frame) / reference.frames.len() as f32;
        from_picture += difference(&face.landmarks, frame) / reference.frames.len() as f32;
    }
    println!(
        "mean absolute difference: {model_alone:.5} on MediaPipe's landmarks, {from_picture:.5} on ours"
    );
    assert!(model_alone <= 0.001 && from_picture <= 0.02, "{model_alone} {from_picture}");
}
