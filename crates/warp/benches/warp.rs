//! Milliseconds of one mesh warp: `cargo bench -p gioconda-warp --bench warp`.
//!
//! The canonical face fills half of a square view and turns a little in every frame.

use std::time::Instant;

use gioconda_face::{HeadPose, Landmarks};
use gioconda_warp::{MeshWarp, SourceMesh, View};
use nalgebra::{Rotation3, Vector3};

const FRAMES: usize = 60;

fn main() {
    println!("median of {FRAMES} frames on {} threads", rayon::current_num_threads());
    for side in [128_u32, 256, 512, 1024] {
        let source = turned(side, 0.0);
        let mesh = SourceMesh::new((side, side), &source);
        let view = View::whole(side, side);
        let mut warp = MeshWarp::default();
        let mut times: Vec<f64> = (0..FRAMES)
            .map(|frame| {
                let driving = turned(side, 0.3 * (frame as f32 * 0.2).sin());
                let start = Instant::now();
                mesh.warp(&driving, &view, &mut warp);
                start.elapsed().as_secs_f64() * 1e3
            })
            .collect();
        times.sort_unstable_by(f64::total_cmp);
        println!("{side:>5} x {side:<5} {:.2} ms", times[FRAMES / 2]);
    }
}

/// The canonical face, half as wide as the view, turned by `yaw` radians.
fn turned(side: u32, yaw: f32) -> Landmarks {
    let side = side as f32;
    let pose = HeadPose {
        scale: side * 0.5 / 15.5,
        rotation: Rotation3::from_euler_angles(0.0, yaw, 0.0),
        translation: Vector3::new(0.5 * side, -0.5 * side, 0.0),
        residual: 0.0,
    };
    pose.canonical_face()
}
