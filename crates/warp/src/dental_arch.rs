//! Teeth as geometry: two arches that lips open and reveal.
//!
//! The upper row is rigid with the skull, the lower one with the jaw. Both are parabolas seen from above, in the frame of the
//! canonical face (centimetres, x to the picture's right, y up, z to the camera), and a pixel sees them where its line of sight
//! meets them first: a turned head shows one side of them more than the other. Widths and heights of crowns are the means of
//! adults (Wheeler's Dental Anatomy, 10th edition, tables of each tooth), rounded to half a millimetre.

use gioconda_face::topology::{LOWER_LIP, UPPER_LIP, point};
use gioconda_face::{HeadPose, Landmarks};
use nalgebra::{Vector2, Vector3};

use crate::share::step;

/// Teeth on each side of the middle.
const TEETH: usize = 6;

/// Behind the lips by so much, centimetres.
const BEHIND_LIPS: f32 = 0.3;
/// The line where shut lips meet below the base of the nose, centimetres: the median of 146 frames with shut mouths in films of
/// 186 people; half of them lie between 2.33 and 2.60.
const LIP_LINE_BELOW_NOSE: f32 = 2.47;
/// The edge of the upper middle teeth below that line, centimetres. In 172 frames of the same films that show it, it is 2.70
/// below the nose, half of them between 2.55 and 2.80, however high the lip is drawn; a little higher costs less squared error.
const BELOW_LIP_LINE: f32 = 0.2;
/// Lips that are less than this apart are shut, and twice that surely open, centimetres.
const SHUT: f32 = 0.12;
/// The upper teeth overlap the lower ones by so much in a shut mouth, centimetres.
const OVERBITE: f32 = 0.3;
/// The lower teeth's edges behind the upper ones', centimetres.
const OVERJET: f32 = 0.2;
/// The jaw's share in what the lower lip does; the rest is the lip's own.
const LIP_OF_JAW: f32 = 0.87;
/// How fast the arches recede from the front: z falls by so much times x squared, per centimetre.
const CURVATURE: f32 = 0.26;

/// One of the two rows, half of it; the other half is its mirror image.
struct Row {
    /// Where each tooth begins and ends, centimetres along the arch from the middle.
    ends: [f32; TEETH + 1],
    /// The edge's distance from that of the middle teeth, centimetres towards the gum.
    edges: [f32; TEETH],
    /// Lengths of the crowns, centimetres.
    crowns: [f32; TEETH],
    /// How round the corners of the edge are, centimetres.
    corners: [f32; TEETH],
}

const UPPER: Row = Row {
    ends: [0.0, 0.85, 1.5, 2.25, 2.95, 3.6, 4.6],
    edges: [0.0, 0.08, 0.0, 0.08, 0.12, 0.16],
    crowns: [1.05, 0.9, 1.0, 0.85, 0.8, 0.75],
    corners: [0.05, 0.09, 0.22, 0.16, 0.12, 0.08],
};

const LOWER: Row = Row {
    ends: [0.0, 0.5, 1.05, 1.7, 2.4, 3.1, 4.2],
    edges: [0.0, 0.0, -0.03, 0.03, 0.06, 0.08],
    crowns: [0.85, 0.9, 1.05, 0.85, 0.8, 0.75],
    corners: [0.03, 0.05, 0.16, 0.14, 0.1, 0.08],
};

/// What a line of sight meets of a row.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Seen {
    /// Share of a tooth, 0..1.
    pub(crate) tooth: f32,
    /// Share of gum where there is no tooth, 0..1.
    pub(crate) gum: f32,
    /// How light the tooth is, 0..1: less between teeth, where the arch turns away and towards the gum.
    pub(crate) light: f32,
    /// How near to a gap between two teeth, 0..1.
    pub(crate) gap: f32,
    /// How far above (below, of the lower row) its edge, centimetres.
    pub(crate) from_edge: f32,
}

/// The arches of one person.
#[derive(Clone, Debug)]
pub struct DentalArch {
    /// The foremost points of the edges of the upper teeth, and of the lower ones where the jaw is shut, canonical frame.
    upper: Vector3<f32>,
    lower: Vector3<f32>,
    /// Heights of the chin and of the middle of the lower lip where lips are shut, canonical frame.
    chin: f32,
    lip: f32,
    /// The person's size over the canonical face's.
    scale: f32,
}

