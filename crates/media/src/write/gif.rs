//! Animated GIF, streamed.
//!
//! The palette is made from the first frames, which wait in memory until there are enough of them, and serves the
//! whole file; a frame that it suits badly, after a cut for instance, brings a new one. Dithering is ordered: the
//! pattern stands still, so the unchanged background of two frames gets equal indices and costs nothing, where
//! error diffusion would crawl.

use super::{Seal, WriteOptions};
use crate::Error;
use crate::partial::PartialFile;
use color_quant::NeuQuant;
use gif::{DisposalMethod, Encoder, EncodingError, Frame, Repeat};
use image::RgbImage;
use std::borrow::Cow;
use std::path::{Path, PathBuf};

/// One of 256 stands for "unchanged".
const COLORS: usize = 255;
const UNCHANGED: u8 = 255;
/// Frames that the first palette is made from, at most this many and this many bytes.
const PALETTE_FRAMES: usize = 16;
const PALETTE_BYTES: usize = 64 << 20;
/// Pixels that a palette learns from.
const PALETTE_SAMPLES: usize = 60_000;
/// 1 is the quantiser's best, 30 its fastest; samples are few already.
const PALETTE_EFFORT: i32 = 3;
/// Height of the dither pattern in sample values, roughly the distance of palette colours.
const DITHER: i32 = 12;
/// A new palette is made when the mean squared error grows beyond this many times the first palette's own.
const WORSE: f64 = 3.0;
/// Browsers play a delay below 20 ms at 100 ms.
const SHORTEST_DELAY: u64 = 2;

/// 8x8 Bayer matrix, 0..64.
const BAYER: [[i32; 8]; 8] = [
    [0, 32, 8, 40, 2, 34, 10, 42],
    [48, 16, 56, 24, 50, 18, 58, 26],
    [12, 44, 4, 36, 14, 46, 6, 38],
    [60, 28, 52, 20, 62, 30, 54, 22],
    [3, 35, 11, 43, 1, 33, 9, 41],
    [51, 19, 59, 27, 49, 17, 57, 25],
    [15, 47, 7, 39, 13, 45, 5, 37],
    [63, 31, 55, 23, 61, 29, 53, 21],
];

pub(super) struct GifWriter {
    target: PathBuf,
    fps: f64,
    stage: Stage,
    /// Frames handed to the stream.
    received: u64,
    /// Hundredths of a second that are written.
    written: u64,
}

enum Stage {
    /// The first frames wait until the palette is made; the output is taken when it is.
    Collecting {
        output: Option<PartialFile>,
        frames: Vec<RgbImage>,
    },
    Writing(Box<Stream>),
}

impl GifWriter {
    pub(super) fn create(target: &Path, options: &WriteOptions) -> Result<Self, Error> {
        let stage = Stage::Collecting { output: Some(PartialFile::create(target)?), frames: Vec::new() };
        Ok(Self { target: target.into(), fps: options.fps, stage, received: 0, written: 0 })
    }

    pub(super) fn write(&mut self, image: &RgbImage) -> Result<(), Error> {
        if let Stage::Collecting { frames, .. } = &mut self.stage {
            frames.push(image.clone());
            if frames.len() >= PALETTE_FRAMES || frames.len() * image.len() >= PALETTE_BYTES {
                self.start_writing()?;
            }
            return Ok(());
        }
        self.write_frame(image)
    }

    fn start_writing(&mut self) -> Result<(), Error> {
        let Stage::Collecting { output, frames } = &mut self.stage else { return Ok(()) };
        let Some(output) = output.take() else { return Ok(()) };
        let frames = std::mem::take(frames);
        self.stage = Stage::Writing(Box::new(Stream::start(&self.target, output, &frames)?));
        frames.iter().try_for_each(|frame| self.write_frame(frame))
    }

