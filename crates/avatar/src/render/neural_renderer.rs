//! The neural renderer: the mesh renderer's frame, corrected by the `portrait` network (DESIGN.md §1).
//!
//! The mesh moves the photo at the photo's own resolution. The network sees 256x256 pixels of that
//! ([`network_input`](gioconda_model::network_input)) and answers with a residual flow, a blend mask and a colour for each of
//! them. These are enlarged, not the picture: where the mask says so, the frame stays the sharp photo.
//!
//! `frame = m · photo(flow₀ + Δflow) + (1 - m) · tanh(colour + atanh(photo(flow₀)))`
//!
//! where bright channels are darkened as the others are ([`blend`]). Where the person is a layer, `photo` is that layer over what
//! is behind; the network changes nothing outside of it, and little of a head that has gone far ([`confinement`]). Inside the mouth
//! it keeps the light, and geometry draws the teeth ([`mouth`]).
//!
//! The mouth that [`MeshRenderer`] paints where a photo shows none is there for networks that were trained to paint
//! on it ([`GeneratorConfig::painted_mouth`](gioconda_model::GeneratorConfig::painted_mouth)), and left out for others.
//! Eyes are geometry's alone: painted, they are as near to the truth as corrected ones, and sharper.

mod blend;
mod confinement;
mod mouth;
mod tone;

use gioconda_face::{Landmarks, Region};
use gioconda_kernels::simd::{SimdOp, tanh};
use gioconda_model::PreparedGenerator;
use gioconda_model::network_input::{NetworkInput, NetworkPhoto, cropped, cropped_landmarks, network_crop};
use gioconda_warp::{Background, MeshRenderer, MouthPicture, MovingRow, View};
use image::RgbImage;
use nalgebra::Vector2;

use crate::Error;
use crate::render::canvas::Canvas;
use crate::render::renderer::Painter;
use blend::{Along, Between, Blend, Correction};
use confinement::Confinement;
use mouth::MouthBlend;
use tone::Tone;

/// Towards the border of the network's square its corrections fade over this share of the side: what lies beyond it
/// is not corrected.
const FADE: f32 = 0.06;

/// Paints one window of one canvas with mesh and network. The network is the person's, and shared by all canvases.
pub(crate) struct NeuralRenderer {
    mesh: MeshRenderer,
    /// For networks that learned on a painted one.
    mouth: Option<MouthPicture>,
    mouth_blend: MouthBlend,
    view: View,
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
    photo: NetworkPhoto,
}

impl NeuralRenderer {
    /// Prepares a canvas for a person's network.
    pub(crate) fn new(canvas: &Canvas, background: Background, network: &PreparedGenerator) -> Self {
        let (size, painted_mouth) = (network.config().resolution, network.config().painted_mouth);
        let region = network_crop(&canvas.landmarks, canvas.picture.dimensions());
        let photo = cropped(&canvas.picture, &region, size as u32);
        let tone = Tone::of(&photo);
        let mesh = canvas.mesh_renderer().with_background(background);
        // Lips part in the same place for both.
        let landmarks = cropped_landmarks(mesh.mesh().landmarks(), &region, size as u32);
        let photo = NetworkPhoto::new(photo, &landmarks, painted_mouth);
        Self {
            mesh: mesh.under_network(painted_mouth),
            mouth: painted_mouth.then(MouthPicture::default),
            mouth_blend: MouthBlend::default(),
            view: canvas.window.view(),
            tone,
            crop: Crop { region, photo },
            input: NetworkInput::new(size),
            corrections: Corrections { size, pixels: Vec::new() },
        }
    }
}

impl Painter<PreparedGenerator> for NeuralRenderer {
    fn paint(
        &mut self,
        network: &mut PreparedGenerator,
        driving: &Landmarks,
        frame: &mut RgbImage,
    ) -> Result<(), Error> {
        // A frame is a hundred short parallel loops: from inside the pool they start without waking a thread each.
        rayon::scope(|_| self.paint_within_pool(network, driving, frame))
    }

    fn alpha(&self) -> Option<&[u8]> {
        self.mesh.alpha()
    }
}

