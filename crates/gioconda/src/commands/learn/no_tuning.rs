//! Stands for tuning in builds without the feature `train`.

use gioconda_avatar::{Avatar, PersonalNetwork, PortraitWeights};

use crate::cli::LearnArgs;
use crate::report::{Failure, Terminal};

/// The untuned network; says that it is, where nobody asked for that.
#[allow(clippy::unnecessary_wraps, reason = "it stands for one that may fail")]
pub(super) fn network(
    avatar: &Avatar,
    weights: &PortraitWeights,
    arguments: &LearnArgs,
    terminal: &Terminal,
) -> Result<PersonalNetwork, Failure> {
    if !arguments.feed_forward {
        terminal.say("this program was built without tuning: the network is left untuned");
    }
    Ok(weights.feed_forward(&avatar.photos()))
}
