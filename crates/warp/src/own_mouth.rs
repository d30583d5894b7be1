//! What a photo shows between its lips: where its upper teeth end, and the colours of its teeth and of the dark behind.
//!
//! The person's own teeth are better than any that are drawn. So the arches are laid where the photo's teeth are, and what
//! is drawn where the photo shows nothing takes the colours of what it does show.

use gioconda_kernels::luma::{REC_709, luma};
use image::RgbImage;
use nalgebra::Vector2;

use crate::aperture::Aperture;
use crate::colour::{Colour, mean};
use crate::dental_arch::Bite;
use crate::share::step;

/// A mouth that is open this wide, centimetres, begins to show something; at twice that it counts fully.
const SHOWS: f32 = 0.1;
/// Colours this near to a lip are the lip's, centimetres.
const LIP: f32 = 0.06;
/// Between these shares of the skin's luma lies the border of teeth and cavity, where a photo shows only one of them.
const TOOTH: f32 = 0.62;
const CAVITY: f32 = 0.35;
/// How far the upper teeth's edge can lie from where it does in most mouths, centimetres, and in which steps it is looked for.
const LOWER_EDGE: i32 = -8;
const HIGHER_EDGE: i32 = 8;
const STEP: f32 = 0.05;
/// What it costs an edge to be a centimetre off, squared, in shares of the skin's luma over all that is seen.
const UNUSUAL: f32 = 0.25;
/// Colours are believed when so many square centimetres show them.
const ENOUGH: f32 = 0.12;

/// What one photo shows.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct OwnMouth {
    /// How much anything is seen, 0..1.
    pub(crate) seen: f32,
    /// By how much the upper teeth's edge lies higher than is usual, centimetres.
    pub(crate) raised: f32,
    /// The luma, 0..255, above which something is a tooth.
    pub(crate) border: f32,
    /// The colour of its teeth and how far to believe it, 0..1.
    pub(crate) teeth: (Colour, f32),
    /// The same of what is dark.
    pub(crate) cavity: (Colour, f32),
}

/// A pixel of the photo's mouth.
struct Shown {
    colour: Colour,
    luma: f32,
    /// Above the usual edge of the upper teeth, centimetres.
    from_edge: f32,
}

impl OwnMouth {
    /// Of the photo whose mouth is `aperture`, whose teeth would usually be `bite` and whose skin has the luma `skin`.
    pub(crate) fn of(photo: &RgbImage, aperture: &Aperture, bite: &Bite, skin: f32) -> Self {
        let nothing = Self {
            seen: 0.0,
            raised: 0.0,
            border: 0.5 * (TOOTH + CAVITY) * skin,
            teeth: ([0.0; 3], 0.0),
            cavity: ([0.0; 3], 0.0),
        };
        let seen = step(SHOWS, 2.0 * SHOWS, aperture.widest());
        let pixels = shown(photo, aperture, bite);
        if seen <= 0.0 || pixels.len() < 8 {
            return Self { seen: if pixels.len() < 8 { 0.0 } else { seen }, ..nothing };
        }
        let mut lumas: Vec<f32> = pixels.iter().map(|pixel| pixel.luma).collect();
        lumas.sort_unstable_by(f32::total_cmp);
        let at = |share: f32| lumas[(share * (lumas.len() - 1) as f32) as usize];
        let border = 0.5 * (at(0.9).max(TOOTH * skin) + at(0.1).min(CAVITY * skin));
        let raised = raised(&pixels, border, skin);
        let area = 1.0 / (ENOUGH * aperture.pixels_per_centimetre().powi(2));
        let colour = |wanted: &dyn Fn(&Shown) -> bool| {
            let found = || pixels.iter().filter(|pixel| wanted(pixel)).map(|pixel| pixel.colour);
            (mean(found()), (found().count() as f32 * area).min(1.0))
        };
        let teeth = colour(&|pixel| pixel.from_edge > raised && pixel.luma > border);
        let cavity = colour(&|pixel| pixel.from_edge < raised && pixel.luma < border.min(CAVITY * skin));
        Self { seen, raised, border, teeth, cavity }
    }
}

/// The pixels around the middle of the mouth.
fn shown(photo: &RgbImage, aperture: &Aperture, bite: &Bite) -> Vec<Shown> {
    let side = aperture.width() * aperture.pixels_per_centimetre();
    let middle = aperture.position(0.0, 0.0);
    let reach = side.max(1.0);
    let range = |centre: f32, length: u32| {
        let from = (centre - reach).clamp(0.0, length as f32) as u32;
        from..((centre + reach).clamp(0.0, length as f32) as u32)
    };
    let mut pixels = Vec::new();
    for y in range(middle.y, photo.height()) {
        for x in range(middle.x, photo.width()) {
            let position = Vector2::new(x as f32 + 0.5, y as f32 + 0.5);
            let (along, above) = aperture.coordinates(position);
            let (lower, upper) = aperture.edges(along);
            if along.abs() > 0.28 || above > upper - LIP || above < lower + LIP {
                continue;
            }
            let Some(point) = bite.on_upper(position) else { continue };
            let from_edge = bite.upper(point).from_edge;
            let colour = photo.get_pixel(x, y).0.map(f32::from);
            pixels.push(Shown { colour, luma: luma(REC_709, colour), from_edge });
        }
    }
    pixels
}

/// The height of an edge with the most of what is light above and of what is dark below it.
fn raised(pixels: &[Shown], border: f32, skin: f32) -> f32 {
    let per_pixel = 1.0 / (pixels.len() as f32 * skin.max(1.0));
    let score = |raised: f32| {
        let signs = pixels.iter().map(|pixel| {
            let over = (pixel.luma - border).clamp(-0.3 * skin, 0.3 * skin);
            if pixel.from_edge > raised { over } else { -over }
        });
        signs.sum::<f32>() * per_pixel - UNUSUAL * raised * raised
    };
    let heights = (LOWER_EDGE..=HIGHER_EDGE).map(|i| i as f32 * STEP);
    heights.max_by(|a, b| score(*a).total_cmp(&score(*b))).unwrap_or(0.0)
}
