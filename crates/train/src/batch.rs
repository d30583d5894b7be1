//! A batch of episodes as plain numbers, ready to become tensors on any device.

use gioconda_networks::burn::tensor::{Int, Tensor, TensorData};
use gioconda_networks::{Device, Episode, Warp, Window};

/// B episodes of `size` x `size` pixels with K source frames each. Colours are -1..1, planes of rows from top to
/// bottom.
#[derive(Clone, Debug, PartialEq)]
pub struct Batch {
    /// K.
    pub shots: usize,
    /// Height and width of every plane.
    pub size: usize,
    /// `[B, K, 3, size, size]`; of a composing generator's episode the first one is the photo.
    pub source_frames: Vec<f32>,
    /// `[B, K, 3, size, size]` landmark pictures of the source frames.
    pub source_pictures: Vec<f32>,
    /// `[B, 3, size, size]` the driving frames, which the generator shall make.
    pub frames: Vec<f32>,
    /// `[B, 3, size, size]` their landmark pictures.
    pub pictures: Vec<f32>,
    /// `[B]` rows of W.
    pub videos: Vec<i32>,
    /// The mesh warp from photo to driving frame.
    pub warp: Option<WarpPlanes>,
    /// Where the perceptual networks look.
    pub window: Option<Window>,
    /// Frames that could not be read and were replaced by others, each with its reason.
    pub unreadable: Vec<String>,
}

/// The mesh warps of a batch.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct WarpPlanes {
    /// `[B, size, size, 2]`, see [`Warp::grid`].
    pub grids: Vec<f32>,
    /// `[B, 4, size, size]` face, validity, mouth and eye masks, 0..1.
    pub masks: Vec<f32>,
}

impl Batch {
    /// B.
    pub fn episodes(&self) -> usize {
        self.videos.len()
    }

    /// The batch as tensors on `device`.
    pub fn into_episode(self, device: &Device) -> Episode {
        let (batch, shots, size) = (self.episodes(), self.shots, self.size);
        let planes = |values, channels| {
            Tensor::<4>::from_data(TensorData::new(values, [batch, channels, size, size]), device)
        };
        let sources =
            |values| Tensor::<5>::from_data(TensorData::new(values, [batch, shots, 3, size, size]), device);
        let source_frames = sources(self.source_frames);
        let warp = self.warp.map(|warp| Warp {
            photo: source_frames.clone().narrow(1, 0, 1).squeeze_dim(1), // [B, 3, size, size]
            grid: Tensor::from_data(TensorData::new(warp.grids, [batch, size, size, 2]), device),
            masks: planes(warp.masks, 4),
        });
        Episode {
            source_frames,
            source_pictures: sources(self.source_pictures),
            frame: planes(self.frames, 3),
            picture: planes(self.pictures, 3),
            video: Tensor::<1, Int>::from_data(TensorData::new(self.videos, [batch]), device),
            warp,
            window: self.window,
        }
    }
}
