//! Everything that can be wrong with an input or an output: one line that names the file, and nothing left behind.

mod program;

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use image::RgbImage;
use program::{BRIEF, Run, Scratch, landscape};

/// What of the error line says what to do.
const ADVICE: [&str; 17] = [
    "use ",
    "check ",
    "choose ",
    "export ",
    "crop ",
    "scale ",
    "give ",
    "put ",
    "record ",
    "name another",
    "drive with",
    "create ",
    "free ",
    "needs at least",
    "make them",
    "install ",
    "ends in",
];

/// Runs `arguments`, which must fail with `code` and one line that speaks of `told` and says what to do, and leave the
/// folder as it was.
fn refused(scratch: &Scratch, arguments: &str, code: i32, told: &[&str]) {
    let before = scratch.names("");
    let run = scratch.run(arguments);
    let error = run.only_error(code);
    for part in told {
        assert!(error.contains(part), "gioconda {arguments}\n{error}\ndoes not speak of {part:?}");
    }
    assert!(ADVICE.iter().any(|advice| error.contains(advice)), "{error}\ndoes not say what to do");
    assert!(!error.contains(".partial-"), "{error}\nspeaks of a file the user does not know");
    assert_eq!(scratch.names(""), before, "gioconda {arguments}\nleft something behind");
}

fn write(scratch: &Scratch, name: &str, bytes: &[u8]) {
    fs::write(scratch.path(name), bytes).expect("a file is written");
}

#[test]
fn photos_that_cannot_be_animated() {
    let scratch = Scratch::new();
    scratch.film("nod.mp4", 10, 10);
    scratch.save("flat.png", &RgbImage::from_pixel(300, 300, image::Rgb([90, 90, 90])));
    scratch.save("landscape.png", &landscape(640, 400));
    scratch.save("dot.png", &RgbImage::new(1, 1));
    scratch.save("strip.png", &RgbImage::new(60_000, 10));
    write(&scratch, "text.jpg", b"Dear diary, this is no picture.");
    write(&scratch, "empty.jpg", b"");
    let jpeg = fs::read(scratch.path("mona.jpg")).expect("the Mona Lisa");
    write(&scratch, "header.jpg", &jpeg[..400]);
    fs::create_dir(scratch.path("bare")).expect("a folder");
    fs::write(scratch.path("bare/notes.txt"), "nothing to see").expect("a file");
    let cases = [
        ("flat.png", "no face"),
        ("landscape.png", "no face"),
        ("dot.png", "1x1"),
        ("strip.png", "60000x10"),
        ("text.jpg", "picture"),
        ("empty.jpg", "picture"),
        ("header.jpg", ""),
        ("missing.jpg", "exists"),
        ("bare", "no pictures"),
        ("nod.mp4", "not a picture"),
    ];
    for (photo, told) in cases {
        refused(&scratch, &format!("animate {photo} -d nod.mp4 -o out.mp4 {BRIEF}"), 1, &[photo, told]);
    }
}

#[test]
fn drivers_that_cannot_drive() {
    let scratch = Scratch::new();
    scratch.film("nod.mp4", 10, 10);
    scratch.film("faceless.mp4", 30, 0);
    let clip = fs::read(scratch.path("nod.mp4")).expect("the clip");
    write(&scratch, "half.mp4", &clip[..clip.len() / 2]);
    write(&scratch, "head.mp4", &clip[..100]);
    write(&scratch, "empty.mp4", b"");
    write(&scratch, "text.mp4", b"<html>404 not found</html>");
    fs::create_dir(scratch.path("bare")).expect("a folder");
    let cases = [
        ("faceless.mp4", "", "no face"),
        ("half.mp4", "", ""),
        ("head.mp4", "", ""),
        ("empty.mp4", "", "empty"),
        ("text.mp4", "", "neither a picture nor a clip"),
        ("bare", "", "no pictures"),
        ("missing.mp4", "", "no built-in motion"),
        ("mona.jpg", "", "single photo"),
        ("nod.mp4", "--start 60", "no frames"),
    ];
    for (drive, options, told) in cases {
        refused(
            &scratch,
            &format!("animate mona.jpg -d {drive} -o out.mp4 {BRIEF} {options}"),
            1,
            &[drive, told],
        );
        if drive != "mona.jpg" && drive != "missing.mp4" {
            refused(&scratch, &format!("record {drive} -o out.motion {options}"), 1, &[drive, told]);
        }
    }
    refused(&scratch, "record missing.mp4 -o out.motion", 1, &["missing.mp4"]);
}

#[test]
fn clips_without_pictures() {
    let scratch = Scratch::new();
    for (name, codec) in [("tone.mp4", "aac"), ("tone.m4a", "aac"), ("tone.wav", "pcm_s16le")] {
        let made = Command::new("ffmpeg")
            .args(["-v", "error", "-nostdin", "-f", "lavfi", "-i", "sine=duration=1", "-c:a", codec])
            .arg(scratch.path(name))
            .status();
        if !made.is_ok_and(|status| status.success()) {
            println!("skipped: ffmpeg is not on PATH or cannot make {name}");
            continue;
        }
        refused(&scratch, &format!("animate mona.jpg -d {name} -o out.mp4 {BRIEF}"), 1, &[name]);
    }
}

