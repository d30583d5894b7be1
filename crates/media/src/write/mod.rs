//! Clips out, by extension ([`OutputFormat`]): files, or a folder of PNGs.
//!
//! Every writer streams, writes beside the target and renames at the end: see the `partial` module.

mod apng;
mod ffmpeg;
mod format;
mod gif;
mod mp4;
mod picture;
mod sound;
mod webp;

pub use format::OutputFormat;

use crate::partial::{PartialFolder, remove_leftovers, sync_file};
use crate::{ClipReader, Error, ReadOptions, encode_png};
use image::RgbImage;
use image::codecs::png::CompressionType;
use picture::Picture;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Longest side of an mp4: the encoder's limit (H.264 level 5.2).
pub const MP4_MAX_LONG_SIDE: u32 = 3840;
/// Longest short side of an mp4.
pub const MP4_MAX_SHORT_SIDE: u32 = 2160;
/// Shortest side of an output: one macroblock.
const MIN_SIDE: u32 = 16;
/// WebP stores sizes in 14 bits, GIF in 16.
const WEBP_MAX_SIDE: u32 = 16383;
const GIF_MAX_SIDE: u32 = 65535;
/// PNG stores sizes in 31 bits; no reader takes such a picture.
const APNG_MAX_SIDE: u32 = 65535;
/// VP9 stores sizes in 16 bits; the encoders of ffmpeg take a quarter of that.
const FFMPEG_MAX_SIDE: u32 = 16384;

/// What to write.
#[derive(Debug, Clone)]
pub struct WriteOptions {
    /// Pixels across of every frame. In mp4, whose chroma has half the resolution, an odd last column is left out.
    pub width: u32,
    /// Pixels down of every frame. In mp4 an odd last row is left out.
    pub height: u32,
    /// Constant rate in frames per second, 0.1..=240.
    pub fps: f64,
    /// Sound for mp4; the other outputs have none and say so in [`Written::warnings`].
    pub sound: Option<Sound>,
    /// Whether frames come with alpha, [`ClipWriter::write_with_alpha`]. Only formats with
    /// [`has_alpha`](OutputFormat::has_alpha) take it.
    pub alpha: bool,
}

/// A part of a clip's sound.
#[derive(Debug, Clone)]
pub struct Sound {
    /// The clip.
    pub clip: PathBuf,
    /// Where the first output frame lies in the clip.
    pub start: Duration,
    /// Length of the part; `None` goes to the end of the sound.
    pub duration: Option<Duration>,
    /// How often the part is played, at least once. Repetitions begin exactly `duration` apart.
    pub repeat: u32,
}

impl Sound {
    /// Whether the clip has any.
    fn is_there(&self) -> bool {
        let clip = ClipReader::open(&self.clip, &ReadOptions::default());
        clip.is_ok_and(|clip| clip.info().audio.is_some())
    }
}

/// What was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// Size of the file, or of all files of a folder.
    pub bytes: u64,
    /// Frames handed to [`ClipWriter::write`].
    pub frames: u64,
    /// What could not be done as asked, one line each.
    pub warnings: Vec<String>,
}

/// What is done to a complete file before it gets its name, like signing it: the file at this path may be replaced by
/// another, and a file `PATH.c2pa` that is put beside it keeps it company under its new name. A refusal says why, in words that go behind the output's name.
pub type Seal<'a> = dyn FnMut(&Path) -> Result<(), String> + 'a;

/// Writes one clip. Dropped before [`ClipWriter::finish`], it removes everything it wrote.
pub struct ClipWriter {
    target: PathBuf,
    size: (u32, u32),
    frames: u64,
    warnings: Vec<String>,
    alpha: bool,
    /// Colours and alpha of a frame brought together, kept from frame to frame.
    room: Vec<u8>,
    sink: Sink,
}

enum Sink {
    Mp4(Box<mp4::Mp4Writer>),
    Gif(Box<gif::GifWriter>),
    WebP(Box<webp::WebPWriter>),
    Apng(Box<apng::ApngWriter>),
    /// `WebM` and mov.
    Ffmpeg(Box<ffmpeg::FfmpegWriter>),
    /// Of PNGs: `000001.png`, `000002.png`, ...
    Folder(PartialFolder),
}

