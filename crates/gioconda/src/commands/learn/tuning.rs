//! The network is tuned to the person.

use gioconda_avatar::{Avatar, PersonalNetwork, PortraitWeights};
use gioconda_train::{Check, DEFAULT_LEARNING_STEPS, FEWEST_PHOTOS_TO_TUNE, LearnSettings, Outcome};

use crate::cli::LearnArgs;
use crate::interrupt;
use crate::report::{Failure, Terminal};

/// The tuned network where it is wanted, there are enough photos and it does best on what was held back; else the untuned
/// one. Says which one that is, and why.
pub(super) fn network(
    avatar: &Avatar,
    weights: &PortraitWeights,
    arguments: &LearnArgs,
    terminal: &Terminal,
) -> Result<PersonalNetwork, Failure> {
    if arguments.feed_forward {
        return Ok(weights.feed_forward(&avatar.photos()));
    }
    if arguments.photos.len() < FEWEST_PHOTOS_TO_TUNE && arguments.steps.is_none() {
        terminal.say(format_args!(
            "tuning needs {FEWEST_PHOTOS_TO_TUNE} photos to be checked: the network is left untuned"
        ));
        return Ok(weights.feed_forward(&avatar.photos()));
    }
    let steps = arguments.steps.unwrap_or(DEFAULT_LEARNING_STEPS);
    let settings = LearnSettings { steps, ..LearnSettings::default() };
    let bar = terminal.steps(u64::from(steps));
    let progress = |p: gioconda_train::LearnProgress| bar.show(u64::from(p.done), p.loss);
    let learned = gioconda_train::learn(weights, &avatar.photos(), &settings, &progress, interrupt::flag());
    drop(bar);
    let (network, outcome) = learned?;
    terminal.say(verdict(&outcome));
    Ok(network)
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
