//! Transparency survives writing, in every format that has it, and is refused by those that have not.

use gioconda_media::{
    ClipReader, ClipWriter, Error, Frame, InputKind, OutputFormat, ReadOptions, WriteOptions, sniff,
};
use image::codecs::{png::PngDecoder, webp::WebPDecoder};
use image::{AnimationDecoder, Rgb, RgbImage, RgbaImage};
use std::fs::{self, File};
use std::io::BufReader;
use std::path::Path;
use std::process::Command;

const SIDE: u32 = 96;
const FRAMES: u32 = 12;
const FPS: f64 = 25.0;

/// A disc with a soft edge that moves to the right, on nothing; its colours go on beyond it.
fn frame(number: u32) -> (RgbImage, Vec<u8>) {
    let image = RgbImage::from_fn(SIDE, SIDE, |x, y| Rgb([60 + x as u8, 200 - y as u8, 120 + number as u8]));
    let alpha = (0..SIDE * SIDE).map(|i| {
        let (x, y) = ((i % SIDE) as f32 - 40.0 - number as f32, (i / SIDE) as f32 - 48.0);
        ((30.0 - x.hypot(y)) / 6.0 * 255.0).clamp(0.0, 255.0) as u8
    });
    (image, alpha.collect())
}

fn options(alpha: bool) -> WriteOptions {
    WriteOptions { width: SIDE, height: SIDE, fps: FPS, sound: None, alpha }
}

fn write(path: &Path) -> Result<u64, Error> {
    let mut writer = ClipWriter::create(path, &options(true))?;
    for number in 0..FRAMES {
        let (image, alpha) = frame(number);
        writer.write_with_alpha(&image, &alpha)?;
    }
    Ok(writer.finish()?.bytes)
}

/// Every frame as other programs see it.
fn read(path: &Path) -> Vec<RgbaImage> {
    let file = || BufReader::new(File::open(path).unwrap());
    let frames = |frames: image::Frames<'_>| frames.map(|frame| frame.unwrap().into_buffer()).collect();
    match OutputFormat::of(path).unwrap() {
        OutputFormat::WebP => frames(WebPDecoder::new(file()).unwrap().into_frames()),
        OutputFormat::Apng => frames(PngDecoder::new(file()).unwrap().apng().unwrap().into_frames()),
        OutputFormat::Pictures => (1..=FRAMES)
            .map(|number| image::open(path.join(format!("{number:06}.png"))).unwrap().into_rgba8())
            .collect(),
        // The decoder that ffmpeg takes by itself for VP9 knows no alpha.
        OutputFormat::WebM => by_ffmpeg(path, &["-c:v", "libvpx-vp9"]),
        _ => by_ffmpeg(path, &[]),
    }
}

