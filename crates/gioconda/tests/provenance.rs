//! What the program writes says what it is, and `verify` reads it.

mod program;

use std::fs;
use std::process::{Child, Command, Stdio};

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
    let said = scratch.succeed("animate mona.jpg --size 300 --duration 0.4 -o clip.mp4").stderr;
    assert!(said.contains("mona.jpg: who is shown is undeclared"), "{said}");
    assert!(said.contains("x300 pixels are few for the invisible mark"), "{said}");
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

    // A key of the user's own that is broken is not replaced behind the user's back, be it in one file or, from an
    // earlier version, in two.
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

    fs::write(config.join("signing-identity.pem"), "no key either").expect("written");
    let mut command = scratch.command(&format!("animate mona.jpg {BRIEF} -o other.mp4"));
    let run = Run::new(
        command.env("XDG_CONFIG_HOME", scratch.path("config")).output().expect("the program starts"),
    );
    let error = run.only_error(1);
    assert!(error.contains("signing-identity.pem: holds no private key"), "{error}");
    assert!(!scratch.path("other.mp4").exists());
}

/// Issue 22, line 10: several processes in a new home mixed one's key with another's certificate.
#[test]
fn processes_that_start_at_once_in_a_new_home_sign_what_verifies() {
    let scratch = Scratch::new();
    let names: Vec<String> = (0..6).map(|number| format!("{number}.png")).collect();
    fs::create_dir(scratch.path("new-home")).expect("a folder");
    let children: Vec<Child> = names
        .iter()
        .map(|name| {
            let folder = name.trim_end_matches(".png");
            let mut command =
                scratch.command(&format!("animate mona.jpg --crop --size 256 --duration 0.04 -o {folder}/"));
            command.env("XDG_CONFIG_HOME", scratch.path("new-home"));
            command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("the program starts")
        })
        .collect();
    for child in children {
        let output = child.wait_with_output().expect("the program ends");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && !said.contains("warning"), "{said}");
    }
    assert_eq!(scratch.names("new-home/gioconda"), ["signing-identity.pem"]);
    for name in names {
        let folder = name.trim_end_matches(".png");
        let found = verify(&scratch, &format!("{folder}/000001.png"), 0);
        assert_eq!(found["manifest"]["status"], "valid", "{found}");
    }
}

/// Issue 22, line 11: a file without a statement has none, however damaged it is.
#[test]
fn damaged_files_are_not_called_changed() {
    let scratch = Scratch::new();
    scratch.film("clip.mp4", 10, 10);
    scratch.save("still.png", &scratch.photo());
    let bytes = |name: &str| fs::read(scratch.path(name)).expect("a file");
    let mut trailing = bytes("clip.mp4");
    trailing.extend(b"\0\0\xff\xfffree");
    let mut checksum = bytes("still.png");
    checksum[30] ^= 1;
    let mut cut = bytes("mona.jpg");
    cut.truncate(cut.len() / 2);
    for (name, content) in [("trailing.mp4", trailing), ("checksum.png", checksum), ("cut.jpg", cut)] {
        fs::write(scratch.path(name), content).expect("written");
        let found = verify(&scratch, name, 3);
        assert_eq!(
            (&found["verdict"], &found["manifest"]["status"]),
            (&"unmarked".into(), &"missing".into())
        );
        let said = scratch.run(&format!("verify {name}")).stdout;
        assert!(said.contains("carries no signed statement") && !said.contains("CHANGED"), "{said}");
    }
}

/// Issue 22, line 13.
#[test]
fn a_manifest_beside_a_file_hides_nothing() {
    let scratch = Scratch::new();
    scratch.succeed(&format!("animate mona.jpg {BRIEF} -o clip.mp4"));
    fs::write(scratch.path("clip.c2pa"), "").expect("written");
    let found = verify(&scratch, "clip.mp4", 0);
    assert_eq!(
        (&found["manifest"]["status"], &found["sidecar"]["status"]),
        (&"valid".into(), &"ignored".into())
    );
    fs::write(scratch.path("mona.jpg.c2pa"), "garbage").expect("written");
    let found = verify(&scratch, "mona.jpg", 3);
    assert_eq!(
        (&found["manifest"]["status"], &found["sidecar"]["status"]),
        (&"missing".into(), &"unreadable".into())
    );
    let said = scratch.run("verify mona.jpg").stdout;
    assert!(said.contains("mona.jpg.c2pa beside it is no C2PA manifest, and was ignored."), "{said}");
}

/// Issue 22, line 15.
#[test]
fn frames_in_which_the_mark_cannot_be_read_are_refused() {
    let scratch = Scratch::new();
    let run = scratch.run("animate mona.jpg --crop --size 128 --duration 0.08 -o small.mp4");
    assert_eq!(run.code, Some(2), "{}", run.stderr);
    assert!(
        run.stderr.contains("--size 128: below 256 pixels the invisible watermark cannot be read"),
        "{}",
        run.stderr
    );
    assert!(!scratch.path("small.mp4").exists());
    scratch.succeed("animate mona.jpg --crop --size 128 --duration 0.08 -o small.mp4 --no-provenance");
}

#[test]
#[cfg(unix)]
fn what_is_no_file_is_not_waited_for() {
    let scratch = Scratch::new();
    fs::create_dir(scratch.path("folder")).expect("a folder");
    fs::copy(scratch.path("mona.jpg"), scratch.path("folder/mona.jpg")).expect("a copy");
    let made = Command::new("mkfifo").arg(scratch.path("folder/pipe.mp4")).status();
    if !made.is_ok_and(|status| status.success()) {
        return println!("skipped: mkfifo is absent");
    }
    let error = scratch.run("verify folder/pipe.mp4").only_error(1).to_owned();
    assert!(error.contains("folder/pipe.mp4: is not a file"), "{error}");
    assert_eq!(scratch.run("verify folder").code, Some(3));
    fs::write(scratch.path("empty.mp4"), "").expect("written");
    assert!(scratch.run("verify empty.mp4").only_error(1).contains("the file is empty"));
}

/// Killed at the moment an output appears, the program leaves a signed one: signing comes before the name.
#[test]
fn what_appears_under_its_name_is_signed() {
    let scratch = Scratch::new();
    for output in ["clip.mp4", "frames"] {
        let brief = "--crop --size 256 --duration 0.08";
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
