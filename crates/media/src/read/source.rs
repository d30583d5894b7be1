//! What every source of pictures has in common, and what is said of a clip.

use crate::{Budget, Error};
use image::RgbImage;
use serde::Serialize;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

/// Rate of a folder of pictures when none is given, in frames per second.
pub(crate) const FOLDER_FPS: f64 = 25.0;

/// Raised when nobody wants the rest of a clip any more.
pub(crate) type Stop = Arc<AtomicBool>;

/// Which part of a clip to read, how fast, and what it may cost.
#[derive(Debug, Clone, Copy, Default)]
pub struct ReadOptions {
    /// Where to start, from the beginning of the clip.
    pub start: Duration,
    /// How much to read; `None` reads to the end.
    pub duration: Option<Duration>,
    /// Output rate in frames per second, 0.1..=240; `None` takes the clip's own average rate. For a folder, which has
    /// no rate of its own, this is the rate its pictures were taken at (25 by default).
    pub fps: Option<f64>,
    /// What reading may cost; more is an error.
    pub budget: Budget,
}

/// What a clip holds.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ClipInfo {
    /// `mp4`, `gif`, `webp`, `folder`, `webm`, ...
    pub container: String,
    /// `h264`, `vp9`, ..., or the picture format.
    pub codec: String,
    /// What decodes it: `openh264`, `ffmpeg` or `pictures`.
    pub decoder: &'static str,
    /// Pixels across as displayed: after rotation and with square pixels.
    pub width: u32,
    /// Pixels down as displayed.
    pub height: u32,
    /// Average frames per second of the clip itself.
    pub fps: f64,
    /// Whether the spacing of the frames varies.
    pub variable_rate: bool,
    /// Length of the whole clip.
    #[serde(serialize_with = "as_seconds")]
    pub duration: Duration,
    /// Frames in the whole clip, where the container tells.
    pub frames: Option<u64>,
    /// Degrees clockwise (0, 90, 180, 270) by which the stored pictures are turned for display.
    pub rotation: u32,
    /// The first audio track.
    pub audio: Option<AudioInfo>,
}

/// The first audio track of a clip.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AudioInfo {
    /// `aac`, `opus`, ...
    pub codec: String,
    /// Samples per second.
    pub sample_rate: u32,
    /// 1 is mono, 2 stereo.
    pub channels: u16,
}

fn as_seconds<S: serde::Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(duration.as_secs_f64())
}

/// A stream of decoded pictures in display order.
pub(crate) trait Pictures: Send {
    /// Decodes the next picture into `image`, which takes its size, and returns its time in seconds from the beginning
    /// of the clip; `None` after the last. A source that may work for long ends with [`Error::Stopped`] soon after `stop`
    /// was raised.
    fn next(&mut self, image: &mut RgbImage, stop: &Stop) -> Result<Option<f64>, SourceError>;
}

/// Why a source stopped.
pub(crate) enum SourceError {
    /// The built-in decoder met a stream it cannot decode; another decoder may.
    Decoder(String),
    Fatal(Error),
}

impl From<Error> for SourceError {
    fn from(error: Error) -> Self {
        Self::Fatal(error)
    }
}

/// A source that has been opened, and what is known of the clip.
pub(crate) struct Opened {
    pub(crate) info: ClipInfo,
    pub(crate) source: Box<dyn Pictures>,
}

/// The rate that content is usually made at, where `fps` is within 0.05 % of one.
pub(crate) fn nearest_standard_rate(fps: f64) -> f64 {
    const NTSC: f64 = 1000.0 / 1001.0;
    let standard =
        [24.0 * NTSC, 24.0, 25.0, 30.0 * NTSC, 30.0, 48.0, 50.0, 60.0 * NTSC, 60.0, 12.0, 15.0, 10.0];
    standard.into_iter().find(|rate| (fps / rate - 1.0).abs() < 5e-4).unwrap_or(fps)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn standard_rates_are_recognised() {
        let cases = [(23.976, 24000.0 / 1001.0), (25.001, 25.0), (29.968, 30000.0 / 1001.0), (27.3, 27.3)];
        for (measured, expected) in cases {
            assert!((nearest_standard_rate(measured) - expected).abs() < 1e-9, "{measured}");
        }
    }
}
