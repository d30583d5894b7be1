//! Untrusted files and names, and commands that name one file twice: one line of the program's own, exit
//! codes as they should be, inputs untouched.

mod program;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use gioconda_avatar::{Motion, MotionFrame};
use gioconda_media::is_unprintable;
use program::{BRIEF, Run, Scratch, shared};

/// A title that recolours the terminal, renames its window and forges a line of `inspect`.
const TITLE: &str = "nice\u{1b}[31mRED\u{1b}[0m\u{1b}]0;pwned\u{7}\nother.jpg: jpeg photo, 1 x 1 pixels, 9 faces\u{202e}\u{200b}";
/// How it is to be shown.
const SHOWN: &str = "nice\\u{1b}[31mRED\\u{1b}[0m\\u{1b}]0;pwned\\u{7}\\nother.jpg: jpeg photo";
/// A name that does the same.
const NAME: &str = "a\u{1b}[31m\nforged.jpg: a line\u{202e}\u{9b}.jpg";

/// Every file of the folder and its content, folders below included.
fn contents(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut contents = BTreeMap::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            contents.insert(path.display().to_string(), Vec::new());
            contents.extend(self::contents(&path));
        } else {
            contents.insert(path.display().to_string(), fs::read(&path).unwrap_or_default());
        }
    }
    contents
}

#[test]
fn inputs_are_never_outputs() {
    let scratch = Scratch::new();
    scratch.film("nod.mp4", 4, 4);
    for folder in ["frames", "family", "clips/ann", "data", "run", "out", "gallery"] {
        fs::create_dir_all(scratch.path(folder)).expect("a folder");
    }
    for (from, to) in [
        ("nod.mp4", "clips/ann/1.mp4"),
        ("nod.mp4", "clip.motion"),
        ("mona.jpg", "mona.avatar"),
        ("mona.jpg", "photo.webp"),
        ("mona.jpg", "photo"),
        ("mona.jpg", "frames/1.jpg"),
        ("mona.jpg", "frames/2.gif"),
        ("mona.jpg", "family/a.jpg"),
        ("mona.jpg", "family/b.jpg"),
    ] {
        fs::copy(scratch.path(from), scratch.path(to)).expect("a copy");
    }
    for name in [
        "w.safetensors",
        "w.onnx",
        "v.safetensors",
        "w.avatar",
        "w.mp4",
        "c.mp4",
        "k.mp4",
        "run/weights.safetensors",
        "run/config.toml",
        "out/report.json",
        "data/part-0001-of-0001.jsonl",
    ] {
        fs::write(scratch.path(name), name).expect("a file");
    }
    let mut cases = vec![
        "export w.safetensors -o w.safetensors",
        "export w.onnx",
        "export w.safetensors --mean-with v.safetensors -o v.safetensors",
        "export w.safetensors --mean-with v.safetensors -o ./frames/../v.safetensors",
        "record clip.motion",
        "record clip.motion -o clip.motion",
        "learn mona.avatar",
        "learn mona.jpg mona.avatar -o mona.avatar --no-network",
        "learn mona.jpg --weights w.avatar -o w.avatar",
        "animate mona.jpg -d nod.mp4 -o nod.mp4",
        "animate photo.webp -o photo.webp",
        "animate photo -o photo",
        "animate mona.jpg --weights w.mp4 -o w.mp4",
        "animate mona.jpg --sign-cert c.mp4 --sign-key k.mp4 -o k.mp4",
        "animate mona.jpg --sign-cert c.mp4 --sign-key k.mp4 -o c.mp4",
        "animate mona.jpg -d frames -o frames",
        "animate mona.jpg -d frames -o frames/new",
        "animate mona.jpg -d frames -o frames/new/deep",
        "animate mona.jpg -d frames -o frames/2.gif",
        "animate family --format png -o family",
        "animate mona.jpg photo.webp -d frames --format png -o frames/new",
        "prepare clips clips",
        "prepare clips clips/prepared",
        "train --data data --out data",
        "train --data data --out data/run",
        "train --data data --out run --weights run/weights.safetensors",
        "train --data data --out run --config run/config.toml",
        "eval clips --out clips",
        "eval clips --out clips/report",
        "eval clips --weights out/report.json --out out",
        "studio --no-open --listen 127.0.0.1:0 --gallery gallery --avatars gallery",
    ];
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink(scratch.path("nod.mp4"), scratch.path("soft.motion")).expect("a link");
        fs::hard_link(scratch.path("nod.mp4"), scratch.path("hard.motion")).expect("a link");
        fs::hard_link(scratch.path("nod.mp4"), scratch.path("hard.mp4")).expect("a link");
        std::os::unix::fs::symlink(scratch.path("frames"), scratch.path("soft")).expect("a link");
        cases.extend([
            "record nod.mp4 -o soft.motion",
            "record nod.mp4 -o hard.motion",
            "animate mona.jpg -d nod.mp4 -o hard.mp4",
            "animate mona.jpg -d frames -o soft/new",
        ]);
    }
    let before = contents(&scratch.path(""));
    for arguments in cases {
        let run = scratch.run(arguments);
        let error = run.only_error(2);
        let told = ["would overwrite the input", "lies in the input folder"];
        assert!(told.iter().any(|told| error.contains(told)), "gioconda {arguments}\n{error}");
        assert!(error.contains("name another output"), "{error}");
        assert_eq!(contents(&scratch.path("")), before, "gioconda {arguments}");
    }
    for (arguments, told) in [
        ("export w.safetensors -o mona.jpg", "ends in .onnx or .safetensors"),
        ("animate mona.jpg -o mona.jpg", "ends in .mp4, .gif, .webp"),
        ("record nod.mp4 -o nod.mp4", "ends in .motion"),
        ("learn mona.jpg -o mona.jpg", "ends in .avatar"),
    ] {
        let run = scratch.run(arguments);
        assert!(run.only_error(2).contains(told), "{}", run.stderr);
        assert_eq!(contents(&scratch.path("")), before, "gioconda {arguments}");
    }
}

