//! Who is shown, as far as the maker declares it.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// What was declared about who is shown. Nobody checks it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum Subject {
    /// The maker.
    #[serde(rename = "self")]
    Oneself,
    /// Someone who agreed.
    Consented,
    /// A person of the past.
    Historical,
    /// Someone in a work of art.
    Artwork,
    /// Nobody who ever lived.
    Fictional,
    /// Nothing was declared.
    #[default]
    Undeclared,
}

impl Subject {
    /// All that can be declared, and nothing.
    pub const ALL: [Self; 6] =
        [Self::Oneself, Self::Consented, Self::Historical, Self::Artwork, Self::Fictional, Self::Undeclared];

    /// One word, as it is written in options and files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Oneself => "self",
            Self::Consented => "consented",
            Self::Historical => "historical",
            Self::Artwork => "artwork",
            Self::Fictional => "fictional",
            Self::Undeclared => "undeclared",
        }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Subject {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = Self::ALL.into_iter().find(|subject| subject.name() == text);
        known.ok_or_else(|| format!("{text} is none of {}", Self::ALL.map(Self::name).join(", ")))
    }
}
