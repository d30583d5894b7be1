//! Trained weights of the `portrait` preset, and one person's network made of them.

use std::path::Path;

use gioconda_warp::LANDMARK_PICTURE_VERSION;
use sha2::{Digest as _, Sha256};

use crate::network_input::{
    INPUT_CHANNELS, cropped, cropped_landmarks, landmark_planes, network_crop, planes,
};
use crate::shipped::SHIPPED;
#[cfg(feature = "portrait-network")]
use crate::shipped::{PORTRAIT_COMPOSITION, PORTRAIT_NETWORK};
use crate::{
    COMPOSITION_VERSION, EmbedderConfig, Error, GeneratorConfig, NetworkConfig, NetworksConfig, Output,
    PersonalNetwork, PreparedEmbedder, Preset, Reference, Result, Tuning, WeightFile, WeightHeader,
    WeightWriter, Weights, adaptive_values, files,
};

/// Trained weights of the `portrait` preset: what makes a [`PersonalNetwork`] of anyone's photos.
#[derive(Debug)]
pub struct PortraitWeights {
    file: WeightFile,
    embedder: Weights<EmbedderConfig>,
    generator: Weights<GeneratorConfig>,
}

impl PortraitWeights {
    /// Reads a weight file.
    ///
    /// # Errors
    /// When it is no weight file, or was made for another preset, another landmark picture, or for networks that the
    /// renderer cannot feed.
    pub fn open(path: &Path) -> Result<Self> {
        let bytes = files::read(path)?;
        let mut file = WeightFile::parse(path, &bytes)?;
        if file.lacks_composition() {
            match known_composition(&bytes) {
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
    pub fn open_or_built_in(path: Option<&Path>) -> Result<Self> {
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
        WeightFile::parse(path, PORTRAIT_NETWORK.bytes)
            .and_then(|file| Self::of(file.with_composition(PORTRAIT_COMPOSITION), path))
            .expect("the weights inside the program are checked by a test")
    }

    fn of(file: WeightFile, path: &Path) -> Result<Self> {
        let file = file.require(Preset::Portrait, LANDMARK_PICTURE_VERSION)?.require_composition()?;
        let config = &file.header().config;
        check_renderable(config).map_err(|what| Error::Unsuitable { path: path.to_owned(), what })?;
        let (embedder, generator) = (file.embedder()?, file.generator()?);
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
    pub fn for_inference(&self, others: &[Self], path: &Path) -> Result<Vec<u8>> {
        if others.iter().any(|other| other.header().config != self.header().config) {
            let what =
                "not written: the files are for networks of different sizes; their weights have no mean";
            return Err(Error::Unsuitable { path: path.to_owned(), what: what.to_owned() });
        }
        let (mut embedder, mut generator) = (self.embedder.clone(), self.generator.clone());
        for (earlier, other) in (1_u16..).zip(others) {
            let kept = f32::from(earlier) / f32::from(earlier + 1);
            embedder = embedder.blended(&other.embedder, kept);
            generator = generator.blended(&other.generator, kept);
        }
        // The oldest formula among them, or that one of them does not name it, is what holds for all.
        let formulas = others.iter().map(|other| other.header().composition);
        let composition = formulas.fold(self.header().composition, Ord::min);
        let writer =
            WeightWriter::new(WeightHeader { composition, ..self.header().clone() }).half_precision();
        let writer = writer.with(EmbedderConfig::NAME, embedder.parameters());
        writer.with(GeneratorConfig::NAME, generator.parameters()).to_bytes(path)
    }

    /// What the file says about itself.
    pub fn header(&self) -> &WeightHeader {
        self.file.header()
    }

    /// The file, for networks that learn.
    pub fn file(&self) -> &WeightFile {
        &self.file
    }

    /// G and P.
    pub fn generator(&self) -> &Weights<GeneratorConfig> {
        &self.generator
    }

    /// The instant network of the person in `photos`: ê is their mean embedding, ψ = P·ê.
    ///
    /// # Panics
    /// When there are no photos.
    pub fn feed_forward(&self, photos: &[Reference]) -> PersonalNetwork {
        assert!(!photos.is_empty(), "a person is known by a photo");
        let size = self.embedder.config().resolution;
        let mut embedder = PreparedEmbedder::new(&self.embedder);
        let mut embedding = vec![0.0; self.embedder.config().embedding()];
        for Reference { photo, landmarks } in photos {
            let crop = network_crop(landmarks, photo.dimensions());
            let frame = planes(&cropped(photo, &crop, size as u32));
            let landmarks = cropped_landmarks(landmarks, &crop, size as u32);
            let one = embedder.run(&frame, &landmark_planes(&landmarks, size as f32, size));
            embedding.iter_mut().zip(one).for_each(|(mean, value)| *mean += value / photos.len() as f32);
        }
        let psi = adaptive_values(&self.generator, &embedding);
        PersonalNetwork {
            header: self.header().clone(),
            generator: self.generator.clone(),
            embedding,
            psi,
            tuning: Tuning::FeedForward,
        }
    }
}

/// The composition formula that a weight file was trained with, where it is one of those that were shipped before files
/// named it.
fn known_composition(bytes: &[u8]) -> Option<u32> {
    let sum = Sha256::digest(bytes);
    let sum = sum.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"));
    SHIPPED.iter().find(|(shipped, _)| *shipped == sum).map(|(_, version)| *version)
}

/// Says that pictures may differ from what was measured; `advice` is what to do.
pub fn warn_of_unknown_composition(path: &Path, advice: &str) {
    tracing::warn!(
        "{}: does not say which composition formula its network was trained with, and is painted with formula \
         {COMPOSITION_VERSION}; {advice} if its colours look wrong",
        path.display()
    );
}

/// Refuses generators that the renderer's inputs do not fit, and sizes that no sane file has, before anything of such
/// a size is allocated.
pub fn check_renderable(config: &NetworksConfig) -> Result<(), String> {
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
