//! Animated GIF and WebP as clips.
//!
//! Sizes and times come from the headers, see the `outline` module. The image crate's frame iterators cannot move
//! between threads, so one thread decodes and hands frames over, at most two ahead.

use super::source::{ClipInfo, Opened, Pictures, SourceError, Stop, nearest_standard_rate};
use crate::outline::{self, Outline, bad_frame, shown_for};
use crate::photo::{guarded, rgba_on_white};
use crate::sniff::{Container, open_regular};
use crate::{Budget, Error, POLL_INTERVAL, photo};
use image::codecs::gif::GifDecoder;
use image::codecs::webp::WebPDecoder;
use image::{AnimationDecoder, Frame, Frames, ImageDecoder, ImageResult, Limits, RgbImage};
use std::fs::File;
use std::io::{BufRead, BufReader, Cursor, Seek};
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

/// What the decoding thread says. A channel that closes without [`Message::End`] means that it died.
enum Message {
    Frame(RgbImage, f64),
    Fault(String),
    End,
}

struct Animation {
    path: PathBuf,
    messages: Receiver<Message>,
    /// Frames that the headers announce.
    frames: usize,
    decoded: usize,
    time: f64,
    ended: bool,
}

pub(super) fn open(path: &Path, container: Container, budget: &Budget) -> Result<Opened, Error> {
    let file = open_regular(path)?;
    let bytes = file.metadata().map_err(Error::read(path))?.len();
    if bytes > budget.animation_bytes {
        let most = budget.animation_bytes / 1_000_000;
        let what = format!("is larger than {most} MB; cut it or convert it to mp4");
        return Err(Error::limit(path, what));
    }
    let mut file = BufReader::new(file);
    let (name, outline) = match container {
        Container::AnimatedGif => ("gif", outline::gif(path, &mut file, budget)?),
        _ => ("webp", outline::webp(path, &mut file, budget)?),
    };
    let Outline { width, height, delays } = outline;
    photo::check_size(path, width, height, budget.clip_pixels)?;
    let duration: f64 = delays.iter().sum();
    let mean = duration / delays.len() as f64;
    let info = ClipInfo {
        container: name.into(),
        codec: name.into(),
        decoder: "pictures",
        width,
        height,
        fps: nearest_standard_rate(1.0 / mean).clamp(0.1, 240.0),
        variable_rate: delays.iter().any(|delay| (delay / mean - 1.0).abs() > 0.3),
        duration: Duration::from_secs_f64(duration),
        frames: Some(delays.len() as u64),
        rotation: 0,
        audio: None,
    };
    let messages = decode_in_thread(path, container, budget.queue(width, height, 1))?;
    let source =
        Animation { path: path.into(), messages, frames: delays.len(), decoded: 0, time: 0.0, ended: false };
    Ok(Opened { info, source: Box::new(source) })
}

fn decode_in_thread(path: &Path, container: Container, queue: usize) -> Result<Receiver<Message>, Error> {
    let (sender, receiver) = sync_channel(queue);
    let file = path.to_path_buf();
    thread::Builder::new()
        .name("animation".into())
        // When nobody receives any more, nobody wants the rest.
        .spawn(move || decode_all(&file, container, &sender).unwrap_or_default())
        .map_err(Error::read(path))?;
    Ok(receiver)
}

/// `None` when the receiver is gone.
fn decode_all(path: &Path, container: Container, sender: &SyncSender<Message>) -> Option<()> {
    let opened = File::open(path).map_err(|error| error.to_string()).and_then(|file| {
        guarded(|| frames(BufReader::new(file), container))?.map_err(|error| error.to_string())
    });
    let mut decoded = match opened {
        Ok(decoded) => decoded,
        Err(error) => return sender.send(Message::Fault(error)).ok(),
    };
    loop {
        let frame = guarded(|| decoded.next()).map(|next| next.map(|frame| frame.map_err(|e| e.to_string())));
        match frame {
            Ok(Some(Ok(frame))) => {
                let delay = delay(&frame);
                sender.send(Message::Frame(rgba_on_white(&frame.into_buffer()), delay)).ok()?;
            }
            Ok(Some(Err(error))) | Err(error) => return sender.send(Message::Fault(error)).ok(),
            Ok(None) => return sender.send(Message::End).ok(),
        }
    }
}

impl Animation {
    fn receive(&self, stop: &Stop) -> Result<Message, Error> {
        loop {
            if stop.load(Ordering::Relaxed) {
                return Err(Error::Stopped { path: self.path.clone() });
            }
            match self.messages.recv_timeout(POLL_INTERVAL) {
                Ok(message) => return Ok(message),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    let what = format!("decoding died at frame {}", self.decoded + 1);
                    return Err(Error::Internal { path: self.path.clone(), what });
                }
            }
        }
    }
}

impl Pictures for Animation {
    fn next(&mut self, image: &mut RgbImage, stop: &Stop) -> Result<Option<f64>, SourceError> {
        if self.ended {
            return Ok(None);
        }
        let bad_frame = |what: &str| bad_frame(&self.path, self.decoded, self.time, what).into();
        match self.receive(stop)? {
            Message::Frame(picture, delay) => {
                *image = picture;
                let time = self.time;
                self.time += delay;
                self.decoded += 1;
                Ok(Some(time))
            }
            Message::Fault(error) => {
                let error = error.replace('\n', " ");
                Err(bad_frame(&format!("cannot be decoded ({error})")))
            }
            Message::End if self.decoded < self.frames => Err(bad_frame("is missing")),
            Message::End => {
                self.ended = true;
                Ok(None)
            }
        }
    }
}

fn frames<'a>(file: impl BufRead + Seek + 'a, container: Container) -> ImageResult<Frames<'a>> {
    let mut limits = Limits::default();
    limits.max_alloc = Some(photo::MAX_PIXELS * 8);
    Ok(match container {
        Container::AnimatedGif => {
            let mut decoder = GifDecoder::new(file)?;
            decoder.set_limits(limits)?;
            decoder.into_frames()
        }
        _ => WebPDecoder::new(file)?.into_frames(),
    })
}

/// Decodes all frames of an animation whose headers are within the budget.
pub(crate) fn fuzz(bytes: &[u8], container: Container, budget: &Budget) {
    let (path, mut file) = (Path::new("fuzz"), Cursor::new(bytes));
    let outline = match container {
        Container::AnimatedGif => outline::gif(path, &mut file, budget),
        _ => outline::webp(path, &mut file, budget),
    };
    file.set_position(0);
    if let Ok(outline) = outline
        && let Ok(Ok(mut decoded)) = guarded(|| frames(file, container))
    {
        let next = || guarded(|| decoded.next()).ok().flatten().and_then(Result::ok);
        let decoded = std::iter::from_fn(next).count();
        assert!(decoded <= outline.delays.len(), "frames that no header announced");
    }
}

fn delay(frame: &Frame) -> f64 {
    let (numerator, denominator) = frame.delay().numer_denom_ms();
    shown_for(f64::from(numerator) / f64::from(denominator.max(1)) / 1000.0)
}
