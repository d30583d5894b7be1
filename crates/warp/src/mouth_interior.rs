//! What is seen between lips that open: teeth, gums, tongue and the dark behind them.
//!
//! The upper teeth are rigid with the skull, the lower ones and the tongue with the jaw ([`dental_arch`](crate::dental_arch));
//! lips reveal them and stretch nothing. Where the photo's own mouth is open, its pixels are laid onto the two arches and move
//! with these; where no pixel is seen, the arches are drawn in the photo's colours: its teeth's and cavity's where it shows some
//! ([`own_mouth`](crate::own_mouth)), otherwise shares of its lips and its skin, so that a grey photo stays grey and a painting
//! keeps its palette. So does its grain.
//!
//! Shares, shades and their courses were measured on films of 300 people (`docs`), not painted by taste: mouths are darker
//! than one thinks.

use gioconda_face::Landmarks;
use gioconda_face::topology::{ACROSS_LIPS, LIT_SKIN};
use gioconda_kernels::luma::{REC_709, luma};
use gioconda_kernels::smoothstep;
use image::RgbImage;
use nalgebra::{Vector2, Vector3};

use crate::aperture::Aperture;
use crate::colour::{Colour, mean, patch};
use crate::dental_arch::{Bite, DentalArch};
use crate::grain::Grain;
use crate::own_mouth::OwnMouth;
use crate::source_mesh::{MeshWarp, SourceMesh};

/// Colours and light between lips: shares of the colours of lips and skin, as measured.
#[derive(Clone, Copy, Debug, PartialEq)]
#[allow(missing_docs)]
pub struct Shades {
    pub teeth: f32,
    pub lower_teeth: f32,
    pub gum: f32,
    pub tongue: f32,
    pub cavity: f32,
    pub cavity_side: f32,
    pub side: f32,
    pub upper_shadow: f32,
    pub upper_reach: f32,
    pub lower_shadow: f32,
    pub narrow: f32,
    pub narrow_until: f32,
    pub tongue_height: f32,
    pub tongue_drop: f32,
    pub gap: f32,
    pub reach: f32,
    pub lower_raise: f32,
    pub base_reach: f32,
    pub lip: f32,
    pub edge: f32,
    pub above: f32,
    pub below: f32,
    pub parted: f32,
    pub sliver: f32,
    pub slit: f32,
    pub parts: f32,
    pub tooth_red: f32,
}

impl Shades {
    #[allow(missing_docs)]
    pub const N: usize = 27;
    #[allow(missing_docs)]
    pub fn values(&self) -> [f32; 27] { [self.teeth, self.lower_teeth, self.gum, self.tongue, self.cavity, self.cavity_side, self.side, self.upper_shadow, self.upper_reach, self.lower_shadow, self.narrow, self.narrow_until, self.tongue_height, self.tongue_drop, self.gap, self.reach, self.lower_raise, self.base_reach, self.lip, self.edge, self.above, self.below, self.parted, self.sliver, self.slit, self.parts, self.tooth_red] }
    #[allow(missing_docs)]
    pub fn from_values([teeth, lower_teeth, gum, tongue, cavity, cavity_side, side, upper_shadow, upper_reach, lower_shadow, narrow, narrow_until, tongue_height, tongue_drop, gap, reach, lower_raise, base_reach, lip, edge, above, below, parted, sliver, slit, parts, tooth_red]: [f32; 27]) -> Self { Self { teeth, lower_teeth, gum, tongue, cavity, cavity_side, side, upper_shadow, upper_reach, lower_shadow, narrow, narrow_until, tongue_height, tongue_drop, gap, reach, lower_raise, base_reach, lip, edge, above, below, parted, sliver, slit, parts, tooth_red } }
    /// What was measured.
    pub const MEASURED: Self = Self {
        teeth: 0.92,
        lower_teeth: 0.85,
        gum: 0.55,
        tongue: 0.58,
        cavity: 0.22,
        cavity_side: 0.2,
        side: 0.26,
        upper_shadow: 0.75,
        upper_reach: 0.4,
        lower_shadow: 1.0,
        narrow: 0.52,
        narrow_until: 0.8,
        tongue_height: 0.62,
        tongue_drop: 0.6,
        gap: 0.16,
        reach: 0.9,
        lower_raise: 0.0,
        base_reach: 0.2,
        lip: 0.055,
        edge: 0.3,
        above: 0.15,
        below: 0.4,
        parted: 0.15,
        sliver: 0.15,
        slit: 0.45,
        parts: 0.15,
        tooth_red: 0.5,
    };
}

