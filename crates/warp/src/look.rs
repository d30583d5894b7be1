//! What is seen between the lids.

use nalgebra::Vector2;

use crate::aperture::Aperture;
use crate::share::ratio;

/// What the driving eye sees of the photo's eye.
///
/// Lids that close cover the eyeball. The iris moves with the gaze and keeps its size and its roundness: what the photo's
/// lids hide of it is what they show elsewhere at that distance from its middle. The white gives way beside it, and is
/// stretched by lids that open wider than the photo's. An eye of which the photo shows too little is stretched as a whole.
pub(crate) struct Look<'a> {
    from: &'a Aperture,
    to: &'a Aperture,
    /// The eye's width as the less turned of both pictures shows it, centimetres.
    width: f32,
    /// (driving, photo) pairs of `along`: corner, iris edge, iris edge, corner.
    knots: [(f32, f32); 4],
    iris: Iris,
    /// Nothing moved: the map is then the identity to the last bit.
    same: bool,
}

/// An iris that moves as a whole.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Iris {
    /// (along, above) in the photo.
    pub(crate) photo: Vector2<f32>,
    /// (along, above) in the driving frame.
    pub(crate) driving: Vector2<f32>,
    /// With its rim, in widths of the eye.
    pub(crate) radius: f32,
    /// The eye's width as the less turned of both pictures shows it, centimetres.
    width: f32,
    /// How much white the photo shows on either side of it, in units of `along`.
    white: [f32; 2],
    /// Whether the photo shows enough of it to tell it from the lids.
    pub(crate) shown: bool,
}

impl Iris {
    /// Where (along, above) lies from `middle`, in radii, y up.
    pub(crate) fn place(&self, middle: Vector2<f32>, along: f32, above: f32) -> Vector2<f32> {
        Vector2::new(along - middle.x, (above - middle.y) / self.width) / self.radius
    }
}

/// The rim around an iris that moves with it, over the iris's radius.
const RIM: f32 = 1.12;
/// So much of an iris's height must lie between the photo's lids, its middle too, for what is seen there to be an iris.
const SHOWN: f32 = 0.35;
/// The upper lid's lashes and shade, over the photo's opening: no iris is taken from there once lids open wider.
const SHADED: f32 = 0.2;
/// The lower lid's bright rim, likewise.
const BRIGHT: f32 = 0.1;
/// Both are left out whole where lids open wider by this share of the photo's opening.
const WIDER: f32 = 0.3;
/// How far an iris can be trusted where it was taken from elsewhere around its middle.
const TURNED: f32 = 0.8;
/// All white above and below an iris is of the side that shows more, where that is three times as much as on the other: their
/// difference is then half of their sum.
const LEAN: f32 = 2.0;
/// Beyond this `along` the corners' skin begins.
const CORNER: f32 = 0.48;

impl<'a> Look<'a> {
    pub(crate) fn new(from: &'a Aperture, to: &'a Aperture) -> Self {
        let width = from.width().max(to.width()).max(1e-3);
        let (photo, radius) = from.iris.unwrap_or((Vector2::zeros(), 0.2 * width));
        let (driving, _) = to.iris.unwrap_or((photo, radius));
        let radius = RIM * (radius / width).clamp(0.05, 0.35);
        // The tracker guesses the iris behind closed lids: trust it as far as the eye is open.
        let trust = ((ratio(to.widest(), from.widest().max(0.2)) - 0.25) / 0.5).clamp(0.0, 1.0);
        let middle = photo.x.clamp(-0.4, 0.4);
        let (left, right) = ((middle - radius).max(-CORNER), (middle + radius).min(CORNER));
        // At most this share of the white may vanish on either side.
        let turn = (trust * (driving.x - photo.x)).clamp(-0.7 * (left + 0.5), 0.7 * (0.5 - right));
        let rise = (trust * (driving.y - photo.y)).clamp(-0.35, 0.35);
        let (lower, upper) = from.edges(middle);
        let (bottom, top) = (photo.y - radius * width, photo.y + radius * width);
        let between = top.min(upper) - bottom.max(lower);
        let photo = Vector2::new(middle, photo.y);
        let iris = Iris {
            photo,
            driving: photo + Vector2::new(turn, rise),
            radius,
            width,
            white: [left + 0.5, 0.5 - right],
            shown: between > SHOWN * (top - bottom) && lower <= photo.y && photo.y <= upper,
        };
        let knots = [(-0.5, -0.5), (left + turn, left), (right + turn, right), (0.5, 0.5)];
        Self { from, to, width, knots, iris, same: from == to }
    }

