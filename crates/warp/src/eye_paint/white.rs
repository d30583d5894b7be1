//! The white of an eye, without lids and their shade.

use gioconda_face::{Border, bilinear};
use gioconda_kernels::luma::{REC_709, luma};
use image::RgbImage;

use super::lid_shade::LidShade;
use crate::aperture::Aperture;
use crate::colour::{Colour, mean};
use crate::look::Iris;

/// Columns from corner to corner.
const COLUMNS: usize = 25;
/// As far from the upper lid and the lower lid as this, centimetres, no white is taken.
const LASHES: f32 = 0.14;
const RIM: f32 = 0.07;
/// As far from the iris, radii.
const CLEAR: f32 = 1.15;
/// Neighbours that are mixed, columns to each side.
const SMOOTH: usize = 2;
/// How much of every column is the colour of the lighter half of them: the corners are in shade and partly flesh.
const LIT: f32 = 0.5;
/// White that the photo does not show is so light, in lightnesses of the skin around it.
const LIGHT: f32 = 1.05;
/// The opening, centimetres, from which on the photo is believed, and believed in full.
const SHOWN: (f32, f32) = (0.3, 0.6);

/// What white is beside `skin` in the same light: as light, and nearly grey.
fn usual(skin: Colour) -> Colour {
    let grey = LIGHT * luma(REC_709, skin);
    skin.map(|v| (0.75 * grey + 0.25 * v).min(255.0))
}

/// Its colour from corner to corner.
pub(super) struct White {
    columns: [Colour; COLUMNS],
}

impl White {
    /// Where the photo shows little or none of it, it is made up from the skin around the eye.
    pub(super) fn of_photo(
        photo: &RgbImage,
        eye: &Aperture,
        iris: &Iris,
        shade: &LidShade,
        skin: Colour,
    ) -> Self {
        let along = |column: usize| column as f32 / (COLUMNS - 1) as f32 - 0.5;
        let seen: [Option<Colour>; COLUMNS] = std::array::from_fn(|column| {
            let along = along(column);
            let (lower, upper) = eye.edges(along);
            let heights = (0..12).map(|i| lower + (upper - lower) * (i as f32 + 0.5) / 12.0);
            let clear = |&above: &f32| {
                above > lower + RIM
                    && above < upper - LASHES
                    && iris.place(iris.photo, along, above).norm() > CLEAR
            };
            let mut colours: Vec<Colour> = heights
                .filter(clear)
                .map(|above| {
                    let light = shade.at(upper - above);
                    bilinear(photo, eye.position(along, above), Border::Replicate).map(|v| v / light)
                })
                .collect();
            colours.sort_unstable_by(|a, b| luma(REC_709, *a).total_cmp(&luma(REC_709, *b)));
            (!colours.is_empty()).then(|| colours[colours.len() / 2])
        });
        let known: Vec<usize> = (0..COLUMNS).filter(|&column| seen[column].is_some()).collect();
        let usual = usual(skin);
        if known.is_empty() {
            return Self { columns: [usual; COLUMNS] };
        }
        // Behind the iris: between its neighbours.
        let filled: [Colour; COLUMNS] = std::array::from_fn(|column| {
            let after = known.partition_point(|&other| other < column);
            let (before, after) = (known[after.saturating_sub(1)], known[after.min(known.len() - 1)]);
            let share = if after > before {
                ((column as f32 - before as f32) / (after - before) as f32).clamp(0.0, 1.0)
            } else {
                0.0
            };
            let [a, b] = [before, after].map(|other| seen[other].unwrap_or_default());
            std::array::from_fn(|c| a[c] + (b[c] - a[c]) * share)
        });
        let mut lights: Vec<Colour> = known.iter().filter_map(|&column| seen[column]).collect();
        lights.sort_unstable_by(|a, b| luma(REC_709, *b).total_cmp(&luma(REC_709, *a)));
        let lit = mean(lights[..lights.len().div_ceil(2)].iter().copied());
        let columns = std::array::from_fn(|column| {
            let near = column.saturating_sub(SMOOTH)..(column + SMOOTH + 1).min(COLUMNS);
            let own = mean(near.map(|other| filled[other]));
            std::array::from_fn(|c| own[c] + (lit[c] - own[c]) * LIT)
        });
        let shown = ((eye.widest() - SHOWN.0) / (SHOWN.1 - SHOWN.0)).clamp(0.0, 1.0);
        let columns =
            columns.map(|own: Colour| std::array::from_fn(|c| usual[c] + (own[c] - usual[c]) * shown));
        Self { columns }
    }

    /// Its colour at `along`.
    pub(super) fn at(&self, along: f32) -> Colour {
        let place = ((along + 0.5) * (COLUMNS - 1) as f32).clamp(0.0, (COLUMNS - 1) as f32);
        let first = (place as usize).min(COLUMNS - 2);
        let share = place - first as f32;
        let [a, b] = [self.columns[first], self.columns[first + 1]];
        std::array::from_fn(|c| a[c] + (b[c] - a[c]) * share)
    }
}
