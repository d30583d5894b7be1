//! What `animate` puts on everything it writes: the mark in the frames, the signed statement in the file.

use std::path::{Path, PathBuf};

use gioconda_avatar::{AVATAR_EXTENSION, AvatarFile, Drive, Finish, RendererKind};
use gioconda_portrait::{Made, NetworkSource, Portrait};
use gioconda_provenance::watermark::READABLE_SIDE;
use gioconda_provenance::{Identity, Input, Language, Statement, Subject};

use crate::cli::{LabelArg, ProvenanceOptions};
use crate::report::{Failure, Terminal};

/// What is said each time provenance is left out.
const LEFT_OUT: &str = "--no-provenance: the output will not say that it is made by AI, neither in a signed statement \
    nor in an invisible mark; whoever publishes it must say so (EU AI Act, Article 50)";

/// Asked once, of people at a terminal.
const QUESTION: &str =
    "Who is shown? self, consented, historical, artwork or fictional (Enter leaves it undeclared):";

/// What all outputs of one run have in common.
pub(crate) struct Provenance<'a> {
    options: &'a ProvenanceOptions,
    /// `None` leaves provenance out.
    identity: Option<Identity>,
    /// What was answered at the terminal.
    subject: Option<Subject>,
    /// The clip or the motion file that drives, where it is a file.
    driver: Option<Input>,
    weights: Option<Input>,
}

impl<'a> Provenance<'a> {
    /// Asks, reads and makes what is needed, before anything is computed. A `size` that was asked for must be one at which
    /// the watermark can be read.
    pub(crate) fn prepare(
        options: &'a ProvenanceOptions,
        drive: &Drive,
        weights: Option<&Path>,
        size: Option<u32>,
        terminal: &Terminal,
    ) -> Result<Self, Failure> {
        if let Some(size) = size.filter(|&size| size < READABLE_SIDE && !options.no_provenance) {
            return Err(Failure::Usage(format!(
                "--size {size}: below {READABLE_SIDE} pixels the invisible watermark cannot be read again; choose {READABLE_SIDE} or more"
            )));
        }
        if options.no_provenance {
            terminal.warn(LEFT_OUT);
            return Ok(Self { options, identity: None, subject: None, driver: None, weights: None });
        }
        let identity = match (&options.sign_cert, &options.sign_key) {
            (Some(certificates), Some(key)) => Identity::from_files(certificates, key)?,
            _ => Identity::of_user()?,
        };
        if let Some(warning) = &identity.warning {
            terminal.warn(warning);
        }
        let driver = gioconda_portrait::driver(drive, options.credit)?;
        let weights = weights.map(|path| Input::read("weights", path, None, options.credit)).transpose()?;
        Ok(Self { options, identity: Some(identity), subject: None, driver, weights })
    }

    /// Asks who is shown, once for the whole run, where a photo is there about which nothing was declared: neither on the
    /// command line nor in an avatar file.
    pub(crate) fn ask(&mut self, photos: &[PathBuf], terminal: &Terminal) {
        if self.identity.is_none() || self.options.subject.is_some() {
            return;
        }
        if photos.iter().any(|photo| photo.exists() && !declares_subject(photo)) {
            let answer = terminal.ask(QUESTION).filter(|answer| !answer.is_empty());
            self.subject = answer.and_then(|answer| match answer.parse::<Subject>() {
                Ok(subject) => Some(subject),
                Err(fault) => {
                    terminal.warn(fault);
                    None
                }
            });
        }
    }

    /// Where the networks come from that photos get.
    pub(crate) fn network_source(&self) -> NetworkSource {
        self.weights.clone().map_or(NetworkSource::BuiltIn, NetworkSource::WeightFile)
    }

    /// What is said of an output made of the portrait in the photo or avatar file at `path`, painted by `renderer`.
    pub(crate) fn statement(
        &self,
        path: &Path,
        portrait: &Portrait,
        renderer: RendererKind,
        terminal: &Terminal,
    ) -> Statement {
        let subject = self.options.subject.or(portrait.subject()).or(self.subject);
        let made =
            Made::by(renderer).driver(self.driver.clone()).declared(subject, self.options.consent.clone());
        let statement = portrait.statement(made);
        if statement.subject == Subject::Undeclared && self.identity.is_some() {
            terminal.say(format_args!("{}: who is shown is undeclared; --subject says it", path.display()));
        }
        statement
    }

    /// Says so where frames of this size, which nobody asked for, are too small for the mark to be read again: a small
    /// photo, or a narrow one.
    pub(crate) fn warn_of_size(&self, size: (u32, u32), terminal: &Terminal) {
        if self.identity.is_some() && size.0.min(size.1) < READABLE_SIDE {
            terminal.warn(format_args!(
                "{}x{} pixels are few for the invisible mark, which needs {READABLE_SIDE} to be read after compression; the signed statement is in the file",
                size.0, size.1
            ));
        }
    }

    /// What is done to the output last: every frame gets the label, then the mark; every file is signed before it gets
    /// its name, so that none is ever seen, or left behind, without its statement.
    pub(crate) fn finish<'b>(&'b self, statement: &'b Statement) -> Finish<'b> {
        let label = self.options.label.map(|language| match language {
            LabelArg::En => Language::English,
            LabelArg::It => Language::Italian,
            LabelArg::Es => Language::Spanish,
        });
        let mark = self.identity.as_ref().map(|_| &statement.watermark);
        gioconda_portrait::finish(label, mark, |file| match &self.identity {
            Some(identity) => statement.sign(file, identity).map_err(|error| error.reason()),
            None => Ok(()),
        })
    }
}

/// Whether `photo` is an avatar file that says who is shown. A file that cannot be read is complained about when it is
/// opened.
fn declares_subject(photo: &Path) -> bool {
    let is_avatar = photo.extension().is_some_and(|extension| extension == AVATAR_EXTENSION);
    let declared = || AvatarFile::read_declaration(photo).ok()?.subject?.parse::<Subject>().ok();
    is_avatar && declared().is_some()
}
