//! Outputs that are whole or absent: everything is written to `.<name>.partial-<random>` beside the target and
//! renamed when it is finished. Dropping a partial output removes it, so an error or Ctrl-C leaves nothing behind.

use crate::{Error, Seal};
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::BufWriter;
use std::path::{Path, PathBuf};
use tempfile::{Builder, NamedTempFile, TempDir};

/// A file that appears under its name only when [`PartialFile::finish`] is called.
pub(crate) struct PartialFile {
    file: BufWriter<NamedTempFile>,
    target: PathBuf,
}

impl PartialFile {
    pub(crate) fn create(target: &Path) -> Result<Self, Error> {
        if fs::metadata(target).is_ok_and(|existing| !existing.is_file()) {
            return Err(Error::output(target, "exists and is not a regular file; choose another name"));
        }
        let mut builder = Builder::new();
        let prefix = partial_prefix(target)?;
        builder.prefix(&prefix);
        readable_by_umask(&mut builder, 0o666);
        let file = builder.tempfile_in(parent(target)).map_err(Error::write(target))?;
        Ok(Self { file: BufWriter::with_capacity(1 << 16, file), target: target.into() })
    }

    pub(crate) fn writer(&mut self) -> &mut BufWriter<NamedTempFile> {
        &mut self.file
    }

    /// Moves the file into place, replacing an older one, and returns its size in bytes.
    pub(crate) fn finish(self) -> Result<u64, Error> {
        self.finish_sealed(&mut |_| Ok(()))
    }

    /// As [`PartialFile::finish`], after the file was handed to `seal`.
    pub(crate) fn finish_sealed(self, seal: &mut Seal<'_>) -> Result<u64, Error> {
        let target = self.target;
        let file = self.file.into_inner().map_err(|e| Error::write(&target)(e.into_error()))?;
        seal(file.path()).map_err(|what| Error::output(&target, what))?;
        // By its name: sealing may have put another file in its place.
        let bytes = fs::metadata(file.path()).map_err(Error::write(&target))?.len();
        file.persist(&target).map_err(|e| Error::write(&target)(e.error))?;
        Ok(bytes)
    }
}

/// A folder that appears under its name only when [`PartialFolder::finish`] is called.
pub(crate) struct PartialFolder {
    folder: TempDir,
    target: PathBuf,
}

impl PartialFolder {
    /// Refuses a target that holds anything: a folder of the user is never replaced.
    pub(crate) fn create(target: &Path) -> Result<Self, Error> {
        if target.exists() && fs::read_dir(target).map_err(Error::write(target))?.next().is_some() {
            return Err(Error::output(target, "the folder exists and is not empty; choose another name"));
        }
        let mut builder = Builder::new();
        let prefix = partial_prefix(target)?;
        builder.prefix(&prefix);
        readable_by_umask(&mut builder, 0o777);
        let folder = builder.tempdir_in(parent(target)).map_err(Error::write(target))?;
        Ok(Self { folder, target: target.into() })
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn finish(self) -> Result<(), Error> {
        // Windows does not rename over an existing folder, even an empty one; removing fails when it is not empty.
        if self.target.exists() {
            fs::remove_dir(&self.target).map_err(Error::write(&self.target))?;
        }
        fs::rename(self.folder.path(), &self.target).map_err(Error::write(&self.target))?;
        // The folder lives on under its new name.
        let _moved_away = self.folder.keep();
        Ok(())
    }
}

/// An unnamed scratch file on the disk of `target`, gone when it is closed.
pub(crate) fn scratch_beside(target: &Path) -> Result<File, Error> {
    tempfile::tempfile_in(parent(target)).map_err(Error::write(target))
}

fn parent(target: &Path) -> &Path {
    match target.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

fn partial_prefix(target: &Path) -> Result<OsString, Error> {
    let name =
        target.file_name().ok_or_else(|| Error::output(target, "is not a file name; name the output"))?;
    let mut prefix = OsString::from(".");
    prefix.push(name);
    prefix.push(".partial-");
    Ok(prefix)
}

/// Temporary files are private by default; an output is shared as far as the user's umask allows.
#[cfg(unix)]
fn readable_by_umask(builder: &mut Builder<'_, '_>, mode: u32) {
    use std::os::unix::fs::PermissionsExt;
    builder.permissions(fs::Permissions::from_mode(mode));
}

#[cfg(not(unix))]
fn readable_by_umask(_builder: &mut Builder<'_, '_>, _mode: u32) {}