/// The arches in one frame.
#[derive(Clone, Debug)]
pub struct Bite {
    arch: DentalArch,
    pose: HeadPose,
    /// The line of sight in the canonical frame.
    sight: Vector3<f32>,
    /// How far the jaw has dropped, centimetres of the canonical face.
    drop: f32,
    /// A pixel's side, centimetres.
    pixel: f32,
}

impl DentalArch {
    /// The arches of the face at `landmarks`, whose pose is `pose`.
    pub fn new(landmarks: &Landmarks, pose: &HeadPose) -> Self {
        let [nose, upper_lip] = [point::NOSE_BASE, UPPER_LIP[UPPER_LIP.len() / 2]]
            .map(|i| pose.to_canonical(landmarks.points[i]));
        let [chin, lower_lip] = jaw(landmarks, pose);
        // Open lips tell no more than that shut ones would meet between them.
        let open = ramp(SHUT, 2.0 * SHUT, upper_lip.y - lower_lip);
        let usual = (nose.y - LIP_LINE_BELOW_NOSE).clamp(lower_lip.min(upper_lip.y), upper_lip.y);
        let line = upper_lip.y + (usual - upper_lip.y) * open;
        let width =
            (landmarks.xy(UPPER_LIP[0]) - landmarks.xy(UPPER_LIP[UPPER_LIP.len() - 1])).norm() / pose.scale;
        let upper = Vector3::new(0.5 * upper_lip.x, line - BELOW_LIP_LINE, upper_lip.z - BEHIND_LIPS);
        let lower = upper + Vector3::new(0.0, OVERBITE, -OVERJET);
        let opened = (line - lower_lip).max(0.0);
        let (chin, lip) = (chin + LIP_OF_JAW * opened, line);
        Self { upper, lower, chin, lip, scale: (width / 5.0).clamp(0.9, 1.1) }
    }

    /// The same with the upper teeth higher by so many centimetres.
    #[must_use]
    pub(crate) fn with_upper_raised(&self, height: f32) -> Self {
        Self { upper: self.upper + Vector3::new(0.0, height, 0.0), ..self.clone() }
    }

    /// The arches of a head in the pose `pose` with its face at `driving`; `pixel`: a pixel's side in photo pixels.
    pub fn bite(&self, pose: &HeadPose, driving: &Landmarks, pixel: f32) -> Bite {
        let [chin, lip] = jaw(driving, pose);
        let drop = (self.chin - chin).max(LIP_OF_JAW * (self.lip - lip)).max(0.0);
        let sight = pose.rotation.inverse() * Vector3::z();
        let pixel = (pixel / pose.scale).max(0.01);
        Bite { arch: self.clone(), pose: pose.clone(), sight, drop, pixel }
    }
}

impl Bite {
    /// How far the jaw has dropped, centimetres.
    pub(crate) fn drop(&self) -> f32 {
        self.drop
    }

    /// What is seen of the upper row at a point of its arch.
    pub(crate) fn upper(&self, point: Vector3<f32>) -> Seen {
        self.row(&UPPER, point - self.arch.upper, 1.0)
    }

    /// What is seen of the lower row at a point of its arch.
    pub(crate) fn lower(&self, point: Vector3<f32>) -> Seen {
        self.row(&LOWER, point - self.arch.lower - self.jaw(), -1.0)
    }

    /// The point of the upper arch that is seen at `position`, photo pixels: canonical frame.
    pub(crate) fn on_upper(&self, position: Vector2<f32>) -> Option<Vector3<f32>> {
        self.meets(position, self.arch.upper)
    }

    /// The same of the lower arch.
    pub(crate) fn on_lower(&self, position: Vector2<f32>) -> Option<Vector3<f32>> {
        self.meets(position, self.arch.lower + self.jaw())
    }

