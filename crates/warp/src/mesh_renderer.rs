//! The mesh renderer: a portrait driven by the face mesh alone, without a network.
//!
//! For each view of the photo everything that stands still is prepared once: the background at the view's
//! resolution, and a texture of the moving region on the same pixel grid. A frame then costs the warp of the
//! region, one bicubic sample per pixel, the interior of the mouth painted where the photo shows none, eyes as lids and light make
//! them (`eye_paint`), skin that is drawn out mixed across ([`streaks`]), and smooth edges where a turned cheek or a lid hides
//! something ([`silhouette`]).

mod silhouette;
mod streaks;
mod texture;
mod touch;

use std::sync::Arc;

use gioconda_face::Landmarks;
use image::{Rgb, RgbImage};
use nalgebra::Vector2;
use rayon::prelude::*;

use crate::dental_arch::DentalArch;
use crate::eye_paint::{Drawn, EyePaint};
use crate::grain::Grain;
use crate::mouth_paint::MouthPaint;
use crate::source_mesh::{MeshWarp, SourceMesh};
use crate::view::{MotionRegion, View};
use silhouette::soft_edge;
use streaks::mixed_streaks;
use texture::{Grid, Texture, resample};
use touch::Touch;

/// Draws a photo in driven poses.
pub struct MeshRenderer {
    photo: Arc<RgbImage>,
    mesh: SourceMesh,
    /// `None`: the mouth is left as the mesh makes it.
    mouth: Option<MouthPaint>,
    teeth: DentalArch,
    /// `None`: eyes are left as the mesh makes them.
    eyes: Option<EyePaint>,
    /// What is made up gets as much grain as the photo's skin has.
    grain: Grain,
    warp: MeshWarp,
    /// How much of each pixel that moves is the painted inside of the mouth, 0..255.
    painted: Vec<u8>,
    stage: Option<Stage>,
    /// Kept from frame to frame.
    touches: Vec<Touch>,
}

/// What a view shows when nothing moves, and what is needed to move it.
struct Stage {
    view: View,
    background: Background,
    texture: Texture,
    /// The part of the view that can move: its first column and row, and the view of just that part.
    window: (usize, usize),
    window_view: View,
}

/// A still picture of the view's size.
enum Background {
    /// The view is the photo.
    Photo,
    Resampled(RgbImage),
}

/// A row of the part of a frame that moves, for [`MeshRenderer::retouch`].
pub struct MovingRow<'a> {
    stage: &'a Stage,
    y: usize,
    flow: &'a [[f32; 2]],
    /// How much of each pixel is the painted inside of the mouth, 0..255.
    pub painted: &'a [u8],
    /// Colours, as drawn.
    pub pixels: &'a mut [[u8; 3]],
}

impl MovingRow<'_> {
    /// The centre of a pixel, photo pixels.
    pub fn centre(&self, x: usize) -> Vector2<f32> {
        self.stage.window_view.to_photo(Vector2::new(x as f32 + 0.5, self.y as f32 + 0.5))
    }

    /// The photo's colours at `moves` (photo pixels) from where the pixels from `first` on come from.
    pub fn photo(&self, first: usize, moves: &[[f32; 2]], colours: &mut [[u8; 3]]) {
        let view = &self.stage.view;
        let per_photo_pixel = view.scale().map(f32::recip);
        let positions = self.flow[first..].iter().zip(moves).map(|(&[x, y], &[dx, dy])| {
            Vector2::new(x + dx - view.left, y + dy - view.top).component_mul(&per_photo_pixel)
        });
        self.stage.texture.sample(positions, colours);
    }
}

impl MeshRenderer {
    /// Prepares a photo whose face has the given landmarks (photo pixels).
    pub fn new(photo: Arc<RgbImage>, landmarks: &Landmarks) -> Self {
        let mesh = SourceMesh::new(photo.dimensions(), landmarks);
        let mouth = Some(MouthPaint::new(&photo, mesh.landmarks()));
        let teeth = DentalArch::new(mesh.landmarks(), mesh.pose());
        let eyes = Some(EyePaint::new(&photo, mesh.landmarks(), mesh.pose().scale));
        let grain = Grain::of_face(&photo, mesh.landmarks());
        Self {
            photo,
            mesh,
            mouth,
            teeth,
            eyes,
            grain,
            warp: MeshWarp::default(),
            painted: Vec::new(),
            stage: None,
            touches: Vec::new(),
        }
    }

