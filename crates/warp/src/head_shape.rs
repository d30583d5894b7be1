//! How large the head in a photo is, hair and hat included, as its matte shows it.

use gioconda_face::{HeadPose, Landmarks};
use image::GrayImage;
use nalgebra::Vector2;

use crate::head::face_width;
use crate::mesh::MESH;

/// The ellipse that holds a head with hair of usual length, in face widths: half width, half height, and how far above the
/// middle of the face oval its centre lies.
const ELLIPSE: (f32, f32, f32) = (0.9, 1.05, 0.1);
/// From the chin down, the neck of a head of which nothing else is known moves less and less over this length, face widths.
const NECK: f32 = 0.8;
/// A neck is no shorter than this.
const SHORTEST_NECK: f32 = 0.4;
/// Where a matte gets wider than this, face widths, shoulders begin.
const SHOULDERS: f32 = 1.5;
/// The largest hat, in multiples of the ellipse; what lies farther away does not belong to the head.
const LARGEST: f32 = 1.8;
/// This share of a head's pixels may lie beyond its reach: single hairs, and what the matte took for some.
const BEYOND: f32 = 0.002;
/// A border cuts what touches it over at least this length, face widths; less is noise of the matte.
const LEAST_CUT: f32 = 0.05;
/// So much of a pixel must be person for it to count.
const PERSON: u8 = 128;

/// The head's own axes in the photo.
#[derive(Clone, Debug)]
pub(crate) struct HeadFrame {
    centre: Vector2<f32>,
    right: Vector2<f32>,
    up: Vector2<f32>,
    /// Pixels.
    pub(crate) face_width: f32,
    /// Height of the chin, in face widths.
    pub(crate) chin: f32,
}

impl HeadFrame {
    pub(crate) fn new(landmarks: &Landmarks, pose: &HeadPose) -> Self {
        let face_width = face_width(pose);
        let roll = pose.roll();
        let right = Vector2::new(roll.cos(), -roll.sin());
        let up = Vector2::new(-roll.sin(), -roll.cos());
        let ends = |axis: Vector2<f32>| {
            let along = MESH.oval.iter().map(move |&i| landmarks.xy(i).dot(&axis));
            along.fold((f32::MAX, f32::MIN), |(low, high), v| (low.min(v), high.max(v)))
        };
        let ((left_end, right_end), (low, high)) = (ends(right), ends(up));
        let centre = right * (0.5 * (left_end + right_end)) + up * (0.5 * (low + high));
        Self { centre, right, up, face_width, chin: -0.5 * (high - low) / face_width }
    }

    /// A point of the photo, in face widths from the middle of the face oval: to the head's left in the picture's right, and up.
    pub(crate) fn place(&self, p: Vector2<f32>) -> Vector2<f32> {
        let d = (p - self.centre) / self.face_width;
        Vector2::new(d.dot(&self.right), d.dot(&self.up))
    }

    /// How far a [`place`](Self::place) lies from the middle of the usual head, which has a radius of 1.
    pub(crate) fn radius(place: Vector2<f32>) -> f32 {
        let (half_width, half_height, rise) = ELLIPSE;
        (place.x / half_width).hypot((place.y - rise) / half_height)
    }

    /// The middle of the ellipse of this radius, and half the size of the upright box around it; pixels.
    pub(crate) fn ellipse(&self, radius: f32) -> (Vector2<f32>, Vector2<f32>) {
        let (half_width, half_height, rise) = ELLIPSE;
        let reach = |axis: usize| (half_width * self.right[axis]).hypot(half_height * self.up[axis]);
        let box_half = Vector2::new(reach(0), reach(1)) * (radius * self.face_width);
        (self.centre + self.up * (rise * self.face_width), box_half)
    }
}

/// How far a head reaches.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct HeadShape {
    /// The [`radius`](HeadFrame::radius) up to which everything is head.
    pub(crate) reach: f32,
    /// From the chin to the shoulders, face widths.
    pub(crate) neck: f32,
    /// Whether the photo's left, right and upper border cut the head or the neck.
    pub(crate) cut: [bool; 3],
    /// Of a head that the photo's upper border cuts, the radius at which it is made up to end.
    pub(crate) cap: Option<f32>,
}

impl HeadShape {
    /// Of a head of which only the face is known.
    pub(crate) fn unknown() -> Self {
        Self { reach: 1.0, neck: NECK, cut: [true; 3], cap: None }
    }

