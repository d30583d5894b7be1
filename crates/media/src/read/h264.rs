//! H.264 from mp4 and mov through the built-in openh264.
//!
//! The decoder takes one access unit and gives back pictures in display order, later than they went in by its
//! reordering delay, without their times. So the times of the units on their way are kept in a heap, and each
//! picture that comes out bears the smallest of them.
//!
//! The decoder allocates what a sequence parameter set says. So every one is read and checked before the decoder sees
//! it, those between the pictures too.

use super::mp4::{Coding, Movie, Track};
use super::sample_table::Sample;
use super::source::{AudioInfo, ClipInfo, Pictures, SourceError, Stop, nearest_standard_rate};
use super::sps::SequenceParameters;
use crate::sniff::open_regular;
use crate::{Budget, Error, resize};
use image::{RgbImage, imageops};
use mp4_atom::Colr;
use openh264::OpenH264API;
use openh264::decoder::{DecodeOptions, DecodedYUV, Decoder, DecoderConfig, Flush};
use openh264::formats::YUVSource;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::time::Duration;
use yuv::{YuvPlanarImage, YuvRange, YuvStandardMatrix, yuv420_to_rgb};

const START_CODE: [u8; 4] = [0, 0, 0, 1];
/// NAL unit type of a slice at which decoding can start with empty reference lists.
const IDR_SLICE: u8 = 5;
const SEQUENCE_PARAMETERS: u8 = 7;
/// Where a seek gives up looking for an IDR picture and decodes from the beginning: samples and bytes looked at.
const SEEK_SAMPLES: usize = 1000;
const SEEK_BYTES: u64 = 64_000_000;

/// Decodes the video track of one file.
pub(super) struct H264Source {
    path: PathBuf,
    file: File,
    samples: Vec<Sample>,
    next: usize,
    timescale: f64,
    shift: i64,
    /// Presentation time at which the edit list ends the track.
    end: i64,
    length_size: usize,
    decoder: Decoder,
    /// Presentation times of the units the decoder holds.
    waiting: BinaryHeap<Reverse<i64>>,
    budget: Budget,
    unit: Vec<u8>,
    annex_b: Vec<u8>,
    /// SPS and PPS with start codes, sent before the first unit.
    headers: Vec<u8>,
    converter: Converter,
}

impl H264Source {
    /// Opens the video track at the sync sample before `start`. The inner `Err` names a codec that the built-in decoder
    /// does not know.
    pub(super) fn open(
        path: &Path,
        movie: &mut Movie,
        start: Duration,
        budget: &Budget,
    ) -> Result<Result<(ClipInfo, Self), String>, Error> {
        let Some(track) = &movie.video else {
            return Err(Error::NoVideo { path: path.into(), only: "other data" });
        };
        let (avcc, colr) = match &track.coding {
            Coding::H264 { avcc, colr } => (avcc, colr.as_ref()),
            Coding::Other(kind) => return Ok(Err(codec_name(*kind).into())),
            Coding::Aac(_) | Coding::Sound(..) => return Ok(Err("this video codec".into())),
        };
        let mut first = None;
        for nal in &avcc.sequence_parameter_sets {
            let Some(parameters) = SequenceParameters::parse(nal) else {
                return Ok(Err("this H.264 stream".into()));
            };
            parameters.check(path, budget)?;
            if let Some(codec) = parameters.beyond_built_in() {
                return Ok(Err(codec));
            }
            first.get_or_insert(parameters);
        }
        let Some(parameters) = first else { return Ok(Err("this H.264 stream".into())) };
        let converter = Converter::new(&parameters, colr, track.rotation);
        let (width, height) = converter.display;
        budget.check_clip_size(path, width, height)?;
        let config = DecoderConfig::new().flush_after_decode(Flush::NoFlush);
        let decoder = Decoder::with_api_config(OpenH264API::from_source(), config)
            .map_err(|error| Error::damaged(path, format!("the H.264 decoder does not start: {error}")))?;
        let nals = avcc.sequence_parameter_sets.iter().chain(&avcc.picture_parameter_sets);
        let mut headers = Vec::new();
        match append_checked(&mut headers, nals.map(Vec::as_slice), path, budget) {
            Ok(()) => {}
            Err(SourceError::Decoder(_)) => return Ok(Err("this H.264 stream".into())),
            Err(SourceError::Fatal(error)) => return Err(error),
        }
        let info = clip_info(movie, track, &converter);
        let mut source = Self {
            path: path.into(),
            file: open_regular(path)?,
            samples: Vec::new(),
            next: 0,
            timescale: f64::from(track.timescale),
            shift: track.shift,
            end: track.end,
            length_size: usize::from(avcc.length_size),
            decoder,
            waiting: BinaryHeap::new(),
            budget: *budget,
            unit: Vec::new(),
            annex_b: Vec::new(),
            headers,
            converter,
        };
        if let Some(track) = &mut movie.video {
            source.samples = std::mem::take(&mut track.samples);
        }
        source.seek(start)?;
        Ok(Ok((info, source)))
    }

