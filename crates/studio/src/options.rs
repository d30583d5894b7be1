//! What is wanted, as requests say it: whose face, moved by what, how strongly.

use gioconda_avatar::{Background, DEFAULT_HEAD_SIDE, Framing, Gains};
use gioconda_http::{ApiError, Id};
use gioconda_provenance::watermark::READABLE_SIDE;
use gioconda_provenance::{Language, Subject};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use utoipa::ToSchema;

use crate::limits;

/// Whose face is shown.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Deserialize, Serialize, ToSchema)]
#[serde(
    untagged,
    deny_unknown_fields,
    expecting = "a portrait is {\"photo\": ID}, {\"figure\": ID} or {\"avatar\": ID}, with an optional \"face\""
)]
pub(crate) enum PortraitId {
    /// A photo that was uploaded.
    Photo {
        /// Its id.
        photo: Id,
        /// Which face, from the left, from 0; needed where there are several.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schema(maximum = 65535)]
        face: Option<u16>,
    },
    /// A figure of the gallery.
    Figure {
        /// Its id.
        figure: String,
        /// Which face, from the left, from 0; needed where there are several.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schema(maximum = 65535)]
        face: Option<u16>,
    },
    /// A saved avatar.
    Avatar {
        /// Its id.
        avatar: String,
        /// Not needed: an avatar has one face.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schema(maximum = 65535)]
        face: Option<u16>,
    },
}

/// What moves it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Deserialize, Serialize, ToSchema)]
#[serde(untagged, deny_unknown_fields, expecting = "a drive is {\"motion\": NAME} or {\"clip\": ID}")]
pub(crate) enum DriveId {
    /// A built-in motion.
    Motion {
        /// Its name.
        motion: String,
    },
    /// A clip that was uploaded.
    Clip {
        /// Its id.
        clip: Id,
    },
}

/// Kind of file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Format {
    /// H.264, with the clip's sound.
    #[default]
    Mp4,
    /// Animated WebP.
    Webp,
    /// Animated GIF.
    Gif,
}

impl Format {
    pub(crate) fn extension(self) -> &'static str {
        match self {
            Self::Mp4 => "mp4",
            Self::Webp => "webp",
            Self::Gif => "gif",
        }
    }

    pub(crate) fn mime(self) -> &'static str {
        match self {
            Self::Mp4 => "video/mp4",
            Self::Webp => "image/webp",
            Self::Gif => "image/gif",
        }
    }
}

/// What is behind the person, as the command line says it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Behind(pub(crate) Background);

impl<'de> Deserialize<'de> for Behind {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map(Self).map_err(|fault: String| D::Error::custom(format!("background: {fault}")))
    }
}

impl Serialize for Behind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

/// Languages of figures and of labels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LanguageCode {
    /// English.
    #[default]
    En,
    /// Italian.
    It,
    /// Spanish.
    Es,
}

/// Who is shown, as its maker declares it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs, reason = "the names say it")]
pub(crate) enum DeclaredSubject {
    #[serde(rename = "self")]
    Oneself,
    Consented,
    Historical,
    Artwork,
    Fictional,
    Undeclared,
}

impl From<DeclaredSubject> for Subject {
    fn from(declared: DeclaredSubject) -> Self {
        match declared {
            DeclaredSubject::Oneself => Self::Oneself,
            DeclaredSubject::Consented => Self::Consented,
            DeclaredSubject::Historical => Self::Historical,
            DeclaredSubject::Artwork => Self::Artwork,
            DeclaredSubject::Fictional => Self::Fictional,
            DeclaredSubject::Undeclared => Self::Undeclared,
        }
    }
}

