//! `gioconda eval`: how good the pictures are, or what changed between two reports.

use std::path::PathBuf;

use gioconda_avatar::RendererKind;
use gioconda_eval::{Progress, Protocol, REPORT_FILES, Report, Settings, comparison_markdown, markdown};

use crate::cli::{AvatarSource, EvalArgs, RendererArg};
use crate::commands::networks_folder::networks_folder;
use crate::commands::outputs::Inputs;
use crate::interrupt;
use crate::report::{Failure, Terminal, print_json, print_json_text, print_text};

/// Photos of the few-shot protocol unless told otherwise (Zakharov et al. 2019, §4).
const PHOTOS: [usize; 3] = [1, 8, 32];

/// Scores a folder, or compares two reports.
pub(crate) fn run(arguments: &EvalArgs, terminal: &Terminal) -> Result<(), Failure> {
    if let Some([a, b]) = arguments.compare.as_deref() {
        let comparisons = gioconda_eval::compare(a, b)?;
        return if arguments.json {
            print_json(&comparisons)
        } else {
            print_text(comparison_markdown(&comparisons).trim_end())
        };
    }
    let settings = settings(arguments)?;
    let read = arguments.data.iter().chain(&arguments.weights).map(PathBuf::as_path);
    let inputs = Inputs::new(read);
    inputs.check_output_folder(&settings.output)?;
    REPORT_FILES.iter().try_for_each(|name| inputs.check_output(&settings.output.join(name)))?;
    let bar = terminal.clips();
    let show = |progress: Progress| {
        let Progress { done, total, frames } = progress;
        bar.update(gioconda_dataset::Progress { clips_done: done, clips: total, frames });
    };
    let evaluated = gioconda_eval::evaluate(&settings, &show, interrupt::flag());
    drop(bar);
    let report = evaluated?;
    if arguments.json {
        print_json_text(report.to_json().trim_end())?;
    } else {
        print_text(markdown(&report).trim_end())?;
    }
    for part in &report.protocols {
        for skipped in &part.skipped {
            terminal.warn(format_args!("{}: not scored: {}", skipped.name, skipped.reason));
        }
    }
    terminal.say(format_args!("look at {}", settings.output.join("report.html").display()));
    require(arguments, &report)
}

/// Fails, in one line, where a threshold is missed.
fn require(arguments: &EvalArgs, report: &Report) -> Result<(), Failure> {
    let misses: Vec<String> =
        arguments.require.iter().flat_map(|requirement| requirement.misses(report)).collect();
    if misses.is_empty() { Ok(()) } else { Err(Failure::Failed(misses.join("; "))) }
}

fn settings(arguments: &EvalArgs) -> Result<Settings, Failure> {
    let usage = |line: &str| Err(Failure::Usage(line.to_owned()));
    let renderer = match (arguments.renderer, &arguments.weights) {
        (Some(RendererArg::Mesh), Some(_)) => {
            return usage("--renderer mesh takes no --weights; choose one");
        }
        (Some(RendererArg::Mesh), None) => RendererKind::Mesh,
        (Some(RendererArg::Neural) | None, _) => RendererKind::Neural,
    };
    let mut protocols = Vec::new();
    for &protocol in &arguments.protocol {
        if !protocols.contains(&protocol) {
            protocols.push(protocol);
        }
    }
    let few_shot = protocols.contains(&Protocol::FewShot);
    let photos = match &arguments.avatar_from {
        Some(AvatarSource::First) if few_shot => {
            return usage("--avatar-from first is for self and cross; few-shot takes T=1,8,32");
        }
        None | Some(AvatarSource::First) => PHOTOS.to_vec(),
        Some(AvatarSource::Photos(_)) if !few_shot => {
            return usage(
                "--avatar-from T=... is for --protocol few-shot; self and cross take the first frame",
            );
        }
        Some(AvatarSource::Photos(photos)) => photos.clone(),
    };
    Ok(Settings {
        data: arguments.data.clone().unwrap_or_default(),
        protocols,
        renderer,
        weights: arguments.weights.clone(),
        frames: arguments.frames.map(|frames| frames as usize),
        drivers: arguments.drivers as usize,
        photos,
        tuning_steps: arguments.steps,
        seed: arguments.seed,
        models: networks_folder(arguments.models.as_deref()),
        output: arguments.output.clone(),
        workers: arguments.workers.map_or_else(gioconda_eval::default_workers, |workers| workers as usize),
        pictures: !arguments.no_pictures,
        program_version: env!("CARGO_PKG_VERSION").to_owned(),
    })
}
