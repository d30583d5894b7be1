//! Eyes painted over what the warp makes of them: what lids, light and the eyeball do that a moved photo does not.
//!
//! - Whatever lies under the upper lid is darker towards it: lashes and the lid's shadow. How much, a photo tells
//!   ([`LidShade`]); a lid that moves takes it along, over the eyeball, and over the lower lid when the eye shuts.
//! - The part of the iris that the photo's lids hide is filled from the rest, radius by radius ([`WholeIris`]).
//! - A highlight is where the light is mirrored: it follows the iris half of the way ([`Highlight`]).
//! - The skin of a lid that shuts unrolls from the crease instead of being drawn out; its lashes keep their width.
//!
//! All of it vanishes where nothing moves: the photo's own eyes stay as they are, to the last bit.

mod highlight;
mod lid_shade;
mod lid_skin;
mod white;
mod whole_iris;

use std::ops::Range;

use gioconda_face::Landmarks;
use gioconda_kernels::smoothstep;
use image::RgbImage;
use nalgebra::Vector2;

use crate::aperture::Aperture;
use crate::colour::Colour;
use crate::eye_labels::EyeLabels;
use crate::look::Look;
use crate::view::View;
use highlight::Highlight;
use lid_shade::LidShade;
use lid_skin::LidSkin;
use white::White;
use whole_iris::WholeIris;

/// What of the highlight's way lies between the light's mirror image on a still eye and the iris: the cornea's centre is about
/// half as far from the eye's centre as the iris is (5.6 and 10.4 mm in Gullstrand's eye).
const CORNEA: f32 = 0.53;
/// Shade that the photo shows is taken off, and the driving lid's laid on, within these factors.
const SHADE_CHANGE: (f32, f32) = (0.35, 1.35);
/// An iris that is hidden by as little as this, centimetres, is not filled yet; by as much as the second, it is wholly.
const FILLED: (f32, f32) = (0.0, 0.06);
/// Lashes at the upper lid and the rim of the lower one, centimetres from the lids' edges: they stay with the lids.
const LASHES: f32 = 0.16;
const RIM: f32 = 0.08;
/// White that comes from as far away as this, centimetres, is not taken from the photo any more; wholly not at the second.
const STRAYED: (f32, f32) = (0.05, 0.18);
/// From this far from the middle of an iris that moves, radii, white is not taken from the photo either; wholly not at the second.
const BESIDE: (f32, f32) = (1.6, 1.1);
/// Beyond an eye's landmarks, centimetres: as far as lashes and lids are painted.
const MARGIN: f32 = 0.3;

/// The eyes of one photo.
pub(crate) struct EyePaint {
    /// Right, left.
    eyes: [PhotoEye; 2],
}

struct PhotoEye {
    opening: Aperture,
    shade: LidShade,
    skin: LidSkin,
    white: White,
    iris: WholeIris,
    highlight: Option<Highlight>,
}

impl EyePaint {
    /// The eyes of the face at `landmarks`, photo pixels; `scale` as for [`Aperture`].
    pub(crate) fn new(photo: &RgbImage, landmarks: &Landmarks, scale: f32) -> Self {
        let openings = [Aperture::right_eye(landmarks, scale), Aperture::left_eye(landmarks, scale)];
        let lids = [Aperture::right_lid(landmarks, scale), Aperture::left_lid(landmarks, scale)];
        let mut lids = lids.into_iter();
        let eyes = openings.map(|opening| {
            let look = Look::new(&opening, &opening);
            let shade = LidShade::of_photo(photo, &opening);
            let lid = lids.next().expect("each eye has a lid");
            let skin = LidSkin::of_photo(photo, &opening, lid);
            let iris = WholeIris::of_photo(photo, &opening, look.iris(), &shade, skin.mean());
            let white = White::of_photo(photo, &opening, look.iris(), &shade, skin.mean());
            let highlight = Highlight::of_photo(photo, &opening, look.iris(), &iris, &shade);
            PhotoEye { opening, shade, skin, white, iris, highlight }
        });
        Self { eyes }
    }

    /// The eyes in a frame whose face is at `driving`.
    pub(crate) fn drive(&self, driving: &Landmarks, scale: f32) -> [DrivenEye<'_>; 2] {
        let openings = [Aperture::right_eye(driving, scale), Aperture::left_eye(driving, scale)];
        let lids = [Aperture::right_lid(driving, scale), Aperture::left_lid(driving, scale)];
        let mut lids = lids.into_iter();
        let mut eyes = self.eyes.iter();
        openings.map(|opening| {
            let photo = eyes.next().expect("as many as openings");
            let lid = lids.next().expect("each eye has a lid");
            DrivenEye::new(photo, opening, lid)
        })
    }
}

