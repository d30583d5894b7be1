//! Self-reenactment of one clip: its first frame as the photo, driven by all its other frames.
//!
//! What is compared is the head crop, a square of 1.5 times the longer side of the first frame's face box, at
//! 256x256 pixels: of the true frame, of the photo left as it is (`copy`) and of the photo in motion (`mesh`).

use std::path::Path;
use std::sync::Arc;

use gioconda_avatar::{FaceState, Gains, MotionFrame, MotionTransfer};
use gioconda_face::Landmarks;
use gioconda_warp::{MeshRenderer, MeshWarp, View};
use image::{RgbImage, imageops};

use crate::clips::{self, Failure};

const SIDE: u32 = 256;
/// Side of the head crop over the longer side of the face box.
const CROP: f32 = 1.5;
/// Given to frames that agree to the last bit.
const LARGEST_PSNR: f64 = 60.0;

/// How near a picture comes to the truth.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Score {
    /// Decibels.
    pub(crate) psnr: f64,
    /// Mean absolute difference, 0..255.
    pub(crate) l1: f64,
}

/// A renderer's scores over the whole crop and inside the face (the face mask of the driving mesh).
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Scores {
    pub(crate) whole: Score,
    pub(crate) face: Score,
}

/// Means over the frames of a clip.
#[derive(Clone, Debug, Default)]
pub(crate) struct ClipScores {
    pub(crate) name: String,
    pub(crate) frames: usize,
    pub(crate) copy: Scores,
    pub(crate) mesh: Scores,
    /// The frame in which the mesh is farthest from the truth: photo, truth, mesh, and four times their difference.
    pub(crate) worst: RgbImage,
}

/// Scores of every `every`-th frame of `clip`; `None` when it shows no two faces.
pub(crate) fn measure(clip: &Path, every: usize) -> Result<Option<ClipScores>, Failure> {
    let mut reenactment: Option<Reenactment> = None;
    clips::track(clip, every, |frame, landmarks| match &mut reenactment {
        None => reenactment = Some(Reenactment::new(clips::name(clip), frame, &landmarks)),
        Some(reenactment) => reenactment.add(frame, &landmarks),
    })?;
    Ok(reenactment.filter(|reenactment| reenactment.scores.frames > 0).map(Reenactment::finish))
}

struct Reenactment {
    transfer: MotionTransfer,
    renderer: MeshRenderer,
    /// The head crop, pixel for pixel.
    crop: View,
    photo: RgbImage,
    warp: MeshWarp,
    rendered: RgbImage,
    worst_psnr: f64,
    scores: ClipScores,
}

impl Reenactment {
    fn new(name: String, photo: &RgbImage, landmarks: &Landmarks) -> Self {
        let crop = head_crop(landmarks, photo.dimensions());
        Self {
            transfer: MotionTransfer::exact(landmarks, Gains::default()),
            renderer: MeshRenderer::new(Arc::new(photo.clone()), landmarks),
            photo: cropped(photo, &crop),
            crop,
            warp: MeshWarp::default(),
            rendered: RgbImage::default(),
            worst_psnr: f64::INFINITY,
            scores: ClipScores { name, ..ClipScores::default() },
        }
    }

    fn add(&mut self, frame: &RgbImage, landmarks: &Landmarks) {
        let motion = MotionFrame::between(self.transfer.portrait(), &FaceState::new(landmarks), 1.0);
        let driving = self.transfer.apply(&motion);
        self.renderer.render(&driving, &self.crop, &mut self.rendered);
        let small = View { width: SIDE as usize, height: SIDE as usize, ..self.crop };
        self.renderer.mesh().warp(&driving, &small, &mut self.warp);
        let truth = cropped(frame, &self.crop);
        let mesh = gioconda_media::resize(&self.rendered, SIDE, SIDE);
        let (copy_scores, mesh_scores) =
            (compare(&self.photo, &truth, &self.warp.face), compare(&mesh, &truth, &self.warp.face));
        self.scores.frames += 1;
        self.scores.copy.add(&copy_scores);
        self.scores.mesh.add(&mesh_scores);
        if mesh_scores.whole.psnr < self.worst_psnr {
            self.worst_psnr = mesh_scores.whole.psnr;
            self.scores.worst = strip(&[&self.photo, &truth, &mesh, &difference(&mesh, &truth)]);
        }
    }

    fn finish(mut self) -> ClipScores {
        let frames = self.scores.frames as f64;
        self.scores.copy = self.scores.copy.times(1.0 / frames);
        self.scores.mesh = self.scores.mesh.times(1.0 / frames);
        self.scores
    }
}

