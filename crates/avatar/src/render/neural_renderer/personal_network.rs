//! Networks for one person: the shipped generator told whose face it paints, or one that was tuned to it.

use std::path::Path;

use gioconda_networks::burn::tensor::{Tensor, TensorData};
use gioconda_networks::{
    COMPOSITION_VERSION, Device, Discriminator, Embedder, Generator, NetworksConfig, Output, Preset,
    WeightFile, WeightHeader, WeightWriter, moving_average,
};

use gioconda_warp::LANDMARK_PICTURE_VERSION;
use sha2::{Digest as _, Sha256};

use super::Session;
use crate::Error;
use crate::models::SHIPPED;
#[cfg(feature = "portrait-network")]
use crate::models::{PORTRAIT_COMPOSITION, PORTRAIT_NETWORK};
use crate::render::network_input::{
    INPUT_CHANNELS, cropped, cropped_landmarks, landmark_planes, network_crop, planes,
};
use crate::render::reference::Reference;
use crate::render::tuning::Tuning;

/// Names of the networks in weight files.
const EMBEDDER: &str = "embedder";
const GENERATOR: &str = "generator";

/// A generator that paints one person.
#[derive(Clone, Debug)]
pub struct PersonalNetwork {
    /// Where the weights come from.
    pub header: WeightHeader,
    /// G, on the CPU and without gradients.
    pub generator: Generator,
    /// ê, the mean embedding of the photos.
    pub embedding: Vec<f32>,
    /// ψ' that drives the generator's adaptive layers.
    pub psi: Vec<f32>,
    /// Whether G and ψ' were tuned.
    pub tuning: Tuning,
}

impl PersonalNetwork {
    /// What paints this person.
    pub(crate) fn session(&self) -> Session {
        Session::new(&self.generator.clone().folded(), &self.psi)
    }
}

/// Trained weights of the `portrait` preset: what makes a [`PersonalNetwork`] of anyone's photos.
#[derive(Debug)]
pub struct PortraitWeights {
    file: WeightFile,
    embedder: Embedder,
    generator: Generator,
}

impl PortraitWeights {
    /// Reads a weight file.
    ///
    /// # Errors
    /// When it is no weight file, or was made for another preset, another landmark picture, or for networks that the
    /// renderer cannot feed.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let mut file = WeightFile::open(path)?;
        if file.lacks_composition() {
            match known_composition(path)? {
                Some(version) => file = file.with_composition(version),
                None => warn_of_unknown_composition(path, "train or export it again"),
            }
        }
        Self::of(file, path)
    }

    /// The weights of a file, or those inside the program.
    ///
    /// # Errors
    /// As [`open`](Self::open), and [`Error::NoPortraitNetwork`] where no file is named and none are inside the program.
    pub fn open_or_built_in(path: Option<&Path>) -> Result<Self, Error> {
        match path {
            Some(path) => Self::open(path),
            #[cfg(feature = "portrait-network")]
            None => Ok(Self::built_in()),
            #[cfg(not(feature = "portrait-network"))]
            None => Err(Error::NoPortraitNetwork),
        }
    }

    /// The weights inside the program, those of [`portrait_network`](crate::portrait_network).
    ///
    /// # Panics
    /// Never: a test reads them.
    #[cfg(feature = "portrait-network")]
    pub fn built_in() -> Self {
        let path = Path::new(PORTRAIT_NETWORK.file);
        let weights = WeightFile::parse(path, PORTRAIT_NETWORK.bytes).map_err(Error::from);
        weights
            .and_then(|file| Self::of(file.with_composition(PORTRAIT_COMPOSITION), path))
            .expect("the weights inside the program are checked by a test")
    }

    fn of(file: WeightFile, path: &Path) -> Result<Self, Error> {
        let file = file.require(Preset::Portrait, LANDMARK_PICTURE_VERSION)?.require_composition()?;
        let config = &file.header().config;
        check_sizes(config).map_err(|what| Error::Weights { path: path.to_owned(), what })?;
        let device = Device::flex();
        let (embedder, generator) = (file.embedder(&device)?, file.generator(&device)?);
        Ok(Self { file, embedder, generator })
    }

    /// A weight file's bytes with all that `feed_forward` and tuning need, E, G and P, as 16-bit floats: these, or their mean
    /// with `others`, made by runs that each began where another ended, whose mean is often better than each (model soups,
    /// Wortsman et al. 2022). Spectral norms' singular vectors are the last file's, for a mean of unit vectors is not one.
    ///
    /// `path` is the name errors call them by.
    ///
    /// # Errors
    /// When one of `others` is for networks of other sizes.
    pub fn for_inference(&self, others: &[Self], path: &Path) -> Result<Vec<u8>, Error> {
        if others.iter().any(|other| other.header().config != self.header().config) {
            let what =
                "not written: the files are for networks of different sizes; their weights have no mean";
            return Err(Error::Weights { path: path.to_owned(), what: what.to_owned() });
        }
        let (mut embedder, mut generator) = (self.embedder.clone(), self.generator.clone());
        for (earlier, other) in (1_u32..).zip(others) {
            let kept = f64::from(earlier) / f64::from(earlier + 1);
            embedder = moving_average(embedder, &other.embedder, kept);
            generator = moving_average(generator, &other.generator, kept);
        }
        // The oldest formula among them, or that one of them does not name it, is what holds for all.
        let formulas = others.iter().map(|other| other.header().composition);
        let composition = formulas.fold(self.header().composition, Ord::min);
        let writer =
            WeightWriter::new(WeightHeader { composition, ..self.header().clone() }).half_precision();
        Ok(writer.with(EMBEDDER, &embedder).with(GENERATOR, &generator).to_bytes(path)?)
    }

    /// What the file says about itself.
    pub fn header(&self) -> &WeightHeader {
        self.file.header()
    }

    /// G and P on `device`, to be trained where the device can.
    pub fn generator_on(&self, device: &Device) -> Result<Generator, Error> {
        Ok(self.file.generator(device)?)
    }

    /// D on `device`; `None` where the file, made for inference, leaves it out.
    pub fn discriminator_on(&self, device: &Device) -> Result<Option<Discriminator>, Error> {
        Ok(self.file.discriminator(device)?)
    }

    /// The instant network of the person in `photos`: ê is their mean embedding, ψ = P·ê.
    pub fn feed_forward(&self, photos: &[Reference]) -> PersonalNetwork {
        let size = self.header().config.embedder.resolution;
        let (mut frames, mut pictures) = (Vec::new(), Vec::new());
        for Reference { photo, landmarks } in photos {
            let crop = network_crop(landmarks, photo.dimensions());
            frames.extend(planes(&cropped(photo, &crop, size as u32)));
            let landmarks = cropped_landmarks(landmarks, &crop, size as u32);
            pictures.extend(landmark_planes(&landmarks, size as f32, size));
        }
        let tensor = |values| {
            let data = TensorData::new(values, [1, photos.len(), 3, size, size]);
            Tensor::<5>::from_data(data, &Device::flex())
        };
        let embedding = self.embedder.forward(tensor(frames), tensor(pictures));
        let psi = self.generator.project(embedding.clone());
        PersonalNetwork {
            header: self.header().clone(),
            generator: self.generator.clone(),
            embedding: numbers(embedding),
            psi: numbers(psi),
            tuning: Tuning::FeedForward,
        }
    }
}

