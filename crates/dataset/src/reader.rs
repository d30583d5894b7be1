//! Reading prepared data: the videos at once, any frame of any video by two positioned reads.

use std::cmp::Ordering;
use std::fs::{self, File};
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use gioconda_face::Landmarks;
use image::RgbImage;

use crate::Error;
use crate::descriptor::{FrameDescriptor, Place, RECORD};
use crate::journal::{Index, ShardEnd, VideoRecord};
use crate::layout::Part;
use crate::shard::{NPY_LENGTH, decode_jpeg, decode_landmarks};
use crate::window::CropWindow;

/// A folder of prepared data, open for reading.
///
/// Cheap to clone and shared between threads: it holds the list of videos and no open file. What is read is checked
/// against the checksums written with it.
#[derive(Clone, Debug)]
pub struct Dataset {
    content: Arc<Content>,
}

#[derive(Debug)]
struct Content {
    folder: PathBuf,
    size: u32,
    videos: Vec<Video>,
    /// For each video, where its frames stand.
    sources: Vec<Source>,
}

/// Consecutive frames of one clip, seen through one window.
#[derive(Clone, Debug, PartialEq)]
pub struct Video {
    /// Who is seen: the clip's first folder, or its own name.
    pub person: String,
    /// Which of the person's videos: the clip's path inside the person's folder, and a number where a clip was cut.
    /// (person, name) is unique.
    pub name: String,
    /// How many frames there are, at least [`crate::MIN_FRAMES`].
    pub frames: usize,
    /// Frames per second of the clip; some of its frames may have been left out.
    pub fps: f64,
    /// Path of the clip inside the source folder, `/` between folders.
    pub source: String,
    /// Width and height of the clip's frames, pixels.
    pub source_size: (u32, u32),
    /// Which part of them was cut out and scaled to [`Dataset::size`].
    pub window: CropWindow,
}

#[derive(Debug)]
struct Source {
    part: Part,
    shard: u32,
    /// Where the video's first record stands in the part's frame table, bytes.
    table: u64,
}

/// One frame.
#[derive(Clone, Debug)]
pub struct Sample {
    /// The crop, [`Dataset::size`] pixels square.
    pub frame: RgbImage,
    /// The face's landmarks, in pixels of the crop.
    pub landmarks: Landmarks,
    /// Pose and openings.
    pub descriptor: FrameDescriptor,
}

impl Dataset {
    /// Opens a folder that `gioconda prepare` filled: all its parts must be there, complete and of this version, and
    /// their files as long as they were written. (The content of frames is checked when they are read.)
    pub fn open(folder: &Path) -> Result<Self, Error> {
        let mut parts = parts_of(folder)?;
        parts.sort_by_key(|part| part.index());
        let Some(count) = parts.first().map(|part| part.count()) else {
            return Err(Error::NotPrepared { path: folder.into() });
        };
        if let Some(missing) = missing_part(&parts, count) {
            let what = format!("part {missing} of {count} is missing");
            return Err(Error::Unfinished { path: folder.into(), what });
        }
        let mut size = None;
        let mut videos = Vec::new();
        for part in parts {
            let index = read_complete(folder, part)?;
            if *size.get_or_insert(index.header.size) != index.header.size {
                let what =
                    format!("its crops have {} pixels, those of other parts have not", index.header.size);
                return Err(Error::damaged(&part.journal(folder), what));
            }
            check_lengths(folder, part, &index)?;
            for clip in index.clips {
                let (source, shard) = (clip.clip, clip.shard);
                for record in clip.videos {
                    let shard = shard.ok_or_else(|| {
                        Error::damaged(&part.journal(folder), format!("{source} has videos and no shard"))
                    })?;
                    let place = Source { part, shard: shard.number, table: record.table };
                    videos.push((video(record, &source), place));
                }
            }
        }
        let Some(size) = size.filter(|_| !videos.is_empty()) else {
            return Err(Error::NoVideos { path: folder.into() });
        };
        videos.sort_by(|(a, _), (b, _)| by_name(a, b));
        let (videos, sources) = videos.into_iter().unzip();
        Ok(Self { content: Arc::new(Content { folder: folder.into(), size, videos, sources }) })
    }

