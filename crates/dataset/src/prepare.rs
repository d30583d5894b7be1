//! Preparing a folder of clips: several workers, each with a tracker and a shard of its own, and one journal that
//! says what is finished.
//!
//! A clip is finished in this order: its samples are on the disk, then its records in the frame table, then its line
//! in the journal. Whatever the journal does not speak of is cut off when the job is started again.

use std::collections::HashSet;
use std::fs::{self, File, OpenOptions};
use std::io::{Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use gioconda_face::{FaceChoice, Threads, Tracker};
use serde::Serialize;

use crate::clips::{self, Clip};
use crate::cut::{CutClip, Cutter};
use crate::descriptor::RECORD;
use crate::journal::{ClipRecord, Complete, Header, Index, Journal, Record, ShardEnd, VideoRecord};
use crate::layout::Part;
use crate::reader::parts_of;
use crate::report::{self, Report};
use crate::shard::{ShardWriter, repair};
use crate::{Dataset, Error, contact_sheet};

/// Side of the stored crops, pixels, unless told otherwise: the size of the paper's networks.
pub const DEFAULT_SIZE: u32 = 256;

/// A shard that has grown beyond this many bytes is ended and another begun.
const SHARD_SIZE: u64 = 1 << 29;

/// How to prepare.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Side of the stored crops, pixels.
    pub size: u32,
    /// How many clips are worked on at the same time, each on one core; at least 1.
    pub workers: usize,
    /// Which part of the clips is this job's.
    pub part: Part,
}

/// How far a job has come.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// Clips that are finished, those of earlier runs included.
    pub clips_done: usize,
    /// Clips of this job.
    pub clips: usize,
    /// Frames followed in this run.
    pub frames: usize,
}

/// What a job did.
#[derive(Clone, Debug, Serialize)]
pub struct Summary {
    /// What this job's part holds now.
    pub prepared: Report,
    /// Clips that an earlier run had finished.
    pub resumed_clips: usize,
    /// Frames followed in this run.
    pub frames_followed: usize,
    /// How long this run took.
    pub seconds: f64,
    /// The report on the whole folder.
    pub report: PathBuf,
    /// The page of thumbnails; `None` while other parts are unfinished.
    pub contact_sheet: Option<PathBuf>,
}

/// Prepares the clips of `source` into `folder`, which is created if need be and may hold the result of an earlier,
/// interrupted run with the same settings.
///
/// A bad clip ends up in the report. `progress` is called from several threads; setting `cancel` stops between frames
/// and leaves everything in order for another run.
pub fn prepare(
    source: &Path,
    folder: &Path,
    settings: &Settings,
    progress: &(dyn Fn(Progress) + Sync),
    cancel: &AtomicBool,
) -> Result<Summary, Error> {
    let started = Instant::now();
    let found = clips::find(source)?;
    let clips: Vec<Clip> = found.clips.into_iter().filter(|clip| settings.part.has(&clip.source)).collect();
    let (output, resumed) = Output::open(folder, settings)?;
    let done: HashSet<&str> =
        resumed.clips.iter().filter(|clip| !clip.unreadable).map(|clip| clip.clip.as_str()).collect();
    let wanted: Vec<&Clip> = clips.iter().filter(|clip| !done.contains(clip.source.as_str())).collect();
    let resumed_clips = clips.len() - wanted.len();
    let job = Job {
        wanted: &wanted,
        clips: clips.len(),
        next: AtomicUsize::new(0),
        done: AtomicUsize::new(resumed_clips),
        frames: AtomicUsize::new(0),
        failed: AtomicBool::new(false),
        output: &output,
        settings,
        progress,
        cancel,
    };
    job.run()?;
    let (done, frames_followed) = (job.done.into_inner(), job.frames.into_inner());
    if done < clips.len() {
        return Err(Error::Cancelled { done, clips: clips.len() });
    }
    if !wanted.is_empty() || !resumed.complete {
        output.complete(&resumed, &wanted)?;
    }
    drop(output);
    finish(folder, settings.part, found.problems, |prepared, report, contact_sheet| Summary {
        prepared,
        resumed_clips,
        frames_followed,
        seconds: started.elapsed().as_secs_f64(),
        report,
        contact_sheet,
    })
}

