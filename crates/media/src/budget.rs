//! What reading one file may cost: the one place that knows, with every reader under it.
//!
//! Files are not trusted. A header of 66 bytes can promise 17 GB, a table of samples can point a million times at
//! one place. So sizes are compared with a [`Budget`] before anything is decoded or allocated, and sums are compared
//! with the length of the file. [`Budget::default`] is for files that the user chose; [`Budget::for_uploads`] is
//! tighter, for what a server decodes on behalf of its clients. [`Budget::table`] names every limit, for
//! documentation.

use crate::Error;
use std::path::Path;
use std::time::Duration;

/// Largest photo that is read, in pixels. Decoding one takes less than 1 GB.
pub const MAX_PIXELS: u64 = 50_000_000;

/// The limits of one file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Budget {
    /// Pixels of a photo.
    pub photo_pixels: u64,
    /// Bytes of a photo's file.
    pub photo_bytes: u64,
    /// Pixels of one picture of a clip, stored or displayed, at any place of the stream.
    pub clip_pixels: u64,
    /// Pixels of all frames of an animated GIF or WebP together.
    pub animation_pixels: u64,
    /// Bytes of an animated GIF or WebP.
    pub animation_bytes: u64,
    /// Length of what is read of a clip. Also holds for what ffmpeg delivers, whatever the clip says of itself.
    pub length: Duration,
    /// Frames of a clip: stored, and delivered at the output's rate.
    pub frames: u64,
    /// Bytes of the index (`moov`) of an mp4.
    pub index_bytes: u64,
    /// Bytes of one sample of an mp4.
    pub sample_bytes: u64,
    /// Bytes of the pictures that the H.264 decoder keeps for reference, at 1.5 bytes a pixel.
    pub decoder_bytes: u64,
    /// Files in a folder of pictures.
    pub folder_entries: u64,
    /// Bytes of decoded frames that may wait between two stages.
    pub queue_bytes: u64,
    /// How long ffmpeg or ffprobe may take for its next answer.
    pub answer_time: Duration,
    /// How long one ffmpeg may keep its reader waiting in all.
    pub waiting_time: Duration,
}

/// One limit as documentation shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limit {
    /// What is limited.
    pub what: &'static str,
    /// [`Budget::default`], with its unit.
    pub default: String,
    /// [`Budget::for_uploads`], with its unit.
    pub uploads: String,
}

impl Default for Budget {
    fn default() -> Self {
        Self {
            photo_pixels: MAX_PIXELS,
            photo_bytes: 400_000_000,
            // H.264 level 6.2 ends at 8192 x 4352.
            clip_pixels: 8192 * 4352,
            animation_pixels: 4_000_000_000,
            animation_bytes: 1_000_000_000,
            length: Duration::from_hours(12),
            frames: 4_000_000,
            // The sample tables of a ten-hour clip take some 20 MB.
            index_bytes: 64_000_000,
            sample_bytes: 64_000_000,
            decoder_bytes: 768_000_000,
            folder_entries: 250_000,
            queue_bytes: 192_000_000,
            answer_time: Duration::from_mins(1),
            waiting_time: Duration::from_hours(12),
        }
    }
}

impl Budget {
    /// For files that a server decodes on behalf of its clients.
    pub fn for_uploads() -> Self {
        Self {
            // H.264 level 5.2 ends at 4096 x 2304.
            clip_pixels: 4096 * 2304,
            animation_pixels: 1_000_000_000,
            animation_bytes: 200_000_000,
            length: Duration::from_mins(5),
            // 300 s at 240 frames a second.
            frames: 72_000,
            index_bytes: 16_000_000,
            sample_bytes: 16_000_000,
            decoder_bytes: 256_000_000,
            folder_entries: 10_000,
            queue_bytes: 64_000_000,
            answer_time: Duration::from_secs(30),
            waiting_time: Duration::from_mins(10),
            ..Self::default()
        }
    }

    /// With another limit of a clip's length.
    #[must_use]
    pub fn with_length(self, length: Duration) -> Self {
        Self { length, ..self }
    }

    /// With another limit of the pixels of a clip's picture.
    #[must_use]
    pub fn with_clip_pixels(self, clip_pixels: u64) -> Self {
        Self { clip_pixels, ..self }
    }

    /// With another limit of the pixels of a photo.
    #[must_use]
    pub fn with_photo_pixels(self, photo_pixels: u64) -> Self {
        Self { photo_pixels, ..self }
    }

    /// With another limit of the time for ffmpeg's next answer.
    #[must_use]
    pub fn with_answer_time(self, answer_time: Duration) -> Self {
        Self { answer_time, ..self }
    }

    /// How many frames of `width` x `height` pixels, 3 bytes each, may wait between two stages: at most `most`, and none
    /// where one alone is too large.
    pub fn queue(&self, width: u32, height: u32, most: usize) -> usize {
        let frame = u64::from(width) * u64::from(height) * 3;
        usize::try_from(self.queue_bytes / frame.max(1)).map_or(most, |fit| fit.min(most))
    }

