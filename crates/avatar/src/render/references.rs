//! Several photos of one person: which of them the face of a frame is painted from.
//!
//! The first photo is what is shown: its background, hair and clothes stay. The face comes from the two photos whose
//! pose, mouth and eyes are nearest to the frame's ([`choice`]), moved onto the first photo by whole pixels, their colours
//! matched, and blended in softly inside the oval of the face ([`oval`]). The nearest photos need the smallest warp,
//! and an open mouth or shut eyes that a photo really shows need not be made up.

mod choice;
mod oval;

use gioconda_face::topology::STILL_SKIN;
use gioconda_face::{HeadPose, Landmarks};
use gioconda_warp::{Background, Colour, patch};
use image::RgbImage;
use nalgebra::Vector2;

use crate::Error;
use crate::render::canvas::{Canvas, Window};
use crate::render::renderer::{Painter, Renderer};
use choice::{Choice, Posture};
use gioconda_model::Reference;
use oval::Oval;

/// Side of the square that is kept of a further photo, over the longer side of the face's box: enough for the mesh's
/// surroundings to move freely around the face.
pub(crate) const REFERENCE_CROP: f32 = 2.0;

/// Colour channels are brought to the first photo's brightness within these factors; beyond them the light is another
/// one, which no factor repairs.
const GAINS: (f32, f32) = (0.6, 1.6);

/// How unlike two pictures of one person are to the eye, in radians of turning the head: the measure by which the
/// nearest photo is chosen.
pub fn posture_distance(a: &Landmarks, b: &Landmarks) -> f32 {
    Posture::of(a).distance(&Posture::of(b))
}

/// Paints the first photo with the face of the nearest two.
pub(crate) struct ReferenceRenderer<S, P> {
    /// What the painters share.
    shared: S,
    shown: P,
    window: Window,
    choice: Choice,
    /// Every photo but the first.
    others: Vec<Prepared<P>>,
    oval: Oval,
}

/// A further photo at the scale of the canvas.
struct Prepared<P> {
    painter: P,
    /// The middle of the face's box, pixels of its own picture.
    centre: Vector2<f32>,
    /// `[3][256]` its colours, brought to the first photo's.
    colours: Box<[[u8; 256]; 3]>,
    picture: RgbImage,
}

impl<S, P> ReferenceRenderer<S, P> {
    /// Paints `canvas` with `prepare`'s painters, of the canvas itself before `background` and of one for each of `others`,
    /// of which nothing but the face is seen.
    pub(crate) fn new(
        canvas: &Canvas,
        background: Background,
        others: &[Reference],
        shared: S,
        prepare: impl Fn(&Canvas, Background, &S) -> P,
    ) -> Self {
        let head = HeadPose::fit(&canvas.landmarks).scale;
        let skin = skin_colour(&canvas.picture, &canvas.landmarks);
        let mut postures = vec![Posture::of(&canvas.landmarks)];
        let mut prepared = Vec::with_capacity(others.len());
        for reference in others {
            let own = own_canvas(reference, head);
            postures.push(Posture::of(&own.landmarks));
            prepared.push(Prepared {
                painter: prepare(&own, Background::Keep, &shared),
                centre: centre(&own.landmarks),
                colours: colour_table(skin, skin_colour(&own.picture, &own.landmarks)),
                picture: RgbImage::new(own.window.width, own.window.height),
            });
        }
        let (window, choice) = (canvas.window, Choice::new(postures));
        let shown = prepare(canvas, background, &shared);
        Self { shared, shown, window, choice, others: prepared, oval: Oval::default() }
    }
}

impl<S: Send, P: Painter<S>> Renderer for ReferenceRenderer<S, P> {
    fn render(&mut self, driving: &Landmarks, frame: &mut RgbImage) -> Result<(), Error> {
        self.shown.paint(&mut self.shared, driving, frame)?;
        let corner = Vector2::new(self.window.left as f32, self.window.top as f32);
        let in_frame = driving.scaled_and_shifted(1.0, -corner);
        self.oval.shape(&in_frame);
        for (index, share) in self.choice.next(driving) {
            // Photo 0 is the one that is shown.
            let Some(other) = self.others.get_mut(index - 1) else { continue };
            // By whole pixels, so that nothing is sampled twice.
            let shift = (centre(&in_frame) - other.centre).map(f32::round);
            if !shift.iter().all(|s| s.abs() < 1e6) {
                continue;
            }
            let moved = in_frame.scaled_and_shifted(1.0, -shift);
            other.painter.paint(&mut self.shared, &moved, &mut other.picture)?;
            let offset = (shift.x as i64, shift.y as i64);
            self.oval.blend(frame, &other.picture, offset, &other.colours, share);
        }
        Ok(())
    }

    fn alpha(&self) -> Option<&[u8]> {
        self.shown.alpha()
    }

    fn restart(&mut self) {
        self.choice.restart();
    }
}

/// The head of a photo, brought to `head` pixels per centimetre of the canonical face.
fn own_canvas(reference: &Reference, head: f32) -> Canvas {
    let scale = head / HeadPose::fit(&reference.landmarks).scale.max(f32::EPSILON);
    let Reference { photo, landmarks } = reference.head(REFERENCE_CROP).scaled(scale, LARGEST_SIDE);
    let (width, height) = photo.dimensions();
    let window = Window { left: 0, top: 0, width, height };
    Canvas { picture: photo, landmarks, matte: None, scale, origin: Vector2::zeros(), window }
}

/// A head as large as the largest output.
const LARGEST_SIDE: u32 = 4096;

fn centre(landmarks: &Landmarks) -> Vector2<f32> {
    let (low, high) = landmarks.bounds();
    (low + high) / 2.0
}

/// The colour of the skin, 0..255: the median, channel by channel, of the mean colours of 5x5 pixels around each point of
/// [`STILL_SKIN`]. A cheek that is turned away, or a strand of hair, does not darken it.
fn skin_colour(picture: &RgbImage, landmarks: &Landmarks) -> Colour {
    let colours = STILL_SKIN.map(|i| patch(picture, landmarks.xy(i)));
    std::array::from_fn(|channel| {
        let mut values = colours.map(|colour| colour[channel]);
        values.sort_by(f32::total_cmp);
        let middle = values.len() / 2;
        f32::midpoint(values[middle - 1], values[middle])
    })
}

fn colour_table(wanted: [f32; 3], own: [f32; 3]) -> Box<[[u8; 256]; 3]> {
    let mut table = Box::new([[0; 256]; 3]);
    for (channel, (wanted, own)) in table.iter_mut().zip(wanted.into_iter().zip(own)) {
        let gain = (wanted / own.max(1.0)).clamp(GAINS.0, GAINS.1);
        for (value, entry) in channel.iter_mut().enumerate() {
            *entry = (value as f32 * gain + 0.5).min(255.0) as u8;
        }
    }
    table
}
