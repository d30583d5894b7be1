//! `gioconda animate`: photos become talking portraits.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use gioconda_avatar::builtin_motions::{self, BuiltinMotion};
use gioconda_avatar::{
    AVATAR_EXTENSION, Avatar, AvatarFile, DEFAULT_HEAD_SIDE, DEFAULT_LONGEST_SIDE, Declaration, Drive,
    Framing, Gains, Motion, MotionMode, PortraitWeights, RendererKind, Settings, Summary,
};
use gioconda_face::{FaceFinder, Threads};
use gioconda_media::InputKind;
use serde::Serialize;

use crate::cli::{AnimateArgs, MotionArg, RendererArg};
use crate::commands::outputs;
use crate::commands::provenance::Provenance;
use crate::interrupt;
use crate::report::{self, Failure, Terminal, print};

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
    let outputs = outputs::plan(&photos, many, arguments.output.as_deref(), arguments.format)?;
    let settings = settings(arguments)?;
    outputs::protect_inputs(&outputs, &photos, &settings.drive)?;
    if arguments.weights.is_some() && arguments.renderer == Some(RendererArg::Mesh) {
        return Err(Failure::Usage("--weights are for --renderer neural; choose one of the two".to_owned()));
    }
    let mut source = AvatarSource {
        arguments,
        weights: match arguments.renderer {
            Some(RendererArg::Mesh) => None,
            Some(RendererArg::Neural) | None => {
                Some(PortraitWeights::open_or_built_in(arguments.weights.as_deref())?)
            }
        },
        finder: FaceFinder::new(Threads::Shared)?,
    };
    let driver = Path::new(&arguments.drive);
    let weights = arguments.weights.as_deref();
    let mut provenance =
        Provenance::prepare(&arguments.provenance, &settings.drive, driver, weights, terminal)?;
    let cancel = interrupt::flag();
    let wanted = photos.len();
    let mut outcomes = Vec::new();
    for (photo, output) in photos.into_iter().zip(outputs) {
        if cancel.load(Ordering::Relaxed) {
            break;
        }
        let result = match animate(&photo, &output, &settings, &mut source, &mut provenance, terminal, cancel)
        {
            Ok(summary) => OutcomeResult::Summary(summary),
            Err(error) => {
                // Ctrl-C reaches the ffmpeg program too, and what it complains of then is no news.
                if !cancel.load(Ordering::Relaxed) {
                    eprintln!("error: {error}");
                }
                OutcomeResult::Error(error)
            }
        };
        outcomes.push(Outcome { photo, output, result });
    }
    if arguments.json {
        print(serde_json::to_string_pretty(&outcomes)?)?;
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

fn animate(
    photo: &Path,
    output: &Path,
    settings: &Settings,
    source: &mut AvatarSource<'_>,
    provenance: &mut Provenance<'_>,
    terminal: &Terminal,
    cancel: &AtomicBool,
) -> Result<Summary, String> {
    let Opened { avatar, declared, own_network } =
        source.open(photo).map_err(|error| report::in_words(&error, "--face"))?;
    let renderer = source.renderer(&avatar);
    let settings = &Settings { renderer, ..settings.clone() };
    for warning in &avatar.warnings {
        terminal.warn(format_args!("{}: {warning}", photo.display()));
    }
    let statement = provenance
        .statement(photo, &avatar, &declared, (renderer, own_network), terminal)
        .map_err(|e| e.to_string())?;
    let finish = provenance.finish(&statement);
    let bar = terminal.bar(&output.display().to_string());
    let summary = gioconda_avatar::animate(&avatar, settings, output, finish, &|p| bar.update(p), cancel);
    drop(bar);
    let summary = summary.map_err(|error| report::in_words(&error, "--driver-face"))?;
    for warning in &summary.warnings {
        terminal.warn(warning);
    }
    provenance.warn_of_size(summary.size, terminal);
    terminal.say(report::summary(output, &summary));
    Ok(summary)
}

/// An avatar that is ready to be animated.
struct Opened {
    avatar: Avatar,
    /// What its file declares about who is shown.
    declared: Declaration,
    /// Its network, if it has one, lay in its file.
    own_network: bool,
}

/// Makes avatars of photos and of avatar files.
struct AvatarSource<'a> {
    arguments: &'a AnimateArgs,
    /// `None` where only the mesh paints.
    weights: Option<PortraitWeights>,
    finder: FaceFinder,
}

