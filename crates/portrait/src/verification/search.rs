//! Looks for the invisible mark in a picture or a clip, in bounded time.
//!
//! A mark is often only in a part of a clip: black before it, another film around it. So a long clip is looked at
//! in short runs of frames that are spread over all of it and begin at key frames, where decoding starts at once and
//! compression leaves most of the mark. Each run is read by itself, and all of them together. A clip with hardly a key
//! frame has to be decoded from its beginning; as much of it is looked at as time allows.

use std::path::Path;
use std::time::{Duration, Instant};

use gioconda_media::{Budget, ClipReader, Error, Frame, InputKind, ReadOptions, key_frames, photo};
use gioconda_provenance::watermark::{Detector, Found};
use image::RgbImage;

/// How much of a clip is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Search {
    /// Runs of frames spread over all of it: some two seconds at most for 512 x 512 pixels, however long it is.
    Sampled,
    /// Every frame: some minutes for ten minutes of 512 x 512 pixels.
    Thorough,
}

/// What was found, and where it was looked for.
pub(super) struct Looked {
    pub(super) found: Option<Found>,
    /// Frames that were looked at.
    pub(super) frames: u64,
    /// Whether these are all there are.
    pub(super) all: bool,
}

/// Clips of up to so many frames are looked at whole.
const SHORT: u64 = 250;
/// Frames between two readings of what was seen so far.
const GLANCE: u64 = 25;
/// Frames of a run.
const RUN: u64 = 6;
/// Of so many frames, one is looked at where all have to be decoded.
const LEFT_OUT: u64 = 10;
/// Runs in a clip whose key frames are known, and in one of which every run starts a program that decodes.
const RUNS: usize = 16;
const FOREIGN_RUNS: usize = 8;
/// Runs that are looked at however long that takes.
const FEWEST_RUNS: usize = 4;
/// After this no further run begins: large pictures take long to decode.
const SAMPLING: Duration = Duration::from_secs(4);
/// After this no further part is searched for crops and odd sizes.
const SEARCHING: Duration = Duration::from_secs(1);
/// How long a clip without key frames is decoded.
const DECODING: Duration = Duration::from_millis(900);
/// Parts of a long clip that are searched by themselves while there is time.
const PARTS: usize = 3;
/// Frames with less between their darkest and lightest part, levels of 255, hold nothing: black, titles fading in.
const FLAT: u8 = 12;

/// Looks for the mark in the picture or clip at `file`.
pub(super) fn look(file: &Path, search: Search) -> Result<Looked, Error> {
    if gioconda_media::sniff(file)? == InputKind::Photo {
        let mut detector = Detector::new();
        detector.add(&photo::read(file)?.image);
        return Ok(Looked { found: detector.read(), frames: 1, all: true });
    }
    let reader = ClipReader::open(file, &ReadOptions::default())?;
    if search == Search::Thorough || reader.expected_frames().is_none_or(|frames| frames <= SHORT) {
        let most = if search == Search::Thorough { u64::MAX } else { SHORT };
        return every_frame(reader, most);
    }
    sampled(file, reader)
}

/// Up to `most` frames, one after the other, in parts of [`SHORT`] frames that are read by themselves.
fn every_frame(mut reader: ClipReader, most: u64) -> Result<Looked, Error> {
    let mut looked = Looked { found: None, frames: 0, all: true };
    let mut frame = Frame::default();
    let (mut part, mut run) = (Detector::new(), Detector::new());
    while looked.frames < most {
        match reader.read(&mut frame) {
            Ok(true) => {}
            Ok(false) => break,
            // What was seen before the damage counts.
            Err(error) if looked.frames == 0 => return Err(error),
            Err(_) => {
                looked.all = false;
                break;
            }
        }
        if looked.frames > 0 && looked.frames.is_multiple_of(SHORT) {
            looked.found = part.read();
            if looked.found.is_some() {
                return Ok(looked);
            }
            part = Detector::new();
        }
        looked.frames += 1;
        if is_flat(&frame.image) {
            continue;
        }
        part.add(&frame.image);
        if run.frames() < RUN {
            run.add(&frame.image);
        }
        if looked.frames.is_multiple_of(GLANCE) {
            looked.found = part.glance().or_else(|| run.glance());
            if looked.found.is_some() {
                return Ok(looked);
            }
            run = Detector::new();
        }
    }
    looked.all &= looked.frames < most || !matches!(reader.read(&mut frame), Ok(true));
    looked.found = part.read();
    Ok(looked)
}

/// Runs of frames that are spread over the clip.
fn sampled(file: &Path, reader: ClipReader) -> Result<Looked, Error> {
    let begun = Instant::now();
    let fps = reader.fps();
    let length = reader.info().duration;
    let own = reader.info().decoder != "ffmpeg";
    drop(reader);
    let starts = if own {
        let keys = key_frames(file, &Budget::default())?;
        starts(length, RUNS, |time| nearest_before(&keys, time))
    } else {
        starts(length, FOREIGN_RUNS, Some)
    };
    let mut looked = Looked { found: None, frames: 0, all: false };
    let mut whole = Detector::new();
    let mut parts: Vec<Detector> = (0..PARTS).map(|_| Detector::new()).collect();
    let mut fault = None;
    for (number, &start) in starts.iter().enumerate() {
        if number >= FEWEST_RUNS && begun.elapsed() > SAMPLING {
            break;
        }
        let part = (start.as_secs_f64() / length.as_secs_f64() * PARTS as f64) as usize;
        let part = &mut parts[part.min(PARTS - 1)];
        // A quarter of a frame later, no rounding leads to the key frame before.
        let start = start + Duration::from_secs_f64(0.25 / fps);
        match run(file, start, fps, |frame| {
            whole.add(frame);
            part.add(frame);
        }) {
            Ok((found, frames)) => {
                looked.frames += frames;
                looked.found = found;
            }
            // A part that is damaged does not hide the others.
            Err(error) => fault = Some(error),
        }
        if looked.found.is_some() {
            return Ok(looked);
        }
    }
    if let (0, Some(error)) = (looked.frames, fault) {
        return Err(error);
    }
    if starts.len() < FEWEST_RUNS {
        looked.found = from_the_beginning(file, &mut looked.frames, |frame| {
            whole.add(frame);
            parts[0].add(frame);
        });
        if looked.found.is_some() {
            return Ok(looked);
        }
    }
    looked.found = whole.read();
    for part in parts.iter().filter(|part| part.frames() > 0) {
        if looked.found.is_some() || begun.elapsed() > SEARCHING {
            break;
        }
        looked.found = part.read();
    }
    Ok(looked)
}

