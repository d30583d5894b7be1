//! A clip that is decoded by a child process: see [`isolation`](crate::isolation).
//!
//! The child reads the clip with a [`ClipReader`](crate::ClipReader) of its own and sends frames at the output rate, so
//! that the reader on this side finds each of them on its grid already. The pipe's size is all that is ever decoded ahead.

use super::h264::set_size;
use super::source::{AudioInfo, ClipInfo, Opened, Pictures, ReadOptions, SourceError, Stop};
use crate::isolation::{Isolation, Running, is_possible_size, tag};
use crate::{Budget, Error};
use image::RgbImage;
use serde::{Deserialize, Serialize};
use std::ffi::{OsStr, OsString};
use std::io::Read;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// How long the child may take to say what the clip holds.
const OPEN_WITHIN: Duration = Duration::from_secs(30);
/// How long it may take for one frame.
const FRAME_WITHIN: Duration = Duration::from_secs(20);
/// Largest description of a clip, bytes.
const LARGEST_HEADER: usize = 16 << 10;

/// [`ClipInfo`] on the pipe.
#[derive(Serialize, Deserialize)]
pub(super) struct Header {
    container: String,
    codec: String,
    decoder: String,
    size: (u32, u32),
    fps: f64,
    variable_rate: bool,
    /// Seconds.
    duration: f64,
    frames: Option<u64>,
    rotation: u32,
    /// Codec, samples per second, channels.
    audio: Option<(String, u32, u16)>,
}

impl From<&ClipInfo> for Header {
    fn from(info: &ClipInfo) -> Self {
        Self {
            container: info.container.clone(),
            codec: info.codec.clone(),
            decoder: info.decoder.to_owned(),
            size: (info.width, info.height),
            fps: info.fps,
            variable_rate: info.variable_rate,
            duration: info.duration.as_secs_f64(),
            frames: info.frames,
            rotation: info.rotation,
            audio: info.audio.as_ref().map(|a| (a.codec.clone(), a.sample_rate, a.channels)),
        }
    }
}

impl Header {
    /// `None` when it is none that a reader makes.
    fn info(self) -> Option<ClipInfo> {
        let (width, height) = self.size;
        let decoder = ["openh264", "pictures"].into_iter().find(|known| *known == self.decoder);
        is_possible_size(width, height).then_some(())?;
        (self.fps.is_finite() && self.fps > 0.0).then_some(())?;
        Some(ClipInfo {
            container: self.container,
            codec: self.codec,
            decoder: decoder.unwrap_or("ffmpeg"),
            width,
            height,
            fps: self.fps,
            variable_rate: self.variable_rate,
            duration: Duration::try_from_secs_f64(self.duration).ok()?,
            frames: self.frames,
            rotation: self.rotation,
            audio: self.audio.map(|(codec, sample_rate, channels)| AudioInfo {
                codec,
                sample_rate,
                channels,
            }),
        })
    }
}

/// A child that decodes a clip.
struct ChildSource {
    running: Running,
    start: f64,
    fps: f64,
    frames: u64,
    ended: bool,
}

/// Has a child decode the selected range of the clip at `path`.
pub(super) fn open(isolation: &Isolation, path: &Path, options: &ReadOptions) -> Result<Opened, Error> {
    let mut running = Running::start(isolation, "clip", path, &to_arguments(options))?;
    let header = running.answer(OPEN_WITHIN, LARGEST_HEADER)?;
    let header = serde_json::from_slice::<Header>(&header).ok();
    let info = header.and_then(Header::info).ok_or_else(|| running.nonsense())?;
    let fps = options.fps.unwrap_or(info.fps);
    let start = options.start.as_secs_f64();
    let source = ChildSource { running, start, fps, frames: 0, ended: false };
    Ok(Opened { info, source: Box::new(source) })
}

