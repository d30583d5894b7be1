//! Hostile files, each read in a process of its own that has little memory and little time.
//!
//! The test program starts itself again for every file: the child has little address space, reads the file with every
//! reader that a user's command would call, and prints what came of it.

#![cfg(target_os = "linux")]

mod forge;
mod mutations;

use forge::Film;
use gioconda_media::{Budget, ClipReader, ClipWriter, Error, Frame, ReadOptions, Sound, WriteOptions, photo};
use gioconda_testkit::{baseline_sps, has_ffmpeg, shared};
use image::RgbImage;
use std::fs;
use std::io::Read;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const FILE: &str = "GIOCONDA_HOSTILE_FILE";
/// Address space of the child and of its ffmpeg, kilobytes: far below what these files once asked for.
const ADDRESS_SPACE: u64 = 4 << 20;
/// Resident memory of the child at its peak, megabytes.
const PEAK: u64 = 600;
/// A frame or an error comes within milliseconds; a busy machine may take this long.
const TIME: Duration = Duration::from_secs(20);

/// What came of a file: one line for each reader, and the peak of its memory.
struct Outcome {
    lines: String,
    peak: u64,
    took: Duration,
}

/// This program again, as the child that reads `path`, with limited memory.
fn child(path: &Path) -> Command {
    let mut command = Command::new("/bin/sh");
    command
        .args(["-c", &format!("ulimit -v {ADDRESS_SPACE}; exec \"$0\" \"$@\"")])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "child_process", "--nocapture"])
        .env(FILE, path);
    command
}

/// Has a child read the file at `path`.
fn attack(path: &Path) -> Outcome {
    let began = Instant::now();
    let mut child = child(path).stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        if began.elapsed() > TIME {
            child.kill().unwrap();
            panic!("{}: still not read after {TIME:?}", path.display());
        }
        std::thread::sleep(Duration::from_millis(10));
    };
    let mut said = String::new();
    child.stdout.take().unwrap().read_to_string(&mut said).unwrap();
    assert!(status.success(), "{}: {status}\n{said}", path.display());
    let lines = said.lines().filter(|line| line.contains(": ")).collect::<Vec<_>>().join("\n");
    let peak = said.lines().find_map(|line| line.strip_prefix("peak ")).unwrap().parse().unwrap();
    Outcome { lines, peak, took: began.elapsed() }
}

/// Checks that the file is read or refused in bounds, and that the outcome says `expected`.
fn check(path: &Path, expected: &str) {
    let Outcome { lines, peak, took } = attack(path);
    println!("{}: {peak} MB, {took:.1?}\n{lines}", path.display());
    assert!(lines.contains(expected), "{} should say {expected:?}:\n{lines}", path.display());
    assert!(peak < PEAK, "{}: {peak} MB", path.display());
}

/// The child that [`child`] starts; in a plain test run, where no file is named, it does nothing.
#[test]
fn child_process() {
    let Some(path) = std::env::var_os(FILE).map(PathBuf::from) else { return };
    if path.as_os_str() == "mutations" {
        println!("mutations: {} tried", mutations::run());
    } else {
        for (name, result) in readers(&path) {
            let words = result.unwrap_or_else(|error| error.to_string());
            assert!(!words.contains('\n'), "{words}");
            println!("{name}: {words}");
        }
    }
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    let kilobytes: u64 = peak.trim().trim_end_matches(" kB").parse().unwrap();
    println!("peak {}", kilobytes / 1000);
}

type Result<T> = std::result::Result<T, Error>;

fn readers(path: &Path) -> Vec<(&'static str, Result<String>)> {
    let budget = if path.to_string_lossy().contains("default-budget") {
        Budget::default()
    } else {
        Budget::for_uploads().with_answer_time(Duration::from_secs(5))
    };
    let whole = ReadOptions { budget, ..ReadOptions::default() };
    let late = ReadOptions { start: Duration::from_millis(900), ..whole };
    let mut results = vec![
        ("sniff", gioconda_media::sniff(path).map(|kind| format!("{kind:?}"))),
        ("info", photo::info(path).map(|info| format!("{}x{}", info.width, info.height))),
        ("photo", photo::read_within(path, &budget).map(|photo| format!("{:?}", photo.image.dimensions()))),
        ("clip", count(path, &whole)),
        ("late", count(path, &late)),
    ];
    // Sound is read within the default budget, whose time is long.
    if !path.ends_with("stalled.webm") {
        results.push(("sound", write_with_sound(path)));
    }
    results
}

fn count(path: &Path, options: &ReadOptions) -> Result<String> {
    let mut reader = ClipReader::open(path, options)?;
    let (mut frame, mut frames) = (Frame::default(), 0);
    while reader.read(&mut frame)? {
        frames += 1;
    }
    Ok(format!("{frames} frames of {:?}", frame.image.dimensions()))
}

