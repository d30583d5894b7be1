//! The mesh renderer: a portrait driven by the face mesh alone, without a network.
//!
//! For each view of the photo everything that stands still is prepared once: the background at the view's
//! resolution, and a texture of the moving region on the same pixel grid. A frame then costs the warp of the
//! region, one bicubic sample per pixel, the interior of the mouth painted where the photo shows none, eyes as lids and light make
//! them (`eye_paint`), skin that is drawn out mixed across ([`streaks`]), and smooth edges where a turned cheek or a lid hides
//! something ([`silhouette`]).

mod inside;
mod revealed;
mod silhouette;
mod stage;
mod streaks;
mod texture;
mod touch;

use std::borrow::Cow;
use std::sync::Arc;

use gioconda_face::{HeadPose, Landmarks, Matte};
use gioconda_kernels::smoothstep;
use image::{Rgb, RgbImage};
use nalgebra::Vector2;
use rayon::prelude::*;

use crate::background::Background;
use crate::eye_labels::EyeLabels;
use crate::eye_paint::EyePaint;
use crate::grain::Grain;
use crate::head_shape::HeadFrame;
use crate::labels::{Label, LabelPlanes};
use crate::layers::Layers;
use crate::lip_line::LipLine;
use crate::mouth_interior::{MouthInterior, MouthLabels};
use crate::mouth_paint::MouthPaint;
use crate::other_side::OtherSide;
use crate::source_mesh::{MeshWarp, SourceMesh};
use crate::view::{MotionRegion, View};
use inside::{Inside, Mouth, Row};
use revealed::Room;
use silhouette::soft_edge;
use stage::{Stage, is_drawable};
use streaks::mixed_streaks;
use touch::Touch;

pub use inside::MouthPicture;

/// How softly labels of hair end at the chin's height and where the head ends, face widths and radii.
const HAIR_EDGE: f32 = 0.1;

/// Draws a photo in driven poses.
pub struct MeshRenderer {
    photo: Arc<RgbImage>,
    mesh: SourceMesh,
    /// `None`: the background moves with the head.
    layers: Option<Layers>,
    /// Of a person in layers whose photo shows one side of the face better.
    other_side: Option<OtherSide>,
    /// Where lips part; `None`: where landmarks say.
    lip_line: Option<LipLine>,
    background: Background,
    inside: Inside,
    mouth: MouthInterior,
    eyes: EyePaint,
    /// What is made up gets as much grain as the photo's skin has.
    grain: Grain,
    warp: MeshWarp,
    /// The landmarks of the frame that was drawn last.
    driven: Landmarks,
    /// How much of each pixel that moves is a painted eye, 0..255.
    eye_shares: Vec<u8>,
    /// `[height * width]` of the view: how much of each pixel the person covers, 0..255.
    covered: Vec<u8>,
    stage: Option<Stage>,
    /// Kept from frame to frame.
    touches: Vec<Touch>,
    edges: Vec<((usize, usize), [u8; 4])>,
}

/// A row of the part of a frame that moves, for [`MeshRenderer::retouch`].
pub struct MovingRow<'a> {
    stage: &'a Stage,
    y: usize,
    flow: &'a [[f32; 2]],
    /// What is behind the person.
    behind: &'a [[u8; 3]],
    /// How much of each pixel the person covers, 0..255; without a matte, all of it.
    pub covered: &'a [u8],
    /// How much of each pixel is a painted eye or a lid that shuts, 0..255.
    pub eyes: &'a [u8],
    /// Colours, as drawn.
    pub pixels: &'a mut [[u8; 3]],
}

