//! What is seen between lips that open: teeth, gums, tongue and the dark behind them.
//!
//! The upper teeth are rigid with the skull, the lower ones and the tongue with the jaw ([`dental_arch`](crate::dental_arch));
//! lips reveal them and stretch nothing. Where the photo's own mouth is open, its pixels are laid onto the two arches and move
//! with these; where no pixel is seen, the arches are drawn in the photo's colours: its teeth's and cavity's where it shows some
//! ([`own_mouth`](crate::own_mouth)), otherwise shares of its lips and its skin, so that a grey photo stays grey and a painting
//! keeps its palette. So does its grain.
//!
//! The lights below start from a search for the least squared error on training films of 228 people, each person's first frame
//! as the photo. That search lets everything between lips grow alike, as it does not know where a tooth is; teeth were then made
//! lighter and what is behind them darker by eye, and the error checked on 341 people: mouths are darker than one thinks, and in
//! the dark red stays longest.

use gioconda_face::Landmarks;
use gioconda_face::topology::{ACROSS_LIPS, LIT_SKIN};
use gioconda_kernels::luma::{REC_709, luma};
use gioconda_kernels::smoothstep;
use image::RgbImage;
use nalgebra::{Vector2, Vector3};

use crate::aperture::Aperture;
use crate::colour::{Colour, blend, mean, patch};
use crate::dental_arch::{Bite, DentalArch};
use crate::grain::Grain;
use crate::own_mouth::OwnMouth;
use crate::share::step;
use crate::source_mesh::{MeshWarp, SourceMesh};

/// Light on things between the lips, shares of a tooth's in full light.
const UPPER_TEETH: f32 = 0.92;
const LOWER_TEETH: f32 = 0.85;
const GUM: f32 = 0.55;
const TONGUE: f32 = 0.58;
const CAVITY: f32 = 0.22;
/// How much darker it is between two teeth, and towards the corners of the mouth.
const GAP: f32 = 0.14;
const CORNER: f32 = 0.26;
const CAVITY_CORNER: f32 = 0.2;
/// Light right below the upper lip, and how far its shadow falls, centimetres.
const UNDER_LIP: f32 = 0.75;
const LIP_SHADOW: f32 = 0.4;
/// Light on lower teeth right below the upper ones.
const UNDER_TEETH: f32 = 0.5;
/// Light between lips that hardly part, and how far they part in full light, centimetres.
const NARROW: f32 = 0.52;
const WIDE: f32 = 0.8;
/// Teeth in the shade redden by so much of what the rest of the mouth does.
const TEETH_REDDEN: f32 = 0.5;
/// The tongue fills so much of the opening, and is seen when the jaw drops by so many centimetres: begins, fully.
const TONGUE_HEIGHT: f32 = 0.62;
const TONGUE_SEEN: (f32, f32) = (0.3, 0.6);

