//! The mp4 and mov container: sample tables, edit lists and rotation of the first video and the first audio track.
//!
//! Boxes are decoded by `mp4-atom`: unlike `re_mp4` it leaves the media data in the file, unlike `shiguredo_mp4` it has
//! releases that are not canaries, and it writes boxes as well. Only `moov` is read into memory. The way to a box is
//! walked here, by name and as deep as the format says, and only single boxes that are used are decoded: what mp4-atom
//! does with boxes that contain boxes has no bound in depth or memory. Everything a box says about sizes and offsets is
//! checked against the file and the budget.

use super::sample_table::{self, Sample, Tables};
use crate::sniff::open_regular;
use crate::{Budget, Error};
use mp4_atom::{
    Atom, Audio, Avcc, Co64, Colr, Ctts, Decode, Elst, ElstEntry, Esds, FourCC, Header, Matrix, Mdhd, Mp4a,
    ReadFrom, Stco, Stsc, Stss, Stsz, Stts, Tkhd,
};
use std::io::{BufReader, Read, Seek};
use std::path::Path;

/// Descriptors nest in `esds`; real ones take less than 100 bytes.
const MAX_ESDS_BYTES: usize = 1024;
/// Bytes of a video sample entry before its boxes (ISO/IEC 14496-12, 12.1.3).
const VISUAL_ENTRY: usize = 78;

/// The tracks of one file that matter here.
#[derive(Debug)]
pub(crate) struct Movie {
    pub(crate) video: Option<Track>,
    pub(crate) audio: Option<Track>,
    /// Samples stand in `moof` boxes, not in the tables.
    pub(crate) fragmented: bool,
}

/// One track, its edit list resolved.
#[derive(Debug)]
pub(crate) struct Track {
    pub(crate) coding: Coding,
    /// Units per second of every time below.
    pub(crate) timescale: u32,
    /// In decoding order. Empty for sound that is not AAC: nothing here reads it.
    pub(crate) samples: Vec<Sample>,
    /// Presentation time of media time zero: negative when the edit list skips priming or reordering delay, positive
    /// when it delays the track.
    pub(crate) shift: i64,
    /// Presentation time at which the edit list ends the track.
    pub(crate) end: i64,
    /// At most one stretch of media at normal speed, after an optional delay.
    pub(crate) plain_edits: bool,
    /// Degrees clockwise to turn the pictures for display.
    pub(crate) rotation: u32,
}

/// How the samples of a track are coded.
#[derive(Debug)]
pub(crate) enum Coding {
    H264 {
        avcc: Avcc,
        colr: Option<Colr>,
    },
    Aac(Box<Mp4a>),
    /// Sound of another kind, with the name of its codec.
    Sound(&'static str, Audio),
    /// By the type of the sample entry.
    Other([u8; 4]),
}

/// Why a track cannot be used.
enum Unusable {
    /// Its boxes cannot be decoded.
    Unreadable(String),
    Refused(Error),
}

impl From<mp4_atom::Error> for Unusable {
    fn from(error: mp4_atom::Error) -> Self {
        Self::Unreadable(error.to_string())
    }
}

impl From<Error> for Unusable {
    fn from(error: Error) -> Self {
        Self::Refused(error)
    }
}

impl Movie {
    pub(crate) fn open(path: &Path, budget: &Budget) -> Result<Self, Error> {
        let file = open_regular(path)?;
        let length = file.metadata().map_err(Error::read(path))?.len();
        let movie = Self::parse(path, &mut BufReader::new(file), length, budget)?;
        for track in [&movie.video, &movie.audio].into_iter().flatten() {
            track.check_within(path, length, budget)?;
        }
        Ok(movie)
    }

