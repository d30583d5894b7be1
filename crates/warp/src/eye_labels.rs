//! What is what around an eye: iris, white, and the lid's skin when it shuts. Rendering and training read the same.

use gioconda_face::Landmarks;
use gioconda_kernels::smoothstep;
use nalgebra::Vector2;

use crate::aperture::Aperture;
use crate::look::{Iris, Look};
use crate::share::ratio;

/// A lid counts as unrolled from where it is higher than in the photo by this, centimetres, and wholly at the second.
const UNROLLED: (f32, f32) = (0.04, 0.3);

/// What is seen in a place, shares in 0..=1 that add up to at most 1.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct EyeLabel {
    /// The iris with its pupil.
    pub iris: f32,
    /// The white.
    pub white: f32,
    /// Skin of the upper lid that the photo's open eye does not show: 0 for an eye that is as open as the photo's.
    pub lid: f32,
}

/// One driven eye of a photo, in its own coordinates.
#[derive(Clone, Debug)]
pub struct EyeLabels {
    /// The driving opening.
    pub(crate) opening: Aperture,
    /// The driving lid, between its edge and its crease.
    pub(crate) lid: Aperture,
    /// The photo's.
    lid_photo: Aperture,
    pub(crate) iris: Iris,
}

impl EyeLabels {
    /// The right and the left eye of the face at `photo`, driven to `driving`; both in pixels of the photo's frame, with the
    /// pixels per centimetre of their heads ([`gioconda_face::HeadPose::scale`]).
    pub fn of_eyes(
        (photo, scale_photo): (&Landmarks, f32),
        (driving, scale): (&Landmarks, f32),
    ) -> [Self; 2] {
        let eye = |opening: fn(&Landmarks, f32) -> Aperture, lid: fn(&Landmarks, f32) -> Aperture| {
            Self::new(
                &opening(photo, scale_photo),
                lid(photo, scale_photo),
                opening(driving, scale),
                lid(driving, scale),
            )
        };
        [eye(Aperture::right_eye, Aperture::right_lid), eye(Aperture::left_eye, Aperture::left_lid)]
    }

    pub(crate) fn new(photo: &Aperture, lid_photo: Aperture, opening: Aperture, lid: Aperture) -> Self {
        let iris = *Look::new(photo, &opening).iris();
        Self { opening, lid, lid_photo, iris }
    }

    /// The label at `position`, pixels; `between` is how much of the pixel lies between the lids, 0..=1, as in
    /// [`crate::MeshWarp::eyes`].
    pub fn at(&self, position: Vector2<f32>, between: f32) -> EyeLabel {
        let (along, above) = self.opening.coordinates(position);
        let place = self.iris.place(self.iris.driving, along, above);
        // The iris's edge is as soft as a pixel of a small eye.
        let iris = smoothstep(((1.04 - place.norm()) / 0.08).clamp(0.0, 1.0)) * between;
        let lid = self.unrolled(along) * self.on_lid(along, above) * (1.0 - between);
        EyeLabel { iris, white: between - iris, lid }
    }

    /// Whether a place, pixels, is this eye's rather than the other's.
    pub(crate) fn is_near(&self, position: Vector2<f32>) -> bool {
        self.opening.coordinates(position).0.abs() <= 0.5
    }

    /// How far the lid is unrolled at `along`, 0..=1.
    pub(crate) fn unrolled(&self, along: f32) -> f32 {
        let higher = self.lid.opening(along) - self.lid_photo.opening(along);
        smoothstep(((higher - UNROLLED.0) / (UNROLLED.1 - UNROLLED.0)).clamp(0.0, 1.0))
    }

    /// Whether a place lies between the lid's edge and its crease: 1 there, falling off beyond.
    fn on_lid(&self, along: f32, above: f32) -> f32 {
        let (edge, crease) = self.lid.edges(along);
        let corner = ((0.5 - along.abs()) / 0.05).clamp(0.0, 1.0);
        let below = ((above - edge) / 0.04).clamp(0.0, 1.0);
        let over = ratio((crease - above).max(0.0), 0.06);
        corner * below.min(over)
    }
}

#[cfg(test)]
mod tests {
    use gioconda_face::topology::{RIGHT_LID_COLUMNS, point};

    use super::*;
    use crate::eye_paint::tests::face;

    const SCALE: f32 = 22.0;

    #[test]
    fn an_open_eye_is_iris_and_white() {
        let rest = face((0.0, 0.0), 0.0);
        let driving = face((0.2, 0.0), 0.0);
        let [right, _] = EyeLabels::of_eyes((&rest, SCALE), (&driving, SCALE));
        let iris = right.at(driving.xy(point::RIGHT_IRIS), 1.0);
        assert_eq!(iris, EyeLabel { iris: 1.0, white: 0.0, lid: 0.0 });
        let corner = driving.xy(point::RIGHT_EYE_OUTER) * 0.9 + driving.xy(point::RIGHT_EYE_INNER) * 0.1;
        assert_eq!(right.at(corner, 0.5), EyeLabel { iris: 0.0, white: 0.5, lid: 0.0 });
    }

    #[test]
    fn a_lid_is_labelled_as_it_shuts() {
        let rest = face((0.0, 0.0), 0.0);
        let lid = |shut: f32| {
            let driving = face((0.0, 0.0), shut);
            let [right, _] = EyeLabels::of_eyes((&rest, SCALE), (&driving, SCALE));
            let (upper, _) = RIGHT_LID_COLUMNS[3];
            right.at(driving.xy(upper) - Vector2::new(0.0, 0.2 * SCALE), 0.0).lid
        };
        let steps: Vec<f32> = (0..=4).map(|i| lid(i as f32 / 4.0)).collect();
        assert!(steps[0] == 0.0 && steps[4] > 0.9 && steps.is_sorted(), "{steps:?}");
    }

    #[test]
    fn shares_never_exceed_a_pixel() {
        let rest = face((0.0, 0.0), 0.0);
        let [right, _] = EyeLabels::of_eyes((&rest, SCALE), (&face((0.1, 0.1), 0.6), SCALE));
        let middle = rest.xy(point::RIGHT_IRIS);
        for (x, y) in (-40..40).flat_map(|x| (-30..30).map(move |y| (x as f32, y as f32))) {
            for between in [0.0, 0.3, 1.0] {
                let EyeLabel { iris, white, lid } = right.at(middle + Vector2::new(x, y), between);
                assert!(iris >= 0.0 && white >= 0.0 && lid >= 0.0 && iris + white + lid <= 1.001);
            }
        }
    }
}
