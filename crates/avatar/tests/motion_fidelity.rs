//! What a motion file loses of a performance.

mod clips;

use std::path::Path;

use gioconda_avatar::{FaceState, Gains, Motion, MotionFrame, MotionTransfer, choose_neutral};
use gioconda_face::LANDMARKS;
use gioconda_face::topology::point;

/// A driver whose neutral frame is the portrait: what it performs is then its own frames, and what differs is what
/// the file's expression basis and half precision lost.
#[test]
fn a_recorded_motion_moves_a_face_as_its_clip_did() {
    let clips: Vec<_> =
        clips::clips_in(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/val"))
            .into_iter()
            .step_by(4)
            .collect();
    if clips.is_empty() {
        println!("skipped: no clips in ../shared/data/val");
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    let errors = clips::for_each(&clips, |clip| {
        let mut faces = Vec::new();
        clips::track(clip, 5, |_, landmarks| faces.push(landmarks))?;
        let states: Vec<FaceState> = faces.iter().map(FaceState::new).collect();
        let neutral = choose_neutral(&states, None).ok_or("no face")?;
        let motions: Vec<MotionFrame> =
            states.iter().map(|state| MotionFrame::between(&states[neutral], state, 1.0)).collect();
        let mut motion = Motion::new("fidelity", 5.0);
        for frame in &motions {
            motion.push(frame);
        }
        let path = folder.path().join(format!("{}.motion", clips::name(clip)));
        motion.write(&path)?;
        let motion = Motion::read(&path)?;
        let transfer = MotionTransfer::exact(&faces[neutral], Gains::default());
        let eyes =
            |i: usize| (faces[i].xy(point::RIGHT_EYE_OUTER) - faces[i].xy(point::LEFT_EYE_OUTER)).norm();
        let mut sum = 0.0;
        for (i, direct) in motions.iter().enumerate() {
            let (direct, replayed) = (transfer.apply(direct), transfer.apply(&motion.frame(i)));
            let apart = |i: usize| (direct.xy(i) - replayed.xy(i)).norm();
            sum += (0..LANDMARKS).map(apart).sum::<f32>() / (LANDMARKS as f32 * eyes(i));
        }
        Ok((clips::name(clip), sum / motions.len() as f32))
    })
    .expect("readable clips");
    for (clip, error) in &errors {
        println!("{clip:<56} {:.2} % of the eyes' distance", 100.0 * error);
        assert!(*error < 0.015, "{clip}: {error}");
    }
}
