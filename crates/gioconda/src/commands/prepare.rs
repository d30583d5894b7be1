//! `gioconda prepare`: a folder of clips becomes training data.

use std::num::NonZero;

use gioconda_dataset::{Error, Settings, Summary};

use crate::cli::PrepareArgs;
use crate::commands::outputs::Inputs;
use crate::interrupt;
use crate::report::{Failure, Terminal, print_json, with_hint};

/// Prepares the clips and says what became of them.
pub(crate) fn run(arguments: &PrepareArgs, terminal: &Terminal) -> Result<(), Failure> {
    let cores = || std::thread::available_parallelism().map_or(1, NonZero::get);
    let settings = Settings {
        size: arguments.size,
        workers: arguments.workers.map_or_else(cores, |workers| workers as usize),
        part: arguments.shard,
    };
    Inputs::new([arguments.source.as_path()]).check_output_folder(&arguments.output)?;
    let bar = terminal.clips();
    let prepared = gioconda_dataset::prepare(
        &arguments.source,
        &arguments.output,
        &settings,
        &|progress| bar.update(progress),
        interrupt::flag(),
    );
    drop(bar);
    let summary = prepared.map_err(|error| match error {
        Error::Size { .. } => with_hint(&error, "--size"),
        Error::Parts { .. } | Error::Locked { .. } => with_hint(&error, "--shard I/N"),
        other => Failure::Failed(other.to_string()),
    })?;
    if arguments.json {
        print_json(&summary)?;
    }
    for rejection in &summary.prepared.rejected {
        let kept = if rejection.videos == 0 { "left out" } else { "partly left out" };
        terminal.warn(format_args!("{}: {kept}: {}", rejection.clip, rejection.reasons.join("; ")));
    }
    terminal.say(in_words(arguments, &summary));
    Ok(())
}

/// The one line at the end.
fn in_words(arguments: &PrepareArgs, summary: &Summary) -> String {
    let prepared = &summary.prepared;
    let single = match prepared.people_with_one_video {
        0 => String::new(),
        people => format!(" ({people} people have a single video)"),
    };
    let dropped = &prepared.dropped;
    let rate = if summary.frames_followed > 0 {
        let rate = summary.frames_followed as f64 / summary.seconds.max(1e-6);
        format!("{} frames in {:.1} s ({rate:.0} frames/s)", summary.frames_followed, summary.seconds)
    } else {
        "nothing was left to do".to_owned()
    };
    let line = format!(
        "{}: {} frames in {} videos of {} people, from {} clips{single}; left out: {} frames without a trusted face, {} outside the crop, {} near-duplicates, {} in rejected stretches; {rate}",
        arguments.output.display(),
        prepared.frames,
        prepared.videos,
        prepared.people,
        prepared.clips,
        dropped.no_face,
        dropped.outside,
        dropped.duplicates,
        dropped.rejected
    );
    match &summary.contact_sheet {
        Some(page) => line + &format!("; look at {}", page.display()),
        None => line + "; the contact sheet is made when all parts are done",
    }
}
