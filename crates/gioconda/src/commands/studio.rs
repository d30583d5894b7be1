//! `gioconda studio`: portraits in the browser.

use gioconda_studio::Settings;

use crate::cli::StudioArgs;
use crate::report::{Failure, Terminal, print};

/// Runs the studio until Ctrl-C.
pub(crate) fn run(arguments: &StudioArgs, terminal: &Terminal) -> Result<(), Failure> {
    let settings = Settings {
        listen: arguments.listen,
        open_browser: !arguments.no_open,
        kiosk: arguments.kiosk,
        gallery: arguments.gallery.clone(),
        avatars: arguments.avatars.clone(),
        token: arguments.token.clone(),
        weights: arguments.weights.clone(),
        virtual_camera: arguments.virtual_camera.clone(),
        relay: arguments.relay.clone(),
    };
    let ready = |server: &gioconda_studio::Server| {
        // The address is the one thing that is printed even when nobody wants to hear more.
        if print(server.link()).is_err() {
            tracing::warn!("the address cannot be printed: {}", server.link());
        }
        terminal.say("the studio is open; Ctrl-C closes it");
    };
    gioconda_studio::run(settings, ready)?;
    Ok(())
}
