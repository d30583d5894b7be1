//! What became of the clips: counts, and every clip that was left out, by name and with its reasons.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Serialize;

use crate::Error;
use crate::journal::{Dropped, Index};
use crate::layout::FORMAT_VERSION;
use crate::reader::parts_of;

/// What one part or a whole data folder holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// [`FORMAT_VERSION`].
    pub version: u32,
    /// Side of the crops, pixels.
    pub size: u32,
    /// How many parts this is about.
    pub parts: usize,
    /// How many of them are done.
    pub parts_complete: usize,
    /// Clips that were looked at.
    pub clips: usize,
    /// People with at least one video.
    pub people: usize,
    /// People with exactly one video: enough for meta-learning, where each video counts as one person.
    pub people_with_one_video: usize,
    /// Videos that can be used; a clip with scene changes gives several.
    pub videos: usize,
    /// Frames of these videos.
    pub frames: usize,
    /// Frames that were decoded.
    pub frames_decoded: usize,
    /// Why the other frames were left out.
    pub dropped: Dropped,
    /// Clips that were left out wholly or partly, sorted by name.
    pub rejected: Vec<Rejection>,
}

/// A clip that was left out, wholly or partly.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Rejection {
    /// Path inside the source, `/` between folders; of things that are no clip, the whole path.
    pub clip: String,
    /// Videos that were cut out of it all the same.
    pub videos: usize,
    /// What was left out and why.
    pub reasons: Vec<String>,
}

/// What these indexes say together.
pub(crate) fn of_indexes(indexes: &[Index]) -> Report {
    let mut report = Report { version: FORMAT_VERSION, parts: indexes.len(), ..Report::default() };
    let mut videos_of: BTreeMap<&str, usize> = BTreeMap::new();
    for index in indexes {
        report.size = index.header.size;
        report.parts_complete += usize::from(index.complete);
        report.clips += index.clips.len();
        for clip in &index.clips {
            report.frames_decoded += clip.frames;
            report.dropped.add(clip.dropped);
            report.videos += clip.videos.len();
            for video in &clip.videos {
                report.frames += video.frames;
                *videos_of.entry(&video.person).or_default() += 1;
            }
            if !clip.rejected.is_empty() {
                let (clip, videos, reasons) = (clip.clip.clone(), clip.videos.len(), clip.rejected.clone());
                report.rejected.push(Rejection { clip, videos, reasons });
            }
        }
    }
    report.people = videos_of.len();
    report.people_with_one_video = videos_of.values().filter(|&&videos| videos == 1).count();
    report.rejected.sort();
    report
}

/// The report on all parts that stand in `folder`, with what could not even be looked at.
pub(crate) fn of_folder(folder: &Path, problems: Vec<(String, String)>) -> Result<Report, Error> {
    let mut indexes = Vec::new();
    for part in parts_of(folder)? {
        indexes.extend(Index::read(&part.journal(folder))?);
    }
    let mut report = of_indexes(&indexes);
    let problems = problems.into_iter();
    report.rejected.extend(problems.map(|(clip, reason)| Rejection {
        clip,
        videos: 0,
        reasons: vec![reason],
    }));
    report.rejected.sort();
    Ok(report)
}
