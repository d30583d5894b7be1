//! The photo's iris made whole: what lids hide of it and what a highlight covers is filled from the rest.

use std::f32::consts::TAU;

use gioconda_face::{Border, bilinear};
use gioconda_kernels::luma::{REC_709, luma};
use image::RgbImage;
use nalgebra::Vector2;

use super::lid_shade::LidShade;
use crate::aperture::Aperture;
use crate::colour::Colour;
use crate::look::Iris;

const RADII: usize = 12;
const ANGLES: usize = 48;
/// Rings of it that are the pupil of an iris that is made up.
const PUPIL: usize = 4;
/// Its pupil and its iris are so light, in lightnesses of the skin around.
const DARK: (f32, f32) = (0.12, 0.4);
/// As far from the lids' edges as this, centimetres, no iris is taken: lashes above, a bright rim below.
const LASHES: f32 = 0.12;
const RIM: f32 = 0.06;
/// How sharply what is filled in comes from its own direction: of the von Mises distribution.
const CONCENTRATION: f32 = 2.0;
/// Lighter than the median of its radius by this, share and levels of 0..255: a highlight.
const HIGHLIGHT: (f32, f32) = (0.35, 12.0);
/// Less of an iris to be seen than this share, and nothing is known about it.
const LEAST: f32 = 0.12;

/// An iris without lids, shade and highlights, in polar coordinates.
pub(super) struct WholeIris {
    /// `[RADII][ANGLES]`
    colours: Vec<Colour>,
}

impl WholeIris {
    /// Where the photo shows too little of it, a dark one is made up beside `skin`.
    pub(super) fn of_photo(
        photo: &RgbImage,
        eye: &Aperture,
        iris: &Iris,
        shade: &LidShade,
        skin: Colour,
    ) -> Self {
        let width = eye.width();
        let seen = |radius: usize, angle: usize| {
            let (sin, cos) = (TAU * angle as f32 / ANGLES as f32).sin_cos();
            let distance = iris.radius * (radius as f32 + 0.5) / RADII as f32;
            let (along, above) = (iris.photo.x + distance * cos, iris.photo.y + distance * sin * width);
            let (lower, upper) = eye.edges(along);
            let visible = along.abs() < 0.47 && above > lower + RIM && above < upper - LASHES;
            visible.then(|| {
                let light = shade.at(upper - above);
                bilinear(photo, eye.position(along, above), Border::Replicate).map(|v| v / light)
            })
        };
        let mut colours = vec![None; RADII * ANGLES];
        let mut found = 0;
        for radius in 0..RADII {
            let ring: Vec<Option<Colour>> = (0..ANGLES).map(|angle| seen(radius, angle)).collect();
            let mut lights: Vec<f32> = ring.iter().flatten().map(|&c| luma(REC_709, c)).collect();
            lights.sort_unstable_by(f32::total_cmp);
            let Some(&median) = lights.get(lights.len() / 2) else { continue };
            let most = median * (1.0 + HIGHLIGHT.0) + HIGHLIGHT.1;
            for (angle, colour) in ring.into_iter().enumerate() {
                colours[radius * ANGLES + angle] = colour.filter(|&c| luma(REC_709, c) <= most);
                found += usize::from(colours[radius * ANGLES + angle].is_some());
            }
        }
        if (found as f32) < LEAST * (RADII * ANGLES) as f32 {
            return Self { colours: usual(skin) };
        }
        Self { colours: filled(&colours) }
    }

    /// The colour at `place`, from the middle in radii of the iris.
    pub(super) fn at(&self, place: Vector2<f32>) -> Colour {
        let radius = (place.norm() * RADII as f32 - 0.5).clamp(0.0, (RADII - 1) as f32);
        let angle = (place.y.atan2(place.x) / TAU).rem_euclid(1.0) * ANGLES as f32;
        let (ring, column) = ((radius as usize).min(RADII - 2), angle as usize);
        let (outwards, onwards) = (radius - ring as f32, angle - column as f32);
        let colour = |ring: usize, column: usize| self.colours[ring * ANGLES + column % ANGLES];
        let mixed = |a: Colour, b: Colour, share: f32| -> Colour {
            std::array::from_fn(|c| a[c] + (b[c] - a[c]) * share)
        };
        mixed(
            mixed(colour(ring, column), colour(ring, column + 1), onwards),
            mixed(colour(ring + 1, column), colour(ring + 1, column + 1), onwards),
            outwards,
        )
    }
}

/// An iris in the light that `skin` is in.
fn usual(skin: Colour) -> Vec<Colour> {
    let grey = luma(REC_709, skin);
    let light = |radius: usize| if radius < PUPIL { DARK.0 } else { DARK.1 };
    let ring = |radius: usize| skin.map(|v| 0.5 * (v + grey) * light(radius));
    (0..RADII * ANGLES).map(|i| ring(i / ANGLES)).collect()
}

/// With each gap filled by the mean of its radius, what lies in its own direction weighing most; radii of which nothing is seen
/// are as the next that is.
fn filled(colours: &[Option<Colour>]) -> Vec<Colour> {
    let weights: [f32; ANGLES] =
        std::array::from_fn(|turn| (CONCENTRATION * (TAU * turn as f32 / ANGLES as f32).cos()).exp());
    let rings: Vec<&[Option<Colour>]> = colours.chunks_exact(ANGLES).collect();
    let known = |ring: &[Option<Colour>]| ring.iter().any(Option::is_some);
    let nearest = |radius: usize| {
        let rings = (0..RADII).filter(|&other| known(rings[other]));
        rings.min_by_key(|other| other.abs_diff(radius)).unwrap_or(radius)
    };
    let mut whole = Vec::with_capacity(colours.len());
    for radius in 0..RADII {
        let ring = rings[nearest(radius)];
        for angle in 0..ANGLES {
            let (mut sum, mut total) = ([0.0; 3], 0.0);
            for (other, colour) in ring.iter().enumerate() {
                if let Some(colour) = colour {
                    let weight = weights[other.abs_diff(angle)];
                    sum.iter_mut().zip(colour).for_each(|(sum, value)| *sum += weight * value);
                    total += weight;
                }
            }
            whole.push(rings[radius][angle].unwrap_or(sum.map(|v| v / total.max(1e-6))));
        }
    }
    whole
}
