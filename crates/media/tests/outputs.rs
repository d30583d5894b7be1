//! What is written can be read back, and nothing is ever half written.

use gioconda_media::{
    ClipReader, ClipWriter, Error, Frame, InputKind, ReadOptions, WriteOptions, resize, sniff,
};
use image::{Rgb, RgbImage, imageops};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn shared(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared").join(path)
}

/// A slow zoom into the Mona Lisa, or into a smooth pattern where the painting is absent.
fn zoom(frames: u32, width: u32, height: u32) -> Vec<RgbImage> {
    let painting = shared("data/portraits/mona_lisa.jpg");
    let picture = if painting.exists() {
        gioconda_media::photo::read(&painting).unwrap().image
    } else {
        println!("skipped: {} is absent, a pattern stands in", painting.display());
        RgbImage::from_fn(743, 1155, |x, y| Rgb([(x / 4) as u8, (y / 6) as u8, ((x + y) / 8) as u8]))
    };
    (0..frames)
        .map(|frame| {
            let crop =
                imageops::crop_imm(&picture, 150 + frame, 80 + frame, 420 - 2 * frame, 420 - 2 * frame);
            resize(&crop.to_image(), width, height)
        })
        .collect()
}

fn write(path: &Path, fps: f64, frames: &[RgbImage]) -> gioconda_media::Written {
    let (width, height) = frames[0].dimensions();
    let mut writer =
        ClipWriter::create(path, &WriteOptions { width, height, fps, sound: None, alpha: false }).unwrap();
    for frame in frames {
        writer.write(frame).unwrap();
    }
    writer.finish().unwrap()
}

fn read(path: &Path, options: &ReadOptions) -> (ClipReader, Vec<Frame>) {
    let mut reader = ClipReader::open(path, options).unwrap();
    let mut frames = Vec::new();
    let mut frame = Frame::default();
    while reader.read(&mut frame).unwrap() {
        frames.push(frame.clone());
    }
    (reader, frames)
}

fn psnr(a: &RgbImage, b: &RgbImage) -> f64 {
    assert_eq!(a.dimensions(), b.dimensions());
    let squares: u64 = a.iter().zip(b.iter()).map(|(a, b)| u64::from(a.abs_diff(*b)).pow(2)).sum();
    10.0 * (255.0f64.powi(2) * a.len() as f64 / squares.max(1) as f64).log10()
}

#[test]
fn every_output_reads_back() {
    let folder = tempfile::tempdir().unwrap();
    let frames = zoom(40, 512, 512);
    let ntsc = 30000.0 / 1001.0;
    let cases = [
        ("a.mp4", 25.0, 38.0),
        ("b.mp4", ntsc, 38.0),
        ("c.webp", 25.0, 36.0),
        ("d.gif", 25.0, 30.0),
        ("e", 25.0, 99.0),
    ];
    for (name, fps, least) in cases {
        let path = folder.path().join(name);
        let written = write(&path, fps, &frames);
        assert_eq!((written.frames, written.warnings.len()), (40, 0), "{name}");
        assert!(written.bytes > 1000, "{name}");
        let (reader, back) = read(&path, &ReadOptions::default());
        assert!((reader.fps() - fps).abs() < 1e-6, "{name}: {} fps", reader.fps());
        assert_eq!(back.len(), 40, "{name}");
        assert_eq!(reader.expected_frames(), Some(40), "{name}");
        let duration = reader.info().duration.as_secs_f64();
        assert!((duration - 40.0 / fps).abs() < 1e-3, "{name}: {duration} s");
        let mean = back.iter().zip(&frames).map(|(b, a)| psnr(a, &b.image)).sum::<f64>() / 40.0;
        println!("{name}: {} bytes, {mean:.1} dB", written.bytes);
        assert!(mean > least, "{name}: {mean:.1} dB");
        for (index, frame) in back.iter().enumerate() {
            assert!((frame.time.as_secs_f64() - index as f64 / fps).abs() < 1e-6, "{name}");
        }
    }
    let kinds = [
        ("a.mp4", InputKind::Clip),
        ("c.webp", InputKind::Clip),
        ("d.gif", InputKind::Clip),
        ("e", InputKind::PictureFolder),
    ];
    for (name, kind) in kinds {
        assert_eq!(sniff(&folder.path().join(name)).unwrap(), kind, "{name}");
    }
    assert_eq!(entries(folder.path()), ["a.mp4", "b.mp4", "c.webp", "d.gif", "e"]);
}

