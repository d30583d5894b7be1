//! Everything the built-in decoder does not know, through the `ffmpeg` and `ffprobe` programs.
//!
//! ffmpeg runs as a child process and writes raw RGB frames at the output rate into a pipe; what the pipe and a few
//! chunks hold is all that is ever decoded ahead. It may open files and nothing else (`-protocol_whitelist`), and only
//! as the container that the content was recognised as (`-format_whitelist`): a playlist in disguise cannot make it
//! fetch addresses or read other files. Its pictures (`-max_pixels`), its time and the length of what it delivers are
//! bounded by the budget. Tested with ffmpeg 5.1.

use super::h264::set_size;
use super::process::{Process, Timeouts};
use super::source::{AudioInfo, ClipInfo, Pictures, ReadOptions, SourceError, Stop, nearest_standard_rate};
use crate::sniff::Container;
use crate::{Budget, Error};
use image::RgbImage;
use serde::Deserialize;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// Most bytes of an answer of ffprobe: some thousand streams.
const PROBE_BYTES: usize = 4_000_000;
/// Most bytes of packet times: some ten thousand packets a second, more than any clip has.
const TIMES_BYTES: usize = 1_000_000;
/// Longest time for bringing a clip's sound to AAC.
const SOUND_TIME: Duration = Duration::from_mins(10);
/// Largest AAC file that is made of a clip's sound: more than twelve hours.
const SOUND_BYTES: &str = "1000000000";
/// Above this many pixels of a picture ffmpeg decodes on few threads, each of which holds pictures of its own.
const LARGE_PICTURE: u64 = 4096 * 2304;
const THREADS_FOR_LARGE: &str = "2";

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
    pub(super) fn probe(
        &self,
        path: &Path,
        container: Container,
        budget: &Budget,
    ) -> Result<(ClipInfo, Option<&'static str>), Error> {
        let mut command = self.ffprobe(container, budget);
        command.args(["-of", "json", "-show_streams", "-show_format", "-i"]).arg(file_url(path));
        let answer = Process::start(command, path, budget.into())?.read_all(PROBE_BYTES)?;
        let answer = answer.ok_or_else(|| ffmpeg_error(path, "ffprobe says more than a clip can hold"))?;
        let probe: Probe = serde_json::from_slice(&answer)
            .map_err(|error| ffmpeg_error(path, &format!("ffprobe's answer is unreadable: {error}")))?;
        let measured =
            if probe.needs_measuring() { self.measured_rate(path, container, budget) } else { None };
        probe.describe(path, measured, budget)
    }

    /// Frames a second of the first ten seconds, by the times of the packets. Browsers' recordings are `WebM` that says nothing of a rate.
    fn measured_rate(&self, path: &Path, container: Container, budget: &Budget) -> Option<f64> {
        let mut command = self.ffprobe(container, budget);
        command
            .args(["-select_streams", "v:0", "-read_intervals", "%+10"])
            .args(["-show_entries", "packet=pts_time", "-of", "csv=p=0", "-i"])
            .arg(file_url(path));
        let answer = Process::start(command, path, budget.into()).ok()?.read_all(TIMES_BYTES).ok()??;
        let text = String::from_utf8_lossy(&answer);
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
        container: Container,
        start: Duration,
        duration: Option<Duration>,
        target: &Path,
    ) -> Result<(), Error> {
        let budget = Budget::default();
        let mut command = self.ffmpeg(container, &budget);
        command
            .arg("-ss")
            .arg(seconds(start))
            .arg("-t")
            .arg(seconds(duration.unwrap_or(budget.length).min(budget.length)))
            .arg("-i")
            .arg(file_url(clip))
            .args(["-map", "0:a:0", "-c:a", "aac", "-b:a", "160k", "-fs", SOUND_BYTES])
            .args(["-progress", "pipe:1", "-f", "mp4", "-y"])
            .arg(file_url(target));
        let timeouts = Timeouts { answer: budget.answer_time, total: SOUND_TIME };
        Process::start(command, clip, timeouts)?.watch()
    }

    /// ffmpeg, to be given what comes through its standard input.
    pub(crate) fn encoder(&self) -> Command {
        let mut command = Command::new(&self.ffmpeg);
        command.args(["-nostdin", "-v", "error", "-protocol_whitelist", "file,pipe"]);
        command
    }

    fn ffmpeg(&self, container: Container, budget: &Budget) -> Command {
        let mut command = Command::new(&self.ffmpeg);
        command.args(["-nostdin", "-v", "error", "-protocol_whitelist", "file,pipe"]);
        restrict(&mut command, container, budget);
        command
    }

    fn ffprobe(&self, container: Container, budget: &Budget) -> Command {
        let mut command = Command::new(&self.ffprobe);
        command.args(["-v", "error", "-protocol_whitelist", "file"]);
        restrict(&mut command, container, budget);
        command
    }
}

