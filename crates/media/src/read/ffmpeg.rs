//! Everything the built-in decoder does not know, through the `ffmpeg` and `ffprobe` programs.
//!
//! ffmpeg runs as a child process and writes raw RGB frames at the output rate into a pipe; the pipe's size is all
//! that is ever decoded ahead. It may open the named file and nothing else: a playlist in disguise cannot make it
//! fetch addresses or read other files.

use super::h264::set_size;
use super::{AudioInfo, ClipInfo, Pictures, ReadOptions, SourceError, nearest_standard_rate};
use crate::Error;
use image::RgbImage;
use serde::Deserialize;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

/// The two programs.
#[derive(Debug, Clone)]
pub(crate) struct Ffmpeg {
    ffmpeg: PathBuf,
    ffprobe: PathBuf,
}

impl Ffmpeg {
    /// Looks for both programs in the folders of `search_path`, which has the form of the PATH variable.
    pub(crate) fn find(search_path: Option<&OsStr>) -> Option<Self> {
        let program = |name: &str| {
            let file = format!("{name}{}", std::env::consts::EXE_SUFFIX);
            std::env::split_paths(search_path?).map(|folder| folder.join(&file)).find(|path| path.is_file())
        };
        Some(Self { ffmpeg: program("ffmpeg")?, ffprobe: program("ffprobe")? })
    }

    /// What the clip holds, and ffmpeg's name of its colour matrix where the stream tells none that it acts on.
    pub(super) fn probe(&self, path: &Path) -> Result<(ClipInfo, Option<&'static str>), Error> {
        let output = Command::new(&self.ffprobe)
            .args(["-v", "error", "-protocol_whitelist", "file", "-of", "json"])
            .args(["-show_streams", "-show_format", "-i"])
            .arg(file_url(path))
            .stdin(Stdio::null())
            .output()
            .map_err(Error::read(path))?;
        if !output.status.success() {
            return Err(ffmpeg_error(path, &String::from_utf8_lossy(&output.stderr)));
        }
        let probe: Probe = serde_json::from_slice(&output.stdout)
            .map_err(|error| ffmpeg_error(path, &format!("ffprobe's answer is unreadable: {error}")))?;
        let measured = if probe.needs_measuring() { self.measured_rate(path) } else { None };
        probe.describe(path, measured)
    }

    /// Frames a second of the first ten seconds, by the times of the packets. Browsers' recordings are `WebM` that says nothing of a rate.
    fn measured_rate(&self, path: &Path) -> Option<f64> {
        let output = Command::new(&self.ffprobe)
            .args(["-v", "error", "-protocol_whitelist", "file", "-select_streams", "v:0"])
            .args(["-read_intervals", "%+10", "-show_entries", "packet=pts_time", "-of", "csv=p=0", "-i"])
            .arg(file_url(path))
            .stdin(Stdio::null())
            .output()
            .ok()?;
        let text = String::from_utf8_lossy(&output.stdout);
        let times = text.lines().filter_map(|line| line.trim_end_matches(',').parse::<f64>().ok());
        let (count, first, last) = times.fold((0_u32, f64::MAX, f64::MIN), |(count, first, last), time| {
            (count + 1, first.min(time), last.max(time))
        });
        (count > 1 && last > first).then(|| f64::from(count - 1) / (last - first))
    }

    /// Writes the sound of `clip` from `start` on as AAC in mp4 to `target`, copying it where it is AAC already.
    pub(crate) fn extract_aac(
        &self,
        clip: &Path,
        start: Duration,
        duration: Option<Duration>,
        target: &Path,
    ) -> Result<(), Error> {
        let mut command = self.ffmpeg();
        command.arg("-ss").arg(seconds(start));
        if let Some(duration) = duration {
            command.arg("-t").arg(seconds(duration));
        }
        let output = command
            .arg("-i")
            .arg(file_url(clip))
            .args(["-map", "0:a:0", "-c:a", "aac", "-b:a", "160k", "-f", "mp4", "-y"])
            .arg(file_url(target))
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .output()
            .map_err(Error::read(clip))?;
        if output.status.success() {
            Ok(())
        } else {
            Err(ffmpeg_error(clip, &String::from_utf8_lossy(&output.stderr)))
        }
    }

    fn ffmpeg(&self) -> Command {
        let mut command = Command::new(&self.ffmpeg);
        command.args(["-nostdin", "-v", "error", "-protocol_whitelist", "file,pipe"]);
        command.stdin(Stdio::null());
        command
    }
}

/// With the scheme spelled out, a name with a colon is not taken for one.
fn file_url(path: &Path) -> OsString {
    let mut url = OsString::from("file:");
    url.push(path);
    url
}

