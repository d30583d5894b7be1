//! `gioconda animate`, from arguments to finished files.

mod program;

use std::fs;

use program::{BRIEF, Scratch, shared, workspace};

/// A clip with AAC sound, 448 pixels square, 25 frames a second.
const TALKING: &str = "data/val/liveportrait_d9/d9.mp4";

fn json(text: &str) -> serde_json::Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[test]
fn every_format_holds_the_frames_asked_for() {
    let scratch = Scratch::new();
    scratch.film("nod.mp4", 15, 15);
    let cases = [
        ("a.mp4", "", 10, (256, 256), 25.0),
        ("a.gif", "", 10, (256, 256), 25.0),
        ("a.webp", "", 10, (256, 256), 25.0),
        ("frames", "", 10, (256, 256), 25.0),
        ("fps.mp4", "--fps 10", 4, (256, 256), 10.0),
        ("late.mp4", "--start 0.4", 5, (256, 256), 25.0),
        ("twice.mp4", "--loop 2", 20, (256, 256), 25.0),
        ("beside.mp4", "--side-by-side", 10, (512, 256), 25.0),
    ];
    for (output, options, frames, size, fps) in cases {
        let run = scratch.succeed(&format!("animate mona.jpg -d nod.mp4 -o {output} {BRIEF} {options}"));
        assert!(run.stderr.contains(&format!("{output}: {frames} frames")), "{}", run.stderr);
        let (info, pictures) = scratch.read(output);
        assert_eq!((pictures.len(), (info.width, info.height)), (frames, size), "{output}");
        // GIF counts in hundredths of a second, and a folder has no rate.
        assert!(output == "frames" || (info.fps - fps).abs() < 0.02 * fps, "{output}: {} frames/s", info.fps);
        let warnings: Vec<_> = run.stderr.lines().filter(|line| line.contains("warning")).collect();
        assert!(warnings.is_empty(), "{output}: {}", run.stderr);
    }
    assert_eq!(scratch.names("frames").first().map(String::as_str), Some("000001.png"));
    assert_eq!(scratch.names("").len(), 2 + cases.len(), "nothing else stays: {:?}", scratch.names(""));
}

#[test]
fn the_whole_photo_keeps_its_size_and_its_background() {
    let scratch = Scratch::new();
    scratch.film("nod.mp4", 10, 10);
    scratch.succeed("animate mona.jpg -d nod.mp4 --duration 0.2 --no-provenance -o whole");
    let (info, pictures) = scratch.read("whole");
    let photo = scratch.photo();
    assert_eq!((info.width, info.height), (photo.width() & !1, photo.height() & !1));
    let moved = |left: u32, top: u32, side: u32| {
        let differs = |x: u32, y: u32| pictures[4].get_pixel(x, y) != photo.get_pixel(x, y);
        (0..side * side).filter(|i| differs(left + i % side, top + i / side)).count()
    };
    assert_eq!(moved(0, 0, 60) + moved(600, 1000, 100), 0, "the background stands still");
    assert!(moved(320, 280, 100) > 5000, "the face moves");

    scratch.succeed("animate mona.jpg -d nod.mp4 --duration 0.2 --size 400 -o small.mp4");
    let (info, _) = scratch.read("small.mp4");
    assert_eq!((info.width, info.height), (256, 400));
}

#[test]
fn sound_of_the_driver_is_copied_unless_muted() {
    let Some(clip) = shared(TALKING) else { return };
    let scratch = Scratch::new();
    let clip = clip.display();
    for (options, sound) in [("", true), ("--mute", false), ("--start 1 --loop 2", true)] {
        scratch.succeed(&format!("animate mona.jpg -d {clip} -o out.mp4 {BRIEF} {options}"));
        let (info, frames) = scratch.read("out.mp4");
        assert_eq!(
            info.audio.as_ref().map(|audio| audio.codec.as_str()),
            sound.then_some("aac"),
            "{options}"
        );
        assert_eq!(frames.len(), if options.contains("loop") { 20 } else { 10 });
    }
    let run = scratch.succeed(&format!("animate mona.jpg -d {clip} -o out.gif {BRIEF}"));
    assert!(run.stderr.contains("only mp4 has sound"), "{}", run.stderr);
}

#[test]
fn the_driver_stands_to_the_left() {
    let scratch = Scratch::new();
    scratch.film("nod.mp4", 10, 10);
    scratch.succeed("record nod.mp4 -o nod.motion");
    for drive in ["nod.mp4", "nod.motion"] {
        scratch.succeed(&format!("animate mona.jpg -d {drive} -o beside.mp4 --side-by-side {BRIEF}"));
        let (info, frames) = scratch.read("beside.mp4");
        assert_eq!((info.width, info.height), (512, 256), "{drive}");
        let light = |columns: std::ops::Range<u32>| {
            let pixels = columns.flat_map(|x| (0..256).map(move |y| (x, y)));
            pixels.filter(|&(x, y)| frames[3].get_pixel(x, y).0.iter().any(|&c| c > 60)).count()
        };
        assert!(light(0..256) > 300 && light(256..512) > 1000, "{drive}: both halves show something");
    }
}

