//! Outputs that are whole or absent: everything is written to `.<name>.partial-<random>` beside the target, brought to
//! the disk (fsync) and renamed when it is finished. Dropping a partial output removes it, so an error or Ctrl-C leaves
//! nothing behind.
//!
//! A killed program does leave its partial output. Every living one is locked, so whoever writes the same output next
//! tells the dead by their locks and removes them.

use crate::statement::{Placed, remove_stale, statement_beside};
use crate::{Error, Seal, Unfinished};
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, BufWriter};
use std::path::{Path, PathBuf};
use tempfile::{Builder, NamedTempFile, TempDir};

/// A file that appears under its name only when [`PartialFile::finish`] is called.
pub(crate) struct PartialFile {
    file: BufWriter<NamedTempFile>,
    target: PathBuf,
    unfinished: Unfinished,
}

impl PartialFile {
    pub(crate) fn create(target: &Path) -> Result<Self, Error> {
        if fs::metadata(target).is_ok_and(|existing| !existing.is_file()) {
            return Err(Error::output(target, "exists and is not a regular file; choose another name"));
        }
        let (file, unfinished) = create_locked(target, 0o666)?;
        Ok(Self { file: BufWriter::with_capacity(1 << 16, file), target: target.into(), unfinished })
    }

    pub(crate) fn writer(&mut self) -> &mut BufWriter<NamedTempFile> {
        &mut self.file
    }

    /// Where it is written until then.
    pub(crate) fn path(&self) -> &Path {
        self.file.get_ref().path()
    }

    /// Moves the file into place, replacing an older one, and returns its size in bytes.
    pub(crate) fn finish(self) -> Result<u64, Error> {
        self.finish_sealed(&mut |_| Ok(()))
    }

    /// As [`PartialFile::finish`], after the file was handed to `seal`.
    pub(crate) fn finish_sealed(self, seal: &mut Seal<'_>) -> Result<u64, Error> {
        let target = self.target;
        let file = self.file.into_inner().map_err(|e| Error::write(&target)(e.into_error()))?;
        let beside = Beside(statement_beside(file.path()));
        seal(file.path()).map_err(|what| Error::output(&target, what))?;
        // By its name: sealing may have put another file in its place.
        let sealed = open_for_sync(file.path()).map_err(Error::write(&target))?;
        sealed.sync_all().map_err(Error::write(&target))?;
        let bytes = sealed.metadata().map_err(Error::write(&target))?.len();
        // First, so that the file is never seen without it.
        let statement = if beside.0.exists() {
            sync_file(&beside.0).map_err(Error::write(&target))?;
            Some(Placed::new(&beside.0, &target)?)
        } else {
            None
        };
        file.persist(&target).map_err(|e| Error::write(&target)(e.error))?;
        match statement {
            Some(statement) => statement.keep(),
            None => remove_stale(&target)?,
        }
        drop(self.unfinished);
        sync_folder(parent(&target));
        Ok(bytes)
    }
}

/// A file that need not exist; removed with this.
struct Beside(PathBuf);

impl Drop for Beside {
    fn drop(&mut self) {
        // Mostly there is none, or it was moved into place.
        let _ = fs::remove_file(&self.0);
    }
}

/// A folder that appears under its name only when [`PartialFolder::finish`] is called.
pub(crate) struct PartialFolder {
    folder: TempDir,
    target: PathBuf,
    unfinished: Unfinished,
    /// Holds the lock.
    _lock: Option<File>,
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
        loop {
            let created =
                Unfinished::create(|| builder.tempdir_in(parent(target)), |folder| folder.path().to_owned());
            let (folder, unfinished) = created.map_err(Error::write(target))?;
            let lock = File::open(folder.path()).ok();
            let taken = lock.as_ref().is_some_and(is_taken);
            if !taken && folder.path().exists() {
                return Ok(Self { folder, target: target.into(), unfinished, _lock: lock });
            }
        }
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn finish(self) -> Result<(), Error> {
        // Windows does not rename over an existing folder, even an empty one; removing fails when it is not empty.
        if self.target.exists() {
            fs::remove_dir(&self.target).map_err(Error::write(&self.target))?;
        }
        sync_folder(self.folder.path());
        fs::rename(self.folder.path(), &self.target).map_err(Error::write(&self.target))?;
        sync_folder(parent(&self.target));
        // The folder lives on under its new name.
        let _moved_away = self.folder.keep();
        drop(self.unfinished);
        Ok(())
    }
}