    /// Moves to the last sync sample shown at or before `start` that really is an IDR picture: files with open groups
    /// of pictures mark others, at which this decoder cannot begin.
    fn seek(&mut self, start: Duration) -> Result<(), Error> {
        let start = (start.as_secs_f64() * self.timescale).round() as i64;
        let candidates = (0..self.samples.len()).rev().filter(|&index| {
            let sample = &self.samples[index];
            sample.sync && sample.composition() + self.shift <= start
        });
        let mut bytes = 0;
        for index in candidates.take(SEEK_SAMPLES).collect::<Vec<_>>() {
            bytes += u64::from(self.samples[index].size);
            if index == 0 || bytes > SEEK_BYTES {
                break;
            }
            self.read_unit(index)?;
            if nal_units(&self.unit, self.length_size)
                .any(|nal| nal.first().is_some_and(|b| b & 0x1f == IDR_SLICE))
            {
                self.next = index;
                break;
            }
        }
        Ok(())
    }

    fn read_unit(&mut self, index: usize) -> Result<(), Error> {
        let sample = self.samples[index];
        self.unit.resize(sample.size as usize, 0);
        self.file
            .seek(SeekFrom::Start(sample.offset))
            .and_then(|_| self.file.read_exact(&mut self.unit))
            .map_err(Error::read(&self.path))
    }

    /// Sends the next unit to the decoder; whether a picture came out, in `image`.
    fn decode_unit(&mut self, image: &mut RgbImage) -> Result<bool, SourceError> {
        let index = self.next;
        self.read_unit(index)?;
        self.next += 1;
        self.waiting.push(Reverse(self.samples[index].composition() + self.shift));
        self.annex_b.clear();
        self.annex_b.append(&mut self.headers);
        let nals = nal_units(&self.unit, self.length_size);
        append_checked(&mut self.annex_b, nals, &self.path, &self.budget)?;
        match self.decoder.decode(&self.annex_b) {
            Ok(Some(picture)) => {
                self.converter.convert(&picture, image)?;
                Ok(true)
            }
            Ok(None) => Ok(false),
            Err(error) => Err(SourceError::Decoder(error.to_string())),
        }
    }

    /// After the last unit: takes one of the pictures that the decoder still holds, at most its 16 references.
    fn drain(&mut self, image: &mut RgbImage) -> Result<Option<i64>, SourceError> {
        let flush = DecodeOptions::new().flush_after_decode(Flush::Flush);
        let picture = self.decoder.decode_with_options(&[], flush);
        let Some(picture) = picture.map_err(|error| SourceError::Decoder(error.to_string()))? else {
            return Ok(None);
        };
        self.converter.convert(&picture, image)?;
        Ok(self.waiting.pop().map(|Reverse(time)| time))
    }

    fn next_timed(&mut self, image: &mut RgbImage, stop: &Stop) -> Result<Option<i64>, SourceError> {
        while self.next < self.samples.len() {
            if stop.load(Ordering::Relaxed) {
                return Err(Error::Stopped { path: self.path.clone() }.into());
            }
            if self.decode_unit(image)?
                && let Some(Reverse(time)) = self.waiting.pop()
            {
                return Ok(Some(time));
            }
        }
        self.drain(image)
    }
}

impl Pictures for H264Source {
    fn next(&mut self, image: &mut RgbImage, stop: &Stop) -> Result<Option<f64>, SourceError> {
        loop {
            match self.next_timed(image, stop)? {
                // Before zero the edit list hides the picture: it was only needed to decode others.
                Some(time) if time < 0 => {}
                Some(time) if time >= self.end => return Ok(None),
                Some(time) => return Ok(Some(time as f64 / self.timescale)),
                None => return Ok(None),
            }
        }
    }
}

/// What a decoder that looks for start codes finds in one NAL unit: the unit itself, and what was hidden behind a start
/// code inside it, which no encoder writes.
fn pieces(nal: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(nal);
    std::iter::from_fn(move || {
        let bytes = rest?;
        let code = bytes.windows(3).position(|code| code == [0, 0, 1]);
        rest = code.map(|at| &bytes[at + 3..]);
        let piece = &bytes[..code.unwrap_or(bytes.len())];
        // Zeros before a start code belong to it, and zeros at the end mean nothing.
        let end = piece.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
        Some(&piece[..end])
    })
}

