//! Films with a hole behind the person are signed and marked as all others.

mod statements;

use std::process::Command;

use gioconda_media::{ClipReader, ClipWriter, Frame, ReadOptions, WriteOptions};
use gioconda_provenance::watermark::Detector;
use gioconda_provenance::{Credentials, Finisher, Identity};
use image::RgbImage;
use statements::statement;

const SIDE: u32 = 384;

/// Skin and hair of a kind inside an ellipse that takes a third of the frame; nothing outside.
fn frame(number: u32) -> (RgbImage, Vec<u8>) {
    let inside = |x: u32, y: u32| {
        let (x, y) = (x as f32 - 192.0 - number as f32, y as f32 - 210.0);
        ((1.0 - (x / 110.0).hypot(y / 160.0)) * 2000.0).clamp(0.0, 255.0) as u8
    };
    let alpha: Vec<u8> = (0..SIDE * SIDE).map(|at| inside(at % SIDE, at / SIDE)).collect();
    let image = RgbImage::from_fn(SIDE, SIDE, |x, y| {
        if inside(x, y) == 0 {
            return image::Rgb([0; 3]);
        }
        let grain = (x.wrapping_mul(2_654_435_761) ^ y.wrapping_mul(40_503)).wrapping_mul(97) >> 28;
        let wave = (f64::from(x) * 0.05).sin() + (f64::from(y) * 0.07).cos();
        let shade = (130.0 + 40.0 * wave + f64::from(grain)) as u8;
        image::Rgb([shade, shade / 4 * 3, shade / 2 + 20])
    });
    (image, alpha)
}

#[test]
fn transparent_films_are_signed_and_marked() {
    let folder = tempfile::tempdir().expect("a folder");
    let identity = Identity::in_folder(&folder.path().join("config")).expect("an identity");
    let statement = statement();
    let ffmpeg = Command::new("ffmpeg").arg("-version").output().is_ok();
    for name in ["a.webp", "a.apng", "a.webm", "a.mov"] {
        if !ffmpeg && ["a.webm", "a.mov"].contains(&name) {
            println!("skipped: {name}: ffmpeg is not on PATH");
            continue;
        }
        let file = folder.path().join(name);
        let options = WriteOptions { width: SIDE, height: SIDE, fps: 25.0, sound: None, alpha: true };
        let mut writer = ClipWriter::create(&file, &options).expect("a film is begun");
        let mut finisher = Finisher::new(None, Some(&statement.watermark));
        for number in 0..16 {
            let (mut image, mut alpha) = frame(number);
            finisher.finish_with_alpha(&mut image, &mut alpha);
            writer.write_with_alpha(&image, &alpha).expect("a frame is written");
        }
        let mut sign = |file: &std::path::Path| statement.sign(file, &identity).map_err(|e| e.to_string());
        writer.finish_sealed(&mut sign).expect("signed");

        let credentials = Credentials::read(&file).expect("readable");
        let Credentials::Valid(claims) = credentials else { panic!("{name}: {credentials:?}") };
        assert!(claims.says_synthetic(), "{name}");
        assert_eq!(file.with_extension("webm.c2pa").exists(), name == "a.webm", "{name}");
        let mut detector = Detector::new();
        if name == "a.apng" {
            // A still picture to this program.
            detector.add(&gioconda_media::photo::read(&file).expect("a picture").image);
        } else {
            let mut reader = ClipReader::open(&file, &ReadOptions::default()).expect("a clip");
            let mut frame = Frame::default();
            while reader.read(&mut frame).expect("a frame") {
                detector.add(&frame.image);
            }
        }
        let found = detector.read().map(|found| found.payload);
        println!("{name}: {:.1}", detector.strongest());
        assert_eq!(found, Some(statement.watermark), "{name}");
        // The next one has no statement beside it.
        let _ = std::fs::remove_file(file.with_extension("webm.c2pa"));
    }
}