#[test]
fn a_face_that_vanishes_is_counted() {
    let scratch = Scratch::new();
    scratch.film("vanishes.mp4", 40, 20);
    let run = scratch.succeed("animate mona.jpg -d vanishes.mp4 -o out.mp4 --crop --size 256 --json");
    assert!(run.stderr.contains("face was lost in 20 frames"), "{}", run.stderr);
    assert!(run.stdout.contains("\"lost_frames\": 20"), "{}", run.stdout);
    assert_eq!(scratch.read("out.mp4").1.len(), 40);
}

#[test]
fn motion_files_that_cannot_be_performed() {
    let scratch = Scratch::new();
    scratch.film("nod.mp4", 10, 10);
    scratch.succeed("record nod.mp4 -o nod.motion");
    let good = fs::read(scratch.path("nod.motion")).expect("the motion");
    let text = |from: &str, to: &str| {
        let at =
            good.windows(from.len()).position(|window| window == from.as_bytes()).expect("in the header");
        [&good[..at], to.as_bytes(), &good[at + from.len()..]].concat()
    };
    write(&scratch, "newer.motion", &text("\"version\":\"1\"", "\"version\":\"7\""));
    write(&scratch, "half.motion", &good[..good.len() / 2]);
    write(&scratch, "nan.motion", &with_nan(&good));
    write(&scratch, "text.motion", b"nod, then smile");
    write(&scratch, "empty.motion", b"");
    let cases = [
        ("newer.motion", "version 7"),
        ("half.motion", ""),
        ("nan.motion", "frame 0"),
        ("text.motion", "not a motion file"),
        ("empty.motion", "not a motion file"),
    ];
    for (motion, told) in cases {
        refused(&scratch, &format!("animate mona.jpg -d {motion} -o out.mp4 {BRIEF}"), 1, &[motion, told]);
        refused(&scratch, &format!("inspect {motion}"), 1, &[motion, told]);
    }
}

/// The motion file with its first `scale` not a number. Layout: the header's length in eight bytes, the header (JSON
/// with the place of each tensor), the tensors.
fn with_nan(motion: &[u8]) -> Vec<u8> {
    let length = u64::from_le_bytes(motion[..8].try_into().expect("eight bytes")) as usize;
    let header: serde_json::Value = serde_json::from_slice(&motion[8..8 + length]).expect("a header");
    let at = 8 + length + header["scale"]["data_offsets"][0].as_u64().expect("a place") as usize;
    let mut damaged = motion.to_vec();
    damaged[at..at + 4].copy_from_slice(&f32::NAN.to_le_bytes());
    damaged
}

#[test]
fn outputs_that_cannot_be_written() {
    let scratch = Scratch::new();
    scratch.film("nod.mp4", 10, 10);
    scratch.save("portrait.png", &scratch.photo());
    fs::create_dir(scratch.path("full")).expect("a folder");
    fs::write(scratch.path("full/precious.txt"), "mine").expect("a file");
    fs::create_dir(scratch.path("folder.mp4")).expect("a folder");
    let cases = [
        ("mona.jpg", "out.avi", 2, "out.avi"),
        ("mona.jpg", "out.mp4.part", 2, "out.mp4.part"),
        ("mona.jpg", "nod.mp4", 2, "overwrite"),
        ("mona.jpg", "full", 1, "not empty"),
        ("mona.jpg", "folder.mp4", 1, "folder.mp4"),
        ("mona.jpg", "absent/out.mp4", 1, "absent/out.mp4"),
        ("mona.jpg", "portrait.png/out.mp4", 1, "portrait.png/out.mp4"),
        ("mona.jpg", "portrait.png/frames", 1, "portrait.png/frames"),
        ("mona.jpg portrait.png", "nod.mp4", 2, "nod.mp4"),
        ("mona.jpg portrait.png", "portrait.png/all", 1, "portrait.png/all"),
    ];
    for (photos, output, code, told) in cases {
        refused(&scratch, &format!("animate {photos} -d nod.mp4 -o {output} {BRIEF}"), code, &[told]);
    }
    for output in ["-o out.mp4", "-o out.gif", "--format gif", ""] {
        let arguments = format!("animate mona.jpg -d nod.mp4 --background transparent {output} {BRIEF}");
        refused(
            &scratch,
            &arguments,
            2,
            &["transparent", ".webp, .apng, .webm or .mov, or a folder of PNGs"],
        );
    }
    if Path::new("/proc/self").exists() {
        refused(
            &scratch,
            &format!("animate mona.jpg -d nod.mp4 -o /proc/out.mp4 {BRIEF}"),
            1,
            &["/proc/out.mp4"],
        );
    }
    refused(&scratch, "record nod.mp4 -o absent/out.motion", 1, &["absent/out.motion"]);
    assert_eq!(scratch.names("full"), ["precious.txt"]);
}

