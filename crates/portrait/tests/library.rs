//! The library as a program uses it: a photo becomes a film, and follows somebody live.

use std::process::Command;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use gioconda_face::{FaceChoice, FaceFinder, Matte, Threads};
use gioconda_portrait::verification::{Search, Verdict, verify};
use gioconda_portrait::{
    Background, Drive, ErrorKind, Framing, Identity, LANDMARKS, Live, Look, Opener, Portrait, Settings,
    Subject,
};
use gioconda_testkit::repository;
use image::{GrayImage, Luma, RgbImage};

const STEP: f32 = 0.04;

/// Painted by the mesh.
fn mona_lisa() -> Portrait {
    let mut opener = Opener::with(None).expect("the face models");
    opener.open(&repository("assets/mona_lisa.jpg"), FaceChoice::default()).expect("a portrait")
}

fn short(settings: Settings) -> Settings {
    settings.framing(Framing::Head { side: 256 }).part(Duration::ZERO, Some(Duration::from_millis(400)))
}

#[test]
fn a_photo_becomes_a_film_that_says_what_it_is() {
    let folder = tempfile::tempdir().expect("a folder");
    let film = folder.path().join("mona.mp4");
    let identity = Identity::in_folder(folder.path()).expect("a key");
    let portrait = mona_lisa();
    let done = Mutex::new(0);
    let count = |progress: gioconda_portrait::Progress| *done.lock().expect("one thread") = progress.done;
    let summary = portrait
        .film(Drive::find("nod").expect("a built-in motion"))
        .settings(short)
        .subject(Subject::Artwork)
        .consent("the Louvre")
        .signed_by(&identity)
        .progress(&count)
        .write(&film)
        .expect("a film");
    assert_eq!((summary.size, summary.frames), ((256, 256), *done.lock().expect("one thread")));
    let found = verify(&film, "mona.mp4", Search::Sampled).expect("a clip");
    assert_eq!(found.verdict, Verdict::Marked);
    let told = serde_json::to_string(&found).expect("JSON");
    assert!(told.contains("artwork") && told.contains("the Louvre"), "{told}");
}

/// The mark and the statement outlive the hole behind the person, wherever the statement stands.
#[test]
fn transparent_films_say_what_they_are() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name);
    let identity = Identity::in_folder(folder.path()).expect("a key");
    let mut portrait = mona_lisa();
    let (width, height) = portrait.avatar.photo.dimensions();
    let (across, down) = (width as f32 / 2.0, height as f32 / 2.0);
    let person = |x: u32, y: u32| {
        let from_middle = ((x as f32 - across) / across).hypot((y as f32 - down) / down);
        Luma([((1.0 - from_middle) * 1000.0).clamp(0.0, 255.0) as u8])
    };
    portrait.avatar.matte = Some(Arc::new(Matte::of_alpha(GrayImage::from_fn(width, height, person))));
    let film = |name: &str, background| {
        let film = portrait.film(Drive::find("nod").expect("a built-in motion")).settings(short);
        film.background(background).subject(Subject::Artwork).signed_by(&identity).write(path(name))
    };
    let ffmpeg = Command::new("ffmpeg").arg("-version").output().is_ok();
    for name in ["a.webp", "a.apng", "a.webm", "a.mov"] {
        if !ffmpeg && ["a.webm", "a.mov"].contains(&name) {
            println!("skipped: {name}: ffmpeg is not on PATH");
            continue;
        }
        film(name, Background::Transparent).expect("a film");
        let found = verify(&path(name), name, Search::Sampled).expect("readable");
        let told = serde_json::to_string(&found).expect("JSON");
        assert_eq!(found.verdict, Verdict::Marked, "{name}: {told}");
        assert!(told.contains("\"artwork\""), "{name}: {told}");
        // Of an animated PNG one picture is looked at, which is small here.
        assert!(name == "a.apng" || told.contains("\"found\""), "{name}: {told}");
        assert_eq!(path(&format!("{name}.c2pa")).exists(), name == "a.webm", "{name}");
    }
    let webp = std::fs::read(path("a.webp")).expect("written");
    assert!(webp.windows(4).any(|kind| kind == b"ALPH"));
    let kind = |made: Result<_, gioconda_portrait::Error>| made.map(drop).map_err(|error| error.kind());
    assert_eq!(kind(film("b.mp4", Background::Transparent)), Err(ErrorKind::Output));
    portrait.avatar.matte = None;
    for background in [Background::Transparent, Background::Blur, Background::Colour([0, 177, 64])] {
        let film = portrait.film(Drive::find("nod").expect("a built-in motion")).settings(short);
        let made = film.background(background).signed_by(&identity).write(path("b.webp"));
        assert_eq!(kind(made), Err(ErrorKind::Settings), "{background}");
    }
    assert!(!path("b.webp").exists() && !path("b.mp4").exists());
}

