//! What is said of everything the studio makes: the mark in the pixels, the signed statement in the file, and on
//! figures and in kiosks the visible label too.

use std::io::Write as _;
use std::path::Path;

use gioconda_avatar::RendererKind;
use gioconda_http::ApiError;
use gioconda_portrait::{Made, Portrait};
use gioconda_provenance::{Input, Language, Statement, Subject};
use image::RgbImage;

use crate::jpeg;
use crate::options::{Options, PortraitId};
use crate::studio::Studio;

/// The statement of what `renderer` paints of `portrait`, moved by the clip in `driver` if it is one.
pub(crate) fn statement(
    portrait: &Portrait,
    renderer: RendererKind,
    driver: Option<Input>,
    options: &Options,
) -> Statement {
    let made = Made::by(renderer).driver(driver);
    portrait.statement(made.declared(options.subject.map(Subject::from), options.consent.clone()))
}

impl Studio {
    /// The language of the visible label: what children see always says what it is.
    pub(crate) fn label(&self, portrait: &PortraitId, options: &Options) -> Option<Language> {
        let for_children = self.settings.kiosk || matches!(portrait, PortraitId::Figure { .. });
        options.label_language(for_children)
    }

    /// `picture`, which bears the mark already, as a signed JPEG.
    pub(crate) fn signed_jpeg(&self, picture: &RgbImage, statement: &Statement) -> Result<Vec<u8>, ApiError> {
        let file = self.store.uploads.file()?.into_temp_path();
        std::fs::write(&file, jpeg::encode(picture, jpeg::PAGE_QUALITY))?;
        self.sign(&file, statement)?;
        Ok(std::fs::read(&file)?)
    }

    /// Puts the signed statement into the file at `path`.
    pub(crate) fn sign(&self, path: &Path, statement: &Statement) -> Result<(), ApiError> {
        statement.sign(path, &self.identity).map_err(|error| {
            // The signing library does not tell a full disk from other failures; writing does.
            let room = self.store.uploads.file().and_then(|mut file| file.write_all(&vec![0; 64 << 10]));
            room.map_or_else(ApiError::from, |()| ApiError::failed(&error))
        })
    }
}
