//! What surrounds the face: the person's hair, neck and shoulders, and the background.
//!
//! The true frame's matte without its face is parted at the chin, across the head: above is hair (with ears, hats and what
//! of a forehead the face mask leaves), below are neck and shoulders (with the hair that falls on them). Background is
//! what is outside the mattes of both the photo and the true frame: an output has no reason to touch it. Borders are kept
//! clear of: a matte and a mask of landmarks are some pixels off.

use gioconda_face::topology::point;
use gioconda_face::{HeadPose, Landmarks};
use image::{GrayImage, Luma};
use imageproc::distance_transform::Norm;
use imageproc::morphology::dilate;
use nalgebra::{Vector2, Vector3};

use crate::planes::Weights;

/// Pixels of the 256 x 256 crop by which the face is widened.
const FACE_MARGIN: u8 = 2;
/// The same for mattes, where background is looked for.
const MATTE_MARGIN: u8 = 4;
/// Matte of a pixel that is the person's.
const PERSON: u8 = 128;
/// Matte of a pixel that is not purely background.
const TRACE: u8 = 26;

/// Weights of 0 or 1. All of them 0 where there is no usable matte.
pub(crate) struct PersonRegions {
    pub(crate) hair: Weights,
    pub(crate) neck: Weights,
    pub(crate) background: Weights,
}

impl PersonRegions {
    /// Of a true frame, by its matte, the photo's matte (without which there is no background), the true frame's face and
    /// its landmarks in pixels.
    pub(crate) fn of(
        truth: Option<&GrayImage>,
        photo: Option<&GrayImage>,
        face: &Weights,
        landmarks: &Landmarks,
    ) -> Self {
        let (width, height) = (face.width as u32, face.height() as u32);
        let weights = |inside: &dyn Fn(u32, u32) -> bool| Weights {
            width: face.width,
            values: (0..height)
                .flat_map(|y| (0..width).map(move |x| f64::from(u8::from(inside(x, y)))))
                .collect(),
        };
        let nothing = || weights(&|_, _| false);
        let Some(truth) = truth else {
            return Self { hair: nothing(), neck: nothing(), background: nothing() };
        };
        let of_face = |x: u32, y: u32| face.values[(y * width + x) as usize] > 0.0;
        let near_face = widened(width, height, FACE_MARGIN, of_face);
        let around_face = |x: u32, y: u32| truth.get_pixel(x, y).0[0] >= PERSON && !near_face(x, y);
        let below = below_chin(landmarks);
        let background = photo.map(|photo| {
            let traces =
                |x: u32, y: u32| [truth, photo].iter().any(|matte| matte.get_pixel(x, y).0[0] >= TRACE);
            let near_person = widened(width, height, MATTE_MARGIN, traces);
            weights(&|x, y| !near_person(x, y) && !near_face(x, y))
        });
        Self {
            hair: weights(&|x, y| around_face(x, y) && !below(x, y)),
            neck: weights(&|x, y| around_face(x, y) && below(x, y)),
            background: background.unwrap_or_else(nothing),
        }
    }
}

/// Whether a pixel lies beyond the chin, along the head's own vertical as the picture shows it.
fn below_chin(landmarks: &Landmarks) -> impl Fn(u32, u32) -> bool + use<> {
    let chin = landmarks.xy(point::CHIN);
    let down = HeadPose::fit(landmarks).rotation * -Vector3::y();
    let down = Vector2::new(down.x, -down.y);
    move |x, y| (Vector2::new(x as f32 + 0.5, y as f32 + 0.5) - chin).dot(&down) > 0.0
}

/// A mask with a margin of so many pixels around.
fn widened(
    width: u32,
    height: u32,
    margin: u8,
    inside: impl Fn(u32, u32) -> bool,
) -> impl Fn(u32, u32) -> bool {
    let mask = GrayImage::from_fn(width, height, |x, y| Luma([if inside(x, y) { 255 } else { 0 }]));
    let mask = dilate(&mask, Norm::L2, margin);
    move |x, y| mask.get_pixel(x, y).0[0] > 0
}

