//! Files: recorded motions, avatars, and the motions that are compiled in.

pub(crate) mod avatar_file;
pub mod builtin_motions;
pub(crate) mod motion_file;
pub(crate) mod tensors;

use std::fs::File;
use std::io;
use std::path::Path;

use crate::Error;

/// Opens the file at `path`. Opening a pipe may wait for ever, and reading a device may never end: both are refused.
fn open_regular(path: &Path) -> Result<File, Error> {
    let failed = |source| Error::Read { path: path.to_owned(), source };
    if !std::fs::metadata(path).map_err(failed)?.is_file() {
        return Err(failed(io::Error::other("it is not a regular file")));
    }
    File::open(path).map_err(failed)
}

/// The bytes of the file at `path`; `None` where it has more than `most`.
fn read_within(path: &Path, most: u64) -> Result<Option<Vec<u8>>, Error> {
    let read = gioconda_media::read_at_most(open_regular(path)?, most);
    read.map_err(|source| Error::Read { path: path.to_owned(), source })
}
