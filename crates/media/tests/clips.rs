//! Real clips, clips made by ffmpeg, and files that are none.

use gioconda_media::{ClipReader, ClipWriter, Error, Frame, ReadOptions, Sound, WriteOptions};
use gioconda_testkit::has_ffmpeg;
use image::RgbImage;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// Real clips are many; these many of them are decoded whole.
const CLIPS: usize = 8;

fn shared(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared").join(path)
}

/// The validation clips with their number of frames, from the manifest.
fn validation_clips() -> Vec<(PathBuf, u64)> {
    let manifest = shared("data/manifest.json");
    let Ok(text) = fs::read_to_string(&manifest) else {
        println!("skipped: {} is absent", manifest.display());
        return Vec::new();
    };
    let rows: Vec<serde_json::Value> = serde_json::from_str(&text).unwrap();
    let of_validation = rows.iter().filter(|row| row["split"] == "val");
    of_validation
        .map(|row| {
            let file = row["file"].as_str().unwrap();
            (shared("data").join(file), row["frames"].as_u64().unwrap())
        })
        .collect()
}

/// Runs ffmpeg with space-separated arguments; `None` when this ffmpeg cannot do it.
fn ffmpeg(arguments: &str, output: &Path) -> Option<()> {
    let status = Command::new("ffmpeg")
        .args(["-v", "error", "-nostdin", "-y"])
        .args(arguments.split(' '))
        .arg(output)
        .output()
        .unwrap();
    if !status.status.success() {
        println!("skipped: ffmpeg {arguments}: {}", String::from_utf8_lossy(&status.stderr));
    }
    status.status.success().then_some(())
}

fn read_all(path: &Path, options: &ReadOptions) -> Result<(ClipReader, Vec<RgbImage>), Error> {
    let mut reader = ClipReader::open(path, options)?;
    let mut frames = Vec::new();
    let mut frame = Frame::default();
    while reader.read(&mut frame)? {
        frames.push(frame.image.clone());
    }
    Ok((reader, frames))
}

fn mean_difference(a: &RgbImage, b: &RgbImage) -> f64 {
    assert_eq!(a.dimensions(), b.dimensions());
    a.iter().zip(b.iter()).map(|(a, b)| f64::from(a.abs_diff(*b))).sum::<f64>() / a.len() as f64
}

/// RGB by the BT.601 limited-range formula, each chroma sample standing for its four pixels.
fn from_bt601(planes: &[u8], width: u32, height: u32) -> RgbImage {
    let (luma, chroma) = planes.split_at((width * height) as usize);
    let (cb, cr) = chroma.split_at(chroma.len() / 2);
    RgbImage::from_fn(width, height, |x, y| {
        let at = ((y / 2) * (width / 2) + x / 2) as usize;
        let light = (f64::from(luma[(y * width + x) as usize]) - 16.0) * 255.0 / 219.0;
        let (u, v) =
            ((f64::from(cb[at]) - 128.0) * 255.0 / 224.0, (f64::from(cr[at]) - 128.0) * 255.0 / 224.0);
        let (r, b) = (light + 1.402 * v, light + 1.772 * u);
        let g = (light - 0.299 * r - 0.114 * b) / 0.587;
        image::Rgb([r, g, b].map(|sample| sample.round().clamp(0.0, 255.0) as u8))
    })
}

#[test]
fn real_clips_decode_whole() {
    for (path, frames) in validation_clips().into_iter().take(CLIPS) {
        let mut reader = ClipReader::open(&path, &ReadOptions::default()).unwrap();
        assert_eq!(reader.info().decoder, "openh264", "{}", path.display());
        let mut frame = Frame::default();
        let mut count = 0u64;
        while reader.read(&mut frame).unwrap() {
            count += 1;
        }
        assert!(count.abs_diff(frames) <= 1, "{}: {count} frames for {frames}", path.display());
        assert_eq!(reader.expected_frames(), Some(count), "{}", path.display());
    }
}