    /// Of the head in `matte`, a person's.
    pub(crate) fn of(matte: &GrayImage, frame: &HeadFrame) -> Self {
        const BINS: usize = 64;
        // Every other pixel in both directions says enough.
        const STEP: usize = 2;
        let mut radii = [0_u32; BINS];
        let mut widths = [(f32::MAX, f32::MIN); BINS];
        // Pixels along the left, right and upper border.
        let (mut along, mut cap) = ([0_u32; 3], 1.0_f32);
        let mut capped = 0;
        let (width, height) = matte.dimensions();
        for y in (0..height).step_by(STEP) {
            for x in (0..width).step_by(STEP).filter(|&x| matte.get_pixel(x, y).0[0] >= PERSON) {
                let place = frame.place(Vector2::new(x as f32 + 0.5, y as f32 + 0.5));
                let below = frame.chin - place.y;
                let radius = HeadFrame::radius(place);
                if below < NECK {
                    along[0] += u32::from(x < STEP as u32);
                    along[1] += u32::from(x + STEP as u32 >= width);
                    along[2] += u32::from(y < STEP as u32);
                }
                if below <= 0.0 && radius <= LARGEST {
                    radii[((radius / LARGEST * BINS as f32) as usize).min(BINS - 1)] += 1;
                    if y < STEP as u32 {
                        (cap, capped) = (cap.max(radius), capped + 1);
                    }
                } else if below > 0.0
                    && below < NECK
                    && let Some((low, high)) = widths.get_mut((below / NECK * BINS as f32) as usize)
                {
                    (*low, *high) = (low.min(place.x), high.max(place.x));
                }
            }
        }
        let all: u32 = radii.iter().sum();
        let mut beyond = (BEYOND * all as f32) as u32;
        let outermost = radii.iter().rposition(|&count| {
            let enough = count > beyond;
            beyond = beyond.saturating_sub(count);
            enough
        });
        let reach = outermost.map_or(1.0, |bin| (bin + 1) as f32 * LARGEST / BINS as f32);
        let least = (LEAST_CUT * frame.face_width / STEP as f32).max(1.0) as u32;
        let cap = (capped >= least).then_some(cap);
        let reach = reach.max(cap.unwrap_or(1.0));
        let shoulders = widths.iter().position(|(low, high)| high - low > SHOULDERS);
        let neck = shoulders.map_or(NECK, |bin| bin as f32 * NECK / BINS as f32);
        Self {
            reach: reach.clamp(1.0, LARGEST),
            neck: neck.max(SHORTEST_NECK),
            cut: along.map(|pixels| pixels >= least),
            cap,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mesh::canonical_landmarks;
    use image::Luma;

    /// The canonical face, 100 pixels wide, in the middle of a picture of 500 x 500.
    fn frame() -> HeadFrame {
        let face =
            canonical_landmarks().map(|p| p * (100.0 / 15.5) + nalgebra::Vector3::new(250.0, 250.0, 0.0));
        HeadFrame::new(&face, &HeadPose::fit(&face))
    }

    /// A person: a head of this radius, a neck half a face width wide and this long, and shoulders below.
    fn matte(frame: &HeadFrame, radius: f32, neck: f32) -> GrayImage {
        GrayImage::from_fn(500, 500, |x, y| {
            let place = frame.place(Vector2::new(x as f32 + 0.5, y as f32 + 0.5));
            let below = frame.chin - place.y;
            let person = if below <= 0.0 {
                HeadFrame::radius(place) < radius
            } else {
                place.x.abs() < if below < neck { 0.25 } else { 1.2 }
            };
            Luma([if person { 255 } else { 0 }])
        })
    }

    #[test]
    fn a_matte_tells_how_far_hair_and_neck_reach() {
        let frame = frame();
        for (radius, neck) in [(1.1, 0.5), (1.5, 0.7)] {
            let shape = HeadShape::of(&matte(&frame, radius, neck), &frame);
            assert!((shape.reach - radius).abs() < 0.06, "{shape:?}");
            assert!((shape.neck - neck).abs() < 0.05, "{shape:?}");
            assert_eq!((shape.cut, shape.cap), ([false; 3], None));
        }
    }

    #[test]
    fn no_head_is_smaller_than_usual_and_no_neck_shorter() {
        let frame = frame();
        let shape = HeadShape::of(&matte(&frame, 0.7, 0.1), &frame);
        assert_eq!((shape.reach, shape.neck), (1.0, SHORTEST_NECK));
        let none = HeadShape::of(&GrayImage::new(500, 500), &frame);
        assert_eq!((none.reach, none.neck), (1.0, NECK));
    }

    #[test]
    fn a_head_that_the_border_cuts_gets_a_cap_that_meets_its_outline() {
        let frame = frame();
        let whole = matte(&frame, 1.2, 0.5);
        let cut = image::imageops::crop_imm(&whole, 0, 180, 500, 320).to_image();
        let moved = HeadFrame { centre: frame.centre - Vector2::new(0.0, 180.0), ..frame };
        let cap = HeadShape::of(&cut, &moved).cap.unwrap_or_default();
        assert!((cap - 1.2).abs() < 0.05, "{cap}");
    }
}