    /// Parses the boxes of a file of `length` bytes.
    pub(crate) fn parse(
        path: &Path,
        file: &mut (impl Read + Seek),
        length: u64,
        budget: &Budget,
    ) -> Result<Self, Error> {
        let moov = read_moov(path, file, length, budget)?;
        let mut movie = Self { video: None, audio: None, fragmented: false };
        let mut boxes = moov.as_slice();
        let mut movie_timescale = 1000;
        let mut tracks = Vec::new();
        while let Some((kind, body, rest)) = split_box(boxes) {
            match &kind {
                b"mvhd" => movie_timescale = mvhd_timescale(body).unwrap_or(1000),
                b"mvex" => movie.fragmented = true,
                b"trak" => tracks.push(body),
                _ => {}
            }
            boxes = rest;
        }
        for body in tracks {
            let Some(handler) = handler(body) else { continue };
            let slot = match &handler {
                b"vide" => &mut movie.video,
                b"soun" => &mut movie.audio,
                _ => continue,
            };
            if slot.is_some() {
                continue;
            }
            match Track::parse(path, body, handler, movie_timescale, budget) {
                Ok(track) => *slot = Some(track),
                Err(Unusable::Refused(error)) => return Err(error),
                // Sound that cannot be parsed must not cost the pictures.
                Err(Unusable::Unreadable(error)) if &handler == b"soun" => {
                    tracing::debug!(error, "unreadable audio track");
                }
                Err(Unusable::Unreadable(error)) => {
                    return Err(Error::damaged(path, format!("its video track: {error}")));
                }
            }
        }
        Ok(movie)
    }
}

/// Splits the first box off `bytes`: its type, its body and what follows.
fn split_box(bytes: &[u8]) -> Option<([u8; 4], &[u8], &[u8])> {
    let mut cursor = bytes;
    let header = Header::decode(&mut cursor).ok()?;
    let size = header.size.unwrap_or(cursor.len());
    let body = cursor.get(..size)?;
    Some((header.kind.into(), body, &cursor[size..]))
}

fn child(bytes: &[u8], kind: [u8; 4]) -> Option<&[u8]> {
    let mut rest = bytes;
    while let Some((found, body, next)) = split_box(rest) {
        if found == kind {
            return Some(body);
        }
        rest = next;
    }
    None
}

/// The body of the box at the end of a way of boxes.
fn descend<'a>(bytes: &'a [u8], way: &[[u8; 4]]) -> Option<&'a [u8]> {
    way.iter().try_fold(bytes, |body, &kind| child(body, kind))
}

/// Decodes the box of this type directly in `bytes`; `None` when there is none.
fn decode_child<T: Atom>(bytes: &[u8]) -> Result<Option<T>, mp4_atom::Error> {
    child(bytes, T::KIND.into()).map(|mut body| T::decode_body(&mut body)).transpose()
}

/// As [`decode_child`], for a box that must be there.
fn require_child<T: Atom>(bytes: &[u8]) -> Result<T, mp4_atom::Error> {
    decode_child(bytes)?.ok_or(mp4_atom::Error::MissingBox(T::KIND))
}

fn handler(trak: &[u8]) -> Option<[u8; 4]> {
    descend(trak, &[*b"mdia", *b"hdlr"])?.get(8..12)?.try_into().ok()
}

fn mvhd_timescale(body: &[u8]) -> Option<u32> {
    let at = if *body.first()? == 1 { 20 } else { 12 };
    let timescale = u32::from_be_bytes(body.get(at..at + 4)?.try_into().ok()?);
    (timescale > 0).then_some(timescale)
}

