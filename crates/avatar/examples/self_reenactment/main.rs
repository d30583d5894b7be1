//! How near the mesh renderer comes to the truth when a clip's first frame is driven by its others.
//!
//!     cargo run --release -p gioconda-avatar --example self_reenactment -- ../shared/data/val [STRIPS]
//!
//! Prints a row for each clip and the mean over all frames. With a second folder it writes each clip's worst frame
//! there: photo, truth, mesh, and four times the difference.

#[path = "../../tests/clips/mod.rs"]
mod clips;
mod measure;

use std::path::{Path, PathBuf};

use clips::Failure;

fn main() -> Result<(), Failure> {
    let arguments: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    let (folder, strips) = match arguments.as_slice() {
        [folder] => (folder, None),
        [folder, strips] => (folder, Some(strips)),
        _ => return Err("usage: self_reenactment FOLDER-OF-CLIPS [FOLDER-FOR-STRIPS]".into()),
    };
    let clips = clips::clips_in(folder);
    if clips.is_empty() {
        return Err(format!("{}: no clips; a folder for each person is expected", folder.display()).into());
    }
    let scores: Vec<_> =
        clips::for_each(&clips, |clip| measure::measure(clip, 1))?.into_iter().flatten().collect();
    measure::print(&scores);
    if let Some(strips) = strips {
        write_strips(strips, &scores)?;
    }
    Ok(())
}

fn write_strips(folder: &Path, scores: &[measure::ClipScores]) -> Result<(), Failure> {
    std::fs::create_dir_all(folder)?;
    for clip in scores {
        gioconda_media::save_png(&folder.join(format!("{}.png", clip.name)), &clip.worst)?;
    }
    Ok(())
}
