//! The folder in which a studio keeps what visitors bring and what it makes of it, until it ends.
//!
//! Only the user that runs the studio may look into it. While the studio lives it holds the lock on the folder's
//! `lock` file; the system lets go of it however the studio ends. A studio that starts deletes the folders of its own
//! user whose lock it can take: their studios are dead.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

/// What the folders' names begin with.
const PREFIX: &str = "gioconda-studio-";
const LOCK: &str = "lock";
/// A lock file before it is locked: under its own name it always is.
const NEW_LOCK: &str = "lock.new";

/// A folder that goes away, with all that lies in it, when this does.
pub(crate) struct Storage {
    folder: TempDir,
    _lock: File,
}

impl Storage {
    /// A new folder in `parent`, after those of dead studios there are deleted.
    ///
    /// # Errors
    /// When the folder cannot be made or locked.
    pub(crate) fn open(parent: &Path) -> io::Result<Self> {
        let mut builder = tempfile::Builder::new();
        builder.prefix(PREFIX);
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o700));
        let folder = builder.tempdir_in(parent)?;
        let new = folder.path().join(NEW_LOCK);
        let lock = open_no_link(&new, true)?;
        lock.try_lock()?;
        fs::rename(&new, folder.path().join(LOCK))?;
        let storage = Self { folder, _lock: lock };
        for dead in storage.dead(parent) {
            match fs::remove_dir_all(&dead) {
                Ok(()) => {
                    tracing::info!("deleted what a studio that was killed has left in {}", dead.display());
                }
                Err(error) => tracing::warn!(
                    "{}: what a studio that was killed has left cannot be deleted ({error}); delete it yourself",
                    dead.display()
                ),
            }
        }
        Ok(storage)
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Folders of studios in `parent` that do not live any more. Links are not followed, and folders of other users not
    /// looked into.
    fn dead(&self, parent: &Path) -> Vec<PathBuf> {
        let (Ok(entries), Ok(own)) = (fs::read_dir(parent), fs::symlink_metadata(self.path())) else {
            return Vec::new();
        };
        let is_candidate = |path: &PathBuf| {
            let named =
                path.file_name().and_then(|name| name.to_str()).is_some_and(|n| n.starts_with(PREFIX));
            let same_owner = |other: Metadata| other.is_dir() && have_one_owner(&other, &own);
            named && path != self.path() && fs::symlink_metadata(path).is_ok_and(same_owner)
        };
        let candidates = entries.flatten().map(|entry| entry.path()).filter(is_candidate);
        // A folder without a lock file is another program's, or still being made.
        candidates
            .filter(|path| open_no_link(&path.join(LOCK), false).is_ok_and(|lock| lock.try_lock().is_ok()))
            .collect()
    }
}

/// Opens a file to lock it, new or there already; not what a link leads to.
fn open_no_link(path: &Path, new: bool) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create_new(new);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
        options.mode(0o600).custom_flags(flags.bits().cast_signed());
    }
    options.open(path)
}

#[cfg(unix)]
fn have_one_owner(a: &Metadata, b: &Metadata) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    a.uid() == b.uid()
}

/// Each user has a temporary folder of their own.
#[cfg(not(unix))]
fn have_one_owner(_: &Metadata, _: &Metadata) -> bool {
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_dead_studios_left_is_deleted_and_nothing_else() {
        let parent = tempfile::tempdir().expect("a folder");
        let at = |name: &str| parent.path().join(name);
        let folder = |name: &str, lock: bool| {
            fs::create_dir(at(name)).expect("a folder");
            fs::write(at(name).join("film.mp4"), "film").expect("a film");
            if lock {
                fs::write(at(name).join(LOCK), "").expect("a lock");
            }
        };
        folder("gioconda-studio-dead", true);
        folder("gioconda-studio-unlocked", false);
        folder("gioconda-other", true);
        folder("elsewhere", true);
        fs::write(at("gioconda-studio-file"), "").expect("a file");
        #[cfg(unix)]
        {
            use std::os::unix::fs::symlink;
            // To a folder with a lock, and a folder whose lock leads elsewhere.
            symlink(at("elsewhere"), at("gioconda-studio-link")).expect("a link");
            folder("gioconda-studio-linked-lock", false);
            symlink(at("elsewhere").join(LOCK), at("gioconda-studio-linked-lock").join(LOCK))
                .expect("a link");
            // In the dead folder, to what must stay.
            symlink(at("elsewhere"), at("gioconda-studio-dead").join("link")).expect("a link");
        }
        let alive = Storage::open(parent.path()).expect("a studio's folder");
        let second = Storage::open(parent.path()).expect("another's");
        assert!(alive.path().join(LOCK).is_file() && second.path().exists(), "the living stay");
        assert!(!at("gioconda-studio-dead").exists());
        for name in ["gioconda-studio-unlocked", "gioconda-other", "elsewhere"] {
            assert!(at(name).join("film.mp4").exists(), "{name}");
        }
        assert!(at("gioconda-studio-file").exists());
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            assert!(at("gioconda-studio-linked-lock").join("film.mp4").exists());
            let mode = |path: &Path| fs::metadata(path).expect("there").permissions().mode() & 0o777;
            assert_eq!((mode(alive.path()), mode(&alive.path().join(LOCK))), (0o700, 0o600));
        }
        let gone = alive.path().to_owned();
        drop(alive);
        assert!(!gone.exists());
    }
}
