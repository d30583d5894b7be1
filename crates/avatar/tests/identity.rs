//! The portrait keeps its own face when other people drive it.

mod clips;

use std::path::{Path, PathBuf};

use gioconda_avatar::{
    Avatar, FaceState, Framing, MotionFrame, Performance, PerformanceSettings, choose_neutral,
};
use gioconda_face::topology::point;
use gioconda_face::{FaceChoice, FaceFinder, HeadPose, Landmarks, Threads, rotation_vector};
use image::RgbImage;

/// Drivers, by their folders: people who speak and turn, of different faces.
const DRIVERS: [&str; 4] =
    ["edtalk_uncrop_Obama", "liveportrait_d9", "talkvid_Diversity_Gender_female_3", "video-retalking_4"];

/// A portrait on the canvas that `animate --crop` would use.
struct Portrait {
    name: String,
    performance: Performance,
}

impl Portrait {
    fn open(path: &Path, finder: &mut FaceFinder) -> Self {
        let avatar = Avatar::from_photo(path, FaceChoice::Largest, finder).expect("a portrait");
        let name = path.file_stem().expect("a file").to_string_lossy().into_owned();
        let settings = PerformanceSettings::default().framing(Framing::Head { side: 512 });
        Self { name, performance: Performance::new(&avatar, settings).expect("the mesh needs nothing") }
    }

    fn render(&mut self, motion: &MotionFrame) -> RgbImage {
        let mut frame = RgbImage::default();
        self.performance.render_motion(motion, &mut frame).expect("the mesh always renders");
        frame
    }
}

fn shared(part: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data").join(part)
}

fn portraits() -> Vec<Portrait> {
    let mut paths: Vec<PathBuf> = std::fs::read_dir(shared("portraits"))
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "jpg"))
        .collect();
    paths.sort();
    if paths.is_empty() {
        println!("skipped: no portraits in ../shared/data/portraits");
    }
    let mut finder = FaceFinder::new(Threads::default()).expect("the models are compiled in");
    paths.iter().map(|path| Portrait::open(path, &mut finder)).collect()
}

/// The drivers' faces in every fifth frame.
fn drivers() -> Vec<(String, Vec<FaceState>)> {
    let mut clips = clips::clips_in(&shared("val"));
    clips.retain(|clip| DRIVERS.contains(&clips::name(clip).as_str()));
    if clips.is_empty() {
        println!("skipped: no clips in ../shared/data/val");
    }
    clips::for_each(&clips, |clip| {
        let mut states = Vec::new();
        clips::track(clip, 5, |_, landmarks| states.push(FaceState::new(&landmarks)))?;
        Ok((clips::name(clip), states))
    })
    .expect("readable clips")
}

#[test]
fn the_neutral_frame_reproduces_the_photo() {
    let drivers = drivers();
    for mut portrait in portraits() {
        for (driver, states) in &drivers {
            let neutral = &states[choose_neutral(states, Some(portrait.performance.face())).expect("a face")];
            let frame = portrait.render(&MotionFrame::between(neutral, neutral, 1.0));
            let psnr = psnr(&frame, &portrait.performance.canvas().still());
            println!("{} driven by {driver}: {psnr:.1} dB", portrait.name);
            assert!(psnr >= 40.0, "{} driven by {driver}: {psnr} dB", portrait.name);
        }
    }
}

fn psnr(a: &RgbImage, b: &RgbImage) -> f64 {
    let squared: f64 = a.iter().zip(b.iter()).map(|(&a, &b)| f64::from(a.abs_diff(b)).powi(2)).sum();
    10.0 * (255.0 * 255.0 * a.len() as f64 / squared.max(1.0)).log10()
}

