//! `gioconda animate`: photos become talking portraits.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use gioconda_avatar::{
    DEFAULT_HEAD_SIDE, DEFAULT_LONGEST_SIDE, Drive, Error, Framing, Gains, MotionMode, PortraitWeights,
    RendererKind, Settings, Summary, portrait_network,
};
use gioconda_media::OutputFormat;
use gioconda_portrait::{Opener, WeightsFor};
use serde::Serialize;

use crate::cli::{AnimateArgs, MotionArg, RendererArg};
use crate::commands::outputs::{self, Inputs};
use crate::commands::provenance::Provenance;
use crate::interrupt;
use crate::report::{self, Failure, Terminal, print_json};

/// What became of one photo.
#[derive(Serialize)]
struct Outcome {
    photo: PathBuf,
    output: PathBuf,
    #[serde(flatten)]
    result: OutcomeResult,
}

#[derive(Serialize)]
#[serde(rename_all = "lowercase")]
enum OutcomeResult {
    Summary(Summary),
    Error(String),
}

/// Animates every photo; one that fails does not stop the others.
pub(crate) fn run(arguments: &AnimateArgs, terminal: &Terminal) -> Result<(), Failure> {
    let photos = photos(&arguments.photos)?;
    let many = photos.len() > 1 || arguments.photos.iter().any(|path| path.is_dir());
    let outputs = outputs::plan(&photos, many, arguments.output.as_deref(), arguments.format.into())?;
    let settings = settings(arguments)?;
    let inputs = inputs(arguments);
    for output in &outputs {
        outputs::check_alpha(output, arguments.picture.background)?;
        match OutputFormat::of(output) {
            Some(OutputFormat::Pictures) => inputs.check_output_folder(output)?,
            _ => inputs.check_output(output)?,
        }
    }
    if arguments.weights.is_some() && arguments.renderer == Some(RendererArg::Mesh) {
        return Err(Failure::Usage("--weights are for --renderer neural; choose one of the two".to_owned()));
    }
    let weights = arguments.weights.as_deref();
    let mut provenance = Provenance::prepare(
        &arguments.provenance,
        &settings.drive,
        weights,
        arguments.picture.size,
        terminal,
    )?;
    // Before the models are loaded: whoever is asked does not wait, and who leaves loses nothing.
    provenance.ask(&photos, terminal);
    if let (Some(folder), true) = (&arguments.output, many) {
        outputs::create_folder(folder)?;
    }
    let weights = self::weights(arguments)?.map(|weights| (weights, provenance.network_source()));
    let cancel = interrupt::flag();
    let mut run = Run {
        arguments,
        settings,
        opener: Opener::with(weights)?
            .weights_for(weights_for(arguments))
            .credit(arguments.provenance.credit),
        provenance,
        terminal,
        cancel,
    };
    let wanted = photos.len();
    let mut outcomes = Vec::new();
    for (photo, output) in photos.into_iter().zip(outputs) {
        if cancel.load(Ordering::Relaxed) {
            break;
        }
        let result = match run.animate(&photo, &output) {
            Ok(summary) => OutcomeResult::Summary(summary),
            Err(error) => {
                // Ctrl-C reaches the ffmpeg program too, and what it complains of then is no news.
                if !cancel.load(Ordering::Relaxed) {
                    report::error(&error);
                }
                OutcomeResult::Error(error)
            }
        };
        outcomes.push(Outcome { photo, output, result });
    }
    if arguments.json {
        print_json(&outcomes)?;
    }
    let failed = outcomes.iter().filter(|o| matches!(o.result, OutcomeResult::Error(_))).count();
    if cancel.load(Ordering::Relaxed) {
        return Err(Failure::Failed(match outcomes.len() - failed {
            0 => gioconda_avatar::Error::Cancelled.to_string(),
            done => format!("stopped; {done} of {wanted} outputs are complete, nothing else was written"),
        }));
    }
    if wanted > 1 && failed > 0 {
        terminal.say(format_args!("{failed} of {wanted} photos failed"));
    }
    if failed > 0 { Err(Failure::Reported) } else { Ok(()) }
}

/// What all photos of one run have in common.
struct Run<'a> {
    arguments: &'a AnimateArgs,
    settings: Settings,
    opener: Opener,
    provenance: Provenance<'a>,
    terminal: &'a Terminal,
    cancel: &'a AtomicBool,
}

