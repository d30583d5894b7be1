//! What the mark costs and what it survives: the table in `docs/provenance.md`.
//!
//!     cargo run --release -p gioconda-provenance --example robustness -- OUTPUTS [UNMARKED]
//!
//! `OUTPUTS` holds a folder of PNGs for each clip, made by `gioconda animate --no-provenance -o FOLDER/`. Every clip is
//! marked with a payload of its own, written as mp4 the way `animate` does, attacked by the `ffmpeg` program, and read
//! again. With `UNMARKED`, a folder of any clips, 10,000 of their frames are searched for marks that are not there.

use std::error::Error;
use std::fs::File;
use std::io::BufWriter;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use gioconda_media::{ClipReader, ClipWriter, Frame, ReadOptions, WriteOptions};
use gioconda_provenance::watermark::{AvatarId, Detector, Marker, Payload};
use image::codecs::jpeg::JpegEncoder;
use image::imageops::{FilterType, resize};
use image::{Rgb, RgbImage};

type Outcome<T> = Result<T, Box<dyn Error>>;

const FPS: f64 = 25.0;

/// What is done to a marked clip.
enum Attack {
    /// By ffmpeg, with these arguments, to a file with this extension.
    Ffmpeg(&'static str, &'static str),
    /// A frame from its middle, as JPEG of this quality.
    Jpeg(u8),
    /// That frame on a screen of 1920 x 1080 among other things, scaled by 0.6 to 1.6 and at another place for each
    /// clip; as JPEG of this quality, or PNG.
    Screenshot(Option<u8>),
}

use Attack::{Ffmpeg, Jpeg, Screenshot};

const ATTACKS: [(&str, Attack); 32] = [
    ("none (the mp4 as written)", Ffmpeg("-c copy", "mp4")),
    ("H.264 CRF 23", Ffmpeg("-crf 23", "mp4")),
    ("H.264 CRF 28", Ffmpeg("-crf 28", "mp4")),
    ("H.264 CRF 33", Ffmpeg("-crf 33", "mp4")),
    ("scaled to 0.75", Ffmpeg("-vf scale=iw*0.75:-2 -crf 23", "mp4")),
    ("scaled to 0.5", Ffmpeg("-vf scale=iw*0.5:-2 -crf 23", "mp4")),
    ("cropped to 90 %", Ffmpeg("-vf crop=460:460:9:31 -crf 23", "mp4")),
    ("cropped to 70 %", Ffmpeg("-vf crop=358:358:61:87 -crf 23", "mp4")),
    ("25 to 30 frames a second", Ffmpeg("-r 30 -crf 23", "mp4")),
    ("25 to 12 frames a second", Ffmpeg("-r 12 -crf 23", "mp4")),
    ("one frame, JPEG 75", Jpeg(75)),
    ("one frame, JPEG 50", Jpeg(50)),
    ("brightness +20 %", Ffmpeg("-vf lutrgb=r=val*1.2:g=val*1.2:b=val*1.2 -crf 23", "mp4")),
    ("brightness -20 %", Ffmpeg("-vf lutrgb=r=val*0.8:g=val*0.8:b=val*0.8 -crf 23", "mp4")),
    ("contrast +20 %", Ffmpeg("-vf eq=contrast=1.2 -crf 23", "mp4")),
    ("contrast -20 %", Ffmpeg("-vf eq=contrast=0.8 -crf 23", "mp4")),
    ("blurred, sigma 1", Ffmpeg("-vf gblur=sigma=1 -crf 23", "mp4")),
    (
        "screenshot: scaled to 0.75, cropped to 90 %, CRF 28",
        Ffmpeg("-vf scale=384:384,crop=346:346:17:23 -crf 28", "mp4"),
    ),
    ("half the size, CRF 30", Ffmpeg("-vf scale=iw/2:-2 -crf 30", "mp4")),
    ("social media: 480 pixels, CRF 28", Ffmpeg("-vf scale=480:480 -crf 28 -preset veryfast", "mp4")),
    ("turned by 1 degree", Ffmpeg("-vf rotate=PI/180 -crf 23", "mp4")),
    ("turned by 2 degrees", Ffmpeg("-vf rotate=2*PI/180 -crf 23", "mp4")),
    ("turned by -3 degrees", Ffmpeg("-vf rotate=-3*PI/180 -crf 23", "mp4")),
    ("turned by 3 degrees, cropped to 80 %", Ffmpeg("-vf rotate=3*PI/180,crop=410:410 -crf 23", "mp4")),
    ("turned by 90 degrees", Ffmpeg("-vf transpose=clock -crf 23", "mp4")),
    ("turned by 270 degrees", Ffmpeg("-vf transpose=cclock -crf 23", "mp4")),
    ("upside down", Ffmpeg("-vf hflip,vflip -crf 23", "mp4")),
    ("screenshot of 1920 x 1080, PNG", Screenshot(None)),
    ("screenshot of 1920 x 1080, JPEG 85", Screenshot(Some(85))),
    ("mirrored", Ffmpeg("-vf hflip -crf 23", "mp4")),
    (
        "animated GIF, 64 colours",
        Ffmpeg("-vf fps=12,split[a][b];[a]palettegen=64[p];[b][p]paletteuse", "gif"),
    ),
    ("VP9, quality 40", Ffmpeg("-c:v libvpx-vp9 -crf 40 -b:v 0 -deadline realtime -cpu-used 8", "webm")),
];

