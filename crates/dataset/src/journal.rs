//! A part's index: what was done with each clip, a line each, appended when the clip is finished.
//!
//! JSON Lines. Every line is `{"crc32":"........","record":{...}}`, the checksum over the record's text. The first
//! record is the header; while clips are prepared one record per clip follows; the last says that the part is
//! complete. A process that is killed leaves at worst a torn last line, which the next one cuts off.
//!
//! The file is at the same time what a restarted job resumes from, what readers open, and the lock: whoever prepares
//! holds an exclusive lock on it.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::descriptor::RECORD;
use crate::layout::{FORMAT_VERSION, Part};
use crate::window::CropWindow;
use crate::{Error, MIN_FRAMES};

/// Largest index, bytes: that of a million clips has a few hundred million.
const LARGEST_INDEX: u64 = 1 << 30;
/// Largest side of crops, pixels; `prepare` makes 1024 at most.
const LARGEST_SIDE: u32 = 4096;
/// Most frames of a clip: 77 hours at 60 frames a second.
const MOST_FRAMES: usize = 1 << 24;
/// Most videos that are cut out of a clip.
const MOST_VIDEOS: usize = 1 << 16;
/// Largest frame table, bytes: 4 billion frames.
const LARGEST_TABLE: u64 = 1 << 40;
/// Highest number of a shard.
const MOST_SHARDS: u32 = 99_999_999;
/// Most frames a second.
const FASTEST: f64 = 10_000.0;

/// One line of an index.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Record {
    Header(Header),
    Clip(ClipRecord),
    Complete(Complete),
}

/// The first line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Header {
    pub(crate) version: u32,
    /// Side of the stored crops, pixels.
    pub(crate) size: u32,
    /// This part's number, from 1.
    pub(crate) part: u32,
    pub(crate) parts: u32,
}

impl Header {
    pub(crate) fn new(size: u32, part: Part) -> Self {
        Self { version: FORMAT_VERSION, size, part: part.index(), parts: part.count() }
    }

    /// Refuses a crop size that is out of range.
    fn check(&self) -> Result<(), String> {
        if !(1..=LARGEST_SIDE).contains(&self.size) {
            return Err(format!("the crop size {} is not within 1 and {LARGEST_SIDE} pixels", self.size));
        }
        Ok(())
    }
}

impl ClipRecord {
    /// Refuses numbers that contradict each other or are out of range: readers multiply and add them without checks.
    fn check(&self) -> Result<(), String> {
        let Dropped { no_face, outside, duplicates, rejected } = self.dropped;
        let counted = [self.frames, no_face, outside, duplicates, rejected];
        if counted.into_iter().any(|frames| frames > MOST_FRAMES) || self.table_end > LARGEST_TABLE {
            return Err(format!("{}: its frame counts are out of range", self.clip));
        }
        if self.videos.len() > MOST_VIDEOS || self.shard.is_some_and(|shard| shard.number > MOST_SHARDS) {
            return Err(format!("{}: its number of videos or shards is out of range", self.clip));
        }
        self.videos.iter().try_for_each(|video| {
            let end = video.table.checked_add((video.frames.min(MOST_FRAMES) * RECORD) as u64);
            let fault = if !(MIN_FRAMES..=MOST_FRAMES).contains(&video.frames) {
                format!("it has {} frames, not {MIN_FRAMES} to {MOST_FRAMES}", video.frames)
            } else if end.is_none_or(|end| end > self.table_end) {
                "its frames lie beyond the end of the frame table".to_owned()
            } else if !(video.fps.is_finite() && video.fps > 0.0 && video.fps <= FASTEST) {
                format!("its frame rate {} is out of range", video.fps)
            } else if !video.window.lies_in(video.source_size) {
                "its crop window lies outside the clip's frames".to_owned()
            } else {
                return Ok(());
            };
            Err(format!("video {} of {}: {fault}", video.name, self.clip))
        })
    }
}

