//! Where results go, decided before anything is computed; and that they go nowhere where something came from.

use std::collections::HashSet;
use std::path::{Component, Path, PathBuf};

use gioconda_avatar::Background;
use gioconda_media::OutputFormat;

use crate::report::Failure;

/// The output of each photo. One photo may name its output; `many` (several, or all of a folder, be it one) share a
/// folder and are named after themselves, numbered where two photos have one name.
pub(crate) fn plan(
    photos: &[PathBuf],
    many: bool,
    output: Option<&Path>,
    format: OutputFormat,
) -> Result<Vec<PathBuf>, Failure> {
    if let (Some(output), false) = (output, many) {
        return named(output).map(|output| vec![output]);
    }
    let folder = output.unwrap_or(Path::new(""));
    let names_folder = OutputFormat::of(folder) == Some(OutputFormat::Pictures);
    if output.is_some() && !folder.is_dir() && (folder.exists() || !names_folder) {
        let line = format!("{}: several photos cannot share a file; choose a folder", folder.display());
        return Err(Failure::Usage(line));
    }
    let mut taken = HashSet::new();
    let name = |photo: &PathBuf| {
        let stem = photo.file_stem().map_or_else(|| "portrait".into(), |stem| stem.to_string_lossy());
        let numbered = (1..).map(|n| if n == 1 { stem.to_string() } else { format!("{stem}-{n}") });
        let free = numbered.into_iter().find(|name| taken.insert(name.clone()));
        let name = free.expect("there are more numbers than photos");
        folder.join(match format.extension() {
            Some(extension) => format!("{name}.{extension}"),
            None => name,
        })
    };
    Ok(photos.iter().map(name).collect())
}

/// An output the user named; refused at once when its extension is that of no format.
fn named(output: &Path) -> Result<PathBuf, Failure> {
    if OutputFormat::of(output).is_some() {
        return Ok(output.to_owned());
    }
    let choices = OutputFormat::choices(|_| true);
    Err(Failure::Usage(format!("{}: an output ends in {choices}, or is a folder of PNGs", output.display())))
}

/// Refuses a transparent background in an output that would fill it with black.
pub(crate) fn check_alpha(output: &Path, background: Background) -> Result<(), Failure> {
    let has_alpha = OutputFormat::of(output).is_none_or(OutputFormat::has_alpha);
    if background != Background::Transparent || has_alpha {
        return Ok(());
    }
    let choices = OutputFormat::choices(OutputFormat::has_alpha);
    Err(Failure::Usage(format!(
        "{}: --background transparent needs an output with transparency; choose {choices}, or a folder of PNGs",
        output.display()
    )))
}

/// Creates the folder that receives several outputs.
pub(crate) fn create_folder(folder: &Path) -> Result<(), Failure> {
    std::fs::create_dir_all(folder).map_err(|error| {
        Failure::Failed(format!("{}: cannot be created ({error}); choose another folder", folder.display()))
    })
}

/// Everything that a command reads. Every command that writes asks this before it begins, so that an input is never an
/// output, under whatever name: through links, in other letters where the system does not tell them apart, or as what
/// lies in a folder.
#[derive(Debug, Default)]
pub(crate) struct Inputs {
    files: Vec<Existing>,
    folders: Vec<Existing>,
}

/// A file or folder that exists.
#[derive(Debug)]
struct Existing {
    /// As the user calls it.
    name: PathBuf,
    /// Without links, as the system spells it.
    path: PathBuf,
    identity: Option<Identity>,
}

/// Device and inode: the same for two names of one file (hard links).
type Identity = (u64, u64);

impl Inputs {
    /// These files and folders, with the pictures in the folders; what does not exist is complained about by whoever
    /// reads it.
    pub(crate) fn new<'a>(paths: impl IntoIterator<Item = &'a Path>) -> Self {
        let mut inputs = Self::default();
        for path in paths {
            let Some(known) = Existing::of(path) else { continue };
            if path.is_dir() {
                let pictures = gioconda_media::pictures_in(path).unwrap_or_default();
                inputs.files.extend(pictures.iter().filter_map(|picture| Existing::of(picture)));
                inputs.folders.push(known);
            } else {
                inputs.files.push(known);
            }
        }
        inputs
    }

    /// Refuses a file that would be written and is one of these; of a `WebM` also where its statement would be, beside it.
    pub(crate) fn check_output(&self, output: &Path) -> Result<(), Failure> {
        if OutputFormat::of(output) == Some(OutputFormat::WebM) {
            self.check_file(&gioconda_media::statement_beside(output))?;
        }
        self.check_file(output)
    }

    fn check_file(&self, output: &Path) -> Result<(), Failure> {
        let Some(output) = Existing::of(output) else { return Ok(()) };
        match self.files.iter().chain(&self.folders).find(|input| input.is(&output)) {
            None => Ok(()),
            Some(input) => Err(refusal(&output.name, &format!("would overwrite the input {}", input.name()))),
        }
    }

    /// Refuses a folder that would be filled and is one of these, or lies in one: the next run would take for input
    /// what this one wrote.
    pub(crate) fn check_output_folder(&self, output: &Path) -> Result<(), Failure> {
        self.check_output(output)?;
        let path = resolved(output);
        match self.folders.iter().find(|input| path.starts_with(&input.path)) {
            None => Ok(()),
            Some(input) => Err(refusal(output, &format!("lies in the input folder {}", input.name()))),
        }
    }
}

