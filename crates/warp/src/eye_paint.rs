//! Eyes painted over what the warp makes of them: what lids, light and the eyeball do that a moved photo does not.
//!
//! - Whatever lies under the upper lid is darker towards it: the lid's shadow and its lashes. How much, the photo tells
//!   ([`LidShade`]); a lid that moves takes it along, over the eyeball and, when the eye shuts, over the lower lid.
//! - What the photo's lids hide of the iris is filled from the rest, radius by radius ([`WholeIris`]).
//! - White that lids, lashes or the iris covered is painted in the colour of the rest ([`White`]).
//! - A highlight is where the light is mirrored: it follows the iris half of the way ([`Highlight`]).
//! - A lid that shuts unrolls skin which the photo does not show ([`LidSkin`]).
//!
//! All of it vanishes where nothing moves: the photo's own eyes stay as they are, to the last bit. Lengths are centimetres
//! where nothing else is said, places are (along, above) as in [`Aperture`].

mod highlight;
mod lid_shade;
mod lid_skin;
mod white;
mod whole_iris;

use std::ops::Range;

use gioconda_face::Landmarks;
use image::RgbImage;
use nalgebra::Vector2;

use crate::aperture::Aperture;
use crate::colour::{Colour, blend};
use crate::eye_labels::EyeLabels;
use crate::look::Look;
use crate::share;
use crate::view::View;
use highlight::Highlight;
use lid_shade::LidShade;
use lid_skin::LidSkin;
use white::White;
use whole_iris::WholeIris;

/// How much of the iris's way a highlight makes: the cornea's centre is about half as far from the eye's centre of rotation as
/// the iris is (5.6 and 10.4 mm in Gullstrand's eye).
const CORNEA: f32 = 0.53;
/// The photo's shade is taken off and the driving lid's laid on within these factors.
const SHADE_CHANGE: (f32, f32) = (0.35, 1.35);
/// An iris that is hidden by as little as this is not filled yet; by as much as the second, it is wholly.
const FILLED: (f32, f32) = (0.0, 0.06);
/// Lashes at the upper lid and the rim of the lower one, from the lids' edges: they stay with the lids.
const LASHES: f32 = 0.16;
const RIM: f32 = 0.08;
/// White that comes from as far away as this is not taken from the photo any more; wholly not at the second.
const STRAYED: (f32, f32) = (0.05, 0.18);
/// From this far from the middle of an iris that moves, radii, white is not taken from the photo either; wholly not at the second.
const BESIDE: (f32, f32) = (1.6, 1.1);
/// The edge of the iris, radii, from outside to inside.
const IRIS_EDGE: (f32, f32) = (1.03, 0.93);
/// A highlight is not seen on the white: from where on, radii.
const HIGHLIGHT_EDGE: (f32, f32) = (1.0, 0.85);
/// How much of an unrolled lid is painted; the rest is the photo's few rows of it, drawn out: their colour, without their detail.
const UNROLLED: f32 = 0.75;
/// Towards the eye's corners lids are painted less: from this `along` on, and not at all at the second.
const CORNERS: (f32, f32) = (0.3, 0.5);
/// The photo's grain on what is painted: some of it remains in what lies under the paint.
const GRAIN: f32 = 0.7;
/// Beyond an eye's landmarks: as far as lashes are painted.
const MARGIN: f32 = 0.3;

/// The eyes of one photo.
pub(crate) struct EyePaint {
    /// Right, left.
    eyes: [PhotoEye; 2],
}

struct PhotoEye {
    opening: Aperture,
    /// Between the upper lid's edge and its crease.
    lid: Aperture,
    shade: LidShade,
    skin: LidSkin,
    white: White,
    iris: WholeIris,
    highlight: Option<Highlight>,
}

impl PhotoEye {
    fn new(photo: &RgbImage, opening: Aperture, lid: Aperture) -> Self {
        let iris = *Look::new(&opening, &opening).iris();
        let shade = LidShade::of_photo(photo, &opening);
        let skin = LidSkin::of_photo(photo, &opening, &lid);
        let white = White::of_photo(photo, &opening, &iris, &shade, skin.mean());
        let whole = WholeIris::of_photo(photo, &opening, &iris, &shade, skin.mean());
        let highlight = Highlight::of_photo(photo, &opening, &iris, &whole, &shade);
        Self { opening, lid, shade, skin, white, iris: whole, highlight }
    }
}

