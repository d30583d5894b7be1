//! Every command but `animate`, and the documentation that speaks of them.

mod program;

use std::fs;

use program::{Scratch, shared, workspace};
use serde_json::Value;

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[test]
fn a_clip_is_recorded_and_inspected() {
    let scratch = Scratch::new();
    scratch.film("nod.mp4", 25, 20);
    let run = scratch.succeed("record nod.mp4 --fps 10 --title swaying");
    assert!(run.stderr.contains("nod.motion: 10 frames") && run.stderr.contains("lost in"), "{}", run.stderr);
    let run = scratch.succeed("record nod.mp4 -o part.motion --start 0.2 --duration 0.4 --quiet");
    assert_eq!((run.stdout.as_str(), run.stderr.as_str()), ("", ""));
    assert_eq!(scratch.names(""), ["mona.jpg", "nod.motion", "nod.mp4", "part.motion"]);

    let run = scratch.succeed("inspect nod.motion part.motion");
    assert!(run.stdout.contains("\"swaying\", 10 frames at 10.00 frames/s, 1.00 s"), "{}", run.stdout);
    assert!(run.stdout.contains("\"nod\", 10 frames at 25.00 frames/s, 0.40 s"), "{}", run.stdout);
    let motion = &json(&scratch.succeed("inspect nod.motion --json").stdout)[0];
    assert_eq!(
        (&motion["kind"], &motion["frames"], &motion["loops"]),
        (&"motion".into(), &10.into(), &false.into())
    );

    let run = scratch.run("record nod.mp4 -o nod.txt");
    assert!(run.only_error(2).contains("nod.txt"), "{}", run.stderr);
}

#[test]
fn a_motion_loops_when_asked_to() {
    let Some(clip) = shared("data/val/edtalk_pose_source2/pose_source2.mp4") else { return };
    let scratch = Scratch::new();
    scratch.succeed(&format!("record {} -o loop.motion --duration 4 --fps 8 --seamless 2.5", clip.display()));
    let motion = &json(&scratch.succeed("inspect loop.motion --json").stdout)[0];
    assert_eq!(motion["loops"], true);
    assert!(motion["seconds"].as_f64().is_some_and(|seconds| (1.7..=2.5).contains(&seconds)), "{motion}");
}

#[test]
fn photos_and_clips_are_inspected() {
    let scratch = Scratch::new();
    scratch.film("nod.mp4", 20, 20);
    scratch.paint_two_faces();
    let run = scratch.succeed("inspect mona.jpg two.png nod.mp4");
    for part in [
        "mona.jpg: jpeg photo, 743 x 1155 pixels, 1 face",
        "two.png: png photo, 1486 x 1155 pixels, 2 faces",
        "nod.mp4: mp4 clip, h264 by openh264, 256 x 256 pixels, 25.00 frames/s, 0.80 s, no sound",
        "1 face in the first frame",
        "followed in 100 %",
        "face 2:",
    ] {
        assert!(run.stdout.contains(part), "{part:?} is missing:\n{}", run.stdout);
    }
    let run = scratch.run("inspect mona.jpg missing.jpg two.png nod.mp4 --json");
    assert!(run.only_error(1).contains("missing.jpg"), "{}", run.stderr);
    let found = json(&run.stdout);
    let kinds: Vec<_> = (0..4).map(|i| found[i]["kind"].as_str().unwrap_or_default()).collect();
    assert_eq!(kinds, ["photo", "error", "photo", "clip"]);
    assert_eq!((&found[0]["width"], &found[0]["format"]), (&743.into(), &"jpeg".into()));
    let faces = found[2]["faces"].as_array().expect("faces");
    let x = |face: &Value| face["center"][0].as_f64().expect("a number");
    assert!(faces.len() == 2 && x(&faces[0]) < x(&faces[1]), "left to right: {faces:?}");
    assert_eq!((&found[3]["codec"], &found[3]["tracked"]), (&"h264".into(), &1.0.into()));
}

