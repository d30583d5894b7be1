//! Which clips a source folder holds, and who is seen in them.

use std::path::{Path, PathBuf};

use walkdir::WalkDir;

use crate::Error;

/// Files with these extensions are taken for clips; whether they really are is found out when they are opened.
const EXTENSIONS: [&str; 18] = [
    "3gp", "avi", "flv", "gif", "m4v", "mkv", "mov", "mp4", "mpeg", "mpg", "mts", "m2ts", "ogv", "ts", "vob",
    "webm", "webp", "wmv",
];

/// A clip of the source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Clip {
    /// The file.
    pub path: PathBuf,
    /// Path inside the source, `/` between folders.
    pub source: String,
    /// The first folder, or the name of a clip that lies directly in the source.
    pub person: String,
    /// Path inside the person's folder.
    pub name: String,
}

impl Clip {
    fn new(root: &Path, path: &Path) -> Option<Self> {
        let inside: Option<Vec<&str>> =
            path.strip_prefix(root).ok()?.iter().map(|part| part.to_str()).collect();
        let inside = inside?;
        let (person, name) = match inside.as_slice() {
            [file] => (Path::new(file).file_stem()?.to_str()?.to_owned(), (*file).to_owned()),
            [person, rest @ ..] => ((*person).to_owned(), rest.join("/")),
            [] => return None,
        };
        Some(Self { path: path.into(), source: inside.join("/"), person, name })
    }
}

/// What a look into a source folder found.
#[derive(Debug, Default)]
pub struct Found {
    /// Sorted by their path inside the source.
    pub clips: Vec<Clip>,
    /// Files and folders that could not be looked at, and why.
    pub problems: Vec<(String, String)>,
}

/// All clips below `root`, links followed.
///
/// # Errors
/// When `root` is no folder that can be read, or holds neither clips nor anything that might have been one.
pub fn find(root: &Path) -> Result<Found, Error> {
    std::fs::read_dir(root).map_err(Error::read(root))?;
    let mut found = Found::default();
    for entry in WalkDir::new(root).follow_links(true).min_depth(1) {
        match entry {
            Ok(entry) if entry.file_type().is_file() && is_clip(entry.path()) => {
                if let Some(clip) = Clip::new(root, entry.path()) {
                    found.clips.push(clip);
                } else {
                    let name = entry.path().to_string_lossy().into_owned();
                    found.problems.push((name, "its name is not Unicode; rename it".to_owned()));
                }
            }
            Ok(_) => {}
            Err(error) => {
                let name = error.path().unwrap_or(root).to_string_lossy().into_owned();
                let reason =
                    error.io_error().map_or("a link that leads in circles".to_owned(), ToString::to_string);
                found.problems.push((name, reason));
            }
        }
    }
    found.clips.sort_by(|a, b| a.source.cmp(&b.source));
    if found.clips.is_empty() && found.problems.is_empty() {
        return Err(Error::NoClips { path: root.into() });
    }
    Ok(found)
}

fn is_clip(path: &Path) -> bool {
    let hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
    let extension = path.extension().and_then(|extension| extension.to_str()).map(str::to_ascii_lowercase);
    !hidden && extension.is_some_and(|extension| EXTENSIONS.contains(&extension.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_are_first_folders_or_lone_files() {
        let folder = tempfile::tempdir().unwrap();
        let files =
            ["id2/v/00002.mp4", "id1/v.x/00001.MP4", "id1/00003.webm", "solo.mov", "notes.txt", ".x.mp4"];
        for file in files {
            let path = folder.path().join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "").unwrap();
        }
        let found = find(folder.path()).unwrap();
        let seen: Vec<[&str; 3]> =
            found.clips.iter().map(|clip| [&*clip.source, &*clip.person, &*clip.name]).collect();
        let expected = [
            ["id1/00003.webm", "id1", "00003.webm"],
            ["id1/v.x/00001.MP4", "id1", "v.x/00001.MP4"],
            ["id2/v/00002.mp4", "id2", "v/00002.mp4"],
            ["solo.mov", "solo", "solo.mov"],
        ];
        assert_eq!(seen, expected);
    }

    #[test]
    fn a_source_without_clips_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("notes.txt"), "").unwrap();
        assert!(matches!(find(folder.path()), Err(Error::NoClips { .. })));
        assert!(matches!(find(&folder.path().join("missing")), Err(Error::Read { .. })));
        assert!(matches!(find(&folder.path().join("notes.txt")), Err(Error::Read { .. })));
    }

    #[cfg(unix)]
    #[test]
    fn links_in_circles_are_reported() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("a.mp4"), "").unwrap();
        std::os::unix::fs::symlink(folder.path(), folder.path().join("loop")).unwrap();
        let found = find(folder.path()).unwrap();
        assert_eq!((found.clips.len(), found.problems.len()), (1, 1), "{found:?}");
    }
}
