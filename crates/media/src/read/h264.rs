//! H.264 from mp4 and mov through the built-in openh264.
//!
//! The decoder takes one access unit and gives back pictures in display order, later than they went in by its
//! reordering delay, without their times. So the times of the units on their way are kept in a heap, and each
//! picture that comes out bears the smallest of them.

use super::mp4::{Movie, Sample, Track, describe_audio};
use super::sps::SequenceParameters;
use super::{AudioInfo, ClipInfo, Pictures, SourceError, nearest_standard_rate};
use crate::{Error, resize};
use image::{RgbImage, imageops};
use mp4_atom::{Avcc, Codec, Colr};
use openh264::OpenH264API;
use openh264::decoder::{DecodedYUV, Decoder, DecoderConfig, Flush};
use openh264::formats::YUVSource;
use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::Duration;
use yuv::{YuvPlanarImage, YuvRange, YuvStandardMatrix, yuv420_to_rgb};

const START_CODE: [u8; 4] = [0, 0, 0, 1];
/// NAL unit type of a slice at which decoding can start with empty reference lists.
const IDR_SLICE: u8 = 5;

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
    /// Pictures that came out of the final flush.
    flushed: VecDeque<(i64, RgbImage)>,
    drained: bool,
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
        movie: &Movie,
        start: Duration,
    ) -> Result<Result<(ClipInfo, Self), String>, Error> {
        let Some(track) = &movie.video else {
            return Err(Error::NoVideo { path: path.into(), only: "other data" });
        };
        let (avcc, colr) = match &track.codec {
            Some(Codec::Avc1(avc)) => (&avc.avcc, avc.colr.as_ref()),
            Some(Codec::Avc3(avc)) => (&avc.avcc, avc.colr.as_ref()),
            other => return Ok(Err(codec_name(other.as_ref()).into())),
        };
        let parameters = avcc.sequence_parameter_sets.first().and_then(|sps| SequenceParameters::parse(sps));
        let Some(parameters) = parameters else { return Ok(Err("this H.264 stream".into())) };
        if let Some(codec) = parameters.beyond_built_in() {
            return Ok(Err(codec));
        }
        let converter = Converter::new(&parameters, colr, track.rotation);
        if converter.display == (0, 0) {
            return Err(Error::damaged(path, "its pictures have no size"));
        }
        let config = DecoderConfig::new().flush_after_decode(Flush::NoFlush);
        let decoder = Decoder::with_api_config(OpenH264API::from_source(), config)
            .map_err(|error| Error::damaged(path, format!("the H.264 decoder does not start: {error}")))?;
        let info = clip_info(movie, track, &converter);
        let mut source = Self {
            path: path.into(),
            file: File::open(path).map_err(Error::read(path))?,
            samples: track.samples.clone(),
            next: 0,
            timescale: f64::from(track.timescale),
            shift: track.shift,
            end: track.end,
            length_size: usize::from(avcc.length_size),
            decoder,
            waiting: BinaryHeap::new(),
            flushed: VecDeque::new(),
            drained: false,
            unit: Vec::new(),
            annex_b: Vec::new(),
            headers: parameter_sets(avcc),
            converter,
        };
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
        for index in candidates.collect::<Vec<_>>() {
            if index == 0 {
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
        for nal in nal_units(&self.unit, self.length_size) {
            self.annex_b.extend_from_slice(&START_CODE);
            self.annex_b.extend_from_slice(nal);
        }
        match self.decoder.decode(&self.annex_b) {
            Ok(Some(picture)) => {
                self.converter.convert(&picture, image)?;
                Ok(true)
            }
            Ok(None) => Ok(false),
            Err(error) => Err(SourceError::Decoder(error.to_string())),
        }
    }

    /// After the last unit: takes what the decoder still holds, at most its 16 reference pictures.
    fn drain(&mut self) -> Result<(), SourceError> {
        self.drained = true;
        let rest = self.decoder.flush_remaining().map_err(|error| SourceError::Decoder(error.to_string()))?;
        for picture in rest {
            let mut image = RgbImage::default();
            self.converter.convert(&picture, &mut image)?;
            if let Some(Reverse(time)) = self.waiting.pop() {
                self.flushed.push_back((time, image));
            }
        }
        Ok(())
    }

    fn next_timed(&mut self, image: &mut RgbImage) -> Result<Option<i64>, SourceError> {
        while self.next < self.samples.len() {
            if self.decode_unit(image)?
                && let Some(Reverse(time)) = self.waiting.pop()
            {
                return Ok(Some(time));
            }
        }
        if !self.drained {
            self.drain()?;
        }
        Ok(self.flushed.pop_front().map(|(time, picture)| {
            *image = picture;
            time
        }))
    }
}

impl Pictures for H264Source {
    fn next(&mut self, image: &mut RgbImage) -> Result<Option<f64>, SourceError> {
        loop {
            match self.next_timed(image)? {
                // Before zero the edit list hides the picture: it was only needed to decode others.
                Some(time) if time < 0 => {}
                Some(time) if time >= self.end => return Ok(None),
                Some(time) => return Ok(Some(time as f64 / self.timescale)),
                None => return Ok(None),
            }
        }
    }
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

fn parameter_sets(avcc: &Avcc) -> Vec<u8> {
    avcc.sequence_parameter_sets
        .iter()
        .chain(&avcc.picture_parameter_sets)
        .flat_map(|nal| START_CODE.iter().chain(nal).copied())
        .collect()
}

fn codec_name(codec: Option<&Codec>) -> &'static str {
    match codec {
        Some(Codec::Hev1(_) | Codec::Hvc1(_)) => "HEVC (H.265)",
        Some(Codec::Vp08(_)) => "VP8",
        Some(Codec::Vp09(_)) => "VP9",
        Some(Codec::Av01(_)) => "AV1",
        Some(Codec::Jpeg(_)) => "Motion JPEG",
        _ => "this video codec",
    }
}

fn clip_info(movie: &Movie, track: &Track, converter: &Converter) -> ClipInfo {
    let shown = |sample: &&Sample| (0..track.end).contains(&(sample.composition() + track.shift));
    let mut times: Vec<i64> =
        track.samples.iter().filter(shown).map(|sample| sample.composition() + track.shift).collect();
    times.sort_unstable();
    let (fps, variable_rate) = rate(&times, track);
    let audio = movie.audio.as_ref().and_then(|audio| audio.codec.as_ref()).and_then(describe_audio);
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
