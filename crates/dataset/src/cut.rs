//! One clip: followed by one reader, cut by a second one that stays a shot behind, so that the window is known before
//! the first crop is made and no decoded frame has to be kept.

use std::sync::atomic::{AtomicBool, Ordering};

use gioconda_face::Tracker;
use gioconda_media::{ClipReader, Frame, ReadOptions};
use image::RgbImage;
use image::imageops::crop_imm;

use crate::clips::Clip;
use crate::descriptor::{FrameDescriptor, Place};
use crate::journal::Dropped;
use crate::shard::ShardWriter;
use crate::shot::{ShotFinder, ShotFrame, Thumbnail, Trouble};
use crate::window::{CropWindow, FaceBox};
use crate::{Error, MIN_FRAMES};

/// Landmarks with less presence than this are left out (the tracker follows from 0.5 on).
const CONFIDENT: f32 = 0.8;
/// A frame is a near-duplicate of the one kept before when its face moved less than this
/// ([`FrameDescriptor::distance`]; it was 0.0025 when landmarks came from one look and their noise, about 0.001, added to
/// every distance) ...
const DUPLICATE_DISTANCE: f32 = 0.002;
/// ... and its crop changed less than this, mean grey levels.
const DUPLICATE_DIFFERENCE: f32 = 1.0;

/// What was cut out of a clip.
#[derive(Debug, Default)]
pub(crate) struct CutClip {
    pub(crate) videos: Vec<CutVideo>,
    pub(crate) rejected: Vec<String>,
    /// Whether the reader failed, at once or midway.
    pub(crate) broken: bool,
    /// Frames decoded.
    pub(crate) frames: usize,
    pub(crate) dropped: Dropped,
}

/// A video whose samples stand in the shard.
#[derive(Debug)]
pub(crate) struct CutVideo {
    pub(crate) name: String,
    pub(crate) fps: f64,
    pub(crate) source_size: (u32, u32),
    pub(crate) window: CropWindow,
    pub(crate) frames: Vec<(FrameDescriptor, Place)>,
}

/// Cuts clips into videos of crops.
pub(crate) struct Cutter<'a> {
    pub(crate) tracker: Tracker,
    /// Side of the stored crops, pixels.
    pub(crate) size: u32,
    /// Called once for each frame that is followed.
    pub(crate) on_frame: &'a (dyn Fn() + Sync),
    pub(crate) cancel: &'a AtomicBool,
}

impl Cutter<'_> {
    /// Writes the samples of `clip` into `shard`; `None` when cancelled midway. What is wrong with the clip is part of
    /// the result; errors are those of the shard and of the models.
    pub(crate) fn cut(&mut self, clip: &Clip, shard: &mut ShardWriter) -> Result<Option<CutClip>, Error> {
        let options = ReadOptions::default();
        let readers = ClipReader::open(&clip.path, &options)
            .and_then(|lead| Ok((lead, ClipReader::open(&clip.path, &options)?)));
        let mut cut = CutClip::default();
        let (lead, follow) = match readers {
            Ok(readers) => readers,
            Err(error) => {
                cut.break_off(clip, &error);
                return Ok(Some(cut));
            }
        };
        let mut follower = Follower { reader: follow, frame: Frame::default(), read: 0 };
        let mut shots = ShotFinder::new(lead, &mut self.tracker);
        let mut shot: Vec<ShotFrame> = Vec::new();
        let mut go_on = true;
        while go_on {
            let followed = shots.next(&mut shot, || {
                (self.on_frame)();
                !self.cancel.load(Ordering::Relaxed)
            });
            if self.cancel.load(Ordering::Relaxed) {
                return Ok(None);
            }
            go_on = !shot.is_empty();
            match followed {
                Ok(()) => {}
                Err(Trouble::Face(error)) => return Err(error.into()),
                Err(Trouble::Clip(error)) => {
                    cut.break_off(clip, &error);
                    go_on = false;
                }
            }
            if !shot.is_empty() {
                let writer = ShotWriter { clip, size: self.size, shot: &shot, follower: &mut follower };
                go_on &= writer.write(shard, &mut cut)?;
            }
        }
        if cut.frames == 0 && cut.rejected.is_empty() {
            cut.rejected.push("it has no frames".to_owned());
        }
        Ok(Some(cut))
    }
}

impl CutClip {
    fn break_off(&mut self, clip: &Clip, error: &gioconda_media::Error) {
        self.broken = true;
        let text = error.to_string();
        // The report names the clip already.
        let name = format!("{}: ", clip.path.display());
        self.rejected.push(text.strip_prefix(&name).unwrap_or(&text).to_owned());
    }
}

/// The reader that comes a shot later.
struct Follower {
    reader: ClipReader,
    frame: Frame,
    /// Frames read so far.
    read: usize,
}

struct ShotWriter<'a> {
    clip: &'a Clip,
    size: u32,
    shot: &'a [ShotFrame],
    follower: &'a mut Follower,
}