/// A second of film with the sound of the clip at `path`.
fn write_with_sound(path: &Path) -> Result<String> {
    let folder = tempfile::tempdir().unwrap();
    let sound = Sound { clip: path.into(), start: Duration::ZERO, duration: None, repeat: 1 };
    let options = WriteOptions { width: 64, height: 64, fps: 25.0, sound: Some(sound), alpha: false };
    let mut writer = ClipWriter::create(&folder.path().join("film.mp4"), &options)?;
    for _ in 0..25 {
        writer.write(&RgbImage::new(64, 64))?;
    }
    let bytes = writer.finish()?.bytes;
    assert!(bytes < 10_000_000, "{bytes} bytes of sound for a second");
    Ok(format!("{bytes} bytes"))
}

#[test]
fn files_that_once_killed_the_program_are_refused() {
    let cases = [
        ("nest800.mp4", "clip: "),
        ("nest5000.mp4", "clip: "),
        ("gif_65535_2.gif", "65535x65535 pixels are more than"),
        ("gif_7000_1000.gif", "7000x7000 pixels are more than"),
        ("sps_64k.mp4", "pixels are more than"),
        ("sps_4g.mp4", "clip: "),
    ];
    for (name, expected) in cases {
        if let Some(path) = shared(&format!("cases/hostile/{name}")) {
            check(&path, expected);
        }
    }
}

/// 25 KB that say 1 s and hold a packet at 3000 s.
#[test]
fn what_ffmpeg_delivers_is_bounded() {
    if let Some(path) = shared("cases/hostile/jump_3000.webm").filter(|_| has_ffmpeg()) {
        check(&path, "and says that it lasts 1.0 s");
    }
}

#[test]
fn sample_tables_are_compared_with_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let film = Film::new(30);
    let cases = [
        ("overlap.mp4", film.overlapping(100_000, 1_000_000), "its sample table promises"),
        ("no-time.mp4", film.without_durations(50_000), "its sample table has"),
        ("sound.mp4", film.with_endless_sound(1_000_000, 2_000_000), "its sample table promises"),
        ("silent.mp4", film.with_endless_sound(400_000, 0), "its sample table has"),
        ("counts.mp4", film.with_counts(u32::MAX), "frames, and at most"),
        ("edits.mp4", film.with_edits(&[(u64::MAX, None), (u64::MAX, Some(0))]), "clip: "),
        ("edits2.mp4", film.with_edits(&[(1, Some(u64::MAX >> 1)), (0, None)]), "clip: "),
        ("many-edits.mp4", film.with_edits(&vec![(1, Some(0)); 50_000]), "clip: "),
        ("slow.mp4", film.with_delta(u32::MAX), "lasts"),
    ];
    for (name, bytes, expected) in cases {
        let path = folder.path().join(name);
        fs::write(&path, bytes).unwrap();
        check(&path, expected);
    }
}

#[test]
fn picture_sizes_are_checked_wherever_they_stand() {
    let folder = tempfile::tempdir().unwrap();
    let film = Film::new(30);
    let vast = baseline_sps(1, (4096, 4096), Some([0, 32_736, 0, 32_736]));
    let hidden = [&[0x06, 5, 0, 0, 1][..], &vast].concat();
    let wide = baseline_sps(1, (4_000_000, 1), None);
    let hoard = baseline_sps(16, (256, 144), None);
    let expected = "pixels are more than";
    let cases = [
        ("first.mp4", film.with_parameters(&[&vast], &[]), expected),
        ("second.mp4", film.with_parameters(&[film.sps(), &vast], &[film.pps()]), expected),
        ("among-pps.mp4", film.with_parameters(&[film.sps()], &[&vast, film.pps()]), expected),
        ("in-stream.mp4", film.with_unit_at(7, &vast), expected),
        ("start-code.mp4", film.with_unit_at(7, &hidden), expected),
        ("wide.mp4", film.with_unit_at(7, &wide), expected),
        ("hoard.mp4", film.with_unit_at(7, &hoard), "clip: "),
        ("many.mp4", film.with_parameters(&[film.sps(); 31], &[film.pps(); 255]), "clip: 30 frames"),
        // One more size that is within bounds changes nothing of the output's.
        ("other.mp4", film.with_unit_at(7, &baseline_sps(1, (20, 20), None)), "clip: "),
    ];
    for (name, bytes, expected) in cases {
        let path = folder.path().join(name);
        fs::write(&path, bytes).unwrap();
        check(&path, expected);
    }
}

