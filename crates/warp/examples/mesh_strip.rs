//! A strip of one portrait in driven poses, to look at.
//!
//!     cargo run --release -p gioconda-warp --example mesh_strip -- assets/mona_lisa.jpg strip.png [NEUTRAL DRIVEN]...
//!
//! First the photo's head, then turns, nods, tilts, gaze and a blink made from its own landmarks; then, for each
//! pair of pictures of another person, the difference of the two expressions and poses put on the portrait.

use std::error::Error;
use std::path::Path;
use std::sync::Arc;

use gioconda_face::topology::{LEFT_LID_COLUMNS, RIGHT_LID_COLUMNS};
use gioconda_face::{FaceChoice, FaceFinder, HeadPose, Landmarks, Threads};
use gioconda_warp::{MeshRenderer, View};
use image::{RgbImage, imageops};
use nalgebra::{Rotation3, Vector3};

const CELL: usize = 384;
const COLUMNS: usize = 4;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [photo, out, pairs @ ..] = arguments.as_slice() else {
        return Err("usage: mesh_strip PHOTO OUT.png [NEUTRAL DRIVEN]...".into());
    };
    let mut finder = FaceFinder::new(Threads::default())?;
    let (photo, face) = open(&mut finder, photo.as_ref())?;
    let mut driven = synthetic(&face);
    for pair in pairs.chunks_exact(2) {
        let neutral = open(&mut finder, pair[0].as_ref())?.1;
        let driving = open(&mut finder, pair[1].as_ref())?.1;
        driven.push(relative(&face, &neutral, &driving));
    }
    let mut renderer = MeshRenderer::new(Arc::new(photo), &face);
    let region = renderer.region();
    let side = region.width.min(region.height) as f32 * 0.9;
    let centre =
        (region.left as f32 + 0.5 * region.width as f32, region.top as f32 + 0.5 * region.height as f32);
    let view = View {
        left: centre.0 - 0.5 * side,
        top: centre.1 - 0.5 * side,
        side_x: side,
        side_y: side,
        width: CELL,
        height: CELL,
    };
    let rows = driven.len().div_ceil(COLUMNS);
    let mut strip = RgbImage::new((COLUMNS * CELL) as u32, (rows * CELL) as u32);
    let mut cell = RgbImage::default();
    for (i, landmarks) in driven.iter().enumerate() {
        renderer.render(landmarks, &view, &mut cell);
        imageops::replace(&mut strip, &cell, (i % COLUMNS * CELL) as i64, (i / COLUMNS * CELL) as i64);
    }
    strip.save(out)?;
    Ok(())
}

fn open(finder: &mut FaceFinder, path: &Path) -> Result<(RgbImage, Landmarks), Box<dyn Error>> {
    let picture = image::ImageReader::open(path)?.with_guessed_format()?.decode()?.to_rgb8();
    let faces = finder.find_faces(&picture)?;
    let face = FaceChoice::Largest.choose(&faces)?.ok_or_else(|| format!("{}: no face", path.display()))?;
    Ok((picture, face.landmarks.clone()))
}

/// The face itself, turned by angles in degrees about its own axes, then with other expressions.
fn synthetic(face: &Landmarks) -> Vec<Landmarks> {
    let turned = |yaw: f32, pitch: f32, roll: f32| {
        let pose = HeadPose::fit(face);
        let turn = Rotation3::from_euler_angles(-pitch.to_radians(), yaw.to_radians(), roll.to_radians());
        let driven = HeadPose { rotation: turn * pose.rotation, ..pose.clone() };
        moved(face, &pose, &driven, |_, p| p)
    };
    let still = |change: &dyn Fn(usize, Vector3<f32>) -> Vector3<f32>| {
        let pose = HeadPose::fit(face);
        moved(face, &pose, &pose, change)
    };
    let lid = |share: f32| {
        still(&|i, p| match RIGHT_LID_COLUMNS.iter().chain(&LEFT_LID_COLUMNS).find(|lids| lids.0 == i) {
            Some(&(upper, lower)) => {
                let pose = HeadPose::fit(face);
                let [from, to] = [upper, lower].map(|i| pose.to_canonical(face.points[i]));
                from + (to - from) * share
            }
            None => p,
        })
    };
    let gaze = |x: f32, y: f32| still(&|i, p| if i >= 468 { p + Vector3::new(x, y, 0.0) } else { p });
    vec![
        face.clone(),
        turned(20.0, 0.0, 0.0),
        turned(-20.0, 0.0, 0.0),
        turned(35.0, 0.0, 0.0),
        turned(0.0, 15.0, 0.0),
        turned(0.0, -15.0, 0.0),
        turned(0.0, 0.0, 15.0),
        lid(0.5),
        lid(1.0),
        gaze(0.45, 0.0),
        gaze(-0.45, 0.0),
        gaze(0.0, 0.25),
    ]
}

/// The difference between two faces of another person, put on `face`.
fn relative(face: &Landmarks, neutral: &Landmarks, driving: &Landmarks) -> Landmarks {
    let [own, from, to] = [face, neutral, driving].map(HeadPose::fit);
    let rotation = to.rotation * from.rotation.inverse() * own.rotation;
    let scale = own.scale * to.scale / from.scale;
    let shift = (to.translation - from.translation) * (own.scale / from.scale);
    let pose = HeadPose { scale, rotation, translation: own.translation + shift, residual: 0.0 };
    moved(face, &own, &pose, |i, p| {
        p + to.to_canonical(driving.points[i]) - from.to_canonical(neutral.points[i])
    })
}

/// Each landmark changed in the canonical frame and put into another pose.
fn moved(
    face: &Landmarks,
    from: &HeadPose,
    to: &HeadPose,
    change: impl Fn(usize, Vector3<f32>) -> Vector3<f32>,
) -> Landmarks {
    let mut points = face.points;
    for (i, point) in points.iter_mut().enumerate() {
        *point = to.from_canonical(change(i, from.to_canonical(*point)));
    }
    Landmarks { points }
}