/// Lips that part by so much more than the photo's show what is behind them, centimetres.
const PARTED: f32 = 0.15;
/// Lips that have closed this far meet in a dark line, centimetres: nothing shines through it.
const LINE: f32 = 0.15;
/// An opening of the photo that is so narrow says nothing about what is behind lips that part further, and so wide all.
const SLIVER: f32 = 0.15;
const SLIT: f32 = 0.45;
/// So near to a lip that has moved away the photo's pixels are still the lip's, centimetres.
const LIP: f32 = 0.055;
/// Around the edge of the upper arch, within so many centimetres of it, what is light in the photo is an upper tooth.
const EDGE: f32 = 0.3;
/// How far the photo's pixels are drawn on beyond the lips that hid what follows, centimetres: of the upper row, where it is no
/// tooth and in addition where it is one; of what moves with the jaw, upwards and downwards.
const ON: f32 = 0.2;
const TOOTH_ON: f32 = 0.9;
const JAW_ON: (f32, f32) = (0.15, 0.4);

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
    /// Light on what is behind everything, as a share of a tooth's.
    cavity: f32,
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
        let lips = mean(
            ACROSS_LIPS
                .iter()
                .map(|&(inner, outer)| patch(photo, 0.5 * (landmarks.xy(inner) + landmarks.xy(outer)))),
        );
        let skin = mean(LIT_SKIN.iter().map(|&i| patch(photo, landmarks.xy(i))));
        let usual = DentalArch::new(landmarks, pose);
        let light = luma(REC_709, skin);
        let own = OwnMouth::of(photo, mesh.mouth(), &usual.bite(pose, landmarks, 1.0), light);
        let arch = usual.with_upper_raised(own.raised);
        let lip_light = luma(REC_709, lips).max(1.0);
        // Whiter than skin, but of its light.
        let mut teeth = skin.map(|v| 0.7 * v + 0.3 * light);
        blend(&mut teeth, own.teeth.0, own.teeth.1);
        let tooth_light = luma(REC_709, teeth).max(1.0);
        let dark = (luma(REC_709, own.cavity.0) / tooth_light).clamp(0.05, 0.4);
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
            cavity: CAVITY + (dark - CAVITY) * own.cavity.1,
            own,
            grain: Grain::of_face(photo, landmarks),
        }
    }

    /// The colour of what has so much of a full tooth's light, and reddens in the shade by the share `red` of what lips do.
    fn lit(&self, light: f32, red: f32) -> Colour {
        let light = light.clamp(0.02, 1.5);
        std::array::from_fn(|i| self.teeth[i] * light.powf(1.0 + red * (self.powers[i] - 1.0)))
    }

    /// The mouth of the frame that `warp` was made for, with its face at `driving`; `pixel`: a pixel's side in photo pixels.
    /// `None` before the first warp.
    pub fn open<'a>(&'a self, warp: &'a MeshWarp, driving: &Landmarks, pixel: f32) -> Option<OpenMouth<'a>> {
        let (Some(lips), Some(pose)) = (&warp.opening, &warp.pose) else { return None };
        Some(OpenMouth { interior: self, lips, bite: self.arch.bite(pose, driving, pixel) })
    }
}

/// The mouth of one frame.
pub struct OpenMouth<'a> {
    interior: &'a MouthInterior,
    lips: &'a Aperture,
    bite: Bite,
}

/// Where a pixel lies between the lips.
struct Place {
    /// Distances to the lips, centimetres.
    from_upper: f32,
    from_lower: f32,
    /// How far the lips are apart here, and how far they are in the photo, centimetres.
    open: f32,
    open_photo: f32,
    /// 0 in the middle of the mouth, 1 at its corners.
    side: f32,
    /// Light that reaches this place, 0..1.
    light: f32,
    /// By which share of its brightness the photo's grain makes it lighter, plus 1.
    grain: f32,
}

impl Place {
    /// How far lips are further apart than in the photo, 0..1.
    fn parting(&self) -> f32 {
        step(0.0, PARTED, self.open - self.open_photo)
    }

    /// How much darker it is than in the photo, because lips have come together, 0..1.
    fn closing(&self) -> f32 {
        let shut = step(0.0, PARTED, self.open_photo - self.open) * (1.0 - step(0.0, LINE, self.open));
        (1.0 - 0.5 * shut) * narrow(self.open) / narrow(self.open.max(self.open_photo))
    }
}

/// Light between lips that are so far apart, 0..1.
fn narrow(open: f32) -> f32 {
    NARROW + (1.0 - NARROW) * step(0.0, WIDE, open)
}

