//! `gioconda train`: meta-learning on prepared data.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use gioconda_dataset::Dataset;
use gioconda_model::Preset;
use gioconda_networks::device;
use gioconda_train::{
    Event, Footage, PerceptualTerm, RUN_FILES, RunSettings, RunSummary, Start, TrainConfig, train,
};

use crate::cli::TrainArgs;
use crate::commands::networks_folder::networks_folder;
use crate::commands::outputs::Inputs;
use crate::interrupt;
use crate::report::{Failure, Terminal, print_text, with_hint};

/// Trains, or prints the configuration it would train with.
pub(crate) fn run(arguments: &TrainArgs, terminal: &Terminal) -> Result<(), Failure> {
    if arguments.print_config {
        return print_text(configuration(arguments)?.to_toml());
    }
    let (Some(data), Some(folder)) = (&arguments.data, &arguments.output) else {
        return Err(Failure::Usage("training needs --data and --out".to_owned()));
    };
    protect_inputs(arguments, data, folder)?;
    let start = match &arguments.weights {
        _ if arguments.resume => Start::Resume,
        None => Start::New(Box::new(configuration(arguments)?)),
        Some(weights) => {
            Start::From { config: Box::new(configuration(arguments)?), weights: weights.clone() }
        }
    };
    let devices = arguments.device.iter().map(|name| device(name)).collect::<Result<Vec<_>, _>>()?;
    let perceptual = networks_folder(arguments.perceptual_dir.as_deref());
    let settings = RunSettings { folder: folder.clone(), start, devices, perceptual };
    let footage: Arc<dyn Footage> = Arc::new(Dataset::open(data)?);

    let bar = terminal.training();
    let mut observe = |event: Event<'_>| match event {
        Event::Started { step, steps, memory_mb } => {
            bar.start(step, steps);
            bar.say(&format!("training from step {step} to {steps}; needs about {memory_mb} MB"));
        }
        Event::Step { step, entry } => bar.show(step, entry),
        Event::Warning(line) => bar.say(&format!("warning: {line}")),
        Event::Saved(path) => tracing::info!("saved {}", path.display()),
        Event::Picture(path) => tracing::info!("{}", path.display()),
    };
    let trained = train(&footage, &settings, &mut observe, interrupt::flag());
    drop(bar);
    let summary = trained.map_err(|error| failure(&error))?;
    terminal.say(in_words(arguments, &summary));
    if summary.interrupted { Err(Failure::Reported) } else { Ok(()) }
}

/// What failed, and which options help.
fn failure(error: &gioconda_train::Error) -> Failure {
    use gioconda_train::Error;
    let hint = match error {
        Error::Perceptual { .. } => "--perceptual-dir names their folder, --perceptual none trains without",
        Error::Identity { .. } => "--perceptual-dir names its folder",
        Error::Locked { .. } => "--out names another folder",
        Error::RunExists { .. } => "--resume continues it, --out names another folder",
        Error::NothingToResume { .. } => "leave --resume out",
        _ => return Failure::Failed(error.to_string()),
    };
    with_hint(error, hint)
}

/// Refuses a run folder among the data, and one whose files a run would replace though it reads them.
fn protect_inputs(arguments: &TrainArgs, data: &Path, folder: &Path) -> Result<(), Failure> {
    let files = [&arguments.config, &arguments.weights].into_iter().flatten().map(PathBuf::as_path);
    let inputs = Inputs::new(files.chain([data]));
    inputs.check_output_folder(folder)?;
    RUN_FILES.iter().try_for_each(|name| inputs.check_output(&folder.join(name)))
}

/// The preset's recipe, what the file changes of it, and what the options change of that.
fn configuration(arguments: &TrainArgs) -> Result<TrainConfig, Failure> {
    let preset: Preset = arguments.preset.parse()?;
    let mut config = match &arguments.config {
        Some(file) => TrainConfig::read(preset, file)?,
        None => TrainConfig::of(preset),
    };
    match arguments.perceptual.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => {}
        ["none"] => {
            config.perceptual.networks.clear();
            config.losses.identity = 0.0;
        }
        ref names => {
            let term = |name: &&str| -> Result<PerceptualTerm, Failure> {
                let spec = gioconda_networks::perceptual_spec(name)?;
                Ok(PerceptualTerm { name: spec.name.to_owned(), weight: spec.weight })
            };
            config.perceptual.networks = names.iter().map(term).collect::<Result<_, _>>()?;
        }
    }
    Ok(config)
}

fn in_words(arguments: &TrainArgs, summary: &RunSummary) -> String {
    let end = if summary.interrupted { "; stopped on request, go on with --resume" } else { "" };
    let folder = arguments.output.as_deref().unwrap_or(&summary.checkpoint);
    format!(
        "{}: step {}, {} of them in {:.0} s ({:.2} samples/s, {:.1} % of the time waiting for data); saved in {}{end}",
        folder.display(),
        summary.step,
        summary.steps_taken,
        summary.seconds,
        summary.samples_per_second,
        100.0 * summary.waiting,
        summary.checkpoint.display(),
    )
}