#[test]
fn the_built_in_decoder_agrees_with_ffmpeg() {
    let Some((path, _)) = validation_clips().into_iter().next() else { return };
    if !has_ffmpeg() {
        return;
    }
    let (reader, frames) = read_all(&path, &ReadOptions::default()).unwrap();
    let (width, height) = frames[0].dimensions();
    // The planes are compared by the formula: swscale's own RGB is darker by one or two levels.
    let raw = Command::new("ffmpeg")
        .args(["-v", "error", "-nostdin", "-i"])
        .arg(&path)
        .args(["-f", "rawvideo", "-pix_fmt", "yuv420p", "-"])
        .output()
        .unwrap()
        .stdout;
    let theirs: Vec<_> = raw.chunks_exact((width * height * 3 / 2) as usize).collect();
    assert_eq!(frames.len(), theirs.len(), "{}", reader.info().codec);
    for (index, (ours, theirs)) in frames.iter().zip(theirs).enumerate() {
        let difference = mean_difference(ours, &from_bt601(theirs, width, height));
        assert!(difference < 0.6, "frame {index}: {difference:.2}");
    }
}

#[test]
fn clips_of_every_kind_keep_their_frames() {
    if !has_ffmpeg() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let source = "-f lavfi -i testsrc2=size=192x128:rate=25:duration=2";
    let cases = [
        ("b-frames.mp4", "-c:v libx264 -bf 3 -b_strategy 0 -pix_fmt yuv420p", "openh264", 50, (192, 128)),
        (
            "open-gop.mp4",
            "-c:v libx264 -bf 2 -g 10 -x264opts open-gop=1 -pix_fmt yuv420p",
            "openh264",
            50,
            (192, 128),
        ),
        ("wide.mov", "-vf setsar=4/3 -c:v libx264 -pix_fmt yuv420p", "openh264", 50, (256, 128)),
        ("422.mp4", "-c:v libx264 -pix_fmt yuv422p", "ffmpeg", 50, (192, 128)),
        ("ten.mp4", "-c:v libx264 -pix_fmt yuv420p10le", "ffmpeg", 50, (192, 128)),
        (
            "fragments.mp4",
            "-c:v libx264 -pix_fmt yuv420p -movflags frag_keyframe+empty_moov",
            "ffmpeg",
            50,
            (192, 128),
        ),
        ("hevc.mp4", "-c:v libx265 -x265-params log-level=none -pix_fmt yuv420p", "ffmpeg", 50, (192, 128)),
        ("vp9.webm", "-c:v libvpx-vp9 -deadline realtime -pix_fmt yuv420p", "ffmpeg", 50, (192, 128)),
        ("ffv1.mkv", "-c:v ffv1 -pix_fmt yuv420p", "ffmpeg", 50, (192, 128)),
        ("mpeg4.avi", "-c:v mpeg4 -q:v 2", "ffmpeg", 50, (192, 128)),
        ("mpeg2.mpg", "-c:v mpeg2video -q:v 2", "ffmpeg", 50, (192, 128)),
    ];
    for (name, codec, decoder, frames, size) in cases {
        let path = folder.path().join(name);
        if ffmpeg(&format!("{source} {codec}"), &path).is_none() {
            continue;
        }
        let (reader, read) = read_all(&path, &ReadOptions::default()).unwrap();
        let info = reader.info();
        assert_eq!(info.decoder, decoder, "{name}");
        assert_eq!((info.width, info.height), size, "{name}");
        assert!(read.len().abs_diff(frames) <= 1, "{name}: {} frames", read.len());
        assert!((reader.fps() - 25.0).abs() < 1e-6 && !info.variable_rate, "{name}: {} fps", reader.fps());
        let late = ReadOptions { start: Duration::from_millis(1480), ..ReadOptions::default() };
        let (_, tail) = read_all(&path, &late).unwrap();
        assert!(tail.len().abs_diff(13) <= 1, "{name}: {} frames from 1.48 s", tail.len());
        let difference = mean_difference(&tail[0], &read[37]);
        assert!(difference < 4.0, "{name}: the start is off, {difference:.1}");
    }
}

