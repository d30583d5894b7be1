//! What finds faces and paints them.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use gioconda_avatar::{Avatar, AvatarFile, PortraitWeights};
use gioconda_face::{FaceFinder, Threads};
use gioconda_http::ApiError;
use gioconda_portrait::{NetworkSource, Portrait};
use gioconda_provenance::Input;

use crate::error::Error;

/// The face finder, and the network that paints photos.
pub(crate) struct Models {
    finder: Mutex<FaceFinder>,
    /// What paints photos, and what `learn` tunes.
    pub(crate) weights: PortraitWeights,
    source: NetworkSource,
}

impl Models {
    /// Loads the face models and the weights at `path`, or those inside the program.
    ///
    /// # Errors
    /// When they cannot be used.
    pub(crate) fn load(path: Option<&Path>) -> Result<Self, Error> {
        let source = match path {
            None => NetworkSource::BuiltIn,
            Some(path) => NetworkSource::WeightFile(Input::read("weights", path, None, false)?),
        };
        let weights = PortraitWeights::open_or_built_in(path)?;
        Ok(Self { finder: Mutex::new(FaceFinder::new(Threads::Shared)?), weights, source })
    }

    /// Lends the face finder: one photo is looked at at a time.
    pub(crate) fn with_finder<T>(&self, work: impl FnOnce(&mut FaceFinder) -> T) -> T {
        work(&mut self.finder.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Has the network paint a photo.
    pub(crate) fn with_network(&self, avatar: Avatar) -> Avatar {
        let network = self.weights.feed_forward(&avatar.photos());
        Avatar { network: Some(Arc::new(network)), ..avatar }
    }

    /// A portrait that the network paints.
    pub(crate) fn portrait_of(&self, path: &Path, file: AvatarFile) -> Result<Portrait, ApiError> {
        portrait(path, file, self.source.clone())
    }
}

/// What the file at `path` was opened as: a portrait that a network from `source` paints.
pub(crate) fn portrait(path: &Path, file: AvatarFile, source: NetworkSource) -> Result<Portrait, ApiError> {
    Portrait::of(path, file, source, false).map_err(|error| ApiError::failed(&error))
}
