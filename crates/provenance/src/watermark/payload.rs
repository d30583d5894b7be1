//! What the mark says, in 48 bits, and the 12 bits that guard them.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::Serialize;
use sha2::{Digest, Sha256};
use x509_cert::der::DateTime;

/// Bits of a message: 4 for the layout, 8 for the version, 12 for the date, 24 for the avatar, 12 for the check.
pub(crate) const MESSAGE_BITS: usize = 60;

/// Layout 1 is this one. Others are not read, so that it can grow.
const LAYOUT: u64 = 1;
const CHECK_BITS: u32 = 12;

/// 1 January 2026, in days since 1970.
const FIRST_DAY: u64 = 20_454;
const LAST_DAY: u16 = (1 << 12) - 1;

/// What a mark says about the picture it is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = WatermarkPayload))]
pub struct Payload {
    /// The version of Gioconda that made the picture.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub version: Version,
    /// The day it was made.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub date: Day,
    /// Which portrait it shows.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub avatar: AvatarId,
}

/// Major and minor version; the mark has room for 7.31.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Version {
    /// 0..=7.
    pub major: u8,
    /// 0..=31.
    pub minor: u8,
}

/// A day from 2026-01-01 to 2037-03-19.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Day(u16);

/// The first 24 bits of the SHA-256 of a portrait: enough to tell one's own portraits apart, not enough to prove
/// which one it is. The manifest has the whole hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AvatarId([u8; 3]);

impl Payload {
    /// What this program marks pictures of `avatar` with today.
    pub fn today(avatar: AvatarId) -> Self {
        Self { version: Version::current(), date: Day::today(), avatar }
    }

    pub(crate) fn to_bits(self) -> Vec<bool> {
        let [a, b, c] = self.avatar.0.map(u64::from);
        let version = u64::from(self.version.major & 7) << 5 | u64::from(self.version.minor & 31);
        let data = LAYOUT << 44 | version << 36 | u64::from(self.date.0) << 24 | a << 16 | b << 8 | c;
        let message = data << CHECK_BITS | u64::from(check(data));
        (0..MESSAGE_BITS).rev().map(|bit| message >> bit & 1 == 1).collect()
    }

    /// `None` where the check fails or the layout is not known.
    pub(crate) fn from_bits(bits: &[bool]) -> Option<Self> {
        let message = bits.iter().fold(0_u64, |message, &bit| message << 1 | u64::from(bit));
        let data = message >> CHECK_BITS;
        let sound = bits.len() == MESSAGE_BITS
            && u64::from(check(data)) == message & ((1 << CHECK_BITS) - 1)
            && data >> 44 == LAYOUT;
        let byte = |shift: u32| (data >> shift & 0xff) as u8;
        sound.then(|| Self {
            version: Version { major: byte(36) >> 5, minor: byte(36) & 31 },
            date: Day((data >> 24 & 0xfff) as u16),
            avatar: AvatarId([byte(16), byte(8), byte(0)]),
        })
    }
}

impl Version {
    /// Of this program.
    pub fn current() -> Self {
        let number = |text: &str| text.parse().unwrap_or(0);
        Self {
            major: number(env!("CARGO_PKG_VERSION_MAJOR")),
            minor: number(env!("CARGO_PKG_VERSION_MINOR")),
        }
    }
}

impl Day {
    /// Today; clocks that are off the range read as its nearest end.
    pub fn today() -> Self {
        let seconds = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let days = (seconds / 86_400).saturating_sub(FIRST_DAY);
        Self(days.min(u64::from(LAST_DAY)) as u16)
    }
}

impl AvatarId {
    /// Of the portrait with these bytes.
    pub fn of(portrait: &[u8]) -> Self {
        Self::from_hash(Sha256::digest(portrait).into())
    }

    /// Of the portrait whose bytes have this SHA-256.
    pub fn from_hash(sha256: [u8; 32]) -> Self {
        let [a, b, c, ..] = sha256;
        Self([a, b, c])
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let since_1970 = Duration::from_secs((FIRST_DAY + u64::from(self.0)) * 86_400);
        let date = DateTime::from_unix_duration(since_1970).map_err(|_| fmt::Error)?;
        write!(f, "{:04}-{:02}-{:02}", date.year(), date.month(), date.day())
    }
}

impl fmt::Display for AvatarId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

macro_rules! serialize_as_text {
    ($($name:ty),*) => { $(
        impl Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }
    )* };
}

serialize_as_text!(Version, Day, AvatarId);

/// CRC-12 with the polynomial x^12 + x^11 + x^3 + x^2 + x + 1, over 48 bits.
fn check(data: u64) -> u16 {
    (0..48).rev().fold(0xfff, |crc: u16, bit| {
        let feedback = (crc >> 11 ^ (data >> bit) as u16) & 1;
        (crc << 1 & 0xfff) ^ if feedback == 1 { 0x80f } else { 0 }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAYLOAD: Payload = Payload {
        version: Version { major: 0, minor: 1 },
        date: Day(326),
        avatar: AvatarId([0xab, 0x01, 0xfe]),
    };

    #[test]
    fn what_was_packed_is_unpacked() {
        let bits = PAYLOAD.to_bits();
        assert_eq!(bits.len(), MESSAGE_BITS);
        assert_eq!(Payload::from_bits(&bits), Some(PAYLOAD));
    }

    #[test]
    fn wrong_bits_are_noticed() {
        for at in 0..MESSAGE_BITS {
            let mut bits = PAYLOAD.to_bits();
            bits[at] ^= true;
            assert_eq!(Payload::from_bits(&bits), None, "bit {at}");
        }
        assert_eq!(Payload::from_bits(&[false; MESSAGE_BITS]), None);
        assert_eq!(Payload::from_bits(&[true; MESSAGE_BITS]), None);
    }

    #[test]
    fn days_and_names_are_readable() {
        assert_eq!(Day(0).to_string(), "2026-01-01");
        assert_eq!(PAYLOAD.date.to_string(), "2026-11-23");
        assert_eq!(Day(LAST_DAY).to_string(), "2037-03-19");
        assert_eq!(PAYLOAD.avatar.to_string(), "ab01fe");
        assert_eq!(PAYLOAD.version.to_string(), "0.1");
    }
}