    /// Every limit, for documentation.
    pub fn table() -> Vec<Limit> {
        let (default, uploads) = (Self::default(), Self::for_uploads());
        let row = |what, show: &dyn Fn(&Self) -> String| Limit {
            what,
            default: show(&default),
            uploads: show(&uploads),
        };
        let megapixels = |pixels: u64| format!("{:.1} megapixels", pixels as f64 / 1e6);
        let megabytes = |bytes: u64| format!("{} MB", bytes / 1_000_000);
        let seconds = |time: Duration| format!("{} s", time.as_secs());
        vec![
            row("pixels of a photo", &|b| megapixels(b.photo_pixels)),
            row("bytes of a photo's file", &|b| megabytes(b.photo_bytes)),
            row("pixels of one picture of a clip", &|b| megapixels(b.clip_pixels)),
            row("pixels of all frames of an animated GIF or WebP", &|b| megapixels(b.animation_pixels)),
            row("bytes of an animated GIF or WebP", &|b| megabytes(b.animation_bytes)),
            row("length of what is read of a clip", &|b| seconds(b.length)),
            row("frames of a clip, stored or delivered", &|b| b.frames.to_string()),
            row("bytes of the index (`moov`) of an mp4", &|b| megabytes(b.index_bytes)),
            row("bytes of one sample of an mp4", &|b| megabytes(b.sample_bytes)),
            row("bytes of H.264 reference pictures", &|b| megabytes(b.decoder_bytes)),
            row("files in a folder of pictures", &|b| b.folder_entries.to_string()),
            row("bytes of frames that wait between two stages", &|b| megabytes(b.queue_bytes)),
            row("time for one answer of ffmpeg or ffprobe", &|b| seconds(b.answer_time)),
            row("time that one ffmpeg may be waited for", &|b| seconds(b.waiting_time)),
        ]
    }

    /// Refuses a picture of a clip that is empty or too large, before it is decoded.
    pub(crate) fn check_clip_size(&self, path: &Path, width: u32, height: u32) -> Result<(), Error> {
        if width == 0 || height == 0 {
            return Err(Error::damaged(path, "its pictures have no size"));
        }
        if u64::from(width) * u64::from(height) <= self.clip_pixels {
            return Ok(());
        }
        let most = self.clip_pixels as f64 / 1e6;
        let fault = format!("are more than the {most:.1} megapixels of a clip; scale it down");
        Err(Error::Size { path: path.into(), width, height, fault })
    }

    /// Refuses a stretch of a clip that is too long.
    pub(crate) fn check_length(&self, path: &Path, seconds: f64) -> Result<(), Error> {
        if seconds <= self.length.as_secs_f64() {
            return Ok(());
        }
        let most = self.length.as_secs();
        Err(Error::limit(path, format!("lasts {seconds:.0} s, and at most {most} s are read; cut it")))
    }

    /// Refuses a clip of too many frames.
    pub(crate) fn check_frames(&self, path: &Path, frames: u64) -> Result<(), Error> {
        if frames <= self.frames {
            return Ok(());
        }
        let most = self.frames;
        Err(Error::limit(path, format!("has {frames} frames, and at most {most} are read; cut it")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uploads_get_no_more_than_the_user_of_the_command_line() {
        let (mine, theirs) = (Budget::default(), Budget::for_uploads());
        let pairs = [
            (mine.photo_pixels, theirs.photo_pixels),
            (mine.photo_bytes, theirs.photo_bytes),
            (mine.clip_pixels, theirs.clip_pixels),
            (mine.animation_pixels, theirs.animation_pixels),
            (mine.animation_bytes, theirs.animation_bytes),
            (mine.frames, theirs.frames),
            (mine.index_bytes, theirs.index_bytes),
            (mine.sample_bytes, theirs.sample_bytes),
            (mine.decoder_bytes, theirs.decoder_bytes),
            (mine.folder_entries, theirs.folder_entries),
            (mine.queue_bytes, theirs.queue_bytes),
        ];
        assert!(pairs.iter().all(|(mine, theirs)| mine >= theirs), "{pairs:?}");
        assert!(mine.length >= theirs.length && mine.answer_time >= theirs.answer_time);
        assert!(mine.waiting_time >= theirs.waiting_time);
    }

    /// The page of the crate shows the numbers that hold.
    #[test]
    fn the_readme_shows_every_limit() {
        let page = include_str!("../README.md");
        for limit in Budget::table() {
            let row = format!("| {} | {} | {} |", limit.what, limit.default, limit.uploads);
            assert!(page.contains(&row), "README.md lacks this row:\n{row}");
        }
    }

    #[test]
    fn queues_are_bounded_by_bytes() {
        let budget = Budget::default();
        let cases = [((512, 512), 3), ((3840, 2160), 3), ((7680, 4320), 1), ((20_000, 20_000), 0)];
        for ((width, height), expected) in cases {
            assert_eq!(budget.queue(width, height, 3), expected, "{width}x{height}");
        }
    }
}