/// One eye of a frame.
pub(crate) struct DrivenEye<'a> {
    photo: &'a PhotoEye,
    labels: EyeLabels,
    /// The corners of the box that it is painted in, driving positions.
    low: Vector2<f32>,
    high: Vector2<f32>,
}

/// What a pixel around an eye is drawn with.
pub(crate) struct Drawn {
    /// Its centre, photo pixels.
    pub(crate) position: Vector2<f32>,
    /// Where in the photo it comes from.
    pub(crate) source: Vector2<f32>,
    /// How much of it lies between the lids, and how much on the face, 0..=1.
    pub(crate) between: f32,
    pub(crate) face: f32,
}

impl<'a> DrivenEye<'a> {
    fn new(photo: &'a PhotoEye, opening: Aperture, lid: Aperture) -> Self {
        let corners = [(-0.5, opening.low()), (0.5, opening.low()), (-0.5, lid.high()), (0.5, lid.high())];
        let corners = corners.map(|(along, above)| opening.position(along, above));
        let low = corners.iter().fold(Vector2::repeat(f32::MAX), |low, corner| low.inf(corner));
        let high = corners.iter().fold(Vector2::repeat(f32::MIN), |high, corner| high.sup(corner));
        let margin = Vector2::repeat(opening.centimetres(MARGIN));
        let labels = EyeLabels::new(&photo.opening, photo.skin.lid.clone(), opening, lid);
        Self { photo, labels, low: low - margin, high: high + margin }
    }

    /// The columns of a row of the view that it is painted in, within `width`.
    pub(crate) fn columns(&self, view: &View, row: usize, width: usize) -> Range<usize> {
        let (low, high) = (view.to_output(self.low), view.to_output(self.high));
        let row = row as f32 + 0.5;
        if row < low.y || row > high.y {
            return 0..0;
        }
        let end = (high.x.ceil().max(0.0) as usize).min(width);
        (low.x.floor().max(0.0) as usize).min(end)..end
    }

    /// Paints over `pixel`.
    pub(crate) fn paint(&self, drawn: &Drawn, pixel: &mut [u8; 3], grain: f32) {
        let (along, above) = self.labels.opening.coordinates(drawn.position);
        if along.abs() > 0.5 {
            return;
        }
        let mut colour = pixel.map(f32::from);
        if drawn.between < 1.0 {
            self.paint_lids(drawn, along, above, grain, &mut colour);
        }
        if drawn.between > 0.0 {
            let mut eye = colour;
            self.paint_eye(drawn, along, above, grain, &mut eye);
            blend(&mut colour, eye, drawn.between);
        }
        *pixel = colour.map(|v| (v + 0.5).clamp(0.0, 255.0) as u8);
    }

    /// What lies between the lids.
    fn paint_eye(&self, drawn: &Drawn, along: f32, above: f32, grain: f32, colour: &mut Colour) {
        let Self { photo, labels, .. } = self;
        let iris = &labels.iris;
        let (lower, upper) = labels.opening.edges(along);
        let (below, over) = (upper - above, above - lower);
        let (along_photo, above_photo) = photo.opening.coordinates(drawn.source);
        let (lower_photo, upper_photo) = photo.opening.edges(along_photo);
        let (below_photo, over_photo) = (upper_photo - above_photo, above_photo - lower_photo);
        let place = iris.place(iris.driving, along, above);
        let iris_share = step(1.03, 0.93, place.norm());
        let inside = step(1.0, 0.85, place.norm());
        if let Some(highlight) = &photo.highlight {
            let off = highlight.at(drawn.source);
            for (value, off) in colour.iter_mut().zip(off) {
                *value -= off * inside;
            }
        }
        let shade = photo.shade.at(below);
        let change = (shade / photo.shade.at(below_photo)).clamp(SHADE_CHANGE.0, SHADE_CHANGE.1);
        let shut = self.shut(along);
        let shutting = photo.shade.lashes(below, shut) / photo.shade.lashes(below, 0.0);
        let shade = shade * shutting;
        let change = change * shutting;
        *colour = colour.map(|v| v * change);
        // What lay at the photo's lids and does not lie at the driving ones, and what they hid.
        let at_lid = |near: f32, from: f32, to: f32| step(near, 0.4 * near, from) * step(0.0, 0.08, to - from);
        let moved = at_lid(LASHES, below_photo, below).max(at_lid(RIM, over_photo, over));
        // White that is not where it was.
        let way = ((along_photo - along) * photo.opening.width()).hypot(above_photo - above);
        let turned = (iris.driving.x - iris.photo.x) * photo.opening.width();
        let turned = turned.hypot(iris.driving.y - iris.photo.y) * step(BESIDE.0, BESIDE.1, place.norm());
        let strayed = step(STRAYED.0, STRAYED.1, way.max(turned)) * (1.0 - iris_share);
        let hidden = step(FILLED.0, FILLED.1, self.hidden(along, above)) * iris_share;
        let filled = moved.max(hidden).max(strayed);
        if filled > 0.0 {
            let mut model = photo.white.at(along).map(|v| v * shade);
            blend(&mut model, photo.iris.at(place).map(|v| v * shade * grain), iris_share);
            blend(colour, model, filled);
        }
        if let Some(highlight) = &photo.highlight {
            let way = (iris.driving - iris.photo) * CORNEA;
            let on = highlight.at(photo.opening.position(along - way.x, above - way.y));
            for (value, on) in colour.iter_mut().zip(on) {
                *value += on * inside;
            }
        }
    }