impl OpenMouth<'_> {
    /// What is seen at `position` (photo pixels), between the lips. `sample`: the photo's colour at a place of it, photo pixels.
    pub fn at(&self, position: Vector2<f32>, sample: impl Fn(Vector2<f32>) -> [u8; 3]) -> MouthPixel {
        let MouthInterior { photo, own, .. } = self.interior;
        let (along, above) = self.lips.coordinates(position);
        let (lower, upper) = self.lips.edges(along);
        let side = (2.0 * along).clamp(-1.0, 1.0);
        let mut place = Place {
            from_upper: upper - above,
            from_lower: above - lower,
            open: (upper - lower).max(0.0),
            open_photo: photo.opening(along),
            side: side * side,
            light: 1.0,
            grain: 1.0,
        };
        let share = own.seen.max(place.parting());
        if share <= 0.0 {
            return MouthPixel::default();
        }
        place.light = (UNDER_LIP + (1.0 - UNDER_LIP) * step(0.0, LIP_SHADOW, place.from_upper))
            * narrow(place.open)
            * (1.0 - CORNER * place.side);
        let (Some(on_upper), Some(on_lower)) = (self.bite.on_upper(position), self.bite.on_lower(position))
        else {
            // A head that is turned so far shows nothing but the dark.
            let labels = MouthLabels { cavity: share, ..MouthLabels::default() };
            return MouthPixel { colour: self.interior.lit(self.interior.cavity, 1.0), share, labels };
        };
        let in_photo = self.interior.bite.see(on_upper);
        place.grain = 1.0 + self.interior.grain.at(in_photo);
        // A sliver that the photo shows of a mouth says little about what is behind lips that part further.
        let own = own.seen * step(SLIVER, SLIT, place.open_photo).max(1.0 - place.parting());

        let mut labels = MouthLabels { cavity: 1.0, ..MouthLabels::default() };
        let below_edge = -self.bite.upper(on_upper).from_edge;
        let mut colour = self.drawn_behind(on_lower, below_edge, &place, &mut labels);
        if own > 0.0 {
            let (over, share) = self.own_behind(on_lower, &place, &sample);
            blend(&mut colour, over, own * share);
        }
        let (over, seen) = self.front(on_upper, in_photo, own, &place, &mut labels, &sample);
        blend(&mut colour, over, seen);
        MouthPixel { colour, share, labels: labels.times(share) }
    }

    /// The cavity, the tongue, which lies on the jaw, and the lower row at a point of its arch, `below_edge`
    /// centimetres below the edge of the upper row.
    fn drawn_behind(
        &self,
        on_lower: Vector3<f32>,
        below_edge: f32,
        place: &Place,
        labels: &mut MouthLabels,
    ) -> Colour {
        let mut light = self.interior.cavity * (1.0 - CAVITY_CORNER * place.side);
        // Rounded to the sides; its back is lost in the dark.
        let height = place.from_lower / (place.open.max(0.1) * (1.0 - 0.45 * place.side));
        let tongue = step(TONGUE_SEEN.0, TONGUE_SEEN.1, self.bite.drop())
            * (1.0 - step(0.3 * TONGUE_HEIGHT, 1.3 * TONGUE_HEIGHT, height))
            * (1.0 - 0.9 * place.side);
        cover(&mut light, TONGUE * place.light * (1.0 - 0.25 * height.clamp(0.0, 1.0)), tongue);
        labels.cover(tongue, |labels| &mut labels.tongue);
        let seen = self.bite.lower(on_lower);
        let shaded = UNDER_TEETH + (1.0 - UNDER_TEETH) * step(0.0, LIP_SHADOW, below_edge);
        let lower = LOWER_TEETH * seen.light * (1.0 - GAP * seen.gap) * place.light * shaded;
        cover(&mut light, GUM * place.light, seen.gum);
        labels.cover(seen.gum, |labels| &mut labels.gums);
        cover(&mut light, lower, seen.tooth);
        labels.cover(seen.tooth, |labels| &mut labels.lower_teeth);
        self.interior.lit(light * place.grain, 1.0 - (1.0 - TEETH_REDDEN) * seen.tooth)
    }

    /// What the photo shows there that is rigid with the jaw, and how much of the pixel it covers.
    fn own_behind(
        &self,
        on_lower: Vector3<f32>,
        place: &Place,
        sample: &impl Fn(Vector2<f32>) -> [u8; 3],
    ) -> (Colour, f32) {
        let photo = &self.interior.bite;
        let at = photo.see(on_lower - self.bite.jaw() + photo.jaw());
        let shown = self.shown(at, place, sample);
        let upper = photo.on_upper(at).map_or(0.0, |point| shown.is_upper(photo.upper(point).from_edge));
        // Where the jaw has moved, nothing of an upper tooth's edge may go with it.
        let moved = step(0.0, 0.15, (self.bite.drop() - photo.drop()).abs());
        let upper = moved * step(0.8 - 0.75 * moved, 1.0 - 0.7 * moved, upper);
        let on = if shown.beyond > 0.0 { JAW_ON.0 } else { JAW_ON.1 };
        let share = shown.within * (1.0 - step(0.0, on, shown.beyond.abs())) * (1.0 - upper);
        (shown.colour.map(|v| v * place.closing()), share)
    }

    /// The upper row at a point of its arch, which is `in_photo` in the photo (pixels), and how much of the pixel it covers.
    /// `own`: how far the photo's pixels are used.
    fn front(
        &self,
        on_upper: Vector3<f32>,
        in_photo: Vector2<f32>,
        own: f32,
        place: &Place,
        labels: &mut MouthLabels,
        sample: &impl Fn(Vector2<f32>) -> [u8; 3],
    ) -> (Colour, f32) {
        let seen = self.bite.upper(on_upper);
        let mut share = seen.tooth + seen.gum;
        let gum = seen.gum / share.max(1e-3);
        let mut light = UPPER_TEETH * seen.light * (1.0 - GAP * seen.gap) * place.light;
        cover(&mut light, GUM * place.light, gum);
        let mut colour = self.interior.lit(light * place.grain, 1.0 - (1.0 - TEETH_REDDEN) * (1.0 - gum));
        if own > 0.0 {
            let shown = self.shown(in_photo, place, sample);
            // Whether what is dark above the edge is a tooth in the shade or a hole, nobody knows: not where lips part further.
            let sure = own * shown.within * (1.0 - (1.0 - shown.tooth) * place.parting());
            let on = ON + TOOTH_ON * shown.tooth;
            let beyond = shown.beyond.abs();
            blend(
                &mut colour,
                shown.colour.map(|v| v * place.closing()),
                sure * (1.0 - step(0.0, on, beyond)),
            );
            let known = sure * (1.0 - step(0.0, 0.04, beyond));
            share += (shown.is_upper(seen.from_edge) - share) * known;
        }
        labels.cover(share * gum, |labels| &mut labels.gums);
        labels.cover(share * (1.0 - gum), |labels| &mut labels.upper_teeth);
        (colour, share)
    }

    /// What the photo shows at a place of it, or the nearest place between its lips.
    fn shown(&self, at: Vector2<f32>, place: &Place, sample: &impl Fn(Vector2<f32>) -> [u8; 3]) -> Shown {
        let photo = &self.interior.photo;
        let (along, above) = photo.coordinates(at);
        let (lower, upper) = photo.edges(along);
        let lip = |now: f32, then: f32| LIP * step(0.0, 0.1, (now - then).abs());
        let upper = upper - lip(place.from_upper, upper - above);
        let lower = lower + lip(place.from_lower, above - lower);
        let nearest = above.clamp(lower.min(upper), upper.max(lower));
        let colour = sample(photo.position(along, nearest)).map(f32::from);
        Shown {
            colour,
            tooth: step(-0.13, 0.13, luma(REC_709, colour) / self.interior.own.border.max(1.0) - 1.0),
            beyond: above - nearest,
            within: step(-0.02, 0.02, upper - lower + 0.01) * (1.0 - step(0.48, 0.52, along.abs())),
        }
    }
}