/// What a browser records: frames at uneven times in a `WebM` that says nothing of their rate nor of its length.
#[test]
fn a_rate_that_nothing_tells_is_measured() {
    if !has_ffmpeg() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("recorded.webm");
    let uneven =
        "-f lavfi -i testsrc2=size=64x64:rate=25:duration=2 -vf settb=1/1000,setpts='N*33+mod(N*7919,31)'";
    let as_they_come = "-fps_mode passthrough -enc_time_base 1/1000 -c:v libvpx -pix_fmt yuv420p -live 1";
    if ffmpeg(&format!("{uneven} {as_they_come}"), &path).is_none() {
        return;
    }
    let mut bytes = fs::read(&path).unwrap();
    // ffmpeg always writes a default duration (0x23E383); as a void element it says nothing.
    let at = bytes.windows(3).position(|id| id == [0x23, 0xE3, 0x83]).expect("a default duration");
    let void = 0x80 | ((bytes[at + 3] & 0x7F) + 2);
    bytes[at..at + 2].copy_from_slice(&[0xEC, void]);
    fs::write(&path, bytes).unwrap();

    let (reader, read) = read_all(&path, &ReadOptions::default()).unwrap();
    assert!((reader.fps() - 30.3).abs() < 1.0, "{} fps", reader.fps());
    assert!(read.len().abs_diff(50) <= 2, "{} frames", read.len());
}

#[test]
fn rotated_and_variable_rate_clips() {
    if !has_ffmpeg() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let plain = folder.path().join("plain.mp4");
    let made =
        ffmpeg("-f lavfi -i testsrc2=size=192x128:rate=25:duration=1 -c:v libx264 -pix_fmt yuv420p", &plain);
    if made.is_none() {
        return;
    }
    let (_, upright) = read_all(&plain, &ReadOptions::default()).unwrap();
    for (counter_clockwise, degrees) in [(270, 90), (180, 180), (90, 270)] {
        let path = folder.path().join(format!("{degrees}.mp4"));
        // The option since ffmpeg 6, and the tag before.
        let by_option = format!("-display_rotation {counter_clockwise} -i {} -c copy", plain.display());
        let by_tag = format!("-i {} -metadata:s:v:0 rotate={counter_clockwise} -c copy", plain.display());
        if ffmpeg(&by_option, &path).or_else(|| ffmpeg(&by_tag, &path)).is_none() {
            continue;
        }
        let (reader, turned) = read_all(&path, &ReadOptions::default()).unwrap();
        assert_eq!(reader.info().rotation, degrees);
        let expected = match degrees {
            90 => image::imageops::rotate90(&upright[5]),
            180 => image::imageops::rotate180(&upright[5]),
            _ => image::imageops::rotate270(&upright[5]),
        };
        assert_eq!(turned[5], expected, "{degrees}");
        assert_eq!((reader.info().width, reader.info().height), expected.dimensions());
    }
    // Frames 10..20 are missing: the picture of frame 9 must be held.
    let path = folder.path().join("variable.mp4");
    let drop =
        format!("-i {} -vf select='not(between(n,10,19))' -fps_mode vfr -c:v libx264 -qp 0", plain.display());
    if ffmpeg(&drop, &path).is_some() {
        let (reader, frames) =
            read_all(&path, &ReadOptions { fps: Some(25.0), ..ReadOptions::default() }).unwrap();
        assert!(reader.info().variable_rate);
        assert_eq!(frames.len(), 25);
        assert!(frames[10..20].iter().all(|frame| *frame == frames[9]));
        assert!(mean_difference(&frames[20], &upright[20]) < 2.0);
    }
}

/// Sizes and bytes of the AAC samples of an mp4, as ffmpeg's own copy sees them.
fn aac_bytes(path: &Path, folder: &Path) -> Vec<u8> {
    let adts = folder.join("sound.aac");
    ffmpeg(&format!("-i {} -vn -c:a copy -f adts", path.display()), &adts).unwrap();
    fs::read(adts).unwrap()
}

fn first_sound_second(path: &Path) -> f64 {
    let output = Command::new("ffprobe")
        .args([
            "-v",
            "error",
            "-select_streams",
            "a:0",
            "-show_entries",
            "stream=start_time",
            "-of",
            "csv=p=0",
        ])
        .arg(path)
        .output()
        .unwrap();
    String::from_utf8_lossy(&output.stdout).trim().parse().unwrap()
}

