//! One portrait performs, frame by frame.

use gioconda_avatar::builtin_motions::BuiltinMotion;
use gioconda_avatar::{Avatar, Framing, Performance, PerformanceSettings};
use gioconda_face::{FaceChoice, FaceFinder, Threads};
use gioconda_testkit::repository;
use image::RgbImage;

/// Seconds between two frames.
const STEP: f32 = 0.04;

fn mona_lisa() -> Avatar {
    let mut finder = FaceFinder::new(Threads::default()).expect("the models are compiled in");
    Avatar::from_photo(&repository("assets/mona_lisa.jpg"), FaceChoice::Largest, &mut finder)
        .expect("a portrait")
}

fn settings(side: u32) -> PerformanceSettings {
    PerformanceSettings::default().framing(Framing::Head { side })
}

#[test]
fn a_frame_is_its_two_halves() {
    let avatar = mona_lisa();
    let mut whole = Performance::new(&avatar, settings(96)).expect("the mesh needs nothing");
    let mut halves = Performance::new(&avatar, settings(96)).expect("the mesh needs nothing");
    let motion = BuiltinMotion::find("nod").expect("a built-in motion").load();
    let (mut a, mut b) = (RgbImage::default(), RgbImage::default());
    for index in 0..12 {
        // The face is lost for a while.
        let found = (!(4..8).contains(&index)).then(|| motion.frame(index));
        let performed = whole.frame(found.clone(), STEP, &mut a).expect("a frame");
        let smoothed = halves.advance(found, STEP);
        halves.render(&halves.landmarks(&smoothed), &mut b).expect("a frame");
        assert_eq!(performed, smoothed, "frame {index}");
        assert!(a == b && a.dimensions() == (96, 96), "frame {index}");
    }
    assert_eq!(whole.lost_frames(), 4);
}

#[test]
fn the_motion_goes_on_where_the_size_changes() {
    let avatar = mona_lisa();
    let mut performance = Performance::new(&avatar, settings(96)).expect("the mesh needs nothing");
    let motion = BuiltinMotion::find("look-around").expect("a built-in motion").load();
    let far = motion.frame(motion.len() / 3);
    for _ in 0..30 {
        performance.advance(Some(far.clone()), STEP);
    }
    performance.set_avatar(&avatar, settings(128)).expect("the mesh needs nothing");
    assert_eq!(performance.size(), (128, 128));
    // Begun anew, the gap would be filled with rest.
    let held = performance.advance(None, STEP);
    assert!(held.rotation.angle_to(&far.rotation) < 0.01, "{}", held.rotation.angle_to(&far.rotation));
    performance.restart();
    let rest = performance.advance(None, STEP);
    assert!(rest.rotation.angle() < 1e-6);
}