fn seconds(duration: Duration) -> String {
    format!("{:.6}", duration.as_secs_f64())
}

fn ffmpeg_error(path: &Path, stderr: &str) -> Error {
    let message = stderr.lines().map(str::trim).rfind(|line| !line.is_empty()).unwrap_or("it gave no reason");
    Error::Ffmpeg { path: path.into(), message: message.into() }
}

#[derive(Deserialize)]
struct Probe {
    #[serde(default)]
    streams: Vec<Stream>,
    format: Format,
}

#[derive(Deserialize)]
struct Format {
    #[serde(default)]
    format_name: String,
    duration: Option<String>,
}

#[derive(Deserialize)]
struct Stream {
    codec_type: Option<String>,
    codec_name: Option<String>,
    width: Option<u32>,
    height: Option<u32>,
    sample_aspect_ratio: Option<String>,
    avg_frame_rate: Option<String>,
    r_frame_rate: Option<String>,
    nb_frames: Option<String>,
    duration: Option<String>,
    color_space: Option<String>,
    sample_rate: Option<String>,
    channels: Option<u16>,
    #[serde(default)]
    side_data_list: Vec<SideData>,
    #[serde(default)]
    disposition: Disposition,
}

#[derive(Deserialize)]
struct SideData {
    rotation: Option<f64>,
}

#[derive(Deserialize, Default)]
struct Disposition {
    #[serde(default)]
    attached_pic: u8,
}

impl Probe {
    /// Whether nothing says how many frames a second there are: ffprobe then names the clock's ticks as their rate.
    fn needs_measuring(&self) -> bool {
        let video = self.streams.iter().find(|stream| stream.codec_type.as_deref() == Some("video"));
        video.is_some_and(|video| ratio(video.avg_frame_rate.as_deref(), '/').is_none())
    }

    /// `measured`: frames a second, where the container says nothing of them.
    fn describe(self, path: &Path, measured: Option<f64>) -> Result<(ClipInfo, Option<&'static str>), Error> {
        let of_type = |kind: &'static str| {
            move |stream: &&Stream| {
                stream.codec_type.as_deref() == Some(kind) && stream.disposition.attached_pic == 0
            }
        };
        let audio = self.streams.iter().find(of_type("audio"));
        let Some(video) = self.streams.iter().find(of_type("video")) else {
            let only = if audio.is_some() { "sound" } else { "other data" };
            return Err(Error::NoVideo { path: path.into(), only });
        };
        let (Some(stored_width @ 1..), Some(stored_height @ 1..)) = (video.width, video.height) else {
            return Err(Error::damaged(path, "its pictures have no size"));
        };
        let rotation = video.rotation();
        let wide = f64::from(stored_width) * ratio(video.sample_aspect_ratio.as_deref(), ':').unwrap_or(1.0);
        let flat = (wide.round().clamp(1.0, 16384.0) as u32, stored_height);
        let (width, height) = if rotation % 180 == 90 { (flat.1, flat.0) } else { flat };
        if u64::from(width) * u64::from(height) > crate::photo::MAX_PIXELS {
            let fault = "are too many for a clip; scale it down".into();
            return Err(Error::Size { path: path.into(), width, height, fault });
        }
        let base = ratio(video.r_frame_rate.as_deref(), '/');
        let average = ratio(video.avg_frame_rate.as_deref(), '/').or(measured).or(base).unwrap_or(25.0);
        let duration = video.duration.as_ref().or(self.format.duration.as_ref());
        // Unspecified matrices of large pictures are BT.709 to players; ffmpeg takes BT.601.
        let untagged = video.color_space.as_deref().is_none_or(|space| space == "unknown");
        let matrix = (untagged && stored_height >= 720).then_some("bt709");
        let info = ClipInfo {
            container: self.format.format_name.split(',').next().unwrap_or_default().into(),
            codec: video.codec_name.clone().unwrap_or_else(|| "unknown".into()),
            decoder: "ffmpeg",
            width,
            height,
            fps: nearest_standard_rate(average).clamp(0.1, 240.0),
            variable_rate: base.is_some_and(|base| (base / average - 1.0).abs() > 0.02),
            duration: Duration::from_secs_f64(duration.and_then(|d| d.parse().ok()).map_or(0.0, finite)),
            frames: video.nb_frames.as_ref().and_then(|frames| frames.parse().ok()),
            rotation,
            audio: audio.map(|audio| AudioInfo {
                codec: audio.codec_name.clone().unwrap_or_else(|| "unknown".into()),
                sample_rate: audio.sample_rate.as_ref().and_then(|rate| rate.parse().ok()).unwrap_or(0),
                channels: audio.channels.unwrap_or(0),
            }),
        };
        Ok((info, matrix))
    }
}