#[test]
fn lists_are_whole() {
    let scratch = Scratch::new();
    let motions = json(&scratch.succeed("motions --json").stdout);
    let motions = motions.as_array().expect("a list");
    let text = scratch.succeed("motions").stdout;
    for name in ["talk", "smile", "look-around", "nod", "idle"] {
        let motion = motions.iter().find(|motion| motion["name"] == name).expect(name);
        assert!(motion["seconds"].as_f64().is_some_and(|seconds| seconds >= 4.0), "{motion}");
        assert!(text.lines().any(|line| line.starts_with(name)), "{text}");
    }
    assert_eq!(motions.iter().filter(|motion| motion["default"] == true).count(), 1);

    let models = json(&scratch.succeed("models --json").stdout);
    let text = scratch.succeed("models").stdout;
    for model in models.as_array().expect("a list") {
        let [name, sha256] = ["name", "sha256"].map(|field| model[field].as_str().expect(field));
        assert!(text.contains(name) && text.contains(sha256) && sha256.len() == 64, "{name}");
        assert!(model["licence"].as_str().is_some_and(|licence| !licence.is_empty()), "{name}");
    }
}

#[test]
fn scripts_and_the_manual_know_every_command() {
    let scratch = Scratch::new();
    let manual = scratch.succeed("man").stdout;
    for shell in ["bash", "zsh", "fish"] {
        let script = scratch.succeed(&format!("completions {shell}")).stdout;
        for command in commands(&scratch) {
            assert!(script.contains(&command), "{shell}: {command}");
            assert!(manual.contains(&command), "manual: {command}");
        }
        assert!(script.contains("side-by-side"), "{shell}");
    }
    assert!(manual.starts_with(".ie") || manual.starts_with(".TH"), "roff: {}", &manual[..60]);
}

/// The commands that `--help` shows.
fn commands(scratch: &Scratch) -> Vec<String> {
    let help = scratch.succeed("--help").stdout;
    let listed =
        help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    // A name stands two spaces in; what stands deeper goes on with the description above it.
    let names = listed.filter_map(|line| line.strip_prefix("  ").filter(|line| !line.starts_with(' ')));
    let commands = names.filter_map(|line| line.split_whitespace().next().map(str::to_owned));
    commands.filter(|command| command != "help").collect()
}

#[test]
fn the_documentation_speaks_of_every_option_and_of_no_other_command() {
    if !cfg!(all(feature = "studio", feature = "train")) {
        return println!("skipped: built without some of the commands");
    }
    let scratch = Scratch::new();
    let read =
        |path: &str| fs::read_to_string(workspace(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
    let (readme, page) = (read("README.md"), read("docs/animate.md"));
    let help = scratch.succeed("animate --help").stdout;
    let words = help.split(|c: char| !c.is_ascii_alphanumeric() && c != '-');
    let of_every_program = ["--help", "--version"];
    let options: Vec<&str> = words
        .filter(|word| word.starts_with("--") && word.len() > 2 && !of_every_program.contains(word))
        .collect();
    assert!(options.len() > 20, "{options:?}");
    let missing: Vec<_> =
        options.into_iter().filter(|option| !page.contains(option) && !readme.contains(option)).collect();
    assert!(missing.is_empty(), "neither README.md nor docs/animate.md has {missing:?}");

    // The table of commands is the one whose head says so; its rows begin with the command in code type.
    let table = readme.lines().skip_while(|line| !line.to_lowercase().starts_with("| command"));
    let rows = table.take_while(|line| line.starts_with('|')).filter_map(|line| line.strip_prefix("| `"));
    let name = |row: &str| {
        let row = row.trim_start_matches("gioconda ");
        row.split(|c: char| c != '-' && !c.is_ascii_alphanumeric()).next().unwrap_or_default().to_owned()
    };
    let mut listed: Vec<String> = rows.map(name).collect();
    listed.sort();
    listed.dedup();
    let mut commands = commands(&scratch);
    commands.sort();
    assert_eq!(listed, commands, "the table of commands in README.md and what the program knows");
}