impl Run<'_> {
    fn animate(&mut self, photo: &Path, output: &Path) -> Result<Summary, String> {
        let Self { arguments, settings, opener, provenance, terminal, cancel } = self;
        let portrait = opener
            .open(photo, arguments.face.unwrap_or_default())
            .map_err(|error| report::in_words(&error, "--face"))?;
        let avatar = &portrait.avatar;
        let renderer = match arguments.renderer {
            Some(RendererArg::Mesh) => RendererKind::Mesh,
            Some(RendererArg::Neural) => RendererKind::Neural,
            None => avatar.best_renderer(),
        };
        let settings = settings.clone().renderer(renderer);
        for warning in &avatar.warnings {
            terminal.warn(format_args!("{}: {warning}", photo.display()));
        }
        let statement = provenance.statement(photo, &portrait, renderer, terminal);
        let finish = provenance.finish(&statement);
        let bar = terminal.bar(&output.display().to_string());
        let progress = |progress| bar.update(progress);
        let summary = gioconda_avatar::animate(avatar, &settings, output, finish, &progress, cancel);
        drop(bar);
        let summary = summary.map_err(|error| match error {
            error @ Error::NoMatte => format!("{}: {error}", photo.display()),
            error => report::in_words(&error.into(), "--driver-face"),
        })?;
        for warning in &summary.warnings {
            terminal.warn(warning);
        }
        provenance.warn_of_size(summary.size, terminal);
        terminal.say(report::summary(output, &summary));
        Ok(summary)
    }
}

/// An avatar that was learned without a network is as its maker wants it, unless somebody asks for one.
fn weights_for(arguments: &AnimateArgs) -> WeightsFor {
    match (&arguments.weights, arguments.renderer) {
        (Some(_), _) => WeightsFor::All,
        (None, Some(_)) => WeightsFor::WithoutNetwork,
        (None, None) => WeightsFor::Photos,
    }
}

/// Everything that is read: photos and their folders, the driver, weights, certificates and their key.
fn inputs(arguments: &AnimateArgs) -> Inputs {
    let provenance = &arguments.provenance;
    let single = [&arguments.weights, &provenance.sign_cert, &provenance.sign_key];
    let named = arguments.photos.iter().chain(single.into_iter().flatten());
    Inputs::new(named.map(PathBuf::as_path).chain([Path::new(&arguments.drive)]))
}

/// The weights that photos get their network from; `None` where only the mesh and the networks of avatar files paint: because that is asked
/// for, or the program was built without the portrait network.
fn weights(arguments: &AnimateArgs) -> Result<Option<PortraitWeights>, Failure> {
    let weights = arguments.weights.as_deref();
    let there_are_none = weights.is_none() && portrait_network().is_none();
    if there_are_none || arguments.renderer == Some(RendererArg::Mesh) {
        return Ok(None);
    }
    Ok(Some(PortraitWeights::open_or_built_in(weights)?))
}

/// The photos named, those inside folders included.
fn photos(named: &[PathBuf]) -> Result<Vec<PathBuf>, Failure> {
    let mut photos = Vec::new();
    for path in named {
        if path.is_dir() {
            photos.extend(gioconda_media::pictures_in(path)?);
        } else {
            photos.push(path.clone());
        }
    }
    Ok(photos)
}

fn settings(arguments: &AnimateArgs) -> Result<Settings, Failure> {
    let drive = Drive::find(&arguments.drive)?;
    let motion = &arguments.motion;
    let mode = match motion.mode {
        MotionArg::Relative => MotionMode::Relative { neutral: motion.neutral },
        MotionArg::Absolute if matches!(drive, Drive::Motion { .. }) => {
            let line = "--motion absolute needs a clip: a motion holds no positions, only what changes";
            return Err(Failure::Usage(line.to_owned()));
        }
        MotionArg::Absolute => MotionMode::Absolute,
    };
    let picture = &arguments.picture;
    let framing = if picture.crop {
        Framing::Head { side: picture.size.unwrap_or(DEFAULT_HEAD_SIDE) }
    } else {
        Framing::Full { longest_side: picture.size.unwrap_or(DEFAULT_LONGEST_SIDE) }
    };
    let gains = Gains {
        pose: motion.pose as f32,
        expression: motion.expression as f32,
        eyes: motion.eyes as f32,
        mouth: motion.mouth as f32,
    };
    Ok(Settings::new(drive)
        .driver_face(arguments.driver_face.unwrap_or_default())
        .mode(mode)
        .gains(gains)
        .smooth(motion.smooth as f32)
        .framing(framing)
        .background(picture.background)
        .side_by_side(picture.side_by_side)
        .fps(arguments.time.fps)
        .part(arguments.time.start, arguments.time.duration)
        .repeat(arguments.time.repeat)
        .mute(arguments.time.mute))
}
