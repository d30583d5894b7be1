//! Self- and cross-reenactment: a photo, driven by the frames of a clip.
//!
//! In self-reenactment the driver is the person of the photo, in the same frame, so motion is absolute: the tracked
//! landmarks of a frame drive the photo as they are (first-order-model, Siarohin et al. 2019, §4; DESIGN.md §5 calls it
//! `absolute`). In cross-reenactment it is somebody else, and motion is relative to a neutral frame that is chosen as
//! `animate` chooses it, among the frames that are looked at.

use std::sync::Arc;

use gioconda_avatar::{
    Avatar, FaceState, Framing, MotionFrame, Performance, PerformanceSettings, Reference, RendererKind,
    choose_neutral,
};
use gioconda_dataset::Clip;
use gioconda_face::{FaceFinder, Landmarks};
use gioconda_warp::{MeshRenderer, MeshWarp, SourceMesh, View};
use image::RgbImage;

use crate::Result;
use crate::clips::{Purpose, SIDE, TrackedClip, Unfit, for_each_frame};
use crate::face_measures::{Face, Wanted};
use crate::instruments::{FaceModels, Networks};
use crate::score::{Driving, Regions, Scored, Scorer};

/// Frames of the portrait's own clip that its crop is chosen by, where the portrait is driven by others.
const PORTRAIT_FRAMES: usize = 8;

/// The renderers that are always there, and the one that is judged.
pub(crate) fn rows(kind: RendererKind) -> Vec<String> {
    let names: &[&str] = match kind {
        RendererKind::Mesh => &["copy", "warp", "mesh"],
        RendererKind::Neural => &["copy", "warp", "mesh", "neural"],
    };
    names.iter().map(|&name| name.to_owned()).collect()
}

/// What a case is scored with.
pub(crate) struct Bench<'a> {
    pub(crate) networks: &'a Networks,
    pub(crate) models: &'a mut FaceModels,
    pub(crate) renderer: RendererKind,
    pub(crate) frames: Option<usize>,
    /// Asked after each frame; false stops.
    pub(crate) go_on: &'a dyn Fn() -> bool,
}

/// A photo's crop, ready to be driven.
pub(crate) struct Portrait {
    photo: Arc<RgbImage>,
    /// What networks see: the face mesh alone, without layers, teeth and eyes.
    plain: MeshRenderer,
    /// The mesh renderer's first.
    performances: Vec<Performance>,
    mesh: SourceMesh,
    warp: MeshWarp,
}

impl Portrait {
    pub(crate) fn new(
        photo: RgbImage,
        landmarks: Landmarks,
        networks: &Networks,
        kind: RendererKind,
        finder: &mut FaceFinder,
    ) -> Result<Self> {
        let photo = Arc::new(photo);
        let reference = Reference { photo: Arc::clone(&photo), landmarks };
        let network = networks
            .weights
            .as_ref()
            .filter(|_| kind == RendererKind::Neural)
            .map(|weights| Arc::new(weights.feed_forward(std::slice::from_ref(&reference))));
        let mut avatar = Avatar { network, ..Avatar::of(&[reference]) };
        avatar.find_matte(finder)?;
        let settings = PerformanceSettings::default().framing(Framing::Full { longest_side: SIDE });
        let mut performances = vec![Performance::new(&avatar, settings)?];
        if kind == RendererKind::Neural {
            performances.push(Performance::new(&avatar, settings.renderer(kind))?);
        }
        let mesh = SourceMesh::new(photo.dimensions(), &avatar.landmarks);
        let plain = MeshRenderer::new(Arc::clone(&photo), &avatar.landmarks).as_networks_see(true);
        Ok(Self { photo, plain, performances, mesh, warp: MeshWarp::default() })
    }

    /// The copy, the plain warp, then each renderer's picture.
    pub(crate) fn render(&mut self, driving: &Landmarks) -> Result<Vec<RgbImage>> {
        let mut warped = RgbImage::default();
        self.plain.render(driving, &View::whole(SIDE, SIDE), &mut warped);
        let mut outputs = vec![(*self.photo).clone(), warped];
        for performance in &mut self.performances {
            let mut frame = RgbImage::default();
            performance.render(driving, &mut frame)?;
            outputs.push(frame);
        }
        Ok(outputs)
    }

    fn mesh_performance(&self) -> &Performance {
        &self.performances[0]
    }

    /// Face, mouth and eyes of a true frame.
    fn regions(&mut self, driving: &Landmarks) -> Regions {
        self.mesh.warp(driving, &View::whole(SIDE, SIDE), &mut self.warp);
        Regions::of(&self.warp)
    }
}

