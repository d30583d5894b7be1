//! The mp4 and mov container: sample tables, edit lists and rotation of the first video and the first audio track.
//!
//! Boxes are parsed by `mp4-atom`: unlike `re_mp4` it leaves the media data in the file, unlike `shiguredo_mp4` it
//! has releases that are not canaries, and it writes boxes as well. Only `moov` is read into memory, and each track
//! is parsed on its own, so that an exotic data track or metadata box does not cost the video. It is shown only the
//! boxes that are used: a sample group description of four kilobytes makes it allocate gigabytes. Everything it says
//! about sizes and offsets is checked against the file here.

use crate::Error;
use mp4_atom::{Audio, Codec, Decode, FourCC, Header, Mp4a, ReadFrom, StszSamples, Trak};
use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::Path;

/// The sample tables of a ten-hour clip take some 20 MB.
const MAX_MOOV_BYTES: u64 = 256 << 20;

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
    pub(crate) codec: Option<Codec>,
    /// Units per second of every time below.
    pub(crate) timescale: u32,
    /// In decoding order.
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

/// One access unit.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sample {
    pub(crate) offset: u64,
    pub(crate) size: u32,
    pub(crate) duration: u32,
    /// Media time at which decoding is due.
    pub(crate) decode: i64,
    /// `composition - decode`.
    pub(crate) reorder: i32,
    /// Decoding may start here.
    pub(crate) sync: bool,
}

impl Movie {
    pub(crate) fn open(path: &Path) -> Result<Self, Error> {
        let file = File::open(path).map_err(Error::read(path))?;
        let length = file.metadata().map_err(Error::read(path))?.len();
        let movie = Self::parse(path, &mut BufReader::new(file), length)?;
        for track in [&movie.video, &movie.audio].into_iter().flatten() {
            track.check_within(path, length)?;
        }
        Ok(movie)
    }

