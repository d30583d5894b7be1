//! Whose face it is: identity embeddings, compared by their cosine (CSIM).
//!
//! The network is `identity_512.onnx` (npm faceplugin-face-recognition-js, training data undeclared): never shipped, and
//! never a loss of ours, or it would flatter what was trained on it. Faces are aligned by five points to the template of
//! `ArcFace` (Deng et al. 2019), 112 x 112. Its input convention is not documented: RGB in -1..1 tells the people of the
//! validation clips apart as well as any (the test below prints what it tried).

use std::path::{Path, PathBuf};

use gioconda_face::topology::point;
use gioconda_face::{Border, Landmarks, bilinear};
use image::RgbImage;
use nalgebra::{Matrix2, Vector2};
use rten::{Model, ModelOptions, NodeId, ValueView};

use crate::{Error, Result};

/// File name in the folder of models.
pub(crate) const FILE: &str = "identity_512.onnx";

/// Side of the aligned face, pixels.
const SIDE: usize = 112;

/// Where `ArcFace` wants right eye, left eye, nose, right and left corner of the mouth (`insightface`, `face_align.py`).
const TEMPLATE: [[f32; 2]; 5] =
    [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]];

/// How colours become numbers: less the first, over the second.
#[derive(Clone, Copy, Debug)]
struct Convention {
    scale: (f32, f32),
    bgr: bool,
}

/// Largest network file that is read, bytes.
const LARGEST_FILE: u64 = 1 << 30;

/// What the network was found to want.
const CONVENTION: Convention = Convention { scale: (127.5, 127.5), bgr: false };

/// An identity network.
pub(crate) struct IdentityNetwork {
    model: Model,
    input: NodeId,
    output: NodeId,
    convention: Convention,
}

/// Which file of the folder of models it needs.
pub(crate) fn files(models: &Path) -> Vec<PathBuf> {
    vec![models.join(FILE)]
}

impl IdentityNetwork {
    pub(crate) fn load(models: &Path) -> Result<Self> {
        let path = models.join(FILE);
        let bytes = crate::files::read(&path, LARGEST_FILE, "use the file that docs/eval.md names")?;
        let failed = |reason: String| Error::Network { network: path.display().to_string(), reason };
        let model = ModelOptions::with_all_ops()
            .prepack_weights(true)
            .load(bytes)
            .map_err(|error| failed(error.to_string()))?;
        let network = Self::of(model, &failed)?;
        // A network that does not take faces, or gives no embedding, is refused here and not at the first clip.
        network.run(&vec![0.0; 3 * SIDE * SIDE])?;
        Ok(network)
    }

    fn of(model: Model, failed: &dyn Fn(String) -> Error) -> Result<Self> {
        let (&[input, ..], &[output, ..]) = (model.input_ids(), model.output_ids()) else {
            return Err(failed("it has no input or no output".to_owned()));
        };
        Ok(Self { model, input, output, convention: CONVENTION })
    }

    /// The embedding of a face, of length 1.
    pub(crate) fn embedding(&self, picture: &RgbImage, landmarks: &Landmarks) -> Result<Vec<f32>> {
        self.run(&aligned(picture, landmarks, self.convention))
    }

    /// The embedding of an aligned face, `[3, 112, 112]`.
    fn run(&self, face: &[f32]) -> Result<Vec<f32>> {
        let failed = |reason: String| Error::Network { network: FILE.to_owned(), reason };
        let input =
            ValueView::from_shape([1, 3, SIDE, SIDE], face).map_err(|error| failed(error.to_string()))?;
        let [output] = self
            .model
            .run_n(vec![(self.input, input.into())], [self.output], None)
            .map_err(|error| failed(error.to_string()))?;
        let output = output.into_tensor::<f32>().ok_or_else(|| failed("its output is not f32".to_owned()))?;
        let output = output.into_data();
        if output.is_empty() || !output.iter().all(|value| value.is_finite()) {
            return Err(failed("its output is empty, NaN or infinite".to_owned()));
        }
        let length = output.iter().map(|value| value * value).sum::<f32>().sqrt().max(f32::MIN_POSITIVE);
        Ok(output.into_iter().map(|value| value / length).collect())
    }
}

/// Cosine of two embeddings, -1..1.
pub(crate) fn cosine(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(a, b)| f64::from(a * b)).sum()
}

