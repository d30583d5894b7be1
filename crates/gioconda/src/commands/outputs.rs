//! Where results go, decided before anything is computed.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use gioconda_avatar::Drive;

use crate::cli::Format;
use crate::report::Failure;

/// The output of each photo. One photo may name its output; `many` (several, or all of a folder, be it one) share a
/// folder and are named after themselves, numbered where two photos have one name.
pub(crate) fn plan(
    photos: &[PathBuf],
    many: bool,
    output: Option<&Path>,
    format: Format,
) -> Result<Vec<PathBuf>, Failure> {
    if let (Some(output), false) = (output, many) {
        return named(output).map(|output| vec![output]);
    }
    let folder = output.unwrap_or(Path::new(""));
    if output.is_some() && !folder.is_dir() && (folder.exists() || Format::of(folder) != Some(Format::Png)) {
        let line = format!("{}: several photos cannot share a file; choose a folder", folder.display());
        return Err(Failure::Usage(line));
    }
    if output.is_some() {
        std::fs::create_dir_all(folder).map_err(|error| {
            Failure::Failed(format!(
                "{}: cannot be created ({error}); choose another folder",
                folder.display()
            ))
        })?;
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
    if Format::of(output).is_some() {
        return Ok(output.to_owned());
    }
    let line = format!("{}: an output ends in .mp4, .gif or .webp, or is a folder of PNGs", output.display());
    Err(Failure::Usage(line))
}

/// Refuses outputs that are inputs.
pub(crate) fn protect_inputs(outputs: &[PathBuf], photos: &[PathBuf], drive: &Drive) -> Result<(), Failure> {
    let mut inputs: HashSet<PathBuf> = photos.iter().filter_map(|path| path.canonicalize().ok()).collect();
    if let Drive::Clip(path) = drive {
        inputs.extend(path.canonicalize().ok());
    }
    match outputs.iter().find(|output| output.canonicalize().is_ok_and(|output| inputs.contains(&output))) {
        None => Ok(()),
        Some(output) => {
            let line = format!("{}: would overwrite an input; name another output with -o", output.display());
            Err(Failure::Usage(line))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn planned(photos: &[&str], output: Option<&str>, format: Format) -> Vec<String> {
        let photos: Vec<PathBuf> = photos.iter().map(PathBuf::from).collect();
        let planned = plan(&photos, photos.len() > 1, output.map(Path::new), format).expect("a plan");
        planned.iter().map(|path| path.to_string_lossy().into_owned()).collect()
    }

    #[test]
    fn outputs_are_named_after_photos() {
        assert_eq!(planned(&["a/mona.jpg"], None, Format::Mp4), ["mona.mp4"]);
        assert_eq!(planned(&["a/mona.jpg"], Some("b.gif"), Format::Mp4), ["b.gif"]);
        assert_eq!(planned(&["a/mona.jpg"], None, Format::Png), ["mona"]);
        assert_eq!(
            planned(&["a/x.jpg", "b/x.png", "y.jpg"], None, Format::Webp),
            ["x.webp", "x-2.webp", "y.webp"]
        );
    }

    #[test]
    fn outputs_of_no_format_and_files_for_many_are_refused() {
        let photos = [PathBuf::from("a.jpg")];
        for (many, output) in [(false, "b.avi"), (false, "b.mp4.txt"), (true, "b.mp4"), (true, "b.avi")] {
            let plan = plan(&photos, many, Some(Path::new(output)), Format::Mp4);
            assert!(matches!(plan, Err(Failure::Usage(_))), "{many} {output}: {plan:?}");
        }
    }
}