impl ClipWriter {
    /// Starts the output at `path`. A path without extension, or with a trailing slash, is a folder of PNGs. What a killed
    /// program left behind of the same output is removed.
    pub fn create(path: &Path, options: &WriteOptions) -> Result<Self, Error> {
        if !(0.1..=240.0).contains(&options.fps) {
            return Err(Error::output(path, format!("{} frames per second; choose 0.1 to 240", options.fps)));
        }
        let format = OutputFormat::of(path).ok_or_else(|| {
            let extension = path.extension().unwrap_or_default().display();
            let choices = OutputFormat::choices(|_| true);
            Error::output(
                path,
                format!("outputs end in {choices}, or are a folder; .{extension} is none of them"),
            )
        })?;
        if options.alpha && !format.has_alpha() {
            let choices = OutputFormat::choices(OutputFormat::has_alpha);
            return Err(Error::output(
                path,
                format!("this format has no transparency; choose {choices}, or a folder of PNGs"),
            ));
        }
        remove_leftovers(path, usize::MAX);
        let mut warnings = Vec::new();
        let sink = match format {
            OutputFormat::Mp4 => {
                check_mp4_size(path, options)?;
                Sink::Mp4(Box::new(mp4::Mp4Writer::create(path, options, &mut warnings)?))
            }
            OutputFormat::Gif => {
                check_side(path, options, GIF_MAX_SIDE)?;
                Sink::Gif(Box::new(gif::GifWriter::create(path, options)?))
            }
            OutputFormat::WebP => {
                check_side(path, options, WEBP_MAX_SIDE)?;
                Sink::WebP(Box::new(webp::WebPWriter::create(path, options)?))
            }
            OutputFormat::Apng => {
                check_side(path, options, APNG_MAX_SIDE)?;
                Sink::Apng(Box::new(apng::ApngWriter::create(path, options)?))
            }
            OutputFormat::WebM => {
                check_side(path, options, FFMPEG_MAX_SIDE)?;
                Sink::Ffmpeg(Box::new(ffmpeg::FfmpegWriter::create(path, options, ffmpeg::Codec::Vp9)?))
            }
            OutputFormat::Mov => {
                check_side(path, options, FFMPEG_MAX_SIDE)?;
                Sink::Ffmpeg(Box::new(ffmpeg::FfmpegWriter::create(path, options, ffmpeg::Codec::ProRes)?))
            }
            OutputFormat::Pictures => Sink::Folder(PartialFolder::create(path)?),
        };
        if !matches!(sink, Sink::Mp4(_)) && options.sound.as_ref().is_some_and(Sound::is_there) {
            warnings.push(format!("{}: only mp4 has sound; written without", path.display()));
        }
        let (size, alpha) = ((options.width, options.height), options.alpha);
        Ok(Self { target: path.into(), size, frames: 0, warnings, alpha, room: Vec::new(), sink })
    }

    /// Adds a frame of the size given at the start; in an output with alpha it is opaque.
    pub fn write(&mut self, image: &RgbImage) -> Result<(), Error> {
        self.add(image, None)
    }

    /// Adds a frame with its alpha, `[height * width]`: 0 is transparent, 255 opaque. Colours are not multiplied by it.
    ///
    /// # Errors
    /// As [`ClipWriter::write`]; and where the output was begun without [`WriteOptions::alpha`], or the plane is of another
    /// size than the frame.
    pub fn write_with_alpha(&mut self, image: &RgbImage, alpha: &[u8]) -> Result<(), Error> {
        if !self.alpha {
            return Err(Error::output(&self.target, "was begun without alpha, and a frame has one"));
        }
        if alpha.len() * 3 != image.len() {
            let what = format!("a frame has {} values of alpha and {} pixels", alpha.len(), image.len() / 3);
            return Err(Error::output(&self.target, what));
        }
        self.add(image, Some(alpha))
    }

