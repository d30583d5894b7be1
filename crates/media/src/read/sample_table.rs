//! The sample tables of one mp4 track, joined to one entry per sample.
//!
//! A table costs its writer four bytes an entry and may promise anything: counts are compared with the budget before
//! anything is allocated, sums with the length of the file.

use crate::{Budget, Error};
use mp4_atom::{Ctts, StscEntry, Stsz, StszSamples, Stts};
use std::path::Path;

/// More samples a second than any camera and any codec makes.
const SAMPLES_PER_SECOND: f64 = 1000.0;

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

impl Sample {
    /// Media time at which the sample is shown.
    pub(crate) fn composition(&self) -> i64 {
        self.decode + i64::from(self.reorder)
    }
}

/// The tables of `stbl` as they stand in the file.
pub(super) struct Tables {
    pub(super) sizes: Stsz,
    pub(super) durations: Stts,
    pub(super) reorders: Option<Ctts>,
    /// Numbers of the samples at which decoding may start, from one; all when absent.
    pub(super) syncs: Option<Vec<u32>>,
    pub(super) chunks: Vec<StscEntry>,
    pub(super) offsets: Vec<u64>,
}

impl Tables {
    /// One entry per sample in decoding order.
    pub(super) fn join(&self, path: &Path, budget: &Budget) -> Result<Vec<Sample>, Error> {
        let count = match &self.sizes.samples {
            StszSamples::Identical { count, .. } => *count as usize,
            StszSamples::Different { sizes } => sizes.len(),
        };
        budget.check_frames(path, count as u64)?;
        self.samples(count).ok_or_else(|| Error::damaged(path, "the sample tables contradict each other"))
    }

    /// `None` when the tables do not fit together.
    fn samples(&self, count: usize) -> Option<Vec<Sample>> {
        let durations = self.durations.entries.iter();
        let mut durations = runs(durations.map(|entry| (entry.sample_count, entry.sample_delta)));
        let reorders = self.reorders.iter().flat_map(|ctts| &ctts.entries);
        let mut reorders = runs(reorders.map(|entry| (entry.sample_count, entry.sample_offset)));
        let mut syncs = self.syncs.as_ref().map(|numbers| numbers.iter().peekable());
        let mut chunks = Chunks::new(&self.chunks, &self.offsets)?;
        let mut decode = 0i64;
        let mut last_duration = 0;
        let mut samples = Vec::with_capacity(count);
        for index in 0..count {
            let size = match &self.sizes.samples {
                StszSamples::Identical { size, .. } => *size,
                StszSamples::Different { sizes } => *sizes.get(index)?,
            };
            // Some writers leave the last sample out of the time table.
            let duration = durations.next().unwrap_or(last_duration);
            last_duration = duration;
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
}

/// Compares what the samples of a track promise with a file of `length` bytes.
///
/// Where the table reaches behind the end of the file, `Err` holds the sample at which the file is cut.
pub(super) fn check(
    path: &Path,
    samples: &[Sample],
    timescale: u32,
    length: u64,
    budget: &Budget,
) -> Result<Result<(), Sample>, Error> {
    if let Some(cut) = samples.iter().find(|sample| sample.offset + u64::from(sample.size) > length) {
        return Ok(Err(*cut));
    }
    if let Some(sample) = samples.iter().find(|sample| u64::from(sample.size) > budget.sample_bytes) {
        let what = format!("a single frame of {} MB", sample.size / 1_000_000);
        return Err(Error::damaged(path, what));
    }
    let sum: u64 = samples.iter().map(|sample| u64::from(sample.size)).sum();
    if sum > length {
        let what = format!("its sample table promises {sum} bytes, and the file has {length}");
        return Err(Error::damaged(path, what));
    }
    let units: i64 = samples.iter().map(|sample| i64::from(sample.duration)).sum();
    let seconds = units as f64 / f64::from(timescale);
    if samples.len() as f64 > SAMPLES_PER_SECOND * (seconds + 1.0) {
        let what = format!("its sample table has {} frames in {seconds:.1} s", samples.len());
        return Err(Error::damaged(path, what));
    }
    Ok(Ok(()))
}

/// Expands a run-length table; a hostile run length costs nothing until it is consumed.
fn runs<T: Copy>(entries: impl Iterator<Item = (u32, T)>) -> impl Iterator<Item = T> {
    entries.flat_map(|(count, value)| std::iter::repeat_n(value, count as usize))
}

/// Walks the chunks (`stsc` and `stco` or `co64`) sample by sample.
struct Chunks<'a> {
    offsets: &'a [u64],
    runs: &'a [StscEntry],
    chunk: usize,
    left: u32,
    at: u64,
}

impl<'a> Chunks<'a> {
    fn new(runs: &'a [StscEntry], offsets: &'a [u64]) -> Option<Self> {
        let ordered = runs.windows(2).all(|pair| pair[0].first_chunk < pair[1].first_chunk);
        ordered.then_some(Self { offsets, runs, chunk: 0, left: 0, at: 0 })
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
    use mp4_atom::SttsEntry;

    fn tables(count: u32, size: u32, delta: u32, offsets: Vec<u64>, per_chunk: u32) -> Tables {
        Tables {
            sizes: Stsz { samples: StszSamples::Identical { count, size } },
            durations: Stts { entries: vec![SttsEntry { sample_count: u32::MAX, sample_delta: delta }] },
            reorders: None,
            syncs: None,
            chunks: vec![StscEntry {
                first_chunk: 1,
                samples_per_chunk: per_chunk,
                sample_description_index: 1,
            }],
            offsets,
        }
    }

    #[test]
    fn sums_and_counts_are_compared_with_the_file() {
        const LENGTH: u64 = 2_000_000;
        let path = Path::new("a.mp4");
        let overlapping = vec![8; 100_000];
        let cases = [
            ("whole", tables(100, 1000, 40, vec![8], 100), None),
            (
                "overlapping",
                tables(100_000, 1_000_000, 40, overlapping.clone(), 1),
                Some("promises 100000000000 bytes"),
            ),
            ("no time passes", tables(100_000, 10, 0, vec![8], 100_000), Some("100000 frames in 0.0 s")),
            ("too many", tables(u32::MAX, 1, 40, vec![8], u32::MAX), Some("has 4294967295 frames")),
            ("empty and too many", tables(u32::MAX, 0, 40, vec![8], u32::MAX), Some("has 4294967295 frames")),
            ("no chunks", tables(10, 1, 40, vec![], 1), Some("contradict each other")),
        ];
        for (name, tables, expected) in cases {
            let budget = Budget::default();
            let checked = tables.join(path, &budget).and_then(|samples| {
                check(path, &samples, 1000, LENGTH, &budget).map(|cut| assert!(cut.is_ok(), "{name}"))
            });
            match (checked, expected) {
                (Ok(()), None) => {}
                (Err(error), Some(expected)) => {
                    let message = error.to_string();
                    assert!(message.contains(expected), "{name}: {message}");
                }
                (checked, _) => panic!("{name}: {checked:?}"),
            }
        }
    }

    #[test]
    fn a_cut_file_is_told_from_a_lying_one() {
        let samples =
            tables(100, 1000, 40, vec![8], 100).join(Path::new("a.mp4"), &Budget::default()).unwrap();
        let cut = check(Path::new("a.mp4"), &samples, 1000, 50_000, &Budget::default()).unwrap();
        assert_eq!(cut.unwrap_err().decode, 49 * 40);
    }
}