fn read_moov(
    path: &Path,
    file: &mut (impl Read + Seek),
    length: u64,
    budget: &Budget,
) -> Result<Vec<u8>, Error> {
    let mut at = 0u64;
    loop {
        let header = <Option<Header> as ReadFrom>::read_from(file)
            .map_err(|_| Error::damaged(path, "it ends in the middle of a box"))?;
        let Some(header) = header else {
            return Err(Error::damaged(path, "the file is cut short: its index (moov) is missing"));
        };
        let body = file.stream_position().map_err(Error::read(path))?;
        let size = header.size.map_or(length.saturating_sub(body), |size| size as u64);
        let end = body.checked_add(size).filter(|&end| end > at);
        let Some(end) = end.filter(|&end| end <= length) else {
            let kind = <[u8; 4]>::from(header.kind).escape_ascii().to_string();
            return Err(Error::damaged(path, format!("the file is cut short inside {kind}")));
        };
        if header.kind == FourCC::new(b"moov") {
            if size > budget.index_bytes {
                let most = budget.index_bytes / 1_000_000;
                let what = format!("its index (moov) is larger than {most} MB; cut the clip");
                return Err(Error::limit(path, what));
            }
            let mut moov = Vec::with_capacity(size as usize);
            file.take(size).read_to_end(&mut moov).map_err(Error::read(path))?;
            return Ok(moov);
        }
        // Within the buffer where that is possible: a file may be nothing but small boxes.
        file.seek_relative((end - body) as i64).map_err(Error::read(path))?;
        at = end;
    }
}

impl Track {
    fn parse(
        path: &Path,
        trak: &[u8],
        handler: [u8; 4],
        movie_timescale: u32,
        budget: &Budget,
    ) -> Result<Self, Unusable> {
        let mdia = child(trak, *b"mdia").unwrap_or_default();
        let stbl = descend(mdia, &[*b"minf", *b"stbl"]).unwrap_or_default();
        let timescale = require_child::<Mdhd>(mdia)?.timescale;
        if timescale == 0 {
            return Err(Error::damaged(path, "a track has no time scale").into());
        }
        let coding = Coding::parse(child(stbl, *b"stsd").unwrap_or_default(), handler)?;
        let unread = &handler == b"soun" && !matches!(coding, Coding::Aac(_));
        let samples = if unread { Vec::new() } else { tables(stbl)?.join(path, budget)? };
        let media_end =
            samples.iter().map(|sample| sample.composition() + i64::from(sample.duration)).max().unwrap_or(0);
        let edits = child(trak, *b"edts").map(decode_child::<Elst>).transpose()?.flatten();
        let edits = edits.map(|elst| elst.entries).unwrap_or_default();
        let edit = Edit::new(&edits, movie_timescale, timescale);
        let end = edit
            .length
            .map_or(media_end + edit.shift, |length| (edit.delay + length).min(media_end + edit.shift));
        Ok(Self {
            coding,
            timescale,
            samples,
            shift: edit.shift,
            end,
            plain_edits: edit.plain,
            rotation: rotation(&require_child::<Tkhd>(trak)?.matrix),
        })
    }

    fn check_within(&self, path: &Path, length: u64, budget: &Budget) -> Result<(), Error> {
        sample_table::check(path, &self.samples, self.timescale, length, budget)?.map_err(|cut| {
            let seconds = self.seconds(cut.decode + self.shift).max(0.0);
            Error::damaged(path, format!("the file is cut short after {seconds:.1} s"))
        })
    }

    pub(crate) fn seconds(&self, time: i64) -> f64 {
        time as f64 / f64::from(self.timescale)
    }

    /// The AAC description of an `mp4a` track.
    pub(crate) fn aac(&self) -> Option<&Mp4a> {
        match &self.coding {
            Coding::Aac(mp4a) => Some(mp4a),
            _ => None,
        }
    }

    pub(crate) fn sequence_parameters(&self) -> impl Iterator<Item = &[u8]> {
        let avcc = match &self.coding {
            Coding::H264 { avcc, .. } => Some(avcc),
            _ => None,
        };
        avcc.into_iter().flat_map(|avcc| avcc.sequence_parameter_sets.iter().map(Vec::as_slice))
    }
}

impl Coding {
    /// Of the first entry of a sample description.
    fn parse(stsd: &[u8], handler: [u8; 4]) -> Result<Self, mp4_atom::Error> {
        // Version, flags and the number of entries.
        let Some((kind, entry, _)) = stsd.get(8..).and_then(split_box) else {
            return Ok(Self::Other(*b"none"));
        };
        match &kind {
            b"avc1" | b"avc3" if &handler == b"vide" => {
                let boxes = entry.get(VISUAL_ENTRY..).unwrap_or_default();
                // Unknown kinds of colour descriptions are as good as none.
                let colr = decode_child::<Colr>(boxes).unwrap_or_default();
                Ok(Self::H264 { avcc: require_child(boxes)?, colr })
            }
            _ if &handler == b"soun" => Self::parse_sound(kind, entry),
            _ => Ok(Self::Other(kind)),
        }
    }