/// Scores a clip whose own photo is driven by its other frames; `None` when stopped.
pub(crate) fn score_self(clip: &Clip, bench: Bench<'_>) -> std::result::Result<Option<Scored>, Unfit> {
    let Bench { networks, models, renderer, frames, go_on } = bench;
    let tracked = TrackedClip::track(clip, frames, &mut models.tracker)?;
    let (photo, landmarks) = photo_of(&tracked)?;
    let mut portrait = Portrait::new(photo.clone(), landmarks, networks, renderer, &mut models.finder)?;
    let mut scorer = Scorer::new(networks, models, &photo, &rows(renderer))?;
    let mut lost = tracked.lost;
    let mut stopped = false;
    drive(&tracked, |index, purpose, picture, landmarks| {
        // Outputs are looked at as crops; so is the truth.
        let Some(face) = scorer.models().face(&picture)? else {
            lost += usize::from(purpose == Purpose::Score);
            return Ok(true);
        };
        let outputs = portrait.render(landmarks)?;
        let regions = (purpose == Purpose::Score).then(|| portrait.regions(landmarks));
        let wanted = Wanted::truth(&face);
        let driving = Driving { index, picture, landmarks: face.landmarks, wanted, regions };
        take(&mut scorer, purpose, &driving, &outputs)?;
        stopped = !go_on();
        Ok(!stopped)
    })?;
    Ok((!stopped).then(|| scorer.finish(clip.source.clone(), lost)))
}

/// Scores a photo driven by another person's clip; `None` when stopped.
pub(crate) fn score_cross(
    portrait: &Clip,
    driver: &Clip,
    bench: Bench<'_>,
) -> std::result::Result<Option<Scored>, Unfit> {
    let Bench { networks, models, renderer, frames, go_on } = bench;
    let own = TrackedClip::track(portrait, Some(PORTRAIT_FRAMES), &mut models.tracker)?;
    let tracked = TrackedClip::track(driver, frames, &mut models.tracker)?;
    let (photo, landmarks) = photo_of(&own)?;
    let Some(photo_face) = models.face(&photo)? else {
        return Err(Unfit::Clip("no face in the crop of its photo".to_owned()));
    };
    let mut portrait_picture =
        Portrait::new(photo.clone(), landmarks, networks, renderer, &mut models.finder)?;
    let neutral = neutral(&tracked, portrait_picture.mesh_performance().face());
    let neutral_face = Face::of(neutral.clone(), &models.blendshapes)?;
    let neutral = FaceState::new(&neutral);
    let mut scorer = Scorer::new(networks, models, &photo, &rows(renderer))?;
    let mut stopped = false;
    drive(&tracked, |index, purpose, picture, landmarks| {
        let motion = MotionFrame::between(&neutral, &FaceState::new(landmarks), 1.0);
        let posed = portrait_picture.mesh_performance().landmarks(&motion);
        let outputs = portrait_picture.render(&posed)?;
        let driver_face = Face::of(landmarks.clone(), &scorer.models().blendshapes)?;
        let wanted = Wanted::relative(&photo_face, &neutral_face, &driver_face);
        let driving = Driving { index, picture, landmarks: landmarks.clone(), wanted, regions: None };
        take(&mut scorer, purpose, &driving, &outputs)?;
        stopped = !go_on();
        Ok(!stopped)
    })?;
    Ok((!stopped).then(|| scorer.finish(format!("{} <- {}", portrait.source, driver.source), tracked.lost)))
}

fn take(scorer: &mut Scorer<'_>, purpose: Purpose, driving: &Driving, outputs: &[RgbImage]) -> Result<()> {
    match purpose {
        Purpose::Score => scorer.score(driving, outputs),
        Purpose::LeadIn => scorer.lead_in(driving, outputs),
    }
}

/// The driver's landmarks, pixels of its crop, in the frame that is most like the portrait.
fn neutral(tracked: &TrackedClip, portrait: &FaceState) -> Landmarks {
    let faces = std::iter::once(&tracked.photo.1).chain(tracked.frames.iter().map(|frame| &frame.landmarks));
    let mut faces: Vec<Landmarks> = faces.map(|landmarks| tracked.in_crop(landmarks)).collect();
    let states: Vec<FaceState> = faces.iter().map(FaceState::new).collect();
    let index = choose_neutral(&states, Some(portrait)).unwrap_or(0);
    faces.swap_remove(index)
}

/// The photo's crop and the face in it.
pub(crate) fn photo_of(tracked: &TrackedClip) -> std::result::Result<(RgbImage, Landmarks), Unfit> {
    let mut photo = None;
    for_each_frame(&tracked.clip, |index, picture| {
        if index == tracked.photo.0 {
            photo = tracked.crop(picture);
        }
        Ok(index < tracked.photo.0)
    })?;
    let photo = photo.ok_or_else(changes_size)?;
    Ok((photo, tracked.in_crop(&tracked.photo.1)))
}

fn changes_size() -> Unfit {
    Unfit::Clip("its pictures change their size".to_owned())
}

/// Reads the clip again and shows `see` the crops of the frames that are looked at, until it says no.
fn drive(
    tracked: &TrackedClip,
    mut see: impl FnMut(usize, Purpose, RgbImage, &Landmarks) -> Result<bool>,
) -> std::result::Result<(), Unfit> {
    let mut frames = tracked.frames.iter().peekable();
    let mut misfit = false;
    for_each_frame(&tracked.clip, |index, picture| {
        let Some(frame) = frames.next_if(|frame| frame.index == index) else {
            return Ok(frames.peek().is_some());
        };
        let Some(crop) = tracked.crop(picture) else {
            misfit = true;
            return Ok(false);
        };
        Ok(see(index, frame.purpose, crop, &tracked.in_crop(&frame.landmarks))? && frames.peek().is_some())
    })?;
    if misfit { Err(changes_size()) } else { Ok(()) }
}
