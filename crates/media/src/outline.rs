//! Sizes and times of an animation's frames, from its headers alone: nothing is decoded or allocated for pixels.
//!
//! GIF after the [GIF89a specification](https://www.w3.org/Graphics/GIF/spec-gif89a.txt), WebP after its
//! [container specification](https://developers.google.com/speed/webp/docs/riff_container).

use crate::{Budget, Error};
use std::io::{self, BufRead, ErrorKind, Seek, SeekFrom};
use std::path::Path;

/// What browsers make of a delay of zero or nearly so, in seconds.
const DEFAULT_DELAY: f64 = 0.1;
const SHORTEST_DELAY: f64 = 0.011;

/// What the headers of a whole animation say.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Outline {
    pub(crate) width: u32,
    pub(crate) height: u32,
    /// How long each frame stands, in seconds.
    pub(crate) delays: Vec<f64>,
}

/// Seconds that a frame with a delay of `seconds` is shown.
pub(crate) fn shown_for(seconds: f64) -> f64 {
    if seconds < SHORTEST_DELAY { DEFAULT_DELAY } else { seconds }
}

/// The error for frame `index` (from 0) that begins at `time`.
pub(crate) fn bad_frame(path: &Path, index: usize, time: f64, what: &str) -> Error {
    Error::damaged(path, format!("frame {} (at {time:.2} s) {what}", index + 1))
}

/// Why a walk through the headers ended.
enum Fault {
    Io(io::Error),
    /// What is wrong with the frame that was reached.
    Frame(&'static str),
    /// A limit or a size, already in words.
    Refused(Error),
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        if error.kind() == ErrorKind::UnexpectedEof { Self::Frame("is cut short") } else { Self::Io(error) }
    }
}

/// Collects frames while their sum stays within the budget.
struct Walk<'a> {
    path: &'a Path,
    budget: &'a Budget,
    outline: Outline,
    pixels: u64,
}

impl<'a> Walk<'a> {
    fn new(path: &'a Path, budget: &'a Budget) -> Self {
        let outline = Outline { width: 0, height: 0, delays: Vec::new() };
        Self { path, budget, outline, pixels: 0 }
    }

    fn set_canvas(&mut self, width: u32, height: u32) -> Result<(), Fault> {
        self.budget.check_clip_size(self.path, width, height).map_err(Fault::Refused)?;
        (self.outline.width, self.outline.height) = (width, height);
        Ok(())
    }

    /// Adds a frame that covers `width` x `height` pixels; composing it costs at least the canvas.
    fn add(&mut self, width: u32, height: u32, delay: f64) -> Result<(), Fault> {
        let area = |width: u32, height: u32| u64::from(width) * u64::from(height);
        if area(width, height) > self.budget.clip_pixels {
            return Err(Fault::Frame("is larger than a picture may be"));
        }
        self.pixels += area(width, height).max(area(self.outline.width, self.outline.height));
        self.outline.delays.push(shown_for(delay));
        if self.pixels > self.budget.animation_pixels {
            let most = self.budget.animation_pixels / 1_000_000;
            let what = format!(
                "more than {most} megapixels in all frames together; scale it down, cut it or convert it to mp4"
            );
            return Err(Fault::Refused(Error::limit(self.path, what)));
        }
        let frames = self.outline.delays.len() as u64;
        self.budget.check_frames(self.path, frames).map_err(Fault::Refused)
    }

    fn finish(self, ended: Result<(), Fault>) -> Result<Outline, Error> {
        // An empty sum of floats is -0.
        let time = self.outline.delays.iter().fold(0.0, |time, delay| time + delay);
        let index = self.outline.delays.len();
        match ended {
            Ok(()) if index == 0 => Err(Error::NoFrames { path: self.path.into() }),
            Ok(()) => Ok(self.outline),
            Err(Fault::Refused(error)) => Err(error),
            Err(Fault::Io(cause)) => Err(Error::Read { path: self.path.into(), cause }),
            Err(Fault::Frame(what)) => Err(bad_frame(self.path, index, time, what)),
        }
    }
}