impl MovingRow<'_> {
    /// The centre of a pixel, photo pixels.
    pub fn centre(&self, x: usize) -> Vector2<f32> {
        self.stage.window_view.to_photo(Vector2::new(x as f32 + 0.5, self.y as f32 + 0.5))
    }

    /// The photo's colours at `moves` (photo pixels) from where the pixels from `first` on come from, over what is behind the
    /// person here.
    pub fn photo(&self, first: usize, moves: &[[f32; 2]], colours: &mut [[u8; 3]], covered: &mut [u8]) {
        let view = &self.stage.view;
        let per_photo_pixel = view.scale().map(f32::recip);
        let positions = self.flow[first..].iter().zip(moves).map(|(&[x, y], &[dx, dy])| {
            Vector2::new(x + dx - view.left, y + dy - view.top).component_mul(&per_photo_pixel)
        });
        colours.copy_from_slice(&self.behind[first..][..colours.len()]);
        self.stage.texture.sample(positions, colours, covered);
    }
}

impl MeshRenderer {
    /// Prepares a photo whose face has the given landmarks (photo pixels).
    pub fn new(photo: Arc<RgbImage>, landmarks: &Landmarks) -> Self {
        let mesh = SourceMesh::new(photo.dimensions(), landmarks);
        let mouth = MouthInterior::new(&photo, &mesh);
        let eyes = EyePaint::new(&photo, mesh.landmarks(), mesh.pose().scale);
        let grain = Grain::of_face(&photo, mesh.landmarks());
        Self {
            photo,
            mesh,
            layers: None,
            other_side: None,
            lip_line: None,
            background: Background::default(),
            inside: Inside { eyes: true, mouth: Mouth::Interior },
            mouth,
            eyes,
            grain,
            warp: MeshWarp::default(),
            driven: landmarks.clone(),
            eye_shares: Vec::new(),
            covered: Vec::new(),
            stage: None,
            touches: Vec::new(),
            edges: Vec::new(),
        }
    }

    /// The same with the person as a layer of its own, whose matte this is, of the photo's size: the background rests, hair keeps
    /// its shape.
    ///
    /// # Panics
    /// When the matte has another size, or the photo a side of 65,535 pixels or more.
    #[must_use]
    pub fn with_matte(self, matte: &Matte) -> Self {
        assert_eq!(matte.alpha.dimensions(), self.photo.dimensions(), "a matte of the photo's size");
        assert!(
            self.photo.width().max(self.photo.height()) < u32::from(u16::MAX),
            "a photo that fits into memory"
        );
        let landmarks = self.mesh.landmarks();
        let layers = Layers::new(&self.photo, matte.alpha.clone(), landmarks);
        let lip_line = LipLine::of(&self.photo, landmarks, self.mesh.pose());
        let landmarks = lip_line.applied(landmarks, self.mesh.pose());
        let mesh = SourceMesh::of_head(self.photo.dimensions(), &landmarks, Some(&layers.alpha));
        let mouth = MouthInterior::new(&self.photo, &mesh);
        let other_side = OtherSide::new(&self.photo, &landmarks, mesh.pose());
        Self { mesh, mouth, layers: Some(layers), lip_line: Some(lip_line), other_side, stage: None, ..self }
    }

    /// The same with another background behind the person. Needs [a matte](Self::with_matte): without one the photo is all one.
    #[must_use]
    pub fn with_background(self, background: Background) -> Self {
        Self { background, stage: None, ..self }
    }

    /// The same with eyes and mouth as networks were shown them: eyes as the warp makes them, in the mouth a band of teeth, or
    /// nothing.
    #[must_use]
    pub fn as_networks_see(self, painted_mouth: bool) -> Self {
        let under = self.under_network(painted_mouth);
        Self { inside: Inside { eyes: false, ..under.inside }, ..under }
    }

    /// The same with painted eyes, but a mouth as networks were shown it, for them to correct.
    #[must_use]
    pub fn under_network(self, painted_mouth: bool) -> Self {
        let band = painted_mouth.then(|| MouthPaint::new(&self.photo, self.mesh.landmarks()));
        Self { inside: Inside { eyes: true, mouth: Mouth::Band(band) }, ..self }
    }

    /// The part of the photo that can change; outside it every frame equals the photo, but for another background.
    pub fn region(&self) -> MotionRegion {
        self.mesh.region()
    }

