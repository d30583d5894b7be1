//! How dark an upper lid makes what lies under it: lashes, their root, and the shadow of both.

use gioconda_face::{Border, bilinear};
use gioconda_kernels::luma::{REC_709, luma};
use image::RgbImage;

use crate::aperture::Aperture;

/// Distance between two entries, centimetres.
const STEP: f32 = 0.04;
const STEPS: usize = 14;
/// From this far under the lid on, centimetres, the photo's eye is taken to be unshaded: the iris is measured against itself
/// there, the white against itself.
const FREE: f32 = 0.3;
/// Columns of the eye that are measured, as far as this `along`.
const COLUMNS: usize = 25;
const REACH: f32 = 0.36;
/// No lid makes it darker than this.
const DARKEST: f32 = 0.25;
/// What an eye is darkened by whose photo is too small or too narrow to tell.
const USUAL: f32 = 0.6;
/// How much light lashes take away at least.
const LEAST_LASHES: f32 = 0.4;
/// How far they reach over the eye and, at their roots, over the lid, centimetres.
const LENGTH: f32 = 0.13;
const ROOTS: f32 = 0.07;
/// What shut lids take away, and by how much their lashes are longer: for any eye, and for one whose lid takes all light away.
const SHUT: (f32, f32) = (0.5, 0.3);
const SHUT_LONGER: (f32, f32) = (0.8, 1.0);

/// Light under an upper lid, over the distance from its edge.
#[derive(Clone, Debug)]
pub(super) struct LidShade {
    /// 0..=1, never falling, 1 at the end.
    light: [f32; STEPS],
}

impl LidShade {
    /// Of the photo's eye between its lids.
    pub(super) fn of_photo(photo: &RgbImage, eye: &Aperture) -> Self {
        let mut shares: [Vec<f32>; STEPS] = std::array::from_fn(|_| Vec::new());
        for column in 0..COLUMNS {
            let along = REACH * (2.0 * column as f32 / (COLUMNS - 1) as f32 - 1.0);
            let (lower, upper) = eye.edges(along);
            let light = |below: f32| {
                luma(REC_709, bilinear(photo, eye.position(along, upper - below), Border::Replicate))
            };
            let open = upper - lower;
            // The rim of the lower lid is brighter than the eye.
            let end = (open - 0.1).min(FREE + 0.2);
            if end < FREE {
                continue;
            }
            let free: f32 = (0..4).map(|i| light(FREE + (end - FREE) * i as f32 / 3.0)).sum::<f32>() / 4.0;
            for (step, shares) in shares.iter_mut().enumerate() {
                let below = step as f32 * STEP;
                if below <= end {
                    shares.push(light(below) / free.max(8.0));
                }
            }
        }
        let usual = |step: usize| USUAL + (1.0 - USUAL) * (step as f32 * STEP / FREE).min(1.0);
        let mut light: [f32; STEPS] = std::array::from_fn(|step| {
            let shares = &mut shares[step];
            if shares.len() < 5 {
                return usual(step);
            }
            shares.sort_unstable_by(f32::total_cmp);
            shares[shares.len() / 2]
        });
        light[STEPS - 1] = 1.0;
        // From the end towards the lid it only gets darker.
        for step in (0..STEPS - 1).rev() {
            let free = step as f32 * STEP >= FREE;
            light[step] = if free { 1.0 } else { light[step].clamp(DARKEST, light[step + 1]) };
        }
        Self { light }
    }

    /// Only that of the lashes, `below` centimetres under the lid's edge; negative: of their roots, on the lid. They are darker and
    /// longer the more the eye is `shut`, 0..=1: upper and lower ones then lie on each other and on the lower lid.
    pub(super) fn lashes(&self, below: f32, shut: f32) -> f32 {
        let own = 1.0 - self.light[0];
        let open = own.max(LEAST_LASHES);
        let strength = open + shut * (SHUT.0 + SHUT.1 * own - open).max(0.0);
        let reach = if below > 0.0 { LENGTH } else { ROOTS };
        let reach = reach * (1.0 + shut * (SHUT_LONGER.0 + SHUT_LONGER.1 * own));
        1.0 - strength * (-(below / reach).powi(2)).exp()
    }

    /// `below`: centimetres under the lid's edge.
    pub(super) fn at(&self, below: f32) -> f32 {
        let at = (below / STEP).clamp(0.0, (STEPS - 1) as f32);
        let first = (at as usize).min(STEPS - 2);
        self.light[first] + (self.light[first + 1] - self.light[first]) * (at - first as f32)
    }
}