/// What the photo shows.
struct Shown {
    colour: Colour,
    /// Whether it is as light as a tooth, 0..1.
    tooth: f32,
    /// How far from the place that was asked for, centimetres, positive where that is higher.
    beyond: f32,
    /// Whether there is a mouth at all, 0..1.
    within: f32,
}

impl Shown {
    /// How far it is an upper tooth, 0..1, if it lies so far above the edge of the upper arch, centimetres.
    fn is_upper(&self, from_edge: f32) -> f32 {
        smoothstep((0.5 + from_edge / EDGE + 0.8 * (self.tooth - 0.5)).clamp(0.0, 1.0))
    }
}

fn cover(light: &mut f32, over: f32, share: f32) {
    *light += (over - *light) * share;
}

#[cfg(test)]
mod tests {
    use super::*;
    use gioconda_face::HeadPose;
    use gioconda_face::topology::{LOWER_LIP, UPPER_LIP, point};
    use image::Rgb;
    use nalgebra::Rotation3;

    use crate::view::View;

    const SIDE: u32 = 300;

    /// The canonical face with shut lips, whose upper lip is higher and whose jaw is lower by so many centimetres.
    fn face(lift: f32, drop: f32) -> Landmarks {
        let pose = HeadPose {
            scale: 14.0,
            rotation: Rotation3::identity(),
            translation: Vector3::new(150.0, -120.0, 0.0),
            residual: 0.0,
        };
        let mut face = pose.canonical_face();
        // MediaPipe's canonical mouth is a little open.
        for (upper, lower) in UPPER_LIP.into_iter().zip(LOWER_LIP) {
            face.points[lower] = face.points[upper];
        }
        let inner = |ring: [usize; 11]| ring.into_iter().take(10).skip(1);
        for (i, up) in inner(UPPER_LIP)
            .map(|i| (i, lift))
            .chain(inner(LOWER_LIP).map(|i| (i, -drop)))
            .chain([(point::CHIN, -0.85 * drop)])
        {
            let at = pose.to_canonical(face.points[i]);
            face.points[i] = pose.from_canonical(at + Vector3::new(0.0, up, 0.0));
        }
        face
    }