/// Writes report and contact sheet.
fn finish(
    folder: &Path,
    part: Part,
    problems: Vec<(String, String)>,
    summary: impl FnOnce(Report, PathBuf, Option<PathBuf>) -> Summary,
) -> Result<Summary, Error> {
    let whole = report::of_folder(folder, problems)?;
    let report = folder.join("report.json");
    let json = serde_json::to_vec_pretty(&whole).expect("a report is made of numbers, texts and lists");
    gioconda_media::save_bytes(&report, &json)?;
    let contact_sheet = match Dataset::open(folder) {
        Ok(dataset) => {
            let page = folder.join("contact-sheet.html");
            gioconda_media::save_bytes(&page, contact_sheet::page(&dataset, &whole)?.as_bytes())?;
            Some(page)
        }
        // Jobs of other parts are still at work: the last one makes the page.
        Err(Error::Unfinished { .. }) => None,
        // Other parts may have videos where this one has none.
        Err(Error::NoVideos { .. }) if part.count() > 1 => None,
        Err(error) => return Err(error),
    };
    let mine = Index::read(&part.journal(folder))?.map(|index| report::of_indexes(&[index]));
    let Some(mine) = mine else { return Err(Error::NotPrepared { path: folder.into() }) };
    Ok(summary(mine, report, contact_sheet))
}

/// One run of a job, shared by its workers.
struct Job<'a> {
    wanted: &'a [&'a Clip],
    clips: usize,
    /// Index of the clip in `wanted` that is taken next.
    next: AtomicUsize,
    done: AtomicUsize,
    frames: AtomicUsize,
    /// A worker met an error that concerns all.
    failed: AtomicBool,
    output: &'a Output,
    settings: &'a Settings,
    progress: &'a (dyn Fn(Progress) + Sync),
    cancel: &'a AtomicBool,
}

impl Job<'_> {
    /// Works until all clips are done, or the job is cancelled.
    fn run(&self) -> Result<(), Error> {
        let workers = self.settings.workers.clamp(1, self.wanted.len().max(1));
        std::thread::scope(|scope| {
            let threads: Vec<_> = (0..workers).map(|_| scope.spawn(|| self.work())).collect();
            threads.into_iter().try_for_each(|thread| match thread.join() {
                Ok(done) => done,
                Err(panic) => std::panic::resume_unwind(panic),
            })
        })
    }

    fn work(&self) -> Result<(), Error> {
        let done = self.work_through();
        if done.is_err() {
            self.failed.store(true, Ordering::Relaxed);
        }
        done
    }

    fn work_through(&self) -> Result<(), Error> {
        let on_frame = || {
            self.frames.fetch_add(1, Ordering::Relaxed);
            self.report_progress();
        };
        let tracker = Tracker::new(FaceChoice::Largest, Threads::Count(1))?;
        let mut cutter =
            Cutter { tracker, size: self.settings.size, on_frame: &on_frame, cancel: self.cancel };
        let mut shard: Option<ShardWriter> = None;
        while let Some(clip) = self.next_clip() {
            let mut current = match shard.take() {
                Some(open) if open.position() < SHARD_SIZE => open,
                full => {
                    full.map_or(Ok(()), ShardWriter::finish)?;
                    self.output.begin_shard()?
                }
            };
            let cut = cutter.cut(clip, &mut current)?;
            let finished = match cut {
                Some(cut) => self.output.commit(clip, cut, &mut current).map(|()| true)?,
                None => false,
            };
            shard = Some(current);
            if !finished {
                break;
            }
            self.done.fetch_add(1, Ordering::Relaxed);
            self.report_progress();
        }
        shard.map_or(Ok(()), ShardWriter::finish)
    }

    fn next_clip(&self) -> Option<&Clip> {
        if self.cancel.load(Ordering::Relaxed) || self.failed.load(Ordering::Relaxed) {
            return None;
        }
        self.wanted.get(self.next.fetch_add(1, Ordering::Relaxed)).copied()
    }

    fn report_progress(&self) {
        (self.progress)(Progress {
            clips_done: self.done.load(Ordering::Relaxed),
            clips: self.clips,
            frames: self.frames.load(Ordering::Relaxed),
        });
    }
}

/// The files of a part that all workers write to.
struct Output {
    folder: PathBuf,
    part: Part,
    next_shard: AtomicU32,
    ledger: Mutex<Ledger>,
}

struct Ledger {
    journal: Journal,
    table: File,
    /// Length of the frame table, bytes.
    table_end: u64,
}

impl Output {
    /// Opens the part for writing and clears away what an interrupted run left half-written.
    fn open(folder: &Path, settings: &Settings) -> Result<(Self, Index), Error> {
        fs::create_dir_all(folder).map_err(Error::write(folder))?;
        check_other_parts(folder, settings)?;
        let part = settings.part;
        let (journal, index) = Journal::open(&part.journal(folder), &Header::new(settings.size, part))?;
        check_size(folder, &index.header, settings.size)?;
        let path = part.frames(folder);
        let mut options = OpenOptions::new();
        let mut table =
            options.write(true).create(true).truncate(false).open(&path).map_err(Error::write(&path))?;
        let length = table.metadata().map_err(Error::read(&path))?.len();
        let table_end = index.table_end();
        if length < table_end {
            return Err(Error::damaged(&path, format!("it has {length} bytes of {table_end}")));
        }
        table
            .set_len(table_end)
            .and_then(|()| table.seek(SeekFrom::Start(table_end)))
            .map_err(Error::write(&path))?;
        let next_shard = clear_up_shards(folder, part, &index)?;
        let ledger = Mutex::new(Ledger { journal, table, table_end });
        let next_shard = AtomicU32::new(next_shard);
        Ok((Self { folder: folder.into(), part, next_shard, ledger }, index))
    }

