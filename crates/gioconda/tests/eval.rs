//! `gioconda eval`, as a user meets it: a report, a resumed run, the same numbers again, bad clips, thresholds, and a
//! comparison of two reports.

mod program;

use std::fs;
use std::path::Path;

use program::{Scratch, shared, workspace};

/// Two people with a clip each.
fn clips(scratch: &Scratch) {
    fs::create_dir_all(scratch.path("clips/ann")).expect("a folder");
    scratch.film("clips/ann/one.mp4", 12, 12);
    scratch.film("clips/ben.mp4", 12, 12);
}

/// The report in `folder`, its speed left out: the one part that two runs do not share.
fn report(scratch: &Scratch, folder: &str) -> serde_json::Value {
    let text = fs::read_to_string(scratch.path(folder).join("report.json")).expect("a report");
    let mut report: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    report["speed"] = serde_json::Value::Null;
    report
}

/// What the row `row` of protocol number `part` has for `measure`.
fn value(report: &serde_json::Value, part: usize, row: &str, measure: &str) -> f64 {
    let rows = report["protocols"][part]["rows"].as_array().expect("rows");
    let row = rows.iter().find(|candidate| candidate["name"] == row).expect("the row");
    row["values"][measure].as_f64().unwrap_or_else(|| panic!("no {measure}: {row}"))
}

#[test]
fn a_folder_becomes_a_report() {
    let scratch = Scratch::new();
    clips(&scratch);
    scratch.film("clips/dark.mp4", 3, 0);
    scratch.film("clips/single.mp4", 1, 1);
    fs::write(scratch.path("clips/page.mp4"), "<html>").expect("a file");
    let run = scratch.succeed(
        "eval clips --renderer mesh --protocol self,cross --drivers 4 --frames 4 --models none --out out",
    );
    for name in ["dark.mp4", "single.mp4", "page.mp4"] {
        assert!(run.stderr.contains(&format!("warning: {name}: not scored: ")), "{name}\n{}", run.stderr);
    }
    assert!(
        run.stdout.contains("| PSNR face, dB ↑") && run.stdout.contains("Not measured: CSIM"),
        "{}",
        run.stdout
    );
    let report = report(&scratch, "out");
    assert_eq!(report["protocols"][0]["cases"].as_array().map(Vec::len), Some(2));
    assert!(
        value(&report, 0, "mesh", "psnr_face") > value(&report, 0, "copy", "psnr_face") + 1.0,
        "{report}"
    );
    assert!(value(&report, 0, "mesh", "pose") < 3.0 && value(&report, 0, "mesh", "no_face") < 1e-9);
    // Two pairs of four each can be scored: the other people's clips are bad.
    assert_eq!(report["protocols"][1]["cases"].as_array().map(Vec::len), Some(2), "{report}");
    assert!(value(&report, 1, "mesh", "no_face") < 1e-9 && value(&report, 1, "mesh", "pose") < 5.0);
    let page = fs::read_to_string(scratch.path("out/report.html")).expect("a page");
    assert!(
        page.contains("data:image/jpeg;base64,") && page.contains("<svg") && !page.contains("src=\"http")
    );
    let pairs = fs::read_to_string(scratch.path("out/pairs.json")).expect("pairs");
    assert!(pairs.contains("ann/one.mp4"), "{pairs}");
}

#[test]
fn runs_resume_and_repeat_to_the_last_digit() {
    let scratch = Scratch::new();
    clips(&scratch);
    let models = workspace("../shared/models");
    let options = format!("--frames 2 --models {}", models.display());
    scratch.succeed(&format!("eval clips {options} --workers 1 --out first"));
    let first = report(&scratch, "first");
    // On other threads: workers, and those that networks and renderers share.
    let mut command = scratch.command(&format!("eval clips {options} --workers 2 --out second"));
    let run = command.env("RAYON_NUM_THREADS", "1").output().expect("the program starts");
    assert!(run.status.success());
    assert_eq!(first, report(&scratch, "second"));
    // One clip is scored already, the other one is lost.
    let kept = scratch.names("first/cases");
    let json: Vec<&String> =
        kept.iter().filter(|name| Path::new(name).extension().is_some_and(|e| e == "json")).collect();
    assert_eq!(json.len(), 2, "{kept:?}");
    fs::remove_file(scratch.path("first/cases").join(json[0])).expect("it was kept");
    let untouched = scratch.path("first/cases").join(json[1]);
    let written = fs::metadata(&untouched).and_then(|file| file.modified()).expect("it stays");
    scratch.succeed(&format!("eval clips {options} --workers 2 --out first"));
    assert_eq!(first, report(&scratch, "first"));
    assert_eq!(fs::metadata(&untouched).and_then(|file| file.modified()).expect("it stays"), written);
}

