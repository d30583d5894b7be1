//! `gioconda learn`: photos of one person become an avatar file.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use gioconda_avatar::{
    AVATAR_EXTENSION, Avatar, AvatarFile, Declaration, MOST_PHOTOS, PortraitWeights, Tuning,
};
use gioconda_face::{FaceFinder, Threads};
use gioconda_train::{Check, DEFAULT_LEARNING_STEPS, FEWEST_PHOTOS_TO_TUNE, LearnSettings, Outcome};
use serde::Serialize;

use crate::cli::LearnArgs;
use crate::interrupt;
use crate::report::{self, Failure, Terminal, print};

/// What was written, for programs to read.
#[derive(Serialize)]
struct Learned {
    output: PathBuf,
    photos: usize,
    /// `none`, `feed-forward`, or how long it was tuned.
    network: String,
    bytes: u64,
    seconds: f64,
}

/// Finds the faces, tunes the network if there is one, and writes the file.
pub(crate) fn run(arguments: &LearnArgs, terminal: &Terminal) -> Result<(), Failure> {
    let started = Instant::now();
    let output = output(arguments)?;
    if arguments.photos.len() > MOST_PHOTOS {
        let count = arguments.photos.len();
        let line = format!(
            "an avatar is made of {MOST_PHOTOS} photos at most, not {count}; choose the best of them"
        );
        return Err(Failure::Usage(line));
    }
    let weights = if arguments.no_network {
        None
    } else {
        Some(PortraitWeights::open_or_built_in(arguments.weights.as_deref())?)
    };
    let mut finder = FaceFinder::new(Threads::Shared)?;
    let face = arguments.face.unwrap_or_default();
    let mut avatar = Avatar::from_photos(&arguments.photos, face, &mut finder)
        .map_err(|error| Failure::Failed(report::in_words(&error, "--face")))?;
    let shown = arguments.photos[0].display();
    for warning in &avatar.warnings {
        terminal.warn(format_args!("{shown}: {warning}"));
    }
    let few = arguments.photos.len() < FEWEST_PHOTOS_TO_TUNE && arguments.steps.is_none();
    if let Some(weights) = &weights {
        if few && !arguments.feed_forward {
            terminal.say(format_args!(
                "tuning needs {FEWEST_PHOTOS_TO_TUNE} photos to be checked: the network is left untuned"
            ));
        }
        if few || arguments.feed_forward {
            avatar.network = Some(Arc::new(weights.feed_forward(&avatar.photos())));
        } else {
            tune(&mut avatar, weights, arguments, terminal)?;
        }
    }
    let network = avatar.network.as_ref().map(|network| network.tuning);
    let photos = arguments.photos.len();
    let declaration = Declaration {
        subject: arguments.subject.map(|subject| subject.to_string()),
        consent: arguments.consent.clone(),
    };
    AvatarFile::new(avatar, declaration).write(&output)?;

    let bytes = std::fs::metadata(&output).map_or(0, |metadata| metadata.len());
    let network = network.as_ref().map_or_else(|| "none".to_owned(), Tuning::to_string);
    let seconds = started.elapsed().as_secs_f64();
    terminal.say(format_args!(
        "{}: {photos} {}, network: {network}, {} KB, learned in {seconds:.1} s",
        output.display(),
        if photos == 1 { "photo" } else { "photos" },
        bytes.div_ceil(1000),
    ));
    if arguments.json {
        print(serde_json::to_string_pretty(&Learned { output, photos, network, bytes, seconds })?)?;
    }
    Ok(())
}

/// Gives the avatar the network that does best on what was held back, and says which one that is.
fn tune(
    avatar: &mut Avatar,
    weights: &PortraitWeights,
    arguments: &LearnArgs,
    terminal: &Terminal,
) -> Result<(), Failure> {
    let steps = arguments.steps.unwrap_or(DEFAULT_LEARNING_STEPS);
    let settings = LearnSettings { steps, ..LearnSettings::default() };
    let bar = terminal.steps(u64::from(steps));
    let progress = |p: gioconda_train::LearnProgress| bar.show(u64::from(p.done), p.loss);
    let learned = gioconda_train::learn(weights, &avatar.photos(), &settings, &progress, interrupt::flag());
    drop(bar);
    let (network, outcome) = learned?;
    terminal.say(verdict(&outcome));
    avatar.network = Some(Arc::new(network));
    Ok(())
}

fn verdict(outcome: &Outcome) -> String {
    let Outcome { untuned, tuned, steps, check, taken } = outcome;
    let judged = match check {
        Check::Photos(1) => "on a photo that was held back".to_owned(),
        Check::Photos(count) => format!("on {count} photos that were held back"),
        Check::Copies => "on warped copies of the photos (3 photos or more allow a real check)".to_owned(),
    };
    if *taken {
        format!("tuned for {steps} steps: the loss {judged} fell from {untuned:.4} to {tuned:.4}")
    } else {
        format!(
            "tuning did not help: the loss {judged} was {untuned:.4} before and {tuned:.4} at best; the untuned network is kept"
        )
    }
}

/// Where the avatar goes; refused before anything is computed when it is no avatar's name.
fn output(arguments: &LearnArgs) -> Result<PathBuf, Failure> {
    let first = Path::new(arguments.photos[0].file_name().unwrap_or("person".as_ref()));
    let output = arguments.output.clone().unwrap_or_else(|| first.with_extension(AVATAR_EXTENSION));
    if output.extension().is_none_or(|extension| extension != AVATAR_EXTENSION) {
        return Err(Failure::Usage(format!("{}: an avatar file's name ends in .avatar", output.display())));
    }
    Ok(output)
}
