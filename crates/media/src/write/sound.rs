//! The sound of the driving clip, for the mp4 writer: AAC samples copied untouched, everything else through ffmpeg.

use super::Sound;
use crate::partial::{Scratch, scratch_named_beside};
use crate::read::{FfmpegProgram, Movie, Sample, Track};
use crate::sniff::{self, Container, Content, open_regular};
use crate::{Budget, Error};
use mp4_atom::Mp4a;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A stretch of AAC samples, played once or several times.
///
/// Times are in units of the track. The output's media time begins with `lead_in` units that are decoded and not
/// heard: the codec's priming, or one sample before the start, which AAC needs to overlap into it.
pub(super) struct SoundTrack {
    clip: PathBuf,
    file: File,
    track: Track,
    description: Mp4a,
    /// Media time of the clip at which the output begins; negative when the sound begins later than the pictures.
    start: i64,
    /// Length of one repetition.
    length: i64,
    repeat: u32,
    lead_in: i64,
    index: usize,
    repetition: u32,
    /// Output presentation time of the next sample.
    position: i64,
    /// The sound as ffmpeg made it, deleted with this.
    _transcoded: Option<Scratch>,
}

/// A sample that is due.
pub(super) struct SoundSample {
    pub(super) data: Vec<u8>,
    pub(super) duration: u32,
    /// Silence between the sample before and this one.
    pub(super) gap: u32,
}

impl SoundTrack {
    /// `None` when the clip has no sound, or none that can be written, which is said in `warnings`.
    pub(super) fn open(
        sound: &Sound,
        target: &Path,
        warnings: &mut Vec<String>,
    ) -> Result<Option<Self>, Error> {
        let ffmpeg = FfmpegProgram::find(std::env::var_os("PATH").as_deref());
        Self::open_with(sound, target, warnings, ffmpeg.as_ref())
    }

    fn open_with(
        sound: &Sound,
        target: &Path,
        warnings: &mut Vec<String>,
        ffmpeg: Option<&FfmpegProgram>,
    ) -> Result<Option<Self>, Error> {
        let container = match sniff::content(&sound.clip)? {
            Content::Clip(container @ Container::Mp4) => {
                let movie = Movie::open(&sound.clip, &Budget::default())?;
                match movie.audio {
                    Some(track) if !movie.fragmented && track.plain_edits && track.aac().is_some() => {
                        return Self::new(sound.clip.clone(), sound.start, sound, track, None).map(Some);
                    }
                    None if !movie.fragmented => return Ok(None),
                    _ => container,
                }
            }
            Content::Clip(container @ Container::Other(_)) => container,
            Content::Clip(_) | Content::Photo | Content::Folder => return Ok(None),
        };
        let Some(ffmpeg) = ffmpeg else {
            let clip = sound.clip.display();
            warnings.push(format!(
                "{clip}: its sound is not AAC and ffmpeg is not on PATH; written without sound"
            ));
            return Ok(None);
        };
        Self::transcode(sound, container, target, warnings, ffmpeg)
    }

    fn transcode(
        sound: &Sound,
        container: Container,
        target: &Path,
        warnings: &mut Vec<String>,
        ffmpeg: &FfmpegProgram,
    ) -> Result<Option<Self>, Error> {
        let aac = scratch_named_beside(target)?;
        let (start, duration) = (sound.start, sound.duration);
        if let Err(error) = ffmpeg.extract_aac(&sound.clip, container, start, duration, aac.path()) {
            warnings.push(format!("{error}; written without sound"));
            return Ok(None);
        }
        match Movie::open(aac.path(), &Budget::default())?.audio {
            Some(track) if track.aac().is_some() => {
                Self::new(aac.path().to_path_buf(), Duration::ZERO, sound, track, Some(aac)).map(Some)
            }
            _ => Ok(None),
        }
    }