/// What became of a clip.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct ClipRecord {
    /// Path inside the source, `/` between folders.
    pub(crate) clip: String,
    /// What was cut out of it; empty for a rejected clip.
    pub(crate) videos: Vec<VideoRecord>,
    /// Why nothing, or not everything, could be used.
    pub(crate) rejected: Vec<String>,
    /// Whether the clip could not be decoded, which a later run tries again.
    pub(crate) unreadable: bool,
    /// Frames decoded.
    pub(crate) frames: usize,
    pub(crate) dropped: Dropped,
    /// The shard that was written to and its length after this clip; none for a rejected clip.
    pub(crate) shard: Option<ShardEnd>,
    /// Length of the frame table after this clip, bytes.
    pub(crate) table_end: u64,
}

/// A video: consecutive frames of one clip, seen through one window.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct VideoRecord {
    pub(crate) person: String,
    pub(crate) name: String,
    pub(crate) frames: usize,
    pub(crate) fps: f64,
    pub(crate) source_size: (u32, u32),
    pub(crate) window: CropWindow,
    /// Where its first record stands in the frame table, bytes.
    pub(crate) table: u64,
}

/// Frames that were left out, by reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dropped {
    /// No face, or landmarks that the model does not trust.
    pub no_face: usize,
    /// The face reaches out of the clip's crop.
    pub outside: usize,
    /// Hardly different from the frame kept before.
    pub duplicates: usize,
    /// In stretches that were rejected as a whole: too short, face too small.
    pub rejected: usize,
}

impl Dropped {
    /// All frames left out.
    pub fn total(&self) -> usize {
        self.no_face + self.outside + self.duplicates + self.rejected
    }

    pub(crate) fn add(&mut self, other: Self) {
        self.no_face += other.no_face;
        self.outside += other.outside;
        self.duplicates += other.duplicates;
        self.rejected += other.rejected;
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ShardEnd {
    pub(crate) number: u32,
    pub(crate) end: u64,
}

/// The last line of a part that is done.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Complete {
    /// Clips of this part, the rejected ones included.
    pub(crate) clips: usize,
}

/// What an index says.
#[derive(Debug)]
pub(crate) struct Index {
    pub(crate) header: Header,
    /// In the order they were finished; a clip that was tried again stands here once, as it ended.
    pub(crate) clips: Vec<ClipRecord>,
    pub(crate) complete: bool,
    /// Length of the lines that are whole, bytes.
    whole: u64,
    torn: bool,
}

impl Index {
    /// Reads the index at `path`. A torn last line is left out; `None` when not even the header is whole.
    pub(crate) fn read(path: &Path) -> Result<Option<Self>, Error> {
        let file = File::open(path).map_err(Error::read(path))?;
        Self::parse(path, &read_whole(path, &file)?)
    }

    pub(crate) fn parse(path: &Path, text: &[u8]) -> Result<Option<Self>, Error> {
        let whole = text.iter().rposition(|&byte| byte == b'\n').map_or(0, |end| end + 1);
        let torn = whole < text.len();
        let mut records = text[..whole].split_inclusive(|&byte| byte == b'\n').enumerate();
        let Some((_, first)) = records.next() else { return Ok(None) };
        let header = match parse_line(first) {
            Ok(Record::Header(header)) => header,
            Ok(_) => return Err(Error::damaged(path, "its first line is no header")),
            Err(what) => return Err(unreadable_header(path, first, &what)),
        };
        check_version(path, header.version)?;
        header.check().map_err(|what| Error::damaged(path, what))?;
        let (mut clips, mut complete) = (Vec::<ClipRecord>::new(), false);
        for (line, record) in records {
            match parse_line(record) {
                Ok(Record::Clip(clip)) => {
                    let named = |what| Error::damaged(path, format!("line {}: {what}", line + 1));
                    clip.check().map_err(named)?;
                    complete = false;
                    clips.push(clip);
                }
                Ok(Record::Complete(done)) => {
                    complete = true;
                    retain_last(&mut clips);
                    if clips.len() != done.clips {
                        let what = format!("it lists {} clips of {}", clips.len(), done.clips);
                        return Err(Error::damaged(path, what));
                    }
                }
                Ok(Record::Header(_)) => {
                    return Err(Error::damaged(path, format!("line {} is a second header", line + 1)));
                }
                Err(what) => return Err(Error::damaged(path, format!("line {}: {what}", line + 1))),
            }
        }
        retain_last(&mut clips);
        Ok(Some(Self { header, clips, complete, whole: whole as u64, torn }))
    }