    fn begin_shard(&self) -> Result<ShardWriter, Error> {
        ShardWriter::create(&self.folder, self.part, self.next_shard.fetch_add(1, Ordering::Relaxed))
    }

    /// Makes a clip count: its samples stand in `shard`.
    fn commit(&self, clip: &Clip, cut: CutClip, shard: &mut ShardWriter) -> Result<(), Error> {
        let shard_end = match cut.videos.as_slice() {
            [] => None,
            _ => Some(ShardEnd { number: shard.number(), end: shard.commit()? }),
        };
        let mut records = Vec::new();
        // A worker that panicked ends the run; what it left in the ledger is cut off by the next one.
        let mut ledger = self.ledger.lock().unwrap_or_else(PoisonError::into_inner);
        let table_start = ledger.table_end;
        let unreadable = cut.broken && cut.videos.is_empty();
        let videos = cut.videos.into_iter().map(|video| {
            let table = table_start + records.len() as u64;
            records.extend(video.frames.iter().flat_map(|(descriptor, place)| descriptor.encode(place)));
            VideoRecord {
                person: clip.person.clone(),
                name: video.name,
                frames: video.frames.len(),
                fps: video.fps,
                source_size: video.source_size,
                window: video.window,
                table,
            }
        });
        let mut record = ClipRecord {
            clip: clip.source.clone(),
            videos: videos.collect(),
            rejected: cut.rejected,
            unreadable,
            frames: cut.frames,
            dropped: cut.dropped,
            shard: shard_end,
            table_end: 0,
        };
        debug_assert_eq!(records.len() % RECORD, 0);
        record.table_end = table_start + records.len() as u64;
        let path = self.part.frames(&self.folder);
        let written = ledger.table.write_all(&records).and_then(|()| ledger.table.sync_data());
        written.map_err(Error::write(&path))?;
        ledger.table_end = record.table_end;
        ledger.journal.append(&Record::Clip(record))
    }

    /// Notes that all clips are done: those of earlier runs, and `wanted`.
    fn complete(&self, resumed: &Index, wanted: &[&Clip]) -> Result<(), Error> {
        let earlier = resumed.clips.iter().map(|clip| clip.clip.as_str());
        let clips: HashSet<&str> = earlier.chain(wanted.iter().map(|clip| clip.source.as_str())).collect();
        let mut ledger = self.ledger.lock().unwrap_or_else(PoisonError::into_inner);
        ledger.journal.append(&Record::Complete(Complete { clips: clips.len() }))
    }
}

/// Refuses a folder whose other parts were made with other settings.
fn check_other_parts(folder: &Path, settings: &Settings) -> Result<(), Error> {
    for part in parts_of(folder)? {
        if part.count() != settings.part.count() {
            let (found, asked) = (part.count(), settings.part.count());
            return Err(Error::Parts { path: folder.into(), found, asked });
        }
        if part != settings.part
            && let Some(index) = Index::read(&part.journal(folder))?
        {
            check_size(folder, &index.header, settings.size)?;
        }
    }
    Ok(())
}

fn check_size(folder: &Path, header: &Header, size: u32) -> Result<(), Error> {
    if header.size == size {
        return Ok(());
    }
    Err(Error::Size { path: folder.into(), found: header.size, asked: size })
}

/// Ends interrupted shards, removes those without a finished clip, and returns the first number that is free.
fn clear_up_shards(folder: &Path, part: Part, index: &Index) -> Result<u32, Error> {
    let next = index.shard_ends().map(|shard| shard.number + 1).max().unwrap_or(0);
    for entry in fs::read_dir(folder).map_err(Error::read(folder))? {
        let entry = entry.map_err(Error::read(folder))?;
        let Some(number) = entry.file_name().to_str().and_then(|name| part.shard_number(name)) else {
            continue;
        };
        let path = entry.path();
        let ends = index.shard_ends().filter(|shard| shard.number == number);
        match ends.map(|shard| shard.end).max() {
            Some(end) => repair(&path, end)?,
            None => fs::remove_file(&path).map_err(Error::write(&path))?,
        }
    }
    Ok(next)
}