    /// Every pixel between the lips of `driving`, by (along, above).
    fn mouth(
        photo: &RgbImage,
        landmarks: &Landmarks,
        driving: &Landmarks,
    ) -> Vec<((f32, f32), Vector2<f32>, MouthPixel)> {
        let mesh = SourceMesh::new(photo.dimensions(), landmarks);
        let interior = MouthInterior::new(photo, &mesh);
        let mut warp = MeshWarp::default();
        mesh.warp(driving, &View::whole(SIDE, SIDE), &mut warp);
        let open = interior.open(&warp, driving, 1.0).expect("there was a warp");
        let sample =
            |at: Vector2<f32>| photo.get_pixel((at.x as u32).min(SIDE - 1), (at.y as u32).min(SIDE - 1)).0;
        let inside = warp.mouth.iter().enumerate().filter(|(_, covered)| **covered > 250);
        inside
            .map(|(i, _)| {
                let (x, y) = (i as u32 % SIDE, i as u32 / SIDE);
                let at = Vector2::new(x as f32 + 0.5, y as f32 + 0.5);
                (open.lips.coordinates(at), at, open.at(at, sample))
            })
            .collect()
    }

    /// A face of one colour with a photo's mouth: `inside` is what it shows between the lips of `landmarks`.
    fn photo(landmarks: &Landmarks, skin: [u8; 3], inside: impl Fn(f32, f32) -> [u8; 3]) -> RgbImage {
        let aperture = Aperture::mouth(landmarks, HeadPose::fit(landmarks).scale);
        RgbImage::from_fn(SIDE, SIDE, |x, y| {
            let (along, above) = aperture.coordinates(Vector2::new(x as f32 + 0.5, y as f32 + 0.5));
            let (lower, upper) = aperture.edges(along);
            let between = along.abs() < 0.5 && above > lower && above < upper;
            Rgb(if between { inside(upper - above, above - lower) } else { skin })
        })
    }

