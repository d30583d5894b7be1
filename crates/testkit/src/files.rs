//! Files of the repository, and of the data folder `shared` beside it, which a plain clone lacks.

use std::path::{Path, PathBuf};

/// `path`, counted from the repository's root.
///
/// # Panics
/// Never: this crate lies two folders below the root.
pub fn repository(path: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).expect("crates/testkit lies in it");
    root.join(path)
}

/// `path` inside the data folder beside the repository, `../shared`. Where it is absent, `None`, and a line that begins
/// with `skipped:` on standard output: the test that asked ends there, and counts as passed.
pub fn shared(path: &str) -> Option<PathBuf> {
    let file = repository("../shared").join(path);
    if !file.exists() {
        println!("skipped: ../shared/{path} is absent");
        return None;
    }
    Some(file)
}

/// The clips of `folder` in `../shared`, as [`clips_in`] lists them. Where there are none, an empty list, and a line that
/// begins with `skipped:` on standard output.
pub fn clips(folder: &str) -> Vec<PathBuf> {
    let clips = clips_in(&repository("../shared").join(folder));
    if clips.is_empty() {
        println!("skipped: no clips in ../shared/{folder}");
    }
    clips
}

/// The MP4 clips of a folder that has a folder for each person: sorted; none where it does not exist.
pub fn clips_in(folder: &Path) -> Vec<PathBuf> {
    let inside = |folder: &Path| std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut clips: Vec<PathBuf> =
        inside(folder).flat_map(|person| inside(&person.path())).map(|clip| clip.path()).collect();
    clips.retain(|clip| clip.extension().is_some_and(|extension| extension == "mp4"));
    clips.sort();
    clips
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_repository_is_found_and_what_is_absent_is_not() {
        assert!(repository("Cargo.toml").is_file() && repository("crates/testkit").is_dir());
        assert_eq!(shared("no such file"), None);
        assert!(clips("no such folder").is_empty());
    }
}
