//! Drawing episodes: K source frames and one driving frame of a video, varied alike.
//!
//! Chance is a function of the seed and the episode's number alone. A resumed run, another number of threads, or
//! another machine with the same rank therefore draws exactly the same episodes, and nothing of the generator's state
//! has to be stored.

use std::sync::Arc;

use fastrand::Rng;
use gioconda_face::topology::{EYE_CORNERS, point};
use gioconda_model::Output;
use gioconda_model::network_input::landmark_planes;
use gioconda_networks::Windows;
use nalgebra::Vector2;

use crate::batch::{Batch, WarpPlanes};
use crate::config::{DataConfig, TrainConfig};
use crate::face_squares::face_squares;
use crate::footage::{Footage, Shot};
use crate::variation::Variation;
use crate::{Error, Result};

/// After this many unreadable episodes in a row the data set is taken to be broken.
const ATTEMPTS: usize = 8;

/// Draws the batches of a run.
#[derive(Clone)]
pub struct EpisodeSource {
    footage: Arc<dyn Footage>,
    /// Videos with enough frames.
    usable: Vec<usize>,
    data: DataConfig,
    seed: u64,
    batch: usize,
    shots: usize,
    /// Height and width of what the embedder sees.
    source_size: usize,
    /// Height and width of what the generator sees.
    size: usize,
    /// Height and width of the frames that are made: `size`, or more if they are composed.
    frame_size: usize,
    window: usize,
    /// Shares of the episodes whose window is on the mouth and on the eyes.
    on_mouths: f64,
    on_eyes: f64,
    judge_windows: bool,
    composes: bool,
    painted_mouth: bool,
    /// Length of ê.
    embedding: usize,
}

impl EpisodeSource {
    /// Episodes as `config` wants them.
    ///
    /// # Errors
    /// When no video has enough frames for K source frames and a driving one.
    pub fn new(footage: Arc<dyn Footage>, config: &TrainConfig) -> Result<Self> {
        let needed = config.shots + 1;
        let usable: Vec<usize> =
            (0..footage.videos()).filter(|&video| footage.frames(video) >= needed).collect();
        if usable.is_empty() {
            let videos = footage.videos();
            let shots = config.shots;
            return Err(Error::Data {
                data: footage.name(),
                reason: format!(
                    "none of its {videos} videos has {needed} frames, which `shots = {shots}` needs (K and one more)"
                ),
            });
        }
        let generator = &config.networks.generator;
        Ok(Self {
            footage,
            usable,
            data: config.data,
            seed: config.seed,
            batch: config.batch,
            shots: config.shots,
            source_size: config.networks.embedder.resolution,
            size: generator.resolution,
            frame_size: config.frame_size(),
            window: config.perceptual.window,
            on_mouths: config.perceptual.mouth,
            on_eyes: config.perceptual.eyes,
            judge_windows: config.discriminator.windows,
            composes: generator.output == Output::Composition,
            painted_mouth: generator.painted_mouth,
            embedding: generator.embedding,
        })
    }

    /// Videos that have too few frames to be used.
    pub fn too_short(&self) -> Vec<String> {
        let videos = 0..self.footage.videos();
        let short = videos.filter(|video| self.usable.binary_search(video).is_err());
        short.map(|video| self.footage.video_name(video)).collect()
    }

    /// The same videos unvaried, in batches of `batch`, from chance of its own: for pictures and measurements that
    /// shall be comparable through a run.
    #[must_use]
    pub fn unvaried(&self, batch: usize) -> Self {
        Self { data: self.data.unvaried(), batch, seed: self.seed ^ 0x5eed_0f9c_71c7_u64, ..self.clone() }
    }

    /// Draws batch `number`: of several devices and accumulated passes each has its own.
    pub fn batch(&self, number: u64) -> Result<Batch> {
        let mut batch = self.empty();
        let mut corners = Vec::with_capacity(self.batch);
        for index in 0..self.batch as u64 {
            let mut rng = Rng::with_seed(mixed(self.seed, number * self.batch as u64 + index));
            let features = self.draw(&mut rng, &mut batch)?;
            corners.push(self.corner(features, &mut rng));
        }
        batch.windows = (self.window > 0).then_some(Windows { side: self.window, corners });
        Ok(batch)
    }