#[test]
fn sound_is_copied_bit_exact_and_in_sync() {
    let with_sound =
        |path: &PathBuf| ClipReader::open(path, &ReadOptions::default()).unwrap().info().audio.is_some();
    let Some(clip) = validation_clips().into_iter().map(|(path, _)| path).find(with_sound) else { return };
    let folder = tempfile::tempdir().unwrap();
    let frame = RgbImage::new(64, 64);
    for (name, start, repeat, frames) in [("whole", 0, 1, 250), ("late", 1234, 1, 50), ("looped", 500, 3, 75)]
    {
        let path = folder.path().join(format!("{name}.mp4"));
        let duration = (repeat > 1).then(|| Duration::from_secs(1));
        let sound = Sound { clip: clip.clone(), start: Duration::from_millis(start), duration, repeat };
        let options = WriteOptions { width: 64, height: 64, fps: 25.0, sound: Some(sound), alpha: false };
        let mut writer = ClipWriter::create(&path, &options).unwrap();
        for _ in 0..frames {
            writer.write(&frame).unwrap();
        }
        let written = writer.finish().unwrap();
        assert!(written.warnings.is_empty(), "{name}: {:?}", written.warnings);
        let reader = ClipReader::open(&path, &ReadOptions::default()).unwrap();
        assert_eq!(reader.info().audio.as_ref().map(|audio| audio.codec.as_str()), Some("aac"), "{name}");
        if !has_ffmpeg() {
            continue;
        }
        let (ours, theirs) = (aac_bytes(&path, folder.path()), aac_bytes(&clip, folder.path()));
        assert!(first_sound_second(&path).abs() < 0.03, "{name}");
        if repeat == 1 {
            let probe = &ours[..ours.len().min(theirs.len()) / 4];
            assert!(
                theirs.windows(probe.len()).any(|window| window == probe),
                "{name}: samples were changed"
            );
        }
        if name == "whole" {
            assert!(theirs.starts_with(&ours) || ours.starts_with(&theirs), "{name}: samples were changed");
        }
    }
}

#[test]
fn bad_clips_are_refused_in_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        fs::write(&path, bytes).unwrap();
        path
    };
    fs::create_dir(folder.path().join("empty")).unwrap();
    let whole = folder.path().join("whole.mp4");
    let mut writer = ClipWriter::create(
        &whole,
        &WriteOptions { width: 64, height: 64, fps: 25.0, sound: None, alpha: false },
    )
    .unwrap();
    for level in 0..30u8 {
        writer
            .write(&RgbImage::from_fn(64, 64, |x, y| image::Rgb([(x * 4) as u8, (y * 4) as u8, level])))
            .unwrap();
    }
    writer.finish().unwrap();
    let whole = fs::read(whole).unwrap();
    let mut cases = vec![
        (file("half.mp4", &whole[..whole.len() / 2]), "cut short"),
        (file("head.mp4", &whole[..60]), "cut short"),
        (file("brand.mp4", b"\0\0\0\x14ftypisom\0\0\0\0isom"), "index (moov) is missing"),
        (file("page.mp4", b"<html>404</html>"), "neither a picture nor a clip"),
        (file("empty.mp4", b""), "empty"),
        (folder.path().join("absent.mp4"), "cannot be read"),
        (folder.path().join("empty"), "holds no pictures"),
    ];
    let mut hollow = b"\0\0\0\x14ftypisom\0\0\0\0isom\0\0\0\x74moov\0\0\0\x6cmvhd".to_vec();
    hollow.resize(20 + 0x74, 0);
    cases.push((file("hollow.mp4", &hollow), "has no video"));
    if has_ffmpeg() {
        let sound = folder.path().join("sound.m4a");
        if ffmpeg("-f lavfi -i sine=duration=1 -c:a aac", &sound).is_some() {
            cases.push((sound, "has no video, only sound"));
        }
    }
    for (path, expected) in cases {
        let message = read_all(&path, &ReadOptions::default()).err().unwrap().to_string();
        assert!(message.contains(expected) && !message.contains('\n'), "{}: {message}", path.display());
    }
    // Every truncation and every flipped byte of the index ends in an error or in frames, never in a panic.
    for at in (0..whole.len().min(900)).step_by(7) {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x55;
        let _ = read_all(&file("flipped.mp4", &bytes), &ReadOptions::default());
    }
}
