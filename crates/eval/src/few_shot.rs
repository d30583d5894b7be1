//! Few-shot (Zakharov et al. 2019, §4): T photos from some clips of a person, held-out frames from the others.
//!
//! The clips of a person, sorted by name, are split in two halves: photos come from the first, held-out frames from the
//! second. A held-out frame's head is brought to the place and size of the first photo's, and drives it there; what is
//! compared is the square around the photo's face. T photos make a mesh avatar, and, with weights, a feed-forward and a
//! tuned one.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use gioconda_avatar::{
    Avatar, Framing, Performance, PerformanceSettings, PersonalNetwork, Reference, RendererKind,
};
use gioconda_dataset::Clip;
use gioconda_face::{Border, FaceFinder, HeadPose, Landmarks, Region, bilinear};
use gioconda_model::network_input::{cropped, cropped_landmarks, network_crop};
use gioconda_train::{LearnSettings, learn};
use gioconda_warp::{MeshWarp, SourceMesh, View};
use image::{Rgb, RgbImage};
use nalgebra::Vector2;

use crate::clips::{SIDE, Unfit, count_frames, for_each_frame};
use crate::face_measures::Wanted;
use crate::instruments::{FaceModels, Networks};
use crate::reenactment::Bench;
use crate::score::{Driving, Regions, Scored, Scorer};
use crate::settings::HELD_OUT_FRAMES;
use crate::{Error, Result};

/// Larger photos are not made larger still.
const LONGEST_SIDE: u32 = 4096;

/// What the protocol is told.
pub(crate) struct Plan<'a> {
    /// Numbers of photos, ascending.
    pub(crate) photos: &'a [usize],
    pub(crate) steps: u32,
    pub(crate) seed: u64,
    pub(crate) cancel: &'a AtomicBool,
}

/// A way to paint: its row, and the avatar that is painted so.
struct Painter {
    name: String,
    performance: Performance,
}

/// Scores one person's avatars; `None` when stopped.
pub(crate) fn score_person(
    person: &str,
    clips: &[Clip],
    plan: &Plan<'_>,
    bench: Bench<'_>,
) -> std::result::Result<Option<Scored>, Unfit> {
    let Bench { networks, models, renderer, frames, go_on } = bench;
    let (first, second) = clips.split_at(clips.len() / 2);
    if first.is_empty() {
        return Err(Unfit::Clip(
            "has a single clip; few-shot needs photos from one and frames of another".to_owned(),
        ));
    }
    let most = plan.photos.last().copied().unwrap_or(1);
    let photos = faces_of(first, most, models)?;
    let held_out = faces_of(second, frames.unwrap_or(HELD_OUT_FRAMES), models)?;
    if photos.len() < most || held_out.is_empty() {
        let found = format!("{} photos with a face were found, {most} are needed", photos.len());
        return Err(Unfit::Clip(found));
    }
    let shown = &photos[0];
    let painters = match painters(&photos, plan, networks, renderer, &mut models.finder) {
        Err(Error::Train(gioconda_train::Error::Avatar(gioconda_avatar::Error::Cancelled))) => {
            return Ok(None);
        }
        painters => painters?,
    };
    let mut painters = painters;
    let crop = network_crop(&shown.landmarks, shown.photo.dimensions());
    let photo = cropped(&shown.photo, &crop, SIDE);
    let mesh = SourceMesh::new(photo.dimensions(), &cropped_landmarks(&shown.landmarks, &crop, SIDE));
    let mut warp = MeshWarp::default();
    let names: Vec<String> = std::iter::once("copy".to_owned())
        .chain(painters.iter().map(|painter| painter.name.clone()))
        .collect();
    let mut scorer = Scorer::new(networks, models, &photo, &names)?;
    let mut lost = 0;
    // Held-out frames are far apart: no two are consecutive.
    for (index, test) in (0..).step_by(3).zip(&held_out) {
        let placement = Placement::of(test, shown);
        let landmarks = placement.landmarks(test);
        let picture = placement.picture(test, &crop);
        let Some(face) = scorer.models().face(&picture)? else {
            lost += 1;
            continue;
        };
        let mut outputs = vec![photo.clone()];
        for painter in &mut painters {
            let mut frame = RgbImage::default();
            let (scale, origin) = (painter.performance.canvas().scale, painter.performance.canvas().origin);
            painter.performance.restart();
            painter.performance.render(&landmarks.scaled_and_shifted(scale, origin), &mut frame)?;
            outputs.push(cropped(&frame, &scaled(&crop, scale), SIDE));
        }
        mesh.warp(&cropped_landmarks(&landmarks, &crop, SIDE), &View::whole(SIDE, SIDE), &mut warp);
        let (wanted, regions) = (Wanted::truth(&face), Some(Regions::of(&warp)));
        let driving = Driving { index, picture, landmarks: face.landmarks, wanted, regions };
        scorer.score(&driving, &outputs)?;
        if !go_on() {
            return Ok(None);
        }
    }
    Ok(Some(scorer.finish(person.to_owned(), lost)))
}

