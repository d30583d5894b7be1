//! What can go wrong between a photo and its film.

/// Every failure of this crate; the message is one line, without flags of any program.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A photo, clip, motion or avatar cannot be used, or a frame cannot be made.
    #[error(transparent)]
    Avatar(#[from] gioconda_avatar::Error),
    /// The user's signing key cannot be read or made.
    #[error(transparent)]
    Key(gioconda_provenance::Error),
    /// What was made cannot be signed, or what it is made of cannot be read for its statement.
    #[error(transparent)]
    Provenance(#[from] gioconda_provenance::Error),
}

/// What a caller can do about an [`Error`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A file cannot be read, is damaged, or is of another kind: choose another.
    Input,
    /// No face, or several and none chosen: choose another picture, or the face.
    Face,
    /// Settings contradict each other, or need a feature, network or motion that is missing: change them.
    Settings,
    /// The output cannot be written or signed: choose another place, free some space, or use another key.
    Output,
    /// The caller's flag stopped the work; nothing was written.
    Cancelled,
    /// A bug in this program: please report it.
    Fault,
}

impl Error {
    /// What a caller can do about it.
    pub fn kind(&self) -> ErrorKind {
        use gioconda_avatar::Error as Avatar;
        use gioconda_media::Error as Media;
        match self {
            Self::Provenance(gioconda_provenance::Error::Read { .. }) => ErrorKind::Input,
            Self::Provenance(_) | Self::Key(_) => ErrorKind::Output,
            Self::Avatar(error) => match error {
                Avatar::FaceChoice { .. } | Avatar::NoFace { .. } => ErrorKind::Face,
                Avatar::NoNetwork
                | Avatar::NoMatte
                | Avatar::Model(gioconda_model::Error::NoPortraitNetwork)
                | Avatar::UnknownDrive { .. }
                | Avatar::StartsAfterEnd { .. }
                | Avatar::Media(Media::NoFrames { .. }) => ErrorKind::Settings,
                Avatar::Cancelled | Avatar::Media(Media::Stopped { .. }) => ErrorKind::Cancelled,
                Avatar::Stage { .. } | Avatar::Face(_) | Avatar::Media(Media::Internal { .. }) => {
                    ErrorKind::Fault
                }
                Avatar::Media(Media::Write { .. } | Media::Output { .. }) => ErrorKind::Output,
                _ => ErrorKind::Input,
            },
        }
    }
}