    fn write_frame(&mut self, image: &RgbImage) -> Result<(), Error> {
        self.received += 1;
        let until = (self.received as f64 * 100.0 / self.fps).round() as u64;
        let delay = until.saturating_sub(self.written);
        let Stage::Writing(stream) = &mut self.stage else { return Ok(()) };
        // Rates above 50 are thinned.
        if delay >= SHORTEST_DELAY {
            stream.write(&self.target, image, u16::try_from(delay).unwrap_or(u16::MAX))?;
            self.written = until;
        }
        Ok(())
    }

    pub(super) fn finish(mut self, seal: &mut Seal<'_>) -> Result<u64, Error> {
        self.start_writing()?;
        match self.stage {
            Stage::Writing(stream) => stream
                .encoder
                .into_inner()
                .map_err(|error| gif_error(&self.target, error))?
                .finish_sealed(seal),
            Stage::Collecting { .. } => Err(Error::output(&self.target, "there are no frames to write")),
        }
    }
}

/// The encoder takes its output by value and flushes by itself.
impl std::io::Write for PartialFile {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.writer().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.writer().flush()
    }
}

struct Stream {
    encoder: Encoder<PartialFile>,
    palette: Palette,
    /// Whether `palette` is the one in the file's header.
    global: bool,
    shown: Vec<u8>,
    indices: Vec<u8>,
    /// Error of the first frame under the first palette.
    usual_error: f64,
}

impl Stream {
    fn start(target: &Path, output: PartialFile, frames: &[RgbImage]) -> Result<Self, Error> {
        let palette = Palette::new(frames);
        let (width, height) = frames.first().map_or((0, 0), RgbImage::dimensions);
        let mut encoder = Encoder::new(output, width as u16, height as u16, &palette.padded())
            .map_err(|error| gif_error(target, error))?;
        encoder.set_repeat(Repeat::Infinite).map_err(|error| gif_error(target, error))?;
        Ok(Self { encoder, palette, global: true, shown: Vec::new(), indices: Vec::new(), usual_error: 0.0 })
    }

    fn write(&mut self, target: &Path, image: &RgbImage, delay: u16) -> Result<(), Error> {
        let first = self.shown.is_empty();
        let mut error = self.palette.apply(image, &mut self.indices);
        if first {
            self.usual_error = error.max(1.0);
        } else if error > WORSE * self.usual_error {
            self.palette = Palette::new(std::slice::from_ref(image));
            self.global = false;
            error = self.palette.apply(image, &mut self.indices);
            self.usual_error = self.usual_error.max(error);
            // Indices of another palette mean other colours: everything is written anew.
            self.shown.fill(UNCHANGED);
        }
        let width = image.width() as usize;
        let all = Rect { left: 0, top: 0, right: width, bottom: image.height() as usize };
        let changed = if first { all } else { Rect::of_changes(&self.shown, &self.indices, width) };
        let mut buffer = Vec::with_capacity(changed.area());
        for y in changed.top..changed.bottom {
            let row = y * width + changed.left..y * width + changed.right;
            let old = self.shown.get(row.clone()).filter(|_| !first);
            match old {
                Some(old) => buffer.extend(
                    old.iter()
                        .zip(&self.indices[row])
                        .map(|(old, new)| if old == new { UNCHANGED } else { *new }),
                ),
                None => buffer.extend_from_slice(&self.indices[row]),
            }
        }
        std::mem::swap(&mut self.shown, &mut self.indices);
        let frame = Frame {
            delay,
            dispose: DisposalMethod::Keep,
            transparent: Some(UNCHANGED),
            top: changed.top as u16,
            left: changed.left as u16,
            width: (changed.right - changed.left) as u16,
            height: (changed.bottom - changed.top) as u16,
            palette: (!self.global).then(|| self.palette.padded()),
            buffer: Cow::Owned(buffer),
            ..Frame::default()
        };
        self.encoder.write_frame(&frame).map_err(|error| gif_error(target, error))
    }
}

/// Half-open pixel ranges.
#[derive(Clone, Copy)]
struct Rect {
    left: usize,
    top: usize,
    right: usize,
    bottom: usize,
}

