//! Placeholders for the neural renderer in builds without the feature `network`: uninhabited types, so that callers need
//! no `cfg`.

use std::convert::Infallible;
use std::path::Path;

use gioconda_face::Landmarks;
use image::RgbImage;

use crate::Error;
use crate::render::canvas::Canvas;
use crate::render::reference::Reference;
use crate::render::renderer::Painter;
use crate::render::tuning::Tuning;

/// A generator that paints one person: none here.
#[derive(Clone, Debug)]
pub struct PersonalNetwork {
    /// Whether it was tuned.
    pub tuning: Tuning,
    never: Infallible,
}

/// Trained weights of the `portrait` preset: none here.
#[derive(Debug)]
pub struct PortraitWeights {
    never: Infallible,
}

impl PortraitWeights {
    /// Refuses to read a weight file.
    ///
    /// # Errors
    /// [`Error::WithoutNetworks`], always.
    pub fn open(_: &Path) -> Result<Self, Error> {
        Err(Error::WithoutNetworks)
    }

    /// Refuses to read a weight file, or what would be inside the program.
    ///
    /// # Errors
    /// [`Error::WithoutNetworks`], always.
    pub fn open_or_built_in(_: Option<&Path>) -> Result<Self, Error> {
        Err(Error::WithoutNetworks)
    }

    /// The network of the person in `photos`.
    pub fn feed_forward(&self, _: &[Reference]) -> PersonalNetwork {
        match self.never {}
    }
}

impl PersonalNetwork {
    /// Never called: there is no network.
    pub(crate) fn never(&self) -> ! {
        match self.never {}
    }

    /// Never called: there is no network.
    pub(crate) fn session(&self) -> Session {
        self.never()
    }
}

/// A person's generator, ready to run: none here.
pub(crate) struct Session {
    never: Infallible,
}

/// Paints with mesh and network: none here.
pub(crate) struct NeuralRenderer {
    never: Infallible,
}

impl NeuralRenderer {
    /// Never called: there is no network.
    pub(crate) fn new(_: &Canvas, network: &Session) -> Self {
        match network.never {}
    }
}

impl Painter<Session> for NeuralRenderer {
    fn paint(&mut self, _: &mut Session, _: &Landmarks, _: &mut RgbImage) -> Result<(), Error> {
        match self.never {}
    }
}
