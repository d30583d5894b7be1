//! How much of each pixel of a photo belongs to the person in it, and whether that can be trusted.

mod finder;
mod guided_filter;
mod person;
mod verdict;

use image::GrayImage;
use nalgebra::Vector2;

use crate::Landmarks;

pub use finder::MatteFinder;
pub use verdict::MatteVerdict;

/// Values of an alpha channel below it are nothing.
const TRACES: u8 = 8;
/// Values of an alpha channel from it on are whole.
const WHOLE: u8 = 248;

/// A person's matte.
#[derive(Clone, Debug, PartialEq)]
pub struct Matte {
    /// Of the photo's size: 0 background, 255 person.
    pub alpha: GrayImage,
    /// Whether it can be trusted.
    pub verdict: MatteVerdict,
}

impl Matte {
    /// A matte that is known, such as a stored one.
    pub fn of_alpha(alpha: GrayImage) -> Self {
        Self { alpha, verdict: MatteVerdict::Good }
    }

    /// A matte of a picture's alpha channel. Lossy and smoothed exports leave traces outside of a person and dull whole pixels
    /// inside: what is nearly nothing is nothing, and what is nearly whole is whole.
    pub fn of_transparency(mut alpha: GrayImage) -> Self {
        for value in alpha.iter_mut() {
            *value = match *value {
                0..TRACES => 0,
                WHOLE.. => u8::MAX,
                edge => edge,
            };
        }
        Self::of_alpha(alpha)
    }

    /// The matte with a verdict on it for the face at `landmarks`, pixels: the alpha channel of a photo may as well be a
    /// round frame or nothing at all.
    #[must_use]
    pub fn judged(self, landmarks: &Landmarks) -> Self {
        let alpha = |at| self.at(at);
        let verdict = verdict::judge(landmarks, self.alpha.dimensions(), alpha, alpha);
        Self { verdict, ..self }
    }

    /// Whether layers can be made of it.
    pub fn is_usable(&self) -> bool {
        self.verdict == MatteVerdict::Good
    }

    /// Which share of a face the matte holds, 0..1; of another person's face it should be nothing.
    pub fn share_of(&self, face: &Landmarks) -> f32 {
        verdict::share_of_face(face, self.alpha.dimensions(), |at| self.at(at))
    }