/// The inside of one photo's mouth.
pub struct MouthInterior {
    arch: DentalArch,
    /// The photo's mouth and its arches.
    photo: Aperture,
    bite: Bite,
    own: OwnMouth,
    /// The colour of a tooth in full light.
    teeth: Colour,
    /// What power of the light each channel goes with: in the dark of a mouth red stays longest.
    powers: Colour,
    grain: Grain,
}

/// What a pixel between the lips shows: shares of it, 0..1, whose sum is [`MouthPixel::share`].
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct MouthLabels {
    /// Teeth that are rigid with the skull.
    pub upper_teeth: f32,
    /// Teeth that are rigid with the jaw.
    pub lower_teeth: f32,
    /// The gums of both.
    pub gums: f32,
    /// The tongue.
    pub tongue: f32,
    /// The dark behind all of it.
    pub cavity: f32,
}

impl MouthLabels {
    /// Lays `share` of something over what is there; `of` chooses what.
    fn cover(&mut self, share: f32, of: impl Fn(&mut Self) -> &mut f32) {
        *self = self.times(1.0 - share);
        *of(self) += share;
    }

    fn times(self, factor: f32) -> Self {
        Self {
            upper_teeth: self.upper_teeth * factor,
            lower_teeth: self.lower_teeth * factor,
            gums: self.gums * factor,
            tongue: self.tongue * factor,
            cavity: self.cavity * factor,
        }
    }
}

/// A pixel between the lips.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct MouthPixel {
    /// Red, green, blue, 0..255.
    pub colour: Colour,
    /// How much of what lies between the lips is this; the rest is what the mesh makes of the photo, 0..1.
    pub share: f32,
    /// What it is.
    pub labels: MouthLabels,
}

impl MouthInterior {
    /// Of the face in `photo` that `mesh` was made of.
    pub fn new(photo: &RgbImage, mesh: &SourceMesh) -> Self {
        let (landmarks, pose) = (mesh.landmarks(), mesh.pose());
        let lips = mean(ACROSS_LIPS.iter().map(|&(inner, outer)| {
            patch(photo, 0.5 * (landmarks.xy(inner) + landmarks.xy(outer)))
        }));
        let skin = mean(LIT_SKIN.iter().map(|&i| patch(photo, landmarks.xy(i))));
        let usual = DentalArch::new(landmarks, pose);
        let own = OwnMouth::of(
            photo,
            mesh.mouth(),
            &usual.bite(pose, landmarks, 1.0),
            luma(REC_709, skin),
        );
        let arch = usual.with_upper_raised(own.raised);
        let light = luma(REC_709, skin);
        let lip_light = luma(REC_709, lips).max(1.0);
        // Whiter than skin, but of its light.
        let usual = skin.map(|v| 0.7 * v + 0.3 * light);
        let teeth: Colour = std::array::from_fn(|i| usual[i] + (own.teeth.0[i] - usual[i]) * own.teeth.1);
        let tooth_light = luma(REC_709, teeth).max(1.0);
        // At half the light what is between lips has the hue of lips.
        let powers = std::array::from_fn(|i| {
            let redder = (lips[i] / lip_light).max(0.05) / (teeth[i] / tooth_light).max(0.05);
            (1.0 - redder.log2()).clamp(0.5, 1.4)
        });
        Self {
            bite: arch.bite(pose, landmarks, 1.0),
            arch,
            photo: mesh.mouth().clone(),
            teeth,
            powers,
            own,
            grain: Grain::of_face(photo, landmarks),
        }
    }

    /// The colour of what is so light, 0..1 of a tooth in full light.
    fn lit(&self, light: f32, red: f32) -> Colour {
        let light = light.clamp(0.02, 1.5);
        std::array::from_fn(|i| self.teeth[i] * light.powf(1.0 + red * (self.powers[i] - 1.0)))
    }

    /// The mouth of the frame that `warp` was made for, with its face at `driving`; `pixel`: a pixel's side in photo pixels.
    pub fn open<'a>(&'a self, warp: &'a MeshWarp, driving: &Landmarks, pixel: f32, shades: &'a Shades) -> Option<OpenMouth<'a>> {
        let (Some(lips), Some(pose)) = (&warp.opening, &warp.pose) else { return None };
        Some(OpenMouth {
            interior: self,
            shades,
            lips,
            bite: self.arch.bite(pose, driving, pixel),
        })
    }
}

