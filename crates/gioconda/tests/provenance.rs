//! What the program writes says what it is, and `verify` reads it.

mod program;

use std::fs;
use std::process::Command;

use program::{BRIEF, Run, Scratch};
use serde_json::Value;

/// Large enough for a mark to be read after compression.
const CLIP: &str = "animate mona.jpg --crop --size 512 --duration 1 -o clip.mp4";

/// Valid for the year 2020 only.
const EXPIRED: &str = "-----BEGIN CERTIFICATE-----
MIIBNTCB3aADAgECAgEHMAoGCCqGSM49BAMCMCUxETAPBgNVBAoMCEdpb2NvbmRh
MRAwDgYDVQQDDAdleHBpcmVkMB4XDTIwMDEwMTAwMDAwMFoXDTIxMDEwMTAwMDAw
MFowJTERMA8GA1UECgwIR2lvY29uZGExEDAOBgNVBAMMB2V4cGlyZWQwWTATBgcq
hkjOPQIBBggqhkjOPQMBBwNCAAQUH73dX+nZv3V6GA1HYowovG9GleWJUcbGDDfF
0WmMHgTv/JiAeV5Gln3gY1K8csGdYt7+88rqNGlltDMsHjepMAoGCCqGSM49BAMC
A0cAMEQCIAS/eKt7Onwaa5wDkbl4fkNThPZGqHm7tj7fii4AULU3AiBmPgedkIOD
0/ZJCauyI4qjfs58Nt4SsRX/ycTJy3FPXA==
-----END CERTIFICATE-----
";

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
    assert!(said.contains("128x128 pixels are few for the invisible mark"), "{said}");
    assert_eq!(verify(&scratch, "clip.mp4", 0)["manifest"]["subject"], "undeclared");
}

#[test]
fn keys_that_cannot_be_used_are_named_before_anything_is_computed() {
    let scratch = Scratch::new();
    fs::write(scratch.path("c.pem"), "no certificate").expect("written");
    fs::write(scratch.path("expired.pem"), EXPIRED).expect("written");
    for (certificate, key, expected) in [
        ("c.pem", "absent.pem", "absent.pem: cannot be read"),
        ("c.pem", "c.pem", "c.pem: holds no certificates"),
        ("expired.pem", "c.pem", "expired.pem: the certificate of"),
    ] {
        let run = scratch
            .run(&format!("animate mona.jpg {BRIEF} -o clip.mp4 --sign-cert {certificate} --sign-key {key}"));
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

    // A key of the user's own that is broken is not replaced behind the user's back.
    let config = scratch.path("config/gioconda");
    fs::create_dir_all(&config).expect("a folder");
    fs::write(config.join("signing-certificates.pem"), EXPIRED).expect("written");
    fs::write(config.join("signing-key.pem"), "no key").expect("written");
    let mut command = scratch.command(&format!("animate mona.jpg {BRIEF} -o other.mp4"));
    let run = Run::new(
        command.env("XDG_CONFIG_HOME", scratch.path("config")).output().expect("the program starts"),
    );
    let error = run.only_error(1);
    assert!(error.contains("expired on 2021-01-01"), "{error}");
    assert_eq!(fs::read_to_string(config.join("signing-key.pem")).expect("a key"), "no key");
    assert!(!scratch.path("other.mp4").exists());
}

/// Killed at the moment an output appears, the program leaves a signed one: signing comes before the name.
#[test]
fn what_appears_under_its_name_is_signed() {
    let scratch = Scratch::new();
    for output in ["clip.mp4", "frames"] {
        let brief = "--crop --size 128 --duration 0.08";
        let mut child = scratch.start(&format!("animate mona.jpg {brief} -o {output}"));
        while !scratch.path(output).exists() {
            if let Some(status) = child.try_wait().expect("a child") {
                assert!(status.success() && scratch.path(output).exists(), "{output}: {status}");
            }
            std::thread::sleep(std::time::Duration::from_micros(200));
        }
        let _ = child.kill();
        child.wait().expect("a child");
        let run = scratch.run(&format!("verify --json {output}"));
        assert_eq!(run.code, Some(0), "{output}: {}{}", run.stdout, run.stderr);
        assert!(findings(&run).iter().all(|found| found["manifest"]["status"] == "valid"), "{}", run.stdout);
    }
}