fn finite(seconds: f64) -> f64 {
    if seconds.is_finite() { seconds.clamp(0.0, 1e9) } else { 0.0 }
}

impl Stream {
    /// Degrees clockwise; ffprobe counts counter-clockwise.
    fn rotation(&self) -> u32 {
        let counter_clockwise = self.side_data_list.iter().find_map(|data| data.rotation).unwrap_or(0.0);
        ((-counter_clockwise / 90.0).round() as i64 * 90).rem_euclid(360) as u32
    }
}

/// A positive ratio such as `30000/1001`.
fn ratio(text: Option<&str>, separator: char) -> Option<f64> {
    let (numerator, denominator) = text?.split_once(separator)?;
    let ratio = numerator.parse::<f64>().ok()? / denominator.parse::<f64>().ok()?;
    (ratio.is_finite() && ratio > 0.0).then_some(ratio)
}

/// A running ffmpeg.
pub(super) struct FfmpegSource {
    path: PathBuf,
    child: Child,
    pipe: ChildStdout,
    /// A file, not a pipe: nobody reads it while frames are read, and a full pipe would stop ffmpeg.
    stderr: File,
    size: (u32, u32),
    fps: f64,
    start: f64,
    frames: u64,
    ended: bool,
}

impl FfmpegSource {
    /// Starts ffmpeg on the selected range, with frames at `fps` per second.
    pub(super) fn start(
        ffmpeg: &Ffmpeg,
        path: &Path,
        info: &ClipInfo,
        range: &ReadOptions,
        fps: f64,
        matrix: Option<&str>,
    ) -> Result<Self, Error> {
        let stderr = tempfile::tempfile().map_err(Error::read(path))?;
        let mut command = ffmpeg.ffmpeg();
        command.arg("-ss").arg(seconds(range.start));
        if let Some(duration) = range.duration {
            command.arg("-t").arg(seconds(duration));
        }
        let from = matrix.map(|matrix| format!(":in_color_matrix={matrix}")).unwrap_or_default();
        let filter = format!("fps={fps:.9},scale={}:{}{from},setsar=1", info.width, info.height);
        let mut child = command
            .arg("-i")
            .arg(file_url(path))
            .args(["-map", "0:V:0", "-vf", &filter, "-f", "rawvideo", "-pix_fmt", "rgb24", "pipe:1"])
            .stdout(Stdio::piped())
            .stderr(stderr.try_clone().map_err(Error::read(path))?)
            .spawn()
            .map_err(Error::read(path))?;
        let pipe = child.stdout.take().expect("stdout was asked to be piped");
        Ok(Self {
            path: path.into(),
            child,
            pipe,
            stderr,
            size: (info.width, info.height),
            fps,
            start: range.start.as_secs_f64(),
            frames: 0,
            ended: false,
        })
    }

    /// After the end of the pipe: whether ffmpeg was content.
    fn check_exit(&mut self) -> Result<(), Error> {
        self.ended = true;
        if self.child.wait().map_err(Error::read(&self.path))?.success() {
            return Ok(());
        }
        let mut said = Vec::new();
        self.stderr
            .seek(SeekFrom::Start(0))
            .and_then(|_| (&self.stderr).take(1 << 16).read_to_end(&mut said))
            .map_err(Error::read(&self.path))?;
        Err(ffmpeg_error(&self.path, &String::from_utf8_lossy(&said)))
    }
}

impl Pictures for FfmpegSource {
    fn next(&mut self, image: &mut RgbImage) -> Result<Option<f64>, SourceError> {
        if self.ended {
            return Ok(None);
        }
        set_size(image, self.size.0, self.size.1);
        let mut filled = 0;
        while filled < image.len() {
            match self.pipe.read(&mut image.as_mut()[filled..]) {
                Ok(0) => break,
                Ok(read) => filled += read,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(cause) => return Err(Error::Read { path: self.path.clone(), cause }.into()),
            }
        }
        if filled < image.len() {
            self.check_exit()?;
            return Ok(None);
        }
        let time = self.start + self.frames as f64 / self.fps;
        self.frames += 1;
        Ok(Some(time))
    }
}

impl Drop for FfmpegSource {
    fn drop(&mut self) {
        if !self.ended {
            // It may have ended by itself; either way it must be waited for.
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_path_holds_no_programs() {
        assert!(Ffmpeg::find(Some(OsStr::new(""))).is_none());
        assert!(Ffmpeg::find(None).is_none());
    }

    #[test]
    fn ratios() {
        for (text, expected) in
            [("30000/1001", Some(30000.0 / 1001.0)), ("0/0", None), ("25/1", Some(25.0)), ("x", None)]
        {
            assert_eq!(ratio(Some(text), '/'), expected, "{text}");
        }
    }
}
