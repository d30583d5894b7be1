//! Portraits, opened: an avatar with what is declared of it and the file it was made of.

use std::path::Path;
use std::sync::Arc;

use gioconda_avatar::{AVATAR_EXTENSION, Avatar, AvatarFile, Declaration, PortraitWeights, portrait_network};
use gioconda_face::{FaceChoice, FaceFinder, Threads};
use gioconda_provenance::watermark::{AvatarId, Payload};
use gioconda_provenance::{Input, Subject};

use crate::Error;
use crate::painter::NetworkSource;

/// Somebody's portrait, ready to be moved.
#[derive(Clone, Debug)]
pub struct Portrait {
    /// The photo and the face in it, with further photos and a network where there are.
    pub avatar: Avatar,
    /// Who is shown and who agreed, as far as its maker declared it.
    pub declaration: Declaration,
    /// The file it was made of, for its statement.
    pub input: Input,
    /// Where its network comes from, if it has one.
    pub network_source: NetworkSource,
}

impl Portrait {
    /// Opens a photo, or an avatar file, with the only or the clearly largest face in it. Photos are painted by the network
    /// inside the program where there is one. [`Opener`] has more choices, and opens several sooner.
    ///
    /// # Errors
    /// When the file is neither, or shows no face or several alike.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, Error> {
        Opener::new()?.open(path.as_ref(), FaceChoice::default())
    }

    /// A portrait of what the file at `path` holds or shows, whose network, if it has one, comes from `network_source`.
    /// `credit` keeps the file's name for its statement.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn of(
        path: &Path,
        file: AvatarFile,
        network_source: NetworkSource,
        credit: bool,
    ) -> Result<Self, Error> {
        let AvatarFile { avatar, declaration } = file;
        let input = Input::read("portrait", path, Some(&avatar.photo), credit)?;
        Ok(Self { avatar, declaration, input, network_source })
    }

    /// Who is shown, as far as its maker declared it.
    pub fn subject(&self) -> Option<Subject> {
        self.declaration.subject.as_deref().and_then(|subject| subject.parse().ok())
    }

    /// What the invisible mark says of pictures of this portrait that are made today.
    pub fn mark(&self) -> Payload {
        Payload::today(AvatarId::from_hash(self.input.sha256))
    }
}

/// Which portraits the opener's weights paint.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WeightsFor {
    /// Photos only. Avatar files keep the network they have, or none.
    #[default]
    Photos,
    /// Photos, and avatar files that have no network.
    WithoutNetwork,
    /// All.
    All,
}

/// Opens portraits; holds what takes a while to load.
pub struct Opener {
    finder: FaceFinder,
    weights: Option<(PortraitWeights, NetworkSource)>,
    weights_for: WeightsFor,
    credit: bool,
}

impl Opener {
    /// Loads the face models, and the network inside the program where there is one.
    ///
    /// # Errors
    /// When the face models cannot be run.
    pub fn new() -> Result<Self, Error> {
        let built_in = portrait_network().map(|_| PortraitWeights::open_or_built_in(None)).transpose();
        let built_in = built_in.map_err(gioconda_avatar::Error::from)?;
        Self::with(built_in.map(|weights| (weights, NetworkSource::BuiltIn)))
    }

    /// Loads the face models and the weight file at `path`.
    ///
    /// # Errors
    /// When the face models cannot be run, or the file cannot be used.
    pub fn with_weight_file(path: &Path) -> Result<Self, Error> {
        let weights = PortraitWeights::open(path).map_err(gioconda_avatar::Error::from)?;
        let file = Input::read("weights", path, None, false)?;
        Self::with(Some((weights, NetworkSource::WeightFile(file))))
    }

    /// Loads the face models; photos are rendered by `weights`, which come from the source named, or by the mesh alone.
    ///
    /// # Errors
    /// When the face models cannot be run.
    pub fn with(weights: Option<(PortraitWeights, NetworkSource)>) -> Result<Self, Error> {
        let finder = FaceFinder::new(Threads::Shared).map_err(gioconda_avatar::Error::from)?;
        Ok(Self { finder, weights, weights_for: WeightsFor::default(), credit: false })
    }

    /// Says which portraits the weights paint.
    #[must_use]
    pub fn weights_for(self, weights_for: WeightsFor) -> Self {
        Self { weights_for, ..self }
    }

    /// Keeps the names of files, so that statements give their makers credit.
    #[must_use]
    pub fn credit(self, credit: bool) -> Self {
        Self { credit, ..self }
    }

    /// Opens the photo or avatar file at `path`; `face` says which face of a photo.
    ///
    /// # Errors
    /// As [`Portrait::open`].
    pub fn open(&mut self, path: &Path, face: FaceChoice) -> Result<Portrait, Error> {
        let is_avatar = path.extension().is_some_and(|extension| extension == AVATAR_EXTENSION);
        let mut file = if is_avatar {
            AvatarFile::read(path)?
        } else {
            AvatarFile::new(Avatar::from_photo(path, face, &mut self.finder)?, Declaration::default())
        };
        let painted = match self.weights_for {
            WeightsFor::All => true,
            WeightsFor::WithoutNetwork => file.avatar.network.is_none(),
            WeightsFor::Photos => !is_avatar,
        };
        let source = match self.weights.as_ref().filter(|_| painted) {
            None => NetworkSource::AvatarFile,
            Some((weights, source)) => {
                file.avatar.network = Some(Arc::new(weights.feed_forward(&file.avatar.photos())));
                source.clone()
            }
        };
        Portrait::of(path, file, source, self.credit)
    }
}