#[test]
fn what_cannot_be_done_tells_whose_turn_it_is() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name);
    std::fs::write(path("words.jpg"), "no picture").expect("written");
    RgbImage::new(300, 300).save(path("black.png")).expect("written");
    let opened = |name: &str| Portrait::open(path(name)).map(drop).map_err(|error| error.kind());
    assert_eq!(opened("words.jpg"), Err(ErrorKind::Input));
    assert_eq!(opened("absent.jpg"), Err(ErrorKind::Input));
    assert_eq!(opened("black.png"), Err(ErrorKind::Face));
    let unknown = Drive::find("no such motion").map_err(gioconda_portrait::Error::from);
    assert_eq!(unknown.map(drop).map_err(|error| error.kind()), Err(ErrorKind::Settings));

    let portrait = mona_lisa();
    let identity = Identity::in_folder(folder.path()).expect("a key");
    let talk = || Drive::find("talk").expect("a built-in motion");
    let film = || portrait.film(talk()).settings(short).signed_by(&identity);
    let kind = |made: Result<_, gioconda_portrait::Error>| made.map(drop).map_err(|error| error.kind());
    assert_eq!(kind(film().write(path("no/such/folder.mp4"))), Err(ErrorKind::Output));
    assert_eq!(kind(film().write(path("film.avi"))), Err(ErrorKind::Output));
    let stop = AtomicBool::new(true);
    assert_eq!(kind(film().cancelled_by(&stop).write(path("film.mp4"))), Err(ErrorKind::Cancelled));
    assert!(!path("film.mp4").exists());
}

#[test]
fn pictures_and_their_landmarks_move_a_portrait_alike() {
    let portrait = mona_lisa();
    let photo = gioconda_media::photo::read(&repository("assets/mona_lisa.jpg")).expect("a photo").image;
    let mut finder = FaceFinder::new(Threads::Shared).expect("the face models");
    let face = finder.find_faces(&photo).expect("found").remove(0).landmarks;
    let points: [[f32; 3]; LANDMARKS] = face.points.map(Into::into);
    let look = Look::default().size(256);
    let mut live = Live::new(&portrait, look).expect("a portrait that lives");
    let rest = live.follow_landmarks(None, STEP).expect("a frame").clone();
    for _ in 0..20 {
        live.follow_landmarks(Some(&points), STEP).expect("a frame");
    }
    // The lower lip and the chin go down by a tenth of the face's height.
    let (low, high) = (points.iter().map(|p| p[1]).fold(f32::INFINITY, f32::min), points[152][1]);
    let mut open = points;
    let lower = [14, 87, 317, 15, 16, 17, 18, 200, 199, 175, 152, 178, 402, 88, 318, 95, 324, 84, 314];
    for index in lower {
        open[index][1] += 0.1 * (high - low);
    }
    let mut opened = RgbImage::default();
    for _ in 0..20 {
        opened = live.follow_landmarks(Some(&open), STEP).expect("a frame").clone();
    }
    assert!(difference(&rest, &opened) > 1.0, "{}", difference(&rest, &opened));

    // Whose own photo is the camera's picture rests, but for what one look at a face differs from another.
    let mut camera = Live::new(&portrait, look).expect("a portrait that lives");
    let mut followed = RgbImage::default();
    for _ in 0..16 {
        followed = camera.follow(&photo, STEP).expect("a frame").clone();
    }
    assert!(difference(&rest, &followed) < 5.0, "{}", difference(&rest, &followed));
}

/// Mean over samples, levels of 255.
fn difference(a: &RgbImage, b: &RgbImage) -> f64 {
    let sum: f64 = a.as_raw().iter().zip(b.as_raw()).map(|(a, b)| f64::from(a.abs_diff(*b))).sum();
    sum / a.as_raw().len() as f64
}
