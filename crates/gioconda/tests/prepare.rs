//! `gioconda prepare`, as a user meets it: the summary, the report, a kill in the middle, and what is refused.

mod program;

use std::fs;
use std::time::{Duration, Instant};

use program::{Scratch, landscape};

/// Two people with a clip each.
fn clips(scratch: &Scratch) {
    fs::create_dir_all(scratch.path("clips/ann")).expect("a folder");
    scratch.film("clips/ann/one.mp4", 14, 14);
    scratch.film("clips/ben.mp4", 14, 14);
}

#[test]
fn a_folder_becomes_data_with_a_summary_a_report_and_a_page() {
    let scratch = Scratch::new();
    clips(&scratch);
    fs::write(scratch.path("clips/page.mp4"), "<html>").expect("a file");
    let run = scratch.succeed("prepare clips data --size 64 --json");
    let json: serde_json::Value = serde_json::from_str(&run.stdout).expect("JSON on standard output");
    assert_eq!(json["prepared"]["videos"], 2, "{json}");
    assert!(run.stderr.contains("warning: page.mp4: left out: "), "{}", run.stderr);
    assert!(run.stderr.contains("in 2 videos of 2 people, from 3 clips"), "{}", run.stderr);
    for name in ["report.json", "contact-sheet.html"] {
        assert!(scratch.path("data").join(name).exists(), "{name}");
    }
    let again = scratch.succeed("prepare clips data --size 64 --quiet");
    assert_eq!((again.stdout.as_str(), again.stderr.as_str()), ("", ""));
}

#[test]
fn a_killed_run_goes_on() {
    let scratch = Scratch::new();
    clips(&scratch);
    for copy in 0..6 {
        fs::copy(scratch.path("clips/ben.mp4"), scratch.path(&format!("clips/copy{copy}.mp4")))
            .expect("a clip");
    }
    let mut child = scratch.start("prepare clips data --size 64 --workers 1");
    let journal = scratch.path("data/part-0001-of-0001.jsonl");
    let lines = || fs::read_to_string(&journal).map_or(0, |text| text.lines().count());
    let deadline = Instant::now() + Duration::from_mins(2);
    while lines() < 3 && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(5));
    }
    child.kill().expect("it runs");
    child.wait().expect("it ends");
    let run = scratch.succeed("prepare clips data --size 64 --json");
    let json: serde_json::Value = serde_json::from_str(&run.stdout).expect("JSON on standard output");
    assert!(json["resumed_clips"].as_u64().is_some_and(|clips| clips >= 2), "{json}");
    assert_eq!(json["prepared"]["videos"], 8, "{json}");
}

#[test]
fn what_cannot_be_prepared_is_refused_in_one_line() {
    let scratch = Scratch::new();
    clips(&scratch);
    scratch.succeed("prepare clips data --size 64");
    fs::create_dir(scratch.path("bare")).expect("a folder");
    fs::create_dir(scratch.path("walls")).expect("a folder");
    scratch.save("walls/wall.png", &landscape(64, 64));
    let cases = [
        ("prepare bare out --size 64", "bare: holds no clips; give a folder"),
        ("prepare walls out --size 64", "walls: holds no clips"),
        ("prepare missing out", "missing: cannot be read"),
        ("prepare clips mona.jpg", "mona.jpg: cannot be written"),
        (
            "prepare clips data --size 128",
            "data: holds crops of 64 pixels, not 128; use 64 as before, or choose an empty folder (--size)",
        ),
        (
            "prepare clips data --size 64 --shard 1/2",
            "holds data in 1 part, not 2; prepare as many as before, or choose an empty folder (--shard I/N)",
        ),
    ];
    for (arguments, told) in cases {
        let run = scratch.run(arguments);
        let error = run.only_error(1);
        assert!(error.contains(told), "gioconda {arguments}\n{error}");
    }
}
