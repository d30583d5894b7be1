//! Computes `models/expression_basis.safetensors` from real clips; the model's card tells how the shipped one was made.
//!
//!     cargo run --release -p gioconda-avatar --example expression_basis -- ../shared/data/train models/expression_basis.safetensors
//!
//! Every clip is tracked at five frames a second; its displacements from its own neutral frame, and their mirror
//! images (so that the basis favours no side), enter one second-moment matrix, of which the leading eigenvectors are
//! the basis. Landmarks of mouth and eyes weigh more.

use std::collections::{BTreeMap, HashMap};
use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use gioconda_avatar::expression_basis::COMPONENTS;
use gioconda_avatar::{FaceState, MotionFrame, choose_neutral};
use gioconda_face::topology::{MESH_POINTS, TOPOLOGY};
use gioconda_face::{FaceChoice, Threads, Tracker};
use gioconda_media::{ClipReader, Frame, ReadOptions};
use half::f16;
use nalgebra::{DMatrix, DVector, SymmetricEigen};
use rayon::prelude::*;
use safetensors::Dtype;
use safetensors::tensor::TensorView;

const SAMPLES_PER_SECOND: f64 = 5.0;
/// Weight of a landmark of mouth or eyes over that of any other.
const FEATURE_WEIGHT: f32 = 3.0;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    let [clips, output] = arguments.as_slice() else {
        return Err("usage: expression_basis FOLDER-OF-CLIPS OUTPUT.safetensors".into());
    };
    let weights = weights();
    let clips = clips_in(clips)?;
    let samples: Vec<DVector<f32>> = track(&clips)
        .into_iter()
        .flat_map(|displacement| [mirrored(&displacement), displacement])
        .map(|displacement| weighted(&displacement, &weights))
        .collect();
    let basis = principal_components(&samples);
    report_residual(&samples, &basis, &weights);
    write(output, &basis, &weights)
}

fn clips_in(folder: &Path) -> Result<Vec<PathBuf>, Box<dyn Error>> {
    let mut clips = Vec::new();
    for person in std::fs::read_dir(folder)? {
        for clip in std::fs::read_dir(person?.path())? {
            clips.push(clip?.path());
        }
    }
    clips.retain(|clip| clip.extension().is_some_and(|extension| extension == "mp4"));
    clips.sort();
    Ok(clips)
}

type Displacement = Vec<[f32; 3]>;

/// The displacements of all clips, in the clips' order. Plain threads: a tracker waits for threads of its own, and
/// a rayon worker that waits begins the next clip on the same stack.
fn track(clips: &[PathBuf]) -> Vec<Displacement> {
    let (next, found) = (AtomicUsize::new(0), Mutex::new(BTreeMap::new()));
    let work = || {
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(clip) = clips.get(index) else { return };
            let displacements = displacements(clip).unwrap_or_else(|error| {
                eprintln!("{}: {error}", clip.display());
                Vec::new()
            });
            eprintln!("{}: {} frames", clip.display(), displacements.len());
            found.lock().expect("no thread panics while it holds the lock").insert(index, displacements);
        }
    };
    std::thread::scope(|scope| {
        scope.spawn(work);
        scope.spawn(work);
    });
    found.into_inner().expect("no thread panics while it holds the lock").into_values().flatten().collect()
}

fn displacements(clip: &Path) -> Result<Vec<Displacement>, Box<dyn Error>> {
    let options = ReadOptions { fps: Some(SAMPLES_PER_SECOND), ..ReadOptions::default() };
    let mut reader = ClipReader::open(clip, &options)?;
    let mut tracker = Tracker::new(FaceChoice::Largest, Threads::Count(1))?;
    let (mut frame, mut states) = (Frame::default(), Vec::new());
    while reader.read(&mut frame)? {
        states.extend(tracker.track(&frame.image)?.map(|face| FaceState::new(&face.landmarks)));
    }
    let Some(neutral) = choose_neutral(&states, None) else { return Ok(Vec::new()) };
    let displacement = |state: &FaceState| {
        let motion = MotionFrame::between(&states[neutral], state, 1.0);
        motion.expression[..MESH_POINTS].iter().map(|&d| d.into()).collect()
    };
    Ok(states.iter().map(displacement).collect())
}