#[cfg(test)]
mod tests {
    use nalgebra::Rotation3;

    use super::*;

    const SIDE: u32 = 256;

    /// A head of 80 pixels' radius around the middle, on shoulders.
    fn matte(shift: i32) -> GrayImage {
        GrayImage::from_fn(SIDE, SIDE, |x, y| {
            let (x, y) = (x as i32 - 128 - shift, y as i32 - 128);
            Luma([if x * x + y * y < 80 * 80 || y > 95 { 255 } else { 0 }])
        })
    }

    /// The canonical face in the middle, tilted by `roll`, and a disc of a mask over it.
    fn face(roll: f32) -> (Weights, Landmarks) {
        let pose = HeadPose {
            scale: 7.0,
            rotation: Rotation3::from_euler_angles(0.0, 0.0, roll),
            translation: Vector3::new(128.0, -128.0, 0.0),
            residual: 0.0,
        };
        let inside = |i: u32| (i % SIDE).abs_diff(128).pow(2) + (i / SIDE).abs_diff(128).pow(2) < 50 * 50;
        let mask: Vec<u8> = (0..SIDE * SIDE).map(|i| if inside(i) { 255 } else { 0 }).collect();
        (Weights::of(&mask, SIDE as usize), pose.canonical_face())
    }

    fn pixels(weights: &Weights) -> f64 {
        weights.values.iter().sum()
    }

    #[test]
    fn regions_share_no_pixel_with_each_other_or_the_face() {
        let (face, landmarks) = face(0.3);
        let parts = PersonRegions::of(Some(&matte(10)), Some(&matte(0)), &face, &landmarks);
        let all = [&parts.hair, &parts.neck, &parts.background, &face];
        for i in 0..face.values.len() {
            assert!(all.iter().map(|part| part.values[i]).sum::<f64>() <= 1.0, "{} {}", i % 256, i / 256);
        }
        assert!(all.iter().all(|part| pixels(part) > 1000.0));
    }

    #[test]
    fn hair_is_above_the_chin_of_a_tilted_head_too() {
        let at = |part: &Weights, x: usize, y: usize| part.values[y * 256 + x] > 0.0;
        let (mask, landmarks) = face(0.0);
        let upright = PersonRegions::of(Some(&matte(0)), None, &mask, &landmarks);
        assert!(at(&upright.hair, 128, 60) && at(&upright.neck, 128, 250) && !at(&upright.neck, 70, 150));
        assert!(pixels(&upright.background) < 0.5, "background needs both mattes");
        // Lying on its side, the chin to the right as it is seen.
        let (mask, landmarks) = face(std::f32::consts::FRAC_PI_2);
        let lying = PersonRegions::of(Some(&matte(0)), None, &mask, &landmarks);
        let chin = landmarks.xy(point::CHIN);
        assert!(chin.x > 150.0, "{chin}");
        assert!(at(&lying.hair, 55, 128) && !at(&lying.neck, 55, 128) && at(&lying.neck, 204, 128));
    }

    #[test]
    fn without_a_matte_nothing_is_measured() {
        let (face, landmarks) = face(0.0);
        let parts = PersonRegions::of(None, Some(&matte(0)), &face, &landmarks);
        for part in [&parts.hair, &parts.neck, &parts.background] {
            assert!(!part.is_measurable() && part.values.len() == face.values.len());
        }
    }

    #[test]
    fn margins_reach_as_far_as_they_say() {
        let near = widened(10, 10, 2, |x, y| (x, y) == (5, 5));
        assert!(near(3, 5) && near(5, 7) && near(6, 6) && !near(2, 5) && !near(7, 7));
        let nowhere = widened(10, 10, 2, |_, _| false);
        assert!((0..10).all(|i| !nowhere(i, i)));
    }
}