impl Scores {
    fn add(&mut self, other: &Self) {
        for (sum, score) in [(&mut self.whole, other.whole), (&mut self.face, other.face)] {
            sum.psnr += score.psnr;
            sum.l1 += score.l1;
        }
    }

    fn times(self, factor: f64) -> Self {
        let score = |score: Score| Score { psnr: score.psnr * factor, l1: score.l1 * factor };
        Self { whole: score(self.whole), face: score(self.face) }
    }
}

/// The mean of clips, every frame counting the same.
pub(crate) fn mean(clips: &[ClipScores], of: impl Fn(&ClipScores) -> Scores) -> Scores {
    let mut sum = Scores::default();
    for clip in clips {
        sum.add(&of(clip).times(clip.frames as f64));
    }
    sum.times(1.0 / clips.iter().map(|clip| clip.frames).sum::<usize>().max(1) as f64)
}

/// The table of what was measured, the mean last.
pub(crate) fn print(clips: &[ClipScores]) {
    println!("{:<56} {:>6}  {:^27}  {:^27}", "", "", "whole crop: PSNR, L1", "face: PSNR, L1");
    println!("{:<56} {:>6}  {:>13} {:>13}  {:>13} {:>13}", "clip", "frames", "copy", "mesh", "copy", "mesh");
    let line = |name: &str, frames: usize, copy: Scores, mesh: Scores| {
        let cell = |score: Score| format!("{:6.2} {:6.2}", score.psnr, score.l1);
        let [a, b, c, d] = [copy.whole, mesh.whole, copy.face, mesh.face].map(cell);
        println!("{name:<56} {frames:>6}  {a:>13} {b:>13}  {c:>13} {d:>13}");
    };
    for clip in clips {
        line(&clip.name, clip.frames, clip.copy, clip.mesh);
    }
    let frames = clips.iter().map(|clip| clip.frames).sum();
    line("mean over frames", frames, mean(clips, |clip| clip.copy), mean(clips, |clip| clip.mesh));
}

/// A square around the face's box, shifted so that it lies inside the frame.
fn head_crop(landmarks: &Landmarks, (width, height): (u32, u32)) -> View {
    let (low, high) = landmarks.bounds();
    let (face, centre) = (high - low, (low + high) / 2.0);
    let side = (CROP * face.x.max(face.y)).round().min(width.min(height) as f32);
    let corner = |centre: f32, length: u32| (centre - side / 2.0).round().clamp(0.0, length as f32 - side);
    View {
        left: corner(centre.x, width),
        top: corner(centre.y, height),
        side_x: side,
        side_y: side,
        width: side as usize,
        height: side as usize,
    }
}

fn cropped(frame: &RgbImage, crop: &View) -> RgbImage {
    let side = crop.width as u32;
    let crop = imageops::crop_imm(frame, crop.left as u32, crop.top as u32, side, side).to_image();
    gioconda_media::resize(&crop, SIDE, SIDE)
}

fn compare(picture: &RgbImage, truth: &RgbImage, face: &[u8]) -> Scores {
    // Sums of weights, absolute and squared differences; over the whole crop, then inside the face.
    let mut sums = [[0.0_f64; 3]; 2];
    for ((picture, truth), &face) in picture.pixels().zip(truth.pixels()).zip(face) {
        for (&a, &b) in picture.0.iter().zip(&truth.0) {
            let difference = f64::from(a.abs_diff(b));
            for ([weights, absolute, squared], weight) in sums.iter_mut().zip([1.0, f64::from(face) / 255.0])
            {
                *weights += weight;
                *absolute += weight * difference;
                *squared += weight * difference * difference;
            }
        }
    }
    let [whole, face] = sums.map(|[weights, absolute, squared]| Score {
        psnr: (10.0 * (255.0 * 255.0 * weights / squared).log10()).min(LARGEST_PSNR),
        l1: absolute / weights.max(1.0),
    });
    Scores { whole, face }
}

fn difference(a: &RgbImage, b: &RgbImage) -> RgbImage {
    RgbImage::from_fn(a.width(), a.height(), |x, y| {
        let (a, b) = (a.get_pixel(x, y).0, b.get_pixel(x, y).0);
        image::Rgb(std::array::from_fn(|i| a[i].abs_diff(b[i]).saturating_mul(4)))
    })
}

fn strip(pictures: &[&RgbImage]) -> RgbImage {
    let mut strip = RgbImage::new(SIDE * pictures.len() as u32, SIDE);
    for (i, picture) in pictures.iter().enumerate() {
        imageops::replace(&mut strip, *picture, i64::from(SIDE) * i as i64, 0);
    }
    strip
}