    fn parse_sound(kind: [u8; 4], mut entry: &[u8]) -> Result<Self, mp4_atom::Error> {
        let audio = Audio::decode(&mut entry)?;
        Ok(match &kind {
            b"mp4a" => {
                // QuickTime wraps it once more.
                let esds = child(entry, *b"esds").or_else(|| descend(entry, &[*b"wave", *b"esds"]));
                let Some(mut esds) = esds.filter(|esds| esds.len() <= MAX_ESDS_BYTES) else {
                    return Err(mp4_atom::Error::MissingBox(Esds::KIND));
                };
                let esds = Esds::decode_body(&mut esds)?;
                // ISO/IEC 14496-1 object types: MPEG-4 audio, MPEG-2 AAC main, LC and SSR; MPEG layers.
                match esds.es_desc.dec_config.object_type_indication {
                    0x40 | 0x66..=0x68 => Self::Aac(Box::new(Mp4a { audio, esds, btrt: None, taic: None })),
                    0x69 | 0x6b => Self::Sound("mp3", audio),
                    _ => Self::Sound("mp4a", audio),
                }
            }
            b"Opus" => Self::Sound("opus", audio),
            b"fLaC" => Self::Sound("flac", audio),
            b"ac-3" => Self::Sound("ac3", audio),
            b"ec-3" => Self::Sound("eac3", audio),
            _ => Self::Other(kind),
        })
    }

    /// Name, rate and channels of an audio codec.
    pub(crate) fn describe_audio(&self) -> Option<(&'static str, &Audio)> {
        match self {
            Self::Aac(mp4a) => Some(("aac", &mp4a.audio)),
            Self::Sound(name, audio) => Some((*name, audio)),
            _ => None,
        }
    }
}

fn tables(stbl: &[u8]) -> Result<Tables, mp4_atom::Error> {
    let offsets = match (decode_child::<Co64>(stbl)?, decode_child::<Stco>(stbl)?) {
        (Some(co64), _) => co64.entries,
        (None, Some(stco)) => stco.entries.into_iter().map(u64::from).collect(),
        (None, None) => Vec::new(),
    };
    Ok(Tables {
        sizes: require_child::<Stsz>(stbl)?,
        durations: require_child::<Stts>(stbl)?,
        reorders: decode_child::<Ctts>(stbl)?,
        syncs: decode_child::<Stss>(stbl)?.map(|stss| stss.entries),
        chunks: require_child::<Stsc>(stbl)?.entries,
        offsets,
    })
}

/// The edit list as one shift, in units of the track.
struct Edit {
    delay: i64,
    shift: i64,
    length: Option<i64>,
    plain: bool,
}

impl Edit {
    fn new(entries: &[ElstEntry], movie_timescale: u32, timescale: u32) -> Self {
        let mut edit = Self { delay: 0, shift: 0, length: None, plain: true };
        let mut media = 0;
        for entry in entries {
            let length =
                i128::from(entry.segment_duration) * i128::from(timescale) / i128::from(movie_timescale);
            let length = i64::try_from(length).unwrap_or(i64::MAX / 4).min(i64::MAX / 4);
            match entry.media_time {
                None if media == 0 => edit.delay = edit.delay.saturating_add(length).min(i64::MAX / 4),
                None => {}
                Some(start) => {
                    media += 1;
                    edit.plain &= media == 1 && entry.media_rate.integer() == 1;
                    if media == 1 {
                        edit.shift = edit.delay - i64::try_from(start).unwrap_or(0).min(i64::MAX / 4);
                        edit.length = (length > 0).then_some(length);
                    }
                }
            }
        }
        if media == 0 {
            edit.shift = edit.delay;
        }
        edit
    }
}

