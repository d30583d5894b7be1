//! `gioconda studio`: portraits in the browser.

use std::path::PathBuf;

use gioconda_studio::{Error, Settings};

use super::{decode_upload, token};
use crate::cli::StudioArgs;
use crate::commands::outputs::Inputs;
use crate::report::{Failure, Terminal, print, with_hint};

/// Runs the studio until Ctrl-C.
pub(crate) fn run(arguments: &StudioArgs, terminal: &Terminal) -> Result<(), Failure> {
    let read = [&arguments.weights, &arguments.gallery].into_iter().flatten().map(PathBuf::as_path);
    let inputs = Inputs::new(read);
    arguments.avatars.iter().try_for_each(|folder| inputs.check_output_folder(folder))?;
    arguments.virtual_camera.iter().try_for_each(|device| inputs.check_output(device))?;
    let mut relay = arguments.relay.clone();
    if let (Some(relay), Some(file)) = (&mut relay, &arguments.relay_token_file) {
        relay.set_token(token::read(file)?);
    }
    let settings = Settings {
        listen: arguments.listen,
        open_browser: !arguments.no_open,
        kiosk: arguments.kiosk,
        gallery: arguments.gallery.clone(),
        avatars: arguments.avatars.clone(),
        token: token::find(&arguments.token)?,
        weights: arguments.weights.clone(),
        virtual_camera: arguments.virtual_camera.clone(),
        relay,
        isolation: decode_upload::isolation(),
    };
    let ready = |server: &gioconda_studio::Server| {
        // The address is the one thing that is printed even when nobody wants to hear more.
        if print(server.link()).is_err() {
            tracing::warn!("the address cannot be printed: {}", server.link());
        }
        terminal.say("the studio is open; Ctrl-C closes it");
    };
    gioconda_studio::run(settings, ready).map_err(|error| match error {
        Error::Server(gioconda_relay::Error::Listen { .. }) => with_hint(&error, "--listen names another"),
        Error::NoDataFolder(_) => with_hint(&error, "--avatars does"),
        other => Failure::Failed(other.to_string()),
    })
}