/// The NAL units of an access unit with length prefixes; stops at the first prefix that lies.
fn nal_units(unit: &[u8], length_size: usize) -> impl Iterator<Item = &[u8]> {
    let mut rest = unit;
    std::iter::from_fn(move || {
        let prefix = rest.get(..length_size)?;
        let length = prefix.iter().fold(0usize, |length, &byte| length << 8 | usize::from(byte));
        let nal = rest.get(length_size..length_size.checked_add(length)?)?;
        rest = &rest[length_size + length..];
        Some(nal)
    })
}

/// Appends the NAL units that the decoder needs to `annex_b`, the parameters among them checked.
fn append_checked<'a>(
    annex_b: &mut Vec<u8>,
    nals: impl Iterator<Item = &'a [u8]>,
    path: &Path,
    budget: &Budget,
) -> Result<(), SourceError> {
    for nal in nals.flat_map(pieces) {
        match nal.first().map(|header| header & 0x1f) {
            // Extensions for scalable and multiview video: base decoders pass over them, openh264 would decode them.
            None | Some(0 | 14 | 15 | 20..) => continue,
            Some(SEQUENCE_PARAMETERS) => {
                let Some(parameters) = SequenceParameters::parse(nal) else {
                    return Err(SourceError::Decoder("unreadable parameters".into()));
                };
                parameters.check(path, budget)?;
                if let Some(codec) = parameters.beyond_built_in() {
                    return Err(SourceError::Decoder(codec));
                }
            }
            Some(_) => {}
        }
        annex_b.extend_from_slice(&START_CODE);
        annex_b.extend_from_slice(nal);
    }
    Ok(())
}

/// By the type of the sample entry.
fn codec_name(kind: [u8; 4]) -> &'static str {
    match &kind {
        b"hev1" | b"hvc1" => "HEVC (H.265)",
        b"vp08" => "VP8",
        b"vp09" => "VP9",
        b"av01" => "AV1",
        b"jpeg" => "Motion JPEG",
        _ => "this video codec",
    }
}

fn clip_info(movie: &Movie, track: &Track, converter: &Converter) -> ClipInfo {
    let shown = |sample: &&Sample| (0..track.end).contains(&(sample.composition() + track.shift));
    let mut times: Vec<i64> =
        track.samples.iter().filter(shown).map(|sample| sample.composition() + track.shift).collect();
    times.sort_unstable();
    let (fps, variable_rate) = rate(&times, track);
    let audio = movie.audio.as_ref().and_then(|audio| audio.coding.describe_audio());
    ClipInfo {
        container: "mp4".into(),
        codec: "h264".into(),
        decoder: "openh264",
        width: converter.upright().0,
        height: converter.upright().1,
        fps,
        variable_rate,
        duration: Duration::from_secs_f64(track.seconds(track.end).clamp(0.0, 1e9)),
        frames: Some(times.len() as u64),
        rotation: track.rotation,
        audio: audio.map(|(codec, audio)| AudioInfo {
            codec: codec.into(),
            sample_rate: u32::from(audio.sample_rate.integer()),
            channels: audio.channel_count,
        }),
    }
}

/// Average rate of the presentation `times`, and whether their spacing varies by more than a tenth.
fn rate(times: &[i64], track: &Track) -> (f64, bool) {
    let (Some(first), Some(last)) = (times.first(), times.last()) else { return (1.0, false) };
    if last == first {
        let duration = track.seconds(track.end).max(1.0 / 240.0);
        return ((1.0 / duration).clamp(0.1, 240.0), false);
    }
    let mean = (last - first) as f64 / (times.len() - 1) as f64;
    let variable = times.windows(2).any(|pair| ((pair[1] - pair[0]) as f64 / mean - 1.0).abs() > 0.1);
    let fps = f64::from(track.timescale) / mean;
    (nearest_standard_rate(fps).clamp(0.1, 240.0), variable)
}

/// Turns decoded planes into upright RGB of the display size.
struct Converter {
    matrix: YuvStandardMatrix,
    range: YuvRange,
    rotation: u32,
    /// Before rotation, with square pixels.
    display: (u32, u32),
    stored: RgbImage,
}