    /// The head in the frame that was drawn last; before the first one, in the photo.
    pub fn pose(&self) -> &HeadPose {
        self.warp.pose.as_ref().unwrap_or(self.mesh.pose())
    }

    /// The photo's mesh, for warps of one's own.
    pub fn mesh(&self) -> &SourceMesh {
        &self.mesh
    }

    /// Draws the frame in which the face has the landmarks `driving` (pixels, in the photo's frame).
    ///
    /// `out` takes the view's size if it has another. What does not move is the same in every frame, and where the
    /// view shows the photo pixel for pixel, before its own background, it is the photo's. The first frame of a view prepares it; frames of the
    /// same view after it allocate next to nothing. A view of no pixels or of no area gives an empty picture.
    pub fn render(&mut self, driving: &Landmarks, view: &View, out: &mut RgbImage) {
        self.draw(driving, view, out);
        self.finish(out);
    }

    /// [`render`](MeshRenderer::render) without its last touches: corrections must come before these.
    pub fn draw(&mut self, driving: &Landmarks, view: &View, out: &mut RgbImage) {
        if !is_drawable(view) {
            *out = RgbImage::new(view.width as u32, view.height as u32);
            self.stage = None;
            self.covered.clear();
            self.covered.resize(view.width * view.height, 0);
            return;
        }
        let stage = match self.stage.take() {
            Some(stage) if stage.view == *view => stage,
            _ => Stage::new(&self.photo, self.layers.as_ref(), self.background, &self.mesh, view),
        };
        if out.dimensions() != (view.width as u32, view.height as u32) {
            *out = RgbImage::new(view.width as u32, view.height as u32);
        }
        out.copy_from_slice(stage.still(&self.photo));
        stage.cover(&mut self.covered);
        if stage.moves() {
            self.driven = self.lips_parted(driving).into_owned();
            self.mesh.warp(&self.driven, &stage.window_view, &mut self.warp);
            if let Some(other) = &self.other_side {
                self.mesh.reveal(other, &stage.window_view, &mut self.warp);
            }
            let [mut covered, mut eyes] = [&mut self.covered, &mut self.eye_shares].map(std::mem::take);
            eyes.clear();
            eyes.resize(self.warp.width * self.warp.height, 0);
            self.compose(&stage, out, &mut covered, &mut eyes);
            (self.covered, self.eye_shares) = (covered, eyes);
        }
        self.stage = Some(stage);
    }

    /// Gives `out`, the frame that was drawn last, its last touches: skin without streaks, and mixed colours of what covers
    /// and of what is covered along the face's outline and the lids.
    pub fn finish(&mut self, out: &mut RgbImage) {
        let Self { mesh, grain, warp, stage: Some(stage), touches, edges, covered, .. } = self else {
            return;
        };
        if !stage.moves() {
            return;
        }
        let (column, row) = stage.window;
        let at = |(x, y): (usize, usize)| ((column + x) as u32, (row + y) as u32);
        let colour = |out: &RgbImage, position: (usize, usize)| {
            let (x, y) = at(position);
            out.get_pixel(x, y).0
        };
        let put = |touches: &mut Vec<Touch>, out: &mut RgbImage| {
            for (position, colour) in touches.drain(..) {
                let (x, y) = at(position);
                out.put_pixel(x, y, Rgb(colour));
            }
        };
        let undriven = mesh.undriven(warp.pose.as_ref().unwrap_or(mesh.pose()));
        let lighter = |(x, y): (usize, usize)| {
            let place = stage.window_view.to_photo(Vector2::new(x as f32 + 0.5, y as f32 + 0.5));
            1.0 + grain.at(undriven(place))
        };
        let scale = stage.view.scale();
        touches.par_extend(mixed_streaks(warp, scale, |position| colour(out, position), lighter));
        put(touches, out);
        for mask in [&warp.face, &warp.eyes] {
            // With how much of the pixel is covered, which is mixed likewise.
            let drawn = |position| {
                let ([r, g, b], (x, y)) = (colour(out, position), at(position));
                [r, g, b, covered[y as usize * stage.view.width + x as usize]]
            };
            edges.extend(soft_edge(warp, mask, scale.max(), drawn));
            for (position, [r, g, b, share]) in edges.drain(..) {
                let (x, y) = at(position);
                out.put_pixel(x, y, Rgb([r, g, b]));
                covered[y as usize * stage.view.width + x as usize] = share;
            }
        }
    }

