//! Clips in: any container and codec, one constant frame rate out.
//!
//! [`ClipReader::open`] looks at the content and picks a source of pictures: the built-in H.264 decoder, the `ffmpeg`
//! program, an animation, or a folder. A source yields pictures in display order with their times; the reader lays
//! them on a grid of output frames. Each picture stands from the grid point nearest to its own time to the one
//! nearest to the next picture's, so a variable-rate clip is held or thinned and never drifts.

mod animation;
mod ffmpeg;
mod h264;
mod isolated;
mod key_frames;
mod mp4;
mod pictures;
mod process;
mod sample_table;
pub(crate) mod serve;
mod source;
mod sps;

use crate::sniff::{self, Container, Content};
use crate::{Error, Frame};
use ffmpeg::{Ffmpeg, FfmpegSource};
use h264::H264Source;
use image::RgbImage;
use source::{Opened, Pictures, SourceError, Stop};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

pub(crate) use animation::fuzz as fuzz_animation;
pub(crate) use ffmpeg::{Ffmpeg as FfmpegProgram, file_url};
pub use key_frames::key_frames;
pub(crate) use mp4::{Movie, Track};
pub use pictures::pictures_in;
pub(crate) use process::{keep_last, last_line};
pub(crate) use sample_table::Sample;
pub use source::{AudioInfo, ClipInfo, ReadOptions};
pub(crate) use sps::SequenceParameters;

/// Frame rates outside this range are refused.
const FPS_RANGE: std::ops::RangeInclusive<f64> = 0.1..=240.0;

/// ffmpeg may deliver this many times what a clip says of its length, and [`LONGER_SECONDS`] more: lengths are estimates.
const LONGER: f64 = 2.0;
const LONGER_SECONDS: f64 = 10.0;

/// A picture with the grid point at which it begins to be shown.
#[derive(Default)]
struct Placed {
    image: RgbImage,
    tick: i64,
}

/// Reads a clip as frames at a constant rate.
pub struct ClipReader {
    path: PathBuf,
    options: ReadOptions,
    info: ClipInfo,
    fps: f64,
    source: Box<dyn Pictures>,
    ffmpeg: Option<Ffmpeg>,
    /// The picture shown now; empty until the first one is decoded.
    current: Placed,
    /// The picture after it; `None` at the end of the source.
    next: Option<Placed>,
    spare: RgbImage,
    /// Grid point of the picture decoded last.
    decoded: Option<i64>,
    emitted: i64,
    expected: Option<i64>,
    /// Whether `expected` is exact, so that the last picture is held until then.
    exact: bool,
    stop: Stop,
}

impl ClipReader {
    /// Opens the video, animation or folder of pictures at `path`.
    pub fn open(path: &Path, options: &ReadOptions) -> Result<Self, Error> {
        Self::open_with(path, options, Ffmpeg::find(std::env::var_os("PATH").as_deref()))
    }

    fn open_with(path: &Path, options: &ReadOptions, ffmpeg: Option<Ffmpeg>) -> Result<Self, Error> {
        if let Some(fps) = options.fps.filter(|fps| !FPS_RANGE.contains(fps)) {
            let (least, most) = FPS_RANGE.into_inner();
            let what = format!("{fps} frames per second are not possible; choose {least} to {most}");
            return Err(Error::output(path, what));
        }
        let Opened { info, source } = open_source(path, options, ffmpeg.as_ref())?;
        let fps = options.fps.unwrap_or(info.fps);
        let expected = selected_frames(&info, options, fps);
        if expected == Some(0) {
            return Err(Error::NoFrames { path: path.into() });
        }
        if let Some(frames) = expected {
            options.budget.check_length(path, frames as f64 / fps)?;
            options.budget.check_frames(path, frames as u64)?;
        }
        let exact = info.decoder != "ffmpeg";
        Ok(Self {
            path: path.into(),
            options: *options,
            info,
            fps,
            source,
            ffmpeg,
            current: Placed::default(),
            next: None,
            spare: RgbImage::default(),
            decoded: None,
            emitted: 0,
            expected,
            exact,
            stop: Stop::default(),
        })
    }

    /// Makes [`ClipReader::read`] end with [`Error::Stopped`] soon after `flag` was raised, from any thread.
    pub fn stop_when(&mut self, flag: Arc<AtomicBool>) {
        self.stop = flag;
    }

