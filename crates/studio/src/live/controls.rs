//! What a page may ask of its own portrait: the same in a live session and in a call.

use std::sync::Arc;

use axum::body::Bytes;
use gioconda_http::sockets::End;

use super::outbox::Outbox;
use super::performer::{CameraPicture, Performer};
use super::protocol::{Answer, FromPage, Incoming, Request, SOUND};
use crate::options::{Options, PortraitId};
use crate::studio::Shared;

/// A page's engine and how it shows the portrait.
pub(crate) struct Controls<'a> {
    pub(crate) studio: &'a Shared,
    pub(crate) outbox: &'a Arc<Outbox>,
    pub(crate) performer: Performer,
    pub(crate) portrait: PortraitId,
    pub(crate) options: Box<Options>,
    /// Side of the pictures.
    pub(crate) size: u32,
}

/// What the engine cannot do by itself.
pub(crate) enum Unheard {
    /// A packet of the page's voice, as it came.
    Sound(Bytes),
    /// Another portrait is wanted.
    Portrait(PortraitId),
}

impl Controls<'_> {
    /// Does what the page asks; what is not the engine's business comes back.
    pub(crate) fn hear(&mut self, incoming: Incoming) -> Result<Option<Unheard>, End> {
        match incoming {
            Incoming::Binary(bytes) => {
                let FromPage { sequence, milliseconds, payload } = FromPage::parse(&bytes)
                    .ok_or_else(|| End::not_understood("a binary frame is no camera picture and no sound"))?;
                if sequence == SOUND {
                    return Ok(Some(Unheard::Sound(bytes)));
                }
                self.performer.picture(CameraPicture { sequence, milliseconds, jpeg: payload.to_vec() });
            }
            Incoming::Text(Request::Calibrate) => self.performer.calibrate(),
            Incoming::Text(Request::Options { options }) => match options.check() {
                Ok(()) => {
                    self.options = options;
                    self.look();
                }
                Err(error) => self.outbox.say(&Answer::error(error.line)),
            },
            Incoming::Text(Request::Portrait { portrait }) => return Ok(Some(Unheard::Portrait(portrait))),
            Incoming::Text(Request::Start { .. }) => {
                return Err(End::not_understood("the session is started already"));
            }
        }
        Ok(None)
    }

    /// Has the engine show the portrait as the options say.
    pub(crate) fn look(&self) {
        self.performer.look(self.studio.look(&self.options, self.size, &self.portrait));
    }
}