/// `[3, 112, 112]` the face at the template's place, bilinear; black beyond the picture, as in `ArcFace`'s.
fn aligned(picture: &RgbImage, landmarks: &Landmarks, convention: Convention) -> Vec<f32> {
    let middle = |a: usize, b: usize| (landmarks.xy(a) + landmarks.xy(b)) / 2.0;
    let found = [
        middle(point::RIGHT_EYE_OUTER, point::RIGHT_EYE_INNER),
        middle(point::LEFT_EYE_OUTER, point::LEFT_EYE_INNER),
        landmarks.xy(point::NOSE_TIP),
        landmarks.xy(point::MOUTH_RIGHT),
        landmarks.xy(point::MOUTH_LEFT),
    ];
    let (turn, shift) = similarity(&TEMPLATE.map(Vector2::from), &found);
    let mut face = vec![0.0; 3 * SIDE * SIDE];
    for (index, position) in (0..SIDE * SIDE).map(|i| (i, Vector2::new((i % SIDE) as f32, (i / SIDE) as f32)))
    {
        let colour = bilinear(picture, turn * position + shift, Border::Black);
        for (channel, value) in colour.into_iter().enumerate() {
            let plane = if convention.bgr { 2 - channel } else { channel };
            face[plane * SIDE * SIDE + index] = (value - convention.scale.0) / convention.scale.1;
        }
    }
    face
}

/// The least-squares similarity that brings `from` to `to`: a scaled rotation, then a shift (Umeyama 1991, in the plane).
fn similarity(from: &[Vector2<f32>; 5], to: &[Vector2<f32>; 5]) -> (Matrix2<f32>, Vector2<f32>) {
    let mean = |points: &[Vector2<f32>; 5]| points.iter().sum::<Vector2<f32>>() / 5.0;
    let (from_mean, to_mean) = (mean(from), mean(to));
    let (mut along, mut across, mut spread) = (0.0, 0.0, 0.0);
    for (from, to) in from.iter().zip(to) {
        let (from, to) = (from - from_mean, to - to_mean);
        along += from.dot(&to);
        across += from.perp(&to);
        spread += from.norm_squared();
    }
    let turn = Matrix2::new(along, -across, across, along) / spread;
    (turn, to_mean - turn * from_mean)
}

#[cfg(test)]
mod tests {
    use gioconda_face::{FaceFinder, Threads};
    use gioconda_media::{ClipReader, Frame, ReadOptions};

    use super::*;

    #[test]
    fn a_similarity_is_found_again() {
        let from = TEMPLATE.map(Vector2::from);
        let turn = Matrix2::new(1.5, -0.7, 0.7, 1.5);
        let shift = Vector2::new(20.0, -3.0);
        let (found_turn, found_shift) = similarity(&from, &from.map(|point| turn * point + shift));
        assert!((found_turn - turn).norm() < 1e-4 && (found_shift - shift).norm() < 1e-2);
    }

    /// First and last faces of validation clips.
    fn faces() -> Vec<[(RgbImage, Landmarks); 2]> {
        let folder = gioconda_testkit::repository("../shared/data/val");
        let Ok(gioconda_dataset::Found { clips, .. }) = gioconda_dataset::find(&folder) else {
            return Vec::new();
        };
        let mut finder = FaceFinder::new(Threads::Count(1)).expect("the models are compiled in");
        let mut faces = Vec::new();
        for clip in clips.iter().step_by(3) {
            let mut reader = ClipReader::open(&clip.path, &ReadOptions::default()).expect("a clip");
            let (mut frame, mut pictures) = (Frame::default(), Vec::new());
            while pictures.len() < 60 && reader.read(&mut frame).expect("a frame") {
                pictures.push(frame.image.clone());
            }
            let mut face = |picture: &RgbImage| {
                let found = finder.find_faces(picture).expect("the detector runs");
                found.first().map(|face| (picture.clone(), face.landmarks.clone()))
            };
            if let (Some(first), Some(last)) = (face(&pictures[0]), face(&pictures[pictures.len() - 1])) {
                faces.push([first, last]);
            }
        }
        faces
    }

    #[test]
    fn people_are_told_apart() {
        let models = gioconda_testkit::repository("../shared/models");
        let faces = if models.join(FILE).is_file() { faces() } else { Vec::new() };
        if faces.is_empty() {
            println!("skipped: no {FILE} or no clips in ../shared");
            return;
        }
        let mut network = IdentityNetwork::load(&models).unwrap();
        let mut gap = |convention: Convention| {
            network.convention = convention;
            let embeddings: Vec<[Vec<f32>; 2]> = faces
                .iter()
                .map(|pair| pair.each_ref().map(|(picture, face)| network.embedding(picture, face).unwrap()))
                .collect();
            let same = embeddings.iter().map(|[a, b]| cosine(a, b)).fold(1.0, f64::min);
            let pairs =
                embeddings.iter().enumerate().flat_map(|(i, a)| embeddings[..i].iter().map(move |b| (a, b)));
            let others = pairs.map(|(a, b)| cosine(&a[0], &b[1])).fold(-1.0, f64::max);
            println!("{convention:?}: the same person at least {same:.3}, others at most {others:.3}");
            same - others
        };
        let chosen = gap(CONVENTION);
        for bgr in [false, true] {
            for scale in [(127.5, 127.5), (127.5, 128.0), (0.0, 255.0), (0.0, 1.0)] {
                let other = gap(Convention { scale, bgr });
                assert!(
                    other <= chosen + 0.02,
                    "{bgr} {scale:?} tells people apart better: {other} {chosen}"
                );
            }
        }
        assert!(chosen > 0.1, "{chosen}");
    }
}