    /// The length of the frame table that this index speaks of, bytes.
    pub(crate) fn table_end(&self) -> u64 {
        self.clips.iter().map(|clip| clip.table_end).max().unwrap_or(0)
    }

    /// The length of each shard that this index speaks of, in no order; a shard may appear several times.
    pub(crate) fn shard_ends(&self) -> impl Iterator<Item = ShardEnd> + '_ {
        self.clips.iter().filter_map(|clip| clip.shard)
    }
}

/// The bytes of an index; refuses one that is too large before it is in memory.
fn read_whole(path: &Path, file: &File) -> Result<Vec<u8>, Error> {
    let text = gioconda_media::read_at_most(file, LARGEST_INDEX).map_err(Error::read(path))?;
    text.ok_or_else(|| Error::damaged(path, format!("it is larger than {} MB", LARGEST_INDEX >> 20)))
}

/// Of several records of one clip the last counts; the order of the others stays.
fn retain_last(clips: &mut Vec<ClipRecord>) {
    let mut seen = std::collections::HashSet::new();
    let mut kept: Vec<ClipRecord> = Vec::with_capacity(clips.len());
    while let Some(clip) = clips.pop() {
        if seen.insert(clip.clip.clone()) {
            kept.push(clip);
        }
    }
    kept.reverse();
    *clips = kept;
}

pub(crate) fn check_version(path: &Path, found: u32) -> Result<(), Error> {
    if found == FORMAT_VERSION {
        return Ok(());
    }
    Err(Error::Version { path: path.into(), found, expected: FORMAT_VERSION })
}

/// A header of another version may have fields this one does not know: the version alone is looked at.
fn unreadable_header(path: &Path, line: &[u8], what: &str) -> Error {
    let value: Option<serde_json::Value> = serde_json::from_slice(line).ok();
    let version = value.as_ref().and_then(|value| value.pointer("/record/header/version")?.as_u64());
    match version.and_then(|version| u32::try_from(version).ok()) {
        Some(found) if found != FORMAT_VERSION => {
            Error::Version { path: path.into(), found, expected: FORMAT_VERSION }
        }
        _ => Error::damaged(path, format!("line 1: {what}")),
    }
}

const PREFIX: &str = "{\"crc32\":\"";
const MIDDLE: &str = "\",\"record\":";
const SUFFIX: &str = "}\n";

/// Checksum and record of a line.
pub(crate) fn unframed(line: &str) -> Option<(&str, &str)> {
    line.strip_prefix(PREFIX)?.strip_suffix(SUFFIX)?.split_once(MIDDLE)
}

/// The line of a record's text.
pub(crate) fn framed(text: &str) -> String {
    format!("{PREFIX}{:08x}{MIDDLE}{text}{SUFFIX}", crc32fast::hash(text.as_bytes()))
}

fn parse_line(line: &[u8]) -> Result<Record, String> {
    let parts = std::str::from_utf8(line).ok().and_then(unframed);
    let Some((checksum, record)) = parts else { return Err("not a line of an index".to_owned()) };
    if u32::from_str_radix(checksum, 16) != Ok(crc32fast::hash(record.as_bytes())) {
        return Err("its checksum does not fit".to_owned());
    }
    serde_json::from_str(record).map_err(|error| error.to_string())
}

pub(crate) fn line_of(record: &Record) -> String {
    framed(&serde_json::to_string(record).expect("records are made of numbers, texts and lists"))
}

/// An index that is being written, locked for this process.
#[derive(Debug)]
pub(crate) struct Journal {
    path: PathBuf,
    file: File,
}

