//! What people and programs read, as it stands: `--help` of every command, the manual page, the completions, every
//! `--json`, and the `OpenAPI` document of the studio. The texts lie in `snapshots/`.
//!
//! A text that changed fails with the lines that differ. `INSTA_UPDATE=always cargo nextest run -p gioconda snapshots`
//! stores what is printed now: look at it before it is committed. What no two runs share (times, checksums of what is signed
//! anew, the date, the version) is blanked out.

mod program;
mod served;

use std::fs;

use insta::{assert_snapshot, with_settings};
use program::{BRIEF, Scratch};
use serde_json::Value;
use served::Studio;

/// Measured, or of this run only: what stands here is its kind.
const BLANK: [&str; 26] = [
    "bytes",
    "center",
    "date",
    "decode",
    "encode",
    "false_alarm",
    "frames_per_second",
    "generator",
    "issuer",
    "cores",
    "processor",
    "program",
    "peak_memory_mb",
    "pitch_degrees",
    "render",
    "roll_degrees",
    "score",
    "sentence",
    "sharpness",
    "seconds_to_first_frame",
    "signed",
    "speed",
    "track",
    "transfer",
    "width_of_face",
    "yaw_degrees",
];

/// The text with this version's number blanked out.
fn without_version(text: &str) -> String {
    text.replace(env!("CARGO_PKG_VERSION"), "[version]")
}

/// The program, as wide as a terminal of 100 columns and without colours, run to its end.
fn text(scratch: &Scratch, arguments: &str) -> String {
    let mut command = scratch.command(arguments);
    command.env("COLUMNS", "100").env("NO_COLOR", "1");
    let output = command.output().expect("the program starts");
    assert!(output.status.success(), "gioconda {arguments}");
    without_version(&String::from_utf8(output.stdout).expect("the program speaks UTF-8"))
}

/// Replaces what `BLANK` names by its kind, at any depth.
fn blank(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            for (name, field) in fields.iter_mut() {
                if BLANK.contains(&name.as_str()) {
                    *field = kind(field);
                }
                blank(field);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(blank),
        // Whatever has more than three decimals was measured.
        Value::Number(number) if number.as_f64().is_some_and(|n| (n * 1000.0).fract() != 0.0) => {
            *value = kind(value);
        }
        _ => {}
    }
}

/// What stands for a value that no two runs share.
fn kind(value: &Value) -> Value {
    match value {
        Value::Number(_) => "[number]".into(),
        Value::String(_) => "[text]".into(),
        Value::Array(items) => items.iter().map(kind).collect(),
        Value::Object(fields) => fields.iter().map(|(name, field)| (name.clone(), kind(field))).collect(),
        other => other.clone(),
    }
}

/// The JSON a command prints, which ends with `code`, ready to be compared.
fn json(scratch: &Scratch, arguments: &str, code: i32) -> String {
    let run = scratch.run(arguments);
    assert_eq!(run.code, Some(code), "gioconda {arguments}\n{}", run.stderr);
    let mut value: Value = serde_json::from_str(&run.stdout)
        .unwrap_or_else(|error| panic!("gioconda {arguments}: {error}: {}", run.stdout));
    blank(&mut value);
    without_version(&serde_json::to_string_pretty(&value).expect("JSON is written again"))
}

/// Compares with the snapshot called `name`.
fn same(name: &str, text: &str) {
    with_settings!({ omit_expression => true, prepend_module_to_snapshot => false }, {
        assert_snapshot!(name, text);
    });
}

#[test]
fn help_of_every_command() {
    let scratch = Scratch::new();
    let overview = text(&scratch, "--help");
    let listed = overview.split("Commands:").nth(1).and_then(|rest| rest.split("\n\n").next());
    let commands: Vec<&str> = listed
        .expect("the help lists the commands")
        .lines()
        // What stands deeper goes on with the description above it.
        .filter_map(|line| line.strip_prefix("  ").filter(|line| !line.starts_with(' ')))
        .filter_map(|line| line.split_whitespace().next())
        .filter(|command| *command != "help")
        .collect();
    assert!(commands.contains(&"animate") && commands.contains(&"man"), "{commands:?}");
    let both = |command: &str| {
        let [short, long] = ["-h", "--help"].map(|option| text(&scratch, &format!("{command} {option}")));
        format!("{short}\n=== the long one ===\n\n{long}")
    };
    same("help", &both(""));
    for command in commands {
        same(&format!("help-{command}"), &both(command));
    }
}

#[test]
fn the_manual_page_and_the_completions() {
    let scratch = Scratch::new();
    same("man", &text(&scratch, "man"));
    for shell in ["bash", "fish", "zsh"] {
        same(&format!("completions-{shell}"), &text(&scratch, &format!("completions {shell}")));
    }
}

#[test]
fn json_of_lists() {
    let scratch = Scratch::new();
    same("motions", &json(&scratch, "motions --json", 0));
    same("models", &json(&scratch, "models --json", 0));
}

#[test]
fn json_of_inspect() {
    let scratch = Scratch::new();
    scratch.film("nod.mp4", 10, 10);
    scratch.paint_two_faces();
    scratch.succeed("record nod.mp4 --title swaying");
    same("inspect-photo", &json(&scratch, "inspect --json mona.jpg two.png", 0));
    same("inspect-clip", &json(&scratch, "inspect --json nod.mp4", 0));
    same("inspect-motion", &json(&scratch, "inspect --json nod.motion", 0));
    same("inspect-missing", &json(&scratch, "inspect --json missing.jpg", 1));
}

#[test]
fn json_of_animate_and_verify() {
    let scratch = Scratch::new();
    scratch.film("nod.mp4", 10, 10);
    fs::write(scratch.path("broken.jpg"), b"\xff\xd8\xff\xe0 and then nothing").expect("a file");
    let animate = format!("animate mona.jpg broken.jpg -d nod.mp4 -o out --json {BRIEF}");
    same("animate", &json(&scratch, &animate, 1));
    scratch.succeed(
        "animate mona.jpg --crop --size 512 --duration 1 -o clip.mp4 --subject artwork --consent none",
    );
    same("verify-marked", &json(&scratch, "verify --json clip.mp4", 0));
    same("verify-unmarked", &json(&scratch, "verify --json mona.jpg", 3));
    let mut bytes = fs::read(scratch.path("clip.mp4")).expect("the clip");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(scratch.path("changed.mp4"), bytes).expect("written");
    same("verify-changed", &json(&scratch, "verify --json changed.mp4", 4));
}

#[test]
fn json_of_learn() {
    let scratch = Scratch::new();
    same("learn", &json(&scratch, "learn mona.jpg -o mona.avatar --no-network --json", 0));
}

#[test]
fn json_of_prepare_and_eval() {
    let scratch = Scratch::new();
    fs::create_dir_all(scratch.path("clips/ann")).expect("a folder");
    scratch.film("clips/ann/one.mp4", 12, 12);
    fs::write(scratch.path("clips/page.mp4"), "<html>").expect("a file");
    same("prepare", &json(&scratch, "prepare clips data --size 64 --json", 0));
    let eval = "eval clips --renderer mesh --frames 2 --models none --out out --json";
    same("eval", &json(&scratch, eval, 0));
    same("eval-compare", &json(&scratch, "eval --compare out/report.json out/report.json --json", 0));
}

#[test]
fn the_recipe_that_train_prints() {
    same("train-config", &text(&Scratch::new(), "train --print-config"));
}

#[test]
fn the_openapi_document() {
    let document = Studio::open("").get("/api/openapi.json").expect(200);
    same("openapi", &without_version(&serde_json::to_string_pretty(&document).expect("JSON")));
}
