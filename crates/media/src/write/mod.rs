//! Clips out, by extension: `.mp4`, `.gif`, `.webp`, or a folder of PNGs.
//!
//! Every writer streams, writes beside the target and renames at the end: see the `partial` module.

mod gif;
mod mp4;
mod sound;
mod webp;

use crate::partial::{PartialFolder, remove_leftovers, sync_file};
use crate::{ClipReader, Error, ReadOptions, encode_png};
use image::RgbImage;
use image::codecs::png::CompressionType;
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
/// another. A refusal says why, in words that go behind the output's name.
pub type Seal<'a> = dyn FnMut(&Path) -> Result<(), String> + 'a;

/// Writes one clip. Dropped before [`ClipWriter::finish`], it removes everything it wrote.
pub struct ClipWriter {
    target: PathBuf,
    size: (u32, u32),
    frames: u64,
    warnings: Vec<String>,
    sink: Sink,
}

enum Sink {
    Mp4(Box<mp4::Mp4Writer>),
    Gif(Box<gif::GifWriter>),
    WebP(Box<webp::WebPWriter>),
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
        remove_leftovers(path, usize::MAX);
        let trailing_slash = path.as_os_str().as_encoded_bytes().ends_with(b"/");
        let extension = path.extension().filter(|_| !trailing_slash);
        let extension = extension.map(|extension| extension.to_string_lossy().to_lowercase());
        let mut warnings = Vec::new();
        let sink = match extension.as_deref() {
            Some("mp4" | "m4v") => {
                check_mp4_size(path, options)?;
                Sink::Mp4(Box::new(mp4::Mp4Writer::create(path, options, &mut warnings)?))
            }
            Some("gif") => {
                check_side(path, options, GIF_MAX_SIDE)?;
                Sink::Gif(Box::new(gif::GifWriter::create(path, options)?))
            }
            Some("webp") => {
                check_side(path, options, WEBP_MAX_SIDE)?;
                Sink::WebP(Box::new(webp::WebPWriter::create(path, options)?))
            }
            None => Sink::Folder(PartialFolder::create(path)?),
            Some(other) => {
                let what =
                    format!("outputs end in .mp4, .gif or .webp, or are a folder; .{other} is none of them");
                return Err(Error::output(path, what));
            }
        };
        if !matches!(sink, Sink::Mp4(_)) && options.sound.as_ref().is_some_and(Sound::is_there) {
            warnings.push(format!("{}: only mp4 has sound; written without", path.display()));
        }
        Ok(Self { target: path.into(), size: (options.width, options.height), frames: 0, warnings, sink })
    }

    /// Adds a frame of the size given at the start.
    pub fn write(&mut self, image: &RgbImage) -> Result<(), Error> {
        if image.dimensions() != self.size {
            let ((width, height), (w, h)) = (image.dimensions(), self.size);
            let what = format!("a frame has {width}x{height} pixels where the output has {w}x{h}");
            return Err(Error::output(&self.target, what));
        }
        match &mut self.sink {
            Sink::Mp4(writer) => writer.write(image)?,
            Sink::Gif(writer) => writer.write(image)?,
            Sink::WebP(writer) => writer.write(image)?,
            Sink::Folder(folder) => {
                let png = encode_png(&self.target, image, CompressionType::Fast)?;
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