/// Walks through all frames of a GIF.
pub(crate) fn gif(path: &Path, file: &mut (impl BufRead + Seek), budget: &Budget) -> Result<Outline, Error> {
    let mut walk = Walk::new(path, budget);
    let ended = gif_frames(file, &mut walk, usize::MAX);
    walk.finish(ended)
}

/// Whether a GIF has a second frame. Damage is not told here: who reads the frames tells it.
pub(crate) fn gif_moves(path: &Path, file: &mut (impl BufRead + Seek)) -> bool {
    let unlimited = Budget { clip_pixels: u64::MAX, animation_pixels: u64::MAX, ..Budget::default() };
    let mut walk = Walk::new(path, &unlimited);
    // What follows the second frame's header matters to its reader only.
    let _ = gif_frames(file, &mut walk, 2);
    walk.outline.delays.len() == 2
}

/// Stops behind the header of frame number `most`.
fn gif_frames(file: &mut (impl BufRead + Seek), walk: &mut Walk<'_>, most: usize) -> Result<(), Fault> {
    let mut header = [0; 13];
    file.read_exact(&mut header)?;
    let size = |at: usize| u32::from(u16::from_le_bytes([header[at], header[at + 1]]));
    walk.set_canvas(size(6), size(8))?;
    skip_palette(file, header[10])?;
    let mut delay = 0.0;
    loop {
        // Many files lack the trailer.
        let Some(kind) = next_byte(file)? else { return Ok(()) };
        match kind {
            0x21 => {
                let label = byte(file)?;
                let block = first_block(file)?;
                if let (0xf9, [_, low, high, ..]) = (label, block.as_slice()) {
                    delay = f64::from(u16::from_le_bytes([*low, *high])) / 100.0;
                }
            }
            0x2c => {
                let mut descriptor = [0; 9];
                file.read_exact(&mut descriptor)?;
                let side = |at: usize| u32::from(u16::from_le_bytes([descriptor[at], descriptor[at + 1]]));
                if walk.outline.delays.len() + 1 == most {
                    return walk.add(side(4), side(6), delay);
                }
                skip_palette(file, descriptor[8])?;
                byte(file)?; // code size
                skip_blocks(file)?;
                walk.add(side(4), side(6), delay)?;
                delay = 0.0;
            }
            0x3b => return Ok(()),
            _ => return Err(Fault::Frame("begins with no known block")),
        }
    }
}

fn next_byte(file: &mut impl BufRead) -> io::Result<Option<u8>> {
    let first = file.fill_buf()?.first().copied();
    if first.is_some() {
        file.consume(1);
    }
    Ok(first)
}

fn byte(file: &mut impl BufRead) -> io::Result<u8> {
    next_byte(file)?.ok_or_else(|| ErrorKind::UnexpectedEof.into())
}

fn skip(file: &mut impl BufRead, mut bytes: usize) -> io::Result<()> {
    while bytes > 0 {
        let available = file.fill_buf()?.len();
        if available == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        let step = available.min(bytes);
        file.consume(step);
        bytes -= step;
    }
    Ok(())
}

/// `flags` of the screen or of a frame: the first bit says that a palette follows, the last three how large it is.
fn skip_palette(file: &mut impl BufRead, flags: u8) -> io::Result<()> {
    if flags & 0x80 == 0 { Ok(()) } else { skip(file, 3 << ((flags & 7) + 1)) }
}

fn skip_blocks(file: &mut impl BufRead) -> io::Result<()> {
    loop {
        match byte(file)? {
            0 => return Ok(()),
            length => skip(file, usize::from(length))?,
        }
    }
}

/// The first of a chain of blocks; skips the rest.
fn first_block(file: &mut impl BufRead) -> io::Result<Vec<u8>> {
    let length = byte(file)?;
    let mut block = vec![0; usize::from(length)];
    file.read_exact(&mut block)?;
    if length > 0 {
        skip_blocks(file)?;
    }
    Ok(block)
}

/// Walks through all frames of an animated WebP.
pub(crate) fn webp(path: &Path, file: &mut (impl BufRead + Seek), budget: &Budget) -> Result<Outline, Error> {
    let mut walk = Walk::new(path, budget);
    let ended = webp_frames(file, &mut walk);
    walk.finish(ended)
}