/// Runs the program, whose last arguments are `names`.
fn run_on(scratch: &Scratch, arguments: &str, names: &[&str]) -> Run {
    Run::new(scratch.command(arguments).args(names).output().expect("the program starts"))
}

/// Nothing that a terminal obeys reached it, and no line was forged.
fn plain(run: &Run) {
    for text in [&run.stdout, &run.stderr] {
        assert!(!text.chars().any(|c| c != '\n' && is_unprintable(c)), "{text:?}");
        assert!(
            !text.lines().any(|line| line.starts_with("other.jpg") || line.starts_with("forged")),
            "{text}"
        );
    }
}

#[test]
fn titles_from_files_stay_on_their_line() {
    let scratch = Scratch::new();
    let mut motion = Motion::new(TITLE, 25.0);
    (0..10).for_each(|_| motion.push(&MotionFrame::rest()));
    motion.write(&scratch.path("esc.motion")).expect("written");
    let run = scratch.succeed("inspect esc.motion");
    plain(&run);
    assert!(run.stdout.contains(SHOWN) && run.stdout.lines().count() == 1, "{}", run.stdout);
    let run = scratch.succeed("inspect --json esc.motion");
    plain(&run);
    let json: serde_json::Value = serde_json::from_str(&run.stdout).expect("JSON");
    assert_eq!(json[0]["title"], TITLE, "JSON says what the file says");
    plain(&scratch.succeed(&format!("animate mona.jpg -d esc.motion -o out.mp4 -v {BRIEF}")));
    for case in ["esc.motion", "forge.jpg"] {
        let Some(file) = shared(&format!("cases/hostile/{case}")) else { continue };
        let file = file.to_str().expect("its name is Unicode");
        for command in ["inspect", "inspect --json", "verify", "verify --json"] {
            plain(&run_on(&scratch, command, &[file]));
        }
    }
}

#[cfg(unix)]
#[test]
fn names_of_files_stay_on_their_line() {
    let scratch = Scratch::new();
    fs::copy(scratch.path("mona.jpg"), scratch.path(NAME)).expect("a copy");
    fs::write(scratch.path(&format!("{NAME}.safetensors")), "no weights").expect("a file");
    let missing = format!("missing{NAME}");
    let weights = format!("{NAME}.safetensors");
    let cases: [(&str, &[&str], i32); 12] = [
        ("inspect", &[NAME], 0),
        ("inspect --json", &[NAME], 0),
        ("inspect", &[&missing], 1),
        ("verify", &[NAME], 3),
        ("verify --json", &[NAME], 3),
        ("verify", &[&missing], 1),
        ("animate -v", &[NAME, "-o", "out.mp4", "--crop", "--size", "256", "--duration", "0.2"], 0),
        ("animate", &[&missing, "-o", "out.mp4"], 1),
        ("animate mona.jpg", &["--weights", &weights], 1),
        ("animate mona.jpg", &["-o", NAME], 2),
        ("learn --no-network", &[NAME, "-o", "out.avatar"], 0),
        ("export", &[&weights], 1),
    ];
    for (arguments, names, code) in cases {
        let run = run_on(&scratch, arguments, names);
        assert_eq!(run.code, Some(code), "{arguments} {names:?}\n{}{}", run.stdout, run.stderr);
        plain(&run);
    }
    // Complaints about arguments quote them.
    for names in [[NAME, "--nonsense"], ["--size", NAME], [&format!("--{NAME}"), "x"]] {
        let run = run_on(&scratch, "animate", &names);
        assert_eq!(run.code, Some(2), "{}", run.stderr);
        plain(&run);
    }
}