    /// The same without the mouth's inside painted where the photo shows none: lips are stretched over it instead.
    #[must_use]
    pub fn without_painted_mouth(self) -> Self {
        Self { mouth: None, ..self }
    }

    /// The same without eyes painted: lids, lashes and what was hidden between them are left as the mesh moves the photo. Networks
    /// that were trained on such eyes correct these.
    #[must_use]
    pub fn without_painted_eyes(self) -> Self {
        Self { eyes: None, ..self }
    }

    /// The part of the photo that can change; outside it every frame equals the photo.
    pub fn region(&self) -> MotionRegion {
        self.mesh.region()
    }

    /// The photo's mesh, for warps of one's own.
    pub fn mesh(&self) -> &SourceMesh {
        &self.mesh
    }

    /// Draws the frame in which the face has the landmarks `driving` (pixels, in the photo's frame).
    ///
    /// `out` takes the view's size if it has another. What does not move is the same in every frame, and where the
    /// view shows the photo pixel for pixel it is the photo's. The first frame of a view prepares it; frames of the
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
            return;
        }
        let stage = match self.stage.take() {
            Some(stage) if stage.view == *view => stage,
            _ => Stage::new(&self.photo, self.mesh.region(), view),
        };
        if out.dimensions() != (view.width as u32, view.height as u32) {
            *out = RgbImage::new(view.width as u32, view.height as u32);
        }
        let still = match &stage.background {
            Background::Photo => &self.photo,
            Background::Resampled(picture) => picture,
        };
        out.copy_from_slice(still);
        if stage.moves() {
            self.mesh.warp(driving, &stage.window_view, &mut self.warp);
            let mut painted = std::mem::take(&mut self.painted);
            self.compose(driving, &stage, out, &mut painted);
            self.painted = painted;
        }
        self.stage = Some(stage);
    }

    /// Gives `out`, the frame that was drawn last, its last touches: skin without streaks, and mixed colours of what covers
    /// and of what is covered along the face's outline and the lids.
    pub fn finish(&mut self, out: &mut RgbImage) {
        let Self { mesh, grain, warp, stage: Some(stage), touches, .. } = self else { return };
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
            touches.extend(soft_edge(warp, mask, scale.max(), |position| colour(out, position)));
            put(touches, out);
        }
    }

    /// Changes the frame that [`draw`](MeshRenderer::draw) drew last, row by row of what moves. `change` also gets room of its own
    /// that a thread keeps from row to row.
    pub fn retouch<S: Default>(&self, out: &mut RgbImage, change: impl Fn(&mut S, MovingRow) + Sync) {
        let Some(stage) = self.stage.as_ref().filter(|stage| stage.moves()) else { return };
        let (warp, (column, row)) = (&self.warp, stage.window);
        let rows = out.par_chunks_exact_mut(3 * stage.view.width).skip(row).take(warp.height);
        rows.enumerate().with_min_len(8).for_each_init(S::default, |room, (y, pixels)| {
            let flow = &warp.flow[y * warp.width..(y + 1) * warp.width];
            let (pixels, _) = pixels[3 * column..][..3 * warp.width].as_chunks_mut::<3>();
            let painted = &self.painted[y * warp.width..(y + 1) * warp.width];
            change(room, MovingRow { stage, y, flow, painted, pixels });
        });
    }

    /// Samples the texture along the flow and paints the mouth, row by row.
    fn compose(&self, driving: &Landmarks, stage: &Stage, out: &mut RgbImage, painted: &mut Vec<u8>) {
        let warp = &self.warp;
        painted.clear();
        painted.resize(warp.mouth.len(), 0);
        let pixel = stage.view.scale().max();
        let bite = warp.pose.as_ref().map(|pose| self.teeth.bite(pose, driving, pixel));
        let eyes = self.eyes.as_ref().zip(warp.pose.as_ref());
        let eyes = eyes.map(|(eyes, pose)| eyes.drive(self.mesh.drawn(driving), pose.scale));
        let (column, row) = stage.window;
        let line = 3 * stage.view.width;
        let per_photo_pixel = stage.view.scale().map(f32::recip);
        let rows = out.par_chunks_exact_mut(line).skip(row).take(warp.height);
        rows.zip(painted.par_chunks_exact_mut(warp.width)).enumerate().with_min_len(8).for_each(
            |(y, (pixels, painted))| {
                let at = y * warp.width..(y + 1) * warp.width;
                let pixels = pixels[3 * column..].as_chunks_mut::<3>().0;
                let positions = warp.flow[at.clone()].iter().map(|&[x, y]| {
                    Vector2::new(x - stage.view.left, y - stage.view.top).component_mul(&per_photo_pixel)
                });
                stage.texture.sample(positions, pixels);
                let sample = |at| stage.texture.sample_one(stage.view.to_output(at));
                for eye in eyes.iter().flatten() {
                    for x in eye.columns(&stage.window_view, y, warp.width) {
                        let pixel = at.start + x;
                        let position =
                            stage.window_view.to_photo(Vector2::new(x as f32 + 0.5, y as f32 + 0.5));
                        let drawn = Drawn {
                            position,
                            source: warp.flow[pixel].into(),
                            between: f32::from(warp.eyes[pixel]) / 255.0,
                            face: f32::from(warp.face[pixel]) / 255.0,
                            grain: self.grain.at(position),
                        };
                        eye.paint(&drawn, &mut pixels[x]);
                    }
                }
                let (Some(opening), Some(mouth)) = (&warp.opening, &self.mouth) else { return };
                for (x, &covered) in warp.mouth[at].iter().enumerate().filter(|(_, covered)| **covered > 0) {
                    let position = stage.window_view.to_photo(Vector2::new(x as f32 + 0.5, y as f32 + 0.5));
                    let share = f32::from(covered) / 255.0;
                    let share = mouth.paint(
                        self.mesh.mouth(),
                        opening,
                        position,
                        share,
                        &mut pixels[x],
                        Some(&self.grain),
                        bite.as_ref(),
                        sample,
                    );
                    painted[x] = (share * 255.0 + 0.5) as u8;
                }
            },
        );
    }
}

