//! What the program writes says what it is, and `verify` reads it.

mod program;

use std::fs;
use std::process::Command;

use program::{BRIEF, Run, Scratch};
use serde_json::Value;

/// Large enough for a mark to be read after compression.
const CLIP: &str = "animate mona.jpg --crop --size 512 --duration 1 -o clip.mp4";

fn findings(run: &Run) -> Vec<Value> {
    serde_json::from_str(&run.stdout).unwrap_or_else(|error| panic!("{error}: {}{}", run.stdout, run.stderr))
}

fn verify(scratch: &Scratch, file: &str, code: i32) -> Value {
    let run = scratch.run(&format!("verify --json {file}"));
    assert_eq!(run.code, Some(code), "{file}: {}{}", run.stdout, run.stderr);
    findings(&run).remove(0)
}

#[test]
fn a_clip_is_signed_and_marked_and_changes_are_noticed() {
    let scratch = Scratch::new();
    let said = scratch.succeed(&format!("{CLIP} --subject artwork --consent none-needed")).stderr;
    assert!(!said.contains("undeclared"), "{said}");
    fs::copy(scratch.path("clip.mp4"), scratch.path("copy.mp4")).expect("a copy");
    let found = verify(&scratch, "copy.mp4", 0);
    assert_eq!(found["manifest"]["status"], "valid", "{found}");
    assert_eq!(found["manifest"]["subject"], "artwork");
    assert_eq!(found["manifest"]["consent"], "none-needed");
    assert_eq!(found["manifest"]["source"], "compositeWithTrainedAlgorithmicMedia");
    assert_eq!(found["watermark"]["status"], "found", "{found}");
    assert_eq!(found["watermark"]["payload"]["version"], "0.1");
    assert_eq!(found["synthetic"], true);
    let sentence = scratch.run("verify copy.mp4").stdout;
    assert!(sentence.contains("made or changed by AI, by Gioconda 0.1.0, signed by Gioconda"), "{sentence}");

    let mut bytes = fs::read(scratch.path("clip.mp4")).expect("the clip");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(scratch.path("changed.mp4"), bytes).expect("written");
    let found = verify(&scratch, "changed.mp4", 4);
    assert_eq!(found["manifest"]["status"], "tampered", "{found}");
    let whole =
        String::from_utf8_lossy(&fs::read(scratch.path("clip.mp4")).expect("the clip")).contains("mona.jpg");
    assert!(!whole, "names are kept to give credit only");
}

#[test]
fn the_mark_outlives_the_statement() {
    let scratch = Scratch::new();
    scratch.succeed(CLIP);
    for (arguments, file) in [("-c copy", "remuxed.mp4"), ("-crf 28", "encoded.mp4")] {
        let mut ffmpeg = Command::new("ffmpeg");
        ffmpeg.args(["-v", "error", "-i"]).arg(scratch.path("clip.mp4")).args(arguments.split(' '));
        match ffmpeg.arg(scratch.path(file)).status() {
            Err(_) => return println!("skipped: ffmpeg is absent"),
            Ok(status) => assert!(status.success()),
        }
        let found = verify(&scratch, file, 0);
        assert_eq!(found["manifest"]["status"], "missing", "{found}");
        assert_eq!(found["watermark"]["status"], "found", "{found}");
    }
}

#[test]
fn every_format_carries_its_statement() {
    let scratch = Scratch::new();
    for output in ["a.gif", "a.webp", "frames/"] {
        scratch.succeed(&format!("animate mona.jpg {BRIEF} -o {output}"));
        let run = scratch.run(&format!("verify --json {output}"));
        assert_eq!(run.code, Some(0), "{output}: {}{}", run.stdout, run.stderr);
        let findings = findings(&run);
        assert!(!findings.is_empty());
        assert!(
            findings.iter().all(|found| found["manifest"]["status"] == "valid"),
            "{output}: {findings:?}"
        );
    }
}

#[test]
fn what_others_made_is_not_marked() {
    let scratch = Scratch::new();
    scratch.film("clip.mp4", 10, 10);
    for file in ["mona.jpg", "clip.mp4", "."] {
        let run = scratch.run(&format!("verify {file}"));
        assert_eq!(run.code, Some(3), "{file}: {}{}", run.stdout, run.stderr);
        assert!(
            run.stdout.contains("it carries no signed statement. Gioconda's invisible mark was not found.")
        );
    }
    scratch.run("verify absent.mp4").only_error(1);
    fs::write(scratch.path("note.txt"), "no picture").expect("written");
    scratch.run("verify note.txt").only_error(1);
}

#[test]
fn leaving_it_out_is_said_each_time() {
    let scratch = Scratch::new();
    for _ in 0..2 {
        let said = scratch.succeed(&format!("animate mona.jpg {BRIEF} -o plain.mp4 --no-provenance")).stderr;
        assert!(said.contains("will not say that it is made by AI"), "{said}");
    }
    let found = verify(&scratch, "plain.mp4", 3);
    assert_eq!(found["synthetic"], false, "{found}");
}

#[test]
fn an_avatar_hands_its_declaration_on() {
    let scratch = Scratch::new();
    scratch.succeed("learn mona.jpg -o mona.avatar --subject historical --consent museum");
    let said = scratch.succeed(&format!("animate mona.avatar {BRIEF} -o clip.mp4 --label it")).stderr;
    assert!(!said.contains("undeclared"), "{said}");
    let found = verify(&scratch, "clip.mp4", 0);
    assert_eq!(
        (&found["manifest"]["subject"], &found["manifest"]["consent"]),
        (&"historical".into(), &"museum".into())
    );
}

#[test]
fn nothing_declared_is_undeclared_and_said() {
    let scratch = Scratch::new();
    let said = scratch.succeed(&format!("animate mona.jpg {BRIEF} -o clip.mp4")).stderr;
    assert!(said.contains("mona.jpg: who is shown is undeclared"), "{said}");
    assert_eq!(verify(&scratch, "clip.mp4", 0)["manifest"]["subject"], "undeclared");
}

#[test]
fn keys_that_cannot_be_used_are_named_before_anything_is_computed() {
    let scratch = Scratch::new();
    fs::write(scratch.path("c.pem"), "no certificate").expect("written");
    for (key, expected) in
        [("absent.pem", "absent.pem: cannot be read"), ("c.pem", "c.pem: holds no certificates")]
    {
        let run =
            scratch.run(&format!("animate mona.jpg {BRIEF} -o clip.mp4 --sign-cert c.pem --sign-key {key}"));
        assert!(run.only_error(1).contains(expected), "{}", run.stderr);
        assert!(!scratch.path("clip.mp4").exists());
    }
    let mut command = scratch.command(&format!("animate mona.jpg {BRIEF} -o clip.mp4"));
    // A file where the folder should be: nothing can be written below it, whoever asks.
    let run =
        Run::new(command.env("XDG_CONFIG_HOME", scratch.path("c.pem")).output().expect("the program starts"));
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    assert!(run.stderr.contains("signing with a key for this run only"), "{}", run.stderr);
    assert_eq!(verify(&scratch, "clip.mp4", 0)["manifest"]["status"], "valid");
}