    /// Side of the stored crops, pixels.
    pub fn size(&self) -> u32 {
        self.content.size
    }

    /// All videos, sorted by person and name: the order does not depend on how many parts or workers made them.
    pub fn videos(&self) -> &[Video] {
        &self.content.videos
    }

    /// Frame `frame` of video `video`, both counted from 0.
    pub fn read(&self, video: usize, frame: usize) -> Result<Sample, Error> {
        let (source, video_frames) = self.source(video, frame)?;
        if frame >= video_frames {
            return Err(self.no_such_frame(video, frame));
        }
        let table = source.part.frames(&self.content.folder);
        let record = read_at(&table, source.table + (frame * RECORD) as u64, RECORD)?;
        let (descriptor, place) = decode_record(&table, &record)?;
        let shard = source.part.shard(&self.content.folder, source.shard);
        let (frame, landmarks) = read_sample(&shard, &place, self.size())?;
        Ok(Sample { frame, landmarks, descriptor })
    }

    /// What is known of every frame of video `video` without reading pictures: one read of 256 bytes per frame.
    pub fn descriptors(&self, video: usize) -> Result<Vec<FrameDescriptor>, Error> {
        let (source, frames) = self.source(video, 0)?;
        let table = source.part.frames(&self.content.folder);
        // In pieces: a sparse table is longer than what it holds, and the first missing record ends the reading.
        let mut descriptors = Vec::new();
        for first in (0..frames).step_by(RECORDS_AT_ONCE) {
            let count = RECORDS_AT_ONCE.min(frames - first);
            let records = read_at(&table, source.table + (first * RECORD) as u64, count * RECORD)?;
            for record in records.chunks(RECORD) {
                descriptors.push(decode_record(&table, record)?.0);
            }
        }
        Ok(descriptors)
    }

    /// Where a video's frames stand, and how many there are.
    fn source(&self, video: usize, frame: usize) -> Result<(&Source, usize), Error> {
        match (self.content.sources.get(video), self.content.videos.get(video)) {
            (Some(source), Some(video)) => Ok((source, video.frames)),
            _ => Err(self.no_such_frame(video, frame)),
        }
    }

    fn no_such_frame(&self, video: usize, frame: usize) -> Error {
        Error::NoSuchFrame { path: self.content.folder.clone(), video, frame }
    }
}

/// The parts whose indexes stand in `folder`.
pub(crate) fn parts_of(folder: &Path) -> Result<Vec<Part>, Error> {
    let mut parts = Vec::new();
    for entry in fs::read_dir(folder).map_err(Error::read(folder))? {
        let name = entry.map_err(Error::read(folder))?.file_name();
        parts.extend(name.to_str().and_then(Part::of_journal));
    }
    Ok(parts)
}

/// The first of `count` parts that is not among `parts`, which are sorted by number.
fn missing_part(parts: &[Part], count: u32) -> Option<u32> {
    let mut wanted = 1..=count;
    wanted.find(|&index| parts.binary_search_by_key(&index, |part| part.index()).is_err())
}

fn read_complete(folder: &Path, part: Part) -> Result<Index, Error> {
    let path = part.journal(folder);
    let unfinished = |what: &str| Error::Unfinished { path: path.clone(), what: what.to_owned() };
    let index = Index::read(&path)?.ok_or_else(|| unfinished("preparation has only begun"))?;
    if index.header.part != part.index() || index.header.parts != part.count() {
        return Err(Error::damaged(&path, "it was renamed: its header speaks of another part"));
    }
    if !index.complete {
        return Err(unfinished(&format!("preparation stopped after {} clips", index.clips.len())));
    }
    Ok(index)
}