impl EyePaint {
    /// The eyes of the face at `landmarks`, photo pixels; `scale` as for [`Aperture`].
    pub(crate) fn new(photo: &RgbImage, landmarks: &Landmarks, scale: f32) -> Self {
        let right = (Aperture::right_eye(landmarks, scale), Aperture::right_lid(landmarks, scale));
        let left = (Aperture::left_eye(landmarks, scale), Aperture::left_lid(landmarks, scale));
        Self { eyes: [right, left].map(|(opening, lid)| PhotoEye::new(photo, opening, lid)) }
    }

    /// The eyes in a frame whose face is at `driving`.
    pub(crate) fn drive(&self, driving: &Landmarks, scale: f32) -> [DrivenEye<'_>; 2] {
        let [right, left] = &self.eyes;
        [
            DrivenEye::new(right, Aperture::right_eye(driving, scale), Aperture::right_lid(driving, scale)),
            DrivenEye::new(left, Aperture::left_eye(driving, scale), Aperture::left_lid(driving, scale)),
        ]
    }
}

/// One eye of a frame.
pub(crate) struct DrivenEye<'a> {
    photo: &'a PhotoEye,
    labels: EyeLabels,
    /// The corners of the box that it is painted in, photo pixels.
    low: Vector2<f32>,
    high: Vector2<f32>,
    /// Nothing moved.
    same: bool,
}

/// What a pixel around an eye is drawn with.
pub(crate) struct Drawn {
    /// Its centre, photo pixels.
    pub(crate) position: Vector2<f32>,
    /// Where in the photo it comes from.
    pub(crate) source: Vector2<f32>,
    /// How much of it lies between the lids, 0..=1.
    pub(crate) between: f32,
    /// How much of it lies on the face, 0..=1.
    pub(crate) face: f32,
    /// By which share of its brightness the photo's grain makes it lighter.
    pub(crate) grain: f32,
}

impl<'a> DrivenEye<'a> {
    fn new(photo: &'a PhotoEye, opening: Aperture, lid: Aperture) -> Self {
        let corners = [(-0.5, opening.low()), (0.5, opening.low()), (-0.5, lid.high()), (0.5, lid.high())];
        let corners = corners.map(|(along, above)| opening.position(along, above));
        let low = corners.iter().fold(Vector2::repeat(f32::MAX), |low, corner| low.inf(corner));
        let high = corners.iter().fold(Vector2::repeat(f32::MIN), |high, corner| high.sup(corner));
        let margin = Vector2::repeat(opening.centimetres(MARGIN));
        let same = photo.opening == opening && photo.lid == lid;
        let labels = EyeLabels::new(&photo.opening, photo.lid.clone(), opening, lid);
        Self { photo, labels, low: low - margin, high: high + margin, same }
    }

    /// The columns of a row of the view that it is painted in, within `width`.
    pub(crate) fn columns(&self, view: &View, row: usize, width: usize) -> Range<usize> {
        let (low, high) = (view.to_output(self.low), view.to_output(self.high));
        let row = row as f32 + 0.5;
        if self.same || row < low.y || row > high.y {
            return 0..0;
        }
        let end = (high.x.ceil().max(0.0) as usize).min(width);
        (low.x.floor().max(0.0) as usize).min(end)..end
    }

    /// How much of a pixel is eye, or lid that the photo's open eye does not show, 0..=1.
    pub(crate) fn share(&self, drawn: &Drawn) -> f32 {
        drawn.between.max(self.labels.at(drawn.position, drawn.between).lid)
    }

    /// Paints over `pixel`.
    pub(crate) fn paint(&self, drawn: &Drawn, pixel: &mut [u8; 3]) {
        let (along, above) = self.labels.opening.coordinates(drawn.position);
        if along.abs() > CORNERS.1 {
            return;
        }
        let mut colour = pixel.map(f32::from);
        if drawn.between < 1.0 && drawn.face > 0.0 {
            self.paint_lids(drawn, along, above, &mut colour);
        }
        if drawn.between > 0.0 {
            let mut eye = colour;
            self.paint_eye(drawn, along, above, &mut eye);
            blend(&mut colour, eye, drawn.between);
        }
        *pixel = colour.map(|v| (v + 0.5).clamp(0.0, 255.0) as u8);
    }

