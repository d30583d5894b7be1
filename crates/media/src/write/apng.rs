//! Animated PNG, streamed.
//!
//! The png crate's encoder wants to know at the start how many frames will come, so only its still encoder is used and
//! the chunks of the animation are written here: `acTL`, whose count is filled in at the end, and for each frame an
//! `fcTL` and the compressed rectangle that changed, as `IDAT` in the first and as `fdAT` in the others
//! ([PNG specification, third edition](https://www.w3.org/TR/png-3/), sections 11.3.6.1 to 11.3.6.3).

use super::picture::{Part, Picture};
use super::{Seal, WriteOptions};
use crate::partial::PartialFile;
use crate::{Error, encode_png};
use image::codecs::png::CompressionType;
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

const SIGNATURE: &[u8] = b"\x89PNG\r\n\x1a\n";
/// Of `acTL`: behind the signature and `IHDR`.
const COUNT_AT: u64 = 8 + 25;
/// Plays for ever.
const PLAYS: u32 = 0;
/// The picture stays, and the next rectangle replaces what was there, alpha too.
const KEEP_AND_OVERWRITE: [u8; 2] = [0, 0];
/// Delays are fractions of 16 bits over 16 bits; the longest is a minute.
const MILLISECONDS: u16 = 1000;

pub(super) struct ApngWriter {
    target: PathBuf,
    output: PartialFile,
    fps: f64,
    frames: u32,
    /// Number of the next `fcTL` or `fdAT`.
    sequence: u32,
    /// Samples of the frame before, to tell what changed.
    shown: Vec<u8>,
}

impl ApngWriter {
    pub(super) fn create(target: &Path, options: &WriteOptions) -> Result<Self, Error> {
        let output = PartialFile::create(target)?;
        let (target, fps) = (target.into(), options.fps);
        Ok(Self { target, output, fps, frames: 0, sequence: 0, shown: Vec::new() })
    }

    pub(super) fn write(&mut self, picture: &Picture<'_>) -> Result<(), Error> {
        let part = picture.changed_since(&self.shown);
        let (size, colour) = ((part.width, part.height), picture.colour());
        let png = encode_png(&self.target, &picture.cut(part), size, colour, CompressionType::Default)?;
        let missing = || Error::output(&self.target, "the PNG encoder returned no picture");
        let first = self.frames == 0;
        let mut bytes = Vec::with_capacity(png.len() + 64);
        if first {
            bytes.extend_from_slice(SIGNATURE);
            let (_, header) = chunks(&png).find(|(kind, _)| kind == b"IHDR").ok_or_else(missing)?;
            push_chunk(&mut bytes, *b"IHDR", &[header]);
            push_chunk(&mut bytes, *b"acTL", &[&counts(0)]);
        }
        let control = self.control(part);
        push_chunk(&mut bytes, *b"fcTL", &[&self.next_in_sequence(), &control]);
        for (_, data) in chunks(&png).filter(|(kind, _)| kind == b"IDAT") {
            if first {
                push_chunk(&mut bytes, *b"IDAT", &[data]);
            } else {
                push_chunk(&mut bytes, *b"fdAT", &[&self.next_in_sequence(), data]);
            }
        }
        self.output.writer().write_all(&bytes).map_err(Error::write(&self.target))?;
        self.shown.clear();
        self.shown.extend_from_slice(picture.samples);
        self.frames += 1;
        Ok(())
    }

    /// The content of `fcTL` behind its number.
    fn control(&self, Part { left, top, width, height }: Part) -> Vec<u8> {
        let milliseconds = |frame: u32| (f64::from(frame) * 1000.0 / self.fps).round() as u64;
        let delay = milliseconds(self.frames + 1) - milliseconds(self.frames);
        let delay = u16::try_from(delay).unwrap_or(u16::MAX);
        let mut control: Vec<u8> = [width, height, left, top].map(u32::to_be_bytes).concat();
        control.extend([delay, MILLISECONDS].map(u16::to_be_bytes).concat());
        control.extend(KEEP_AND_OVERWRITE);
        control
    }

    fn next_in_sequence(&mut self) -> [u8; 4] {
        self.sequence += 1;
        (self.sequence - 1).to_be_bytes()
    }

    pub(super) fn finish(mut self, seal: &mut Seal<'_>) -> Result<u64, Error> {
        let (mut end, mut count) = (Vec::new(), Vec::new());
        push_chunk(&mut end, *b"IEND", &[]);
        push_chunk(&mut count, *b"acTL", &[&counts(self.frames)]);
        let writer = self.output.writer();
        writer
            .write_all(&end)
            .and_then(|()| writer.seek(SeekFrom::Start(COUNT_AT)))
            .and_then(|_| writer.write_all(&count))
            .map_err(Error::write(&self.target))?;
        self.output.finish_sealed(seal)
    }
}

/// The content of `acTL`.
fn counts(frames: u32) -> Vec<u8> {
    [frames, PLAYS].map(u32::to_be_bytes).concat()
}

/// Appends a chunk whose content is `parts`, one after the other.
fn push_chunk(bytes: &mut Vec<u8>, kind: [u8; 4], parts: &[&[u8]]) {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    bytes.extend((length as u32).to_be_bytes());
    let checked = bytes.len();
    bytes.extend(kind);
    for part in parts {
        bytes.extend_from_slice(part);
    }
    let checksum = crc32fast::hash(&bytes[checked..]);
    bytes.extend(checksum.to_be_bytes());
}

/// Kind and content of each chunk of a PNG file.
fn chunks(png: &[u8]) -> impl Iterator<Item = ([u8; 4], &[u8])> {
    let mut rest = png.get(SIGNATURE.len()..).unwrap_or_default();
    std::iter::from_fn(move || {
        let (length, after) = rest.split_first_chunk::<4>()?;
        let (kind, after) = after.split_first_chunk::<4>()?;
        let content = after.get(..u32::from_be_bytes(*length) as usize)?;
        // Behind it stands the checksum.
        rest = after.get(content.len() + 4..)?;
        Some((*kind, content))
    })
}