    /// Parses the boxes of a file of `length` bytes.
    pub(crate) fn parse(path: &Path, file: &mut (impl Read + Seek), length: u64) -> Result<Self, Error> {
        let moov = read_moov(path, file, length)?;
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
            match <Trak as mp4_atom::Atom>::decode_body(&mut used_boxes(body).as_slice()) {
                Ok(trak) => *slot = Some(Track::new(path, &trak, movie_timescale, length)?),
                // Sound that cannot be parsed must not cost the pictures.
                Err(error) if &handler == b"soun" => tracing::debug!(%error, "unreadable audio track"),
                Err(error) => return Err(Error::damaged(path, format!("its video track: {error}"))),
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

/// A track's boxes without those that nothing here reads.
fn used_boxes(mut boxes: &[u8]) -> Vec<u8> {
    let mut used = Vec::with_capacity(boxes.len());
    while let Some((kind, body, rest)) = split_box(boxes) {
        let nested;
        let body = match &kind {
            b"mdia" | b"minf" | b"stbl" => {
                nested = used_boxes(body);
                Some(nested.as_slice())
            }
            b"tkhd" | b"edts" | b"mdhd" | b"hdlr" | b"vmhd" | b"smhd" | b"dinf" | b"stsd" | b"stts"
            | b"ctts" | b"stsc" | b"stsz" | b"stco" | b"co64" | b"stss" => Some(body),
            _ => None,
        };
        // `moov` is bounded, so that the size of a box fits.
        if let Some((body, size)) = body.and_then(|body| Some((body, u32::try_from(body.len() + 8).ok()?))) {
            used.extend(size.to_be_bytes());
            used.extend(kind);
            used.extend(body);
        }
        boxes = rest;
    }
    used
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

fn handler(trak: &[u8]) -> Option<[u8; 4]> {
    child(child(trak, *b"mdia")?, *b"hdlr")?.get(8..12)?.try_into().ok()
}

fn mvhd_timescale(body: &[u8]) -> Option<u32> {
    let at = if *body.first()? == 1 { 20 } else { 12 };
    let timescale = u32::from_be_bytes(body.get(at..at + 4)?.try_into().ok()?);
    (timescale > 0).then_some(timescale)
}

fn read_moov(path: &Path, file: &mut (impl Read + Seek), length: u64) -> Result<Vec<u8>, Error> {
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
            if size > MAX_MOOV_BYTES {
                return Err(Error::damaged(path, "its index (moov) is absurdly large"));
            }
            let mut moov = Vec::with_capacity(size as usize);
            file.take(size).read_to_end(&mut moov).map_err(Error::read(path))?;
            return Ok(moov);
        }
        file.seek(SeekFrom::Start(end)).map_err(Error::read(path))?;
        at = end;
    }
}

impl Track {
    fn new(path: &Path, trak: &Trak, movie_timescale: u32, file_length: u64) -> Result<Self, Error> {
        let timescale = trak.mdia.mdhd.timescale;
        if timescale == 0 {
            return Err(Error::damaged(path, "a track has no time scale"));
        }
        let samples = sample_table(trak, file_length)
            .ok_or_else(|| Error::damaged(path, "the sample tables contradict each other"))?;
        let media_end =
            samples.iter().map(|sample| sample.composition() + i64::from(sample.duration)).max().unwrap_or(0);
        let edit = Edit::new(trak, movie_timescale, timescale);
        let end = edit
            .length
            .map_or(media_end + edit.shift, |length| (edit.delay + length).min(media_end + edit.shift));
        Ok(Self {
            codec: trak.mdia.minf.stbl.stsd.codecs.first().cloned(),
            timescale,
            samples,
            shift: edit.shift,
            end,
            plain_edits: edit.plain,
            rotation: rotation(trak),
        })
    }

    fn check_within(&self, path: &Path, length: u64) -> Result<(), Error> {
        let cut = self.samples.iter().find(|sample| sample.offset + u64::from(sample.size) > length);
        match cut {
            Some(sample) => {
                let seconds = self.seconds(sample.decode + self.shift).max(0.0);
                Err(Error::damaged(path, format!("the file is cut short after {seconds:.1} s")))
            }
            None => Ok(()),
        }
    }

    pub(crate) fn seconds(&self, time: i64) -> f64 {
        time as f64 / f64::from(self.timescale)
    }

    /// The AAC description of an `mp4a` track.
    pub(crate) fn aac(&self) -> Option<&Mp4a> {
        // ISO/IEC 14496-1 object types: MPEG-4 audio, MPEG-2 AAC main, LC and SSR.
        match &self.codec {
            Some(Codec::Mp4a(mp4a))
                if matches!(mp4a.esds.es_desc.dec_config.object_type_indication, 0x40 | 0x66..=0x68) =>
            {
                Some(mp4a)
            }
            _ => None,
        }
    }

    pub(crate) fn sequence_parameters(&self) -> impl Iterator<Item = &[u8]> {
        let avcc = match &self.codec {
            Some(Codec::Avc1(avc)) => Some(&avc.avcc),
            Some(Codec::Avc3(avc)) => Some(&avc.avcc),
            _ => None,
        };
        avcc.into_iter().flat_map(|avcc| avcc.sequence_parameter_sets.iter().map(Vec::as_slice))
    }
}

impl Sample {
    /// Media time at which the sample is shown.
    pub(crate) fn composition(&self) -> i64 {
        self.decode + i64::from(self.reorder)
    }
}

/// Name, rate and channels of an audio codec.
pub(crate) fn describe_audio(codec: &Codec) -> Option<(&'static str, &Audio)> {
    Some(match codec {
        Codec::Mp4a(mp4a) => (
            match mp4a.esds.es_desc.dec_config.object_type_indication {
                0x40 | 0x66..=0x68 => "aac",
                0x69 | 0x6b => "mp3",
                _ => "mp4a",
            },
            &mp4a.audio,
        ),
        Codec::Opus(opus) => ("opus", &opus.audio),
        Codec::Flac(flac) => ("flac", &flac.audio),
        Codec::Ac3(ac3) => ("ac3", &ac3.audio),
        Codec::Eac3(eac3) => ("eac3", &eac3.audio),
        _ => return None,
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
    fn new(trak: &Trak, movie_timescale: u32, timescale: u32) -> Self {
        let mut edit = Self { delay: 0, shift: 0, length: None, plain: true };
        let entries = trak.edts.iter().flat_map(|edts| &edts.elst).flat_map(|elst| &elst.entries);
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
fn rotation(trak: &Trak) -> u32 {
    let matrix = &trak.tkhd.matrix;
    match (matrix.a.signum(), matrix.b.signum(), matrix.c.signum(), matrix.d.signum()) {
        (0, 1, -1, 0) => 90,
        (-1, 0, 0, -1) => 180,
        (0, -1, 1, 0) => 270,
        _ => 0,
    }
}

/// Joins the five tables of `stbl` to one entry per sample. `None` when they do not fit together.
fn sample_table(trak: &Trak, file_length: u64) -> Option<Vec<Sample>> {
    let stbl = &trak.mdia.minf.stbl;
    let (count, identical, sizes): (usize, u32, &[u32]) = match &stbl.stsz.samples {
        StszSamples::Identical { count, size } => {
            // Bounds what the count may allocate: the samples must fit into the file.
            if u64::from(*count) * u64::from((*size).max(1)) > file_length {
                return None;
            }
            (*count as usize, *size, &[])
        }
        StszSamples::Different { sizes } => (sizes.len(), 0, sizes),
    };
    let mut deltas = runs(stbl.stts.entries.iter().map(|entry| (entry.sample_count, entry.sample_delta)));
    let offsets = stbl.ctts.iter().flat_map(|ctts| &ctts.entries);
    let mut reorders = runs(offsets.map(|entry| (entry.sample_count, entry.sample_offset)));
    let mut syncs = stbl.stss.as_ref().map(|stss| stss.entries.iter().peekable());
    let mut chunks = Chunks::new(trak)?;
    let mut decode = 0i64;
    let mut last_delta = 0;
    let mut samples = Vec::with_capacity(count);
    for index in 0..count {
        let size = sizes.get(index).copied().unwrap_or(identical);
        // Some writers leave the last sample out of the time table.
        let duration = deltas.next().unwrap_or(last_delta);
        last_delta = duration;
        let number = index as u32 + 1;
        let sync = match &mut syncs {
            None => true,
            Some(entries) => {
                while entries.next_if(|&&entry| entry < number).is_some() {}
                entries.next_if(|&&entry| entry == number).is_some()
            }
        };
        let offset = chunks.place(size)?;
        let reorder = i32::try_from(reorders.next().unwrap_or(0)).ok()?;
        samples.push(Sample { offset, size, duration, decode, reorder, sync });
        decode += i64::from(duration);
    }
    Some(samples)
}

/// Expands a run-length table; a hostile run length costs nothing until it is consumed.
fn runs<T: Copy>(entries: impl Iterator<Item = (u32, T)>) -> impl Iterator<Item = T> {
    entries.flat_map(|(count, value)| (0..count).map(move |_| value))
}

/// Walks the chunks (`stsc` and `stco` or `co64`) sample by sample.
struct Chunks<'a> {
    offsets: Vec<u64>,
    runs: &'a [mp4_atom::StscEntry],
    chunk: usize,
    left: u32,
    at: u64,
}

impl<'a> Chunks<'a> {
    fn new(trak: &'a Trak) -> Option<Self> {
        let stbl = &trak.mdia.minf.stbl;
        let offsets = match (&stbl.co64, &stbl.stco) {
            (Some(co64), _) => co64.entries.clone(),
            (None, Some(stco)) => stco.entries.iter().map(|&offset| u64::from(offset)).collect(),
            (None, None) => Vec::new(),
        };
        let ordered = stbl.stsc.entries.windows(2).all(|pair| pair[0].first_chunk < pair[1].first_chunk);
        ordered.then_some(Self { offsets, runs: &stbl.stsc.entries, chunk: 0, left: 0, at: 0 })
    }

    /// Offset of the next sample, of `size` bytes.
    fn place(&mut self, size: u32) -> Option<u64> {
        while self.left == 0 {
            self.at = *self.offsets.get(self.chunk)?;
            self.chunk += 1;
            // Chunk numbers count from one; the run that holds for a chunk is the last that starts at or before it.
            while self.runs.get(1).is_some_and(|next| next.first_chunk as usize <= self.chunk) {
                self.runs = &self.runs[1..];
            }
            self.left = self.runs.first()?.samples_per_chunk;
        }
        self.left -= 1;
        let offset = self.at;
        self.at = self.at.checked_add(u64::from(size)).filter(|&end| i64::try_from(end).is_ok())?;
        Some(offset)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn boxed(kind: [u8; 4], body: &[u8]) -> Vec<u8> {
        [&(body.len() as u32 + 8).to_be_bytes()[..], &kind, body].concat()
    }

    /// Found by fuzzing: sample group descriptions without a length, counted in millions, took two gigabytes.
    #[test]
    fn boxes_that_nothing_reads_are_not_parsed() {
        let track = |stbl: Vec<u8>| {
            let media = boxed(*b"mdia", &boxed(*b"minf", &boxed(*b"stbl", &stbl)));
            [boxed(*b"tkhd", b"header"), media].concat()
        };
        let wanted = [boxed(*b"stts", b"times"), boxed(*b"stsz", b"sizes")].concat();
        let bomb = boxed(*b"sgpd", &[0x5d; 16]);
        let hostile = track([bomb.clone(), wanted.clone(), bomb.clone()].concat());
        assert_eq!(used_boxes(&[hostile, bomb].concat()), track(wanted));
    }

    #[test]
    fn a_file_that_once_took_gigabytes_is_read_or_refused() {
        let file: &[u8] = include_bytes!("../../../../fuzz/seeds/mp4/sample_group_descriptions.mp4");
        let movie = Movie::parse(Path::new("bomb.mp4"), &mut std::io::Cursor::new(file), file.len() as u64);
        assert!(movie.is_ok_and(|movie| movie.video.is_some()));
    }
}