    /// How far, in centimetres, a place of the driving iris lies behind the photo's lids; 0 where the photo shows it.
    fn hidden(&self, along: f32, above: f32) -> f32 {
        let Self { photo, labels, .. } = self;
        let moved = labels.iris.photo - labels.iris.driving;
        let (hidden_along, hidden_above) = (along + moved.x, above + moved.y);
        let (lower, upper) = photo.opening.edges(hidden_along);
        // Places that the driving corner hides alike are no gap.
        let beyond_corner = (hidden_along.abs() - 0.48).min(hidden_along.abs() - along.abs()) * photo.opening.width();
        (hidden_above - upper).max(lower - hidden_above).max(beyond_corner).max(0.0)
    }

    /// How near the lids are to meeting at `along`: 0 where they are half as far apart as in the photo.
    fn shut(&self, along: f32) -> f32 {
        let half = (0.5 * self.photo.opening.opening(along)).max(0.1);
        let open = self.labels.opening.opening(along);
        let closes = step(0.0, 0.05, self.photo.opening.opening(along) - open);
        (1.0 - open / half).max(0.0) * closes
    }

    /// The skin around the eye.
    fn paint_lids(&self, drawn: &Drawn, along: f32, above: f32, grain: f32, colour: &mut Colour) {
        let Self { photo, labels, .. } = self;
        let (lower, upper) = labels.opening.edges(along);
        let over = above - upper;
        let ends = step(0.5, 0.3, along.abs()) * drawn.face;
        let unrolled = labels.unrolled(along) * ends;
        let open = (upper - lower).max(0.0);
        let shut = self.shut(along);
        if over > 0.0 && unrolled > 0.0 {
            let height = labels.lid.opening(along);
            let share = tune(24, 0.75) * unrolled * step(height, 0.75 * height, over);
            if share > 0.0 {
                let light = grain * photo.shade.lashes(-over, shut);
                let skin = photo.skin.colour(along, over / height).map(|v| v * light);
                blend(colour, skin, share);
            }
        }
        // Lashes over the lower lid.
        let closed = photo.opening.opening(along) - open;
        if over < 0.0 && closed > 0.0 {
            let below = -over;
            let change = photo.shade.lashes(below, shut) / photo.shade.lashes(below + closed, 0.0);
            *colour = colour.map(|v| v * (1.0 + (change - 1.0) * ends));
        }
    }
}

fn blend(colour: &mut Colour, over: Colour, share: f32) {
    for (colour, over) in colour.iter_mut().zip(over) {
        *colour += (over - *colour) * share;
    }
}

/// From 0 at `from` to 1 at `to`, which may be the lesser.
fn step(from: f32, to: f32, value: f32) -> f32 {
    smoothstep(((value - from) / (to - from)).clamp(0.0, 1.0))
}

// DEV
pub(crate) fn tune(index: usize, default: f32) -> f32 {
    static T: std::sync::LazyLock<Vec<Option<f32>>> = std::sync::LazyLock::new(|| {
        (0..40).map(|i| std::env::var(format!("E{i}")).ok().and_then(|v| v.parse().ok())).collect()
    });
    T[index].unwrap_or(default)
}
