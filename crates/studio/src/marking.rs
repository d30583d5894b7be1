//! What is said of everything the studio makes: the mark in the pixels, the signed statement in the file, and on
//! figures and in kiosks the visible label too.

use std::path::Path;

use gioconda_avatar::{FrameFinish, RendererKind, expression_basis};
use gioconda_provenance::watermark::Marker;
use gioconda_provenance::{Input, Label, Language, Model, Source, Statement, Subject};
use image::RgbImage;

use crate::error::ApiError;
use crate::library::jpeg;
use crate::options::{Options, PortraitId};
use crate::portraits::Portrait;
use crate::studio::Studio;

impl Studio {
    /// The statement of what `renderer` paints of `portrait`, moved by the clip in `driver` if it is one.
    pub(crate) fn statement(
        &self,
        portrait: &Portrait,
        renderer: RendererKind,
        driver: Option<Input>,
        options: &Options,
    ) -> Statement {
        let declared = portrait.declaration.subject.as_deref().and_then(|subject| subject.parse().ok());
        Statement {
            // Both renderers keep the photo's own pixels; the neural one paints what the photo does not show.
            source: Source::Composite,
            inputs: std::iter::once(portrait.input.clone()).chain(driver).collect(),
            models: self.models(renderer),
            subject: options.subject.map(Subject::from).or(declared).unwrap_or_default(),
            consent: options.consent.clone().or_else(|| portrait.declaration.consent.clone()),
            watermark: portrait.payload(),
        }
    }

    fn models(&self, renderer: RendererKind) -> Vec<Model> {
        let inside = gioconda_face::models().iter().chain([&expression_basis::CARD]);
        let mut models: Vec<Model> =
            inside.map(|card| Model { name: card.name.to_owned(), sha256: card.sha256.to_owned() }).collect();
        if let (RendererKind::Neural, Some((_, file))) = (renderer, &self.weights) {
            models.push(Model { name: "portrait network".to_owned(), sha256: file.sha256_hex() });
        }
        models
    }

    /// The language of the visible label: what children see always says what it is.
    pub(crate) fn label(&self, portrait: &PortraitId, options: &Options) -> Option<Language> {
        let mut options = options.clone();
        options.label |= self.settings.kiosk || matches!(portrait, PortraitId::Figure { .. });
        options.label_language()
    }

    /// `picture`, which bears the mark already, as a signed JPEG.
    pub(crate) fn signed_jpeg(&self, picture: &RgbImage, statement: &Statement) -> Result<Vec<u8>, ApiError> {
        let file = self.uploads.file()?.into_temp_path();
        std::fs::write(&file, jpeg(picture)?)?;
        self.sign(&file, statement)?;
        Ok(std::fs::read(&file)?)
    }

    /// Puts the signed statement into the file at `path`.
    pub(crate) fn sign(&self, path: &Path, statement: &Statement) -> Result<(), ApiError> {
        statement.sign(path, &self.identity).map_err(ApiError::internal)
    }
}

/// Labels, where wanted, and marks a picture.
pub(crate) struct Finisher {
    label: Option<Label>,
    marker: Marker,
}

impl Finisher {
    pub(crate) fn new(label: Option<Language>, statement: &Statement) -> Self {
        Self { label: label.map(Label::new), marker: Marker::new(&statement.watermark) }
    }

    pub(crate) fn finish(&mut self, picture: &mut RgbImage) {
        if let Some(label) = &mut self.label {
            label.draw(picture);
        }
        self.marker.mark(picture);
    }

    /// For every frame of a film.
    pub(crate) fn for_film(mut self) -> FrameFinish {
        Box::new(move |frame| self.finish(frame))
    }
}