/// The mouth of one frame.
pub struct OpenMouth<'a> {
    interior: &'a MouthInterior,
    shades: &'a Shades,
    lips: &'a Aperture,
    bite: Bite,
}

/// Where a pixel lies between the lips.
struct Place {
    /// Distances to the lips, centimetres.
    from_upper: f32,
    from_lower: f32,
    /// 0 in the middle of the mouth, 1 at its corners.
    side: f32,
}

impl OpenMouth<'_> {
    /// What is seen at `position` (photo pixels), between the lips. `sample`: the photo's colour at a place of it, photo pixels.
    pub fn at(&self, position: Vector2<f32>, sample: impl Fn(Vector2<f32>) -> [u8; 3]) -> MouthPixel {
        let MouthInterior { photo, own, .. } = self.interior;
        let shades = self.shades;
        let (along, above) = self.lips.coordinates(position);
        let (lower, upper) = self.lips.edges(along);
        let open = (upper - lower).max(0.0);
        let share = own.seen.max(step(0.0, shades.parted, open - photo.opening(along)));
        if share <= 0.0 {
            return MouthPixel::default();
        }
        let side = (2.0 * along).clamp(-1.0, 1.0);
        let place = Place { from_upper: upper - above, from_lower: above - lower, side: side * side };
        let narrow = |open: f32| shades.narrow + (1.0 - shades.narrow) * step(0.0, shades.narrow_until, open);
        let shadow = (shades.upper_shadow
            + (1.0 - shades.upper_shadow) * step(0.0, shades.upper_reach, place.from_upper))
            * (shades.lower_shadow
                + (1.0 - shades.lower_shadow) * step(0.0, 0.2, place.from_lower))
            * narrow(open)
            * (1.0 - shades.side * place.side);

        let mut labels = MouthLabels { cavity: 1.0, ..MouthLabels::default() };
        let mut light = shades.cavity * (1.0 - shades.cavity_side * place.side);
        let cover = |light: &mut f32, over: f32, share: f32| *light += (over - *light) * share;
        // The tongue lies on the jaw, rounded to the sides, and its back is lost in the dark.
        let height = place.from_lower / (open.max(0.1) * (1.0 - 0.45 * place.side));
        let tongue = step(0.3, shades.tongue_drop, self.bite.drop())
            * (1.0 - step(0.3 * shades.tongue_height, 1.3 * shades.tongue_height, height))
            * (1.0 - 0.9 * place.side);
        cover(&mut light, shades.tongue * shadow * (1.0 - 0.25 * height.clamp(0.0, 1.0)), tongue);
        labels.cover(tongue, |labels| &mut labels.tongue);
        let (Some(on_upper), Some(on_lower)) = (self.bite.on_upper(position), self.bite.on_lower(position)) else {
            return MouthPixel { colour: self.interior.lit(light, 1.0), share, labels: labels.times(share) };
        };
        let seen = self.bite.lower(on_lower - Vector3::new(0.0, shades.lower_raise, 0.0));
        let tooth = shades.lower_teeth * seen.light * (1.0 - shades.gap * seen.gap) * shadow;
        cover(&mut light, shades.gum * shadow, seen.gum);
        cover(&mut light, tooth, seen.tooth);
        labels.cover(seen.gum, |labels| &mut labels.gums);
        labels.cover(seen.tooth, |labels| &mut labels.lower_teeth);

        let in_photo = self.interior.bite.see(on_upper);
        let grain = 1.0 + self.interior.grain.at(in_photo);
        let mut colour = self.interior.lit(light * grain, 1.0 - (1.0 - shades.tooth_red) * seen.tooth);
        // A sliver that the photo shows of a mouth says little about what is behind lips that part further.
        let open_photo = photo.opening(along);
        let parting = step(0.0, shades.parts, open - open_photo);
        let own_share = own.seen
            * step(shades.sliver, shades.slit, open_photo)
                .max(1.0 - parting);
        // Lips that close shade the photo's own teeth, too.
        let closing = narrow(open) / narrow(open.max(open_photo));
        if own_share > 0.0 {
            let behind = self.interior.bite.see(on_lower - self.bite.jaw() + self.interior.bite.jaw());
            let shown = self.shown(behind, &place, &sample);
            let upper = match self.interior.bite.on_upper(behind) {
                Some(point) => self.is_upper(self.interior.bite.upper(point).from_edge, shown.colour),
                None => 0.0,
            };
            let reach = if shown.beyond > 0.0 { shades.above } else { shades.below };
            let weight = own_share * shown.within * (1.0 - step(0.0, reach, shown.beyond.abs()));
            // Where the jaw has moved, nothing of an upper tooth's edge may go with it.
            let moved = step(0.0, 0.15, (self.bite.drop() - self.interior.bite.drop()).abs());
            let upper = step(0.8 - 0.75 * moved, 1.0 - 0.7 * moved, upper);
            blend(&mut colour, shown.colour.map(|v| v * closing), weight * (1.0 - upper));
        }

        let seen = self.bite.upper(on_upper);
        let mut presence = seen.tooth + seen.gum;
        let of_gum = seen.gum / (seen.tooth + seen.gum).max(1e-3);
        let mut light = shades.teeth * seen.light * (1.0 - shades.gap * seen.gap) * shadow;
        cover(&mut light, shades.gum * shadow, of_gum);
        let mut front = self.interior.lit(light * grain, 1.0 - (1.0 - shades.tooth_red) * (1.0 - of_gum));
        if own_share > 0.0 {
            let shown = self.shown(in_photo, &place, &sample);
            let tooth = step(-0.1, 0.1, luma(REC_709, shown.colour) / own.border - 1.0);
            let reach = shades.base_reach + shades.reach * tooth;
            // Of what is dark above the edge nobody knows whether it is a tooth's shade or a hole: not where lips part further.
            let sure = 1.0 - (1.0 - tooth) * parting;
            let weight = own_share * shown.within * sure;
            let own_colour = shown.colour.map(|v| v * closing);
            blend(&mut front, own_colour, weight * (1.0 - step(0.0, reach, shown.beyond.abs())));
            let known = weight * (1.0 - step(0.0, 0.04, shown.beyond.abs()));
            presence += (self.is_upper(seen.from_edge, shown.colour) - presence) * known;
        }
        blend(&mut colour, front, presence);
        labels.cover(presence * of_gum, |labels| &mut labels.gums);
        labels.cover(presence * (1.0 - of_gum), |labels| &mut labels.upper_teeth);
        if std::env::var("LAB").is_ok() { colour = [255.0 * labels.upper_teeth + 200.0 * labels.tongue, 255.0 * labels.lower_teeth, 255.0 * labels.gums + 200.0 * labels.tongue]; }
        MouthPixel { colour, share, labels: labels.times(share) }
    }

    /// What the photo shows at a place of it, or the nearest place between its lips.
    fn shown(&self, at: Vector2<f32>, place: &Place, sample: &impl Fn(Vector2<f32>) -> [u8; 3]) -> Shown {
        let photo = &self.interior.photo;
        let (along, above) = photo.coordinates(at);
        let (lower, upper) = photo.edges(along);
        let lip = |now: f32, then: f32| self.shades.lip * step(0.0, 0.1, (now - then).abs());
        let upper = upper - lip(place.from_upper, upper - above);
        let lower = lower + lip(place.from_lower, above - lower);
        let nearest = above.clamp(lower.min(upper), upper.max(lower));
        Shown {
            colour: sample(photo.position(along, nearest)).map(f32::from),
            beyond: above - nearest,
            within: step(-0.02, 0.02, upper - lower + 0.01) * (1.0 - step(0.48, 0.52, along.abs())),
        }
    }

    /// How far a place of the photo so far above the edge of the upper arch, in this colour, is an upper tooth.
    fn is_upper(&self, from_edge: f32, colour: Colour) -> f32 {
        let tooth = step(-0.15, 0.15, luma(REC_709, colour) / self.interior.own.border - 1.0);
        smoothstep((0.5 + from_edge / self.shades.edge + 0.8 * (tooth - 0.5)).clamp(0.0, 1.0))
    }
}

/// What the photo shows.
struct Shown {
    colour: Colour,
    /// How far from the place that was asked for, centimetres, positive where that is higher.
    beyond: f32,
    /// Whether there is a mouth at all, 0..1.
    within: f32,
}

fn blend(colour: &mut Colour, over: Colour, share: f32) {
    for (colour, over) in colour.iter_mut().zip(over) {
        *colour += (over - *colour) * share;
    }
}

/// [`smoothstep`] from 0 at `from` to 1 at `to`.
fn step(from: f32, to: f32, value: f32) -> f32 {
    smoothstep(((value - from) / (to - from)).clamp(0.0, 1.0))
}
