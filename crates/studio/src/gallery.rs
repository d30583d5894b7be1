//! Figures of the past: the built-in ones, or a museum's folder of them.
//!
//! A figure is `ID.toml`, its card, and `ID.jpg` or `ID.png`, its picture. Cards have an `order`, a `subject`, a
//! `source` and a `licence`, and one table for each language: `[en]`, `[it]`, `[es]`, each with `name`, `when`, `who`
//! and `text`. A language that is missing is shown in English. `sha256`, where it is there, must be the picture's.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use gioconda_provenance::{Input, Subject};
use include_dir::{Dir, include_dir};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::error::Error;
use crate::options::LanguageCode;

static BUILT_IN: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/gallery");

/// A figure as it is shown.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct Figure {
    /// What requests call it by.
    pub(crate) id: String,
    /// Its name.
    pub(crate) name: String,
    /// When the person lived, or the picture was made.
    pub(crate) when: String,
    /// Who that is, in one line.
    pub(crate) who: String,
    /// Where the picture is from.
    pub(crate) source: String,
    /// What may be done with it.
    pub(crate) licence: String,
    /// A sentence or two for children.
    pub(crate) text: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Card {
    #[serde(default)]
    order: i64,
    #[serde(default)]
    subject: Subject,
    source: String,
    licence: String,
    #[serde(default)]
    sha256: Option<String>,
    en: Words,
    it: Option<Words>,
    es: Option<Words>,
}

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Words {
    name: String,
    when: String,
    who: String,
    text: String,
}

struct Exhibit {
    card: Card,
    picture: PathBuf,
}

/// All figures.
pub(crate) struct Gallery {
    exhibits: BTreeMap<String, Exhibit>,
}

impl Gallery {
    /// Reads a museum's `folder`; without one the built-in figures, which are laid out in `temporary`.
    pub(crate) fn open(folder: Option<&Path>, temporary: &Path) -> Result<Self, Error> {
        let folder = if let Some(folder) = folder {
            folder.to_owned()
        } else {
            let laid_out = temporary.join("gallery");
            let failed = |cause| Error::Folder { path: laid_out.clone(), cause };
            std::fs::create_dir_all(&laid_out).map_err(failed)?;
            BUILT_IN.extract(&laid_out).map_err(failed)?;
            laid_out
        };
        let failed = |cause| Error::Folder { path: folder.clone(), cause };
        let mut exhibits = BTreeMap::new();
        for entry in std::fs::read_dir(&folder).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            if path.extension().is_some_and(|extension| extension == "toml") {
                let id = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
                exhibits.insert(id, Exhibit::read(&path)?);
            }
        }
        Ok(Self { exhibits })
    }

    /// The figures in their order.
    pub(crate) fn figures(&self, language: LanguageCode) -> Vec<Figure> {
        let mut sorted: Vec<(&String, &Exhibit)> = self.exhibits.iter().collect();
        sorted.sort_by_key(|(id, exhibit)| (exhibit.card.order, id.as_str()));
        sorted.into_iter().map(|(id, exhibit)| exhibit.figure(id, language)).collect()
    }

    /// The picture of a figure, and who that is as far as its card declares it.
    pub(crate) fn picture(&self, id: &str) -> Option<(&Path, Subject)> {
        self.exhibits.get(id).map(|exhibit| (exhibit.picture.as_path(), exhibit.card.subject))
    }
}

impl Exhibit {
    fn read(card: &Path) -> Result<Self, Error> {
        let refused = |path: &Path, what: String| Error::Figure { path: path.to_owned(), what };
        let text =
            std::fs::read_to_string(card).map_err(|cause| Error::Folder { path: card.to_owned(), cause })?;
        let parsed: Card = toml::from_str(&text).map_err(|error| {
            let line = error.message().split_whitespace().collect::<Vec<_>>().join(" ");
            refused(card, format!("{line}; compare it with the cards in crates/studio/gallery"))
        })?;
        let pictures = ["jpg", "jpeg", "png"].map(|extension| card.with_extension(extension));
        let picture = pictures.into_iter().find(|path| path.is_file()).ok_or_else(|| {
            refused(card, "its picture is missing; put a .jpg or .png of the same name beside it".to_owned())
        })?;
        if let Some(expected) = &parsed.sha256 {
            let input = Input::read("portrait", &picture, None, false)?;
            if *expected != input.sha256_hex() {
                let what = format!("its SHA-256 is {}, its card says {expected}", input.sha256_hex());
                return Err(refused(&picture, what));
            }
        }
        Ok(Self { card: parsed, picture })
    }

    fn figure(&self, id: &str, language: LanguageCode) -> Figure {
        let card = &self.card;
        let text = match language {
            LanguageCode::En => None,
            LanguageCode::It => card.it.as_ref(),
            LanguageCode::Es => card.es.as_ref(),
        };
        let Words { name, when, who, text } = text.unwrap_or(&card.en).clone();
        let (source, licence) = (card.source.clone(), card.licence.clone());
        Figure { id: id.to_owned(), name, when, who, source, licence, text }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_figures_are_there_in_three_languages() {
        let temporary = tempfile::tempdir().expect("a temporary folder");
        let gallery = Gallery::open(None, temporary.path()).expect("the built-in figures");
        let english = gallery.figures(LanguageCode::En);
        assert_eq!(english[0].id, "mona-lisa");
        assert!(english.len() >= 3);
        for language in [LanguageCode::It, LanguageCode::Es] {
            let figures = gallery.figures(language);
            assert!(figures.iter().zip(&english).all(|(a, b)| a.id == b.id && a.text != b.text));
        }
        assert_eq!(gallery.picture("mona-lisa").expect("her picture").1, Subject::Artwork);
    }

    #[test]
    fn a_card_that_is_not_right_is_named() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let cases = [("order = 1", "missing field"), ("source = 1", "invalid type"), ("[", "")];
        for (text, said) in cases {
            std::fs::write(folder.path().join("someone.toml"), text).expect("written");
            let error = Gallery::open(Some(folder.path()), folder.path()).err().expect("refused").to_string();
            assert!(error.contains("someone.toml") && error.contains(said), "{text}: {error}");
        }
    }
}