fn webp_frames(file: &mut (impl BufRead + Seek), walk: &mut Walk<'_>) -> Result<(), Fault> {
    let whole = webp_chunks(file, |file, at, kind, head| match (kind, head) {
        (b"VP8X", [_, _, _, _, canvas @ ..]) => walk.set_canvas(u24(canvas, 0) + 1, u24(canvas, 3) + 1),
        (b"ANMF", head @ [_, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _]) => {
            let (width, height) = (u24(head, 6) + 1, u24(head, 9) + 1);
            // The decoder panics where a picture has another size than its frame.
            if picture_size(file, at + 16)?.is_some_and(|size| size != (width, height)) {
                return Err(Fault::Frame("has another size than its picture"));
            }
            walk.add(width, height, f64::from(u24(head, 12)) / 1000.0)
        }
        (b"ANMF", _) => Err(Fault::Frame("has no header")),
        _ => Ok(()),
    })?;
    if whole { Ok(()) } else { Err(Fault::Frame("is missing, the file is cut short")) }
}

/// Size in the header of the lossy or lossless picture whose chunks begin at `at`; `None` when there is none.
fn picture_size(file: &mut (impl BufRead + Seek), mut at: u64) -> io::Result<Option<(u32, u32)>> {
    // At most the transparency comes before.
    for _ in 0..2 {
        let mut head = [0; 18];
        file.seek(SeekFrom::Start(at))?;
        if file.read_exact(&mut head).is_err() {
            return Ok(None);
        }
        let word = |at: usize| u32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
        match &head[..4] {
            b"VP8 " => return Ok(Some((word(14) & 0x3fff, word(14) >> 16 & 0x3fff))),
            b"VP8L" => return Ok(Some(((word(9) & 0x3fff) + 1, (word(9) >> 14 & 0x3fff) + 1))),
            _ => at += 8 + u64::from(word(4)) + u64::from(word(4) % 2),
        }
    }
    Ok(None)
}

fn u24(bytes: &[u8], at: usize) -> u32 {
    let byte = |at: usize| u32::from(bytes.get(at).copied().unwrap_or(0));
    byte(at) | byte(at + 1) << 8 | byte(at + 2) << 16
}

/// Calls `visit` with the file, and the place, the kind and the first 16 bytes, or fewer, of every chunk that lies whole
/// in it. Whether the file is as long as its header says.
fn webp_chunks<F: BufRead + Seek>(
    file: &mut F,
    mut visit: impl FnMut(&mut F, u64, &[u8; 4], &[u8]) -> Result<(), Fault>,
) -> Result<bool, Fault> {
    let length = file.seek(SeekFrom::End(0))?;
    file.seek(SeekFrom::Start(4))?;
    let mut word = [0; 4];
    file.read_exact(&mut word)?;
    let end = u64::from(u32::from_le_bytes(word)) + 8;
    let mut at = 12;
    while at + 8 <= end.min(length) {
        // Within the buffer where that is possible: a file may be nothing but small chunks.
        let here = file.stream_position()?;
        file.seek_relative(at as i64 - here as i64)?;
        let mut kind = [0; 4];
        file.read_exact(&mut kind)?;
        file.read_exact(&mut word)?;
        let size = u64::from(u32::from_le_bytes(word));
        if at + 8 + size > length {
            return Err(Fault::Frame("is cut short"));
        }
        let mut head = [0; 16];
        let head = &mut head[..size.min(16) as usize];
        file.read_exact(head)?;
        visit(file, at + 8, &kind, head)?;
        at += 8 + size + size % 2;
    }
    // Some writers count the padding of the last chunk and leave it out.
    Ok(end <= length + 1)
}