/// Distances of a face, canonical centimetres: across from eye to eye (the middles of their corners) and from side to
/// side at the height of the ears, and down from the hairline to the base of the nose. The chin is left out of the
/// height: jaws open.
fn proportions(landmarks: &Landmarks) -> [f32; 3] {
    let pose = HeadPose::fit(landmarks);
    let at = |i: usize| pose.to_canonical(landmarks.points[i]);
    let middle = |a: usize, b: usize| (at(a) + at(b)) / 2.0;
    let right = middle(point::RIGHT_EYE_OUTER, point::RIGHT_EYE_INNER);
    let left = middle(point::LEFT_EYE_OUTER, point::LEFT_EYE_INNER);
    [
        (left - right).x,
        (at(point::FACE_LEFT) - at(point::FACE_RIGHT)).x,
        (at(point::FOREHEAD) - at(NOSE_BASE)).y,
    ]
}

/// Where the nose meets the upper lip.
const NOSE_BASE: usize = 2;

/// Frames of each driver that are looked at: frontal ones, spread over the clip.
const FRONTAL_FRAMES: usize = 4;

fn is_frontal(state: &FaceState) -> bool {
    let [yaw, pitch, _] = state.pose.yaw_pitch_roll();
    yaw.abs() < 15.0 && pitch.abs() < 15.0
}

/// Of the transferred landmarks every frame is judged. Landmarks found anew in the rendered frames judge the renderer
/// too; those of one frame are no surer than the limit, so of them the mean over a portrait's frames is judged.
#[test]
fn the_faces_proportions_stay() {
    let drivers = drivers();
    let mut finder = FaceFinder::new(Threads::default()).expect("the models are compiled in");
    let mut failed = Vec::new();
    for mut portrait in portraits() {
        let own = portrait.performance.face().clone();
        let (kept, seen) = (
            proportions(&portrait.performance.canvas().landmarks),
            proportions(
                &detect(&mut finder, &portrait.performance.canvas().still())
                    .expect("a portrait shows a face"),
            ),
        );
        let (mut worst, mut sum, mut frames, mut found) = ([0.0_f32; 2], [0.0_f32; 2], 0, 0);
        for (_, states) in &drivers {
            let neutral = &states[choose_neutral(states, Some(&own)).expect("a face")];
            let motions: Vec<MotionFrame> = states
                .iter()
                .filter(|state| is_frontal(state))
                .map(|state| MotionFrame::between(neutral, state, 1.0))
                .filter(|motion| rotation_vector(&motion.rotation).norm().to_degrees() < 8.0)
                .collect();
            for motion in motions.iter().step_by(motions.len().div_ceil(FRONTAL_FRAMES).max(1)) {
                let moved = change(&kept, &proportions(&portrait.performance.landmarks(motion)));
                worst = std::array::from_fn(|i| worst[i].max(moved[i].abs()));
                frames += 1;
                // Strokes of a brush are not always seen as a face.
                if let Some(landmarks) = detect(&mut finder, &portrait.render(motion)) {
                    let moved = change(&seen, &proportions(&landmarks));
                    sum = std::array::from_fn(|i| sum[i] + moved[i]);
                    found += 1;
                }
            }
        }
        let mean = sum.map(|sum| (sum / found.max(1) as f32).abs());
        println!(
            "{:<28} {frames:>2} frames: eye distance, height over width: transferred at most {worst:.1?} % off, \
             found in {found} and on average {mean:.1?} %",
            portrait.name
        );
        // A painting that is not even seen as a face in every frame (Van Gogh's, whose mouth is taken for his
        // moustache) says nothing of proportions when it is: of it the transferred landmarks alone are judged.
        let judged = if found == frames { mean } else { [0.0; 2] };
        if worst.into_iter().chain(judged).any(|change| change > 3.0) {
            failed.push(portrait.name);
        }
    }
    assert!(failed.is_empty(), "proportions change in {failed:?}");
}

/// Change of eye distance and of face height, each over the face's width, in percent.
fn change(rest: &[f32; 3], now: &[f32; 3]) -> [f32; 2] {
    [0, 2].map(|i| (now[i] / now[1]) / (rest[i] / rest[1]) * 100.0 - 100.0)
}

fn detect(finder: &mut FaceFinder, picture: &RgbImage) -> Option<Landmarks> {
    let faces = finder.find_faces(picture).expect("the detector runs");
    let face = FaceChoice::Largest.choose(&faces).expect("the largest is never ambiguous");
    face.map(|face| face.landmarks.clone())
}