impl Rect {
    /// The smallest rectangle around every difference; one pixel when there is none, since a frame cannot be empty.
    fn of_changes(old: &[u8], new: &[u8], width: usize) -> Self {
        let mut found: Option<Self> = None;
        for (y, (old, new)) in old.chunks_exact(width).zip(new.chunks_exact(width)).enumerate() {
            let differs = |x: &usize| old[*x] != new[*x];
            let Some(left) = (0..width).find(differs) else { continue };
            let right = (0..width).rfind(differs).map_or(left, |last| last) + 1;
            let rect = found.get_or_insert(Self { left, top: y, right, bottom: y + 1 });
            rect.left = rect.left.min(left);
            rect.right = rect.right.max(right);
            rect.bottom = y + 1;
        }
        found.unwrap_or(Self { left: 0, top: 0, right: 1, bottom: 1 })
    }

    fn area(self) -> usize {
        (self.right - self.left) * (self.bottom - self.top)
    }
}

/// 255 colours and the way from a colour to the nearest of them.
struct Palette {
    quantiser: NeuQuant,
    colors: Vec<u8>,
    /// Nearest index + 1 by the upper six bits of each channel; 0 is not looked up yet.
    nearest: Vec<u16>,
}

impl Palette {
    fn new(frames: &[RgbImage]) -> Self {
        let pixels: usize = frames.iter().map(|frame| frame.len() / 3).sum();
        let step = (pixels / PALETTE_SAMPLES).max(1);
        let samples: Vec<u8> = frames
            .iter()
            .flat_map(|frame| frame.pixels())
            .step_by(step)
            .flat_map(|pixel| [pixel[0], pixel[1], pixel[2], 255])
            .collect();
        let quantiser = NeuQuant::new(PALETTE_EFFORT, COLORS, &samples);
        let colors = quantiser.color_map_rgb();
        Self { quantiser, colors, nearest: vec![0; 1 << 18] }
    }

    /// With a place for the index that is never shown.
    fn padded(&self) -> Vec<u8> {
        let mut colors = self.colors.clone();
        colors.resize(256 * 3, 0);
        colors
    }

    /// Dithers `image` to indices; returns the mean squared error per sample.
    fn apply(&mut self, image: &RgbImage, indices: &mut Vec<u8>) -> f64 {
        indices.clear();
        let mut squares = 0u64;
        for (x, y, pixel) in image.enumerate_pixels() {
            let offset = (BAYER[y as usize % 8][x as usize % 8] * 2 - 63) * DITHER / 128;
            let dithered = pixel.0.map(|sample| (i32::from(sample) + offset).clamp(0, 255) as u8);
            let index = self.nearest(dithered);
            let at = usize::from(index) * 3;
            for (sample, color) in pixel.0.iter().zip(&self.colors[at..at + 3]) {
                squares += u64::from(sample.abs_diff(*color)).pow(2);
            }
            indices.push(index);
        }
        squares as f64 / image.len().max(1) as f64
    }

    fn nearest(&mut self, [r, g, b]: [u8; 3]) -> u8 {
        let key = usize::from(r >> 2) << 12 | usize::from(g >> 2) << 6 | usize::from(b >> 2);
        if self.nearest[key] == 0 {
            let centre = |sample: u8| sample & !3 | 2;
            let index = self.quantiser.index_of(&[centre(r), centre(g), centre(b), 255]);
            self.nearest[key] = index.min(COLORS - 1) as u16 + 1;
        }
        (self.nearest[key] - 1) as u8
    }
}

fn gif_error(target: &Path, error: EncodingError) -> Error {
    match error {
        EncodingError::Io(cause) => Error::write(target)(cause),
        other => Error::output(target, other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Temporary files name themselves in their errors, and studios show errors to their visitors.
    #[test]
    fn errors_name_the_output_alone() {
        let full =
            std::io::Error::new(std::io::ErrorKind::StorageFull, "no room at /secret/.out.gif.partial-x");
        let line = gif_error(Path::new("out.gif"), EncodingError::Io(full)).to_string();
        assert!(line.starts_with("out.gif: ") && !line.contains("secret"), "{line}");
    }
}
