//! What is seen behind the person.

use std::fmt;
use std::str::FromStr;

/// What is seen behind the person. As text, and parsed: `keep`, `blur`, `transparent`, or a colour as `#rrggbb`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Background {
    /// The photo's own.
    #[default]
    Keep,
    /// The photo's own, out of focus.
    Blur,
    /// One colour, sRGB.
    Colour([u8; 3]),
    /// Nothing: frames come with alpha.
    Transparent,
}

impl FromStr for Background {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "keep" => return Ok(Self::Keep),
            "blur" => return Ok(Self::Blur),
            "transparent" => return Ok(Self::Transparent),
            _ => {}
        }
        let digits = text.strip_prefix('#').filter(|digits| digits.len() == 6);
        let digits = digits.filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()));
        let number = digits.and_then(|digits| u32::from_str_radix(digits, 16).ok());
        let [_, red, green, blue] = number
            .ok_or_else(|| "not keep, blur, transparent or a colour such as #00b140".to_owned())?
            .to_be_bytes();
        Ok(Self::Colour([red, green, blue]))
    }
}

impl fmt::Display for Background {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Keep => f.write_str("keep"),
            Self::Blur => f.write_str("blur"),
            Self::Transparent => f.write_str("transparent"),
            Self::Colour([red, green, blue]) => write!(f, "#{red:02x}{green:02x}{blue:02x}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_background_has_a_text() {
        for (text, background) in [
            ("keep", Background::Keep),
            ("blur", Background::Blur),
            ("transparent", Background::Transparent),
            ("#00b140", Background::Colour([0, 0xb1, 0x40])),
        ] {
            assert_eq!(text.parse(), Ok(background));
            assert_eq!(background.to_string(), text);
        }
        assert_eq!("#FFfFff".parse(), Ok(Background::Colour([255; 3])));
        for text in ["", "Keep", "green", "#fff", "00b140", "#00b14", "#00b1400", "#+0b140", "#00b1é"] {
            assert!(text.parse::<Background>().is_err(), "{text}");
        }
    }
}