impl Pictures for ChildSource {
    fn next(&mut self, image: &mut RgbImage, stop: &Stop) -> Result<Option<f64>, SourceError> {
        if self.ended {
            return Ok(None);
        }
        self.running.stop_when(stop);
        self.receive(image).map_err(|error| {
            let stopped = stop.load(Ordering::Relaxed);
            if stopped { Error::Stopped { path: self.running.path().to_owned() } } else { error }.into()
        })
    }
}

impl ChildSource {
    fn receive(&mut self, image: &mut RgbImage) -> Result<Option<f64>, Error> {
        let (kind, size) = self.running.message(FRAME_WITHIN, 8)?;
        if kind == tag::END {
            self.ended = true;
            return Ok(None);
        }
        let size = <[u8; 8]>::try_from(size).ok().filter(|_| kind == tag::FRAME);
        let size = size.map(u64::from_le_bytes);
        let size = size.map(|size| (size as u32, (size >> 32) as u32));
        let Some((width, height)) = size.filter(|(width, height)| is_possible_size(*width, *height)) else {
            return Err(self.running.nonsense());
        };
        set_size(image, width, height);
        self.running.read(FRAME_WITHIN, |pipe| pipe.read_exact(image.as_mut()))?;
        let time = self.start + self.frames as f64 / self.fps;
        self.frames += 1;
        Ok(Some(time))
    }
}

fn to_arguments(options: &ReadOptions) -> [OsString; 3] {
    let or_none = |number: Option<String>| OsString::from(number.unwrap_or_else(|| "-".to_owned()));
    [
        options.start.as_nanos().to_string().into(),
        or_none(options.duration.map(|duration| duration.as_nanos().to_string())),
        or_none(options.fps.map(|fps| format!("{fps:?}"))),
    ]
}

/// The options of [`to_arguments`]; `None` when they are not such.
pub(super) fn from_arguments(arguments: &[OsString]) -> Option<ReadOptions> {
    let [start, duration, fps] = arguments else { return None };
    let time = |text: &OsStr| text.to_str()?.parse().ok().map(Duration::from_nanos);
    let said = |text: &OsString| (text != "-").then(|| text.clone());
    let duration = match said(duration) {
        Some(text) => Some(time(&text)?),
        None => None,
    };
    let fps = match said(fps) {
        Some(text) => Some(text.to_str()?.parse().ok()?),
        None => None,
    };
    Some(ReadOptions { start: time(start)?, duration, fps, budget: Budget::for_uploads() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_survive_the_command_line() {
        let all = ReadOptions {
            start: Duration::from_nanos(1_234_567_891),
            duration: Some(Duration::from_millis(40)),
            fps: Some(30000.0 / 1001.0),
            ..ReadOptions::default()
        };
        for options in [ReadOptions::default(), all] {
            let read = from_arguments(&to_arguments(&options)).unwrap();
            assert_eq!((read.start, read.duration, read.fps), (options.start, options.duration, options.fps));
        }
        for wrong in [&["1"][..], &["1", "-", "x"], &["x", "-", "-"], &["1", "x", "-"]] {
            let wrong: Vec<OsString> = wrong.iter().map(OsString::from).collect();
            assert!(from_arguments(&wrong).is_none(), "{wrong:?}");
        }
    }

    #[test]
    fn headers_that_no_reader_makes_are_refused() {
        let header = |size: (u32, u32), fps: f64, duration: f64| Header {
            container: "mp4".into(),
            codec: "h264".into(),
            decoder: "openh264".into(),
            size,
            fps,
            variable_rate: false,
            duration,
            frames: None,
            rotation: 0,
            audio: None,
        };
        assert_eq!(header((64, 48), 25.0, 1.0).info().map(|info| info.decoder), Some("openh264"));
        for wrong in [
            header((0, 48), 25.0, 1.0),
            header((u32::MAX, u32::MAX), 25.0, 1.0),
            header((64, 48), f64::NAN, 1.0),
            header((64, 48), -1.0, 1.0),
            header((64, 48), 25.0, -1.0),
            header((64, 48), 25.0, f64::INFINITY),
        ] {
            assert!(wrong.info().is_none());
        }
    }
}