/// Runs of frames between which nine times as many are only decoded, until time is up or a mark is found. What is damaged ends it.
fn from_the_beginning(file: &Path, frames: &mut u64, mut add: impl FnMut(&RgbImage)) -> Option<Found> {
    let begun = Instant::now();
    let mut reader = ClipReader::open(file, &ReadOptions::default()).ok()?;
    let (mut detector, mut frame) = (Detector::new(), Frame::default());
    let mut number = 0_u64;
    while begun.elapsed() < DECODING && matches!(reader.read(&mut frame), Ok(true)) {
        number += 1;
        if number % (LEFT_OUT * RUN) >= RUN || is_flat(&frame.image) {
            continue;
        }
        *frames += 1;
        detector.add(&frame.image);
        add(&frame.image);
        if detector.frames() == RUN {
            if let Some(found) = detector.glance() {
                return Some(found);
            }
            detector = Detector::new();
        }
    }
    detector.glance()
}

/// Reads a run of frames at `start`: what they say by themselves, and how many there were.
fn run(
    file: &Path,
    start: Duration,
    fps: f64,
    mut add: impl FnMut(&RgbImage),
) -> Result<(Option<Found>, u64), Error> {
    let duration = Duration::from_secs_f64((RUN + 2) as f64 / fps);
    let mut reader =
        ClipReader::open(file, &ReadOptions { start, duration: Some(duration), ..ReadOptions::default() })?;
    let (mut detector, mut frame, mut frames) = (Detector::new(), Frame::default(), 0);
    while frames < RUN && reader.read(&mut frame)? {
        frames += 1;
        if !is_flat(&frame.image) {
            detector.add(&frame.image);
            add(&frame.image);
        }
    }
    Ok((detector.glance(), frames))
}

/// Where `runs` runs begin in a clip of this length, moved by `enter` to where it can be entered. The middle comes first,
/// then the halves of what is left, so that those that are looked at are always spread.
fn starts(length: Duration, runs: usize, enter: impl Fn(Duration) -> Option<Duration>) -> Vec<Duration> {
    let mut starts = Vec::with_capacity(runs);
    for number in 1..=runs as u32 {
        // The binary digits of the number, turned round, as a fraction.
        let place = f64::from(number.reverse_bits()) / 2_f64.powi(32);
        if let Some(start) = enter(length.mul_f64(place)).filter(|start| !starts.contains(start)) {
            starts.push(start);
        }
    }
    starts
}

/// The last of `times`, in order, that is not after `time`; else the first.
fn nearest_before(times: &[Duration], time: Duration) -> Option<Duration> {
    let after = times.partition_point(|&key| key <= time);
    times.get(after.saturating_sub(1)).copied()
}

/// Whether nothing is to be seen in a picture, looked at in 64 x 64 places.
fn is_flat(picture: &RgbImage) -> bool {
    let (width, height) = picture.dimensions();
    if width == 0 || height == 0 {
        return true;
    }
    let (mut darkest, mut lightest) = (u8::MAX, 0);
    for y in (0..height).step_by((height as usize / 64).max(1)) {
        for x in (0..width).step_by((width as usize / 64).max(1)) {
            let green = picture.get_pixel(x, y).0[1];
            darkest = darkest.min(green);
            lightest = lightest.max(green);
        }
    }
    lightest.saturating_sub(darkest) < FLAT
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_spread_over_the_whole_clip_and_none_is_looked_at_twice() {
        let minutes = Duration::from_mins(10);
        let mut places = starts(minutes, RUNS, Some);
        assert_eq!(places.len(), RUNS);
        assert_eq!(places[0], minutes / 2, "the middle first");
        places.sort_unstable();
        places.insert(0, Duration::ZERO);
        places.push(minutes);
        let widest = places.windows(2).map(|pair| pair[1].saturating_sub(pair[0])).max().expect("places");
        assert!(widest < minutes / 8, "{widest:?}");

        let keys = [0, 100, 200, 550].map(Duration::from_secs);
        let mut entered = starts(minutes, RUNS, |time| nearest_before(&keys, time));
        entered.sort_unstable();
        assert_eq!(entered, keys);
        assert!(starts(minutes, RUNS, |time| nearest_before(&[], time)).is_empty());
    }

    #[test]
    fn black_is_flat_and_pictures_are_not() {
        assert!(is_flat(&RgbImage::from_pixel(300, 200, image::Rgb([3, 3, 3]))));
        assert!(is_flat(&RgbImage::new(0, 0)));
        assert!(!is_flat(&RgbImage::from_fn(300, 200, |x, y| image::Rgb([0, (x ^ y) as u8, 0]))));
    }
}