    /// Where a point that is rigid with the skull is seen, photo pixels; the inverse of [`on_upper`](Self::on_upper).
    pub(crate) fn see(&self, point: Vector3<f32>) -> Vector2<f32> {
        self.pose.from_canonical(point).xy()
    }

    /// How far the jaw has moved, canonical frame: down, and back as it turns around the ears.
    pub(crate) fn jaw(&self) -> Vector3<f32> {
        Vector3::new(0.0, -self.drop, -0.25 * self.drop)
    }

    /// `point` is seen from the row's foremost point; `up`: 1 where the gum is above, -1 below.
    fn row(&self, row: &Row, point: Vector3<f32>, up: f32) -> Seen {
        let scale = self.arch.scale;
        let x = point.x / scale;
        let along = arc(x).abs();
        let above = up * point.y / scale;
        let soft = self.pixel / scale;
        let Some(tooth) = (0..TEETH).find(|&i| along < row.ends[i + 1]) else { return Seen::default() };
        let (from, to) = (row.ends[tooth], row.ends[tooth + 1]);
        let half = (to - from) / 2.0;
        let across = (along - from - half) / half;
        let edge = row.edges[tooth] + row.corners[tooth] * across.abs().powi(3);
        let crown = row.edges[tooth] + row.crowns[tooth];
        // The gum's scalloped line: highest in the middle of a tooth.
        let line = crown - 0.18 * across * across;
        let begins = ramp(edge - soft, edge + soft, above);
        let ends = 1.0 - ramp(line - soft, line + soft, above);
        let gap = ramp(half - (0.02 + soft).min(half), half, half * across.abs());
        // The surface turns away from the viewer along the arch.
        let slope = 2.0 * CURVATURE * x;
        let normal = Vector3::new(slope, 0.0, 1.0).normalize();
        let facing = normal.dot(&self.sight).max(0.0);
        let bulge = 1.0 - 0.12 * across * across;
        let light = (0.5 + 0.5 * facing) * bulge;
        // Edges let light through; necks are a little darker.
        let light = light
            * (0.9 + 0.1 * ramp(0.0, 0.25, above - edge))
            * (1.0 - 0.12 * ramp(0.4, 1.0, above / crown));
        Seen {
            tooth: begins * ends,
            gum: begins * (1.0 - ends) * (1.0 - ramp(crown + 0.3, crown + 0.9, above)),
            light,
            gap,
            from_edge: above - edge,
        }
    }

    /// Where the line of sight through `position` meets the arch whose foremost point is `front`, on the side that the camera
    /// sees.
    fn meets(&self, position: Vector2<f32>, front: Vector3<f32>) -> Option<Vector3<f32>> {
        let through = self.pose.to_canonical(Vector3::new(position.x, position.y, 0.0)) - front;
        let (d, k) = (self.sight, CURVATURE / self.arch.scale);
        // through + t d lies on z = -k x².
        let a = k * d.x * d.x;
        let b = 2.0 * k * through.x * d.x + d.z;
        let c = k * through.x * through.x + through.z;
        let t = if a < 1e-6 {
            -c / b
        } else {
            let root = (b * b - 4.0 * a * c).max(0.0).sqrt();
            (-b + root) / (2.0 * a)
        };
        let point = through + d * t;
        (t.is_finite() && d.z > 0.2).then_some(front + point)
    }
}

/// Heights of the chin and of the middle of the lower lip, canonical frame.
fn jaw(landmarks: &Landmarks, pose: &HeadPose) -> [f32; 2] {
    [point::CHIN, LOWER_LIP[LOWER_LIP.len() / 2]].map(|i| pose.to_canonical(landmarks.points[i]).y)
}

/// Length of the parabola z = -k x² from its foremost point to x, centimetres.
fn arc(x: f32) -> f32 {
    let slope = 2.0 * CURVATURE * x;
    0.5 * x * (1.0 + slope * slope).sqrt() + slope.asinh() / (4.0 * CURVATURE)
}

