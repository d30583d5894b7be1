//! Frozen networks that judge G's frames beside D: perceptual ones, a landmark model and an identity network. They are
//! constants; gradients go through them to the frames.

use std::path::Path;

use burn::tensor::{Device, Int, Tensor};

use crate::composition::resized;
use crate::onnx::FrozenNetwork;
use crate::{PerceptualNetwork, Result};

/// The frozen networks of one device.
#[derive(Clone, Debug, Default)]
pub struct Critics {
    /// The content loss's networks.
    pub perceptual: Vec<PerceptualNetwork>,
    /// Says where lips and lids are.
    pub landmarks: Option<LandmarkCritic>,
    /// Says whose face it is.
    pub identity: Option<IdentityCritic>,
}

/// A square of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Square {
    /// First column and first row, pixels.
    pub corner: [usize; 2],
    /// Pixels.
    pub side: usize,
}

/// Where an episode's critics look. All squares lie within their pictures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FaceSquares {
    /// The driving frame's face as the landmark model wants it.
    pub landmarks: Square,
    /// The driving frame's face as the identity network wants it.
    pub identity: Square,
    /// The photo's face as the identity network wants it; in [`Warp::photo`](crate::Warp::photo).
    pub photo_identity: Square,
}

/// The landmarks that [`LandmarkCritic`] compares.
#[derive(Clone, Debug)]
pub struct JudgedLandmarks {
    /// Those whose places count.
    pub points: Vec<usize>,
    /// Openings of the face whose height over their width counts, at least one.
    pub openings: Vec<JudgedOpening>,
}

/// An opening of the face, by landmarks.
#[derive(Clone, Debug)]
pub struct JudgedOpening {
    /// Pairs (upper, lower) whose mean distance is the height.
    pub across: Vec<(usize, usize)>,
    /// The pair whose distance is the width.
    pub corners: (usize, usize),
}

/// `MediaPipe`'s landmark model as a loss: lips and lids of a made frame are where those of the real one are, and as open.
#[derive(Clone, Debug)]
pub struct LandmarkCritic {
    network: FrozenNetwork,
    /// Which landmarks count.
    points: Tensor<1, Int>,
    openings: Vec<OpeningEnds>,
}

/// [`JudgedOpening`] by the ends of its distances.
#[derive(Clone, Debug)]
struct OpeningEnds {
    across: [Tensor<1, Int>; 2],
    corners: [Tensor<1, Int>; 2],
}

/// Side of the landmark model's pictures.
const LANDMARK_SIDE: usize = 256;
/// What the graph calls its landmarks, 478 x (x, y, z) in pixels of its picture.
const LANDMARK_OUTPUT: &str = "Identity";

impl LandmarkCritic {
    /// From the file `face_landmarks_478.onnx`, whose content is `bytes`.
    pub fn read(bytes: &[u8], path: &Path, judged: JudgedLandmarks, device: &Device) -> Result<Self> {
        let network = FrozenNetwork::read(bytes, path, LANDMARK_OUTPUT, device)?;
        let ends = |pairs: &[(usize, usize)]| {
            let (from, to): (Vec<usize>, Vec<usize>) = pairs.iter().copied().unzip();
            [indices(from, device), indices(to, device)]
        };
        let openings = judged.openings.iter();
        let openings = openings
            .map(|opening| OpeningEnds { across: ends(&opening.across), corners: ends(&[opening.corners]) });
        Ok(Self { network, points: indices(judged.points, device), openings: openings.collect() })
    }

    /// What it finds in a square of each frame, `[B, 478, 3]`, pixels of its picture. Frames: `[B, 3, H, W]`, RGB in -1..1.
    pub fn landmarks(&self, frames: &Tensor<4>, squares: &[Square]) -> Tensor<3> {
        let faces = cut(frames, squares, LANDMARK_SIDE);
        let found = self.network.forward((faces + 1.0) * 0.5); // [B, 478 · 3]
        let [batch, numbers] = found.dims();
        found.reshape([batch, numbers / 3, 3])
    }

    /// How far landmarks are apart, `[1]`: the mean absolute difference over those that count and both axes, percent of the
    /// square's side.
    pub fn apart(&self, fake: &Tensor<3>, real: &Tensor<3>) -> Tensor<1> {
        let places = |landmarks: &Tensor<3>| landmarks.clone().select(1, self.points.clone()).narrow(2, 0, 2);
        (places(fake) - places(real)).abs().mean() * (100.0 / LANDMARK_SIDE as f64)
    }