impl NeuralRenderer {
    fn paint_within_pool(
        &mut self,
        network: &mut PreparedGenerator,
        driving: &Landmarks,
        frame: &mut RgbImage,
    ) -> Result<(), Error> {
        let Self { mesh, mouth, mouth_blend, view, crop, input, corrections, tone } = self;
        let Crop { region, photo } = crop;
        let in_crop = cropped_landmarks(&mesh.lips_parted(driving), region, input.size() as u32);
        rayon::join(|| mesh.draw(driving, view, frame), || input.draw(photo, &in_crop));
        let output = network.run(input.channels());
        if output.iter().any(|value| !value.is_finite()) {
            return Err(Error::NotFinite);
        }
        corrections.take(output);

        let place = Place {
            region: *region,
            confinement: Confinement::new(mesh.mesh().pose(), mesh.pose()),
            tone: tone.as_ref(),
        };
        let corrections = &*corrections;
        mesh.retouch(frame, |room, mut row| corrections.apply(&place, room, &mut row));
        if let Some(mouth) = mouth {
            mesh.mouth(mouth);
            mouth_blend.lay(mouth, frame);
        }
        mesh.finish(frame);
        Ok(())
    }
}

/// What the network wants changed, pixel by pixel of its square.
struct Corrections {
    size: usize,
    /// `[size * size]`
    pixels: Vec<Correction>,
}

/// Where a frame is corrected.
struct Place<'a> {
    /// Where the network's square lies on the canvas.
    region: Region,
    confinement: Confinement,
    tone: Option<&'a Tone>,
}

/// What one row of a frame needs, kept from row to row.
#[derive(Default)]
struct Room {
    /// The corrections at the row's height.
    line: Vec<Correction>,
    /// Those of every pixel.
    pixels: Vec<Correction>,
    /// Their residual flows, photo pixels.
    moves: Vec<[f32; 2]>,
    /// The photo along these.
    warped: Vec<[u8; 3]>,
    /// How much of each the person covers.
    covered: Vec<u8>,
    /// The row as the mesh drew it.
    drawn: Vec<[u8; 3]>,
}

impl Corrections {
    /// Takes over the network's `[6, size, size]` output and lets it fade towards the border.
    fn take(&mut self, output: &mut [f32]) {
        let plane = self.size * self.size;
        tanh(&mut output[3 * plane..]);
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
                0.0,
                channel(3) * strength,
                channel(4) * strength,
                channel(5) * strength,
                0.0,
            ];
        }
    }

    /// Corrects a row of a frame.
    fn apply(&self, place: &Place<'_>, room: &mut Room, row: &mut MovingRow) {
        let Place { region, confinement, tone } = place;
        let corner = region.to_picture(Vector2::zeros());
        let within = |x: usize| (row.centre(x) - corner) / region.size;
        let inside = |share: f32| share > 0.0 && share < 1.0;
        if row.pixels.is_empty() || !inside(within(0).y) {
            return;
        }
        let last = self.size - 1;
        let cell = |share: f32| {
            let at = (share * self.size as f32 - 0.5).clamp(0.0, last as f32);
            (at as usize, (at as usize + 1).min(last), at.fract())
        };
        let Room { line, pixels, moves, warped, covered, drawn } = room;
        let (above, below, down) = cell(within(0).y);
        let [above, below] = [above, below].map(|y| &self.pixels[y * self.size..][..self.size]);
        line.resize(self.size, [0.0; 8]);
        Between { above, below, share: down, line }.dispatch();

        let shares = (0..row.pixels.len()).map(|x| within(x).x);
        let first = shares.clone().take_while(|share| *share <= 0.0).count();
        let width = shares.skip(first).take_while(|share| inside(*share)).count();
        pixels.resize(width, [0.0; 8]);
        moves.resize(width, [0.0; 2]);
        warped.resize(width, [0; 3]);
        // Along a row places are evenly spaced.
        let [start, next] = [first, first + 1].map(|x| within(x).x * self.size as f32);
        let reach = region.size / 2.0;
        Along { line, start: start - 0.5, step: next - start, reach, pixels, moves }.dispatch();
        covered.resize(width, 0);
        row.photo(first, moves, warped, covered);
        drawn.clear();
        drawn.extend_from_slice(&row.pixels[first..][..width]);
        let corrected = &mut row.pixels[first..][..width];
        Blend { corrections: pixels, warped, tone: *tone, row: corrected }.dispatch();
        let [start, next] = [first, first + 1].map(|x| row.centre(x));
        for (x, drawn) in drawn.iter().enumerate() {
            let at = first + x;
            let share = confinement.at(start + (next - start) * x as f32, row.covered[at]);
            let share = share * (1.0 - f32::from(row.eyes[at]) / 255.0);
            for (value, &drawn) in row.pixels[at].iter_mut().zip(drawn) {
                let drawn = f32::from(drawn);
                *value = (drawn + (f32::from(*value) - drawn) * share + 0.5) as u8;
            }
        }
    }
}
