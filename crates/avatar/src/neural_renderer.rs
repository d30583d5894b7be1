//! The neural renderer: the mesh renderer's frame, corrected by the `portrait` network (DESIGN.md §1).
//!
//! The mesh moves the photo at the photo's own resolution. The network sees 128x128 pixels of that
//! ([`network_input`](crate::network_input)) and answers with a residual flow, a blend mask and a colour for each of
//! them. These are enlarged, not the picture: where the mask says so, the frame stays the sharp photo.
//!
//! `frame = m · photo(flow₀ + Δflow) + (1 - m) · tanh(colour + atanh(photo(flow₀)))`
//!
//! The mouth that [`MeshRenderer`] paints where a photo shows none is left out: networks are trained on the bare warp.

mod personal_network;
mod session;
mod tone;

use std::sync::Arc;

use gioconda_face::warp::{SourceMesh, View};
use gioconda_face::{Landmarks, Region};
use image::RgbImage;
use nalgebra::Vector2;

use crate::Error;
use crate::canvas::Canvas;
use crate::mesh_renderer::{MeshRenderer, MovingRow};
use crate::network_input::{NetworkInput, cropped, cropped_landmarks, network_crop};
use crate::renderer::Renderer;
pub(crate) use personal_network::check_sizes;
pub use personal_network::{PersonalNetwork, PortraitWeights, Tuning};
pub(crate) use session::Session;
use tone::Tone;

/// Colours are kept this far from ±1, where atanh is infinite (`gioconda_networks::compose`).
const COLOUR_MARGIN: f32 = 1e-4;

/// Towards the border of the network's square its corrections fade over this share of the side: what lies beyond it
/// is not corrected.
const FADE: f32 = 0.06;

/// Residual flows below this many pixels of the photo change nothing.
const SMALLEST_FLOW: f32 = 0.01;

/// Paints one window of one canvas with mesh and network.
pub struct NeuralRenderer {
    mesh: MeshRenderer,
    view: View,
    network: Arc<Session>,
    crop: Crop,
    input: NetworkInput,
    corrections: Corrections,
    /// Of a photo that is not in colour, and is to stay so.
    tone: Option<Tone>,
}

/// The square that the network sees, at its resolution.
struct Crop {
    /// Where it lies, canvas pixels.
    region: Region,
    photo: RgbImage,
    mesh: SourceMesh,
}

impl NeuralRenderer {
    /// Prepares a canvas for a person's network.
    pub(crate) fn new(canvas: &Canvas, network: Arc<Session>) -> Self {
        let size = network.size();
        let region = network_crop(&canvas.landmarks, canvas.picture.dimensions());
        let photo = cropped(&canvas.picture, &region, size as u32);
        let landmarks = cropped_landmarks(&canvas.landmarks, &region, size as u32);
        let mesh = SourceMesh::new(photo.dimensions(), &landmarks);
        Self {
            mesh: MeshRenderer::new(Arc::clone(&canvas.picture), &canvas.landmarks).without_painted_mouth(),
            view: canvas.window.view(),
            network,
            tone: Tone::of(&photo),
            crop: Crop { region, photo, mesh },
            input: NetworkInput::new(size),
            corrections: Corrections { size, pixels: Vec::new() },
        }
    }
}

impl Renderer for NeuralRenderer {
    fn render(&mut self, driving: &Landmarks, frame: &mut RgbImage) -> Result<(), Error> {
        self.mesh.render(driving, &self.view, frame);
        let Crop { region, photo, mesh } = &self.crop;
        let size = self.input.size();
        self.input.draw(photo, mesh, &cropped_landmarks(driving, region, size as u32));
        let output = self.network.run(self.input.channels())?;
        self.corrections.take(&output);

        let (corrections, region, tone) = (&self.corrections, *region, self.tone.as_ref());
        self.mesh.retouch(frame, |room, mut row| corrections.apply(&region, tone, room, &mut row));
        Ok(())
    }
}

