//! What can be wrong with a key and its certificates.

use std::path::Path;

use crate::Error;

/// What is wrong with a pair, and what to do.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Fault {
    #[error("{0}")]
    Certificates(String),
    #[error("{0}")]
    Key(String),
    #[error("the key is not the certificate's; give the key that the certificate was issued for")]
    Mismatch,
}

impl Fault {
    /// As an error about the files that the pair came from.
    pub(crate) fn in_files(self, certificates: &Path, key: &Path) -> Error {
        let error = |path: &Path, what| Error::Credentials { path: path.to_owned(), what };
        match self {
            Self::Certificates(what) => error(certificates, what),
            Self::Key(what) => error(key, what),
            Self::Mismatch if certificates == key => error(key, "the key and the certificate in it do not belong together; remove the file to have new ones made".to_owned()),
            Self::Mismatch => error(key, format!("is not the key of the certificate in {}; give the key that the certificate was issued for", certificates.display())),
        }
    }
}
