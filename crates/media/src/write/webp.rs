//! Animated WebP, streamed.
//!
//! libwebp's own animation encoder keeps the whole file in memory, so only its still encoder is used and the
//! container is written here: RIFF, `VP8X`, `ANIM` and one `ANMF` per frame, which covers the rectangle that changed;
//! alpha lies beside the colours, without loss, in chunks `ALPH` (the [container specification](https://developers.google.com/speed/webp/docs/riff_container)).

use super::picture::{Part, Picture};
use super::{Seal, WriteOptions};
use crate::Error;
use crate::partial::PartialFile;
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// libwebp's quality, 0..=100.
const QUALITY: f32 = 88.0;
const ANIMATION_FLAG: u8 = 2;
const ALPHA_FLAG: u8 = 16;
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
    /// Samples of the frame before, to tell what changed.
    shown: Vec<u8>,
}

impl WebPWriter {
    pub(super) fn create(target: &Path, options: &WriteOptions) -> Result<Self, Error> {
        let mut output = PartialFile::create(target)?;
        let mut header = Vec::with_capacity(44);
        header.extend_from_slice(b"RIFF\0\0\0\0WEBPVP8X");
        header.extend_from_slice(&10u32.to_le_bytes());
        let flags = if options.alpha { ANIMATION_FLAG | ALPHA_FLAG } else { ANIMATION_FLAG };
        header.extend_from_slice(&[flags, 0, 0, 0]);
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
            shown: Vec::new(),
        })
    }

    pub(super) fn write(&mut self, picture: &Picture<'_>) -> Result<(), Error> {
        let changed = picture.changed_since(&self.shown);
        let (Part { left, top, width, height }, pixels) = (changed, picture.cut(changed));
        let encoder = match picture.channels {
            4 => webp::Encoder::from_rgba(&pixels, width, height),
            _ => webp::Encoder::from_rgb(&pixels, width, height),
        };
        let still = encoder
            .encode_simple(false, QUALITY)
            .map_err(|error| Error::output(&self.target, format!("WebP encoder: {error:?}")))?;
        let chunks = bitstream_chunks(&still)
            .ok_or_else(|| Error::output(&self.target, "the WebP encoder returned no picture"))?;
        let start = self.milliseconds(self.frames);
        let duration = self.milliseconds(self.frames + 1) - start;
        let mut frame = Vec::with_capacity(24 + chunks.len());
        frame.extend_from_slice(b"ANMF");
        frame.extend_from_slice(&(16 + chunks.len() as u32).to_le_bytes());
        push_u24(&mut frame, left / 2);
        push_u24(&mut frame, top / 2);
        push_u24(&mut frame, width - 1);
        push_u24(&mut frame, height - 1);
        push_u24(&mut frame, duration.min(MAX_MILLISECONDS) as u32);
        frame.push(OVERWRITE_AND_KEEP);
        frame.extend_from_slice(&chunks);
        self.bytes += frame.len() as u64;
        if self.bytes > MAX_BYTES {
            return Err(Error::output(&self.target, "WebP ends at 4 GB; write an mp4 or a shorter clip"));
        }
        self.output.writer().write_all(&frame).map_err(Error::write(&self.target))?;
        self.shown.clear();
        self.shown.extend_from_slice(picture.samples);
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

/// The chunks `ALPH`, where there is one, and `VP8 ` of a still WebP file, with headers and padding.
fn bitstream_chunks(still: &[u8]) -> Option<Vec<u8>> {
    let mut chunks = still.get(12..)?;
    let mut found = Vec::new();
    loop {
        let size = u32::from_le_bytes(chunks.get(4..8)?.try_into().ok()?) as usize;
        let end = 8 + size + size % 2;
        let chunk = chunks.get(..end)?;
        if chunk.starts_with(b"ALPH") || chunk.starts_with(b"VP8 ") {
            found.extend_from_slice(chunk);
        }
        if chunk.starts_with(b"VP8 ") {
            return Some(found);
        }
        chunks = chunks.get(end..)?;
    }
}