    /// How differently open mouth and eyes are, `[1]`: the mean absolute difference of height over width, percent.
    pub fn unequally_open(&self, fake: &Tensor<3>, real: &Tensor<3>) -> Tensor<1> {
        (self.opened(fake) - self.opened(real)).abs().mean() * 100.0
    }

    /// The openings of landmarks `[B, 478, 3]`, heights over widths, `[B, openings]`.
    fn opened(&self, landmarks: &Tensor<3>) -> Tensor<2> {
        let distances = |[from, to]: &[Tensor<1, Int>; 2]| -> Tensor<2> {
            let at = |points: &Tensor<1, Int>| landmarks.clone().select(1, points.clone());
            let squared: Tensor<2> = (at(from) - at(to)).square().sum_dim(2).squeeze_dim(2);
            // Below the root, where 0 has a finite slope: a hundredth of a pixel.
            (squared + 1e-4).sqrt()
        };
        let openings = self.openings.iter();
        let ratios =
            openings.map(|opening| distances(&opening.across).mean_dim(1) / distances(&opening.corners));
        Tensor::cat(ratios.collect(), 1)
    }
}

fn indices(landmarks: Vec<usize>, device: &Device) -> Tensor<1, Int> {
    let landmarks: Vec<i32> = landmarks.into_iter().map(|landmark| landmark as i32).collect();
    Tensor::from_ints(&landmarks[..], device)
}

/// An identity network as a loss. It is none of those that `gioconda eval` measures CSIM with, or CSIM would flatter what was
/// trained.
#[derive(Clone, Debug)]
pub struct IdentityCritic {
    network: FrozenNetwork,
}

/// The identity network's file in the folder of models: `MobileFaceNet`, 112 pixels, faces where `ArcFace`'s template has them.
/// Its input convention is not documented; RGB in -1..1 tells the people of the training clips apart best (80.0 % of pairs of
/// one person above all of two, BGR 76.9 %, RGB in 0..1 75.4 %: `crates/train/examples/identity_convention.rs`).
pub const IDENTITY_FILE: &str = "identity_192_mobilefacenet.onnx";
/// SHA-256 of that file, lower-case hexadecimal: the one that is known to be readable.
pub const IDENTITY_SHA256: &str = "c19322e73d2a28bb55ef12a5054762fb1cac7b7dda04c7390de5be74cc5c9488";
/// Side of its pictures.
const IDENTITY_SIDE: usize = 112;
/// What the graph calls its embeddings.
const IDENTITY_OUTPUT: &str = "embeddings";

impl IdentityCritic {
    /// From the content of [`IDENTITY_FILE`]; that it is that file is for the caller to check, by [`IDENTITY_SHA256`].
    pub fn read(bytes: &[u8], path: &Path, device: &Device) -> Result<Self> {
        Ok(Self { network: FrozenNetwork::read(bytes, path, IDENTITY_OUTPUT, device)? })
    }

    /// The embeddings of faces, `[B, 192]`, each of length 1. Frames: `[B, 3, H, W]`, RGB in -1..1.
    pub fn embeddings(&self, frames: &Tensor<4>, squares: &[Square]) -> Tensor<2> {
        let found = self.network.forward(cut(frames, squares, IDENTITY_SIDE));
        // Below the root, where 0 has a finite slope.
        let length = (found.clone().square().sum_dim(1) + f32::EPSILON).sqrt();
        found / length
    }

    /// How unlike the persons of `fake` and of `photos` are, `[1]`: 1 less the mean cosine of their embeddings, 0..2. Frames:
    /// `[B, 3, H, W]`, RGB in -1..1; `photos` are constants.
    pub fn loss(&self, fake: &Tensor<4>, squares: &[FaceSquares], photos: &Tensor<4>) -> Tensor<1> {
        let embeddings = |frames: &Tensor<4>, square: fn(&FaceSquares) -> Square| {
            self.embeddings(frames, &squares.iter().map(square).collect::<Vec<_>>())
        };
        let photos = embeddings(&photos.clone().detach(), |face| face.photo_identity).detach();
        let cosines = (embeddings(fake, |face| face.identity) * photos).sum_dim(1);
        cosines.mean().neg() + 1.0
    }
}

