//! `gioconda relay`: rooms for studios on different machines.

use gioconda_studio::relay::room::Limits;

use crate::cli::RelayArgs;
use crate::report::{Failure, Terminal, print};

/// Runs a relay until Ctrl-C.
pub(crate) fn run(arguments: &RelayArgs, terminal: &Terminal) -> Result<(), Failure> {
    let limits = Limits { rooms: arguments.rooms, ..Limits::default() };
    gioconda_studio::relay::run(arguments.listen, limits, |address| {
        // The address is the one thing that is printed even when nobody wants to hear more.
        if print(format!("ws://{address}")).is_err() {
            tracing::warn!("the address cannot be printed: ws://{address}");
        }
        terminal.say("the relay listens; Ctrl-C ends it");
    })?;
    Ok(())
}