fn main() -> Outcome<()> {
    let arguments: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    let [outputs, unmarked @ ..] = &arguments[..] else {
        return Err("usage: robustness OUTPUTS [UNMARKED]".into());
    };
    let mut clips: Vec<PathBuf> =
        std::fs::read_dir(outputs)?.map(|entry| Ok(entry?.path())).collect::<std::io::Result<_>>()?;
    clips.retain(|path| path.is_dir());
    clips.sort();
    let scratch = tempfile::tempdir()?;
    let mut costs = Vec::new();
    let mut results = vec![Survival::default(); ATTACKS.len()];
    for (number, clip) in clips.iter().enumerate() {
        let frames = read(clip)?;
        let payload = payload(number as u8);
        let (marked, cost) = mark(&frames, payload);
        eprintln!("{}: PSNR {:.2} dB, SSIM {:.4}", clip.display(), cost.psnr, cost.ssim);
        costs.push(cost);
        let written = scratch.path().join("marked.mp4");
        write(&written, &marked)?;
        for ((name, attack), result) in ATTACKS.iter().zip(&mut results) {
            let attacked = attack.run(&written, &scratch.path().join("attacked"), number as u32)?;
            let strength = result.judge(&attacked, payload)?;
            eprintln!(
                "    {name}: {}",
                strength.map_or("lost".to_owned(), |strength| format!("{strength:.1}"))
            );
        }
    }
    report(&costs, &results);
    unmarked.iter().try_for_each(|folder| false_positives(folder))
}

fn payload(number: u8) -> Payload {
    Payload::today(AvatarId::of(&[number]))
}

fn read(clip: &Path) -> Outcome<Vec<RgbImage>> {
    let mut reader = ClipReader::open(clip, &ReadOptions::default())?;
    let (mut frame, mut frames) = (Frame::default(), Vec::new());
    while reader.read(&mut frame)? {
        frames.push(frame.image.clone());
    }
    Ok(frames)
}

fn write(path: &Path, frames: &[RgbImage]) -> Outcome<()> {
    let (width, height) = frames.first().ok_or("a clip without frames")?.dimensions();
    let mut writer =
        ClipWriter::create(path, &WriteOptions { width, height, fps: FPS, sound: None, alpha: false })?;
    frames.iter().try_for_each(|frame| writer.write(frame))?;
    writer.finish()?;
    Ok(())
}

