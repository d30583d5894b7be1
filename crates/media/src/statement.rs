//! The signed statement of a film that cannot carry one: a file beside it.

use crate::{Error, OutputFormat};
use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};

/// Where the statement of a file stands that cannot carry one: `NAME.EXT.c2pa`, where C2PA looks for it.
pub fn statement_beside(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".c2pa");
    name.into()
}

/// Type of the box that begins every C2PA manifest store (C2PA specification 2.2, section 11.1.4.2; ISO 19566-5).
const TYPE: [u8; 16] = *b"c2pa\x00\x11\x00\x10\x80\x00\x00\xaa\x00\x38\x9b\x71";
/// The type is among these first bytes.
const BEGINNING: u64 = 64;

/// Whether the file at `path` is a statement, and no link to one.
fn is_statement(path: &Path) -> bool {
    if !fs::symlink_metadata(path).is_ok_and(|found| found.is_file()) {
        return false;
    }
    let mut beginning = Vec::new();
    let read = File::open(path).and_then(|file| file.take(BEGINNING).read_to_end(&mut beginning));
    read.is_ok() && beginning.windows(TYPE.len()).any(|window| window == TYPE)
}

/// A statement that was put beside a film's place before the film is there. Dropped before [`Placed::keep`], it is gone
/// again, and an older one back.
pub(crate) struct Placed {
    path: PathBuf,
    older: Option<Vec<u8>>,
    kept: bool,
}

impl Placed {
    /// Renames the statement at `from` to where the statement of `target` stands. An older statement is replaced; what
    /// else has that name is not.
    pub(crate) fn new(from: &Path, target: &Path) -> Result<Self, Error> {
        let path = statement_beside(target);
        let older = if is_statement(&path) {
            Some(fs::read(&path).map_err(Error::read(&path))?)
        } else if fs::symlink_metadata(&path).is_ok() {
            let what = "is where the film's signed statement belongs, and is none; move it away or choose another name";
            return Err(Error::output(&path, what));
        } else {
            None
        };
        fs::rename(from, &path).map_err(Error::write(&path))?;
        Ok(Self { path, older, kept: false })
    }

    /// The film is in its place.
    pub(crate) fn keep(mut self) {
        self.kept = true;
    }
}

impl Drop for Placed {
    fn drop(&mut self) {
        if !self.kept {
            // The film's error is what the user is told.
            let _ = match &self.older {
                Some(older) => fs::write(&self.path, older),
                None => fs::remove_file(&self.path),
            };
        }
    }
}

/// Removes the statement of the film that was at `target` before, where a film without statement took its place; it would
/// make that one look tampered with. Of formats alone whose statements this program puts beside them.
pub(crate) fn remove_stale(target: &Path) -> Result<(), Error> {
    let path = statement_beside(target);
    if OutputFormat::of(target) == Some(OutputFormat::WebM) && is_statement(&path) {
        fs::remove_file(&path).map_err(Error::write(&path))?;
    }
    Ok(())
}
