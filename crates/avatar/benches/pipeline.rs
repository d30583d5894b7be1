//! The whole of `animate`, timed: `cargo bench -p gioconda-avatar --bench pipeline [-- CLIP]`.
//!
//! The Mona Lisa, cut to 512 x 512 around her head, is driven by a 512 x 512 H.264 clip made from `CLIP`. Beside
//! the milliseconds of each stage stands what ffmpeg needs only to decode that clip and encode it again
//! (libx264, medium), measured in the same run; then the clip is played again and again for a minute, to see
//! that memory does not grow. The mesh renderer is also timed alone, with both cores to itself.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use gioconda_avatar::builtin_motions::BuiltinMotion;
use gioconda_avatar::{
    Avatar, DEFAULT_HEAD_SIDE, Drive, Finish, Framing, Performance, PerformanceSettings, Settings, Summary,
    animate,
};
use gioconda_face::{FaceChoice, FaceFinder, Threads};
use gioconda_media::{ClipReader, ClipWriter, Frame, ReadOptions, WriteOptions, resize};
use image::RgbImage;

const SIDE: u32 = DEFAULT_HEAD_SIDE;
const LONG_RUN: f64 = 60.0;
const DEFAULT_CLIP: &str = "../../../shared/data/val/celebv-text_eH5YX2zo-f0_32_0/eH5YX2zo-f0_32_0.mp4";

fn main() -> Result<(), Box<dyn Error>> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let named = std::env::args().skip(1).find(|argument| !argument.starts_with("--"));
    let clip = named.map_or_else(|| here.join(DEFAULT_CLIP), PathBuf::from);
    if !clip.exists() {
        println!("skipped: {} is not there; name a clip of your own", clip.display());
        return Ok(());
    }
    let folder = tempfile::tempdir()?;
    let driver = folder.path().join("driver.mp4");
    let seconds = square(&clip, &driver)?;
    println!("driver: {seconds:.1} s of {SIDE} x {SIDE} H.264, {} threads", rayon::current_num_threads());

    forget_peak_memory();
    let started = Instant::now();
    let mut finder = FaceFinder::new(Threads::Shared)?;
    let photo = here.join("../../assets/mona_lisa.jpg");
    let avatar = Avatar::from_photo(&photo, FaceChoice::Largest, &mut finder)?;
    let prepared = started.elapsed().as_secs_f64();
    let once = animated(&avatar, &driver, 1, folder.path())?;
    let frames = once.frames as f64;
    print_stages(&once);
    println!(
        "first frame after  {:7.2} s, {prepared:.2} s of it for the photo",
        prepared + once.seconds_to_first_frame
    );
    print_peak_memory();

    println!("renderer alone     {:7.2} ms a frame, median", rendered_alone(&avatar)?);
    match reencoded_by_ffmpeg(&driver, &folder.path().join("ffmpeg.mp4"))? {
        Some(ffmpeg) => println!(
            "ffmpeg alone       {:7.1} frames/s: animate takes {:.2} times as long",
            frames / ffmpeg,
            once.seconds / ffmpeg
        ),
        None => println!("ffmpeg is not on PATH: nothing to compare with"),
    }

    let long = animated(&avatar, &driver, (LONG_RUN / seconds).ceil() as u32, folder.path())?;
    println!("{:.0} s of output:", long.frames as f64 / long.fps);
    print_stages(&long);
    print_peak_memory();
    Ok(())
}

/// Milliseconds that the mesh renderer takes for one frame of the built-in motion that moves most.
fn rendered_alone(avatar: &Avatar) -> Result<f64, Box<dyn Error>> {
    let settings = PerformanceSettings::default().framing(Framing::Head { side: SIDE });
    let mut performance = Performance::new(avatar, settings)?;
    let motion = BuiltinMotion::find("look-around").ok_or("there is no such motion")?.load();
    let mut picture = RgbImage::new(SIDE, SIDE);
    let mut times = Vec::new();
    for index in 0..motion.len() {
        let landmarks = performance.landmarks(&motion.frame(index));
        let started = Instant::now();
        performance.render(&landmarks, &mut picture)?;
        times.push(started.elapsed().as_secs_f64() * 1e3);
    }
    times.sort_unstable_by(f64::total_cmp);
    Ok(times[times.len() / 2])
}

/// Writes `clip` to `target` at 512 x 512 and returns its length in seconds.
fn square(clip: &Path, target: &Path) -> Result<f64, Box<dyn Error>> {
    let mut reader = ClipReader::open(clip, &ReadOptions::default())?;
    let options = WriteOptions { width: SIDE, height: SIDE, fps: reader.fps(), sound: None, alpha: false };
    let mut writer = ClipWriter::create(target, &options)?;
    let mut frame = Frame::default();
    while reader.read(&mut frame)? {
        writer.write(&resize(&frame.image, SIDE, SIDE))?;
    }
    Ok(writer.finish()?.frames as f64 / options.fps)
}

fn animated(avatar: &Avatar, driver: &Path, repeat: u32, folder: &Path) -> Result<Summary, Box<dyn Error>> {
    let settings = Settings::new(Drive::Clip(driver.to_owned()))
        .driver_face(FaceChoice::Largest)
        .framing(Framing::Head { side: SIDE })
        .repeat(repeat)
        .mute(true);
    let output = folder.join("portrait.mp4");
    Ok(animate(avatar, &settings, &output, Finish::default(), &|_| {}, &AtomicBool::new(false))?)
}

fn print_stages(summary: &Summary) {
    let stages = &summary.stages;
    for (name, milliseconds) in [
        ("decode", stages.decode),
        ("track", stages.track),
        ("transfer", stages.transfer),
        ("render", stages.render),
        ("encode", stages.encode),
    ] {
        println!("{name:<18} {milliseconds:7.2} ms a frame");
    }
    println!("together           {:7.1} frames/s", summary.frames as f64 / summary.seconds);
}

/// Seconds that ffmpeg takes to decode and encode `clip`; `None` where there is no ffmpeg.
fn reencoded_by_ffmpeg(clip: &Path, target: &Path) -> Result<Option<f64>, Box<dyn Error>> {
    let started = Instant::now();
    let status = Command::new("ffmpeg")
        .args(["-v", "error", "-y", "-i"])
        .arg(clip)
        .args(["-c:v", "libx264", "-preset", "medium"])
        .arg(target)
        .stdin(Stdio::null())
        .status();
    match status {
        Ok(status) if status.success() => Ok(Some(started.elapsed().as_secs_f64())),
        Ok(status) => Err(format!("ffmpeg: {status}").into()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Starts a new measurement of peak memory, where the system (Linux) can.
fn forget_peak_memory() {
    // Elsewhere there is no such file, and `print_peak_memory` prints nothing either.
    let _ = std::fs::write("/proc/self/clear_refs", "5");
}

/// The largest resident size since [`forget_peak_memory`], as Linux counts it.
fn print_peak_memory() {
    let Ok(status) = std::fs::read_to_string("/proc/self/status") else { return };
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.split_whitespace().next());
    if let Some(kilobytes) = peak.and_then(|text| text.parse::<f64>().ok()) {
        println!("peak memory        {:7.0} MB", kilobytes / 1024.0);
    }
}