    /// Changes the frame that [`draw`](MeshRenderer::draw) drew last, row by row of what moves. `change` also gets room of its own
    /// that a thread keeps from row to row.
    pub fn retouch<S: Default>(&self, out: &mut RgbImage, change: impl Fn(&mut S, MovingRow) + Sync) {
        let Some(stage) = self.stage.as_ref().filter(|stage| stage.moves()) else { return };
        let (warp, (column, row)) = (&self.warp, stage.window);
        let line = 3 * stage.view.width;
        let still = stage.still(&self.photo).par_chunks_exact(line).skip(row);
        let covered = self.covered.par_chunks_exact(stage.view.width).skip(row);
        let rows = out.par_chunks_exact_mut(line).skip(row).take(warp.height).zip(still).zip(covered);
        rows.enumerate().with_min_len(8).for_each_init(
            S::default,
            |room, (y, ((pixels, still), covered))| {
                let flow = &warp.flow[y * warp.width..(y + 1) * warp.width];
                let (pixels, _) = pixels[3 * column..][..3 * warp.width].as_chunks_mut::<3>();
                let (behind, _) = still[3 * column..][..3 * warp.width].as_chunks::<3>();
                let covered = &covered[column..][..warp.width];
                let eyes = &self.eye_shares[y * warp.width..(y + 1) * warp.width];
                change(room, MovingRow { stage, y, flow, behind, covered, eyes, pixels });
            },
        );
    }

    /// `[height * width]` of the view: how much of each pixel of the frame that was drawn last the person covers, 0..255; `None`
    /// without [a matte](Self::with_matte).
    pub fn alpha(&self) -> Option<&[u8]> {
        self.layers.as_ref().map(|_| &self.covered[..])
    }

    /// The landmarks that a frame shows whose face is to be at `driving`: with [a matte](Self::with_matte), the lips part where the
    /// photo's lips meet, if landmarks see that line a little off.
    pub fn lips_parted<'a>(&'a self, driving: &'a Landmarks) -> Cow<'a, Landmarks> {
        match &self.lip_line {
            Some(line) if self.mesh.is_drivable(driving) => {
                Cow::Owned(line.applied(driving, &HeadPose::fit(driving)))
            }
            _ => Cow::Borrowed(self.mesh.drawn(driving)),
        }
    }

    /// Draws the inside of the mouth of the frame that was drawn last, apart from it; empty where lips are shut.
    pub fn mouth(&self, picture: &mut MouthPicture) {
        picture.clear();
        let Some(stage) = self.stage.as_ref().filter(|stage| stage.moves()) else { return };
        let pixel = stage.view.scale().max();
        if let Some(mouth) = self.mouth.open(&self.warp, &self.driven, pixel) {
            picture.draw(&mouth, &self.warp, stage);
        }
    }

