//! What is painted inside eyes and mouth, a row at a time.

use nalgebra::Vector2;

use super::stage::Stage;
use crate::aperture::Aperture;
use crate::eye_paint::{Drawn, DrivenEye};
use crate::grain::Grain;
use crate::mouth_interior::{MouthPixel, OpenMouth};
use crate::mouth_paint::MouthPaint;
use crate::share::to_byte;
use crate::source_mesh::MeshWarp;

/// A pixel that paint changes by as much as this, levels, is painted wholly.
const PAINTED: f32 = 6.0;

/// What is painted over the warp.
pub(super) struct Inside {
    pub(super) eyes: bool,
    pub(super) mouth: Mouth,
}

/// What is painted in the mouth.
pub(super) enum Mouth {
    /// Teeth, gums, tongue, and the dark behind them.
    Interior,
    /// What networks were shown: a band of teeth, or nothing.
    Band(Option<MouthPaint>),
}

/// A row of the part of a frame that moves, as the warp drew it.
pub(super) struct Row<'a> {
    pub(super) stage: &'a Stage,
    pub(super) warp: &'a MeshWarp,
    pub(super) y: usize,
    pub(super) pixels: &'a mut [[u8; 3]],
    /// How much of each pixel is a painted eye, 0..255.
    pub(super) eyes: &'a mut [u8],
}

impl Row<'_> {
    /// The centre of a pixel, photo pixels.
    fn centre(&self, x: usize) -> Vector2<f32> {
        self.stage.window_view.to_photo(Vector2::new(x as f32 + 0.5, self.y as f32 + 0.5))
    }

    pub(super) fn paint_eye(&mut self, eye: &DrivenEye<'_>, grain: &Grain) {
        let first = self.y * self.warp.width;
        for x in eye.columns(&self.stage.window_view, self.y, self.warp.width) {
            let (pixel, position) = (first + x, self.centre(x));
            let drawn = Drawn {
                position,
                source: self.warp.flow[pixel].into(),
                between: f32::from(self.warp.eyes[pixel]) / 255.0,
                face: f32::from(self.warp.face[pixel]) / 255.0,
                grain: grain.at(position),
            };
            let before = self.pixels[x];
            eye.paint(&drawn, &mut self.pixels[x]);
            let changes = before.iter().zip(&self.pixels[x]).map(|(before, now)| before.abs_diff(*now));
            let painted = f32::from(changes.max().unwrap_or(0)) / PAINTED;
            self.eyes[x] = self.eyes[x].max(to_byte(eye.share(&drawn).max(painted)));
        }
    }

    pub(super) fn paint_mouth(&mut self, mouth: &OpenMouth<'_>) {
        for (x, covered) in mouth_pixels(self.warp, self.y) {
            let MouthPixel { colour, share, .. } = mouth.at(self.centre(x), |at| self.stage.photo_at(at));
            let share = share * covered;
            for (pixel, colour) in self.pixels[x].iter_mut().zip(colour) {
                let below = f32::from(*pixel);
                *pixel = (below + (colour - below) * share + 0.5).clamp(0.0, 255.0) as u8;
            }
        }
    }

    /// `photo`: the photo's own mouth.
    pub(super) fn paint_band(&mut self, band: &MouthPaint, photo: &Aperture) {
        let Some(opening) = &self.warp.opening else { return };
        for (x, covered) in mouth_pixels(self.warp, self.y) {
            let position = self.centre(x);
            let sample = |at| self.stage.photo_at(at);
            band.paint(photo, opening, position, covered, &mut self.pixels[x], sample);
        }
    }
}

/// The pixels of a row between the lips: columns, and how much of each lies there, 0..1.
pub(super) fn mouth_pixels(warp: &MeshWarp, y: usize) -> impl Iterator<Item = (usize, f32)> + '_ {
    let row = warp.mouth[y * warp.width..(y + 1) * warp.width].iter().enumerate();
    row.filter(|(_, covered)| **covered > 0).map(|(x, &covered)| (x, f32::from(covered) / 255.0))
}

/// The painted inside of a mouth, apart from its frame.
#[derive(Clone, Debug, Default)]
pub struct MouthPicture {
    /// Each pixel's column and row in the frame.
    pub places: Vec<(u32, u32)>,
    /// Its colour: red, green, blue, 0..255.
    pub colours: Vec<[f32; 3]>,
    /// How much of the frame's pixel it covers, 0..1.
    pub shares: Vec<f32>,
    /// Pixels per centimetre of the head.
    pub scale: f32,
}

impl MouthPicture {
    pub(super) fn clear(&mut self) {
        self.places.clear();
        self.colours.clear();
        self.shares.clear();
    }

    /// Draws it: `mouth` as `warp` shows it in `stage`, whose window it is drawn in.
    pub(super) fn draw(&mut self, mouth: &OpenMouth<'_>, warp: &MeshWarp, stage: &Stage) {
        self.clear();
        let (column, row) = stage.window;
        for y in 0..warp.height {
            for (x, covered) in mouth_pixels(warp, y) {
                let position = stage.window_view.to_photo(Vector2::new(x as f32 + 0.5, y as f32 + 0.5));
                let MouthPixel { colour, share, .. } = mouth.at(position, |at| stage.photo_at(at));
                self.places.push(((column + x) as u32, (row + y) as u32));
                self.colours.push(colour);
                self.shares.push(share * covered);
            }
        }
        let pixels_per_photo_pixel = stage.view.scale().max().recip();
        self.scale = warp.pose.as_ref().map_or(1.0, |pose| pose.scale * pixels_per_photo_pixel);
    }
}
