//! Animated GIF and WebP as clips.
//!
//! The image crate's frame iterators cannot move between threads, so one thread decodes and hands frames over, at
//! most two ahead.

use super::{ClipInfo, Opened, Pictures, SourceError, nearest_standard_rate};
use crate::photo::rgba_on_white;
use crate::sniff::Container;
use crate::{Error, photo};
use image::codecs::gif::GifDecoder;
use image::codecs::webp::WebPDecoder;
use image::{AnimationDecoder, Frame, Frames, ImageDecoder, ImageError, ImageResult, Limits, RgbImage};
use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;
use std::time::Duration;

/// What browsers make of a delay of zero or nearly so, in seconds.
const DEFAULT_DELAY: f64 = 0.1;
const SHORTEST_DELAY: f64 = 0.011;

struct Animation {
    path: PathBuf,
    frames: Receiver<ImageResult<(RgbImage, f64)>>,
    time: f64,
}

pub(super) fn open(path: &Path, container: Container) -> Result<Opened, Error> {
    let (width, height) = dimensions(path, container)?;
    photo::check_size(path, width, height)?;
    let mut delays = Vec::new();
    for frame in frames(path, container).map_err(|e| decode_error(path, &e))? {
        match frame {
            Ok(frame) => delays.push(delay(&frame)),
            // A file that ends early still shows what came before.
            Err(_) if !delays.is_empty() => break,
            Err(error) => return Err(decode_error(path, &error)),
        }
    }
    let duration: f64 = delays.iter().sum();
    if duration <= 0.0 {
        return Err(Error::NoFrames { path: path.into() });
    }
    let mean = duration / delays.len() as f64;
    let name = if container == Container::AnimatedGif { "gif" } else { "webp" };
    let info = ClipInfo {
        container: name.into(),
        codec: name.into(),
        decoder: "pictures",
        width,
        height,
        fps: nearest_standard_rate(1.0 / mean),
        variable_rate: delays.iter().any(|delay| (delay / mean - 1.0).abs() > 0.3),
        duration: Duration::from_secs_f64(duration),
        frames: Some(delays.len() as u64),
        rotation: 0,
        audio: None,
    };
    let source = Animation { path: path.into(), frames: decode_in_thread(path, container), time: 0.0 };
    Ok(Opened { info, source: Box::new(source) })
}

fn decode_in_thread(path: &Path, container: Container) -> Receiver<ImageResult<(RgbImage, f64)>> {
    let (sender, receiver) = sync_channel(1);
    let path = path.to_path_buf();
    thread::spawn(move || {
        let decoded = match frames(&path, container) {
            Ok(decoded) => decoded,
            Err(error) => {
                // A closed channel means that the reader is gone; then the error concerns nobody.
                let _ = sender.send(Err(error));
                return;
            }
        };
        for frame in decoded {
            let frame = frame.map(|frame| {
                let delay = delay(&frame);
                (rgba_on_white(&frame.into_buffer()), delay)
            });
            if sender.send(frame).is_err() {
                return;
            }
        }
    });
    receiver
}

impl Pictures for Animation {
    fn next(&mut self, image: &mut RgbImage) -> Result<Option<f64>, SourceError> {
        let Ok(frame) = self.frames.recv() else { return Ok(None) };
        match frame {
            Ok((picture, delay)) => {
                *image = picture;
                let time = self.time;
                self.time += delay;
                Ok(Some(time))
            }
            Err(_) if self.time > 0.0 => Ok(None),
            Err(error) => Err(SourceError::Fatal(decode_error(&self.path, &error))),
        }
    }
}

fn reader(path: &Path) -> ImageResult<BufReader<File>> {
    Ok(BufReader::new(File::open(path)?))
}

fn dimensions(path: &Path, container: Container) -> Result<(u32, u32), Error> {
    let dimensions = || -> ImageResult<(u32, u32)> {
        Ok(match container {
            Container::AnimatedGif => GifDecoder::new(reader(path)?)?.dimensions(),
            _ => WebPDecoder::new(reader(path)?)?.dimensions(),
        })
    };
    dimensions().map_err(|error| decode_error(path, &error))
}

fn frames(path: &Path, container: Container) -> ImageResult<Frames<'static>> {
    let mut limits = Limits::default();
    limits.max_alloc = Some(photo::MAX_PIXELS * 8);
    Ok(match container {
        Container::AnimatedGif => {
            let mut decoder = GifDecoder::new(reader(path)?)?;
            decoder.set_limits(limits)?;
            decoder.into_frames()
        }
        _ => WebPDecoder::new(reader(path)?)?.into_frames(),
    })
}

fn delay(frame: &Frame) -> f64 {
    let (numerator, denominator) = frame.delay().numer_denom_ms();
    let seconds = f64::from(numerator) / f64::from(denominator.max(1)) / 1000.0;
    if seconds < SHORTEST_DELAY { DEFAULT_DELAY } else { seconds }
}

fn decode_error(path: &Path, error: &ImageError) -> Error {
    Error::damaged(path, error.to_string().replace('\n', " "))
}