/// Degrees clockwise from the linear part of the display matrix (a b; c d), 16.16 fixed point; mirrored or skewed
/// matrices count as unrotated.
fn rotation(matrix: &Matrix) -> u32 {
    match (matrix.a.signum(), matrix.b.signum(), matrix.c.signum(), matrix.d.signum()) {
        (0, 1, -1, 0) => 90,
        (-1, 0, 0, -1) => 180,
        (0, -1, 1, 0) => 270,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEED: &[u8] = include_bytes!("../../../../fuzz/seeds/mp4/grey.mp4");

    fn parse(file: &[u8]) -> Result<Movie, Error> {
        let length = file.len() as u64;
        Movie::parse(Path::new("a.mp4"), &mut std::io::Cursor::new(file), length, &Budget::default())
    }

    fn boxed(kind: [u8; 4], body: &[u8]) -> Vec<u8> {
        [&(body.len() as u32 + 8).to_be_bytes()[..], &kind, body].concat()
    }

    /// Found by fuzzing: sample group descriptions without a length, counted in millions, took two gigabytes.
    #[test]
    fn a_file_that_once_took_gigabytes_is_read_or_refused() {
        let file: &[u8] = include_bytes!("../../../../fuzz/seeds/mp4/sample_group_descriptions.mp4");
        assert!(parse(file).is_ok_and(|movie| movie.video.is_some()));
    }

    /// Boxes in boxes of the same kind, as deep as the file allows, in every place that holds boxes.
    #[test]
    fn nested_boxes_are_not_followed() {
        let handler = boxed(*b"hdlr", b"\0\0\0\0\0\0\0\0vide\0\0\0\0\0\0\0\0\0\0\0\0\0");
        for kind in [*b"mdia", *b"minf", *b"stbl", *b"edts", *b"trak", *b"moov", *b"dinf", *b"meta"] {
            let nest: Vec<u8> =
                (1..=20_000u32).rev().flat_map(|depth| [(8 * depth).to_be_bytes(), kind].concat()).collect();
            let entry = boxed(*b"avc1", &[&[0; 78][..], &nest].concat());
            let stsd = boxed(*b"stsd", &[&[0, 0, 0, 0, 0, 0, 0, 1][..], &entry].concat());
            let stbl = boxed(*b"stbl", &[stsd, nest.clone()].concat());
            let mdia = boxed(*b"mdia", &[handler.clone(), boxed(*b"minf", &stbl), nest.clone()].concat());
            let trak = boxed(*b"trak", &[mdia, boxed(*b"edts", &nest), nest.clone()].concat());
            let file = [boxed(*b"ftyp", b"isom\0\0\0\0"), boxed(*b"moov", &[trak, nest].concat())].concat();
            let message = parse(&file).unwrap_err().to_string();
            assert!(message.contains("damaged"), "{message}");
        }
    }

    /// Descriptors nest too, where boxes do not.
    #[test]
    fn nested_descriptors_cost_the_sound_only() {
        let descriptors: Vec<u8> = (0..8_000u32)
            .rev()
            .flat_map(|deeper| {
                let size = 8 * deeper + 3;
                let group = |at: u32| (size >> (7 * at)) as u8 & 0x7f;
                [3, group(3) | 0x80, group(2) | 0x80, group(1) | 0x80, group(0), 0, 1, 0]
            })
            .collect();
        let entry = [&[0; 28][..], &boxed(*b"esds", &[&[0; 4][..], &descriptors].concat())].concat();
        let stsd = [&[0, 0, 0, 0, 0, 0, 0, 1][..], &boxed(*b"mp4a", &entry)].concat();
        assert!(Coding::parse(&stsd, *b"soun").is_err());
    }

    #[test]
    fn the_seed_is_read() {
        let movie = parse(SEED).unwrap();
        assert!(movie.video.is_some_and(|track| matches!(track.coding, Coding::H264 { .. })));
    }
}
