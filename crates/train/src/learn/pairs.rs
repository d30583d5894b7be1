//! What few-shot learning is shown: pairs of a photo and where its face shall be, with what should then be seen.
//!
//! With several photos, one is warped to the pose of another: the truth is a real frame that the mesh cannot explain.
//! One photo has no other: it is taken through motions by the mesh, and the network has to find back from each such
//! copy to the photo. Among several photos copies are mixed in, so that few pairs are not learned by heart.

use std::sync::Arc;

use fastrand::Rng;
use gioconda_avatar::{Gains, MotionTransfer, Reference, builtin_motions, posture_distance};
use gioconda_model::GeneratorConfig;
use gioconda_model::network_input::{landmark_planes, network_crop, planes};
use gioconda_warp::{MeshRenderer, View};
use image::RgbImage;

use super::{Check, FEWEST_PHOTOS_TO_TUNE};
use crate::batch::{Batch, WarpPlanes};
use crate::footage::Shot;
use crate::variation::Colours;

/// Pairs in a step.
const BATCH: usize = 4;
/// Frames are composed and compared at so many times the size of G's largest map, as the shipped network learned
/// (docs/training-log.md, portrait-3).
const ENLARGE: usize = 2;
/// Warped copies of all photos together.
const COPIES: usize = 48;
/// Share of copies among the pairs of several photos.
const COPY_SHARE: f64 = 0.25;
/// Share of the other pairs whose source is the photo nearest to the target, which is the one that rendering warps.
const NEAREST_SHARE: f64 = 0.5;
/// Where there are enough photos, a quarter of them, at most so many, is held back.
const MOST_HELD_BACK: usize = 4;
/// How strongly copies move: a mesh tears when it moves strongly, and tears are nothing to learn from.
const COPY_GAIN: f32 = 0.6;

/// A photo and a face to warp it to.
struct Pair {
    source: Shot,
    target: Shot,
}

/// Draws pairs of one person's photos.
pub(super) struct Pairs {
    size: usize,
    /// Height and width of the frames that are composed.
    frame_size: usize,
    painted_mouth: bool,
    rng: Rng,
    photos: Vec<Shot>,
    copies: Vec<Pair>,
    held_back: Vec<Pair>,
    check: Check,
}

impl Pairs {
    /// Pairs of `photos` as `generator` sees them.
    pub(super) fn new(photos: &[Reference], generator: &GeneratorConfig, seed: u64) -> Self {
        let (size, painted_mouth) = (generator.resolution, generator.painted_mouth);
        let frame_size = size.max(generator.map_size() * ENLARGE);
        let mut rng = Rng::with_seed(seed);
        let mut shots: Vec<Shot> = photos.iter().map(|photo| shot(photo, frame_size)).collect();
        let mut held_back = Vec::new();
        if shots.len() >= FEWEST_PHOTOS_TO_TUNE {
            for _ in 0..shots.len().div_ceil(4).min(MOST_HELD_BACK) {
                // The first photo is the one that is shown.
                held_back.push(shots.swap_remove(rng.usize(1..shots.len())));
            }
        }
        let mut copies = copies(&shots, &mut rng);
        let (check, held_back) = if held_back.is_empty() {
            (Check::Copies, copies.split_off(copies.len() - copies.len() / 4))
        } else {
            let check = Check::Photos(held_back.len());
            let pair = |target| Pair { source: nearest(&shots, &target).clone(), target };
            (check, held_back.into_iter().map(pair).collect())
        };
        Self { size, frame_size, painted_mouth, rng, photos: shots, copies, held_back, check }
    }

    /// What the held-back pairs are.
    pub(super) fn check(&self) -> Check {
        self.check
    }

    /// The held-back pairs.
    pub(super) fn held_back(&self) -> impl Iterator<Item = Batch> {
        self.held_back.iter().map(|pair| self.batch([pair]))
    }

    /// Pairs for one step.
    pub(super) fn draw(&mut self) -> Batch {
        let pairs: Vec<Pair> = (0..BATCH).map(|_| self.pair()).collect();
        self.batch(&pairs)
    }

