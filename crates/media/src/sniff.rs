//! What a file is, by its first bytes. Extensions lie: a "jpg" is often a PNG, an "mp4" an error page.

use crate::Error;
use crate::outline::gif_moves;
use std::fs::{self, File};
use std::io::{BufReader, Read};
use std::path::Path;

/// The three kinds of input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InputKind {
    /// A still picture.
    Photo,
    /// A video, an animated GIF or an animated WebP.
    Clip,
    /// A folder: its pictures are frames, or photos, as the caller decides.
    PictureFolder,
}

/// How a clip is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Container {
    /// mp4, mov and their kin: boxes.
    Mp4,
    AnimatedGif,
    AnimatedWebP,
    /// Only the `ffmpeg` program reads it; the name users know it by.
    Other(&'static str),
}

pub(crate) enum Content {
    Photo,
    Clip(Container),
    Folder,
}

/// Tells what stands at `path` by content.
pub fn sniff(path: &Path) -> Result<InputKind, Error> {
    Ok(match content(path)? {
        Content::Photo => InputKind::Photo,
        Content::Clip(_) => InputKind::Clip,
        Content::Folder => InputKind::PictureFolder,
    })
}

pub(crate) fn content(path: &Path) -> Result<Content, Error> {
    if fs::metadata(path).map_err(Error::read(path))?.is_dir() {
        return Ok(Content::Folder);
    }
    let head = head(path)?;
    if head.is_empty() {
        return Err(Error::Format { path: path.into(), what: "the file is empty".into() });
    }
    if let Some(container) = clip_container(&head) {
        return Ok(Content::Clip(container));
    }
    if is_picture(&head) {
        let animated_gif =
            head.starts_with(b"GIF8") && gif_moves(path, &mut BufReader::new(open_regular(path)?));
        return Ok(if animated_gif { Content::Clip(Container::AnimatedGif) } else { Content::Photo });
    }
    let what = match brand(&head) {
        Some(b"heic" | b"heix" | b"mif1" | b"msf1" | b"hevc") => "HEIC pictures are not supported",
        Some(b"avif" | b"avis") => "AVIF pictures are not supported",
        _ => "is neither a picture nor a clip",
    };
    Err(Error::Format { path: path.into(), what: what.into() })
}

/// Whether the file at `path` starts like a picture; files that cannot be read do not.
pub(crate) fn looks_like_picture(path: &Path) -> bool {
    path.is_file() && head(path).is_ok_and(|head| is_picture(&head))
}

fn head(path: &Path) -> Result<Vec<u8>, Error> {
    let mut head = Vec::with_capacity(512);
    open_regular(path)?.take(512).read_to_end(&mut head).map_err(Error::read(path))?;
    Ok(head)
}

/// Opens the file at `path`. Opening a pipe may wait for ever, and reading a device may never end: both are refused.
pub(crate) fn open_regular(path: &Path) -> Result<File, Error> {
    if !fs::metadata(path).map_err(Error::read(path))?.is_file() {
        return Err(Error::Format { path: path.into(), what: "is not a regular file".into() });
    }
    File::open(path).map_err(Error::read(path))
}

fn is_picture(head: &[u8]) -> bool {
    image::guess_format(head)
        .is_ok_and(|format| crate::formats::FORMATS.iter().any(|(known, _)| *known == format))
}

fn brand(head: &[u8]) -> Option<&[u8; 4]> {
    (head.get(4..8)? == b"ftyp").then(|| head.get(8..12)?.try_into().ok())?
}

fn clip_container(head: &[u8]) -> Option<Container> {
    const STILL_BRANDS: [&[u8; 4]; 7] = [b"heic", b"heix", b"mif1", b"msf1", b"hevc", b"avif", b"avis"];
    match head {
        [_, _, _, _, b'f', b't', b'y', b'p', ..] => {
            brand(head).filter(|brand| !STILL_BRANDS.contains(brand)).map(|_| Container::Mp4)
        }
        [_, _, _, _, kind @ ..]
            if [b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot"]
                .iter()
                .any(|k| kind.starts_with(*k)) =>
        {
            Some(Container::Mp4)
        }
        [0x1a, 0x45, 0xdf, 0xa3, ..] => {
            let webm = head.windows(4).any(|window| window == b"webm");
            Some(Container::Other(if webm { "webm" } else { "mkv" }))
        }
        [b'R', b'I', b'F', b'F', _, _, _, _, b'A', b'V', b'I', b' ', ..] => Some(Container::Other("avi")),
        // The second flag bit of the VP8X chunk says animation.
        [
            b'R',
            b'I',
            b'F',
            b'F',
            _,
            _,
            _,
            _,
            b'W',
            b'E',
            b'B',
            b'P',
            b'V',
            b'P',
            b'8',
            b'X',
            _,
            _,
            _,
            _,
            flags,
            ..,
        ] if flags & 2 != 0 => Some(Container::AnimatedWebP),
        [0, 0, 1, 0xba | 0xb3, ..] => Some(Container::Other("mpg")),
        [b'F', b'L', b'V', 1, ..] => Some(Container::Other("flv")),
        [b'O', b'g', b'g', b'S', ..] => Some(Container::Other("ogg")),
        [0x30, 0x26, 0xb2, 0x75, 0x8e, 0x66, 0xcf, 0x11, ..] => Some(Container::Other("wmv")),
        [0x47, ..] if head.get(188) == Some(&0x47) && head.get(376) == Some(&0x47) => {
            Some(Container::Other("ts"))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn containers_are_told_by_content() {
        let mut ts = vec![0u8; 400];
        for at in [0, 188, 376] {
            ts[at] = 0x47;
        }
        let cases: [(&[u8], Option<Container>); 11] = [
            (b"\0\0\0\x20ftypisom\0\0\x02\0", Some(Container::Mp4)),
            (b"\0\0\0\x14ftypqt  ", Some(Container::Mp4)),
            (b"\0\0\0\x08wide\0\0\0\0mdat", Some(Container::Mp4)),
            (b"\0\0\0\x20ftypheic", None),
            (b"\x1a\x45\xdf\xa3....webm", Some(Container::Other("webm"))),
            (b"\x1a\x45\xdf\xa3....matroska", Some(Container::Other("mkv"))),
            (b"RIFF\0\0\0\0AVI LIST", Some(Container::Other("avi"))),
            (b"RIFF\0\0\0\0WEBPVP8X\x0a\0\0\0\x02", Some(Container::AnimatedWebP)),
            (b"RIFF\0\0\0\0WEBPVP8X\x0a\0\0\0\x10", None),
            (b"<html>not found</html>", None),
            (&ts, Some(Container::Other("ts"))),
        ];
        for (head, expected) in cases {
            assert_eq!(clip_container(head), expected, "{:?}", String::from_utf8_lossy(head));
        }
    }
}