impl Attack {
    /// Attacks the clip `input`, the one of this number, and returns the result's path, which is `output` with an
    /// extension.
    fn run(&self, input: &Path, output: &Path, number: u32) -> Outcome<PathBuf> {
        match self {
            Ffmpeg(arguments, extension) => {
                let output = output.with_extension(extension);
                let mut command = Command::new("ffmpeg");
                command.args(["-y", "-v", "error", "-i"]).arg(input).args(arguments.split(' ')).arg(&output);
                let done = command.status()?.success();
                if done { Ok(output) } else { Err(format!("ffmpeg failed: {arguments}").into()) }
            }
            Jpeg(quality) => {
                let output = output.with_extension("jpg");
                let frames = read(input)?;
                let file = BufWriter::new(File::create(&output)?);
                frames[frames.len() / 2].write_with_encoder(JpegEncoder::new_with_quality(file, *quality))?;
                Ok(output)
            }
            Screenshot(quality) => {
                let frames = read(input)?;
                let screen = screenshot(&frames[frames.len() / 2], number);
                let output = output.with_extension(if quality.is_some() { "jpg" } else { "png" });
                match quality {
                    Some(quality) => {
                        let file = BufWriter::new(File::create(&output)?);
                        screen.write_with_encoder(JpegEncoder::new_with_quality(file, *quality))?;
                    }
                    None => screen.save(&output)?,
                }
                Ok(output)
            }
        }
    }
}

/// A screen with lines of what looks like text, coloured preview pictures, and the film.
fn screenshot(film: &RgbImage, number: u32) -> RgbImage {
    let mut state = u64::from(number);
    let mut random = |below: u32| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as u32 % below
    };
    let (back, ink) = if number.is_multiple_of(2) { (252, 30) } else { (18, 220) };
    let mut screen = RgbImage::from_pixel(1920, 1080, Rgb([back; 3]));
    let mut fill = |x: u32, y: u32, width: u32, height: u32, colour: &dyn Fn(u32, u32) -> [u8; 3]| {
        for y in y..(y + height).min(1080) {
            for x in x..(x + width).min(1920) {
                screen.put_pixel(x, y, Rgb(colour(x, y)));
            }
        }
    };
    // Letters are two strokes each, of 9 x 20 pixels with the space around them.
    for line in 0..54 {
        for letter in 0..200 {
            let (x, y) = (60 + 9 * letter, 20 * line);
            if random(6) > 0 {
                fill(x + random(5), y + 4, 2, 10, &|_, _| [ink; 3]);
                fill(x, y + 4 + random(9), 6, 2, &|_, _| [ink; 3]);
            }
        }
    }
    for row in 0..9 {
        let [r, g, b] = [(); 3].map(|()| random(200) as u8);
        fill(1500, 20 + 117 * row, 160, 90, &|x, y| [r + (x % 50) as u8, g + (y % 50) as u8, b]);
    }
    let side = film.width() * (600 + random(1001)) / 1000;
    let (x, y) = (random(1920 - side), random(1080 - side));
    let filter = if random(2) == 0 { FilterType::Triangle } else { FilterType::CatmullRom };
    fill(x.saturating_sub(12), y.saturating_sub(12), side + 24, side + 24, &|_, _| [back; 3]);
    image::imageops::overlay(&mut screen, &resize(film, side, side, filter), i64::from(x), i64::from(y));
    screen
}

/// What marking did to a clip.
struct Cost {
    psnr: f64,
    ssim: f64,
    per_frame: Duration,
}

fn mark(frames: &[RgbImage], payload: Payload) -> (Vec<RgbImage>, Cost) {
    let mut marker = Marker::new(&payload);
    let mut marked = frames.to_vec();
    // The pattern of this size is made for the first frame.
    marker.mark(&mut marked[0].clone());
    let started = Instant::now();
    for frame in &mut marked {
        marker.mark(frame);
    }
    let per_frame = started.elapsed() / frames.len() as u32;
    let pairs = || frames.iter().zip(&marked).step_by(10);
    let error: f64 = pairs().map(|(a, b)| mean_square(a, b)).sum::<f64>() / pairs().count() as f64;
    let ssim = pairs().map(|(a, b)| structural_similarity(a, b)).sum::<f64>() / pairs().count() as f64;
    (marked, Cost { psnr: 10.0 * (255.0 * 255.0 / error).log10(), ssim, per_frame })
}