/// How it is shown. Everything may be left out.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Options {
    /// How strongly the face moves: 0 still, 1 as performed, 2 twice as much.
    #[schema(minimum = 0, maximum = 2)]
    pub(crate) expression: f32,
    /// How strongly the head moves.
    #[schema(minimum = 0, maximum = 2)]
    pub(crate) pose: f32,
    /// How strongly lids and gaze move.
    #[schema(minimum = 0, maximum = 2)]
    pub(crate) eyes: f32,
    /// How strongly lips and jaw move.
    #[schema(minimum = 0, maximum = 2)]
    pub(crate) mouth: f32,
    /// How strongly the motion is smoothed: 0 off, 1 the default.
    #[schema(minimum = 0, maximum = 5)]
    pub(crate) smoothing: f32,
    /// Pixels: the longest side of the whole picture, or the side of the crop.
    #[schema(minimum = 64, maximum = 1920)]
    pub(crate) size: Option<u32>,
    /// Whether to show a square around the head instead of the whole picture.
    pub(crate) crop: bool,
    /// What is behind the person in a film: `keep` (the photo's background), `blur`, `transparent` (with the format `webp`), or a
    /// colour as `#rrggbb`.
    #[schema(value_type = String, pattern = "^(keep|blur|transparent|#[0-9A-Fa-f]{6})$")]
    pub(crate) background: Behind,
    /// Kind of file.
    pub(crate) format: Format,
    /// Whether the picture says visibly that it is made by AI.
    pub(crate) label: bool,
    /// The label's language.
    pub(crate) language: LanguageCode,
    /// Who is shown; left out, what the figure or the avatar declares.
    pub(crate) subject: Option<DeclaredSubject>,
    /// Who agreed to what, in free words.
    #[schema(max_length = 400)]
    pub(crate) consent: Option<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            expression: 1.0,
            pose: 1.0,
            eyes: 1.0,
            mouth: 1.0,
            smoothing: 1.0,
            size: None,
            crop: false,
            background: Behind::default(),
            format: Format::default(),
            label: false,
            language: LanguageCode::default(),
            subject: None,
            consent: None,
        }
    }
}

/// Below it the invisible mark cannot be read again.
const SMALLEST_SIDE: u32 = READABLE_SIDE;

impl Options {
    /// Refuses what lies outside its range.
    pub(crate) fn check(&self) -> Result<(), ApiError> {
        for (name, value, most) in [
            ("expression", self.expression, 2.0),
            ("pose", self.pose, 2.0),
            ("eyes", self.eyes, 2.0),
            ("mouth", self.mouth, 2.0),
            ("smoothing", self.smoothing, 5.0),
        ] {
            if !(0.0..=most).contains(&value) {
                return Err(ApiError::unusable(format!("{name} goes from 0 to {most}, not {value}")));
            }
        }
        if let Some(size) = self.size.filter(|size| !(SMALLEST_SIDE..=limits::LARGEST_SIDE).contains(size)) {
            let most = limits::LARGEST_SIDE;
            let line = format!("size goes from {SMALLEST_SIDE} to {most} pixels, not {size}");
            return Err(ApiError::unusable(line));
        }
        if self.background.0 == Background::Transparent && self.format != Format::Webp {
            return Err(ApiError::unusable("a transparent background needs the format webp"));
        }
        check_text("consent", self.consent.as_deref())
    }

    /// How strongly each part of the motion is performed.
    pub(crate) fn gains(&self) -> Gains {
        Gains { pose: self.pose, expression: self.expression, eyes: self.eyes, mouth: self.mouth }
    }

    /// What is shown, no side longer than `most` pixels.
    pub(crate) fn framing(&self, most: u32) -> Framing {
        if self.crop {
            Framing::Head { side: self.size.unwrap_or(DEFAULT_HEAD_SIDE).min(most) }
        } else {
            Framing::Full { longest_side: self.size.unwrap_or(limits::LARGEST_SIDE).min(most) }
        }
    }

    /// The language of the visible label, where one is wanted here or needed anyway.
    pub(crate) fn label_language(&self, needed: bool) -> Option<Language> {
        (self.label || needed).then_some(match self.language {
            LanguageCode::It => Language::Italian,
            LanguageCode::En => Language::English,
            LanguageCode::Es => Language::Spanish,
        })
    }
}

/// Refuses texts that are too long to be kept.
pub(crate) fn check_text(name: &str, text: Option<&str>) -> Result<(), ApiError> {
    if text.is_some_and(|text| text.chars().count() > limits::TEXT) {
        return Err(ApiError::unusable(format!("{name} may have {} characters at most", limits::TEXT)));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backgrounds_are_read_and_transparency_needs_webp() {
        let options = |json: &str| serde_json::from_str::<Options>(json);
        let green = options(r##"{"background": "#00b140"}"##).expect("options");
        assert_eq!(green.background.0, Background::Colour([0, 0xb1, 0x40]));
        assert!(green.check().is_ok());
        let message = options(r#"{"background": "green"}"#).expect_err("no colour").to_string();
        assert!(message.contains("background: not keep, blur, transparent or a colour"), "{message}");
        for (format, fits) in [("webp", true), ("mp4", false), ("gif", false)] {
            let text = format!(r#"{{"background": "transparent", "format": "{format}"}}"#);
            assert_eq!(options(&text).expect("options").check().is_ok(), fits, "{format}");
        }
    }
}