/// A mesh avatar for each number of photos, and where there are weights, a feed-forward and a tuned one.
fn painters(
    photos: &[Reference],
    plan: &Plan<'_>,
    networks: &Networks,
    kind: RendererKind,
    finder: &mut FaceFinder,
) -> Result<Vec<Painter>> {
    // The photo that is shown is the same for all.
    let mut shown = Avatar::of(&photos[..1]);
    shown.find_matte(finder)?;
    let mut painters = Vec::new();
    for &count in plan.photos {
        let photos = &photos[..count];
        let mut add = |way: &str, network: Option<PersonalNetwork>| -> Result<()> {
            let kind = if network.is_some() { RendererKind::Neural } else { RendererKind::Mesh };
            let avatar =
                Avatar { network: network.map(Arc::new), matte: shown.matte.clone(), ..Avatar::of(photos) };
            let framing = Framing::Full { longest_side: LONGEST_SIDE };
            let settings = PerformanceSettings::default().framing(framing).renderer(kind);
            let performance = Performance::new(&avatar, settings)?;
            painters.push(Painter { name: format!("{way} T={count}"), performance });
            Ok(())
        };
        add("mesh", None)?;
        if let Some(weights) = networks.weights.as_ref().filter(|_| kind == RendererKind::Neural) {
            add("feed-forward", Some(weights.feed_forward(photos)))?;
            let settings = LearnSettings { steps: plan.steps, seed: plan.seed };
            add("tuned", Some(learn(weights, photos, &settings, &|_| {}, plan.cancel)?.0))?;
        }
    }
    Ok(painters)
}

fn scaled(region: &Region, scale: f32) -> Region {
    Region { center: region.center * scale, size: region.size * scale, ..*region }
}

/// `count` frames with a face, from one clip after the other, at other moments each round.
fn faces_of(
    clips: &[Clip],
    count: usize,
    models: &mut FaceModels,
) -> std::result::Result<Vec<Reference>, Unfit> {
    let mut found: Vec<Option<Reference>> = vec![None; count];
    for (first, clip) in clips.iter().enumerate() {
        let total = count_frames(clip)?;
        let at = |slot: usize| ((slot * 7 + 5) % 11 * 2 + 1) * total / 22;
        let slots: Vec<usize> = (first..count).step_by(clips.len()).collect();
        let last = slots.iter().map(|&slot| at(slot)).max();
        for_each_frame(clip, |index, picture| {
            for &slot in slots.iter().filter(|&&slot| at(slot) == index) {
                if let Some(landmarks) = models.landmarks(picture)? {
                    found[slot] = Some(Reference { photo: Arc::new(picture.clone()), landmarks });
                }
            }
            Ok(last.is_some_and(|last| index < last))
        })?;
    }
    Ok(found.into_iter().flatten().collect())
}

/// The similarity that brings a head to the place and size of the photo's: scale, then shift.
struct Placement {
    scale: f32,
    shift: Vector2<f32>,
}

impl Placement {
    fn of(test: &Reference, photo: &Reference) -> Self {
        let (here, there) = (HeadPose::fit(&test.landmarks), HeadPose::fit(&photo.landmarks));
        let scale = there.scale / here.scale;
        let position = |pose: &HeadPose| Vector2::new(pose.translation.x, -pose.translation.y);
        Self { scale, shift: position(&there) - position(&here) * scale }
    }

    /// The landmarks that the photo is to take.
    fn landmarks(&self, test: &Reference) -> Landmarks {
        test.landmarks.scaled_and_shifted(self.scale, self.shift)
    }

    /// What should be seen in the photo's square.
    fn picture(&self, test: &Reference, crop: &Region) -> RgbImage {
        RgbImage::from_fn(SIDE, SIDE, |x, y| {
            let in_square = Vector2::new(x as f32 + 0.5, y as f32 + 0.5) / SIDE as f32;
            let place = (crop.to_picture(in_square) - self.shift) / self.scale;
            Rgb(bilinear(&test.photo, place, Border::Replicate).map(|value| (value + 0.5) as u8))
        })
    }
}