    /// The corner of a window around the mouth, around the eyes, or anywhere in the frame; column and row.
    fn corner(&self, features: Features, rng: &mut Rng) -> [usize; 2] {
        let most = self.frame_size - self.window;
        let anywhere = [(); 2].map(|()| rng.usize(0..=most));
        let choice = rng.f64();
        let centre = if choice < self.on_mouths {
            features.mouth
        } else if choice < self.on_mouths + self.on_eyes {
            features.eyes
        } else {
            return anywhere;
        };
        let corner = centre.map(|at| ((at - self.window as f32 / 2.0).max(0.0) as usize).min(most));
        corner.into()
    }

    fn empty(&self) -> Batch {
        let planes = |count: usize, size: usize| Vec::with_capacity(self.batch * count * size * size);
        Batch {
            shots: self.shots,
            source_size: self.source_size,
            size: self.size,
            frame_size: self.frame_size,
            source_frames: planes(3 * self.shots, self.source_size),
            source_pictures: planes(3 * self.shots, self.source_size),
            frames: planes(3, self.frame_size),
            pictures: planes(3, self.size),
            videos: Vec::with_capacity(self.batch),
            embedding_scales: Vec::new(),
            warp: self.composes.then(|| WarpPlanes::new(self.size)),
            enlarged: (self.frame_size != self.size).then(|| WarpPlanes::new(self.frame_size)),
            windows: None,
            faces: Vec::new(),
            judge_windows: self.judge_windows,
            unreadable: Vec::new(),
        }
    }

    /// Appends one episode.
    fn draw(&self, rng: &mut Rng, batch: &mut Batch) -> Result<Features> {
        for _ in 0..ATTEMPTS {
            let video = self.usable[rng.usize(0..self.usable.len())];
            let variation = Variation::draw(&self.data, rng);
            match self.shots_of(video, rng) {
                Ok(shots) => {
                    let shots: Vec<Shot> = shots.into_iter().map(|shot| variation.deformed(shot)).collect();
                    batch.embedding_scales.extend(self.embedding_scales(rng));
                    batch.videos.push(video as i32);
                    return Ok(self.append(&shots, &variation, batch));
                }
                Err(error) => batch.unreadable.push(error.to_string()),
            }
        }
        let reason = batch.unreadable.last().cloned().unwrap_or_default();
        Err(Error::Data {
            data: self.footage.name(),
            reason: format!("{ATTEMPTS} episodes in a row could not be read; the last: {reason}"),
        })
    }

    /// The source frames, then the driving one, as they are stored.
    fn shots_of(&self, video: usize, rng: &mut Rng) -> Result<Vec<Shot>> {
        let (sources, driving) = self.frames_of(video, rng)?;
        sources.into_iter().chain([driving]).map(|frame| self.footage.shot(video, frame)).collect()
    }

    /// K source frames and a driving one, all different.
    fn frames_of(&self, video: usize, rng: &mut Rng) -> Result<(Vec<usize>, usize)> {
        let count = self.footage.frames(video);
        let sources = distinct(count, self.shots, &[], rng);
        let candidates = distinct(count, self.data.candidates.min(count - self.shots), &sources, rng);
        let differences = self.footage.differences(video, sources[0], &candidates)?;
        // Never all zero: a still video must not divide by nothing.
        let weight = |difference: f32| (f64::from(difference) + 1e-6).powf(self.data.difference_power);
        let weights: Vec<f64> = differences.into_iter().map(weight).collect();
        let mut left = rng.f64() * weights.iter().sum::<f64>();
        let chosen = weights.iter().position(|weight| {
            left -= weight;
            left <= 0.0
        });
        let driving = candidates[chosen.unwrap_or(candidates.len() - 1)];
        Ok((sources, driving))
    }

    /// What ê is multiplied by: 0, or what makes up for the zeros; nothing without `data.dropout`.
    fn embedding_scales(&self, rng: &mut Rng) -> Vec<f32> {
        let dropout = self.data.dropout;
        let count = if dropout > 0.0 { self.embedding } else { 0 };
        let scale = || if rng.f64() < dropout { 0.0 } else { (1.0 / (1.0 - dropout)) as f32 };
        std::iter::repeat_with(scale).take(count).collect()
    }