/// [`step`] from 0 at `from` to 1 at `to`, or a hair's breadth later.
fn ramp(from: f32, to: f32, value: f32) -> f32 {
    step(from, to.max(from + 1e-4), value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use nalgebra::Rotation3;

    fn pose(yaw: f32) -> HeadPose {
        HeadPose {
            scale: 20.0,
            rotation: Rotation3::from_euler_angles(0.05, yaw, 0.1),
            translation: Vector3::new(200.0, -200.0, 0.0),
            residual: 0.0,
        }
    }

    /// The canonical face in this pose, its jaw lower by so many centimetres.
    fn face(pose: &HeadPose, drop: f32) -> Landmarks {
        let mut face = pose.canonical_face();
        for i in [point::CHIN].into_iter().chain(LOWER_LIP[1..LOWER_LIP.len() - 1].iter().copied()) {
            let at = pose.to_canonical(face.points[i]);
            face.points[i] = pose.from_canonical(at - Vector3::new(0.0, drop, 0.0));
        }
        face
    }

    /// A point of the upper arch, relative to its front.
    fn place(arch: &DentalArch, x: f32, y: f32) -> Vector3<f32> {
        arch.upper + Vector3::new(x, y, -CURVATURE / arch.scale * x * x)
    }

    #[test]
    fn the_upper_row_goes_with_the_skull_however_it_turns_and_whatever_the_jaw_does() {
        let rest = pose(0.0);
        let arch = DentalArch::new(&face(&rest, 0.0), &rest);
        for yaw in [-0.5, 0.0, 0.4] {
            let pose = pose(yaw);
            for drop in [0.0, 1.5] {
                let bite = arch.bite(&pose, &face(&pose, drop), 1.0);
                for x in [-1.2, -0.4, 0.4, 1.2] {
                    let point = place(&arch, x * arch.scale, 0.5 * arch.scale);
                    let found = bite.on_upper(bite.see(point)).unwrap();
                    assert!((found - point).norm() < 1e-3, "{found} {point}");
                    let middle = bite.upper(found);
                    assert!(middle.tooth > 0.95, "{yaw} {drop} {x}: {middle:?}");
                }
                let below = bite.upper(place(&arch, 0.4, -0.3));
                assert!(below.tooth == 0.0 && below.gum == 0.0, "{below:?}");
                let above = bite.upper(place(&arch, 0.4, 1.3));
                assert!(above.tooth == 0.0 && above.gum > 0.5, "{above:?}");
            }
        }
    }

    #[test]
    fn the_lower_row_goes_with_the_jaw() {
        let pose = pose(0.0);
        let arch = DentalArch::new(&face(&pose, 0.0), &pose);
        let tooth = |drop: f32, y: f32| {
            let bite = arch.bite(&pose, &face(&pose, drop), 1.0);
            let seen = bite.see(place(&arch, 0.25, y));
            bite.lower(bite.on_lower(seen).unwrap()).tooth
        };
        assert!(tooth(0.0, -0.1) > 0.9 && tooth(1.5, -0.1) == 0.0);
        assert!(tooth(1.5, -1.6) > 0.9 && tooth(0.0, -1.6) == 0.0);
    }

    #[test]
    fn an_open_mouths_jaw_is_known_to_be_low() {
        let pose = pose(0.0);
        let (shut, open) = (face(&pose, 0.0), face(&pose, 1.0));
        let [of_shut, of_open] = [&shut, &open].map(|photo| DentalArch::new(photo, &pose));
        let drops = [&of_shut, &of_open].map(|arch| arch.bite(&pose, &open, 1.0).drop());
        assert!((drops[0] - drops[1]).abs() < 0.2 && drops[0] > 0.8, "{drops:?}");
    }

    #[test]
    fn teeth_are_told_apart_and_grow_darker_to_the_sides() {
        let pose = pose(0.0);
        let photo = face(&pose, 0.0);
        let arch = DentalArch::new(&photo, &pose);
        let bite = arch.bite(&pose, &photo, 0.5);
        let seen = |x: f32| bite.upper(place(&arch, x * arch.scale, 0.4));
        let light = |x: f32| seen(x).light;
        assert!(seen(0.0).gap > 0.9 && seen(0.42).gap < 0.1 && light(0.0) < light(0.42));
        assert!(light(2.6) < 0.95 * light(0.42), "the side: {} {}", light(2.6), light(0.42));
    }
}