/// Input options: only the demuxers of this container, and no larger pictures than the budget allows.
fn restrict(command: &mut Command, container: Container, budget: &Budget) {
    command.args(["-format_whitelist", demuxers(container)]);
    command.arg("-max_pixels").arg(budget.clip_pixels.to_string());
}

/// ffmpeg's names for what the content was recognised as.
fn demuxers(container: Container) -> &'static str {
    match container {
        Container::Mp4 => "mov",
        Container::AnimatedGif => "gif",
        Container::AnimatedWebP => "webp",
        Container::Other(name) => match name {
            "webm" | "mkv" => "matroska",
            "mpg" => "mpeg,mpegvideo",
            "wmv" => "asf",
            "ts" => "mpegts",
            same => same,
        },
    }
}

/// With the scheme spelled out, a name with a colon is not taken for one.
pub(crate) fn file_url(path: &Path) -> OsString {
    let mut url = OsString::from("file:");
    url.push(path);
    url
}

fn seconds(duration: Duration) -> String {
    format!("{:.6}", duration.as_secs_f64())
}

fn ffmpeg_error(path: &Path, message: &str) -> Error {
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
    fn describe(
        self,
        path: &Path,
        measured: Option<f64>,
        budget: &Budget,
    ) -> Result<(ClipInfo, Option<&'static str>), Error> {
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
        budget.check_clip_size(path, stored_width, stored_height)?;
        budget.check_clip_size(path, width, height)?;
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
    process: Process,
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
        container: Container,
        info: &ClipInfo,
        range: &ReadOptions,
        fps: f64,
        matrix: Option<&str>,
    ) -> Result<Self, Error> {
        let mut command = ffmpeg.ffmpeg(container, &range.budget);
        if u64::from(info.width) * u64::from(info.height) > LARGE_PICTURE {
            command.args(["-threads", THREADS_FOR_LARGE]);
        }
        command.arg("-ss").arg(seconds(range.start));
        if let Some(duration) = range.duration {
            command.arg("-t").arg(seconds(duration));
        }
        let from = matrix.map(|matrix| format!(":in_color_matrix={matrix}")).unwrap_or_default();
        let filter = format!("fps={fps:.9},scale={}:{}{from},setsar=1", info.width, info.height);
        command
            .arg("-i")
            .arg(file_url(path))
            .args(["-map", "0:V:0", "-vf", &filter, "-f", "rawvideo", "-pix_fmt", "rgb24", "pipe:1"]);
        Ok(Self {
            process: Process::start(command, path, (&range.budget).into())?,
            size: (info.width, info.height),
            fps,
            start: range.start.as_secs_f64(),
            frames: 0,
            ended: false,
        })
    }
}

impl Pictures for FfmpegSource {
    fn next(&mut self, image: &mut RgbImage, stop: &Stop) -> Result<Option<f64>, SourceError> {
        if self.ended {
            return Ok(None);
        }
        set_size(image, self.size.0, self.size.1);
        if self.process.fill(image, stop)? < image.len() {
            self.ended = true;
            self.process.end(stop)?;
            return Ok(None);
        }
        let time = self.start + self.frames as f64 / self.fps;
        self.frames += 1;
        Ok(Some(time))
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

    /// ffprobe alone would follow each of these to the other file.
    #[test]
    fn playlists_in_disguise_are_not_followed() {
        let Some(ffmpeg) = Ffmpeg::find(std::env::var_os("PATH").as_deref()) else {
            println!("skipped: ffmpeg is not on PATH");
            return;
        };
        let folder = tempfile::tempdir().unwrap();
        let secret = folder.path().join("secret.bmp");
        RgbImage::new(64, 64).save(&secret).unwrap();
        let secret = secret.display();
        let playlists = [
            format!("ffconcat version 1.0\nfile {secret}\n"),
            format!("#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{secret}\n#EXT-X-ENDLIST\n"),
            format!(
                "<?xml version=\"1.0\"?><MPD xmlns=\"urn:mpeg:dash:schema:mpd:2011\" type=\"static\"><Period>\
                 <AdaptationSet mimeType=\"video/mp4\"><Representation id=\"1\"><BaseURL>{secret}</BaseURL>\
                 </Representation></AdaptationSet></Period></MPD>"
            ),
        ];
        for (number, playlist) in playlists.iter().enumerate() {
            let path = folder.path().join(format!("{number}.webm"));
            std::fs::write(&path, playlist).unwrap();
            for container in [Container::Other("webm"), Container::Mp4, Container::Other("ts")] {
                let probed = ffmpeg.probe(&path, container, &Budget::default());
                let message = probed.unwrap_err().to_string();
                assert!(message.contains("ffmpeg cannot decode it"), "{message}");
                let sound = folder.path().join("sound.mp4");
                let extracted = ffmpeg.extract_aac(&path, container, Duration::ZERO, None, &sound);
                assert!(extracted.is_err(), "{playlist}");
            }
        }
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
