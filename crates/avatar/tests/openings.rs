//! Lids and lips of real drivers, and what portraits make of them. Prints what [`CLOSED_EYE`] and [`CLOSED_MOUTH`]
//! are measured from:
//!
//!     cargo nextest run -p gioconda-avatar --test openings --run-ignored all --no-capture

mod clips;

use std::path::Path;

use gioconda_avatar::{
    CLOSED_EYE, CLOSED_MOUTH, FaceState, Gains, MotionFrame, MotionTransfer, choose_neutral,
};
use gioconda_face::Landmarks;
use gioconda_warp::{MeshWarp, SourceMesh, View};

/// A clip's person, frame by frame.
struct Person {
    name: String,
    size: (u32, u32),
    states: Vec<FaceState>,
}

impl Person {
    /// The frame that is neutral for `portrait`, from the clip's first two and a half seconds, five a second: what `animate`
    /// looks at.
    fn neutral_for(&self, portrait: Option<&FaceState>) -> &FaceState {
        let search: Vec<FaceState> = self.states.iter().take(63).step_by(5).cloned().collect();
        let index = choose_neutral(&search, portrait).expect("every validation clip shows a face");
        &self.states[5 * index]
    }

    /// The frames in which the eyes are least open between two moments, less than half a second before and after, in
    /// which they are as open as usual. Turned heads are left out: their far eye is a guess.
    fn blinks(&self) -> Vec<&FaceState> {
        let openings: Vec<f32> = self.states.iter().map(eyes).collect();
        let usual = quantile(&openings, 0.5);
        let awake = |range: &[f32]| range.iter().any(|&opening| opening > 0.75 * usual);
        let mut blinks = Vec::new();
        let mut last = None;
        for i in WINDOW..openings.len().saturating_sub(WINDOW) {
            let (before, after) = (&openings[i - WINDOW..i], &openings[i + 1..=i + WINDOW]);
            let deepest = before.iter().chain(after).all(|&opening| opening >= openings[i]);
            let apart = last.is_none_or(|last| i - last > WINDOW);
            let turned = self.states[i].pose.yaw_pitch_roll()[0].abs() > 25.0;
            if deepest && apart && !turned && openings[i] < 0.6 * usual && awake(before) && awake(after) {
                blinks.push(&self.states[i]);
                last = Some(i);
            }
        }
        blinks
    }

    /// Frames of pauses: the lips have been as good as together for a quarter of a second and stay so.
    fn pauses(&self) -> Vec<&FaceState> {
        let together = |state: &FaceState| state.mouth < 0.03;
        self.states.windows(7).filter(|window| window.iter().all(together)).map(|window| &window[3]).collect()
    }
}

/// Frames before and after the deepest point of a blink.
const WINDOW: usize = 10;

/// How far the eyes are open on average.
fn eyes(state: &FaceState) -> f32 {
    f32::midpoint(state.eyes[0], state.eyes[1])
}

fn quantile(values: &[f32], share: f32) -> f32 {
    let mut values = values.to_vec();
    values.sort_by(f32::total_cmp);
    values[((values.len() - 1) as f32 * share).round() as usize]
}

/// A face to be driven, of which nothing but the shape is needed.
struct Portrait<'a> {
    name: &'a str,
    transfer: MotionTransfer,
    mesh: SourceMesh,
    view: View,
    /// Pixels between the lids at rest.
    eye_pixels: f64,
    warp: MeshWarp,
}

impl<'a> Portrait<'a> {
    fn new(person: &'a Person) -> Self {
        let landmarks = person.neutral_for(None).landmarks();
        let mesh = SourceMesh::new(person.size, &landmarks);
        let transfer = MotionTransfer::new(&landmarks, person.size, Gains::default());
        let view = View::whole(person.size.0, person.size.1);
        let mut portrait =
            Self { name: &person.name, transfer, mesh, view, eye_pixels: 0.0, warp: MeshWarp::default() };
        portrait.eye_pixels = portrait.eye_pixels(&landmarks);
        portrait
    }

    /// The area between the lids that a renderer shows.
    fn eye_pixels(&mut self, landmarks: &Landmarks) -> f64 {
        self.mesh.warp(landmarks, &self.view, &mut self.warp);
        self.warp.eyes.iter().map(|&share| f64::from(share) / 255.0).sum()
    }

    fn perform(&self, driver: &Person, state: &FaceState) -> Landmarks {
        let neutral = driver.neutral_for(Some(self.transfer.portrait()));
        self.transfer.apply(&MotionFrame::between(neutral, state, 1.0))
    }
}

