//! `gioconda train` and `gioconda export`, as a user meets them: from clips to weights, to an avatar that moves, and to a
//! graph for other programs. Whether training learns is for `crates/train` to test; here the networks are tiny.

mod program;

use std::fs;

use program::{BRIEF, Scratch};

/// Tiny networks for four steps, small enough for an unoptimised build.
const CONFIG: &str = r#"
steps = 4
batch = 2
enlarge = 1

[perceptual]
window = 0
networks = []

[losses]
landmarks = 0
identity = 0

[discriminator]
from_step = 2

[output]
checkpoint_every = 2
pictures_every = 4
picture_rows = 2
training_data = "drawings"
licence = "CC0-1.0"

[networks.embedder]
widths = [8, 8, 16, 16, 16]
resolution = 64

[networks.generator]
widths = [8, 8, 16, 16]
embedding = 16
resolution = 64

[networks.discriminator]
widths = [8, 8, 16, 16, 16]
resolution = 64
"#;

/// A folder with prepared clips of two people and a configuration for them.
fn prepared() -> Scratch {
    let scratch = Scratch::new();
    fs::create_dir_all(scratch.path("clips/ann")).expect("a folder");
    scratch.film("clips/ann/one.mp4", 24, 24);
    scratch.film("clips/ben.mp4", 24, 24);
    scratch.succeed("prepare clips data --size 128");
    fs::write(scratch.path("tiny.toml"), CONFIG).expect("written");
    scratch
}

#[test]
fn clips_become_weights_an_avatar_and_a_graph() {
    let scratch = prepared();
    let run = scratch.succeed("train --data data --out run --config tiny.toml");
    assert!(run.stderr.contains("run: step 4, 4 of them"), "{}", run.stderr);
    let log = fs::read_to_string(scratch.path("run/log.jsonl")).expect("a log");
    assert!(log.lines().all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok()), "{log}");
    assert_eq!(scratch.names("run/pictures").len(), 1);
    assert_eq!(scratch.names("run/checkpoints"), ["step-00000002", "step-00000004"]);

    scratch.succeed("learn mona.jpg -o mona.avatar --weights run/weights.safetensors --steps 2");
    scratch.succeed(&format!("animate mona.avatar -o mona.mp4 {BRIEF}"));
    let run = scratch.succeed(
        "animate mona.jpg --weights run/weights.safetensors -o photo.mp4 --crop --size 256 --duration 0.4",
    );
    assert!(run.stderr.contains("photo.mp4"), "{}", run.stderr);
    for clip in ["mona.mp4", "photo.mp4"] {
        assert_eq!(scratch.read(clip).1.len(), 10, "{clip}");
    }
    let run = scratch.succeed("export run/weights.safetensors -o net.onnx");
    assert!(run.stderr.contains("psi is its second input"), "{}", run.stderr);
    let run = scratch.succeed("export run/weights.safetensors -o small.safetensors");
    assert!(run.stderr.contains("16-bit"), "{}", run.stderr);
    scratch.succeed(&format!("animate mona.jpg --weights small.safetensors -o small.mp4 {BRIEF}"));
    scratch.succeed(
        "export run/weights.safetensors --mean-with run/weights.safetensors --mean-with small.safetensors \
         -o mean.safetensors",
    );
    scratch.succeed("export mean.safetensors -o mean-again.safetensors");
    let weights = |name: &str| tensors_of(&scratch, name);
    assert_eq!(weights("mean-again.safetensors"), weights("mean.safetensors"));
    let apart =
        weights("mean.safetensors").iter().zip(weights("small.safetensors")).filter(|(a, b)| *a != b).count();
    assert!(
        apart * 20 < weights("mean.safetensors").len(),
        "the mean of the same is the same but for rounding: {apart}"
    );
    let run = scratch.succeed("export mona.avatar");
    assert!(run.stderr.contains("mona.onnx") && run.stderr.contains("psi baked in"), "{}", run.stderr);
}

fn tensors(scratch: &Scratch, run: &str) -> Vec<u8> {
    tensors_of(scratch, &format!("{run}/weights.safetensors"))
}

/// The weights' bytes without the header, whose entries stand in any order.
fn tensors_of(scratch: &Scratch, file: &str) -> Vec<u8> {
    let file = fs::read(scratch.path(file)).expect("weights");
    let header = u64::from_le_bytes(file[..8].try_into().expect("eight bytes"));
    file[8 + header as usize..].to_vec()
}

