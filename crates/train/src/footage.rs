//! What episodes are drawn from: videos of people, as square crops with landmarks.

use gioconda_dataset::{Dataset, FrameDescriptor};
use gioconda_face::{Landmarks, Region};
use gioconda_model::network_input::{cropped, cropped_landmarks};
use image::RgbImage;

use crate::{Error, Result};

/// One frame of a video: a square crop around the head.
#[derive(Clone, Debug)]
pub struct Shot {
    /// The crop.
    pub picture: RgbImage,
    /// The face in it, pixels of the crop.
    pub landmarks: Landmarks,
}

impl Shot {
    /// `crop` of a picture with a face at `landmarks`, `size` pixels wide. The crop lies inside.
    pub(crate) fn cut(picture: &RgbImage, landmarks: &Landmarks, crop: &Region, size: usize) -> Self {
        Self {
            picture: cropped(picture, crop, size as u32),
            landmarks: cropped_landmarks(landmarks, crop, size as u32),
        }
    }

    /// The same, `size` pixels wide.
    #[must_use]
    pub(crate) fn resized(&self, size: usize) -> Self {
        Self::cut(&self.picture, &self.landmarks, &Region::around(&self.picture), size)
    }
}

/// Videos that training reads frame by frame, from many threads.
pub trait Footage: Send + Sync {
    /// What errors call it.
    fn name(&self) -> String;

    /// How many videos there are. Their order is part of a run: each has its row in W.
    fn videos(&self) -> usize;

    /// What a video is called.
    fn video_name(&self, video: usize) -> String;

    /// How many frames a video has.
    fn frames(&self, video: usize) -> usize;

    /// Reads a frame.
    fn shot(&self, video: usize, frame: usize) -> Result<Shot>;

    /// How much frame `from` of a video differs in pose and expression from each of `others`, at least 0; without
    /// reading pictures. Only the proportions of the numbers matter.
    fn differences(&self, video: usize, from: usize, others: &[usize]) -> Result<Vec<f32>>;
}

/// Videos that `gioconda prepare` made ready.
impl Footage for Dataset {
    fn name(&self) -> String {
        "the prepared data".to_owned()
    }

    fn videos(&self) -> usize {
        Self::videos(self).len()
    }

    fn video_name(&self, video: usize) -> String {
        let video = &Self::videos(self)[video];
        format!("{}/{}", video.person, video.name)
    }

    fn frames(&self, video: usize) -> usize {
        Self::videos(self)[video].frames
    }

    fn shot(&self, video: usize, frame: usize) -> Result<Shot> {
        let sample = self.read(video, frame)?;
        Ok(Shot { picture: sample.frame, landmarks: sample.landmarks })
    }

    fn differences(&self, video: usize, from: usize, others: &[usize]) -> Result<Vec<f32>> {
        let frames = self.descriptors(video)?;
        Ok(others.iter().map(|&other| frames[from].distance(&frames[other])).collect())
    }
}

/// Videos that are in memory already: few-shot photos, and tests.
#[derive(Clone, Debug, Default)]
pub struct MemoryFootage {
    videos: Vec<Vec<Shot>>,
}

impl MemoryFootage {
    /// One list of frames per video.
    pub fn new(videos: Vec<Vec<Shot>>) -> Self {
        Self { videos }
    }
}

impl Footage for MemoryFootage {
    fn name(&self) -> String {
        "the photos in memory".to_owned()
    }

    fn videos(&self) -> usize {
        self.videos.len()
    }

    fn video_name(&self, video: usize) -> String {
        format!("video {video}")
    }

    fn frames(&self, video: usize) -> usize {
        self.videos[video].len()
    }

    fn shot(&self, video: usize, frame: usize) -> Result<Shot> {
        let missing = || Error::Data { data: self.name(), reason: format!("there is no frame {frame}") };
        self.videos[video].get(frame).cloned().ok_or_else(missing)
    }

    fn differences(&self, video: usize, from: usize, others: &[usize]) -> Result<Vec<f32>> {
        let described = |frame: usize| {
            let shot = &self.videos[video][frame];
            FrameDescriptor::new(&shot.landmarks, shot.picture.width(), frame as u32, 1.0)
        };
        let from = described(from);
        Ok(others.iter().map(|&other| from.distance(&described(other))).collect())
    }
}