    /// Fills `planes` with what is where in the frame that was drawn last; without [a matte](Self::with_matte) everything is person, and nothing hair.
    pub fn labels(&self, planes: &mut LabelPlanes) {
        let Some(stage) = &self.stage else { return planes.clear(0, 0) };
        planes.clear(stage.view.width, stage.view.height);
        planes.plane_mut(Label::Matte).copy_from_slice(&self.covered);
        let (Some(pose), true) = (&self.warp.pose, stage.moves()) else { return };
        let driving = &self.driven;
        let frame = self.layers.as_ref().map(|_| HeadFrame::new(driving, pose));
        let mouth = self.mouth.open(&self.warp, driving, stage.view.scale().max());
        let rest = (self.mesh.landmarks(), self.mesh.pose().scale);
        let eyes = EyeLabels::of_eyes(rest, (driving, pose.scale));
        let warp = &self.warp;
        for (index, (&lips, (&lids, &face))) in
            warp.mouth.iter().zip(warp.eyes.iter().zip(&warp.face)).enumerate()
        {
            let (x, y) = (index % warp.width, index / warp.width);
            let pixel = (stage.window.1 + y) * stage.view.width + stage.window.0 + x;
            let place = stage.window_view.to_photo(Vector2::new(x as f32 + 0.5, y as f32 + 0.5));
            if let (Some(mouth), true) = (&mouth, lips > 0) {
                let share = f32::from(lips) / 255.0;
                let MouthLabels { upper_teeth, lower_teeth, gums, tongue, cavity } =
                    mouth.at(place, |at| stage.photo_at(at)).labels;
                planes.put(Label::UpperTeeth, pixel, share * upper_teeth);
                planes.put(Label::LowerTeeth, pixel, share * lower_teeth);
                planes.put(Label::Gums, pixel, share * gums);
                planes.put(Label::Tongue, pixel, share * tongue);
                planes.put(Label::Cavity, pixel, share * cavity);
            }
            if face > 0 {
                let [right, left] = [0, 1].map(|i| eyes[i].at(place, f32::from(lids) / 255.0));
                let near = if eyes[0].is_near(place) { right } else { left };
                planes.put(Label::Iris, pixel, near.iris);
                planes.put(Label::White, pixel, near.white);
                planes.put(Label::Lid, pixel, near.lid);
            }
            if let Some(frame) = &frame {
                let place = frame.place(place);
                let beyond = (HeadFrame::radius(place) - self.mesh.reach()) / HAIR_EDGE;
                let above = (place.y - frame.chin) / HAIR_EDGE;
                let head = smoothstep(above.clamp(0.0, 1.0)) * (1.0 - smoothstep(beyond.clamp(0.0, 1.0)));
                let covered = f32::from(self.covered[pixel]) * f32::from(255 - face) / (255.0 * 255.0);
                planes.put(Label::Hair, pixel, covered * head);
            }
        }
    }

    /// Samples the texture along the flow and paints eyes and mouth, row by row.
    fn compose(&self, stage: &Stage, out: &mut RgbImage, covered: &mut [u8], eye_shares: &mut [u8]) {
        let (warp, driving) = (&self.warp, &self.driven);
        let mouth = self.mouth.open(warp, driving, stage.view.scale().max());
        let eyes = warp.pose.as_ref().map(|pose| self.eyes.drive(driving, pose.scale));
        let (column, row) = stage.window;
        let line = 3 * stage.view.width;
        let per_photo_pixel = stage.view.scale().map(f32::recip);
        let rows = out.par_chunks_exact_mut(line).skip(row).take(warp.height);
        let covered = covered.par_chunks_exact_mut(stage.view.width).skip(row);
        let rows = rows.zip(covered).zip(eye_shares.par_chunks_exact_mut(warp.width));
        rows.enumerate().with_min_len(8).for_each_init(
            Room::default,
            |room, (y, ((pixels, covered), eye_shares))| {
                let at = y * warp.width..(y + 1) * warp.width;
                let pixels = pixels[3 * column..].as_chunks_mut::<3>().0;
                let positions = warp.flow[at.clone()].iter().map(|&[x, y]| {
                    Vector2::new(x - stage.view.left, y - stage.view.top).component_mul(&per_photo_pixel)
                });
                stage.texture.sample(positions, pixels, &mut covered[column..]);
                let mut row = Row { stage, warp, y, pixels, eyes: eye_shares };
                self.other_side.iter().for_each(|other| row.reveal(other, room));
                if self.inside.eyes {
                    eyes.iter().flatten().for_each(|eye| row.paint_eye(eye, &self.grain));
                }
                match &self.inside.mouth {
                    Mouth::Interior => mouth.iter().for_each(|mouth| row.paint_mouth(mouth)),
                    Mouth::Band(Some(band)) => row.paint_band(band, self.mesh.mouth()),
                    Mouth::Band(None) => {}
                }
            },
        );
    }
}