    #[test]
    fn lips_that_part_show_teeth_above_and_below_and_the_dark_between_them() {
        let shut = face(0.0, 0.0);
        let photo = photo(&shut, [190, 150, 130], |_, _| [0; 3]);
        let pixels = mouth(&photo, &shut, &face(0.5, 2.2));
        let middle = pixels.iter().filter(|((along, _), ..)| along.abs() < 0.1).map(|(.., pixel)| pixel);
        let middle: Vec<_> = middle.collect();
        for pixel in &middle {
            let MouthLabels { upper_teeth, lower_teeth, gums, tongue, cavity } = pixel.labels;
            let sum = upper_teeth + lower_teeth + gums + tongue + cavity;
            assert!((sum - pixel.share).abs() < 1e-3 && pixel.share > 0.99, "{pixel:?}");
        }
        let most =
            |of: fn(&MouthLabels) -> f32| middle.iter().map(|pixel| of(&pixel.labels)).fold(0.0, f32::max);
        assert!(most(|l| l.upper_teeth) > 0.9 && most(|l| l.lower_teeth) > 0.9 && most(|l| l.tongue) > 0.5);
        let (first, last) = (middle[1], middle[middle.len() - 2]);
        assert!(first.labels.upper_teeth > 0.8 && last.labels.lower_teeth > 0.8, "{first:?} {last:?}");
        let light = |of: fn(&MouthLabels) -> f32| {
            let found = middle.iter().filter(|pixel| of(&pixel.labels) > 0.8);
            mean(found.map(|pixel| pixel.colour))
        };
        let (teeth, cavity) = (light(|l| l.upper_teeth), light(|l| l.cavity));
        assert!(luma(REC_709, teeth) > 2.0 * luma(REC_709, cavity), "{teeth:?} {cavity:?}");
    }

    #[test]
    fn nothing_is_painted_between_lips_that_do_not_part() {
        let shut = face(0.0, 0.0);
        let photo = photo(&shut, [190, 150, 130], |_, _| [0; 3]);
        assert!(mouth(&photo, &shut, &shut).iter().all(|(.., pixel)| pixel.share <= 0.0));
    }

    #[test]
    fn an_open_mouth_at_rest_is_the_photos() {
        let open = face(0.3, 0.9);
        let photo =
            photo(
                &open,
                [190, 150, 130],
                |from_upper, _| {
                    if from_upper < 0.55 { [210, 200, 180] } else { [60, 20, 20] }
                },
            );
        for (place, at, pixel) in mouth(&photo, &open, &open) {
            let shown = photo.get_pixel(at.x as u32, at.y as u32).0.map(f32::from);
            let difference = (0..3).map(|i| (shown[i] - pixel.colour[i]).abs()).fold(0.0, f32::max);
            assert!(pixel.share > 0.99 && difference < 3.0, "{place:?}: {:?} for {shown:?}", pixel.colour);
        }
    }

    #[test]
    fn own_teeth_stay_where_they_are_when_the_jaw_drops() {
        let smile = face(0.4, 0.3);
        let [teeth, dark] = [[215, 205, 190], [50, 18, 16]];
        let photo =
            photo(&smile, [190, 150, 130], |_, from_lower| if from_lower < 0.1 { dark } else { teeth });
        let pixels = mouth(&photo, &smile, &face(0.4, 1.6));
        let aperture = Aperture::mouth(&smile, HeadPose::fit(&smile).scale);
        let light = |at: Vector2<f32>, pixel: &MouthPixel| {
            let (along, above) = aperture.coordinates(at);
            let (lower, upper) = aperture.edges(along);
            let was_tooth = along.abs() < 0.2 && above < upper - 0.1 && above > lower + 0.25;
            was_tooth.then_some(luma(REC_709, pixel.colour))
        };
        let rigid: Vec<f32> = pixels.iter().filter_map(|(_, at, pixel)| light(*at, pixel)).collect();
        assert!(rigid.len() > 50);
        let least = rigid.iter().copied().fold(f32::MAX, f32::min);
        assert!(least > 0.9 * luma(REC_709, teeth.map(f32::from)), "{least}");
        let below =
            pixels.iter().filter(|((along, _), ..)| along.abs() < 0.1).map(|(.., p)| luma(REC_709, p.colour));
        assert!(below.fold(f32::MAX, f32::min) < 90.0, "the jaw leaves a gap");
    }

    #[test]
    fn a_grey_photo_stays_grey() {
        let shut = face(0.0, 0.0);
        let photo = photo(&shut, [150; 3], |_, _| [0; 3]);
        for (place, _, pixel) in mouth(&photo, &shut, &face(0.4, 1.5)) {
            let [r, g, b] = pixel.colour;
            assert!((r - g).abs() < 0.5 && (g - b).abs() < 0.5, "{place:?}: {:?}", pixel.colour);
        }
    }
}