    /// Where the iris is and was.
    pub(crate) fn iris(&self) -> &Iris {
        &self.iris
    }

    /// Displacement from a driving position (photo pixels) to where it comes from, and its validity.
    pub(crate) fn displacement(&self, position: Vector2<f32>) -> (Vector2<f32>, f32) {
        if self.same {
            return (Vector2::zeros(), 1.0);
        }
        let (along, above) = self.to.coordinates(position);
        let (along, above, validity) = if self.iris.shown {
            self.of_iris(along, above).unwrap_or_else(|| self.of_white(along, above))
        } else {
            self.of_narrow_eye(along, above)
        };
        (self.from.position(along, above) - position, validity)
    }

    /// Where in the photo, (along, above), a driving position in the iris comes from, and its validity; `None` outside it.
    fn of_iris(&self, along: f32, above: f32) -> Option<(f32, f32, f32)> {
        let Iris { photo, driving, radius, .. } = self.iris;
        // In widths of the eye, from the middle of the iris.
        let (mut x, y) = (along - driving.x, (above - driving.y) / self.width);
        let distance = x.hypot(y);
        if distance > radius {
            return None;
        }
        let mut validity = 1.0;
        // What lies as far out in the driving eye is no gap.
        if (photo.x + x).abs() > CORNER.max(along.abs()) {
            (x, validity) = (-x, TURNED);
        }
        let (low, high) = self.visible(photo.x + x, self.to.opening(along));
        let limit = if y > 0.0 { high } else { low };
        if y.abs() > limit.abs() {
            // As far from the middle, mirrored where the lid cuts the circle.
            let (angle, lid) = (y.atan2(x.abs()), (limit / distance).clamp(-1.0, 1.0).asin());
            let (sin, cos) = (2.0 * lid - angle).sin_cos();
            let (low, high) = self.visible(photo.x + (distance * cos).copysign(x), self.to.opening(along));
            let turned_y = (distance * sin).clamp(low, high);
            let turned_x = (distance * distance - turned_y * turned_y).max(0.0).sqrt().copysign(x);
            let (low, high) = self.visible(photo.x + turned_x, self.to.opening(along));
            return Some((photo.x + turned_x, photo.y + turned_y.clamp(low, high) * self.width, TURNED));
        }
        Some((photo.x + x, photo.y + y * self.width, validity))
    }

    /// The lowest and the highest place at `along` of the photo from which iris is taken for a place where the driving eye is
    /// `open` centimetres, in widths of the eye from the iris's middle: at most 0, at least 0.
    fn visible(&self, along: f32, open: f32) -> (f32, f32) {
        let (lower, upper) = self.from.edges(along);
        let open_photo = (upper - lower).max(0.0);
        let wider = ((open / open_photo.max(1e-3) - 1.0) / WIDER).clamp(0.0, 1.0);
        let low = lower + wider * BRIGHT * open_photo - self.iris.photo.y;
        let high = upper - wider * SHADED * open_photo - self.iris.photo.y;
        (low.min(0.0) / self.width, high.max(0.0) / self.width)
    }

    /// Where in the photo, (along, above), a driving position in the white comes from, and its validity.
    fn of_white(&self, along: f32, above: f32) -> (f32, f32, f32) {
        let (above_photo, _) = self.between_lids(along, above, self.unturned(along));
        let along_photo = self.beside_iris(along, above, above_photo);
        let (above_photo, validity) = self.between_lids(along, above, along_photo);
        (along_photo, above_photo, validity)
    }

    /// The same for any position in an eye whose iris the photo hides: iris and lids are stretched alike, and what is in the
    /// iris's columns moves with it.
    fn of_narrow_eye(&self, along: f32, above: f32) -> (f32, f32, f32) {
        let Iris { photo, driving, radius, .. } = self.iris;
        let near_iris = (2.0 - (along - driving.x).abs() / radius).clamp(0.0, 1.0);
        let along_photo = self.unturned(along);
        let (above_photo, validity) = self.between_lids(along, above, along_photo);
        let (lower, upper) = self.from.edges(along_photo);
        let moved = (above_photo - (driving.y - photo.y) * near_iris).clamp(lower, upper.max(lower));
        (along_photo, moved, validity)
    }