fn check_lengths(folder: &Path, part: Part, index: &Index) -> Result<(), Error> {
    let check = |path: PathBuf, end: u64| {
        let length = fs::metadata(&path).map_err(Error::read(&path))?.len();
        let what = format!("it has {length} bytes of {end}");
        if length < end { Err(Error::damaged(&path, what)) } else { Ok(()) }
    };
    if index.table_end() > 0 {
        check(part.frames(folder), index.table_end())?;
    }
    let mut ends: Vec<ShardEnd> = index.shard_ends().collect();
    ends.sort_by_key(|shard| (shard.number, shard.end));
    for shard in ends.chunk_by(|a, b| a.number == b.number).filter_map(<[ShardEnd]>::last) {
        check(part.shard(folder, shard.number), shard.end)?;
    }
    Ok(())
}

fn video(record: VideoRecord, source: &str) -> Video {
    Video {
        person: record.person,
        name: record.name,
        frames: record.frames,
        fps: record.fps,
        source: source.to_owned(),
        source_size: record.source_size,
        window: record.window,
    }
}

fn by_name(a: &Video, b: &Video) -> Ordering {
    (&a.person, &a.name).cmp(&(&b.person, &b.name))
}

/// Opened for each read: a data set has more shards than a process may hold open, and opening costs microseconds.
fn read_at(path: &Path, offset: u64, length: usize) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|mut file| {
        // Checked before memory is allocated: the length comes from the index.
        if offset.checked_add(length as u64).is_none_or(|end| end > file.metadata().map_or(0, |it| it.len()))
        {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        bytes.resize(length, 0);
        file.seek(SeekFrom::Start(offset))?;
        file.read_exact(&mut bytes)
    });
    match read {
        Ok(()) => Ok(bytes),
        Err(cause) if cause.kind() == std::io::ErrorKind::UnexpectedEof => {
            Err(Error::damaged(path, "it is shorter than its index says"))
        }
        Err(cause) => Err(Error::Read { path: path.into(), cause }),
    }
}

/// Records of the frame table that are read in one piece: 1 MB.
const RECORDS_AT_ONCE: usize = 4096;

fn decode_record(table: &Path, record: &[u8]) -> Result<(FrameDescriptor, Place), Error> {
    let decoded = record.try_into().ok().and_then(FrameDescriptor::decode);
    let decoded = decoded.ok_or_else(|| Error::damaged(table, "a frame's checksum does not fit"))?;
    if decoded.0.is_finite() {
        Ok(decoded)
    } else {
        Err(Error::damaged(table, "a frame's pose or openings are NaN or infinity"))
    }
}

/// More than any crop's JPEG takes (4096 pixels a side, four bytes a pixel), so that a damaged length cannot ask for all
/// memory.
const LARGEST_SAMPLE: u64 = 1 << 26;

/// Picture, of `size` pixels a side, and landmarks in one read: they are neighbours.
fn read_sample(shard: &Path, place: &Place, size: u32) -> Result<(RgbImage, Landmarks), Error> {
    let damaged = |what: &str| Error::damaged(shard, format!("the sample at byte {}: {what}", place.jpeg));
    let jpeg_length = place.jpeg_length as usize;
    let length =
        place.landmarks.checked_sub(place.jpeg).and_then(|length| length.checked_add(NPY_LENGTH as u64));
    let length = length.filter(|length| (jpeg_length as u64..LARGEST_SAMPLE).contains(length));
    let length = length.ok_or_else(|| damaged("it stands at no possible place"))? as usize;
    let bytes = read_at(shard, place.jpeg, length)?;
    let (jpeg, npy) = (&bytes[..jpeg_length], &bytes[length - NPY_LENGTH..]);
    let mut checksum = crc32fast::Hasher::new();
    checksum.update(jpeg);
    checksum.update(npy);
    if checksum.finalize() != place.checksum {
        return Err(damaged("its checksum does not fit"));
    }
    let picture = decode_jpeg(jpeg, size).map_err(|what| damaged(&what))?;
    let landmarks = decode_landmarks(npy).ok_or_else(|| damaged("its landmarks are no 478 x 3 numbers"))?;
    Ok((picture, landmarks))
}