fn mean_square(a: &RgbImage, b: &RgbImage) -> f64 {
    let squares = a.as_raw().iter().zip(b.as_raw()).map(|(a, b)| f64::from(a.abs_diff(*b)).powi(2));
    squares.sum::<f64>() / a.as_raw().len() as f64
}

/// SSIM of luma as Wang et al. (2004) define it: Gaussian windows of 11 x 11, sigma 1.5.
fn structural_similarity(a: &RgbImage, b: &RgbImage) -> f64 {
    let (width, height) = (a.width() as usize, a.height() as usize);
    let luma = |picture: &RgbImage| -> Vec<f64> {
        picture
            .pixels()
            .map(|p| 0.299 * f64::from(p[0]) + 0.587 * f64::from(p[1]) + 0.114 * f64::from(p[2]))
            .collect()
    };
    let (a, b) = (luma(a), luma(b));
    let product = |a: &[f64], b: &[f64]| -> Vec<f64> { a.iter().zip(b).map(|(a, b)| a * b).collect() };
    let smooth = |values: &[f64]| gaussian(values, width, height);
    let (ma, mb) = (smooth(&a), smooth(&b));
    let (aa, bb, ab) = (smooth(&product(&a, &a)), smooth(&product(&b, &b)), smooth(&product(&a, &b)));
    let (c1, c2) = ((0.01_f64 * 255.0).powi(2), (0.03_f64 * 255.0).powi(2));
    let one = |i: usize| {
        let (va, vb, covariance) = (aa[i] - ma[i] * ma[i], bb[i] - mb[i] * mb[i], ab[i] - ma[i] * mb[i]);
        (2.0 * ma[i] * mb[i] + c1) * (2.0 * covariance + c2)
            / ((ma[i] * ma[i] + mb[i] * mb[i] + c1) * (va + vb + c2))
    };
    (0..ma.len()).map(one).sum::<f64>() / ma.len() as f64
}

/// Windows that lie wholly inside the picture.
fn gaussian(values: &[f64], width: usize, height: usize) -> Vec<f64> {
    let weights: Vec<f64> = (-5..=5).map(|x| (-f64::from(x * x) / 4.5).exp()).collect();
    let sum: f64 = weights.iter().sum();
    let weighted =
        |window: &mut dyn Iterator<Item = f64>| window.zip(&weights).map(|(v, w)| v * w / sum).sum();
    let inner = width - 10;
    let rows: Vec<f64> = (0..height * inner)
        .map(|i| weighted(&mut values[i / inner * width + i % inner..][..11].iter().copied()))
        .collect();
    (0..(height - 10) * inner)
        .map(|i| weighted(&mut rows[i..].iter().step_by(inner).take(11).copied()))
        .collect()
}

#[derive(Clone, Default)]
struct Survival {
    /// Strengths of the marks that were read right.
    strengths: Vec<f64>,
    trials: usize,
    slowest: Duration,
}

impl Survival {
    fn judge(&mut self, file: &Path, payload: Payload) -> Outcome<Option<f64>> {
        let started = Instant::now();
        let mut detector = Detector::new();
        if file.extension().is_some_and(|extension| extension == "jpg" || extension == "png") {
            detector.add(&gioconda_media::photo::read(file)?.image);
        } else {
            let mut reader = ClipReader::open(file, &ReadOptions::default())?;
            let mut frame = Frame::default();
            while reader.read(&mut frame)? {
                detector.add(&frame.image);
            }
        }
        let found = detector.read().filter(|found| found.payload == payload);
        self.slowest = self.slowest.max(started.elapsed());
        self.trials += 1;
        self.strengths.extend(found.map(|found| found.strength));
        Ok(found.map(|found| found.strength))
    }
}