    /// Alpha at a position inside the photo, 0..1.
    fn at(&self, at: Vector2<f32>) -> f32 {
        let x = (at.x.max(0.0) as u32).min(self.alpha.width() - 1);
        let y = (at.y.max(0.0) as u32).min(self.alpha.height() - 1);
        f32::from(self.alpha.get_pixel(x, y)[0]) / 255.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{FaceChoice, FaceFinder, LANDMARKS, Threads};
    use gioconda_testkit::{repository, shared};
    use image::{GenericImage as _, Luma, RgbImage};
    use nalgebra::Vector3;

    /// A face of 100 x 100 pixels in the middle of 300 x 300.
    fn face() -> Landmarks {
        let mut points = [Vector3::zeros(); LANDMARKS];
        for (i, point) in points.iter_mut().enumerate() {
            *point = Vector3::new(100.0 + (i % 20) as f32 / 0.19, 100.0 + (i / 20) as f32 / 0.22, 0.0);
        }
        Landmarks { points }
    }

    #[test]
    fn alpha_is_judged_by_what_is_around_the_face() {
        let head = |x: u32, y: u32| (x as f32 - 150.0).hypot(y as f32 - 150.0) < 90.0;
        // Alpha inside the head and outside.
        let cases = [
            ("a head", [255, 0], MatteVerdict::Good),
            ("everything", [255, 255], MatteVerdict::Everything),
            ("nothing", [0, 0], MatteVerdict::NoHead),
            ("neither", [255, 128], MatteVerdict::Uncertain),
        ];
        for (name, [inside, outside], expected) in cases {
            let alpha =
                GrayImage::from_fn(300, 300, |x, y| Luma([if head(x, y) { inside } else { outside }]));
            let matte = Matte::of_alpha(alpha).judged(&face());
            assert_eq!(matte.verdict, expected, "{name}");
            assert_eq!(matte.is_usable(), expected == MatteVerdict::Good, "{name}");
        }
    }

    #[test]
    fn traces_in_an_alpha_channel_are_none_of_the_person() {
        let [before, after] = [[0, 1, 7, 8, 247, 248, 254, 255], [0, 0, 0, 8, 247, 255, 255, 255]]
            .map(|values| GrayImage::from_raw(4, 2, values.to_vec()).expect("8 pixels"));
        assert_eq!(Matte::of_transparency(before), Matte::of_alpha(after));
    }

    fn found(photo: &RgbImage, choice: FaceChoice) -> (Landmarks, Matte) {
        let mut finder = FaceFinder::new(Threads::Shared).expect("built in");
        let faces = finder.find_faces(photo).expect("searched");
        let face = choice.choose(&faces).expect("a choice").expect("a face").landmarks.clone();
        let others: Vec<_> =
            faces.iter().map(|other| &other.landmarks).filter(|other| **other != face).collect();
        let matte = finder.matte(photo, &face, &others).expect("looked at");
        (face, matte)
    }

    #[test]
    fn portraits_stand_out_from_their_backgrounds() {
        let Some(folder) = shared("data/portraits") else { return };
        for name in ["lincoln", "mona_lisa", "sargent_lady_agnew", "van_gogh", "girl_with_a_pearl_earring"] {
            let photo =
                gioconda_media::photo::read(&folder.join(format!("{name}.jpg"))).expect("a photo").image;
            let (face, matte) = found(&photo, FaceChoice::Largest);
            assert!(matte.is_usable(), "{name}: {}", matte.verdict);
            assert_eq!(matte.alpha.dimensions(), photo.dimensions());
            assert!(matte.share_of(&face) > 0.95, "{name}");
            // Nearly all pixels are sure.
            let sure = matte.alpha.pixels().filter(|alpha| matches!(alpha[0], 0 | 255)).count();
            assert!(sure as f32 > 0.7 * matte.alpha.len() as f32, "{name}: {sure} of {}", matte.alpha.len());
        }
    }

    #[test]
    fn of_two_people_one_is_meant() {
        let mona = image::open(repository("assets/mona_lisa.jpg")).expect("a photo").to_rgb8();
        let (width, height) = mona.dimensions();
        let mut two = RgbImage::new(2 * width, height);
        two.copy_from(&mona, 0, 0).expect("it fits");
        two.copy_from(&mona, width, 0).expect("it fits");
        let (face, matte) = found(&two, FaceChoice::Index(2));
        let other = face.scaled_and_shifted(1.0, Vector2::new(-(width as f32), 0.0));
        assert!(matte.is_usable(), "{}", matte.verdict);
        assert!(matte.share_of(&face) > 0.99 && matte.share_of(&other) < 0.01);
    }

    #[test]
    fn faces_at_edges_and_pictures_of_one_pixel_are_no_trouble() {
        let mona = image::open(repository("assets/mona_lisa.jpg")).expect("a photo").to_rgb8();
        let (face, _) = found(&mona, FaceChoice::Largest);
        let finder = MatteFinder::new(Threads::Shared).expect("built in");
        for size in [(1, 1), (3, 200), (200, 3), (64, 64)] {
            let photo = RgbImage::new(size.0, size.1);
            for shift in [-2000.0, -300.0, 0.0, 2000.0] {
                let face = face.scaled_and_shifted(1.0, Vector2::repeat(shift));
                assert_eq!(finder.find(&photo, &face).expect("looked at").alpha.dimensions(), size);
            }
        }
        let nowhere = face.map(|p| p * f32::NAN);
        assert_eq!(finder.find(&mona, &nowhere).expect("looked at").verdict, MatteVerdict::NoHead);
    }
}