#[cfg(unix)]
#[test]
fn files_without_permission() {
    use std::os::unix::fs::PermissionsExt as _;

    let scratch = Scratch::new();
    scratch.film("nod.mp4", 10, 10);
    fs::copy(scratch.path("mona.jpg"), scratch.path("secret.jpg")).expect("a copy");
    let secret = scratch.path("secret.jpg");
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o000)).expect("permissions are set");
    if fs::read(&secret).is_ok() {
        println!("skipped: this user may read and write everything");
        return;
    }
    refused(&scratch, &format!("animate secret.jpg -d nod.mp4 -o out.mp4 {BRIEF}"), 1, &["secret.jpg"]);
    fs::create_dir(scratch.path("sealed")).expect("a folder");
    fs::set_permissions(scratch.path("sealed"), fs::Permissions::from_mode(0o555))
        .expect("permissions are set");
    refused(
        &scratch,
        &format!("animate mona.jpg -d nod.mp4 -o sealed/out.mp4 {BRIEF}"),
        1,
        &["sealed/out.mp4"],
    );
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk() {
    let scratch = Scratch::new();
    scratch.film("nod.mp4", 10, 10);
    scratch.succeed("record nod.mp4 -o nod.motion");
    fs::create_dir(scratch.path("disk")).expect("a folder");
    let mount = |program: &str, arguments: &[&str]| {
        let run = Command::new(program).args(arguments).arg(scratch.path("disk")).output();
        run.is_ok_and(|run| run.status.success())
    };
    if !mount("mount", &["-t", "tmpfs", "-o", "size=64k", "tmpfs"]) {
        println!("skipped: this user may not mount a small disk");
        return;
    }
    let runs = ["out.mp4", "out.gif", "out.webp", "frames"].map(|output| {
        let run =
            scratch.run(&format!("animate mona.jpg -d nod.motion --size 600 --duration 2 -o disk/{output}"));
        (output, run, scratch.names("disk"))
    });
    assert!(mount("umount", &[]), "the disk is taken away");
    for (output, run, left) in runs {
        let error = run.only_error(1);
        assert!(error.contains(output) && error.contains("space"), "{error}");
        assert!(left.is_empty(), "{output}: {left:?}");
    }
}

#[cfg(unix)]
#[test]
fn an_interrupted_run_leaves_nothing() {
    let scratch = Scratch::new();
    scratch.film("nod.mp4", 25, 25);
    scratch.succeed("record nod.mp4 -o nod.motion");
    write(&scratch, "older.mp4", b"an older file");
    let before = scratch.names("");
    for drive in ["nod.mp4", "nod.motion"] {
        for output in ["older.mp4", "out.webp", "frames"] {
            let arguments =
                format!("animate mona.jpg mona.jpg -d {drive} --crop --size 256 --loop 1000 -o out");
            let single = format!("animate mona.jpg -d {drive} --crop --size 256 --loop 1000 -o {output}");
            let arguments = if output == "frames" && drive == "nod.mp4" { &arguments } else { &single };
            let child = scratch.start(arguments);
            wait_until(|| holds_partial(&scratch), Duration::from_mins(1));
            let interrupted = Command::new("kill").args(["-INT", &child.id().to_string()]).status();
            assert!(interrupted.is_ok_and(|status| status.success()), "kill -INT");
            let run = Run::new(child.wait_with_output().expect("the program ends"));
            assert!(run.only_error(1).contains("stopped"), "{}", run.stderr);
            // The folder for several outputs is made first.
            let _ = fs::remove_dir(scratch.path("out"));
            assert_eq!(scratch.names(""), before, "gioconda {arguments}");
        }
    }
    assert_eq!(fs::read(scratch.path("older.mp4")).expect("still there"), b"an older file");
}

/// Whether an output is being written.
fn holds_partial(scratch: &Scratch) -> bool {
    let folders = ["", "out"].into_iter().filter(|folder| scratch.path(folder).is_dir());
    folders.flat_map(|folder| scratch.names(folder)).any(|name| name.contains(".partial-"))
}

fn wait_until(condition: impl Fn() -> bool, limit: Duration) {
    let started = Instant::now();
    while !condition() {
        assert!(started.elapsed() < limit, "it takes too long");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn one_bad_input_does_not_stop_the_others() {
    let scratch = Scratch::new();
    scratch.film("nod.mp4", 10, 10);
    scratch.save("landscape.png", &landscape(300, 300));
    let run = scratch.run(&format!("animate missing.jpg mona.jpg landscape.png -d nod.mp4 -o out {BRIEF}"));
    assert_eq!(run.code, Some(1));
    let errors = run.errors();
    assert_eq!(errors.len(), 2, "{}", run.stderr);
    assert!(errors[0].contains("missing.jpg") && errors[1].contains("landscape.png"), "{errors:?}");
    assert_eq!(scratch.names("out"), ["mona.mp4"]);
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let scratch = Scratch::new();
    let mut child = scratch.start("man");
    drop(child.stdout.take());
    let run = Run::new(child.wait_with_output().expect("the program ends"));
    assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""));
}