impl Converter {
    fn new(parameters: &SequenceParameters, colr: Option<&Colr>, rotation: u32) -> Self {
        let (container_matrix, container_full) = match colr {
            Some(Colr::Nclx { matrix_coefficients, full_range_flag, .. }) => {
                (Some(*matrix_coefficients), *full_range_flag)
            }
            Some(Colr::Nclc { matrix_coefficients, .. }) => (Some(*matrix_coefficients), false),
            _ => (None, false),
        };
        let matrix = match parameters.matrix.map(u16::from).filter(|&code| code != 2).or(container_matrix) {
            Some(1) => YuvStandardMatrix::Bt709,
            Some(4) => YuvStandardMatrix::Fcc,
            Some(5 | 6) => YuvStandardMatrix::Bt601,
            Some(7) => YuvStandardMatrix::Smpte240,
            Some(9 | 10) => YuvStandardMatrix::Bt2020,
            // What players assume of untagged streams.
            _ if parameters.height >= 720 => YuvStandardMatrix::Bt709,
            _ => YuvStandardMatrix::Bt601,
        };
        let range = if parameters.full_range || container_full { YuvRange::Full } else { YuvRange::Limited };
        let (width, height) = (parameters.width, parameters.height);
        let display = match parameters.sample_aspect {
            Some((across, down)) if across != down => {
                let wide = f64::from(width) * f64::from(across) / f64::from(down);
                (wide.round().clamp(1.0, 16384.0) as u32, height)
            }
            _ => (width, height),
        };
        Self { matrix, range, rotation, display, stored: RgbImage::default() }
    }

    /// Display size after rotation.
    fn upright(&self) -> (u32, u32) {
        let (width, height) = self.display;
        if self.rotation % 180 == 90 { (height, width) } else { (width, height) }
    }

    fn convert(&mut self, picture: &DecodedYUV<'_>, image: &mut RgbImage) -> Result<(), SourceError> {
        let (width, height) = picture.dimensions();
        let (width, height) = (width as u32, height as u32);
        let direct = self.rotation == 0 && (width, height) == self.display;
        let target = if direct { &mut *image } else { &mut self.stored };
        set_size(target, width, height);
        let (y_stride, u_stride, v_stride) = picture.strides();
        let planes = YuvPlanarImage {
            y_plane: picture.y(),
            y_stride: y_stride as u32,
            u_plane: picture.u(),
            u_stride: u_stride as u32,
            v_plane: picture.v(),
            v_stride: v_stride as u32,
            width,
            height,
        };
        yuv420_to_rgb(&planes, target, width * 3, self.range, self.matrix)
            .map_err(|error| SourceError::Decoder(format!("unusable picture: {error}")))?;
        if direct {
            return Ok(());
        }
        if (width, height) != self.display {
            self.stored = resize(&self.stored, self.display.0, self.display.1);
        }
        let (width, height) = self.upright();
        set_size(image, width, height);
        // The buffer was sized for the turned picture: none of these can fail.
        let turned = match self.rotation {
            90 => imageops::rotate90_in(&self.stored, image),
            180 => imageops::rotate180_in(&self.stored, image),
            270 => imageops::rotate270_in(&self.stored, image),
            _ => {
                image.clone_from(&self.stored);
                Ok(())
            }
        };
        turned.map_err(|error| SourceError::Decoder(error.to_string()))
    }
}

/// Gives `image` the size, keeping its buffer where it is large enough.
pub(super) fn set_size(image: &mut RgbImage, width: u32, height: u32) {
    if image.dimensions() != (width, height) {
        let mut samples = std::mem::take(image).into_raw();
        samples.resize(width as usize * height as usize * 3, 0);
        *image = RgbImage::from_raw(width, height, samples).expect("the buffer was sized for the picture");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn start_codes_inside_a_unit_hide_nothing() {
        let cases: [(&[u8], &[&[u8]]); 5] = [
            (&[0x65, 1, 2], &[&[0x65, 1, 2]]),
            (&[0x65, 1, 0, 0, 1, 0x67, 9], &[&[0x65, 1], &[0x67, 9]]),
            (&[0x65, 1, 0, 0, 0, 0, 1, 0x67, 9, 0, 0], &[&[0x65, 1], &[0x67, 9]]),
            (&[0, 0, 1, 0x67], &[&[], &[0x67]]),
            (&[], &[&[]]),
        ];
        for (nal, expected) in cases {
            assert_eq!(pieces(nal).collect::<Vec<_>>(), expected, "{nal:?}");
        }
    }

    #[test]
    fn lengths_that_lie_end_the_unit() {
        type Case = (&'static [u8], usize, &'static [&'static [u8]]);
        let cases: [Case; 4] = [
            (&[0, 0, 0, 2, 0x65, 1, 0, 0, 0, 1, 0x41], 4, &[&[0x65, 1], &[0x41]]),
            (&[0, 0, 0, 2, 0x65, 1, 0xff, 0xff, 0xff, 0xff, 0x41], 4, &[&[0x65, 1]]),
            (&[2, 0x65, 1, 9], 1, &[&[0x65, 1]]),
            (&[0, 0], 4, &[]),
        ];
        for (unit, length_size, expected) in cases {
            assert_eq!(nal_units(unit, length_size).collect::<Vec<_>>(), expected, "{unit:?}");
        }
    }
}