/// For each landmark the one on the other side of the face.
fn partners() -> Vec<usize> {
    let vertices = &TOPOLOGY.vertices;
    let partner = |i: usize| {
        let wanted = nalgebra::Vector3::new(-vertices[i].x, vertices[i].y, vertices[i].z);
        let nearest =
            |a: &usize, b: &usize| (vertices[*a] - wanted).norm().total_cmp(&(vertices[*b] - wanted).norm());
        (0..MESH_POINTS).min_by(nearest).expect("the mesh has points")
    };
    (0..MESH_POINTS).map(partner).collect()
}

fn mirrored(displacement: &Displacement) -> Displacement {
    partners().into_iter().map(|i| [-displacement[i][0], displacement[i][1], displacement[i][2]]).collect()
}

/// Importance of each landmark: those at most a centimetre from lips and lids count more.
fn weights() -> Vec<f32> {
    let contours = &TOPOLOGY.contours;
    let features: Vec<usize> = [&contours.lips, &contours.left_eye, &contours.right_eye]
        .into_iter()
        .flatten()
        .flatten()
        .copied()
        .collect();
    let vertices = &TOPOLOGY.vertices;
    let distance =
        |i: usize| features.iter().map(|&f| (vertices[f] - vertices[i]).norm()).fold(f32::INFINITY, f32::min);
    (0..MESH_POINTS).map(|i| 1.0 + (FEATURE_WEIGHT - 1.0) * (1.0 - distance(i)).clamp(0.0, 1.0)).collect()
}

fn weighted(displacement: &Displacement, weights: &[f32]) -> DVector<f32> {
    let numbers = displacement.iter().zip(weights).flat_map(|(d, w)| d.map(|x| x * w));
    DVector::from_iterator(3 * MESH_POINTS, numbers)
}

fn principal_components(samples: &[DVector<f32>]) -> DMatrix<f32> {
    let size = 3 * MESH_POINTS;
    let moment = samples
        .par_chunks(256)
        .map(|chunk| {
            let rows = DMatrix::from_columns(chunk);
            &rows * rows.transpose()
        })
        .reduce(|| DMatrix::zeros(size, size), |a, b| a + b);
    let eigen = SymmetricEigen::new(moment / samples.len() as f32);
    let mut order: Vec<usize> = (0..size).collect();
    order.sort_by(|&a, &b| eigen.eigenvalues[b].total_cmp(&eigen.eigenvalues[a]));
    let columns: Vec<_> = order[..COMPONENTS].iter().map(|&k| eigen.eigenvectors.column(k)).collect();
    DMatrix::from_columns(&columns)
}

/// How much of the motion the basis does not hold.
fn report_residual(samples: &[DVector<f32>], basis: &DMatrix<f32>, weights: &[f32]) {
    let (mut lost, mut whole) = (0.0_f64, 0.0_f64);
    for sample in samples {
        let residual = sample - basis * (basis.transpose() * sample);
        for (i, weight) in weights.iter().enumerate() {
            let square = |v: &DVector<f32>| f64::from(v.rows(3 * i, 3).norm_squared() / (weight * weight));
            lost += square(&residual);
            whole += square(sample);
        }
    }
    let rms = |sum: f64| (sum / (samples.len() * MESH_POINTS) as f64).sqrt();
    println!(
        "{} samples; displacement {:.4} cm r.m.s., of which the basis loses {:.4} cm",
        samples.len(),
        rms(whole),
        rms(lost)
    );
}

fn write(output: &Path, basis: &DMatrix<f32>, weights: &[f32]) -> Result<(), Box<dyn Error>> {
    let components: Vec<u8> = basis
        .column_iter()
        .flat_map(|c| c.iter().flat_map(|&x| f16::from_f32(x).to_le_bytes()).collect::<Vec<_>>())
        .collect();
    let weights: Vec<u8> = weights.iter().flat_map(|w| w.to_le_bytes()).collect();
    let views = [
        ("components", TensorView::new(Dtype::F16, vec![COMPONENTS, MESH_POINTS, 3], &components)?),
        ("weights", TensorView::new(Dtype::F32, vec![MESH_POINTS], &weights)?),
    ];
    let metadata = HashMap::from([
        ("format".to_owned(), "gioconda-expression-basis".to_owned()),
        ("version".to_owned(), "1".to_owned()),
    ]);
    std::fs::write(output, safetensors::serialize(views, Some(metadata))?)?;
    Ok(())
}
