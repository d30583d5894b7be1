//! The background of a portrait rests, whatever its head does: people before a ruled grid, in motion.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use gioconda_avatar::builtin_motions::BuiltinMotion;
use gioconda_avatar::{Avatar, FaceState, Gains, MotionFrame, MotionTransfer, Reference, choose_neutral};
use gioconda_face::{FaceChoice, FaceFinder, Matte, Threads, Tracker};
use gioconda_media::{ClipReader, Frame, ReadOptions};
use gioconda_testkit::{clips, repository, shared};
use gioconda_warp::{MeshRenderer, View};
use image::{Rgb, RgbImage};

/// Beside the Mona Lisa, in `../shared/data/portraits`.
const PORTRAITS: [&str; 4] = ["lincoln", "sargent_lady_agnew", "van_gogh", "bouguereau_girl"];
/// A driver that moves its head far.
const DRIVER: &str = "liveportrait_d12";
/// Frames of each motion that are looked at.
const FRAMES: usize = 12;
/// Pixels from line to line.
const RULED: u32 = 24;
/// Levels by which a pixel that rests may differ, and the share of them that must rest.
const LEVELS: u8 = 2;
const RESTING: f64 = 0.995;

/// The person of a photo before a ruled grid, and their matte there.
fn before_grid(path: &Path, finder: &mut FaceFinder) -> Option<(Avatar, Matte)> {
    let avatar = Avatar::from_photo(path, FaceChoice::Largest, finder).expect("a portrait");
    let matte = avatar.matte?;
    let ruled = |x: u32, y: u32| if x % RULED < 2 || y % RULED < 2 { [40, 60, 90] } else { [215, 210, 200] };
    let photo = RgbImage::from_fn(avatar.photo.width(), avatar.photo.height(), |x, y| {
        let (person, grid): ([u8; 3], [u8; 3]) = (avatar.photo.get_pixel(x, y).0, ruled(x, y));
        let share = f32::from(matte.alpha.get_pixel(x, y).0[0]) / 255.0;
        let mixed = |c: usize| f32::from(grid[c]) + (f32::from(person[c]) - f32::from(grid[c])) * share;
        Rgb([0, 1, 2].map(|c| (mixed(c) + 0.5) as u8))
    });
    let shown = Reference { photo: Arc::new(photo), landmarks: avatar.landmarks };
    Some((Avatar::of(&[shown]), (*matte).clone()))
}

/// What the driver does, frame by frame, relative to its neutral frame.
fn driver_motion() -> Option<Vec<MotionFrame>> {
    let clip = clips("data/val").into_iter().find(|clip| clip.to_string_lossy().contains(DRIVER))?;
    let mut reader = ClipReader::open(&clip, &ReadOptions::default()).expect("a clip");
    let mut tracker =
        Tracker::new(FaceChoice::Largest, Threads::Count(1)).expect("the models are compiled in");
    let (mut frame, mut states) = (Frame::default(), Vec::new());
    while reader.read(&mut frame).expect("a whole clip") {
        states
            .extend(tracker.track(&frame.image).expect("a face").map(|face| FaceState::new(&face.landmarks)));
    }
    let neutral = &states[choose_neutral(&states, None)?];
    Some(states.iter().map(|state| MotionFrame::between(neutral, state, 1.0)).collect())
}

fn builtin(name: &str) -> Vec<MotionFrame> {
    let motion = BuiltinMotion::find(name).expect("a built-in motion").load();
    (0..motion.len()).map(|frame| motion.frame(frame)).collect()
}

#[test]
fn a_grid_behind_a_moving_head_rests() {
    let mut photos: Vec<PathBuf> = vec![repository("assets/mona_lisa.jpg")];
    photos.extend(PORTRAITS.iter().filter_map(|name| shared(&format!("data/portraits/{name}.jpg"))));
    if photos.len() == 1 {
        println!("skipped in part: no portraits in ../shared");
    }
    let mut finder = FaceFinder::new(Threads::default()).expect("the models are compiled in");
    let mut motions = vec![("look-around", builtin("look-around")), ("nod", builtin("nod"))];
    motions.extend(driver_motion().map(|frames| (DRIVER, frames)));
    for path in photos {
        let (avatar, matte) = before_grid(&path, &mut finder).expect("a matte");
        let size = avatar.photo.dimensions();
        let transfer = MotionTransfer::new(&avatar.landmarks, size, Gains::default());
        let mut renderer = MeshRenderer::new(Arc::clone(&avatar.photo), &avatar.landmarks).with_matte(&matte);
        let mut frame = RgbImage::default();
        for (name, motion) in &motions {
            let (mut background, mut resting) = (0_u32, 0_u32);
            for moment in motion.iter().step_by(motion.len().div_ceil(FRAMES)) {
                renderer.render(&transfer.apply(moment), &View::whole(size.0, size.1), &mut frame);
                let covered = renderer.alpha().expect("it has a matte");
                let pixels = frame.pixels().zip(avatar.photo.pixels()).zip(matte.alpha.iter().zip(covered));
                for ((now, before), _) in pixels.filter(|(_, (before, now))| **before == 0 && **now == 0) {
                    background += 1;
                    let rests = now.0.iter().zip(before.0).all(|(a, b)| a.abs_diff(b) <= LEVELS);
                    resting += u32::from(rests);
                }
            }
            let share = f64::from(resting) / f64::from(background);
            println!("{} {name}: {:.2} % of {background} pixels rest", path.display(), 100.0 * share);
            assert!(share >= RESTING, "{} {name}: {share}", path.display());
        }
    }
}