/// An unnamed scratch file on the disk of `target`, gone when it is closed.
pub(crate) fn scratch_beside(target: &Path) -> Result<File, Error> {
    tempfile::tempfile_in(parent(target)).map_err(Error::write(target))
}

/// A named scratch file beside `target`, removed when it is dropped. Private to this user.
pub(crate) fn scratch_named_beside(target: &Path) -> Result<Scratch, Error> {
    let (file, unfinished) = create_locked(target, 0o600)?;
    Ok(Scratch { file, _unfinished: unfinished })
}

/// See [`scratch_named_beside`].
pub(crate) struct Scratch {
    file: NamedTempFile,
    _unfinished: Unfinished,
}

impl Scratch {
    pub(crate) fn path(&self) -> &Path {
        self.file.path()
    }
}

/// Brings the file at `path` to the disk.
pub(crate) fn sync_file(path: &Path) -> io::Result<()> {
    open_for_sync(path)?.sync_all()
}

/// Windows syncs only what is open for writing.
fn open_for_sync(path: &Path) -> io::Result<File> {
    File::options().read(true).write(true).open(path)
}

/// Brings the names in a folder to the disk, where the system can.
fn sync_folder(folder: &Path) {
    // Some file systems refuse; their names are as safe as they get.
    if let Ok(folder) = File::open(folder) {
        let _ = folder.sync_all();
    }
}

/// Creates a partial file and locks it. Between the two, someone who looks for leftovers may have removed it: then
/// another one is made.
fn create_locked(target: &Path, mode: u32) -> Result<(NamedTempFile, Unfinished), Error> {
    let mut builder = Builder::new();
    let prefix = partial_prefix(target)?;
    builder.prefix(&prefix);
    readable_by_umask(&mut builder, mode);
    loop {
        let created =
            Unfinished::create(|| builder.tempfile_in(parent(target)), |file| file.path().to_owned());
        let (file, unfinished) = created.map_err(Error::write(target))?;
        if !is_taken(file.as_file()) && file.path().exists() {
            return Ok((file, unfinished));
        }
    }
}

/// Takes the lock of a file until it is closed; whether somebody else has it. A file system without locks has no owner
/// to be told of.
#[cfg(unix)]
fn is_taken(file: &File) -> bool {
    matches!(file.try_lock(), Err(fs::TryLockError::WouldBlock))
}

/// Locks elsewhere keep others from reading and writing, and sealing does both.
#[cfg(not(unix))]
fn is_taken(_file: &File) -> bool {
    false
}

/// Removes the partial outputs of this target that dead programs of this user left behind, among the first `most`
/// entries of its folder.
#[cfg(unix)]
pub(crate) fn remove_leftovers(target: &Path, most: usize) {
    use std::os::unix::fs::MetadataExt;
    let Ok(prefix) = partial_prefix(target) else { return };
    let Ok(entries) = fs::read_dir(parent(target)) else { return };
    let leftovers: Vec<PathBuf> = entries
        .take(most)
        .filter_map(Result::ok)
        .filter(|entry| is_partial_name(&entry.file_name(), &prefix))
        .map(|entry| entry.path())
        .collect();
    if leftovers.is_empty() {
        return;
    }
    let mine = tempfile::tempfile_in(parent(target)).and_then(|file| file.metadata());
    let Ok(mine) = mine else { return };
    for path in leftovers {
        // Whatever cannot be told or removed stays: it is in nobody's way.
        let Ok(found) = fs::symlink_metadata(&path) else { continue };
        if found.uid() != mine.uid() || !(found.is_file() || found.is_dir()) {
            continue;
        }
        let Ok(file) = File::open(&path) else { continue };
        if file.try_lock().is_ok() {
            let _ = if found.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
        }
    }
}

#[cfg(not(unix))]
pub(crate) fn remove_leftovers(_target: &Path, _most: usize) {}

