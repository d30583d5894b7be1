//! The mesh warp on reference landmarks of real frames (`../shared/reference`).

#![allow(clippy::float_cmp, reason = "a warp that moves nothing is the identity to the last bit")]

use gioconda_face::{HeadPose, LANDMARKS, Landmarks};
use gioconda_warp::{MeshWarp, SourceMesh, View};
use nalgebra::Vector3;

/// (name, size, landmarks) of each reference frame; empty where the data is not there.
fn frames() -> Vec<(String, (u32, u32), Landmarks)> {
    let Some(path) = gioconda_testkit::shared("reference/landmarks.json") else { return Vec::new() };
    let text = std::fs::read_to_string(path).expect("a readable file");
    let reference: serde_json::Value = serde_json::from_str(&text).expect("the reference is JSON");
    let frames = reference["frames"].as_array().expect("a list of frames");
    frames.iter().map(frame).collect()
}

fn frame(frame: &serde_json::Value) -> (String, (u32, u32), Landmarks) {
    let number = |value: &serde_json::Value| value.as_f64().expect("a number") as f32;
    let (width, height) = (number(&frame["width"]), number(&frame["height"]));
    let mut points = [Vector3::zeros(); LANDMARKS];
    for (point, p) in points.iter_mut().zip(frame["landmarks"].as_array().expect("landmarks")) {
        *point = Vector3::new(number(&p[0]) * width, number(&p[1]) * height, number(&p[2]) * width);
    }
    let name = frame["frame"].as_str().expect("a name").to_owned();
    (name, (width as u32, height as u32), Landmarks { points })
}

fn warp(size: (u32, u32), from: &Landmarks, to: &Landmarks) -> (SourceMesh, MeshWarp) {
    let mesh = SourceMesh::new(size, from);
    let mut out = MeshWarp::default();
    mesh.warp(to, &View::whole(size.0, size.1), &mut out);
    (mesh, out)
}

/// Displacement at pixel (x, y) of a whole-photo view.
fn displacement(warp: &MeshWarp, x: usize, y: usize) -> [f32; 2] {
    let [u, v] = warp.flow[y * warp.width + x];
    [u - x as f32 - 0.5, v - y as f32 - 0.5]
}

#[test]
fn the_photo_drives_itself_to_the_identity() {
    for (name, size, landmarks) in frames() {
        for (width, height) in [(size.0 as usize, size.1 as usize), (128, 128)] {
            let view = View { width, height, ..View::whole(size.0, size.1) };
            let mut out = MeshWarp::default();
            SourceMesh::new(size, &landmarks).warp(&landmarks, &view, &mut out);
            for (i, &[u, v]) in out.flow.iter().enumerate() {
                let centre = view.to_photo([(i % width) as f32 + 0.5, (i / width) as f32 + 0.5].into());
                let error = (u - centre.x).hypot(v - centre.y);
                assert!(error < 1e-3, "{name} at {i}: {error}");
            }
        }
    }
}

#[test]
fn nothing_moves_at_the_border_of_the_region() {
    for pair in frames().chunks_exact(2) {
        let (name, size, from) = &pair[0];
        let (mesh, out) = warp(*size, from, &pair[1].2);
        let region = mesh.region();
        let inner = |x: u32, y: u32| {
            let inside = |at: u32, start: u32, length: u32, size: u32| {
                // The photo's own border may slide along itself.
                (at > start || start == 0) && (at + 1 < start + length || start + length == size)
            };
            inside(x, region.left, region.width, size.0) && inside(y, region.top, region.height, size.1)
        };
        for (y, x) in
            (0..size.1).flat_map(|y| (0..size.0).map(move |x| (y, x))).filter(|&(y, x)| !inner(x, y))
        {
            let [dx, dy] = displacement(&out, x as usize, y as usize);
            // One pixel inside the border the motion may already have begun.
            assert!(dx.hypot(dy) < 0.1, "{name} at {x}, {y}: {dx} {dy}");
        }
    }
}

#[test]
fn moderate_motion_does_not_tear_the_face_from_its_surroundings() {
    // On a canvas around the frame, so that no border of the photo holds the motion back.
    let on_canvas = |face: &Landmarks, size: (u32, u32)| {
        let offset = Vector3::new(size.0 as f32, size.1 as f32, 0.0);
        Landmarks { points: face.points.map(|p| p + offset) }
    };
    let mut checked = 0;
    for pair in frames().chunks_exact(2) {
        let (name, size, from) = &pair[0];
        let [rest, driven] = [from, &pair[1].2].map(HeadPose::fit);
        let turn = rest.rotation.angle_to(&driven.rotation);
        let shift = (driven.translation - rest.translation).xy().norm() / (15.3 * rest.scale);
        // With a faster head the surroundings compress so much that neighbours lie far apart in the photo.
        if turn > 0.15 || shift > 0.15 {
            continue;
        }
        checked += 1;
        let (from, to) = (on_canvas(from, *size), on_canvas(&pair[1].2, *size));
        // Four times finer than the photo: a compression spreads over the finer pixels, a tear does not.
        let canvas = (3 * size.0, 3 * size.1);
        let middle = View { left: size.0 as f32, top: size.1 as f32, ..View::whole(size.0, size.1) };
        let view = View { width: 4 * middle.width, height: 4 * middle.height, ..middle };
        let mut out = MeshWarp::default();
        SourceMesh::new(canvas, &from).warp(&to, &view, &mut out);
        let (mut torn, mut outline) = (0, 0);
        for (flow, face) in out.flow.chunks(out.width).zip(out.face.chunks(out.width)) {
            for (flow, face) in flow.windows(2).zip(face.windows(2)) {
                if face[0].abs_diff(face[1]) > 64 {
                    outline += 1;
                    let jump = (flow[0][0] - flow[1][0]).hypot(flow[0][1] - flow[1][1]);
                    torn += usize::from(jump > 1.5);
                }
            }
        }
        println!("{name}: {torn} of {outline} outline pixels torn");
        // What remains is a jaw seen from above, whose outline lies deeper inside the mesh.
        assert!(12 * torn <= outline, "{name}: {torn} of {outline} outline pixels torn");
    }
    assert!(checked == 0 || checked >= 6, "{checked}");
}

#[test]
fn a_blink_closes_the_eye() {
    let all = frames();
    let by_name = |name: &str| all.iter().find(|frame| frame.0 == format!("frames/{name}.png"));
    let (Some((_, size, open)), Some((_, _, closed))) = (by_name("10_0050"), by_name("10_0150")) else {
        return;
    };
    let eyes = |to: &Landmarks| -> f64 { warp(*size, open, to).1.eyes.iter().map(|&e| f64::from(e)).sum() };
    let (rest, blink) = (eyes(open), eyes(closed));
    assert!(blink < 0.25 * rest, "{blink} of {rest}");
}

#[test]
fn hostile_landmarks_leave_the_photo_alone() {
    let nowhere = |value: f32| Landmarks { points: [Vector3::repeat(value); LANDMARKS] };
    let view = View::whole(64, 48);
    for value in [0.0, f32::NAN, f32::INFINITY, 1e30, -5.0] {
        let mesh = SourceMesh::new((64, 48), &nowhere(value));
        assert_eq!(mesh.region().width, 0);
        let mut out = MeshWarp::default();
        mesh.warp(&nowhere(f32::NAN), &view, &mut out);
        assert!((0..48 * 64).all(|i| out.flow[i] == [(i % 64) as f32 + 0.5, (i / 64) as f32 + 0.5]));
    }
}