fn by_ffmpeg(path: &Path, decoder: &[&str]) -> Vec<RgbaImage> {
    let mut command = Command::new("ffmpeg");
    command.args(["-nostdin", "-v", "error"]).args(decoder).arg("-i").arg(path);
    let output = command.args(["-f", "rawvideo", "-pix_fmt", "rgba", "-"]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let frames = output.stdout.chunks_exact(4 * (SIDE * SIDE) as usize);
    frames.map(|frame| RgbaImage::from_raw(SIDE, SIDE, frame.to_vec()).unwrap()).collect()
}

#[test]
fn alpha_survives_in_every_format_that_has_it() {
    let folder = tempfile::tempdir().unwrap();
    let ffmpeg = Command::new("ffmpeg").arg("-version").output().is_ok();
    // Largest mean difference of alpha, and of colours where the frame is opaque.
    for (name, of_alpha, of_colour) in [
        ("a.webp", 0.0, 4.0),
        ("a.apng", 0.0, 0.0),
        ("a", 0.0, 0.0),
        ("a.webm", 2.0, 6.0),
        ("a.mov", 0.5, 2.0),
    ] {
        let path = folder.path().join(name);
        if !ffmpeg && matches!(OutputFormat::of(&path), Some(OutputFormat::WebM | OutputFormat::Mov)) {
            println!("skipped: {name}: ffmpeg is not on PATH");
            continue;
        }
        let bytes = write(&path).unwrap();
        let back = read(&path);
        assert_eq!(back.len(), FRAMES as usize, "{name}");
        let (mut alpha_error, mut colour_error, mut opaque) = (0.0, 0.0, 0.0);
        for (number, shown) in (0..).zip(&back) {
            let (image, alpha) = frame(number);
            for ((shown, wanted), alpha) in shown.pixels().zip(image.pixels()).zip(alpha) {
                alpha_error += f64::from(shown[3].abs_diff(alpha));
                if alpha == 255 {
                    let differences = wanted.0.iter().zip(shown.0).map(|(a, b)| f64::from(a.abs_diff(b)));
                    colour_error += differences.sum::<f64>() / 3.0;
                    opaque += 1.0;
                }
            }
        }
        let alpha_error = alpha_error / f64::from(FRAMES * SIDE * SIDE);
        let colour_error = colour_error / opaque;
        println!("{name}: {bytes} bytes, alpha off by {alpha_error:.2}, colours by {colour_error:.2}");
        assert!(alpha_error <= of_alpha && colour_error <= of_colour, "{name}");
    }
}

/// What this program reads of its own transparent files stands on white.
#[test]
fn transparent_files_read_back_on_white() {
    let folder = tempfile::tempdir().unwrap();
    for (name, kind) in
        [("a.webp", InputKind::Clip), ("a.png", InputKind::Photo), ("a", InputKind::PictureFolder)]
    {
        let path = folder.path().join(name);
        write(&path).unwrap();
        assert_eq!(sniff(&path).unwrap(), kind, "{name}");
        let image = if kind == InputKind::Photo {
            gioconda_media::photo::read(&path).unwrap().image
        } else {
            let (mut reader, mut frame) =
                (ClipReader::open(&path, &ReadOptions::default()).unwrap(), Frame::default());
            assert!(reader.read(&mut frame).unwrap(), "{name}");
            assert_eq!(reader.expected_frames(), Some(u64::from(FRAMES)), "{name}");
            frame.image
        };
        assert_eq!(image.get_pixel(2, 2).0, [255; 3], "{name}");
        assert!(image.get_pixel(40, 48).0.iter().zip([100, 152, 120]).all(|(a, b)| a.abs_diff(b) < 8));
    }
}

#[test]
fn opaque_frames_fit_into_transparent_outputs_and_not_the_other_way() {
    let folder = tempfile::tempdir().unwrap();
    let (image, alpha) = frame(0);
    let path = folder.path().join("a.webp");
    let mut writer = ClipWriter::create(&path, &options(true)).unwrap();
    writer.write(&image).unwrap();
    writer.write_with_alpha(&image, &alpha).unwrap();
    let message = writer.write_with_alpha(&image, &alpha[1..]).unwrap_err().to_string();
    assert!(message.contains("9215 values of alpha and 9216 pixels"), "{message}");
    writer.finish().unwrap();
    let frames = read(&path);
    assert_eq!([frames[0].get_pixel(0, 0)[3], frames[1].get_pixel(0, 0)[3]], [255, 0]);

    let mut writer = ClipWriter::create(&path, &options(false)).unwrap();
    let message = writer.write_with_alpha(&image, &alpha).unwrap_err().to_string();
    assert!(message.ends_with("begun without alpha, and a frame has one"), "{message}");
    drop(writer);

    for name in ["b.mp4", "b.gif"] {
        let message =
            ClipWriter::create(&folder.path().join(name), &options(true)).err().unwrap().to_string();
        let expected = "no transparency; choose .webp, .apng, .webm or .mov, or a folder of PNGs";
        assert!(message.ends_with(expected), "{message}");
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

/// Without alpha these formats take what the others take.
#[test]
fn opaque_films_are_written_in_every_format() {
    let folder = tempfile::tempdir().unwrap();
    let ffmpeg = Command::new("ffmpeg").arg("-version").output().is_ok();
    for name in ["a.apng", "a.webm", "a.mov"] {
        let path = folder.path().join(name);
        if !ffmpeg && name != "a.apng" {
            println!("skipped: {name}: ffmpeg is not on PATH");
            continue;
        }
        let mut writer = ClipWriter::create(&path, &options(false)).unwrap();
        for number in 0..FRAMES {
            writer.write(&frame(number).0).unwrap();
        }
        writer.finish().unwrap();
        let frames = read(&path);
        assert_eq!(frames.len(), FRAMES as usize, "{name}");
        let middle = frames[5].get_pixel(48, 48);
        let wanted = [108, 152, 125, 255];
        assert!(middle.0.iter().zip(wanted).all(|(a, b)| a.abs_diff(b) < 12), "{name}: {middle:?}");
    }
}
