//! What `animate` puts on everything it writes: the mark in the frames, the signed statement in the file.

use std::path::Path;

use gioconda_avatar::{Avatar, Declaration, Drive, Finish, RendererKind};
use gioconda_media::{ClipReader, Frame, ReadOptions};
use gioconda_provenance::watermark::{AvatarId, Payload, READABLE_SIDE};
use gioconda_provenance::{Error, Finisher, Identity, Input, Language, Source, Statement, Subject};
use gioconda_studio::marking::{Painter, models};
use image::RgbImage;

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
    /// What was declared for this run, on the command line or at the terminal.
    subject: Option<Subject>,
    /// The clip or the motion file that drives, where it is a file.
    driver: Option<Input>,
    weights: Option<Input>,
}

impl<'a> Provenance<'a> {
    /// Asks, reads and makes what is needed, before anything is computed.
    pub(crate) fn prepare(
        options: &'a ProvenanceOptions,
        drive: &Drive,
        driver: &Path,
        weights: Option<&Path>,
        terminal: &Terminal,
    ) -> Result<Self, Failure> {
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
        let driver = match drive {
            Drive::Clip(path) => {
                Some(Input::read("driver", path, first_frame(path).as_ref(), options.credit)?)
            }
            Drive::Motion(_) if driver.is_file() => {
                Some(Input::read("motion", driver, None, options.credit)?)
            }
            Drive::Motion(_) => None,
        };
        let weights = weights.map(|path| Input::read("weights", path, None, options.credit)).transpose()?;
        Ok(Self { options, identity: Some(identity), subject: None, driver, weights })
    }

    /// What is said of an output made of the photo or avatar file at `path`, painted by `renderer`, with the file's own
    /// network or another.
    ///
    /// The first photo about which nothing was declared brings up the question; the answer holds for the whole run.
    pub(crate) fn statement(
        &mut self,
        path: &Path,
        avatar: &Avatar,
        declared: &Declaration,
        (renderer, own_network): (RendererKind, bool),
        terminal: &Terminal,
    ) -> Result<Statement, Error> {
        let portrait = Input::read("portrait", path, Some(&avatar.photo), self.options.credit)?;
        let subject = match declared.subject.as_deref().map(str::parse) {
            _ if self.options.subject.is_some() => self.options.subject.unwrap_or_default(),
            Some(Ok(subject)) => subject,
            _ => self.ask(terminal),
        };
        if subject == Subject::Undeclared && self.identity.is_some() {
            terminal.say(format_args!("{}: who is shown is undeclared; --subject says it", path.display()));
        }
        let watermark = Payload::today(AvatarId::from_hash(portrait.sha256));
        Ok(Statement {
            // Both renderers keep the photo's own pixels; the neural one paints what the photo does not show.
            source: Source::Composite,
            inputs: std::iter::once(portrait).chain(self.driver.clone()).collect(),
            models: models(Painter::of(renderer, own_network, self.weights.as_ref())),
            subject,
            consent: self.options.consent.clone().or_else(|| declared.consent.clone()),
            watermark,
        })
    }

    fn ask(&mut self, terminal: &Terminal) -> Subject {
        if self.identity.is_none() {
            return Subject::Undeclared;
        }
        *self.subject.get_or_insert_with(|| {
            let answer = terminal.ask(QUESTION).filter(|answer| !answer.is_empty());
            answer.map_or(Subject::Undeclared, |answer| {
                answer.parse::<Subject>().unwrap_or_else(|fault| {
                    terminal.warn(fault);
                    Subject::Undeclared
                })
            })
        })
    }

    /// Says so where frames of this size are too small for the mark to be read again.
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
        let mut finisher = Finisher::new(label, mark);
        let frame = Box::new(move |frame: &mut RgbImage| finisher.finish(frame));
        let sign = |file: &Path| match &self.identity {
            Some(identity) => statement.sign(file, identity).map_err(|error| error.reason()),
            None => Ok(()),
        };
        Finish { frame, file: Box::new(sign) }
    }
}

/// `None` where it cannot be read: the driver is opened again, and complained about, when it is needed.
fn first_frame(clip: &Path) -> Option<RgbImage> {
    let mut reader = ClipReader::open(clip, &ReadOptions::default()).ok()?;
    let mut frame = Frame::default();
    reader.read(&mut frame).ok()?.then_some(frame.image)
}