    /// `shots`: the source frames, then the driving one, deformed.
    fn append(&self, shots: &[Shot], variation: &Variation, batch: &mut Batch) -> Features {
        let (driving, sources) = shots.split_last().expect("an episode has a driving frame");
        let colours = variation.colours();
        for shot in sources {
            let size = self.source_size;
            let shot = variation.cut(shot, size);
            colours.append_picture(&shot.picture, &mut batch.source_frames);
            batch.source_pictures.extend(landmark_planes(&shot.landmarks, size as f32, size));
        }
        let large = |shot| variation.cut(shot, self.frame_size);
        let photo = &sources[0];
        let frame = large(driving);
        let seen = (self.frame_size != self.size).then(|| variation.cut(driving, self.size));
        let driving = seen.as_ref().unwrap_or(&frame);
        batch.pictures.extend(landmark_planes(&driving.landmarks, self.size as f32, self.size));
        let large_photo = large(photo);
        batch.faces.push(face_squares(&frame, &large_photo, self.frame_size));
        if let Some(warp) = &mut batch.warp {
            let seen = seen.is_some().then(|| variation.cut(photo, self.size));
            warp.push(seen.as_ref().unwrap_or(&large_photo), &driving.landmarks, self.painted_mouth, colours);
        }
        if let Some(warp) = &mut batch.enlarged {
            warp.push(&large_photo, &frame.landmarks, self.painted_mouth, colours);
        }
        colours.append_picture(&frame.picture, &mut batch.frames);
        let middle = |landmarks: &[usize]| {
            let sum = landmarks.iter().map(|&landmark| frame.landmarks.xy(landmark)).sum::<Vector2<f32>>();
            sum / landmarks.len() as f32
        };
        Features {
            mouth: middle(&[point::LIP_UPPER_INNER, point::LIP_LOWER_INNER]),
            eyes: middle(&EYE_CORNERS),
        }
    }
}

/// Where an episode's driving frame has them, pixels of the frame that is made.
#[derive(Clone, Copy, Debug)]
struct Features {
    mouth: Vector2<f32>,
    /// The middle between both.
    eyes: Vector2<f32>,
}

impl std::fmt::Debug for EpisodeSource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EpisodeSource").field("footage", &self.footage.name()).finish_non_exhaustive()
    }
}

/// `count` different numbers below `end` that are not in `taken`; there must be as many.
fn distinct(end: usize, count: usize, taken: &[usize], rng: &mut Rng) -> Vec<usize> {
    let mut drawn = Vec::with_capacity(count);
    while drawn.len() < count {
        let number = rng.usize(0..end);
        if !drawn.contains(&number) && !taken.contains(&number) {
            drawn.push(number);
        }
    }
    drawn
}