/// Refuses a still WebP whose chunks are longer than the file: the decoder would allocate what they promise.
pub(crate) fn check_still_webp(path: &Path, file: &mut (impl BufRead + Seek)) -> Result<(), Error> {
    webp_chunks(file, |_, _, _, _| Ok(())).map(drop).map_err(|fault| match fault {
        Fault::Io(cause) => Error::Read { path: path.into(), cause },
        Fault::Frame(_) => Error::damaged(path, "the file is cut short"),
        Fault::Refused(error) => error,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Cursor;

    /// A GIF of one-pixel frames on a canvas.
    fn tiny_frames(width: u16, height: u16, frames: usize) -> Vec<u8> {
        let mut gif = b"GIF89a".to_vec();
        gif.extend(width.to_le_bytes());
        gif.extend(height.to_le_bytes());
        gif.extend([0x80, 0, 0, 0, 0, 0, 255, 255, 255]);
        for _ in 0..frames {
            gif.extend([0x21, 0xf9, 4, 4, 4, 0, 0, 0, 0x2c, 0, 0, 0, 0, 1, 0, 1, 0, 0, 2, 2, 0x44, 1, 0]);
        }
        gif.push(0x3b);
        gif
    }

    fn walk(gif_bytes: &[u8]) -> Result<Outline, String> {
        gif(Path::new("a.gif"), &mut Cursor::new(gif_bytes), &Budget::default())
            .map_err(|error| error.to_string())
    }

    #[test]
    fn gif_headers_tell_frames_and_times() {
        let outline = walk(&tiny_frames(300, 200, 5)).unwrap();
        assert_eq!((outline.width, outline.height), (300, 200));
        assert_eq!(outline.delays, [0.04; 5]);
    }

    #[test]
    fn large_sums_are_refused_by_their_headers() {
        let cases = [
            (tiny_frames(65_535, 65_535, 2), "65535x65535 pixels are more than"),
            (tiny_frames(7_000, 7_000, 1_000), "7000x7000 pixels are more than"),
            (tiny_frames(3_000, 3_000, 1_000), "more than 4000 megapixels in all frames together"),
            (tiny_frames(0, 300, 2), "have no size"),
        ];
        for (bytes, expected) in cases {
            let message = walk(&bytes).unwrap_err();
            assert!(message.contains(expected), "{message}");
        }
    }

    #[test]
    fn a_cut_names_the_frame_and_its_time() {
        let whole = tiny_frames(300, 200, 5);
        let frame = 23;
        for cut in [19 + 3 * frame + 1, 19 + 3 * frame + 10, 19 + 4 * frame - 1] {
            let message = walk(&whole[..cut]).unwrap_err();
            assert!(message.contains("frame 4 (at 0.12 s) is cut short"), "{cut}: {message}");
        }
        // Between two frames nothing tells a missing trailer from missing frames; most files without one are whole.
        assert_eq!(walk(&whole[..19 + 3 * frame]).unwrap().delays.len(), 3);
    }

    #[test]
    fn two_frames_move_whatever_they_promise() {
        for (frames, moves) in [(0, false), (1, false), (2, true), (9, true)] {
            let bytes = tiny_frames(65_535, 65_535, frames);
            assert_eq!(gif_moves(Path::new("a.gif"), &mut Cursor::new(bytes)), moves, "{frames}");
        }
    }

    #[test]
    fn a_webp_frame_of_another_size_than_its_picture_is_refused() {
        let seed: &[u8] = include_bytes!("../../../fuzz/seeds/webp/lossy.webp");
        let walk = |bytes: &[u8]| {
            webp(Path::new("a.webp"), &mut Cursor::new(bytes), &Budget::default())
                .map_err(|error| error.to_string())
        };
        assert_eq!(walk(seed).unwrap().delays.len(), 4);
        let mut bytes = seed.to_vec();
        let frame = bytes.windows(4).position(|kind| kind == b"ANMF").unwrap();
        bytes[frame + 8 + 6] -= 20;
        let message = walk(&bytes).unwrap_err();
        assert!(message.contains("frame 1 (at 0.00 s) has another size"), "{message}");
    }

    #[test]
    fn webp_chunks_longer_than_the_file_are_refused() {
        let mut bytes = b"RIFF\xff\xff\xff\x7fWEBPEXIF".to_vec();
        bytes.extend(0x7fff_0000u32.to_le_bytes());
        bytes.extend([0; 64]);
        let error = check_still_webp(Path::new("a.webp"), &mut Cursor::new(bytes)).unwrap_err();
        assert!(error.to_string().contains("cut short"), "{error}");
    }
}