    /// What lies between the lids.
    fn paint_eye(&self, drawn: &Drawn, along: f32, above: f32, colour: &mut Colour) {
        let Self { photo, labels, .. } = self;
        let iris = &labels.iris;
        let (lower, upper) = labels.opening.edges(along);
        let (below, over) = (upper - above, above - lower);
        let (along_photo, above_photo) = photo.opening.coordinates(drawn.source);
        let (lower_photo, upper_photo) = photo.opening.edges(along_photo);
        let (below_photo, over_photo) = (upper_photo - above_photo, above_photo - lower_photo);
        let width = photo.opening.width();
        let way = iris.driving - iris.photo;
        let from_middle = iris.place(iris.driving, along, above);
        let distance = from_middle.norm();
        let in_iris = step(IRIS_EDGE, distance);
        let highlight = |at: Vector2<f32>| {
            let light = photo.highlight.as_ref().map(|highlight| highlight.at(at));
            light.map(|light| light.map(|v| v * step(HIGHLIGHT_EDGE, distance)))
        };
        if let Some(moved) = highlight(drawn.source) {
            *colour = std::array::from_fn(|c| colour[c] - moved[c]);
        }

        let shut = self.shut(along);
        let lashes = photo.shade.lashes(below, shut) / photo.shade.lashes(below, 0.0);
        let shade = photo.shade.at(below);
        let change = (shade / photo.shade.at(below_photo)).clamp(SHADE_CHANGE.0, SHADE_CHANGE.1);
        *colour = colour.map(|v| v * change * lashes);

        // What lay at the photo's lids and does not lie at the driving ones, what lids hid, and white that was elsewhere.
        let at_lid =
            |near: f32, from: f32, to: f32| step((near, 0.4 * near), from) * step((0.0, 0.08), to - from);
        let left_lid = at_lid(LASHES, below_photo, below).max(at_lid(RIM, over_photo, over));
        let hidden = step(FILLED, self.hidden(along, above)) * in_iris;
        let beside = (way.x * width).hypot(way.y) * step(BESIDE, distance);
        let moved = ((along_photo - along) * width).hypot(above_photo - above).max(beside);
        let filled = left_lid.max(hidden).max(step(STRAYED, moved) * (1.0 - in_iris));
        if filled > 0.0 {
            let light = shade * lashes;
            let mut model = photo.white.at(along).map(|v| v * light);
            let iris = photo.iris.at(from_middle);
            blend(&mut model, iris.map(|v| v * light * (1.0 + GRAIN * drawn.grain)), in_iris);
            blend(colour, model, filled);
        }

        let rest = Vector2::new(along, above) - CORNEA * way;
        if let Some(resting) = highlight(photo.opening.position(rest.x, rest.y)) {
            *colour = std::array::from_fn(|c| colour[c] + resting[c]);
        }
    }

    /// How far a place of the driving iris lies behind the photo's lids, beyond what the driving ones hide alike; 0 where the
    /// photo shows it.
    fn hidden(&self, along: f32, above: f32) -> f32 {
        let Self { photo, labels, .. } = self;
        let way = labels.iris.driving - labels.iris.photo;
        let (lower, upper) = labels.opening.edges(along);
        let (along_photo, above_photo) = (along - way.x, above - way.y);
        let (lower_photo, upper_photo) = photo.opening.edges(along_photo);
        let upwards = (above_photo - upper_photo).max(0.0) - (above - upper).max(0.0);
        let downwards = (lower_photo - above_photo).max(0.0) - (lower - above).max(0.0);
        let corner = (along_photo.abs() - 0.48).min(along_photo.abs() - along.abs());
        upwards.max(downwards).max(corner * photo.opening.width()).max(0.0)
    }

    /// How near the lids are to meeting at `along`: 0 from half the photo's opening on, 1 where they meet.
    fn shut(&self, along: f32) -> f32 {
        let (open, open_photo) = (self.labels.opening.opening(along), self.photo.opening.opening(along));
        let closes = step((0.0, 0.05), open_photo - open);
        (1.0 - open / (0.5 * open_photo).max(0.1)).max(0.0) * closes
    }