#[test]
fn units_whose_lengths_lie_are_read_or_refused() {
    let folder = tempfile::tempdir().unwrap();
    let film = Film::new(30);
    for (name, length) in [("long", u32::MAX), ("short", 1), ("zero", 0)] {
        let path = folder.path().join(name).with_extension("mp4");
        fs::write(&path, film.with_lying_length(7, length)).unwrap();
        check(&path, "clip: ");
    }
}

/// A seek once read every sample of a table backwards.
#[test]
fn a_seek_reads_little() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("no-idr.mp4");
    fs::write(&path, Film::new(30).with_units_that_are_no_idr(200_000)).unwrap();
    check(&path, "late: ");
}

#[test]
fn pipes_devices_and_endless_files_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("pipe.jpg");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    check(&pipe, "is not a regular file");
    let device = folder.path().join("zero.png");
    symlink("/dev/zero", &device).unwrap();
    check(&device, "is not a regular file");
    let heads: [(&str, &[u8]); 4] = [
        ("sparse.jpg", b"\xff\xd8\xff\xe0"),
        ("sparse.gif", b"GIF89a\x40\0\x40\0\0\0\0\x21\xff\x0bNETSCAPE2.0"),
        ("sparse.webp", b"RIFF\xf0\xff\xff\xffWEBPVP8X\x0a\0\0\0\x02\0\0\0\x40\0\0\x40\0\0"),
        ("sparse.tif", b"II*\0\x08\0\0\0"),
    ];
    for (name, head) in heads {
        let path = folder.path().join(name);
        fs::write(&path, head).unwrap();
        fs::File::options().write(true).open(&path).unwrap().set_len(100 << 30).unwrap();
        check(&path, "photo: ");
    }
    // What is no picture in a folder is passed over.
    RgbImage::new(64, 64).save(folder.path().join("a.png")).unwrap();
    check(folder.path(), "clip: ");
}

/// A damaged animation once was cut at its first bad frame without a word.
#[test]
fn damaged_animations_are_whole_or_refused() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["film.gif", "film.webp"] {
        let path = folder.path().join(name);
        let options = WriteOptions { width: 96, height: 80, fps: 10.0, sound: None, alpha: false };
        let mut writer = ClipWriter::create(&path, &options).unwrap();
        for frame in 0..8u8 {
            writer
                .write(&RgbImage::from_fn(96, 80, |x, y| image::Rgb([x as u8 * 2, y as u8 * 3, frame * 30])))
                .unwrap();
        }
        writer.finish().unwrap();
        let whole = fs::read(&path).unwrap();
        let frames = |bytes: &[u8]| {
            fs::write(&path, bytes).unwrap();
            count(&path, &ReadOptions::default())
        };
        let complete = frames(&whole).unwrap();
        assert!(complete.starts_with("8 frames"), "{complete}");
        let mut cuts_told = 0;
        for cut in (whole.len() / 4..whole.len() - 2).step_by(97) {
            match frames(&whole[..cut]) {
                Ok(read) => assert!(read.starts_with("8 frames"), "{name} cut at {cut}: {read}"),
                Err(error) => {
                    let message = error.to_string();
                    assert!(message.contains("frame ") && message.contains(" s) "), "{message}");
                    cuts_told += 1;
                }
            }
        }
        assert!(cuts_told > 10, "{name}");
        for at in (whole.len() / 3..whole.len()).step_by(61) {
            let mut bytes = whole.clone();
            bytes[at] ^= 0xa5;
            if let Ok(read) = frames(&bytes) {
                assert!(read.starts_with("8 frames"), "{name} changed at {at}: {read}");
            }
        }
    }
}

/// The file itself is fine; the programs are not.
#[test]
fn a_stalled_ffprobe_is_ended() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    for program in ["ffmpeg", "ffprobe"] {
        let path = folder.path().join(program);
        fs::write(&path, "#!/bin/sh\nPATH=/usr/bin:/bin\nsleep 100\n").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let clip = folder.path().join("stalled.webm");
    fs::write(&clip, b"\x1a\x45\xdf\xa3\x9f\x42\x86\x81\x01\x42\x82\x84webm").unwrap();
    let said = child(&clip).env("PATH", folder.path()).output().unwrap();
    let said = String::from_utf8_lossy(&said.stdout);
    assert!(said.contains("gave no answer within 5 s"), "{said}");
}

/// Thousands of small changes to small files, with the functions that the fuzz targets call.
#[test]
fn changed_seeds_are_read_or_refused() {
    let Outcome { lines, peak, .. } = attack(Path::new("mutations"));
    println!("{lines}, {peak} MB");
    assert!(lines.contains("mutations: ") && peak < PEAK, "{lines}: {peak} MB");
}