    fn new(
        clip: PathBuf,
        start: Duration,
        sound: &Sound,
        track: Track,
        transcoded: Option<Scratch>,
    ) -> Result<Self, Error> {
        let Some(description) = track.aac().cloned() else {
            return Err(Error::damaged(&clip, "its AAC sound has no description"));
        };
        let units = |time: Duration| (time.as_secs_f64() * f64::from(track.timescale)).round() as i64;
        let start = units(start) - track.shift;
        let heard_from = start.max(0);
        // The sample playing at the start, and the one before it.
        let playing = track.samples.partition_point(|sample| sample.decode <= heard_from).saturating_sub(1);
        let index = playing.saturating_sub(1);
        let lead_in = track.samples.get(index).map_or(0, |sample| heard_from - sample.decode);
        Ok(Self {
            file: open_regular(&clip)?,
            clip,
            description,
            start,
            length: sound.duration.map_or(track.end - track.shift - start, units).max(1),
            repeat: sound.repeat.max(1),
            lead_in,
            index,
            repetition: 0,
            position: (-start).max(0) - lead_in,
            track,
            _transcoded: transcoded,
        })
    }

    pub(super) fn timescale(&self) -> u32 {
        self.track.timescale
    }

    pub(super) fn description(&self) -> Mp4a {
        let mut description = self.description.clone();
        description.audio.data_reference_index = 1;
        description
    }

    /// Units at the beginning of the output's media that are not heard.
    pub(super) fn lead_in(&self) -> u64 {
        self.lead_in as u64
    }

    /// Units of silence before the sound begins.
    pub(super) fn delay(&self) -> u64 {
        (-self.start).max(0) as u64
    }

    /// The next sample, if it begins before `seconds` of output.
    pub(super) fn next_before(&mut self, seconds: f64) -> Result<Option<SoundSample>, Error> {
        let limit = (seconds * f64::from(self.track.timescale)).round() as i64;
        let end_of_part = self.length.saturating_mul(i64::from(self.repetition) + 1);
        let half = self.track.samples.get(self.index).map_or(0, |sample| i64::from(sample.duration) / 2);
        let mut gap = 0;
        if self.index >= self.track.samples.len() || self.position > end_of_part - half.max(1) {
            if self.repetition >= self.repeat - 1 {
                return Ok(None);
            }
            gap = match self.rewind(end_of_part, limit) {
                Some(gap) => gap,
                None => return Ok(None),
            };
        }
        if self.position >= limit {
            return Ok(None);
        }
        let sample = self.track.samples[self.index];
        let data = self.read(sample)?;
        self.index += 1;
        self.position += i64::from(sample.duration);
        Ok(Some(SoundSample { data, duration: sample.duration, gap }))
    }

    /// Starts the next repetition at the sample boundary nearest to where it belongs, so that repetitions do not
    /// drift; returns the silence that fills up to it. `None` while the output has not got there.
    fn rewind(&mut self, part_start: i64, limit: i64) -> Option<u32> {
        if part_start >= limit {
            return None;
        }
        // Media time that belongs to the position where the next sample goes.
        let wanted = self.start + (self.position - part_start).max(0);
        let samples = &self.track.samples;
        let at = samples.partition_point(|sample| sample.decode + i64::from(sample.duration) / 2 <= wanted);
        let sample = samples.get(at)?;
        // Where this sample is heard, if the part starts exactly at its place.
        let place = part_start + sample.decode - self.start;
        let gap = (place - self.position).max(0);
        let gap = if gap > i64::from(sample.duration) / 2 { gap } else { 0 };
        self.repetition += 1;
        self.index = at;
        self.position += gap;
        Some(u32::try_from(gap).unwrap_or(0))
    }

    fn read(&mut self, sample: Sample) -> Result<Vec<u8>, Error> {
        let mut data = vec![0; sample.size as usize];
        self.file
            .seek(SeekFrom::Start(sample.offset))
            .and_then(|_| self.file.read_exact(&mut data))
            .map_err(Error::read(&self.clip))?;
        Ok(data)
    }
}