    /// What the clip holds.
    pub fn info(&self) -> &ClipInfo {
        &self.info
    }

    /// The constant rate at which [`ClipReader::read`] returns frames, per second.
    pub fn fps(&self) -> f64 {
        self.fps
    }

    /// How many frames [`ClipReader::read`] will return, where the container tells: exact for the built-in decoders,
    /// an estimate for what ffmpeg decodes.
    pub fn expected_frames(&self) -> Option<u64> {
        self.expected.map(|frames| frames as u64)
    }

    /// Reads the next frame into `frame`, reusing its buffer. Returns `false`, and leaves `frame` alone, after the
    /// last one.
    pub fn read(&mut self, frame: &mut Frame) -> Result<bool, Error> {
        if self.exact && self.expected.is_some_and(|end| self.emitted >= end) {
            return Ok(false);
        }
        if self.decoded.is_none() {
            self.current = self.decode()?.ok_or_else(|| Error::NoFrames { path: self.path.clone() })?;
            self.next = self.decode()?;
        }
        while self.next.as_ref().is_some_and(|next| next.tick <= self.emitted) {
            self.advance()?;
        }
        if self.next.is_none() && !self.exact && self.emitted > self.current.tick.max(0) {
            return Ok(false);
        }
        self.check_delivered()?;
        let shown_again = self.next.as_ref().is_none_or(|next| next.tick > self.emitted + 1);
        if shown_again {
            frame.image.clone_from(&self.current.image);
        } else {
            std::mem::swap(&mut frame.image, &mut self.current.image);
        }
        frame.time = Duration::from_secs_f64(self.emitted as f64 / self.fps);
        self.emitted += 1;
        Ok(true)
    }

    /// Refuses what goes on beyond the budget, or far beyond what the clip says of itself.
    fn check_delivered(&self) -> Result<(), Error> {
        let seconds = self.emitted as f64 / self.fps;
        self.options.budget.check_length(&self.path, seconds)?;
        self.options.budget.check_frames(&self.path, self.emitted as u64)?;
        let told = self.info.duration.saturating_sub(self.options.start).as_secs_f64();
        if self.info.duration > Duration::ZERO && seconds > LONGER * told + LONGER_SECONDS {
            let told = self.info.duration.as_secs_f64();
            let what = format!("it goes on after {seconds:.1} s, and says that it lasts {told:.1} s");
            return Err(Error::damaged(&self.path, what));
        }
        Ok(())
    }

    fn advance(&mut self) -> Result<(), Error> {
        if let Some(next) = self.next.take() {
            self.spare = std::mem::replace(&mut self.current, next).image;
        }
        self.next = self.decode()?;
        Ok(())
    }

    fn decode(&mut self) -> Result<Option<Placed>, Error> {
        let mut image = std::mem::take(&mut self.spare);
        let time = match self.source.next(&mut image, &self.stop) {
            Ok(time) => time,
            Err(SourceError::Fatal(error)) => return Err(error),
            Err(SourceError::Decoder(reason)) => {
                self.fall_back(&reason)?;
                match self.source.next(&mut image, &self.stop) {
                    Ok(time) => time,
                    Err(SourceError::Fatal(error)) => return Err(error),
                    Err(SourceError::Decoder(reason)) => return Err(Error::damaged(&self.path, reason)),
                }
            }
        };
        let start = self.options.start.as_secs_f64();
        let tick = time.map(|time| ((time - start) * self.fps).round() as i64);
        self.decoded = tick.or(self.decoded);
        Ok(tick.map(|tick| Placed { image, tick }))
    }

