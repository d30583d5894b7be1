//! Names of files and folders that are being written, so that a program that must end at once can remove them.
//!
//! Whoever writes beside its target and renames in the end creates through [`Unfinished::create`] and keeps the result
//! until the rename is done. [`remove_unfinished`] is for a second Ctrl-C, when nothing waits for destructors any more.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

static PATHS: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());

/// How often a folder that others still write into is removed again.
const ATTEMPTS: usize = 20;

/// An entry of the list; dropping it takes the name off. It removes no file.
#[derive(Debug)]
pub struct Unfinished {
    path: PathBuf,
}

impl Unfinished {
    /// Creates a file or folder and notes its name, in one step as far as [`remove_unfinished`] is concerned.
    ///
    /// # Errors
    /// Those of `create`.
    pub fn create<T>(
        create: impl FnOnce() -> io::Result<T>,
        path: impl FnOnce(&T) -> PathBuf,
    ) -> io::Result<(T, Self)> {
        let mut paths = lock();
        let created = create()?;
        // The working folder may be another one by then.
        let path = std::path::absolute(path(&created))?;
        paths.insert(path.clone());
        Ok((created, Self { path }))
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        lock().remove(&self.path);
    }
}

/// Removes everything that is being written, and holds up whoever would begin another file: the program must end next.
pub fn remove_unfinished() {
    let paths = lock();
    for path in paths.iter().flat_map(|path| with_companions(path)) {
        // A thread may add a frame to the folder between the look into it and its removal.
        for _ in 0..ATTEMPTS {
            let removed = if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
            // What is finished in this moment has its own name and is no longer there under this one.
            if removed.is_ok() || !path.exists() {
                break;
            }
        }
    }
    // Never unlocked: nothing may be created between this and the end of the program.
    std::mem::forget(paths);
}

/// The file or folder, and what stands beside it under a longer name that begins with its: the copy that is being signed.
fn with_companions(path: &Path) -> Vec<PathBuf> {
    let mut found = vec![path.to_owned()];
    if let (Some(parent), Some(name)) = (path.parent(), path.file_name()) {
        let longer =
            |other: &OsStr| other.as_encoded_bytes().starts_with(name.as_encoded_bytes()) && other != name;
        let beside = fs::read_dir(parent).into_iter().flatten().flatten();
        found.extend(beside.filter(|entry| longer(&entry.file_name())).map(|entry| entry.path()));
    }
    found
}

/// The list stays usable when a thread died while it held it: each change to it is one step.
fn lock() -> MutexGuard<'static, BTreeSet<PathBuf>> {
    PATHS.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    // The removal itself ends the use of the list for the whole process: `crates/gioconda/tests/interrupts.rs` tests it
    // with the program.
    #[test]
    fn names_stand_on_the_list_while_they_are_unfinished() {
        let folder = tempfile::tempdir().unwrap();
        let wanted = folder.path().join("film.partial");
        let create = || fs::File::create(&wanted).map(|_| wanted.clone());
        let (path, entry) = Unfinished::create(create, Clone::clone).unwrap();
        assert!(lock().contains(&path));
        drop(entry);
        assert!(!lock().contains(&path) && path.exists());
        let signed = folder.path().join("film.partial.signing-1");
        fs::write(&signed, "").unwrap();
        fs::write(folder.path().join("film"), "").unwrap();
        assert_eq!(with_companions(&wanted), [wanted.clone(), signed]);
        let missing = folder.path().join("absent/film.partial");
        assert!(Unfinished::create(|| fs::File::create(&missing), |_| missing.clone()).is_err());
        assert!(!lock().contains(&missing));
    }
}
