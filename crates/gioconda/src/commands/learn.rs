//! `gioconda learn`: photos of one person become an avatar file.

#[cfg(not(feature = "train"))]
#[path = "learn/no_tuning.rs"]
mod tuning;
#[cfg(feature = "train")]
mod tuning;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use gioconda_avatar::{
    AVATAR_EXTENSION, Avatar, AvatarFile, Declaration, MOST_PHOTOS, PortraitWeights, Tuning, portrait_network,
};
use gioconda_face::{FaceFinder, Threads};
use serde::Serialize;

use crate::cli::LearnArgs;
use crate::commands::outputs::Inputs;
use crate::report::{self, Failure, Terminal, print_json};

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
    let read = arguments.photos.iter().chain(&arguments.weights).map(PathBuf::as_path);
    Inputs::new(read).check_output(&output)?;
    if arguments.photos.len() > MOST_PHOTOS {
        let count = arguments.photos.len();
        let line = format!(
            "an avatar is made of {MOST_PHOTOS} photos at most, not {count}; choose the best of them"
        );
        return Err(Failure::Usage(line));
    }
    if arguments.steps.is_some() && !cfg!(feature = "train") {
        let line =
            "--steps: this program was built without tuning (Cargo feature `train`); leave the option out";
        return Err(Failure::Usage(line.to_owned()));
    }
    let weights = weights(arguments, terminal)?;
    let mut finder = FaceFinder::new(Threads::Shared)?;
    let face = arguments.face.unwrap_or_default();
    let mut avatar = Avatar::from_photos(&arguments.photos, face, &mut finder)
        .map_err(|error| Failure::Failed(report::in_words(&error.into(), "--face")))?;
    let shown = arguments.photos[0].display();
    for warning in &avatar.warnings {
        terminal.warn(format_args!("{shown}: {warning}"));
    }
    if let Some(weights) = &weights {
        avatar.network = Some(Arc::new(tuning::network(&avatar, weights, arguments, terminal)?));
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
        print_json(&Learned { output, photos, network, bytes, seconds })?;
    }
    Ok(())
}

/// What the network is made of; `None` leaves it out.
fn weights(arguments: &LearnArgs, terminal: &Terminal) -> Result<Option<PortraitWeights>, Failure> {
    if arguments.no_network {
        return Ok(None);
    }
    // Any option about the network asks for one.
    let asked = arguments.weights.is_some() || arguments.steps.is_some() || arguments.feed_forward;
    if !asked && portrait_network().is_none() {
        terminal.say(
            "this program was built without the portrait network: the avatar is painted by the face mesh",
        );
        return Ok(None);
    }
    Ok(Some(PortraitWeights::open_or_built_in(arguments.weights.as_deref())?))
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