/// A square of each frame, `[B, 3, H, W] -> [B, 3, side, side]`, bilinear.
fn cut(frames: &Tensor<4>, squares: &[Square], side: usize) -> Tensor<4> {
    let cut = |(index, square): (usize, &Square)| {
        let [left, top] = square.corner;
        let frame = frames.clone().narrow(0, index, 1);
        resized(frame.narrow(2, top, square.side).narrow(3, left, square.side), [side, side])
    };
    Tensor::cat(squares.iter().enumerate().map(cut).collect(), 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::{Distribution, TensorData};

    fn critic(device: &Device) -> LandmarkCritic {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models/face_landmarks_478.onnx");
        let mouth = JudgedOpening { across: vec![(82, 87), (13, 14)], corners: (61, 291) };
        let judged = JudgedLandmarks { points: vec![13, 14, 468], openings: vec![mouth] };
        LandmarkCritic::read(&std::fs::read(&path).unwrap(), &path, judged, device).unwrap()
    }

    #[test]
    fn a_frame_has_its_landmarks_where_it_has_them() {
        let device = Device::flex();
        let critic = critic(&device);
        let square = |left| Square { corner: [left, 20], side: 128 };
        let frame = Tensor::<4>::random([1, 3, 192, 192], Distribution::Uniform(-1.0, 1.0), &device);
        let losses = |other: &Tensor<4>| {
            let (fake, real) =
                (critic.landmarks(other, &[square(20)]), critic.landmarks(&frame, &[square(20)]));
            [critic.apart(&fake, &real), critic.unequally_open(&fake, &real)]
                .map(|loss| loss.into_scalar::<f32>())
        };
        let same = losses(&frame);
        assert!(same.iter().all(|loss| *loss < 1e-6), "{same:?}");
        let other = losses(&(frame.clone() * 0.3));
        assert!(other.iter().all(|loss| *loss > 0.1), "{other:?}");
    }

    #[test]
    fn an_opening_is_its_height_over_its_width() {
        let device = Device::flex();
        let mut places = vec![[0.0_f32; 3]; 478];
        // Two pairs, 3 and 5 pixels apart in space, and corners 8 apart.
        (places[87], places[13], places[14]) = ([0.0, 3.0, 0.0], [9.0, 0.0, 0.0], [9.0, 3.0, 4.0]);
        places[291] = [8.0, 0.0, 0.0];
        let landmarks = Tensor::<3>::from_data(TensorData::new(places.concat(), [1, 478, 3]), &device);
        let opened = critic(&device).opened(&landmarks).into_scalar::<f32>();
        assert!((opened - 0.5).abs() < 1e-4, "{opened}");
    }

    #[test]
    fn made_frames_get_a_gradient_and_photos_none() {
        let device = Device::flex().autodiff();
        let frame = || {
            let random = Tensor::<4>::random([1, 3, 160, 160], Distribution::Uniform(-1.0, 1.0), &device);
            random.require_grad()
        };
        let square = Square { corner: [10, 12], side: 140 };
        let critic = critic(&device);
        for loss in [LandmarkCritic::apart, LandmarkCritic::unequally_open] {
            let (fake, real) = (frame(), frame());
            let wanted = critic.landmarks(&real, &[square]).detach();
            let gradients = loss(&critic, &critic.landmarks(&fake, &[square]), &wanted).backward();
            assert!(fake.grad(&gradients).unwrap().abs().mean().into_scalar::<f32>() > 0.0);
            assert!(real.grad(&gradients).is_none());
        }

        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/models").join(IDENTITY_FILE);
        let Ok(bytes) = std::fs::read(&path) else {
            println!("skipped: {IDENTITY_FILE} is not here");
            return;
        };
        let (fake, real) = (frame(), frame());
        let critic = IdentityCritic::read(&bytes, &path, &device).unwrap();
        let face = FaceSquares { landmarks: square, identity: square, photo_identity: square };
        let unlike = critic.loss(&fake, &[face], &real);
        let gradients = unlike.clone().backward();
        assert!(fake.grad(&gradients).unwrap().abs().mean().into_scalar::<f32>() > 0.0);
        assert!(real.grad(&gradients).is_none());
        assert!(unlike.into_scalar::<f32>() > 1e-3);
        assert!(critic.loss(&fake, &[face], &fake).into_scalar::<f32>().abs() < 1e-5);
    }

    #[test]
    fn squares_are_cut_where_they_are() {
        let device = Device::flex();
        let frame = Tensor::<1, Int>::arange(0..64, &device).float().reshape([1, 1, 8, 8]);
        let frames = Tensor::cat(vec![frame.clone(), frame], 0);
        let squares = [Square { corner: [1, 2], side: 2 }, Square { corner: [4, 0], side: 4 }];
        let cut = cut(&frames, &squares, 2).try_into_vec_as::<f32>().unwrap();
        assert_eq!(cut[..4], [17.0, 18.0, 25.0, 26.0]);
        // Bilinear, halved: the means of two by two.
        assert_eq!(cut[4..], [8.5, 10.5, 24.5, 26.5]);
    }
}
