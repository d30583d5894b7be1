//! The skin of an upper lid that shuts.
//!
//! An open eye hides most of it in the fold under the crease; what a photo does show is a few rows with lashes in them, which no
//! motion may draw out over the eye. The lid is painted between the skin above its crease and the skin under the lower lid.

use gioconda_face::{Border, bilinear};
use image::RgbImage;

use crate::aperture::Aperture;
use crate::colour::{Colour, mean};

/// Columns from corner to corner.
const COLUMNS: usize = 17;
/// Where skin is taken from, centimetres above the crease and under the lower lid: clear of the fold, of lashes and of the brow.
const ABOVE: [f32; 3] = [0.06, 0.14, 0.22];
const UNDER: [f32; 3] = [0.16, 0.24, 0.32];
/// Neighbours that are mixed, columns to each side.
const SMOOTH: usize = 3;
/// How much of the colour at the lid's edge is that of the skin above.
const AT_EDGE: f32 = 0.1;

/// The skin around one eye of the photo.
#[derive(Clone, Debug)]
pub(super) struct LidSkin {
    above: [Colour; COLUMNS],
    under: [Colour; COLUMNS],
}

impl LidSkin {
    pub(super) fn of_photo(photo: &RgbImage, eye: &Aperture, lid: &Aperture) -> Self {
        let along = |column: usize| column as f32 / (COLUMNS - 1) as f32 - 0.5;
        let colour = |along: f32, above: f32| bilinear(photo, eye.position(along, above), Border::Replicate);
        let above = std::array::from_fn(|column| {
            let crease = lid.edges(along(column)).1;
            mean(ABOVE.iter().map(|&over| colour(along(column), crease + over)))
        });
        let under = std::array::from_fn(|column| {
            let lower = eye.edges(along(column)).0;
            mean(UNDER.iter().map(|&below| colour(along(column), lower - below)))
        });
        Self { above: smooth(&above), under: smooth(&under) }
    }

    /// The skin under the eye.
    pub(super) fn mean(&self) -> Colour {
        mean(self.under.iter().copied())
    }

    /// The colour at `along`, `share` of the way from the lid's edge to its crease.
    pub(super) fn colour(&self, along: f32, share: f32) -> Colour {
        let (above, under) = (at(&self.above, along), at(&self.under, along));
        let upper = AT_EDGE + (1.0 - AT_EDGE) * share;
        std::array::from_fn(|c| under[c] + (above[c] - under[c]) * upper)
    }
}

fn smooth(colours: &[Colour; COLUMNS]) -> [Colour; COLUMNS] {
    std::array::from_fn(|column| {
        let near = column.saturating_sub(SMOOTH)..(column + SMOOTH + 1).min(COLUMNS);
        mean(near.map(|other| colours[other]))
    })
}

fn at(colours: &[Colour; COLUMNS], along: f32) -> Colour {
    let place = ((along + 0.5) * (COLUMNS - 1) as f32).clamp(0.0, (COLUMNS - 1) as f32);
    let first = (place as usize).min(COLUMNS - 2);
    let share = place - first as f32;
    std::array::from_fn(|c| colours[first][c] + (colours[first + 1][c] - colours[first][c]) * share)
}