    fn add(&mut self, image: &RgbImage, alpha: Option<&[u8]>) -> Result<(), Error> {
        if image.dimensions() != self.size {
            let ((width, height), (w, h)) = (image.dimensions(), self.size);
            let what = format!("a frame has {width}x{height} pixels where the output has {w}x{h}");
            return Err(Error::output(&self.target, what));
        }
        let picture = if self.alpha {
            Picture::with_alpha(image, alpha, &mut self.room)
        } else {
            Picture::opaque(image)
        };
        match &mut self.sink {
            Sink::Mp4(writer) => writer.write(image)?,
            Sink::Gif(writer) => writer.write(image)?,
            Sink::WebP(writer) => writer.write(&picture)?,
            Sink::Apng(writer) => writer.write(&picture)?,
            Sink::Ffmpeg(writer) => writer.write(&picture)?,
            Sink::Folder(folder) => {
                let (Picture { width, height, samples, .. }, colour) = (picture, picture.colour());
                let png = encode_png(&self.target, samples, (width, height), colour, CompressionType::Fast)?;
                fs::write(numbered(folder, self.frames + 1), png).map_err(Error::write(&self.target))?;
            }
        }
        self.frames += 1;
        Ok(())
    }

    /// Completes the output and moves it into place.
    pub fn finish(self) -> Result<Written, Error> {
        self.finish_sealed(&mut |_| Ok(()))
    }

    /// As [`ClipWriter::finish`], but hands the file, or each picture of a folder, to `seal` before it is moved into place:
    /// nothing appears under the output's name that was not sealed.
    pub fn finish_sealed(self, seal: &mut Seal<'_>) -> Result<Written, Error> {
        if self.frames == 0 {
            return Err(Error::output(&self.target, "there are no frames to write"));
        }
        let bytes = match self.sink {
            Sink::Mp4(writer) => writer.finish(seal)?,
            Sink::Gif(writer) => writer.finish(seal)?,
            Sink::WebP(writer) => writer.finish(seal)?,
            Sink::Apng(writer) => writer.finish(seal)?,
            Sink::Ffmpeg(writer) => writer.finish(seal)?,
            Sink::Folder(folder) => finish_folder(folder, &self.target, self.frames, seal)?,
        };
        Ok(Written { bytes, frames: self.frames, warnings: self.warnings })
    }
}

fn check_mp4_size(path: &Path, options: &WriteOptions) -> Result<(), Error> {
    let (width, height) = (options.width, options.height);
    if width.max(height) > MP4_MAX_LONG_SIDE || width.min(height) > MP4_MAX_SHORT_SIDE {
        let fault =
            format!("do not fit into {MP4_MAX_LONG_SIDE}x{MP4_MAX_SHORT_SIDE}, the limit of mp4; scale down");
        return Err(Error::Size { path: path.into(), width, height, fault });
    }
    check_side(path, options, MP4_MAX_LONG_SIDE)
}

fn check_side(path: &Path, options: &WriteOptions, most: u32) -> Result<(), Error> {
    let (width, height) = (options.width, options.height);
    if width.min(height) < MIN_SIDE || width.max(height) > most {
        let fault = format!("cannot be written in this format; each side may have {MIN_SIDE} to {most}");
        return Err(Error::Size { path: path.into(), width, height, fault });
    }
    Ok(())
}

fn numbered(folder: &PartialFolder, number: u64) -> PathBuf {
    folder.path().join(format!("{number:06}.png"))
}

fn finish_folder(
    folder: PartialFolder,
    target: &Path,
    frames: u64,
    seal: &mut Seal<'_>,
) -> Result<u64, Error> {
    let mut bytes = 0;
    for number in 1..=frames {
        let picture = numbered(&folder, number);
        seal(&picture).map_err(|what| Error::output(target, what))?;
        sync_file(&picture).map_err(Error::write(target))?;
        bytes += fs::metadata(&picture).map_err(Error::write(target))?.len();
    }
    folder.finish()?;
    Ok(bytes)
}