    /// The skin around the eye: the upper lid where it unrolls, lashes over the lower one.
    fn paint_lids(&self, drawn: &Drawn, along: f32, above: f32, colour: &mut Colour) {
        let Self { photo, labels, .. } = self;
        let (lower, upper) = labels.opening.edges(along);
        let over = above - upper;
        let shown = step((CORNERS.1, CORNERS.0), along.abs()) * drawn.face;
        let closed = photo.opening.opening(along) - (upper - lower).max(0.0);
        if over > 0.0 {
            let height = labels.lid.opening(along);
            let share = UNROLLED * labels.unrolled(along) * shown * step((height, 0.75 * height), over);
            if share > 0.0 {
                let light = photo.shade.lashes(-over, self.shut(along)) * (1.0 + GRAIN * drawn.grain);
                let skin = photo.skin.colour(along, over / height);
                blend(colour, skin.map(|v| v * light), share);
            }
        } else if closed > 0.0 {
            let shade = photo.shade.lashes(-over, self.shut(along)) / photo.shade.lashes(closed - over, 0.0);
            *colour = colour.map(|v| v * (1.0 + (shade - 1.0) * shown));
        }
    }
}

/// How far `value` is on the way from the first bound, 0, to the second, 1, gently; the second may be the lesser.
fn step((none, all): (f32, f32), value: f32) -> f32 {
    share::step(none, all, value)
}

#[cfg(test)]
pub(crate) mod tests {
    use std::sync::Arc;

    use gioconda_face::topology::{RIGHT_LID_COLUMNS, point};
    use gioconda_face::{HeadPose, LANDMARKS};
    use image::Rgb;
    use nalgebra::{Rotation3, Vector3};

    use super::*;
    use crate::MeshRenderer;
    use crate::mesh::MESH;

    const SIDE: u32 = 400;
    /// Pixels per centimetre.
    const SCALE: f32 = 22.0;
    const SKIN: u8 = 170;
    const IRIS: u8 = 60;
    /// Radius of the iris, centimetres.
    const RADIUS: f32 = 0.55;

    /// The canonical face with its irises in the middle of its eyes, moved by `gaze` centimetres (y up), and its right eye's
    /// lids `shut` of the way to each other; less than 0 for wider open.
    pub(crate) fn face(gaze: (f32, f32), shut: f32) -> Landmarks {
        let pose = HeadPose {
            scale: SCALE,
            rotation: Rotation3::identity(),
            translation: Vector3::new(200.0, -220.0, 0.0),
            residual: 0.0,
        };
        let mut face = pose.canonical_face();
        let eyes = [
            (point::RIGHT_IRIS, point::RIGHT_EYE_OUTER, point::RIGHT_EYE_INNER),
            (point::LEFT_IRIS, point::LEFT_EYE_OUTER, point::LEFT_EYE_INNER),
        ];
        for (iris, outer, inner) in eyes {
            let up = Vector3::new(gaze.0, -gaze.1 - 0.15, 0.0) * SCALE;
            let middle = (face.points[outer] + face.points[inner]) / 2.0 + up;
            let around = [Vector3::zeros(), Vector3::x(), -Vector3::y(), -Vector3::x(), Vector3::y()];
            for (i, direction) in around.into_iter().enumerate() {
                face.points[iris + i] = middle + RADIUS * SCALE * direction;
            }
        }
        for (upper, lower) in RIGHT_LID_COLUMNS {
            let way = face.points[lower] - face.points[upper];
            face.points[upper] += way * shut;
        }
        assert_eq!(face.points.len(), LANDMARKS);
        face
    }

    /// Skin, with a right eye whose lashes are dark, whose white is light and whose iris has a highlight.
    fn photo(face: &Landmarks) -> RgbImage {
        let eye = Aperture::right_eye(face, SCALE);
        let iris = face.xy(point::RIGHT_IRIS);
        RgbImage::from_fn(SIDE, SIDE, |x, y| {
            let place = Vector2::new(x as f32 + 0.5, y as f32 + 0.5);
            let (along, above) = eye.coordinates(place);
            let (lower, upper) = eye.edges(along);
            let light = if along.abs() > 0.5 || above < lower || above > upper + 0.03 {
                SKIN
            } else if above > upper - 0.08 {
                40
            } else if (place - iris - Vector2::new(3.0, 2.0)).norm() < 2.5 {
                250
            } else if (place - iris).norm() < RADIUS * SCALE {
                IRIS
            } else {
                210
            };
            Rgb([light; 3])
        })
    }

    fn driven(driving: &Landmarks) -> RgbImage {
        let face = face((0.0, 0.0), 0.0);
        let mut frame = RgbImage::default();
        let mut renderer = MeshRenderer::new(Arc::new(photo(&face)), &face);
        renderer.render(driving, &View::whole(SIDE, SIDE), &mut frame);
        frame
    }

