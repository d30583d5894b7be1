//! What counts as the performer's resting face, relative to which everything is performed.

use gioconda_avatar::{FaceState, MotionFrame, choose_neutral};
use gioconda_face::Landmarks;

/// Faces among which the first resting one is chosen: half a second, in which the portrait wakes up.
const FIRST_LOOK: usize = 12;
/// Faces among which it is chosen when the performer asks for it, and holds still.
const CALIBRATION: usize = 5;
/// Pictures without a face after which a calibration is given up.
const CALIBRATION_PATIENCE: u32 = 25;

/// What one camera picture has shown.
#[derive(Debug, PartialEq)]
pub enum Seen {
    /// A face, and what it does relative to the resting one.
    Motion(Box<MotionFrame>),
    /// A face, before anything is known of how it rests.
    FirstLook,
    /// No face.
    Nobody,
}

impl Seen {
    /// What the face does, where that is known.
    pub fn motion(self) -> Option<MotionFrame> {
        match self {
            Self::Motion(motion) => Some(*motion),
            Self::FirstLook | Self::Nobody => None,
        }
    }
}

/// What became of a calibration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Calibration {
    /// There is a new resting face: motion jumps here.
    Done,
    /// No face was to be seen for a second.
    Failed,
}

/// Finds out how the performer's face rests, and what it does relative to that.
pub struct RestingFace {
    resting: Option<FaceState>,
    /// What is gathered for the next resting face; `None` when the one there is serves.
    gathering: Option<Gathering>,
}

struct Gathering {
    states: Vec<FaceState>,
    wanted: usize,
    /// Asked for, rather than the session's beginning.
    asked: bool,
    missed: u32,
}

impl Gathering {
    fn new(wanted: usize, asked: bool) -> Self {
        Self { states: Vec::new(), wanted, asked, missed: 0 }
    }
}

impl Default for RestingFace {
    fn default() -> Self {
        Self { resting: None, gathering: Some(Gathering::new(FIRST_LOOK, false)) }
    }
}

impl RestingFace {
    /// Nothing is known yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the performer's face in the next pictures as the resting one.
    pub fn calibrate(&mut self) {
        self.gathering = Some(Gathering::new(CALIBRATION, true));
    }

    /// What the face found in the next picture does; with it comes how sure it is that there is one, 0 to 1. `portrait` is
    /// whom the performer moves: the first resting face is the one most like it. A calibration that was asked for is
    /// reported when it ends.
    pub fn see(
        &mut self,
        found: Option<(&Landmarks, f32)>,
        portrait: &FaceState,
    ) -> (Seen, Option<Calibration>) {
        let Some((landmarks, presence)) = found else { return (Seen::Nobody, self.missed()) };
        let state = FaceState::new(landmarks);
        let calibrated = self.gather(&state, portrait);
        let seen = match &self.resting {
            Some(resting) => Seen::Motion(Box::new(MotionFrame::between(resting, &state, presence))),
            None => Seen::FirstLook,
        };
        (seen, calibrated)
    }

    fn gather(&mut self, state: &FaceState, portrait: &FaceState) -> Option<Calibration> {
        let gathering = self.gathering.as_mut()?;
        gathering.states.push(state.clone());
        if gathering.states.len() < gathering.wanted {
            return None;
        }
        let Gathering { mut states, asked, .. } = self.gathering.take()?;
        let like = (!asked).then_some(portrait);
        self.resting = choose_neutral(&states, like).map(|index| states.swap_remove(index));
        asked.then_some(Calibration::Done)
    }

    fn missed(&mut self) -> Option<Calibration> {
        let gathering = self.gathering.as_mut().filter(|gathering| gathering.asked)?;
        gathering.missed += 1;
        if gathering.missed < CALIBRATION_PATIENCE {
            return None;
        }
        self.gathering = self.resting.is_none().then(|| Gathering::new(FIRST_LOOK, false));
        Some(Calibration::Failed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gioconda_face::HeadPose;
    use gioconda_face::topology::TOPOLOGY;

    fn face(jaw: f32) -> Landmarks {
        let pose = HeadPose {
            scale: 10.0,
            rotation: nalgebra::Rotation3::identity(),
            translation: nalgebra::Vector3::new(100.0, -100.0, 0.0),
            residual: 0.0,
        };
        let mut face = pose.canonical_face();
        for lip in [14, 87, 317, 15, 16, 17] {
            let down = nalgebra::Vector3::y() * jaw;
            face.points[lip] = pose.from_canonical(TOPOLOGY.vertices[lip] - down);
        }
        face
    }

    #[test]
    fn the_first_resting_face_is_like_the_portrait_and_a_calibration_is_as_asked() {
        let mut resting = RestingFace::new();
        let portrait = FaceState::new(&face(0.0));
        for index in 0..FIRST_LOOK {
            assert!(resting.resting.is_none());
            let jaw = if index == 4 { 0.0 } else { 1.0 };
            let (seen, reported) = resting.see(Some((&face(jaw), 1.0)), &portrait);
            assert_eq!(reported, None, "nobody asked");
            assert_eq!(seen.motion().is_some(), index + 1 == FIRST_LOOK);
        }
        let mouth = |resting: &RestingFace| resting.resting.as_ref().map(|face| face.mouth);
        assert_eq!(mouth(&resting), Some(portrait.mouth));
        resting.calibrate();
        let reports: Vec<_> =
            (0..CALIBRATION).map(|_| resting.see(Some((&face(1.0), 1.0)), &portrait).1).collect();
        assert_eq!(reports.last(), Some(&Some(Calibration::Done)));
        assert_eq!(mouth(&resting), Some(FaceState::new(&face(1.0)).mouth), "the performer knows best");
    }

    #[test]
    fn a_calibration_without_a_face_is_given_up() {
        let (mut resting, portrait) = (RestingFace::new(), FaceState::new(&face(0.0)));
        resting.calibrate();
        let mut reports = (0..2 * CALIBRATION_PATIENCE).map(|_| resting.see(None, &portrait).1);
        assert_eq!(reports.by_ref().flatten().collect::<Vec<_>>(), [Calibration::Failed]);
    }
}