/// One pixel: the bare warp, the corrected warp, and a correction. What is painted keeps to `tone`.
fn blended(base: [u8; 3], warped: [u8; 3], correction: &[f32; 8], tone: Option<&Tone>) -> [u8; 3] {
    let &[_, _, mask, r, g, b, ..] = correction;
    let colour = [r, g, b];
    let painted: [f32; 3] = std::array::from_fn(|i| {
        let base = (f32::from(base[i]) / 127.5 - 1.0).clamp(COLOUR_MARGIN - 1.0, 1.0 - COLOUR_MARGIN);
        // tanh(a + b) from the tangents of a and b.
        ((colour[i] + base) / (1.0 + colour[i] * base) + 1.0) * 127.5
    });
    let painted = tone.map_or(painted, |tone| tone.colour(painted));
    std::array::from_fn(|i| {
        let value = painted[i] + mask * (f32::from(warped[i]) - painted[i]);
        (value + 0.5).clamp(0.0, 255.0) as u8
    })
}

/// What the network wants changed, pixel by pixel of its square.
struct Corrections {
    size: usize,
    /// `[size * size]` residual flow x, y in units of half the square; mask; tanh of the colour offset r, g, b; padded to a vector's length.
    pixels: Vec<[f32; 8]>,
}

/// What one row of a frame needs, kept from row to row.
#[derive(Default)]
struct Room {
    /// The corrections at the row's height.
    line: Vec<[f32; 8]>,
    /// Those of every pixel.
    pixels: Vec<[f32; 8]>,
    /// Their residual flows, photo pixels.
    moves: Vec<[f32; 2]>,
    /// The photo along these.
    warped: Vec<[u8; 3]>,
}

impl Corrections {
    /// Takes over the network's `[6, size, size]` output and lets it fade towards the border.
    fn take(&mut self, output: &[f32]) {
        let plane = self.size * self.size;
        self.pixels.resize(plane, [0.0; 8]);
        let to_border = |i: usize| {
            let share = (i as f32 + 0.5) / self.size as f32;
            (share.min(1.0 - share) / FADE).min(1.0)
        };
        for (index, pixel) in self.pixels.iter_mut().enumerate() {
            let strength = to_border(index % self.size) * to_border(index / self.size);
            let channel = |c: usize| output[c * plane + index];
            *pixel = [
                channel(0) * strength,
                channel(1) * strength,
                channel(2),
                channel(3).tanh() * strength,
                channel(4).tanh() * strength,
                channel(5).tanh() * strength,
                0.0,
                0.0,
            ];
        }
    }

    /// Corrects a row of a frame; `region` is where the square lies on the photo.
    fn apply(&self, region: &Region, tone: Option<&Tone>, room: &mut Room, row: &mut MovingRow) {
        let corner = region.to_picture(Vector2::zeros());
        let within = |x: usize| (row.centre(x) - corner) / region.size;
        let inside = |share: f32| share > 0.0 && share < 1.0;
        if row.pixels.is_empty() || !inside(within(0).y) {
            return;
        }
        let last = self.size - 1;
        let place = |share: f32| {
            let at = (share * self.size as f32 - 0.5).clamp(0.0, last as f32);
            (at as usize, (at as usize + 1).min(last), at.fract())
        };
        let Room { line, pixels, moves, warped } = room;
        let (above, below, down) = place(within(0).y);
        let lines = [above, below].map(|y| &self.pixels[y * self.size..][..self.size]);
        line.clear();
        line.extend(lines[0].iter().zip(lines[1]).map(|(a, b)| mixed(a, b, down)));

        let shares = (0..row.pixels.len()).map(|x| within(x).x);
        let first = shares.clone().take_while(|share| *share <= 0.0).count();
        pixels.clear();
        pixels.extend(shares.skip(first).take_while(|share| inside(*share)).map(|share| {
            let (left, right, across) = place(share);
            mixed(&line[left], &line[right], across)
        }));
        let reach = region.size / 2.0;
        moves.clear();
        moves.extend(pixels.iter().map(|[x, y, ..]| [x * reach, y * reach]));
        warped.resize(pixels.len(), [0; 3]);
        row.photo(first, moves, warped);
        for (((pixel, correction), [x, y]), warped) in
            row.pixels[first..].iter_mut().zip(pixels).zip(moves).zip(warped)
        {
            let moved = x.abs().max(y.abs()) >= SMALLEST_FLOW;
            *pixel = blended(*pixel, if moved { *warped } else { *pixel }, correction, tone);
        }
    }
}

fn mixed(a: &[f32; 8], b: &[f32; 8], share: f32) -> [f32; 8] {
    std::array::from_fn(|i| a[i] + (b[i] - a[i]) * share)
}