impl Journal {
    /// Opens or creates the index at `path`, locks it, and returns what it says so far.
    pub(crate) fn open(path: &Path, header: &Header) -> Result<(Self, Index), Error> {
        let mut options = OpenOptions::new();
        let mut file = options
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)
            .map_err(Error::write(path))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(Error::Locked { path: path.into() }),
            Err(TryLockError::Error(cause)) => return Err(Error::Write { path: path.into(), cause }),
        }
        let index = Index::parse(path, &read_whole(path, &file)?)?;
        let whole = index.as_ref().map_or(0, |index| index.whole);
        if index.as_ref().is_none_or(|index| index.torn) {
            file.set_len(whole).map_err(Error::write(path))?;
        }
        file.seek(SeekFrom::Start(whole)).map_err(Error::write(path))?;
        let mut journal = Self { path: path.into(), file };
        let index = if let Some(index) = index {
            index
        } else {
            journal.append(&Record::Header(header.clone()))?;
            Index { header: header.clone(), clips: Vec::new(), complete: false, whole: 0, torn: false }
        };
        Ok((journal, index))
    }

    /// Appends a line and brings it to the disk.
    pub(crate) fn append(&mut self, record: &Record) -> Result<(), Error> {
        let line = line_of(record);
        let written = self.file.write_all(line.as_bytes()).and_then(|()| self.file.sync_data());
        written.map_err(Error::write(&self.path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clip(name: &str, table_end: u64) -> Record {
        Record::Clip(ClipRecord {
            clip: name.to_owned(),
            videos: Vec::new(),
            rejected: vec!["no face".to_owned()],
            unreadable: false,
            frames: 10,
            dropped: Dropped { no_face: 10, ..Dropped::default() },
            shard: None,
            table_end,
        })
    }

    fn text(records: &[Record]) -> String {
        records.iter().map(line_of).collect()
    }

    fn header() -> Record {
        Record::Header(Header::new(64, Part::WHOLE))
    }

    fn parse(text: &str) -> Result<Option<Index>, Error> {
        Index::parse(Path::new("x.jsonl"), text.as_bytes())
    }

    #[test]
    fn an_index_reads_back_and_the_last_record_of_a_clip_counts() {
        let complete = Record::Complete(Complete { clips: 2 });
        let index =
            parse(&text(&[header(), clip("a", 0), clip("b", 7), clip("a", 9), complete])).unwrap().unwrap();
        assert!(index.complete && !index.torn);
        assert_eq!(index.clips.iter().map(|clip| clip.clip.as_str()).collect::<Vec<_>>(), ["b", "a"]);
        assert_eq!(index.table_end(), 9);
    }

    #[test]
    fn a_torn_last_line_is_left_out_wherever_it_tears() {
        let whole = text(&[header(), clip("a", 0)]);
        let last = text(&[clip("b", 0)]);
        for cut in 1..last.len() - 1 {
            let index = parse(&format!("{whole}{}", &last[..cut])).unwrap().unwrap();
            assert!(index.torn && index.clips.len() == 1 && index.whole == whole.len() as u64, "{cut}");
        }
        assert!(parse("").unwrap().is_none());
        assert!(parse(&whole[..20]).unwrap().is_none());
    }

    #[test]
    fn damage_is_told_from_tearing() {
        let good = text(&[header(), clip("a", 0), clip("b", 0)]);
        let cases = [
            (good.replace("no face", "no fact"), "line 2: its checksum"),
            (good.replace("{\"crc32\"", "{\"crc33\""), "line 1: not a line"),
            (text(&[clip("a", 0)]), "no header"),
            (text(&[header(), header()]), "second header"),
            (text(&[header(), Record::Complete(Complete { clips: 3 })]), "0 clips of 3"),
        ];
        for (damaged, told) in cases {
            let error = parse(&damaged).unwrap_err().to_string();
            assert!(error.contains("x.jsonl: damaged") && error.contains(told), "{error}");
        }
    }

    #[test]
    fn another_version_is_named_even_when_its_header_has_other_fields() {
        let record = r#"{"header":{"version":7,"sizes":[1,2]}}"#;
        let error = parse(&framed(record)).unwrap_err().to_string();
        assert!(error.contains("format version 7"), "{error}");
    }

    #[test]
    fn a_second_process_is_kept_out() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.jsonl");
        let header = Header::new(64, Part::WHOLE);
        let (first, _) = Journal::open(&path, &header).unwrap();
        let error = Journal::open(&path, &header).unwrap_err();
        assert!(matches!(error, Error::Locked { .. }), "{error}");
        drop(first);
        let (_, index) = Journal::open(&path, &header).unwrap();
        assert_eq!(index.header, header);
    }
}