    /// The photo's `above`, and its validity, for a driving position that comes from this `along` of the photo.
    fn between_lids(&self, along: f32, above: f32, along_photo: f32) -> (f32, f32) {
        let (lower, upper) = self.to.edges(along);
        let (lower_photo, upper_photo) = self.from.edges(along_photo);
        let (open, open_photo) = ((upper - lower).max(0.0), (upper_photo - lower_photo).max(0.0));
        let above_photo = if open >= open_photo {
            lower_photo + (above - lower) * ratio(open_photo, open)
        } else {
            // Slide as little as keeps the view within the photo's own lids.
            above + 0.0_f32.clamp(lower_photo - lower, (upper_photo - upper).max(lower_photo - lower))
        };
        (above_photo.clamp(lower_photo, upper_photo.max(lower_photo)), ratio(open_photo, open))
    }

    /// The photo's `along` for a driving position beside, above or below the iris: on either side the white reaches from the
    /// corner to the iris, however wide that is at this height. Where the iris was and is no more, white of both sides meets:
    /// beside the iris if the photo shows much more of it on one side.
    fn beside_iris(&self, along: f32, above: f32, above_photo: f32) -> f32 {
        let Iris { photo, driving, radius, white: [left, right], .. } = self.iris;
        let chord = |above: f32| {
            let y = above / self.width;
            (radius * radius - y * y).max(0.0).sqrt()
        };
        let (here, there) = (chord(above - driving.y), chord(above_photo - photo.y));
        let meet = driving.x + radius * (LEAN * (left - right) / (left + right)).clamp(-1.0, 1.0);
        let (corner, iris, iris_photo) = if along < meet {
            (-0.5, (driving.x - here).min(meet).max(-CORNER), (photo.x - there).max(-CORNER))
        } else {
            (0.5, (driving.x + here).max(meet).min(CORNER), (photo.x + there).min(CORNER))
        };
        let share = ((along - corner) / (iris - corner)).clamp(0.0, 1.0);
        corner + (iris_photo - corner) * share
    }