/// A seed from two numbers (the finaliser of `SplitMix64`, Steele et al. 2014, over their combination).
fn mixed(seed: u64, number: u64) -> u64 {
    let mut z =
        seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(number.wrapping_mul(0xd134_2543_de82_ef95));
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Prefetch;
    use gioconda_face::Landmarks;
    use gioconda_face::topology::TOPOLOGY;
    use gioconda_model::Preset;
    use image::RgbImage;

    /// Frames of one colour with the canonical face in the middle; every seventh cannot be read.
    struct Faces {
        readable: bool,
    }

    impl Footage for Faces {
        fn name(&self) -> String {
            "faces".to_owned()
        }

        fn videos(&self) -> usize {
            3
        }

        fn video_name(&self, video: usize) -> String {
            format!("video {video}")
        }

        fn frames(&self, video: usize) -> usize {
            video * 20
        }

        fn shot(&self, video: usize, frame: usize) -> Result<Shot> {
            if !self.readable || frame.is_multiple_of(7) {
                return Err(Error::Data { data: self.name(), reason: format!("no frame {frame}") });
            }
            let mut landmarks = Landmarks { points: [[48.0, 48.0, 0.0].into(); gioconda_face::LANDMARKS] };
            for (point, vertex) in landmarks.points.iter_mut().zip(&TOPOLOGY.vertices) {
                *point = [48.0 + 3.0 * vertex.x, 48.0 - 3.0 * vertex.y, -3.0 * vertex.z].into();
            }
            let colour = [(video * 50) as u8, (frame * 6) as u8, 99];
            Ok(Shot { picture: RgbImage::from_pixel(96, 96, image::Rgb(colour)), landmarks })
        }

        fn differences(&self, _: usize, from: usize, others: &[usize]) -> Result<Vec<f32>> {
            Ok(others.iter().map(|other| other.abs_diff(from) as f32).collect())
        }
    }

    fn source(preset: Preset, changes: &str) -> EpisodeSource {
        let config = TrainConfig::of(preset);
        let plain = TrainConfig { enlarge: 1, data: config.data.unvaried(), ..config };
        let mut config = plain.overlaid(changes, "the test").unwrap();
        config.networks.generator.resolution = 32;
        config.networks.embedder.resolution = 32;
        config.perceptual.window = config.perceptual.window.min(24);
        EpisodeSource::new(Arc::new(Faces { readable: true }), &config).unwrap()
    }

    #[test]
    fn a_batch_depends_on_seed_and_number_alone() {
        for preset in Preset::ALL {
            let source = source(preset, "batch = 3\nshots = 2");
            let batch = source.batch(5).unwrap();
            assert_eq!(batch, source.batch(5).unwrap(), "{preset}");
            assert_ne!(batch, source.batch(6).unwrap(), "{preset}");
            let other_seed = EpisodeSource { seed: 2, ..source };
            assert_ne!(batch, other_seed.batch(5).unwrap(), "{preset}");
            assert_eq!(batch.episodes(), 3);
            assert_eq!(batch.source_frames.len(), 3 * 2 * 3 * 32 * 32);
            assert_eq!(batch.warp.is_some(), preset == Preset::Portrait);
        }
    }

    #[test]
    fn enlarged_frames_show_the_same_episode() {
        let plain = source(Preset::Portrait, "batch = 2").batch(4).unwrap();
        let large = source(Preset::Portrait, "batch = 2\nenlarge = 2").batch(4).unwrap();
        assert_eq!((large.size, large.frame_size, large.frames.len()), (32, 64, 2 * 3 * 64 * 64));
        // What the networks see is what they would see without.
        assert_eq!((&large.source_frames, &large.pictures), (&plain.source_frames, &plain.pictures));
        assert_eq!((&large.warp, &plain.enlarged), (&plain.warp, &None));
        let (small, enlarged) = (plain.warp.unwrap(), large.enlarged.unwrap());
        assert_eq!((enlarged.size, enlarged.grids.len()), (64, 2 * 64 * 64 * 2));
        // Both look to the same places in the photo.
        let mean = |grids: &[f32]| grids.iter().sum::<f32>() / grids.len() as f32;
        assert!((mean(&small.grids) - mean(&enlarged.grids)).abs() < 0.01);
        assert!((large.frames[0] - plain.frames[0]).abs() < 1e-6, "faces of one colour");
        // A painted mouth comes with both.
        assert_eq!(
            (small.painted.len(), enlarged.painted.len()),
            (small.photos.len(), enlarged.photos.len())
        );
        let changes = "batch = 2\nnetworks.generator.painted_mouth = false";
        let bare = source(Preset::Portrait, changes).batch(4).unwrap().warp.unwrap();
        assert_eq!((bare.painted.len(), bare.grids), (0, small.grids));
    }

    #[test]
    fn the_embedder_may_see_smaller_pictures_than_the_generator() {
        let large = source(Preset::Portrait, "batch = 2");
        let small = EpisodeSource { source_size: 16, ..large.clone() };
        let (large, small) = (large.batch(4).unwrap(), small.batch(4).unwrap());
        assert_eq!(small.source_frames.len(), 2 * 3 * 16 * 16);
        assert_eq!((&small.frames, &small.warp), (&large.frames, &large.warp));
        let episode = small.into_episode(&gioconda_networks::Device::flex());
        assert_eq!(episode.source_frames.dims(), [2, 1, 3, 16, 16]);
        assert_eq!(episode.picture.dims(), [2, 3, 32, 32]);
    }

    #[test]
    fn faces_are_turned_in_all_frames() {
        let upright = source(Preset::Portrait, "batch = 1").batch(0).unwrap();
        let turned = source(Preset::Portrait, "batch = 1\ndata.turn = 40").batch(0).unwrap();
        assert_eq!(turned.videos, upright.videos);
        assert_ne!(turned.source_pictures, upright.source_pictures);
        assert_ne!(turned.pictures, upright.pictures);
        // Alike, so that the mesh still has nowhere to move the one frame's face to in the other.
        assert_eq!(turned.source_pictures, turned.pictures);
    }

    #[test]
    fn a_share_of_the_embedding_is_hidden() {
        let source = source(Preset::Portrait, "batch = 8\ndata.dropout = 0.2");
        let scales = source.batch(0).unwrap().embedding_scales;
        assert_eq!(scales.len(), 8 * source.embedding);
        assert!(scales.iter().all(|&scale| scale == 0.0 || (scale - 1.25).abs() < 1e-6));
        let mean = scales.iter().sum::<f32>() / scales.len() as f32;
        assert!((mean - 1.0).abs() < 0.1, "{mean}");
        assert!(source.unvaried(1).batch(0).unwrap().embedding_scales.is_empty());
    }

    #[test]
    fn windows_on_mouths_and_eyes_hold_them() {
        // The canonical face's mouth lies below its eyes.
        let centres = |mouth: f64, eyes: f64| -> Vec<(usize, usize)> {
            let changes = format!(
                "batch = 4\nperceptual.window = 8\nperceptual.mouth = {mouth}\nperceptual.eyes = {eyes}"
            );
            let source = source(Preset::Portrait, &changes);
            let windows = (0..12).flat_map(|number| source.batch(number).unwrap().windows.unwrap().corners);
            windows.map(|[left, top]| (left + 4, top + 4)).collect()
        };
        let level = |y: usize| move |(x, at): &(usize, usize)| x.abs_diff(16) <= 4 && at.abs_diff(y) <= 3;
        let (mouths, eyes) = (centres(1.0, 0.0), centres(0.0, 1.0));
        let mean = |centres: &[(usize, usize)]| centres.iter().map(|(_, y)| y).sum::<usize>() / centres.len();
        assert!(mean(&eyes) + 3 < mean(&mouths), "{eyes:?} {mouths:?}");
        assert!(mouths.iter().all(level(mean(&mouths))), "{mouths:?}");
        assert!(eyes.iter().all(level(mean(&eyes))), "{eyes:?}");
        let anywhere = centres(0.0, 0.0);
        assert!(anywhere.iter().any(|centre| !level(16)(centre)), "{anywhere:?}");
    }

    #[test]
    fn prefetched_batches_come_in_order_whatever_the_number_of_threads() {
        let source = source(Preset::Portrait, "batch = 1");
        let expected: Vec<Batch> = (7..12).map(|number| source.batch(number).unwrap()).collect();
        for workers in [1, 3] {
            let mut prefetch = Prefetch::start(&source, 7, workers, 2).unwrap();
            for batch in &expected {
                assert_eq!(prefetch.next_batch().unwrap(), *batch, "{workers} threads");
            }
        }
    }

    #[test]
    fn driving_frames_prefer_to_differ() {
        let mean_distance = |changes: &str| {
            let source = source(Preset::Portrait, changes);
            let mut rng = Rng::with_seed(3);
            let distance = |_| {
                let (sources, driving) = source.frames_of(2, &mut rng).unwrap();
                assert_ne!(sources[0], driving);
                sources[0].abs_diff(driving) as f64
            };
            (0..2000).map(distance).sum::<f64>() / 2000.0
        };
        let alike = mean_distance("data.difference_power = 0");
        let differing = mean_distance("data.difference_power = 1");
        assert!(differing > 1.2 * alike, "{alike} {differing}");
    }

    #[test]
    fn unreadable_frames_are_replaced_and_reported() {
        let source = source(Preset::Portrait, "batch = 32");
        assert_eq!(source.too_short(), ["video 0"]);
        let batch = source.batch(0).unwrap();
        assert_eq!(batch.episodes(), 32);
        assert!(batch.unreadable.iter().all(|reason| reason.starts_with("faces: no frame ")));
        assert!(!batch.unreadable.is_empty());
        let broken = EpisodeSource { footage: Arc::new(Faces { readable: false }), ..source };
        let message = broken.batch(0).unwrap_err().to_string();
        assert!(message.starts_with("faces: 8 episodes in a row could not be read; the last: "), "{message}");
    }

    #[test]
    fn variation_is_alike_in_all_frames_and_absent_when_unvaried() {
        let changes = "batch = 1\ndata.gain = 0.5\ndata.offset = 0.2\ndata.tint = 0.5";
        let source = source(Preset::Portrait, changes);
        let blue = |batch: &Batch| (batch.source_frames[2 * 32 * 32], batch.frames[2 * 32 * 32]);
        let (photo, driving) = blue(&source.batch(0).unwrap());
        assert!((photo - driving).abs() < 1e-6 && (photo - (99.0 / 127.5 - 1.0)).abs() > 1e-3, "{photo}");
        let (photo, driving) = blue(&source.unvaried(1).batch(0).unwrap());
        assert!((photo - driving).abs() < 1e-6 && (photo - (99.0 / 127.5 - 1.0)).abs() < 1e-6, "{photo}");
    }
}