#[test]
fn lids_and_lips_close_where_the_drivers_do() {
    let clips = clips::clips_in(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/val"));
    if clips.is_empty() {
        println!("skipped: no clips in ../shared/data/val");
        return;
    }
    let people = clips::for_each(&clips, |clip| {
        let mut person = Person { name: clips::name(clip), size: (0, 0), states: Vec::new() };
        clips::track(clip, 1, |frame, landmarks| {
            person.size = frame.dimensions();
            person.states.push(FaceState::new(&landmarks));
        })?;
        Ok(person)
    })
    .expect("readable clips");
    closed_openings_are_what_was_measured(&people);
    let mut portraits: Vec<Portrait> = people.iter().step_by(3).map(Portrait::new).collect();
    blinks_close_the_eyes(&people, &mut portraits);
    shut_mouths_shut_the_mouth(&people);
}

fn closed_openings_are_what_was_measured(people: &[Person]) {
    let blinks: Vec<f32> = people.iter().flat_map(Person::blinks).map(eyes).collect();
    let [low, eye, high_eye] = [0.1, 0.5, 0.9].map(|share| quantile(&blinks, share));
    println!(
        "{} blinks: eyes open {eye:.3} at their deepest (80 % of them {low:.3} to {high_eye:.3})",
        blinks.len()
    );
    // A median for each person: some clips are all pause.
    let lips: Vec<f32> = people
        .iter()
        .map(|person| person.pauses().iter().map(|state| state.mouth).collect::<Vec<_>>())
        .filter(|pauses| !pauses.is_empty())
        .map(|pauses| quantile(&pauses, 0.5))
        .collect();
    let [low, mouth, high] = [0.1, 0.5, 0.9].map(|share| quantile(&lips, share));
    println!("{} people pause: mouths open {mouth:.3} (80 % of them {low:.3} to {high:.3})", lips.len());
    assert!(
        (high_eye - CLOSED_EYE).abs() < 0.005 && (mouth - CLOSED_MOUTH).abs() < 0.002,
        "{high_eye} {mouth}"
    );
}

fn blinks_close_the_eyes(people: &[Person], portraits: &mut [Portrait]) {
    let (mut openings, mut areas) = (Vec::new(), Vec::new());
    for portrait in portraits {
        let rest = eyes(portrait.transfer.portrait());
        let name = portrait.name;
        for driver in people.iter().filter(|driver| driver.name != name) {
            for blink in driver.blinks() {
                let landmarks = portrait.perform(driver, blink);
                openings.push(eyes(&FaceState::new(&landmarks)) / rest);
                areas.push((portrait.eye_pixels(&landmarks) / portrait.eye_pixels) as f32);
            }
        }
    }
    for (what, values) in [("opening", &openings), ("visible eye", &areas)] {
        let [median, most] = [0.5, 0.95].map(|share| 100.0 * quantile(values, share));
        let closed = values.iter().filter(|&&value| value < 0.25).count();
        println!(
            "{what} in a blink: median {median:.1} %, 95 % below {most:.1} % of rest; {closed} of {} below 25 %",
            values.len()
        );
        assert!(20 * closed >= 19 * values.len(), "{what}: {closed} of {}", values.len());
    }
}

/// Portraits with an open mouth. Drivers that never open theirs as far have a shut neutral mouth, relative to which
/// an open portrait stays open: they are left out.
fn shut_mouths_shut_the_mouth(people: &[Person]) {
    let mut shares = Vec::new();
    for person in people.iter().step_by(3) {
        let open = person.states.iter().max_by(|a, b| a.mouth.total_cmp(&b.mouth)).expect("a face");
        let transfer = MotionTransfer::new(&open.landmarks(), person.size, Gains::default());
        for driver in people.iter().filter(|driver| driver.name != person.name) {
            let neutral = driver.neutral_for(Some(open));
            if neutral.mouth < 0.1 {
                continue;
            }
            for pause in driver.pauses().into_iter().step_by(5) {
                let landmarks = transfer.apply(&MotionFrame::between(neutral, pause, 1.0));
                shares.push(FaceState::new(&landmarks).mouth / open.mouth);
            }
        }
    }
    let [median, most] = [0.5, 1.0].map(|share| 100.0 * quantile(&shares, share));
    println!("{} shut mouths: median {median:.1} %, at most {most:.1} % of the open mouth", shares.len());
    assert!(most < 25.0, "a shut mouth leaves the portrait's open: {most} %");
}