/// `prefix` and what tempfile puts behind it.
#[cfg(unix)]
fn is_partial_name(name: &std::ffi::OsStr, prefix: &std::ffi::OsStr) -> bool {
    const RANDOM: usize = 6;
    let random = name.as_encoded_bytes().strip_prefix(prefix.as_encoded_bytes());
    random.is_some_and(|random| random.len() == RANDOM && random.iter().all(u8::is_ascii_alphanumeric))
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

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::io::Write;

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn leftovers_of_the_same_output_are_removed_and_no_others() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("film.mp4");
        fs::write(folder.path().join(".film.mp4.partial-Ab3dEf"), "dead").unwrap();
        fs::create_dir(folder.path().join(".film.mp4.partial-0aB1cD")).unwrap();
        fs::write(folder.path().join(".film.mp4.partial-0aB1cD/000001.png"), "dead").unwrap();
        let kept = [
            ".film.mp4.partial-mine",
            ".film.mp4.partial-Ab3dEf9",
            ".other.mp4.partial-Ab3dEf",
            "film.mp4.partial-Ab3dEf",
        ];
        for name in kept {
            fs::write(folder.path().join(name), "not ours").unwrap();
        }
        let link = folder.path().join(".film.mp4.partial-LiNkLi");
        std::os::unix::fs::symlink(folder.path().join(kept[2]), &link).unwrap();
        remove_leftovers(&target, usize::MAX);
        let mut file = PartialFile::create(&target).unwrap();
        file.writer().write_all(b"film").unwrap();
        // While it lives, it is no leftover.
        remove_leftovers(&target, usize::MAX);
        let second = PartialFile::create(&target).unwrap();
        assert_eq!(file.finish().unwrap(), 4);
        drop(second);
        let mut expected = kept.map(str::to_owned).to_vec();
        expected.extend([".film.mp4.partial-LiNkLi".to_owned(), "film.mp4".to_owned()]);
        expected.sort();
        assert_eq!(names(folder.path()), expected);
    }

    #[test]
    fn a_living_folder_is_no_leftover() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("frames");
        let first = PartialFolder::create(&target).unwrap();
        remove_leftovers(&target, usize::MAX);
        let second = PartialFolder::create(&target).unwrap();
        assert!(first.path().is_dir() && second.path().is_dir());
        second.finish().unwrap();
        drop(first);
        assert_eq!(names(folder.path()), ["frames"]);
    }

    /// What begins a C2PA manifest store.
    const STATEMENT: &[u8] =
        b"\0\0\x2f\x10jumb\0\0\0\x1ejumdc2pa\x00\x11\x00\x10\x80\x00\x00\xaa\x00\x38\x9b\x71\x03c2pa\0";

    /// Writes the film, with a statement that ends in `signature` where one is given.
    fn film(target: &Path, signature: Option<&str>) -> Result<u64, Error> {
        let mut file = PartialFile::create(target)?;
        file.writer().write_all(b"film").unwrap();
        file.finish_sealed(&mut |film| {
            if let Some(signature) = signature {
                fs::write(statement_beside(film), [STATEMENT, signature.as_bytes()].concat()).unwrap();
            }
            Ok(())
        })
    }

    #[test]
    fn a_statement_goes_with_its_film_and_no_other_file_does() {
        let folder = tempfile::tempdir().unwrap();
        let (webm, mp4) = (folder.path().join("a.webm"), folder.path().join("a.mp4"));
        film(&webm, Some("first")).unwrap();
        film(&webm, Some("second")).unwrap();
        assert_eq!(names(folder.path()), ["a.webm", "a.webm.c2pa"]);
        assert!(fs::read(statement_beside(&webm)).unwrap().ends_with(b"second"));
        // A film without statement does not leave the older one's there.
        film(&webm, None).unwrap();
        assert_eq!(names(folder.path()), ["a.webm"]);
        // What is no statement, and what belongs to a format that carries its own, is not this program's.
        fs::write(statement_beside(&webm), "notes").unwrap();
        fs::write(statement_beside(&mp4), STATEMENT).unwrap();
        film(&webm, None).unwrap();
        film(&mp4, None).unwrap();
        let refused = film(&webm, Some("third")).unwrap_err().to_string();
        assert!(refused.contains("a.webm.c2pa: is where"), "{refused}");
        assert_eq!(names(folder.path()), ["a.mp4", "a.mp4.c2pa", "a.webm", "a.webm.c2pa"]);
        assert_eq!(fs::read(statement_beside(&webm)).unwrap(), b"notes");
    }

    #[test]
    fn a_film_that_does_not_get_its_name_leaves_no_statement() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("a.webm");
        for older in [None, Some([STATEMENT, b"older"].concat())] {
            if let Some(older) = &older {
                fs::write(statement_beside(&target), older).unwrap();
            }
            let mut file = PartialFile::create(&target).unwrap();
            file.writer().write_all(b"film").unwrap();
            fs::create_dir(&target).unwrap();
            let sign = |film: &Path| fs::write(statement_beside(film), STATEMENT).map_err(|e| e.to_string());
            assert!(file.finish_sealed(&mut { sign }).is_err());
            assert_eq!(fs::read(statement_beside(&target)).ok(), older);
            fs::remove_dir(&target).unwrap();
        }
        assert_eq!(names(folder.path()), ["a.webm.c2pa"]);
    }
}
