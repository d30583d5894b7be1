//! Where a video can be entered without decoding what comes before.

use std::path::Path;
use std::time::Duration;

use super::mp4::Movie;
use crate::sniff::{self, Container, Content};
use crate::{Budget, Error};

/// Times of the key frames of an mp4 or mov file, from the beginning of the clip, in order. For other clips, whose index
/// only `ffmpeg` reads, there are none.
///
/// [`super::ClipReader::open`] that starts at one of them begins to decode there; one that starts elsewhere decodes
/// everything from the key frame before.
///
/// # Errors
/// When the file cannot be read or its index is damaged.
pub fn key_frames(path: &Path, budget: &Budget) -> Result<Vec<Duration>, Error> {
    if !matches!(sniff::content(path)?, Content::Clip(Container::Mp4)) {
        return Ok(Vec::new());
    }
    let movie = Movie::open(path, budget)?;
    let Some(track) = movie.video else { return Ok(Vec::new()) };
    let times = track.samples.iter().filter(|sample| sample.sync);
    let times = times.map(|sample| track.seconds(sample.composition().saturating_add(track.shift)));
    let mut times: Vec<Duration> = times.filter_map(|time| Duration::try_from_secs_f64(time).ok()).collect();
    times.sort_unstable();
    Ok(times)
}