    fn light(frame: &RgbImage, place: Vector2<f32>) -> f32 {
        f32::from(frame.get_pixel(place.x as u32, place.y as u32).0[0])
    }

    /// The middle of the brightest pixels of the right iris.
    fn highlight(frame: &RgbImage, face: &Landmarks) -> Vector2<f32> {
        let middle = face.xy(point::RIGHT_IRIS);
        let reach = 0.6 * RADIUS * SCALE;
        let bright =
            frame.enumerate_pixels().map(|(x, y, pixel)| (Vector2::new(x as f32, y as f32), pixel.0[0]));
        let bright = bright.filter(|(place, light)| (place - middle).norm() < reach && *light > 220);
        let (sum, count) =
            bright.fold((Vector2::zeros(), 0.0), |(sum, count), (place, _)| (sum + place, count + 1.0));
        assert!(count > 5.0, "there is a highlight");
        sum / count
    }

    #[test]
    fn a_shut_eye_has_a_lash_line_and_a_lid_of_the_skins_colour() {
        let driving = face((0.0, 0.0), 1.0);
        let frame = driven(&driving);
        let (upper, _) = RIGHT_LID_COLUMNS[3];
        let line = driving.xy(upper);
        let at = |up: f32| light(&frame, line - Vector2::new(0.0, up * SCALE));
        let darkest = (-3..=3).map(|i| at(0.03 * i as f32)).fold(255.0, f32::min);
        let (lid, cheek) = (at(0.45), at(-0.6));
        assert!((lid - f32::from(SKIN)).abs() < 35.0, "{lid}");
        assert!(darkest < 0.7 * lid.min(cheek), "{darkest} between {lid} and {cheek}");
    }

    #[test]
    fn an_iris_is_whole_where_lids_open_wider() {
        let (rest, driving) = (face((0.0, 0.0), 0.0), face((0.0, 0.0), -0.8));
        let frame = driven(&driving);
        let middle = driving.xy(point::RIGHT_IRIS);
        let eye = Aperture::right_eye(&rest, SCALE);
        let mut revealed = 0;
        for up in 0..(0.85 * RADIUS * SCALE) as u32 {
            let place = middle - Vector2::new(0.0, up as f32);
            let (along, above) = eye.coordinates(place);
            // Where the photo has lashes and lid.
            if above > eye.edges(along).1 - 0.05 {
                revealed += 1;
                let light = light(&frame, place);
                assert!((10.0..100.0).contains(&light), "{light} {up} pixels above the middle");
            }
        }
        assert!(revealed > 1, "{revealed}");
    }

    #[test]
    fn a_highlight_follows_half_of_the_way() {
        let (rest, aside) = (face((0.0, 0.0), 0.0), face((0.3, 0.0), 0.0));
        let moved = highlight(&driven(&aside), &aside) - highlight(&driven(&rest), &rest);
        let way = 0.3 * SCALE;
        assert!((0.3..0.75).contains(&(moved.x / way)), "{} of {way}", moved.x);
    }

    #[test]
    fn little_motion_changes_little() {
        let (rest, moved) = (driven(&face((0.0, 0.0), 0.0)), driven(&face((0.002, 0.002), 0.002)));
        let mut changed = 0;
        let change = |x, y| rest.get_pixel(x, y).0[0].abs_diff(moved.get_pixel(x, y).0[0]);
        for (x, y) in (0..SIDE).flat_map(|y| (0..SIDE).map(move |x| (x, y))) {
            changed += u32::from(change(x, y) >= 25);
        }
        // A pixel of the lids' edge may go from one side to the other.
        assert!(changed <= 2, "{changed}");
    }

    #[test]
    fn what_is_far_from_the_eyes_is_not_painted() {
        let rest = face((0.0, 0.0), 0.0);
        let paint = EyePaint::new(&photo(&rest), &rest, SCALE);
        let view = View::whole(SIDE, SIDE);
        let [right, left] = paint.drive(&face((0.0, 0.0), 1.0), SCALE);
        assert!(right.columns(&view, 10, SIDE as usize).is_empty());
        assert!(right.columns(&view, rest.xy(MESH.right_eye[2]).y as usize, SIDE as usize).len() > 20);
        assert!(left.same, "the left eye stays open");
    }
}
