//! `gioconda relay`: rooms for studios on different machines.

use gioconda_relay::{Settings, room::Limits};

use super::token;
use crate::cli::RelayArgs;
use crate::report::{Failure, Terminal, print, with_hint};

/// Runs a relay until Ctrl-C.
pub(crate) fn run(arguments: &RelayArgs, terminal: &Terminal) -> Result<(), Failure> {
    let settings = Settings {
        listen: arguments.listen,
        limits: Limits { rooms: arguments.rooms, ..Limits::default() },
        token: token::find(&arguments.token)?,
    };
    let ran = gioconda_relay::run(settings, |address| {
        // The address is the one thing that is printed even when nobody wants to hear more.
        if print(address).is_err() {
            tracing::warn!("the address cannot be printed: {address}");
        }
        terminal.say("the relay listens; Ctrl-C ends it");
    });
    ran.map_err(|error| match error {
        gioconda_relay::Error::Listen { .. } => with_hint(&error, "--listen names another"),
        other => Failure::Failed(other.to_string()),
    })
}