#[test]
fn ranges_and_rates_select_the_right_frames() {
    let folder = tempfile::tempdir().unwrap();
    let frames = zoom(50, 128, 128);
    let second = std::time::Duration::from_secs(1);
    for name in ["clip.mp4", "clip.webp", "clip"] {
        let path = folder.path().join(name);
        write(&path, 25.0, &frames);
        let range =
            ReadOptions { start: second * 3 / 5, duration: Some(second * 4 / 5), ..ReadOptions::default() };
        let (_, part) = read(&path, &range);
        assert_eq!(part.len(), 20, "{name}");
        for (frame, original) in part.iter().zip(&frames[15..]) {
            assert!(psnr(&frame.image, original) > 33.0, "{name} at {:?}", frame.time);
        }
        if name != "clip" {
            let (_, thinned) = read(&path, &ReadOptions { fps: Some(12.5), ..ReadOptions::default() });
            assert_eq!(thinned.len(), 25, "{name}");
            let (_, doubled) = read(&path, &ReadOptions { fps: Some(50.0), ..ReadOptions::default() });
            assert_eq!(doubled.len(), 100, "{name}");
            assert_eq!(doubled[0].image, doubled[1].image, "{name}");
        }
        let beyond = ReadOptions { start: second * 9, ..ReadOptions::default() };
        assert!(matches!(ClipReader::open(&path, &beyond), Err(Error::NoFrames { .. })), "{name}");
    }
}

#[test]
fn odd_sizes_lose_their_last_row_and_column_in_mp4() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("odd.mp4");
    write(&path, 25.0, &zoom(3, 131, 67));
    let (reader, back) = read(&path, &ReadOptions::default());
    assert_eq!((reader.info().width, reader.info().height), (130, 66));
    assert_eq!(back[0].image.dimensions(), (130, 66));
}

#[test]
fn a_dropped_writer_leaves_nothing_and_keeps_the_old_file() {
    let folder = tempfile::tempdir().unwrap();
    let frames = zoom(3, 64, 64);
    fs::write(folder.path().join("kept.mp4"), b"old").unwrap();
    for name in ["kept.mp4", "a.gif", "a.webp", "frames"] {
        let options = WriteOptions { width: 64, height: 64, fps: 25.0, sound: None, alpha: false };
        let mut writer = ClipWriter::create(&folder.path().join(name), &options).unwrap();
        for frame in &frames {
            writer.write(frame).unwrap();
        }
    }
    assert_eq!(entries(folder.path()), ["kept.mp4"]);
    assert_eq!(fs::read(folder.path().join("kept.mp4")).unwrap(), b"old");
}