    fn pair(&mut self) -> Pair {
        let count = self.photos.len();
        if count < 2 || self.rng.f64() < COPY_SHARE {
            let copy = &self.copies[self.rng.usize(0..self.copies.len())];
            return Pair { source: copy.source.clone(), target: copy.target.clone() };
        }
        let target = self.rng.usize(0..count);
        let other = &self.photos[(target + self.rng.usize(1..count)) % count];
        let target = &self.photos[target];
        let source = if self.rng.f64() < NEAREST_SHARE {
            nearest(self.photos.iter().filter(|photo| !std::ptr::eq(*photo, target)), target)
        } else {
            other
        };
        Pair { source: source.clone(), target: target.clone() }
    }

    fn batch<'a>(&self, pairs: impl IntoIterator<Item = &'a Pair>) -> Batch {
        let Self { size, frame_size, painted_mouth, .. } = *self;
        let mut batch = Batch {
            shots: 1,
            source_size: size,
            size,
            frame_size,
            source_frames: Vec::new(),
            source_pictures: Vec::new(),
            frames: Vec::new(),
            pictures: Vec::new(),
            videos: Vec::new(),
            embedding_scales: Vec::new(),
            warp: None,
            enlarged: None,
            windows: None,
            faces: Vec::new(),
            judge_windows: false,
            unreadable: Vec::new(),
        };
        let colours = Colours::unchanged();
        let mut warp = WarpPlanes::new(size);
        let mut enlarged = (frame_size != size).then(|| WarpPlanes::new(frame_size));
        for Pair { source, target } in pairs {
            if let Some(enlarged) = &mut enlarged {
                enlarged.push(source, &target.landmarks, painted_mouth, &colours);
            }
            batch.frames.extend(planes(&target.picture));
            let [source, target] = [source, target].map(|shot| shot.resized(size));
            let input = warp.push(&source, &target.landmarks, painted_mouth, &colours);
            batch.source_frames.extend(planes(&source.picture));
            batch.source_pictures.extend(landmark_planes(&source.landmarks, size as f32, size));
            batch.pictures.extend_from_slice(input.picture());
            batch.videos.push(0);
        }
        (batch.warp, batch.enlarged) = (Some(warp), enlarged);
        batch
    }
}

/// The square that the networks see of a photo, `size` pixels wide.
fn shot(photo: &Reference, size: usize) -> Shot {
    let crop = network_crop(&photo.landmarks, photo.photo.dimensions());
    Shot::cut(&photo.photo, &photo.landmarks, &crop, size)
}

fn nearest<'a>(shots: impl IntoIterator<Item = &'a Shot>, target: &Shot) -> &'a Shot {
    let apart = |shot: &Shot| posture_distance(&shot.landmarks, &target.landmarks);
    let nearest = shots.into_iter().min_by(|a, b| apart(a).total_cmp(&apart(b)));
    nearest.expect("there is a photo beside the target")
}

/// Each photo, performing moments of the built-in motions: sources whose target is the photo itself.
fn copies(shots: &[Shot], rng: &mut Rng) -> Vec<Pair> {
    let motions: Vec<_> = builtin_motions::ALL.iter().map(builtin_motions::BuiltinMotion::load).collect();
    let gains = Gains { pose: COPY_GAIN, expression: COPY_GAIN, ..Gains::default() };
    let mut copies = Vec::with_capacity(COPIES);
    let mut painters: Vec<_> = shots
        .iter()
        .map(|shot| {
            let (width, height) = shot.picture.dimensions();
            let transfer = MotionTransfer::new(&shot.landmarks, (width, height), gains);
            let renderer = MeshRenderer::new(Arc::new(shot.picture.clone()), &shot.landmarks);
            (transfer, renderer, View::whole(width, height))
        })
        .collect();
    for index in 0..COPIES.max(shots.len()) {
        let which = index % shots.len();
        let (transfer, renderer, view) = &mut painters[which];
        let motion = &motions[rng.usize(0..motions.len())];
        let landmarks = transfer.apply(&motion.frame(rng.usize(0..motion.len())));
        let mut picture = RgbImage::default();
        renderer.render(&landmarks, view, &mut picture);
        copies.push(Pair { source: Shot { picture, landmarks }, target: shots[which].clone() });
    }
    rng.shuffle(&mut copies);
    copies
}
