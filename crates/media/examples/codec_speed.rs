//! Decoding and encoding speed, and quality against bits, of a talking-head clip at 512x512.
//!
//! ```text
//! cargo run --release -p gioconda-media --example codec_speed -- CLIP
//! ```

use gioconda_media::{ClipReader, ClipWriter, Frame, ReadOptions, WriteOptions, resize};
use image::RgbImage;
use std::error::Error;
use std::path::Path;
use std::time::{Duration, Instant};

const SIDE: u32 = 512;

fn main() -> Result<(), Box<dyn Error>> {
    let clip = std::env::args_os().nth(1).ok_or("give a clip")?;
    let mut reader = ClipReader::open(Path::new(&clip), &ReadOptions::default())?;
    let fps = reader.fps();
    let mut frame = Frame::default();
    let mut frames = Vec::new();
    while frames.len() < 250 && reader.read(&mut frame)? {
        frames.push(resize(&frame.image, SIDE, SIDE));
    }
    let folder = tempfile::tempdir()?;
    for name in ["clip.mp4", "clip.gif", "clip.webp", "clip"] {
        let path = folder.path().join(name);
        let options = WriteOptions { width: SIDE, height: SIDE, fps, sound: None, alpha: false };
        let started = Instant::now();
        let mut writer = ClipWriter::create(&path, &options)?;
        for image in &frames {
            writer.write(image)?;
        }
        let bytes = writer.finish()?.bytes;
        let encode = per_frame(started.elapsed(), frames.len());
        let (decode, psnr) = read_back(&path, fps, &frames)?;
        let kilobits = bytes as f64 * 8.0 * fps / frames.len() as f64 / 1000.0;
        println!(
            "{name:10} encode {encode:6.2} ms/frame  decode {decode:6.2} ms/frame  {kilobits:7.0} kbit/s  {psnr:.2} dB"
        );
    }
    Ok(())
}

/// Milliseconds per frame and mean PSNR in dB.
fn read_back(path: &Path, fps: f64, originals: &[RgbImage]) -> Result<(f64, f64), Box<dyn Error>> {
    let options = ReadOptions { fps: Some(fps), ..ReadOptions::default() };
    let mut reader = ClipReader::open(path, &options)?;
    let mut frame = Frame::default();
    let (mut elapsed, mut sum, mut count) = (Duration::ZERO, 0.0, 0);
    loop {
        let started = Instant::now();
        let more = reader.read(&mut frame)?;
        elapsed += started.elapsed();
        if !more || count == originals.len() {
            break;
        }
        sum += psnr(&originals[count], &frame.image);
        count += 1;
    }
    Ok((per_frame(elapsed, count), sum / count as f64))
}

fn per_frame(elapsed: Duration, frames: usize) -> f64 {
    elapsed.as_secs_f64() * 1000.0 / frames as f64
}

fn psnr(a: &RgbImage, b: &RgbImage) -> f64 {
    let squares: u64 = a.iter().zip(b.iter()).map(|(a, b)| u64::from(a.abs_diff(*b)).pow(2)).sum();
    10.0 * (255.0f64.powi(2) * a.len() as f64 / squares.max(1) as f64).log10()
}