fn is_drawable(view: &View) -> bool {
    let lengths = [view.side_x, view.side_y];
    view.width > 0
        && view.height > 0
        && lengths.iter().all(|side| side.is_finite() && *side > 0.0)
        && view.left.is_finite()
        && view.top.is_finite()
}

impl Stage {
    /// Whether any pixel of the view can move.
    fn moves(&self) -> bool {
        self.window_view.width > 0 && self.window_view.height > 0
    }

    fn new(photo: &Arc<RgbImage>, region: MotionRegion, view: &View) -> Self {
        let (left, top) = (region.left as f32, region.top as f32);
        let from = view.to_output(Vector2::new(left, top));
        let to = view.to_output(Vector2::new(left + region.width as f32, top + region.height as f32));
        let background = if *view == View::whole(photo.width(), photo.height()) {
            Background::Photo
        } else {
            let whole = Grid { left: 0, top: 0, width: view.width, height: view.height };
            Background::Resampled(resample(photo, view, whole))
        };
        let pixel = |edge: f32, size: usize| (edge.max(0.0) as usize).min(size);
        let (first_column, first_row) =
            (pixel(from.x.floor(), view.width), pixel(from.y.floor(), view.height));
        let width = pixel(to.x.ceil(), view.width) - first_column;
        let height = pixel(to.y.ceil(), view.height) - first_row;
        let scale = view.scale();
        let corner = view.to_photo(Vector2::new(first_column as f32, first_row as f32));
        let window_view = View {
            left: corner.x,
            top: corner.y,
            side_x: width as f32 * scale.x,
            side_y: height as f32 * scale.y,
            width,
            height,
        };
        let (left, top) = (from.x.floor() as i64, from.y.floor() as i64);
        let grid = Grid {
            left,
            top,
            width: (to.x.ceil() as i64 - left).max(1) as usize,
            height: (to.y.ceil() as i64 - top).max(1) as usize,
        };
        let texture = Texture::new(photo, view, grid);
        Self { view: *view, background, texture, window: (first_column, first_row), window_view }
    }
}
