//! `gioconda record`: a clip becomes a motion file.

use std::path::{Path, PathBuf};

use gioconda_avatar::RecordSettings;

use crate::cli::RecordArgs;
use crate::commands::outputs::Inputs;
use crate::interrupt;
use crate::report::{self, Failure, Terminal};

/// Records the clip and writes the file.
pub(crate) fn run(arguments: &RecordArgs, terminal: &Terminal) -> Result<(), Failure> {
    let name = arguments.clip.file_stem().map_or_else(|| "motion".into(), |stem| stem.to_string_lossy());
    let output = arguments.output.clone().unwrap_or_else(|| PathBuf::from(format!("{name}.motion")));
    if output.extension().is_none_or(|extension| extension != "motion") {
        return Err(Failure::Usage(format!("{}: a motion file's name ends in .motion", output.display())));
    }
    Inputs::new([arguments.clip.as_path()]).check_output(&output)?;
    let settings = RecordSettings {
        title: arguments.title.clone().unwrap_or_else(|| name.to_string()),
        start: arguments.start,
        duration: arguments.duration,
        fps: arguments.fps,
        face: arguments.face.unwrap_or_default(),
        neutral: arguments.neutral,
        smooth: arguments.smooth as f32,
        seamless: arguments.seamless,
        budget: gioconda_media::Budget::default(),
    };
    let bar = terminal.bar(&name);
    let recorded = gioconda_avatar::record(&arguments.clip, &settings, &|p| bar.update(p), interrupt::flag());
    drop(bar);
    let (motion, summary) =
        recorded.map_err(|error| Failure::Failed(report::in_words(&error.into(), "--face")))?;
    motion.write(&output)?;
    let lost = match summary.lost_frames {
        0 => String::new(),
        lost => format!("; the face was lost in {lost} frames of the clip"),
    };
    terminal.say(format_args!(
        "{}: {} frames, {:.1} s{}, {} KB, recorded in {:.1} s{lost}",
        output.display(),
        summary.frames,
        summary.seconds,
        if summary.loops { ", loops" } else { "" },
        file_size(&output).div_ceil(1000),
        summary.elapsed_seconds,
    ));
    Ok(())
}

fn file_size(path: &Path) -> u64 {
    std::fs::metadata(path).map_or(0, |metadata| metadata.len())
}
