//! Animated WebP, streamed.
//!
//! libwebp's own animation encoder keeps the whole file in memory, so only its still encoder is used and the
//! container is written here: RIFF, `VP8X`, `ANIM` and one `ANMF` per frame, which covers the rectangle that changed
//! (the [container specification](https://developers.google.com/speed/webp/docs/riff_container)).

use super::{Seal, WriteOptions};
use crate::Error;
use crate::partial::PartialFile;
use image::{RgbImage, imageops};
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// libwebp's quality, 0..=100.
const QUALITY: f32 = 88.0;
const ANIMATION_FLAG: u8 = 2;
/// Do not blend: the rectangle replaces what was there. Do not dispose: it stays.
const OVERWRITE_AND_KEEP: u8 = 2;
/// RIFF sizes have 32 bits.
const MAX_BYTES: u64 = u32::MAX as u64 - 16;
/// Durations have 24 bits.
const MAX_MILLISECONDS: u64 = (1 << 24) - 1;

pub(super) struct WebPWriter {
    target: PathBuf,
    output: PartialFile,
    bytes: u64,
    fps: f64,
    frames: u64,
    /// The frame before, to tell what changed.
    shown: RgbImage,
}

impl WebPWriter {
    pub(super) fn create(target: &Path, options: &WriteOptions) -> Result<Self, Error> {
        let mut output = PartialFile::create(target)?;
        let mut header = Vec::with_capacity(44);
        header.extend_from_slice(b"RIFF\0\0\0\0WEBPVP8X");
        header.extend_from_slice(&10u32.to_le_bytes());
        header.extend_from_slice(&[ANIMATION_FLAG, 0, 0, 0]);
        push_u24(&mut header, options.width - 1);
        push_u24(&mut header, options.height - 1);
        header.extend_from_slice(b"ANIM");
        header.extend_from_slice(&6u32.to_le_bytes());
        header.extend_from_slice(&[255; 4]); // white background
        header.extend_from_slice(&0u16.to_le_bytes()); // plays forever
        output.writer().write_all(&header).map_err(Error::write(target))?;
        Ok(Self {
            target: target.into(),
            output,
            bytes: header.len() as u64,
            fps: options.fps,
            frames: 0,
            shown: RgbImage::default(),
        })
    }

    pub(super) fn write(&mut self, image: &RgbImage) -> Result<(), Error> {
        let (left, top, width, height) = changed_rectangle(&self.shown, image);
        let part = imageops::crop_imm(image, left, top, width, height).to_image();
        let still = webp::Encoder::from_rgb(&part, width, height)
            .encode_simple(false, QUALITY)
            .map_err(|error| Error::output(&self.target, format!("WebP encoder: {error:?}")))?;
        let chunk = bitstream_chunk(&still)
            .ok_or_else(|| Error::output(&self.target, "the WebP encoder returned no picture"))?;
        let start = self.milliseconds(self.frames);
        let duration = self.milliseconds(self.frames + 1) - start;
        let mut frame = Vec::with_capacity(24 + chunk.len());
        frame.extend_from_slice(b"ANMF");
        frame.extend_from_slice(&(16 + chunk.len() as u32).to_le_bytes());
        push_u24(&mut frame, left / 2);
        push_u24(&mut frame, top / 2);
        push_u24(&mut frame, width - 1);
        push_u24(&mut frame, height - 1);
        push_u24(&mut frame, duration.min(MAX_MILLISECONDS) as u32);
        frame.push(OVERWRITE_AND_KEEP);
        frame.extend_from_slice(chunk);
        self.bytes += frame.len() as u64;
        if self.bytes > MAX_BYTES {
            return Err(Error::output(&self.target, "WebP ends at 4 GB; write an mp4 or a shorter clip"));
        }
        self.output.writer().write_all(&frame).map_err(Error::write(&self.target))?;
        self.shown.clone_from(image);
        self.frames += 1;
        Ok(())
    }

    fn milliseconds(&self, frame: u64) -> u64 {
        (frame as f64 * 1000.0 / self.fps).round() as u64
    }

    pub(super) fn finish(mut self, seal: &mut Seal<'_>) -> Result<u64, Error> {
        let size = (self.bytes - 8) as u32;
        let writer = self.output.writer();
        writer
            .seek(SeekFrom::Start(4))
            .and_then(|_| writer.write_all(&size.to_le_bytes()))
            .map_err(Error::write(&self.target))?;
        self.output.finish_sealed(seal)
    }
}

fn push_u24(bytes: &mut Vec<u8>, value: u32) {
    bytes.extend_from_slice(&value.to_le_bytes()[..3]);
}

/// The `VP8 ` chunk of a still WebP file, with header and padding.
fn bitstream_chunk(still: &[u8]) -> Option<&[u8]> {
    let mut chunks = still.get(12..)?;
    loop {
        let size = u32::from_le_bytes(chunks.get(4..8)?.try_into().ok()?) as usize;
        let end = 8 + size + size % 2;
        if chunks.starts_with(b"VP8 ") {
            return chunks.get(..end);
        }
        chunks = chunks.get(end..)?;
    }
}

/// Left, top, width and height of what differs, with an even corner as the format wants; a small corner when nothing
/// does, everything at first.
fn changed_rectangle(old: &RgbImage, new: &RgbImage) -> (u32, u32, u32, u32) {
    let (width, height) = new.dimensions();
    if old.dimensions() != (width, height) {
        return (0, 0, width, height);
    }
    let row_bytes = width as usize * 3;
    let rows = old.chunks_exact(row_bytes).zip(new.chunks_exact(row_bytes));
    let (mut left, mut right) = (width, 0);
    let (mut top, mut bottom) = (height, 0);
    for (y, (old, new)) in rows.enumerate().filter(|(_, (old, new))| old != new) {
        let differs = |at: &usize| old[*at] != new[*at];
        let first = (0..row_bytes).find(differs).unwrap_or(0) / 3;
        let last = (0..row_bytes).rfind(differs).unwrap_or(0) / 3;
        left = left.min(first as u32);
        right = right.max(last as u32 + 1);
        top = top.min(y as u32);
        bottom = y as u32 + 1;
    }
    if bottom == 0 {
        return (0, 0, 2, 2);
    }
    let (left, top) = (left & !1, top & !1);
    (left, top, right - left, bottom - top)
}