impl Existing {
    fn of(path: &Path) -> Option<Self> {
        let found = path.canonicalize().ok()?;
        let identity = std::fs::metadata(path).ok().and_then(|metadata| identity(&metadata));
        Some(Self { name: path.to_owned(), path: found, identity })
    }

    fn is(&self, other: &Self) -> bool {
        self.path == other.path || (self.identity.is_some() && self.identity == other.identity)
    }

    fn name(&self) -> std::path::Display<'_> {
        self.name.display()
    }
}

#[cfg(unix)]
#[allow(clippy::unnecessary_wraps, reason = "other systems have none")]
fn identity(metadata: &std::fs::Metadata) -> Option<Identity> {
    use std::os::unix::fs::MetadataExt as _;
    Some((metadata.dev(), metadata.ino()))
}

#[cfg(not(unix))]
fn identity(_: &std::fs::Metadata) -> Option<Identity> {
    None
}

/// The path without links as far as it exists, and what is still to be created behind that.
fn resolved(path: &Path) -> PathBuf {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let existing = path.ancestors().find_map(|ancestor| Some((ancestor, ancestor.canonicalize().ok()?)));
    let Some((ancestor, mut resolved)) = existing else { return path };
    for part in path.strip_prefix(ancestor).unwrap_or(Path::new("")).components() {
        match part {
            Component::ParentDir => _ = resolved.pop(),
            part => resolved.push(part),
        }
    }
    resolved
}

fn refusal(output: &Path, fault: &str) -> Failure {
    Failure::Usage(format!("{}: {fault}; name another output", output.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn planned(photos: &[&str], output: Option<&str>, format: OutputFormat) -> Vec<String> {
        let photos: Vec<PathBuf> = photos.iter().map(PathBuf::from).collect();
        let planned = plan(&photos, photos.len() > 1, output.map(Path::new), format).expect("a plan");
        planned.iter().map(|path| path.to_string_lossy().into_owned()).collect()
    }

    #[test]
    fn outputs_are_named_after_photos() {
        assert_eq!(planned(&["a/mona.jpg"], None, OutputFormat::Mp4), ["mona.mp4"]);
        assert_eq!(planned(&["a/mona.jpg"], Some("b.gif"), OutputFormat::Mp4), ["b.gif"]);
        assert_eq!(planned(&["a/mona.jpg"], None, OutputFormat::Pictures), ["mona"]);
        assert_eq!(
            planned(&["a/x.jpg", "b/x.png", "y.jpg"], None, OutputFormat::WebP),
            ["x.webp", "x-2.webp", "y.webp"]
        );
    }

    #[test]
    fn outputs_of_no_format_and_files_for_many_are_refused() {
        let photos = [PathBuf::from("a.jpg")];
        for (many, output) in [(false, "b.avi"), (false, "b.mp4.txt"), (true, "b.mp4"), (true, "b.avi")] {
            let plan = plan(&photos, many, Some(Path::new(output)), OutputFormat::Mp4);
            assert!(matches!(plan, Err(Failure::Usage(_))), "{many} {output}: {plan:?}");
        }
    }

    #[test]
    fn transparency_needs_a_format_that_has_it() {
        let transparent = Background::Transparent;
        for (output, background, fits) in [
            ("a.mp4", transparent, false),
            ("a.gif", transparent, false),
            ("a.webp", transparent, true),
            ("a.webm", transparent, true),
            ("a", transparent, true),
            ("a.mp4", Background::Blur, true),
        ] {
            let checked = check_alpha(Path::new(output), background);
            assert_eq!(checked.is_ok(), fits, "{output} {background}");
        }
    }

    #[test]
    fn an_input_is_known_by_all_its_names() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let at = |name: &str| folder.path().join(name);
        std::fs::create_dir_all(at("frames/deep")).expect("folders");
        std::fs::write(at("in.mp4"), "a film").expect("a file");
        std::fs::write(at("frames/1.gif"), b"GIF89a").expect("a file");
        let mut same = vec!["in.mp4", "./in.mp4", "frames/../in.mp4"];
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink(at("in.mp4"), at("symbolic.mp4")).expect("a link");
            std::fs::hard_link(at("in.mp4"), at("hard.mp4")).expect("a link");
            std::os::unix::fs::symlink(at("frames"), at("other")).expect("a link");
            same.extend(["symbolic.mp4", "hard.mp4"]);
        }
        let inputs = Inputs::new([at("in.mp4"), at("frames"), at("missing")].iter().map(PathBuf::as_path));
        let refused = |result: Result<(), Failure>| matches!(result, Err(Failure::Usage(_)));
        for name in same {
            assert!(refused(inputs.check_output(&at(name))), "{name}");
        }
        for name in ["out.mp4", "missing", "frames/out.gif", "absent/out.mp4"] {
            assert!(inputs.check_output(&at(name)).is_ok(), "{name}");
        }
        std::fs::write(at("out.webm.c2pa"), "a photo by a strange name").expect("a file");
        let strange = Inputs::new([at("out.webm.c2pa").as_path()]);
        assert!(
            refused(strange.check_output(&at("out.webm"))) && strange.check_output(&at("out.mp4")).is_ok()
        );
        let inside =
            ["frames", "frames/", "frames/deep", "frames/new/er", "frames/x/../y", "out/../frames/z"];
        for name in inside.into_iter().chain(cfg!(unix).then_some("other/new")) {
            assert!(refused(inputs.check_output_folder(&at(name))), "{name}");
        }
        for name in ["out", "frames-2", "frames/../out"] {
            assert!(inputs.check_output_folder(&at(name)).is_ok(), "{name}");
        }
    }
}
