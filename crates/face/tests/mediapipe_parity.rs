//! The landmarks are MediaPipe's: compared with MediaPipe 0.10.14's own answers on 50 frames of unseen people.
//!
//! `../shared/reference/landmarks.json` was written with MediaPipe's Python package:
//! `FaceLandmarker.create_from_options(..).detect(mp.Image.create_from_file(frame))`, image mode, one face,
//! `output_face_blendshapes=True`.

use std::path::{Path, PathBuf};

use gioconda_face::topology::point;
use gioconda_face::{FaceFinder, FaceChoice, Landmarks, Threads};
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
    blendshapes: std::collections::BTreeMap<String, f32>,
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

#[test]
fn landmarks_agree_with_mediapipe() {
    let Ok(json) = std::fs::read_to_string(shared("reference/landmarks.json")) else {
        println!("skipped: no ../shared/reference/landmarks.json");
        return;
    };
    let reference: Reference = serde_json::from_str(&json).unwrap();
    let mut finder = FaceFinder::new(Threads::Shared).unwrap();
    let (mut sum, mut worst) = (0.0, 0.0_f32);
    println!("{:<28} {:>8} {:>8}", "frame", "xy %", "z %");
    for frame in &reference.frames {
        let picture = image::open(shared("reference").join(&frame.frame)).unwrap().to_rgb8();
        let faces = finder.find_faces(&picture).unwrap();
        let face = FaceChoice::Largest.choose(&faces).unwrap().expect("every reference frame shows a face");
        let (plane, depth) = errors(&face.landmarks, frame);
        println!("{:<28} {:>8.3} {:>8.3}", frame.frame, 100.0 * plane, 100.0 * depth);
        sum += plane;
        worst = worst.max(plane);
    }
    let mean = sum / reference.frames.len() as f32;
    println!("mean {:.3} %, worst {:.3} %", 100.0 * mean, 100.0 * worst);
    assert!(mean <= 0.010 && worst <= 0.040, "mean {mean}, worst {worst}");
}