/// The composition formula that the weight file at `path` was trained with, where it is one of those that were shipped
/// before files named it.
fn known_composition(path: &Path) -> Result<Option<u32>, Error> {
    let failed = |source| Error::Read { path: path.to_owned(), source };
    let sum = Sha256::digest(std::fs::read(path).map_err(failed)?);
    let sum = sum.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"));
    Ok(SHIPPED.iter().find(|(shipped, _)| *shipped == sum).map(|(_, version)| *version))
}

/// Says that pictures may differ from what was measured; `advice` is what to do.
pub(crate) fn warn_of_unknown_composition(path: &Path, advice: &str) {
    tracing::warn!(
        "{}: does not say which composition formula its network was trained with, and is painted with formula \
         {COMPOSITION_VERSION}; {advice} if its colours look wrong",
        path.display()
    );
}

/// Refuses generators that the renderer's inputs do not fit, and sizes that no sane file has, before anything of such
/// a size is allocated.
pub(crate) fn check_sizes(config: &NetworksConfig) -> Result<(), String> {
    let NetworksConfig { embedder, generator, discriminator } = config;
    if generator.output != Output::Composition || generator.input != INPUT_CHANNELS {
        return Err(
            "its generator does not correct a mesh warp; use weights of the portrait preset".to_owned()
        );
    }
    let levels = [&embedder.widths, &generator.widths, &discriminator.widths];
    let resolutions = [embedder.resolution, generator.resolution, discriminator.resolution];
    let sane = levels.iter().all(|widths| widths.len() <= 8 && widths.iter().all(|&width| width <= 1024))
        && resolutions.iter().all(|&resolution| resolution <= 1024)
        && generator.residual_blocks <= 64;
    if !sane {
        return Err("its networks are larger than any this program makes; use other weights".to_owned());
    }
    if [generator.embedding, discriminator.widths.last().copied().unwrap_or(0)] == [embedder.embedding(); 2] {
        Ok(())
    } else {
        Err("its networks disagree on the embedding's length; use other weights".to_owned())
    }
}

fn numbers(tensor: Tensor<2>) -> Vec<f32> {
    tensor.try_into_vec_as::<f32>().expect("networks are made of f32")
}
