//! The real program, run in a folder of its own with a photo and driving clips to try it on.

#![allow(dead_code, reason = "each test file uses its own part")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use gioconda_media::{ClipInfo, ClipReader, ClipWriter, ReadOptions, WriteOptions, photo, save_png};
use image::RgbImage;
use image::imageops::{crop_imm, replace};
use tempfile::TempDir;

/// Small and short, so that a case takes a second in an unoptimised build.
pub(crate) const BRIEF: &str = "--crop --size 256 --duration 0.4";

/// Side and rate of the clips made here.
const CLIP_SIDE: u32 = 256;
const CLIP_FPS: f64 = 25.0;

/// A folder that holds `mona.jpg` and goes away with this.
pub(crate) struct Scratch {
    folder: TempDir,
    /// Where the program makes its keys: not in the home of whoever runs the tests.
    config: TempDir,
}

/// What the program said, and how it ended.
pub(crate) struct Run {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Scratch {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        fs::copy(workspace("assets/mona_lisa.jpg"), folder.path().join("mona.jpg")).expect("the Mona Lisa");
        Self { folder, config: tempfile::tempdir().expect("a temporary folder") }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The program with the words of `arguments`, to be run in this folder.
    pub(crate) fn command(&self, arguments: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_gioconda"));
        command.current_dir(self.folder.path()).args(arguments.split_whitespace()).stdin(Stdio::null());
        command.env("XDG_CONFIG_HOME", self.config.path());
        command
    }

    /// Runs the program to its end.
    pub(crate) fn run(&self, arguments: &str) -> Run {
        Run::new(self.command(arguments).output().expect("the program starts"))
    }

    /// Runs the program, which must succeed.
    pub(crate) fn succeed(&self, arguments: &str) -> Run {
        let run = self.run(arguments);
        assert_eq!(run.code, Some(0), "gioconda {arguments}\n{}", run.stderr);
        run
    }

    pub(crate) fn start(&self, arguments: &str) -> Child {
        let mut command = self.command(arguments);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program starts")
    }

    /// Everything in the folder `inside`, hidden files too, sorted.
    pub(crate) fn names(&self, inside: &str) -> Vec<String> {
        let entries = fs::read_dir(self.path(inside)).expect("a folder");
        let name = |entry: std::io::Result<fs::DirEntry>| entry.expect("an entry").file_name();
        let mut names: Vec<String> = entries.map(|e| name(e).to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    /// What the clip `name` holds, and its pictures.
    pub(crate) fn read(&self, name: &str) -> (ClipInfo, Vec<RgbImage>) {
        let mut reader = ClipReader::open(&self.path(name), &ReadOptions::default()).expect("a clip");
        let (info, mut frames) = (reader.info().clone(), Vec::new());
        let mut frame = gioconda_media::Frame::default();
        while reader.read(&mut frame).expect("a frame") {
            frames.push(frame.image.clone());
        }
        (info, frames)
    }

    pub(crate) fn save(&self, name: &str, picture: &RgbImage) {
        save_png(&self.path(name), picture).expect("a picture is written");
    }

    /// Writes a clip of `frames` frames: its head sways from side to side, and is gone from frame `until` on.
    pub(crate) fn film(&self, name: &str, frames: u32, until: u32) {
        let photo = self.photo();
        let options =
            WriteOptions { width: CLIP_SIDE, height: CLIP_SIDE, fps: CLIP_FPS, sound: None, alpha: false };
        let mut writer = ClipWriter::create(&self.path(name), &options).expect("a clip is begun");
        for frame in 0..frames {
            let sway = (f64::from(frame) * 0.4).sin() * 20.0;
            let head = crop_imm(&photo, (160.0 + sway) as u32, 90, 420, 420).to_image();
            let picture = if frame < until {
                gioconda_media::resize(&head, CLIP_SIDE, CLIP_SIDE)
            } else {
                landscape(CLIP_SIDE, CLIP_SIDE)
            };
            writer.write(&picture).expect("a frame is written");
        }
        writer.finish().expect("the clip is finished");
    }

    /// Writes `two.png`: the same woman twice, equally large.
    pub(crate) fn paint_two_faces(&self) {
        let photo = self.photo();
        let mut two = RgbImage::new(2 * photo.width(), photo.height());
        replace(&mut two, &photo, 0, 0);
        replace(&mut two, &photo, i64::from(photo.width()), 0);
        self.save("two.png", &two);
    }

    pub(crate) fn photo(&self) -> RgbImage {
        photo::read(&self.path("mona.jpg")).expect("the Mona Lisa").image
    }
}

impl Run {
    pub(crate) fn new(output: Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("the program speaks UTF-8");
        Self { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
    }

    /// The lines on standard error that report errors.
    pub(crate) fn errors(&self) -> Vec<&str> {
        self.stderr.lines().filter(|line| line.starts_with("error:")).collect()
    }

    /// The one error of a run that failed in an orderly way with `code`.
    pub(crate) fn only_error(&self, code: i32) -> &str {
        assert_eq!(self.code, Some(code), "{}", self.stderr);
        for word in ["panicked", "RUST_BACKTRACE", "unwrap"] {
            assert!(!self.stderr.contains(word), "{}", self.stderr);
        }
        let [error] = self.errors()[..] else { panic!("not one error line:\n{}", self.stderr) };
        error
    }
}

/// Sky above hills: no face in it.
pub(crate) fn landscape(width: u32, height: u32) -> RgbImage {
    RgbImage::from_fn(width, height, |x, y| {
        let hill = height / 2 + ((f64::from(x) * 0.03).sin() * 20.0) as u32;
        image::Rgb(if y < hill { [120, 170, 220] } else { [60, 110 + (y % 40) as u8, 50] })
    })
}

/// A path from the repository's root.
pub(crate) fn workspace(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path)
}

/// A file of the data beside the repository; `None`, and a line that says so, where it is absent.
pub(crate) fn shared(path: &str) -> Option<PathBuf> {
    let file = workspace("../shared").join(path);
    if !file.exists() {
        println!("skipped: {} is absent", file.display());
        return None;
    }
    Some(file.canonicalize().expect("it exists"))
}