#[test]
fn a_report_compares_with_itself_and_thresholds_fail_runs() {
    let scratch = Scratch::new();
    clips(&scratch);
    let run = scratch
        .run("eval clips --renderer mesh --frames 2 --models none --out out --require psnr>=1 --require psnr_face>=59");
    let error = run.only_error(1);
    assert!(
        error.contains("required psnr_face>=59, but self gave ") && !error.contains("psnr>=1"),
        "{error}"
    );
    let missing = scratch
        .run("eval clips --renderer mesh --frames 2 --models none --out out --no-pictures --require csim>=0");
    assert!(missing.only_error(1).contains("it was not measured"));
    let page = fs::read_to_string(scratch.path("out/report.html")).expect("a page");
    assert!(!page.contains("data:image"), "a page without pictures shows one");
    let run = scratch.succeed("eval --compare out/report.json out/report.json --json");
    let json: serde_json::Value = serde_json::from_str(&run.stdout).expect("JSON on standard output");
    assert_eq!(json[0]["changes"][0]["difference"], 0.0, "{json}");
    let run = scratch.succeed("eval --compare out/report.json out/report.json");
    assert!(run.stdout.contains("## self: mesh against mesh"), "{}", run.stdout);
}

#[test]
fn few_shot_tells_numbers_of_photos_apart() {
    let scratch = Scratch::new();
    fs::create_dir_all(scratch.path("clips/ann")).expect("a folder");
    fs::create_dir_all(scratch.path("clips/lone")).expect("a folder");
    for name in ["ann/1.mp4", "ann/2.mp4", "lone/1.mp4"] {
        scratch.film(&format!("clips/{name}"), 12, 12);
    }
    let run = scratch
        .succeed("eval clips --renderer mesh --protocol few-shot --avatar-from T=1,3 --frames 4 --models none --out out");
    assert!(run.stderr.contains("lone: not scored: has a single clip"), "{}", run.stderr);
    let report = report(&scratch, "out");
    for row in ["mesh T=1", "mesh T=3"] {
        assert!(value(&report, 0, row, "psnr_face") > 15.0, "{report}");
    }
}

#[test]
fn what_cannot_be_scored_is_refused_in_one_line() {
    let scratch = Scratch::new();
    fs::create_dir(scratch.path("bare")).expect("a folder");
    fs::create_dir(scratch.path("dark")).expect("a folder");
    scratch.film("dark/a.mp4", 2, 0);
    fs::write(scratch.path("bad.safetensors"), "no weights").expect("written");
    fs::write(scratch.path("a.json"), "{}").expect("written");
    let cases = [
        ("eval bare", 1, "bare: holds no clips"),
        ("eval missing", 1, "missing: cannot be read"),
        ("eval dark --models none", 1, "nothing could be scored: a.mp4: no face in its first second"),
        ("eval dark --protocol cross", 1, "nothing could be scored: no person fits"),
        ("eval dark --weights bad.safetensors", 1, "bad.safetensors"),
        ("eval --compare a.json a.json", 1, "is no report"),
        ("eval dark --renderer mesh --weights bad.safetensors", 2, "choose one"),
        ("eval dark --avatar-from T=1", 2, "few-shot"),
    ];
    for (arguments, code, told) in cases {
        let run = scratch.run(arguments);
        assert!(run.only_error(code).contains(told), "gioconda {arguments}\n{}", run.stderr);
    }
}

/// Real clips: the mesh must beat the copy by what it is known to, the network inside the program the mesh, and CSIM must
/// know the people.
#[test]
fn the_renderers_on_real_clips() {
    let (Some(data), Some(models)) = (shared("data/val"), shared("models")) else { return };
    let scratch = Scratch::new();
    for person in ["liveportrait_d9", "video-retalking_4"] {
        let folder = scratch.path("clips").join(person);
        fs::create_dir_all(&folder).expect("a folder");
        for clip in fs::read_dir(data.join(person)).expect("a person").flatten() {
            fs::copy(clip.path(), folder.join(clip.file_name())).expect("a clip");
        }
    }
    let models = models.display();
    scratch.succeed(&format!(
        "eval clips --protocol self,cross --drivers 1 --frames 3 --models {models} --out out"
    ));
    let report = report(&scratch, "out");
    for (measure, at_least) in [("psnr_face", 2.0), ("csim", -1.0), ("ssim_face", 0.02)] {
        let gain = value(&report, 0, "mesh", measure) - value(&report, 0, "copy", measure);
        assert!(gain > at_least, "{measure}: {gain}");
    }
    for measure in ["perceptual", "akd", "expression", "pose", "mouth_opening"] {
        assert!(
            value(&report, 0, "mesh", measure) < value(&report, 0, "copy", measure),
            "{measure}\n{report}"
        );
    }
    for (measure, at_least) in [("psnr", 0.3), ("psnr_face", 0.3), ("psnr_mouth_eyes", 0.5)] {
        let gain = value(&report, 0, "neural", measure) - value(&report, 0, "warp", measure);
        assert!(gain > at_least, "{measure}: {gain}");
    }
    assert!(
        value(&report, 0, "mesh", "csim_truth") > 0.5 && value(&report, 1, "mesh", "csim") > 0.5,
        "{report}"
    );
}