#[test]
fn a_stopped_run_goes_on_to_the_same_weights() {
    let scratch = prepared();
    scratch.succeed("train --data data --out whole --config tiny.toml");
    scratch.succeed("train --data data --out halved --config tiny.toml");
    // As after a power cut between the two checkpoints.
    fs::remove_dir_all(scratch.path("halved/checkpoints/step-00000004")).expect("it was there");
    let run = scratch.succeed("train --data data --out halved --resume");
    assert!(run.stderr.contains("step 4, 2 of them"), "{}", run.stderr);
    let [whole, halved] = ["whole", "halved"].map(|run| tensors(&scratch, run));
    assert!(whole == halved, "the resumed run differs");
}

#[test]
fn what_cannot_be_trained_is_refused_in_one_line() {
    let scratch = prepared();
    scratch.succeed("train --data data --out run --config tiny.toml");
    scratch.succeed("learn mona.jpg -o mona.avatar --no-network");
    fs::create_dir(scratch.path("bare")).expect("a folder");
    fs::create_dir(scratch.path("old")).expect("a folder");
    for name in scratch.names("data") {
        let from = scratch.path("data").join(&name);
        if from.is_file() {
            fs::copy(from, scratch.path("old").join(&name)).expect("copied");
        }
    }
    fs::write(scratch.path("file"), "no folder").expect("written");
    let write = |name: &str, text: String| fs::write(scratch.path(name), text).expect("written");
    write("shots.toml", CONFIG.replace("batch = 2", "batch = 2\nshots = 99"));
    write(
        "mute.toml",
        CONFIG.replace("[losses]\n", "[losses]\npixel = 0.0\n").replace("networks = []\n", ""),
    );
    write("word.toml", CONFIG.replace("batch = 2", "batsch = 2"));
    write("huge.toml", CONFIG.replace("batch = 2", "batch = 100000"));
    let cases = [
        ("train --out run2", 2, "needs --data and --out"),
        ("train --data bare --out run2", 1, "bare: holds no prepared data"),
        ("train --data missing --out run2", 1, "missing"),
        ("train --data data --out file", 1, "file"),
        ("train --data data --out run --config tiny.toml", 1, "--resume"),
        ("train --data data --out run2 --resume", 1, "run2"),
        ("train --data data --out run2 --config shots.toml", 1, "shots"),
        ("train --data data --out run2 --config word.toml", 1, "batsch"),
        ("train --data data --out run2 --config huge.toml", 1, "lower `batch`"),
        ("train --data data --out run2 --config missing.toml", 1, "missing.toml"),
        ("train --data data --out run2 --config mute.toml --perceptual none", 1, "nothing to learn from"),
        ("train --data data --out run2 --preset tiny", 1, "portrait"),
        ("train --data data --out run2 --perceptual none --weights missing", 1, "cannot access missing"),
        ("train --data data --out run --resume --weights run/weights.safetensors", 2, "--weights"),
        ("train --data data --out run2 --config tiny.toml --perceptual none --device abacus", 1, "abacus"),
        ("train --data data --out run2 --perceptual vgg16-hed --perceptual-dir bare", 1, "vgg16"),
        ("export tiny.toml", 1, "tiny.toml"),
        ("export mona.avatar", 1, "has no network"),
        ("export mona.avatar -o a.safetensors", 2, "export it as .onnx"),
        ("export missing.safetensors", 1, "missing.safetensors"),
        ("export run/weights.safetensors --mean-with run/weights.safetensors", 2, "OUT.safetensors"),
        (
            "export run/weights.safetensors --mean-with missing.safetensors -o m.safetensors",
            1,
            "missing.safetensors",
        ),
        ("export run/weights.safetensors -o nowhere/net.onnx", 1, "nowhere"),
    ];
    for (arguments, code, told) in cases {
        let run = scratch.run(arguments);
        let error = run.only_error(code);
        assert!(error.contains(told), "gioconda {arguments}\n{error}\ndoes not speak of {told:?}");
        assert!(!scratch.path("run2/weights.safetensors").exists(), "gioconda {arguments}");
    }
    let portrait = concat!(env!("CARGO_MANIFEST_DIR"), "/../../models/portrait.safetensors");
    let run = scratch.run(&format!("export run/weights.safetensors --mean-with {portrait} -o m.safetensors"));
    assert!(run.only_error(1).contains("different sizes"));
}