    /// Lets the `ffmpeg` program take over where the built-in decoder stopped.
    fn fall_back(&mut self, reason: &str) -> Result<(), Error> {
        let done = self.decoded.map_or(0, |tick| tick.saturating_add(1).max(0));
        let Some(ffmpeg) = &self.ffmpeg else {
            return Err(if done == 0 {
                Error::FfmpegMissing {
                    path: self.path.clone(),
                    codec: format!("this H.264 stream ({reason})"),
                }
            } else {
                Error::damaged(&self.path, format!("{reason} after {:.2} s", done as f64 / self.fps))
            });
        };
        tracing::debug!(path = %self.path.display(), reason, "openh264 gave up, ffmpeg takes over");
        let lead = Duration::from_secs_f64(done as f64 / self.fps);
        let rest = ReadOptions {
            start: self.options.start + lead,
            duration: self.options.duration.map(|duration| duration.saturating_sub(lead)),
            fps: None,
            budget: self.options.budget,
        };
        // Only the built-in H.264 decoder gives up.
        let container = Container::Mp4;
        let source = FfmpegSource::start(ffmpeg, &self.path, container, &self.info, &rest, self.fps, None)?;
        self.source = Box::new(source);
        self.info.decoder = "ffmpeg";
        Ok(())
    }
}

/// Number of output frames of the selected range, at the clip's duration as far as it is known.
fn selected_frames(info: &ClipInfo, options: &ReadOptions, fps: f64) -> Option<i64> {
    let available = (info.duration > Duration::ZERO).then(|| info.duration.saturating_sub(options.start));
    let selected = match (available, options.duration) {
        (Some(available), Some(wanted)) => available.min(wanted),
        (Some(available), None) => available,
        (None, _) => return None,
    };
    Some((selected.as_secs_f64() * fps).round() as i64)
}

fn open_source(path: &Path, options: &ReadOptions, ffmpeg: Option<&Ffmpeg>) -> Result<Opened, Error> {
    if let Some(isolation) = crate::isolation::in_force() {
        return isolated::open(isolation, path, options);
    }
    let container = match sniff::content(path)? {
        Content::Folder => return pictures::open(path, options),
        Content::Photo => {
            return Err(Error::Format { path: path.into(), what: "is a still picture, not a clip".into() });
        }
        Content::Clip(container) => container,
    };
    match container {
        Container::Mp4 => open_mp4(path, options, ffmpeg),
        Container::AnimatedGif | Container::AnimatedWebP => animation::open(path, container, &options.budget),
        Container::Other(name) => open_with_ffmpeg(path, container, options, ffmpeg, name),
    }
}

fn open_mp4(path: &Path, options: &ReadOptions, ffmpeg: Option<&Ffmpeg>) -> Result<Opened, Error> {
    let mut movie = Movie::open(path, &options.budget)?;
    let Some(video) = movie.video.as_ref() else {
        let only = if movie.audio.is_some() { "sound" } else { "other data" };
        return Err(Error::NoVideo { path: path.into(), only });
    };
    if movie.fragmented || !video.plain_edits {
        return open_with_ffmpeg(path, Container::Mp4, options, ffmpeg, "a fragmented or edited mp4");
    }
    if video.samples.is_empty() {
        return Err(Error::NoFrames { path: path.into() });
    }
    match H264Source::open(path, &mut movie, options.start, &options.budget)? {
        Ok((info, source)) => Ok(Opened { info, source: Box::new(source) }),
        Err(codec) => open_with_ffmpeg(path, Container::Mp4, options, ffmpeg, &codec),
    }
}

fn open_with_ffmpeg(
    path: &Path,
    container: Container,
    options: &ReadOptions,
    ffmpeg: Option<&Ffmpeg>,
    codec: &str,
) -> Result<Opened, Error> {
    let Some(ffmpeg) = ffmpeg else {
        return Err(Error::FfmpegMissing { path: path.into(), codec: codec.into() });
    };
    let (info, matrix) = ffmpeg.probe(path, container, &options.budget)?;
    let fps = options.fps.unwrap_or(info.fps);
    let source = FfmpegSource::start(ffmpeg, path, container, &info, options, fps, matrix)?;
    Ok(Opened { info, source: Box::new(source) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn a_missing_ffmpeg_is_named_with_the_codec_and_the_way_out() {
        let folder = tempfile::tempdir().unwrap();
        let clip = folder.path().join("clip.mp4");
        fs::write(&clip, b"\x1a\x45\xdf\xa3\x9f\x42\x86\x81\x01\x42\x82\x84webm").unwrap();
        let error = ClipReader::open_with(&clip, &ReadOptions::default(), None).err().unwrap();
        assert!(matches!(&error, Error::FfmpegMissing { codec, .. } if codec == "webm"), "{error}");
        let message = error.to_string();
        assert!(message.contains("install ffmpeg") && !message.contains('\n'), "{message}");
    }
}