    /// The photo's `along` for a driving one, the same at all heights.
    fn unturned(&self, along: f32) -> f32 {
        let along = along.clamp(-0.5, 0.5);
        let next = self.knots.partition_point(|knot| knot.0 < along).clamp(1, 3);
        let ((d0, p0), (d1, p1)) = (self.knots[next - 1], self.knots[next]);
        if d1 > d0 { p0 + (p1 - p0) * (along - d0) / (d1 - d0) } else { p0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gioconda_face::topology::{RIGHT_LOWER_LID, RIGHT_UPPER_LID, point};
    use gioconda_face::{LANDMARKS, Landmarks};
    use nalgebra::Vector3;

    /// Pixels.
    const WIDTH: f32 = 100.0;
    const RADIUS: f32 = 19.0;
    /// Pixels per centimetre.
    const SCALE: f32 = 33.0;

    /// A right eye with its corners at (0, 0) and (`width`, 0), lids so many pixels above and below, and its iris there.
    fn eye_of(width: f32, upper: f32, lower: f32, iris: (f32, f32)) -> Aperture {
        let mut landmarks = Landmarks { points: [Vector3::zeros(); LANDMARKS] };
        for (lid, height) in [(&RIGHT_UPPER_LID[..], -upper), (&RIGHT_LOWER_LID[..], lower)] {
            for (step, &i) in lid.iter().enumerate() {
                let along = step as f32 / (lid.len() - 1) as f32;
                landmarks.points[i] = [width * along, height * 4.0 * along * (1.0 - along), 0.0].into();
            }
        }
        let middle = Vector3::new(iris.0, iris.1, 0.0);
        let around = [Vector3::zeros(), Vector3::x(), -Vector3::y(), -Vector3::x(), Vector3::y()];
        for (i, direction) in around.into_iter().enumerate() {
            landmarks.points[point::RIGHT_IRIS + i] = middle + RADIUS * direction;
        }
        Aperture::right_eye(&landmarks, SCALE)
    }

    fn eye(upper: f32, lower: f32, iris: (f32, f32)) -> Aperture {
        eye_of(WIDTH, upper, lower, iris)
    }

    /// Positions between the lids, and where each comes from.
    fn seen(from: &Aperture, to: &Aperture) -> Vec<(Vector2<f32>, Vector2<f32>)> {
        let look = Look::new(from, to);
        let grid = (-30..30).flat_map(|y| (1..100).map(move |x| Vector2::new(x as f32, y as f32 + 0.5)));
        let between = grid.filter(|&position| {
            let (along, above) = to.coordinates(position);
            let (lower, upper) = to.edges(along);
            along.abs() < 0.5 && (lower..upper).contains(&above)
        });
        between.map(|position| (position, position + look.displacement(position).0)).collect()
    }

    fn from_middle(position: Vector2<f32>, middle: (f32, f32)) -> Vector2<f32> {
        position - Vector2::new(middle.0, middle.1)
    }

    #[test]
    fn an_eye_that_opens_wider_shows_a_round_iris() {
        // A quarter of the photo's iris is behind the upper lid; the driver opens the eye and looks up and aside.
        let (photo, driving) = ((50.0, -4.0), (56.0, -10.0));
        let (from, to) = (eye(12.0, 12.0, photo), eye(28.0, 14.0, driving));
        let mut inside = 0;
        for (here, there) in seen(&from, &to) {
            let (wanted, found) = (from_middle(here, driving), from_middle(there, photo));
            if wanted.norm() < RADIUS {
                inside += 1;
                assert!((wanted.norm() - found.norm()).abs() < 0.5, "{here} comes from {there}");
                if (0.0..4.0).contains(&wanted.y) {
                    assert!((wanted - found).norm() < 0.1, "{here}, which is not hidden, comes from {there}");
                }
            } else if wanted.norm() > 1.2 * RADIUS {
                assert!(found.norm() > RADIUS, "{here} in the white comes from {there} in the iris");
            }
        }
        assert!(inside > 800, "{inside}");
    }

    #[test]
    fn an_iris_stays_round_when_the_head_turns() {
        // The driver's head is turned: the eye is seen 0.7 times as wide, and so is what is in it.
        let (from, to) = (eye(16.0, 16.0, (50.0, 0.0)), eye_of(0.7 * WIDTH, 16.0, 16.0, (35.0, 0.0)));
        for (here, there) in seen(&from, &to) {
            let (wanted, found) = (from_middle(here, (35.0, 0.0)), from_middle(there, (50.0, 0.0)));
            let wanted = Vector2::new(wanted.x / 0.7, wanted.y);
            if wanted.norm() < RADIUS {
                assert!((wanted.norm() - found.norm()).abs() < 0.5, "{here} comes from {there}");
            }
        }
    }

    #[test]
    fn what_is_seen_lies_between_the_photos_lids_and_corners() {
        let drivers = [(26.0, 14.0, (60.0, -8.0)), (6.0, 4.0, (40.0, 2.0)), (12.0, 10.0, (30.0, 0.0))];
        // Looking ahead, far aside, and with the iris behind the lid.
        for photo in [(45.0, -2.0), (20.0, 0.0), (80.0, 0.0), (50.0, -30.0)] {
            let from = eye(12.0, 10.0, photo);
            for (upper, lower, iris) in drivers {
                for (here, there) in seen(&from, &eye(upper, lower, iris)) {
                    let (along, above) = from.coordinates(there);
                    let (low, high) = from.edges(along);
                    assert!(along.abs() <= 0.5, "{here} comes from {there}");
                    assert!(above > low - 0.02 && above < high + 0.02, "{here} comes from {there}");
                }
            }
        }
    }

    #[test]
    fn a_little_motion_changes_little() {
        let from = eye(12.0, 10.0, (48.0, -3.0));
        let step = |t: f32| {
            Look::new(&from, Box::leak(Box::new(eye(10.0 + 16.0 * t, 10.0, (42.0 + 14.0 * t, -3.0)))))
        };
        let looks: Vec<Look> = (0..=200).map(|i| step(i as f32 / 200.0)).collect();
        let (mut changes, mut jumps) = (0, 0);
        for pair in looks.windows(2) {
            for position in
                (-12..9).flat_map(|y| (10..90).map(move |x| Vector2::new(x as f32 + 0.3, y as f32 + 0.3)))
            {
                let inside = |look: &Look| {
                    let (along, above) = look.to.coordinates(position);
                    let (lower, upper) = look.to.edges(along);
                    (lower..upper).contains(&above)
                };
                if inside(&pair[0]) && inside(&pair[1]) {
                    changes += 1;
                    let change = pair[0].displacement(position).0 - pair[1].displacement(position).0;
                    jumps += usize::from(change.norm() > 1.5);
                }
            }
        }
        // The rim's edge passes over a pixel, or the seam above or below the iris; nothing else may jump.
        assert!(jumps * 200 < changes, "{jumps} of {changes}");
    }
}