#[test]
fn many_photos_are_made_and_a_bad_one_is_named() {
    let scratch = Scratch::new();
    scratch.film("nod.mp4", 10, 10);
    fs::create_dir(scratch.path("family")).expect("a folder");
    fs::copy(scratch.path("mona.jpg"), scratch.path("family/a.jpg")).expect("a copy");
    fs::write(scratch.path("family/broken.jpg"), b"\xff\xd8\xff\xe0 and then nothing").expect("a file");
    fs::write(scratch.path("family/notes.txt"), "not a photo, and not called one").expect("a file");
    fs::copy(scratch.path("mona.jpg"), scratch.path("family/z.jpg")).expect("a copy");
    let run = scratch.run(&format!("animate family mona.jpg -d nod.mp4 -o out --format gif --json {BRIEF}"));
    let error = run.only_error(1);
    assert!(error.contains("broken.jpg"), "{error}");
    assert!(run.stderr.contains("1 of 4 photos failed"), "{}", run.stderr);
    assert_eq!(scratch.names("out"), ["a.gif", "mona.gif", "z.gif"]);
    let outcomes = json(&run.stdout);
    let outcomes = outcomes.as_array().expect("a list");
    assert_eq!(outcomes.len(), 4);
    let failed: Vec<_> = outcomes.iter().filter(|outcome| outcome["error"].is_string()).collect();
    assert_eq!(failed.len(), 1);
    assert!(failed[0]["photo"].as_str().is_some_and(|photo| photo.ends_with("broken.jpg")));
}

#[test]
fn json_says_what_was_done_and_quiet_says_nothing() {
    let scratch = Scratch::new();
    scratch.film("nod.mp4", 10, 10);
    let run = scratch.succeed(&format!("animate mona.jpg -d nod.mp4 -o a.mp4 --quiet --json {BRIEF}"));
    assert_eq!(run.stderr, "");
    let outcomes = json(&run.stdout);
    let outcome = &outcomes[0];
    assert_eq!((&outcome["photo"], &outcome["output"]), (&"mona.jpg".into(), &"a.mp4".into()));
    let summary = &outcome["summary"];
    assert_eq!((&summary["frames"], &summary["size"]), (&10.into(), &serde_json::json!([256, 256])));
    assert_eq!((&summary["lost_frames"], &summary["warnings"]), (&0.into(), &serde_json::json!([])));
    assert_eq!(summary["bytes"].as_u64(), fs::metadata(scratch.path("a.mp4")).ok().map(|file| file.len()));
    for stage in ["decode", "track", "transfer", "render", "encode"] {
        assert!(summary["stages"][stage].as_f64().is_some_and(|ms| ms >= 0.0), "{stage}");
    }
    let run = scratch.succeed(&format!("animate mona.jpg -d nod.mp4 -o b.mp4 --quiet {BRIEF}"));
    assert_eq!((run.stdout.as_str(), run.stderr.as_str()), ("", ""));
}

#[test]
fn outputs_are_named_after_photos_and_replaced() {
    let scratch = Scratch::new();
    scratch.film("nod.mp4", 10, 10);
    fs::write(scratch.path("mona.mp4"), "an older file").expect("a file");
    scratch.succeed(&format!("animate mona.jpg -d nod.mp4 {BRIEF}"));
    assert_eq!(scratch.read("mona.mp4").1.len(), 10);
    scratch.succeed(&format!("animate mona.jpg -d nod.mp4 --format png {BRIEF}"));
    assert_eq!(scratch.names("mona").len(), 10);
}

#[test]
fn one_of_several_faces_is_chosen() {
    let scratch = Scratch::new();
    scratch.film("nod.mp4", 10, 10);
    scratch.paint_two_faces();
    let animate = |face: &str| scratch.run(&format!("animate two.png -d nod.mp4 -o out.mp4 {BRIEF} {face}"));
    for (face, told) in [("", "2 faces"), ("--face 7", "no face 7")] {
        let run = animate(face);
        let error = run.only_error(1);
        for part in ["two.png", told, "1 (", "2 (", "px wide at", "--face"] {
            assert!(error.contains(part), "{error:?} should speak of {part:?}");
        }
    }
    for face in ["--face 1", "--face 2", "--face largest"] {
        assert_eq!(animate(face).code, Some(0), "{face}");
    }

    // The same choice for a clip in which there are two.
    fs::create_dir(scratch.path("pair")).expect("a folder");
    for i in 0..4 {
        fs::copy(scratch.path("two.png"), scratch.path(&format!("pair/{i}.png"))).expect("a copy");
    }
    let run = scratch.run(&format!("animate mona.jpg -d pair -o out.mp4 {BRIEF}"));
    let error = run.only_error(1);
    for part in ["pair", "2 faces", "1 (", "2 (", "--driver-face"] {
        assert!(error.contains(part), "{error:?} should speak of {part:?}");
    }
    scratch.succeed(&format!("animate mona.jpg -d pair -o out.mp4 --driver-face 2 {BRIEF}"));
    let run = scratch.run("record pair -o pair.motion");
    assert!(run.only_error(1).contains("--face"), "{}", run.stderr);
}

