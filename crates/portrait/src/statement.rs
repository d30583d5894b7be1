//! What is said of everything that is made of a portrait: the mark in the frames, the signed statement in the file.

use std::path::Path;

use gioconda_avatar::{Drive, Finish, RendererKind};
use gioconda_media::{ClipReader, Frame, ReadOptions};
use gioconda_provenance::watermark::Payload;
use gioconda_provenance::{Finisher, Input, Language, Source, Statement, Subject};
use image::RgbImage;

use crate::Error;
use crate::painter::models;
use crate::portrait::Portrait;

/// How an output was made and what its maker declares, beyond what the portrait's own file does.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Made {
    /// What rendered it.
    pub renderer: RendererKind,
    /// The clip or motion file that drives.
    pub driver: Option<Input>,
    /// Who is shown; `None` is what the portrait's file declares.
    pub subject: Option<Subject>,
    /// Who agreed to what; `None` is what the portrait's file declares.
    pub consent: Option<String>,
}

impl Made {
    /// By `renderer`, with nothing declared.
    pub fn by(renderer: RendererKind) -> Self {
        Self { renderer, ..Self::default() }
    }

    /// Moved by a file.
    #[must_use]
    pub fn driver(self, driver: Option<Input>) -> Self {
        Self { driver, ..self }
    }

    /// Declares who is shown, and who agreed to what.
    #[must_use]
    pub fn declared(self, subject: Option<Subject>, consent: Option<String>) -> Self {
        Self { subject, consent, ..self }
    }
}

impl Portrait {
    /// What is said of an output of this portrait.
    pub fn statement(&self, made: Made) -> Statement {
        let Made { renderer, driver, subject, consent } = made;
        Statement {
            // Both renderers keep the photo's own pixels; the neural one paints what the photo does not show.
            source: Source::Composite,
            inputs: std::iter::once(self.input.clone()).chain(driver).collect(),
            models: models(renderer, &self.network_source),
            subject: subject.or(self.subject()).unwrap_or_default(),
            consent: consent.or_else(|| self.declaration.consent.clone()),
            watermark: self.mark(),
        }
    }
}

/// What drives, for the statement: a clip with a small picture of its first frame, or a motion file; nothing where the motion
/// is built in. `credit` keeps the file's name.
///
/// # Errors
/// When the file cannot be read.
pub fn driver(drive: &Drive, credit: bool) -> Result<Option<Input>, Error> {
    Ok(match drive {
        Drive::Clip(path) => Some(Input::read("driver", path, first_frame(path).as_ref(), credit)?),
        Drive::Motion { file: Some(path), .. } => Some(Input::read("motion", path, None, credit)?),
        Drive::Motion { file: None, .. } => None,
    })
}

/// `None` where it cannot be read: the driver is opened again, and complained about, when it is needed.
fn first_frame(clip: &Path) -> Option<RgbImage> {
    let mut reader = ClipReader::open(clip, &ReadOptions::default()).ok()?;
    let mut frame = Frame::default();
    reader.read(&mut frame).ok()?.then_some(frame.image)
}

/// What is done to an output last: every frame gets the label, then the mark, where there are any; `sign` signs every
/// file before it gets its name, so that none is ever seen, or left behind, without its statement.
pub fn finish<'a>(
    label: Option<Language>,
    mark: Option<&Payload>,
    sign: impl FnMut(&Path) -> Result<(), String> + 'a,
) -> Finish<'a> {
    let mut finisher = Finisher::new(label, mark);
    let frame = move |frame: &mut RgbImage, alpha: &mut [u8]| finisher.finish_with_alpha(frame, alpha);
    Finish { frame: Box::new(frame), file: Box::new(sign) }
}
