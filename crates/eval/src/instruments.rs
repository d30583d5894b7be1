//! What measures with: the networks at hand, by file and checksum, and each worker's own face models.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use gioconda_avatar::{PortraitWeights, RendererKind, portrait_network};
use gioconda_face::{Blendshapes, FaceChoice, FaceFinder, Landmarks, Threads, Tracker};
use image::{GrayImage, RgbImage};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::face_measures::Face;
use crate::identity::{self, IdentityNetwork};
use crate::perceptual::{self, FrechetFeatures, PerceptualDistance};
use crate::settings::Settings;
use crate::{Error, Result};

/// A network that measures, or could.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Instrument {
    /// What it measures.
    pub measures: String,
    /// Its files.
    pub files: Vec<String>,
    /// Their SHA-256, hexadecimal; none where one is missing, and then nothing is measured with it.
    pub sha256: Option<Vec<String>>,
}

/// The networks that all workers share.
pub(crate) struct Networks {
    pub(crate) perceptual: Option<PerceptualDistance>,
    pub(crate) lpips: Option<PerceptualDistance>,
    pub(crate) identity: Option<IdentityNetwork>,
    pub(crate) frechet: Option<FrechetFeatures>,
    pub(crate) weights: Option<PortraitWeights>,
    /// All of them, for the report.
    pub(crate) used: Vec<Instrument>,
    /// The weight file's checksum.
    pub(crate) weights_sha256: Option<String>,
}

impl Networks {
    /// Loads what is there; what is missing is named in the report and not measured.
    pub(crate) fn load(settings: &Settings) -> Result<Self> {
        let mut used = Vec::new();
        let models = &settings.models;
        let lpips =
            load(&mut used, "LPIPS", &perceptual::lpips_files(models), || PerceptualDistance::lpips(models))?;
        let perceptual = load(&mut used, "perceptual distance", &perceptual::hed_files(models), || {
            PerceptualDistance::hed(models)
        })?;
        let identity = load(&mut used, "CSIM", &identity::files(models), || IdentityNetwork::load(models))?;
        let frechet =
            load(&mut used, "FID", &perceptual::frechet_files(models), || FrechetFeatures::load(models))?;
        let (weights, weights_sha256) = match settings.renderer {
            RendererKind::Mesh => (None, None),
            RendererKind::Neural => {
                let path = settings.weights.as_deref();
                let sha256 = match path {
                    Some(path) => Some(checksum(path)?),
                    None => portrait_network().map(|network| network.sha256.to_owned()),
                };
                (Some(PortraitWeights::open_or_built_in(path)?), sha256)
            }
        };
        Ok(Self { perceptual, lpips, identity, frechet, weights, used, weights_sha256 })
    }
}

fn load<T>(
    used: &mut Vec<Instrument>,
    measures: &str,
    files: &[PathBuf],
    load: impl FnOnce() -> Result<T>,
) -> Result<Option<T>> {
    let there = files.iter().all(|file| file.is_file());
    let sha256 =
        if there { Some(files.iter().map(|file| checksum(file)).collect::<Result<_>>()?) } else { None };
    let name = |file: &PathBuf| file.file_name().unwrap_or_default().to_string_lossy().into_owned();
    used.push(Instrument { measures: measures.to_owned(), files: files.iter().map(name).collect(), sha256 });
    if there { load().map(Some) } else { Ok(None) }
}

/// SHA-256 of a file, hexadecimal.
pub(crate) fn checksum(path: &Path) -> Result<String> {
    let mut file = std::fs::File::open(path).map_err(Error::read(path))?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        match std::io::Read::read(&mut file, &mut buffer).map_err(Error::read(path))? {
            0 => return Ok(hexadecimal(&hash.finalize())),
            count => hash.update(&buffer[..count]),
        }
    }
}

/// Bytes as hexadecimal digits.
pub(crate) fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// One worker's face models. The finder has no memory: a frame's landmarks do not depend on the frames before it.
pub(crate) struct FaceModels {
    pub(crate) finder: FaceFinder,
    pub(crate) tracker: Tracker,
    pub(crate) blendshapes: Blendshapes,
}

impl FaceModels {
    pub(crate) fn load() -> Result<Self> {
        let threads = Threads::Count(1);
        Ok(Self {
            finder: FaceFinder::new(threads)?,
            tracker: Tracker::new(FaceChoice::Largest, threads)?,
            blendshapes: Blendshapes::new(threads)?,
        })
    }

    /// The landmarks of the largest face.
    pub(crate) fn landmarks(&mut self, picture: &RgbImage) -> Result<Option<Landmarks>> {
        let faces = self.finder.find_faces(picture)?;
        Ok(FaceChoice::Largest.choose(&faces)?.map(|face| face.landmarks.clone()))
    }

    /// How much of each pixel is the person's whose landmarks these are, 0..=255; `None` where that cannot be relied on.
    pub(crate) fn matte(&mut self, picture: &RgbImage, landmarks: &Landmarks) -> Result<Option<GrayImage>> {
        let matte = self.finder.matte(picture, landmarks, &[])?;
        Ok(matte.is_usable().then_some(matte.alpha))
    }

    /// The largest face, measured.
    pub(crate) fn face(&mut self, picture: &RgbImage) -> Result<Option<Face>> {
        self.landmarks(picture)?.map(|landmarks| Face::of(landmarks, &self.blendshapes)).transpose()
    }
}