#[test]
fn outputs_that_cannot_be_are_refused_in_one_line() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("full")).unwrap();
    fs::write(folder.path().join("full/notes.txt"), b"mine").unwrap();
    fs::create_dir(folder.path().join("taken.mp4")).unwrap();
    let cases = [
        ("absent/clip.mp4", 64, 25.0, "create its folder first"),
        ("absent/clip.gif", 64, 25.0, "create its folder first"),
        ("clip.avi", 64, 25.0, "outputs end in .mp4"),
        ("clip.mp4", 4, 25.0, "4x64 pixels"),
        ("clip.mp4", 9000, 25.0, "the limit of mp4"),
        ("clip.mp4", 64, f64::NAN, "frames per second"),
        ("full", 64, 25.0, "not empty"),
        ("taken.mp4", 64, 25.0, "not a regular file"),
    ];
    for (name, width, fps, expected) in cases {
        let options = WriteOptions { width, height: 64, fps, sound: None, alpha: false };
        let message = ClipWriter::create(&folder.path().join(name), &options).err().unwrap().to_string();
        assert!(message.contains(expected) && !message.contains('\n'), "{name}: {message}");
    }
    let options = WriteOptions { width: 64, height: 64, fps: 25.0, sound: None, alpha: false };
    assert!(ClipWriter::create(&folder.path().join("none.mp4"), &options).unwrap().finish().is_err());
    assert_eq!(entries(folder.path()), ["full", "taken.mp4"]);
}

#[test]
fn a_full_disk_is_one_clear_line_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mounted = Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=256k", "tmpfs"])
        .arg(folder.path())
        .output()
        .is_ok_and(|output| output.status.success());
    if !mounted {
        println!("skipped: a small tmpfs cannot be mounted here");
        return;
    }
    let results: Vec<_> =
        ["a.mp4", "a.gif", "a.webp", "a"].map(|name| fill(&folder.path().join(name))).into();
    let left = entries(folder.path());
    Command::new("umount").arg(folder.path()).status().unwrap();
    for result in results {
        let message = result.unwrap_err().to_string();
        assert!(message.contains("free some space") && !message.contains('\n'), "{message}");
    }
    assert!(left.is_empty(), "{left:?}");
}

fn fill(path: &Path) -> Result<(), Error> {
    let mut noise = 1u32;
    let mut writer = ClipWriter::create(
        path,
        &WriteOptions { width: 256, height: 256, fps: 25.0, sound: None, alpha: false },
    )?;
    for _ in 0..40 {
        writer.write(&RgbImage::from_fn(256, 256, |_, _| {
            noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            Rgb([(noise >> 24) as u8, (noise >> 16) as u8, (noise >> 8) as u8])
        }))?;
    }
    writer.finish().map(|_| ())
}

fn entries(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// A signature belongs into a file before anybody can see it: whoever kills the program leaves no unsigned output.
#[test]
fn outputs_are_sealed_before_they_get_their_names() {
    let folder = tempfile::tempdir().unwrap();
    let frames = zoom(2, 64, 64);
    for (name, files) in [("a.mp4", 1), ("a.gif", 1), ("a.webp", 1), ("frames", 2)] {
        let target = folder.path().join(name);
        let begun = || {
            let options = WriteOptions { width: 64, height: 64, fps: 10.0, sound: None, alpha: false };
            let mut writer = ClipWriter::create(&target, &options).unwrap();
            for frame in &frames {
                writer.write(frame).unwrap();
            }
            writer
        };
        let refused = begun().finish_sealed(&mut |_| Err("cannot be signed (no key)".to_owned()));
        let message = refused.unwrap_err().to_string();
        assert!(message.ends_with(&format!("{name}: cannot be signed (no key)")), "{message}");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "{name}: nothing is left");

        let mut sealed = 0;
        // The file is replaced, as signing does.
        let mut seal = |file: &Path| {
            assert!(!target.exists() && fs::metadata(file).unwrap().len() > 0, "{name}");
            let replacement = file.with_file_name("replacement");
            fs::write(&replacement, b"signed").unwrap();
            fs::rename(&replacement, file).unwrap();
            sealed += 1;
            Ok(())
        };
        let written = begun().finish_sealed(&mut seal).unwrap();
        assert_eq!((sealed, written.bytes), (files, 6 * files), "{name}");
        let first = if target.is_dir() { target.join("000001.png") } else { target.clone() };
        assert_eq!(fs::read(first).unwrap(), b"signed");
        if target.is_dir() { fs::remove_dir_all(&target) } else { fs::remove_file(&target) }.unwrap();
    }
}