impl ShotWriter<'_> {
    /// Writes a shot as a video, or says in `cut` why not; false when the clip cannot be read further.
    fn write(self, shard: &mut ShardWriter, cut: &mut CutClip) -> Result<bool, Error> {
        cut.frames += self.shot.len();
        let confident =
            |frame: &&ShotFrame| frame.as_ref().is_some_and(|(_, presence)| *presence >= CONFIDENT);
        let faces: Vec<FaceBox> = self
            .shot
            .iter()
            .filter(confident)
            .filter_map(|frame| frame.as_ref().map(|(landmarks, _)| FaceBox::around(landmarks)))
            .collect();
        let info = self.follower.reader.info();
        let source_size = (info.width, info.height);
        let window = if faces.len() < MIN_FRAMES {
            Err(format!(
                "a face in only {} of {} frames, {MIN_FRAMES} are needed",
                faces.len(),
                self.shot.len()
            ))
        } else {
            CropWindow::around(&faces, source_size.0, source_size.1)
        };
        let (first, clip) = (self.follower.read, self.clip);
        let window = match window {
            Ok(window) => window,
            Err(reason) => {
                cut.dropped.rejected += self.shot.len();
                cut.reject(first, self.shot.len(), &reason);
                return Ok(self.skip(cut));
            }
        };
        let before = shard.position();
        let fps = self.follower.reader.fps();
        let video_name = match cut.videos.len() {
            0 => clip.name.clone(),
            others => format!("{}#{}", clip.name, others + 1),
        };
        let shot_length = self.shot.len();
        let written = self.write_frames(shard, &window, &video_name)?;
        let (frames, mut dropped) = (written.frames, written.dropped);
        if frames.len() < MIN_FRAMES {
            shard.roll_back_to(before)?;
            dropped.rejected += frames.len();
            let found = format!(
                "only {} usable frames of {shot_length} ({} without a face, {} outside the crop, {} near-duplicates), \
                 {MIN_FRAMES} are needed",
                frames.len(),
                dropped.no_face,
                dropped.outside,
                dropped.duplicates
            );
            cut.reject(first, shot_length, &found);
        } else {
            cut.videos.push(CutVideo { name: video_name, fps, source_size, window, frames });
        }
        cut.dropped.add(dropped);
        if let Some(error) = &written.trouble {
            cut.break_off(clip, error);
        }
        Ok(written.trouble.is_none())
    }

    /// Reads past the shot; false when the clip cannot be read further.
    fn skip(self, cut: &mut CutClip) -> bool {
        for _ in self.shot {
            match self.follower.next() {
                Ok(true) => {}
                Ok(false) => return false,
                Err(error) => {
                    cut.break_off(self.clip, &error);
                    return false;
                }
            }
        }
        true
    }

    fn write_frames(
        self,
        shard: &mut ShardWriter,
        window: &CropWindow,
        video_name: &str,
    ) -> Result<WrittenFrames, Error> {
        let mut written = WrittenFrames::default();
        let mut kept: Option<(FrameDescriptor, Thumbnail)> = None;
        for face in self.shot {
            let number = self.follower.read;
            match self.follower.next() {
                Ok(true) => {}
                Ok(false) => break,
                Err(error) => {
                    written.trouble = Some(error);
                    break;
                }
            }
            let Some((landmarks, presence)) = face.as_ref().filter(|(_, presence)| *presence >= CONFIDENT)
            else {
                written.dropped.no_face += 1;
                continue;
            };
            let Some(crop) = window.cut(&self.follower.frame.image).filter(|_| window.shows(landmarks))
            else {
                written.dropped.outside += 1;
                continue;
            };
            let landmarks = window.landmarks(landmarks, self.size);
            let descriptor = FrameDescriptor::new(&landmarks, self.size, number as u32, *presence);
            let thumbnail = Thumbnail::of(&crop);
            let repeats = kept.as_ref().is_some_and(|(last, picture)| {
                last.distance(&descriptor) < DUPLICATE_DISTANCE
                    && picture.difference(&thumbnail) < DUPLICATE_DIFFERENCE
            });
            if repeats {
                written.dropped.duplicates += 1;
                continue;
            }
            let crop = gioconda_media::resize(&crop, self.size, self.size);
            let key = format!("{}/{video_name}/{number:06}", self.clip.person);
            let place = shard.append(&key, &crop, &landmarks)?;
            kept = Some((descriptor.clone(), thumbnail));
            written.frames.push((descriptor, place));
        }
        Ok(written)
    }
}

#[derive(Default)]
struct WrittenFrames {
    frames: Vec<(FrameDescriptor, Place)>,
    dropped: Dropped,
    /// Why reading stopped before the shot's end.
    trouble: Option<gioconda_media::Error>,
}

impl CutClip {
    /// Notes why the `count` frames from `first` on were left out.
    fn reject(&mut self, first: usize, count: usize, reason: &str) {
        let last = first + count - 1;
        self.rejected.push(if count == 1 {
            format!("frame {first}: {reason}")
        } else {
            format!("frames {first} to {last}: {reason}")
        });
    }
}

impl Follower {
    fn next(&mut self) -> Result<bool, gioconda_media::Error> {
        let more = self.reader.read(&mut self.frame)?;
        self.read += usize::from(more);
        Ok(more)
    }
}

impl CropWindow {
    /// What is seen through the window; `None` for a frame smaller than the clip says it is.
    fn cut(&self, frame: &RgbImage) -> Option<RgbImage> {
        let fits = self.left + self.side <= frame.width() && self.top + self.side <= frame.height();
        fits.then(|| crop_imm(frame, self.left, self.top, self.side, self.side).to_image())
    }
}