fn report(costs: &[Cost], results: &[Survival]) {
    let mean = |value: fn(&Cost) -> f64| costs.iter().map(value).sum::<f64>() / costs.len() as f64;
    let least = |value: fn(&Cost) -> f64| costs.iter().map(value).fold(f64::INFINITY, f64::min);
    println!(
        "| of marked against unmarked frames, {} clips | mean | worst clip |\n|---|---|---|",
        costs.len()
    );
    println!("| PSNR | {:.2} dB | {:.2} dB |", mean(|c| c.psnr), least(|c| c.psnr));
    println!("| SSIM | {:.4} | {:.4} |", mean(|c| c.ssim), least(|c| c.ssim));
    let slowest = -least(|c| -c.per_frame.as_secs_f64() * 1e3);
    println!(
        "| time to mark a frame | {:.2} ms | {slowest:.2} ms |",
        mean(|c| c.per_frame.as_secs_f64() * 1e3)
    );
    println!(
        "\n| after | payload read | strength, mean | weakest | slowest reading |\n|---|---|---|---|---|"
    );
    for ((name, _), result) in ATTACKS.iter().zip(results) {
        let Survival { strengths, trials, slowest } = result;
        let (read, weakest) = (strengths.len(), strengths.iter().copied().fold(f64::INFINITY, f64::min));
        let mean = strengths.iter().sum::<f64>() / read.max(1) as f64;
        println!(
            "| {name} | {read} of {trials} | {mean:.1} | {weakest:.1} | {:.2} s |",
            slowest.as_secs_f64()
        );
    }
}

const UNMARKED_FRAMES: u64 = 10_000;
/// Frames that are read together, as those of one clip.
const WINDOW: u64 = 25;
/// Of [`gioconda_provenance::watermark::Found::strength`], from which a mark is believed.
const THRESHOLD: f64 = 10.0;
/// Bits of a message that have to be right by chance: its layout and its check.
const KNOWN_BITS: i32 = 16;

fn false_positives(folder: &Path) -> Outcome<()> {
    let (mut frames, mut marks, mut strengths) = (0, 0, Vec::new());
    for clip in clips_in(folder)? {
        let mut reader = ClipReader::open(&clip, &ReadOptions::default())?;
        let (mut frame, mut detector) = (Frame::default(), Detector::new());
        while frames < UNMARKED_FRAMES && reader.read(&mut frame)? {
            detector.add(&frame.image);
            if detector.frames() == WINDOW {
                frames += WINDOW;
                marks += u32::from(detector.read().is_some());
                strengths.push(detector.strongest());
                detector = Detector::new();
            }
        }
    }
    let count = strengths.len() as f64;
    let mean = strengths.iter().sum::<f64>() / count;
    let deviation = (strengths.iter().map(|s| (s - mean).powi(2)).sum::<f64>() / count).sqrt();
    let highest = strengths.iter().copied().fold(0.0, f64::max);
    // Maxima of many trials follow Gumbel's distribution; its two parameters follow from the moments.
    let scale = deviation * 6.0_f64.sqrt() / std::f64::consts::PI;
    let mode = mean - 0.577_215_7 * scale;
    let above = -(-(-(THRESHOLD - mode) / scale).exp()).exp_m1();
    println!(
        "\n| unmarked frames, in {count} clips of {WINDOW} | marks found | strongest correlation, mean | deviation | highest | estimated rate of false marks |"
    );
    println!("|---|---|---|---|---|---|");
    println!(
        "| {frames} | {marks} | {mean:.2} | {deviation:.2} | {highest:.2} | {:.1e} |",
        above * 2.0_f64.powi(-KNOWN_BITS)
    );
    Ok(())
}

fn clips_in(folder: &Path) -> Outcome<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(clips_in(&path)?);
        } else if path.extension().is_some_and(|extension| extension == "mp4") {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}