impl AvatarSource<'_> {
    fn open(&mut self, path: &Path) -> Result<Opened, gioconda_avatar::Error> {
        let is_avatar = path.extension().is_some_and(|extension| extension == AVATAR_EXTENSION);
        let (mut avatar, declared) = if is_avatar {
            let file = AvatarFile::read(path)?;
            (file.avatar, file.declaration)
        } else {
            let face = self.arguments.face.unwrap_or_default();
            (Avatar::from_photo(path, face, &mut self.finder)?, Declaration::default())
        };
        // An avatar that was learned without a network is as its maker wants it, unless somebody asks for one.
        let asked = self.arguments.weights.is_some()
            || !is_avatar
            || (avatar.network.is_none() && self.arguments.renderer.is_some());
        let weights = self.weights.as_ref().filter(|_| asked);
        if let Some(weights) = weights {
            avatar.network = Some(Arc::new(weights.feed_forward(&avatar.photos())));
        }
        Ok(Opened { avatar, declared, own_network: weights.is_none() })
    }

    /// The renderer asked for, or the best there is.
    fn renderer(&self, avatar: &Avatar) -> RendererKind {
        match self.arguments.renderer {
            Some(RendererArg::Mesh) => RendererKind::Mesh,
            Some(RendererArg::Neural) => RendererKind::Neural,
            None => avatar.best_renderer(),
        }
    }
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
    let drive = drive(&arguments.drive)?;
    let motion = &arguments.motion;
    let mode = match motion.mode {
        MotionArg::Relative => MotionMode::Relative { neutral: motion.neutral },
        MotionArg::Absolute if matches!(drive, Drive::Motion(_)) => {
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
    Ok(Settings {
        drive,
        driver_face: arguments.driver_face.unwrap_or_default(),
        mode,
        gains: Gains {
            pose: motion.pose as f32,
            expression: motion.expression as f32,
            eyes: motion.eyes as f32,
            mouth: motion.mouth as f32,
        },
        smooth: motion.smooth as f32,
        framing,
        side_by_side: picture.side_by_side,
        fps: arguments.time.fps,
        start: arguments.time.start,
        duration: arguments.time.duration,
        repeat: arguments.time.repeat,
        mute: arguments.time.mute,
        renderer: RendererKind::default(),
    })
}

/// A file or folder of that name, else the built-in motion of that name.
fn drive(text: &str) -> Result<Drive, Failure> {
    let path = Path::new(text);
    if let Some(builtin) = BuiltinMotion::find(text).filter(|_| !path.exists()) {
        return Ok(Drive::Motion(builtin.load()));
    }
    if !path.exists() {
        let names: Vec<&str> = builtin_motions::ALL.iter().map(|motion| motion.name).collect();
        let line = format!(
            "{text}: no such file, and no built-in motion of that name; check the path, or choose one of {}",
            names.join(", ")
        );
        return Err(Failure::Failed(line));
    }
    if path.extension().is_some_and(|extension| extension == "motion") {
        return Ok(Drive::Motion(Arc::new(Motion::read(path)?)));
    }
    match gioconda_media::sniff(path)? {
        InputKind::Photo => {
            let line = format!(
                "{text}: a single photo does not move; drive with a clip, a folder of pictures or a motion"
            );
            Err(Failure::Failed(line))
        }
        InputKind::Clip | InputKind::PictureFolder => Ok(Drive::Clip(path.to_owned())),
    }
}
