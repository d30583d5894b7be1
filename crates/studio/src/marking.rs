//! What is said of everything the studio makes: the mark in the pixels, the signed statement in the file, and on
//! figures and in kiosks the visible label too.

use std::path::Path;

use gioconda_avatar::{PORTRAIT_NETWORK, RendererKind, model_cards};
use gioconda_provenance::{Input, Language, Model, Source, Statement, Subject};
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
            models: models(Painter::of(renderer, portrait.own_network, self.weights_file.as_ref())),
            subject: options.subject.map(Subject::from).or(declared).unwrap_or_default(),
            consent: options.consent.clone().or_else(|| portrait.declaration.consent.clone()),
            watermark: portrait.payload(),
        }
    }

    /// The language of the visible label: what children see always says what it is.
    pub(crate) fn label(&self, portrait: &PortraitId, options: &Options) -> Option<Language> {
        let for_children = self.settings.kiosk || matches!(portrait, PortraitId::Figure { .. });
        options.label_language(for_children)
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

/// What paints a portrait, as far as its statement tells.
#[derive(Clone, Copy, Debug)]
pub enum Painter<'a> {
    /// The face mesh alone.
    Mesh,
    /// The network inside the program.
    BuiltIn,
    /// The network of a weight file.
    Weights(&'a Input),
    /// The network of the avatar file, which is named as an input already.
    Own,
}

impl<'a> Painter<'a> {
    /// What `renderer` paints with: the network that came with the avatar, else that of `weights`, else the one inside the
    /// program.
    pub fn of(renderer: RendererKind, own_network: bool, weights: Option<&'a Input>) -> Self {
        match (renderer, weights) {
            (RendererKind::Mesh, _) => Self::Mesh,
            (RendererKind::Neural, _) if own_network => Self::Own,
            (RendererKind::Neural, Some(file)) => Self::Weights(file),
            (RendererKind::Neural, None) => Self::BuiltIn,
        }
    }
}

/// The models that take part: those inside the program, of which the portrait network only where it paints, or the file
/// of weights in its stead.
pub fn models(painter: Painter<'_>) -> Vec<Model> {
    let inside = model_cards()
        .filter(|card| card.name != PORTRAIT_NETWORK.name || matches!(painter, Painter::BuiltIn))
        .map(|card| Model { name: card.name.to_owned(), sha256: card.sha256.to_owned() });
    let network = match painter {
        Painter::Weights(file) => {
            Some(Model { name: "portrait network".to_owned(), sha256: file.sha256_hex() })
        }
        Painter::Mesh | Painter::BuiltIn | Painter::Own => None,
    };
    inside.chain(network).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_statement_names_the_network_that_paints_and_no_other() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("weights.safetensors");
        std::fs::write(&path, "weights").expect("written");
        let file = Input::read("weights", &path, None, false).expect("an input");
        let (mesh, neural) = (RendererKind::Mesh, RendererKind::Neural);
        let inside = Some(PORTRAIT_NETWORK.sha256.to_owned());
        for (renderer, own, weights, named) in [
            (mesh, false, None, None),
            (mesh, false, Some(&file), None),
            (neural, false, None, inside),
            (neural, false, Some(&file), Some(file.sha256_hex())),
            (neural, true, None, None),
            (neural, true, Some(&file), None),
        ] {
            let models = models(Painter::of(renderer, own, weights));
            let network = models.iter().find(|model| model.name.starts_with("portrait"));
            assert_eq!(network.map(|model| model.sha256.clone()), named, "{renderer:?}, own: {own}");
            let others = model_cards().count() - 1;
            assert_eq!(models.len(), others + usize::from(network.is_some()));
        }
    }
}
