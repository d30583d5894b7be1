//! A batch of episodes as plain numbers, ready to become tensors on any device.

use gioconda_face::Landmarks;
use gioconda_model::network_input::{NetworkInput, NetworkPhoto, network_input};
use gioconda_networks::burn::tensor::{Int, Tensor, TensorData};
use gioconda_networks::{Device, Episode, FaceSquares, Warp, Windows};

use crate::footage::Shot;
use crate::variation::Colours;

/// B episodes of `size` x `size` pixels with K source frames each. Colours are -1..1, planes of rows from top to
/// bottom. Frames that are composed may be larger: [`frame_size`](Self::frame_size).
#[derive(Clone, Debug, PartialEq)]
pub struct Batch {
    /// K.
    pub shots: usize,
    /// Height and width of the source frames, which the embedder sees.
    pub source_size: usize,
    /// Height and width of what the generator sees.
    pub size: usize,
    /// Height and width of the driving frames.
    pub frame_size: usize,
    /// `[B, K, 3, source_size, source_size]`; of a composing generator's episode the first one is the photo.
    pub source_frames: Vec<f32>,
    /// `[B, K, 3, source_size, source_size]` landmark pictures of the source frames.
    pub source_pictures: Vec<f32>,
    /// `[B, 3, frame_size, frame_size]` the driving frames, which the generator shall make.
    pub frames: Vec<f32>,
    /// `[B, 3, size, size]` their landmark pictures.
    pub pictures: Vec<f32>,
    /// `[B]` rows of W.
    pub videos: Vec<i32>,
    /// `[B, embedding]`, see [`Episode::embedding_scale`]; empty without.
    pub embedding_scales: Vec<f32>,
    /// The mesh warp from photo to driving frame, `size` pixels wide.
    pub warp: Option<WarpPlanes>,
    /// The same `frame_size` pixels wide, if that is not `size`.
    pub enlarged: Option<WarpPlanes>,
    /// Where the perceptual networks look, and D if it
    /// [judges windows](crate::config::DiscriminatorSchedule::windows).
    pub windows: Option<Windows>,
    /// `[B]` where faces are in driving frame and photo.
    pub faces: Vec<FaceSquares>,
    /// D looks there, too.
    pub judge_windows: bool,
    /// Frames that could not be read and were replaced by others, each with its reason.
    pub unreadable: Vec<String>,
}

/// The mesh warps of a batch.
#[derive(Clone, Debug, PartialEq)]
pub struct WarpPlanes {
    /// Height and width of every plane.
    pub size: usize,
    /// `[B, 3, size, size]` the photos that are warped.
    pub photos: Vec<f32>,
    /// `[B, size, size, 2]`, see [`Warp::grid`].
    pub grids: Vec<f32>,
    /// `[B, 4, size, size]` face, validity, mouth and eye masks, 0..1.
    pub masks: Vec<f32>,
    /// `[B, 3, size, size]`, see [`Warp::painted`]; empty without.
    pub painted: Vec<f32>,
}

impl WarpPlanes {
    /// No warps yet.
    pub fn new(size: usize) -> Self {
        Self { size, photos: Vec::new(), grids: Vec::new(), masks: Vec::new(), painted: Vec::new() }
    }

    /// Adds the warp of a photo to where the face is at `driving`, both `size` pixels wide; what was drawn for it, its
    /// colours not yet changed.
    pub(crate) fn push(
        &mut self,
        photo: &Shot,
        driving: &Landmarks,
        painted_mouth: bool,
        colours: &Colours,
    ) -> NetworkInput {
        let photo = NetworkPhoto::new(photo.picture.clone(), &photo.landmarks, painted_mouth);
        let input = network_input(&photo, driving, self.size);
        colours.append_picture(photo.picture(), &mut self.photos);
        self.grids.extend_from_slice(input.flow());
        self.masks.extend_from_slice(input.masks());
        if painted_mouth {
            colours.append_planes(input.warped(), &mut self.painted);
        }
        input
    }

    fn into_warp(self, device: &Device) -> Warp {
        let size = self.size;
        let batch = self.grids.len() / (2 * size * size);
        let tensor = |values, shape: [usize; 4]| Tensor::from_data(TensorData::new(values, shape), device);
        Warp {
            photo: tensor(self.photos, [batch, 3, size, size]),
            grid: tensor(self.grids, [batch, size, size, 2]),
            masks: tensor(self.masks, [batch, 4, size, size]),
            painted: (!self.painted.is_empty()).then(|| tensor(self.painted, [batch, 3, size, size])),
        }
    }
}

impl Batch {
    /// B.
    pub fn episodes(&self) -> usize {
        self.videos.len()
    }

    /// The batch as tensors on `device`.
    pub fn into_episode(self, device: &Device) -> Episode {
        let (batch, shots, source_size) = (self.episodes(), self.shots, self.source_size);
        let planes =
            |values, size| Tensor::<4>::from_data(TensorData::new(values, [batch, 3, size, size]), device);
        let scales = |values: Vec<f32>| {
            let length = values.len() / batch;
            Tensor::<2>::from_data(TensorData::new(values, [batch, length]), device)
        };
        let sources = |values| {
            let shape = [batch, shots, 3, source_size, source_size];
            Tensor::<5>::from_data(TensorData::new(values, shape), device)
        };
        Episode {
            source_frames: sources(self.source_frames),
            source_pictures: sources(self.source_pictures),
            frame: planes(self.frames, self.frame_size),
            picture: planes(self.pictures, self.size),
            video: Tensor::<1, Int>::from_data(TensorData::new(self.videos, [batch]), device),
            embedding_scale: (!self.embedding_scales.is_empty()).then(|| scales(self.embedding_scales)),
            warp: self.warp.map(|warp| warp.into_warp(device)),
            enlarged: self.enlarged.map(|warp| warp.into_warp(device)),
            windows: self.windows,
            faces: self.faces,
            judge_windows: self.judge_windows,
        }
    }
}
