//! Films of a portrait, marked and signed.

use std::path::Path;
use std::sync::atomic::AtomicBool;

use gioconda_avatar::{Background, Drive, Progress, Settings, Summary, animate};
use gioconda_provenance::{Identity, Language, Subject};

use crate::Error;
use crate::portrait::Portrait;
use crate::statement::{Made, driver, finish};

/// A film to be made. Begin with [`Portrait::film`] and change what differs.
#[must_use = "a film is made by `write`"]
pub struct Film<'a> {
    portrait: &'a Portrait,
    settings: Settings,
    label: Option<Language>,
    subject: Option<Subject>,
    consent: Option<String>,
    identity: Option<&'a Identity>,
    progress: &'a dyn Fn(Progress),
    cancel: Option<&'a AtomicBool>,
}

impl Portrait {
    /// A film of this portrait, moved by `drive`: by default the whole picture, at the driver's rate and length, by the best
    /// renderer there is.
    pub fn film(&self, drive: Drive) -> Film<'_> {
        Film {
            portrait: self,
            settings: Settings::new(drive).renderer(self.avatar.best_renderer()),
            label: None,
            subject: None,
            consent: None,
            identity: None,
            progress: &|_| {},
            cancel: None,
        }
    }
}

impl<'a> Film<'a> {
    /// Changes the settings: framing, times, strength of the motion.
    pub fn settings(self, change: impl FnOnce(Settings) -> Settings) -> Self {
        Self { settings: change(self.settings), ..self }
    }

    /// Declares who is shown. By default it is what the portrait's file declares.
    pub fn subject(self, subject: Subject) -> Self {
        Self { subject: Some(subject), ..self }
    }

    /// Declares who agreed to what, in free words.
    pub fn consent(self, consent: impl Into<String>) -> Self {
        Self { consent: Some(consent.into()), ..self }
    }

    /// Writes "AI-generated" on every frame, in this language.
    pub fn label(self, label: Language) -> Self {
        Self { label: Some(label), ..self }
    }

    /// Signs with `identity`. By default with the user's key, which is created on first use.
    pub fn signed_by(self, identity: &'a Identity) -> Self {
        Self { identity: Some(identity), ..self }
    }

    /// Calls `progress` after every frame.
    pub fn progress(self, progress: &'a dyn Fn(Progress)) -> Self {
        Self { progress, ..self }
    }

    /// Stops with an error of the kind [`Cancelled`](crate::ErrorKind::Cancelled) once `cancel` is set.
    pub fn cancelled_by(self, cancel: &'a AtomicBool) -> Self {
        Self { cancel: Some(cancel), ..self }
    }

    /// Shows the person before another background than the photo's own. [`Background::Transparent`] needs an output with
    /// alpha: `.webp`, `.apng`, `.webm`, `.mov`, or a folder of PNGs.
    pub fn background(self, background: Background) -> Self {
        self.settings(|settings| settings.background(background))
    }

    /// Makes the film and writes it to `output`, complete, marked and signed, or not at all: `.mp4`, `.gif`, `.webp`, `.apng`, or
    /// a folder of PNGs where there is no extension; where the `ffmpeg` program is, `.webm`, whose statement stands in a file
    /// `NAME.webm.c2pa` beside it, and `.mov`. A file that is there is replaced.
    ///
    /// # Errors
    /// When the driver cannot be read or shows no face, or the output cannot be written or signed.
    pub fn write(self, output: impl AsRef<Path>) -> Result<Summary, Error> {
        let driver = driver(&self.settings.drive, false)?;
        let made = Made::by(self.settings.renderer).driver(driver).declared(self.subject, self.consent);
        let statement = self.portrait.statement(made);
        let users;
        let identity = if let Some(identity) = self.identity {
            identity
        } else {
            users = Identity::of_user().map_err(Error::Key)?;
            &users
        };
        let sign = |file: &Path| statement.sign(file, identity).map_err(|error| error.reason());
        let finish = finish(self.label, Some(&statement.watermark), sign);
        let never = AtomicBool::new(false);
        let cancel = self.cancel.unwrap_or(&never);
        let avatar = &self.portrait.avatar;
        Ok(animate(avatar, &self.settings, output.as_ref(), finish, self.progress, cancel)?)
    }
}