#[test]
fn a_recorded_motion_is_performed() {
    let scratch = Scratch::new();
    scratch.film("nod.mp4", 20, 20);
    let run = scratch.succeed("record nod.mp4 -o nod.motion --title swaying");
    assert!(run.stderr.contains("nod.motion: 20 frames"), "{}", run.stderr);
    assert!(fs::metadata(scratch.path("nod.motion")).is_ok_and(|file| file.len() < 10_000));
    let performed =
        [("", 20, 25.0), ("--fps 50", 40, 50.0), ("--loop 2", 40, 25.0), ("--duration 2", 50, 25.0)];
    for (options, frames, fps) in performed {
        scratch.succeed(&format!("animate mona.jpg -d nod.motion -o a.mp4 --crop --size 256 {options}"));
        let (info, pictures) = scratch.read("a.mp4");
        assert_eq!((pictures.len(), info.audio), (frames, None), "{options}");
        assert!((info.fps - fps).abs() < 0.1, "{options}");
    }
    let run = scratch.run("animate mona.jpg -d nod.motion --motion absolute -o b.mp4");
    assert!(run.only_error(2).contains("absolute"), "{}", run.stderr);
    scratch.succeed(&format!("animate mona.jpg -d nod.mp4 --motion absolute -o b.mp4 {BRIEF}"));
    scratch.succeed(&format!("animate mona.jpg -d nod.mp4 --neutral 0.2 -o c.mp4 {BRIEF}"));
}

#[test]
fn a_still_portrait_is_the_photo() {
    let scratch = Scratch::new();
    scratch.film("nod.mp4", 10, 10);
    // Without the watermark, whose own tests say how faint it is.
    let still = "--pose 0 --expression 0 --eyes 0 --mouth 0 --smooth 0 --no-provenance";
    scratch.succeed(&format!("animate mona.jpg -d nod.mp4 -o still {still} --duration 0.4"));
    let photo = scratch.photo();
    let (_, pictures) = scratch.read("still");
    for picture in &pictures {
        let pairs = picture.enumerate_pixels().map(|(x, y, pixel)| (pixel, photo.get_pixel(x, y)));
        let squares =
            pairs.flat_map(|(a, b)| a.0.into_iter().zip(b.0)).map(|(a, b)| f64::from(a.abs_diff(b)).powi(2));
        let mean = squares.sum::<f64>() / picture.len() as f64;
        let psnr = 10.0 * (255.0 * 255.0 / mean.max(1e-9)).log10();
        assert!(psnr >= 42.0, "{psnr:.1} dB");
    }
}

#[test]
fn built_in_motions_need_no_clip() {
    let scratch = Scratch::new();
    for options in ["", "-d smile", "-d idle --start 1"] {
        scratch.succeed(&format!("animate mona.jpg {options} {BRIEF}"));
        assert_eq!(scratch.read("mona.mp4").1.len(), 10, "{options}");
    }
}

#[test]
fn the_network_inside_the_program_paints_another_picture_than_the_mesh() {
    if !cfg!(feature = "portrait-network") {
        return println!("skipped: built without the portrait network");
    }
    let scratch = Scratch::new();
    let weights = format!("--weights {}", workspace("models/portrait.safetensors").display());
    for (output, options) in [("mesh", "--renderer mesh"), ("network", ""), ("same", weights.as_str())] {
        scratch.succeed(&format!("animate mona.jpg -d talk -o {output} --no-provenance {BRIEF} {options}"));
    }
    let ((_, mesh), (_, network), (_, same)) =
        (scratch.read("mesh"), scratch.read("network"), scratch.read("same"));
    assert!(network == same, "the network inside the program is the repository's");
    let apart: Vec<f64> = mesh.iter().zip(&network).map(|(a, b)| mean_difference(a, b)).collect();
    assert_eq!(apart.len(), 10);
    assert!(apart.iter().all(|levels| (0.2..12.0).contains(levels)), "painted, and still her: {apart:?}");
}

/// Mean absolute difference of two pictures in levels of 255.
fn mean_difference(a: &image::RgbImage, b: &image::RgbImage) -> f64 {
    let sum: u64 = a.as_raw().iter().zip(b.as_raw()).map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
    sum as f64 / a.as_raw().len() as f64
}