#[test]
fn avatars_that_are_strips_or_bombs() {
    let scratch = Scratch::new();
    let Some(strip) = shared("cases/hostile/p_strip.avatar") else { return };
    fs::copy(strip, scratch.path("p_strip.avatar")).expect("a copy");
    for options in ["--crop", "", "--crop --size 256", "--renderer mesh"] {
        let run = scratch.run(&format!("animate p_strip.avatar -o out.mp4 --duration 0.2 {options}"));
        let error = run.only_error(1);
        assert!(error.contains("p_strip.avatar") && error.contains("1x2000000"), "{error}");
    }
}

#[test]
fn weights_and_configurations_that_cannot_be() {
    let scratch = Scratch::new();
    let header = |json: &str| [&(json.len() as u64).to_le_bytes(), json.as_bytes()].concat();
    for (name, bytes) in [
        ("empty.safetensors", Vec::new()),
        ("long.safetensors", [&[0xff; 8][..], b"{}"].concat()),
        ("none.safetensors", header("{}")),
        ("deep.safetensors", header(&"[".repeat(100_000))),
        (
            "huge.safetensors",
            header(r#"{"a":{"dtype":"F32","shape":[4294967295,4294967295],"data_offsets":[0,4]}}"#),
        ),
    ] {
        fs::write(scratch.path(name), bytes).expect("a file");
        for command in [
            format!("animate mona.jpg --weights {name} -o out.mp4"),
            format!("learn mona.jpg --weights {name} -o out.avatar"),
            format!("export {name} -o out.onnx"),
            format!("export {name} -o out.safetensors"),
        ] {
            let run = scratch.run(&command);
            let error = run.only_error(1);
            assert!(error.contains(name) && error.contains("not a usable weight file"), "{error}");
            assert_eq!(run.stderr.lines().count(), 1, "{}", run.stderr);
        }
    }
    for (text, told) in [
        ("steps = 9223372036854775807", "`steps` must be at most"),
        ("batch = 999999999999", "`batch` must be at most"),
        ("[losses]\npixel = nan", "`losses.pixel` must be a number"),
        ("[networks.generator]\nwidths = [1000000000, 1]", "widths must be at most"),
        ("seed 7", "TOML parse error at line 1"),
        ("a = ", "TOML parse error at line 1"),
    ] {
        fs::write(scratch.path("my.toml"), text).expect("a file");
        let run = scratch.run("train --config my.toml --print-config");
        let error = run.only_error(1);
        assert!(error.contains("my.toml") && error.contains(told), "{error}");
        assert_eq!(run.stderr.lines().count(), 1, "{}", run.stderr);
    }
}

#[test]
fn reports_that_nobody_wrote() {
    let scratch = Scratch::new();
    let report = |value: &str, name: &str| {
        format!(
            r#"{{"format":1,"program":{{"version":"1","sha256":""}},"request":{{"data":"d","renderer":"mesh",
            "weights":null,"frames":null,"side":256,"seed":1}},"instruments":[],"protocols":[{{"protocol":"self",
            "judged":"mesh","rows":[],"cases":[{{"name":"{name}","frames":1,"lost":0,"rows":[{{"name":"mesh",
            "values":{{"psnr":{value}}}}}]}}],"skipped":[]}}],"speed":null}}"#
        )
    };
    fs::write(scratch.path("a.json"), report("20", "x\\n| forged |\\u001b[31m")).expect("a file");
    let run = scratch.succeed("eval --compare a.json a.json");
    plain(&run);
    assert!(run.stdout.contains("x\\n| forged |\\u{1b}[31m"), "{}", run.stdout);
    plain(&scratch.succeed("eval --compare a.json a.json --json"));
    for (text, told) in [
        (report("1e300", "x"), "out of range"),
        (report("1e999", "x"), "is no report"),
        (report("NaN", "x"), "is no report"),
        ("[".repeat(100_000), "is no report"),
        (String::new(), "is no report"),
        (report("20", "x").replace("\"frames\":1", "\"frames\":18446744073709551615"), "number of frames"),
    ] {
        fs::write(scratch.path("b.json"), text).expect("a file");
        let run = scratch.run("eval --compare a.json b.json");
        let error = run.only_error(1);
        assert!(error.contains("b.json") && error.contains(told), "{error}");
        assert_eq!(run.stderr.lines().count(), 1, "{}", run.stderr);
    }
}

#[test]
fn nothing_prints_beside_the_one_place() {
    // `main.rs` has clippy refuse it, which a plain test run does not see.
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let found =
        Command::new("grep").args(["-rnE", r"\be?println?!|\beprint!|\bprint!\("]).arg(&sources).output();
    let Ok(found) = found else {
        println!("skipped: there is no grep");
        return;
    };
    let found = String::from_utf8(found.stdout).expect("source text");
    let elsewhere: Vec<_> = found.lines().filter(|line| !line.contains("src/report.rs:")).collect();
    assert!(elsewhere.is_empty(), "{elsewhere:#?}");
}
