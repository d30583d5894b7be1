//! The H.264 sequence parameter set: what must be known before decoding to choose a decoder and the colours.
//!
//! Syntax from ITU-T H.264 (08/2021), 7.3.2.1.1 and Annex E.1.1.

use crate::{Budget, Error};
use std::path::Path;

/// Pictures that openh264 keeps beside the references: the current one, and some for reordering.
const DECODER_PICTURES: u64 = 2;

/// The fields that decide who can decode the stream and what its samples mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SequenceParameters {
    pub(crate) profile: u8,
    /// 0 grey, 1 is 4:2:0, 2 is 4:2:2, 3 is 4:4:4.
    pub(crate) chroma_format: u32,
    pub(crate) bit_depth: u32,
    /// Pixels of a stored picture before cropping: what a decoder allocates.
    pub(crate) coded: (u32, u32),
    /// Pictures that the decoder keeps for reference, 0..=16.
    pub(crate) references: u32,
    /// Progressive: no fields, no macroblock-adaptive interlacing.
    pub(crate) frames_only: bool,
    /// After cropping.
    pub(crate) width: u32,
    /// After cropping.
    pub(crate) height: u32,
    /// Width : height of one sample, when given.
    pub(crate) sample_aspect: Option<(u32, u32)>,
    /// `matrix_coefficients` of Table E-5, when given.
    pub(crate) matrix: Option<u8>,
    pub(crate) full_range: bool,
}

impl SequenceParameters {
    /// Parses a NAL unit of type 7, header byte included. `None` when it is not one or ends early.
    pub(crate) fn parse(nal: &[u8]) -> Option<Self> {
        if nal.first()? & 0x1f != 7 {
            return None;
        }
        let payload = without_emulation_prevention(&nal[1..]);
        let mut bits = Bits { bytes: &payload, at: 0 };
        let profile = bits.take(8)? as u8;
        bits.take(16)?; // constraint flags, level
        bits.golomb()?; // id
        let (mut chroma_format, mut bit_depth) = (1, 8);
        if matches!(profile, 100 | 110 | 122 | 244 | 44 | 83 | 86 | 118 | 128 | 138 | 139 | 134 | 135) {
            chroma_format = bits.golomb()?;
            if chroma_format == 3 {
                bits.take(1)?; // separate colour planes
            }
            bit_depth = bits.golomb()?.max(bits.golomb()?).checked_add(8)?;
            bits.take(1)?; // lossless transform bypass
            if bits.flag()? {
                skip_scaling_lists(&mut bits, chroma_format)?;
            }
        }
        bits.golomb()?; // log2_max_frame_num
        skip_picture_order(&mut bits)?;
        let references = bits.golomb().filter(|&references| references <= 16)?;
        bits.take(1)?; // gaps allowed
        let (mbs_across, map_units_down) = (bits.golomb()?.checked_add(1)?, bits.golomb()?.checked_add(1)?);
        let frames_only = bits.flag()?;
        if !frames_only {
            bits.take(1)?; // adaptive frame/field
        }
        bits.take(1)?; // direct 8x8 inference
        let fields = if frames_only { 1 } else { 2 };
        let unit_x = if matches!(chroma_format, 1 | 2) { 2 } else { 1 };
        let unit_y = fields * if chroma_format == 1 { 2 } else { 1 };
        let mut width = mbs_across.checked_mul(16)?;
        let mut height = map_units_down.checked_mul(16 * fields)?;
        let coded = (width, height);
        if bits.flag()? {
            let (left, right, top, bottom) = (bits.golomb()?, bits.golomb()?, bits.golomb()?, bits.golomb()?);
            width = width.checked_sub(left.checked_add(right)?.checked_mul(unit_x)?)?;
            height = height.checked_sub(top.checked_add(bottom)?.checked_mul(unit_y)?)?;
        }
        let usability = if bits.flag()? { Usability::parse(&mut bits)? } else { Usability::default() };
        Some(Self {
            profile,
            chroma_format,
            bit_depth,
            coded,
            references,
            frames_only,
            width,
            height,
            sample_aspect: usability.sample_aspect,
            matrix: usability.matrix,
            full_range: usability.full_range,
        })
    }

    /// Refuses pictures that are empty or too large for `budget`, and references that are too large together. Checked before the
    /// decoder sees the parameters: it allocates whatever they say.
    pub(crate) fn check(&self, path: &Path, budget: &Budget) -> Result<(), Error> {
        let (width, height) = self.coded;
        budget.check_clip_size(path, width, height)?;
        budget.check_clip_size(path, self.width, self.height)?;
        let picture = u64::from(width) * u64::from(height) * 3 / 2;
        let kept = (u64::from(self.references) + DECODER_PICTURES) * picture;
        if kept > budget.decoder_bytes {
            let most = budget.decoder_bytes / 1_000_000;
            let what = format!(
                "{} reference pictures of {width}x{height} pixels take more than {most} MB; encode it again with fewer",
                self.references
            );
            return Err(Error::limit(path, what));
        }
        Ok(())
    }

    /// Why openh264 cannot decode the stream, in the words of users; `None` when it can.
    pub(crate) fn beyond_built_in(&self) -> Option<String> {
        if self.bit_depth != 8 {
            return Some(format!("{}-bit H.264", self.bit_depth));
        }
        match self.chroma_format {
            1 => (!self.frames_only).then(|| "interlaced H.264".into()),
            0 => Some("monochrome H.264".into()),
            2 => Some("H.264 4:2:2".into()),
            _ => Some("H.264 4:4:4".into()),
        }
    }
}

/// The first fields of the video usability information.
#[derive(Default)]
struct Usability {
    sample_aspect: Option<(u32, u32)>,
    matrix: Option<u8>,
    full_range: bool,
}

impl Usability {
    fn parse(bits: &mut Bits<'_>) -> Option<Self> {
        let mut usability = Self::default();
        if bits.flag()? {
            usability.sample_aspect = sample_aspect(bits)?.known();
        }
        if bits.flag()? {
            bits.take(1)?; // overscan
        }
        if bits.flag()? {
            bits.take(3)?; // video format
            usability.full_range = bits.flag()?;
            if bits.flag()? {
                bits.take(16)?; // primaries, transfer
                usability.matrix = Some(bits.take(8)? as u8);
            }
        }
        Some(usability)
    }
}

/// Width and height of a sample; zeros when the stream says "unspecified".
struct SampleAspect(u32, u32);

impl SampleAspect {
    fn known(&self) -> Option<(u32, u32)> {
        (self.0 > 0 && self.1 > 0).then_some((self.0, self.1))
    }
}

/// Table E-1.
fn sample_aspect(bits: &mut Bits<'_>) -> Option<SampleAspect> {
    const TABLE: [(u32, u32); 16] = [
        (1, 1),
        (12, 11),
        (10, 11),
        (16, 11),
        (40, 33),
        (24, 11),
        (20, 11),
        (32, 11),
        (80, 33),
        (18, 11),
        (15, 11),
        (64, 33),
        (160, 99),
        (4, 3),
        (3, 2),
        (2, 1),
    ];
    Some(match bits.take(8)? {
        255 => SampleAspect(bits.take(16)?, bits.take(16)?),
        index => {
            let (across, down) = (index as usize)
                .checked_sub(1)
                .and_then(|index| TABLE.get(index).copied())
                .unwrap_or_default();
            SampleAspect(across, down)
        }
    })
}

fn skip_scaling_lists(bits: &mut Bits<'_>, chroma_format: u32) -> Option<()> {
    let lists = if chroma_format == 3 { 12 } else { 8 };
    for list in 0..lists {
        if !bits.flag()? {
            continue;
        }
        let (mut last, mut next) = (8i32, 8i32);
        for _ in 0..if list < 6 { 16 } else { 64 } {
            if next != 0 {
                next = last.wrapping_add(bits.signed_golomb()?).rem_euclid(256);
            }
            if next != 0 {
                last = next;
            }
        }
    }
    Some(())
}

fn skip_picture_order(bits: &mut Bits<'_>) -> Option<()> {
    match bits.golomb()? {
        0 => {
            bits.golomb()?;
        }
        1 => {
            bits.take(1)?;
            bits.golomb()?;
            bits.golomb()?;
            for _ in 0..bits.golomb()? {
                bits.golomb()?;
            }
        }
        _ => {}
    }
    Some(())
}

fn without_emulation_prevention(payload: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(payload.len());
    let mut zeros = 0;
    for &byte in payload {
        if zeros >= 2 && byte == 3 {
            zeros = 0;
            continue;
        }
        zeros = if byte == 0 { zeros + 1 } else { 0 };
        plain.push(byte);
    }
    plain
}

/// Bits from the most significant down; every read past the end is `None`.
struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Bits<'_> {
    fn flag(&mut self) -> Option<bool> {
        let byte = *self.bytes.get(self.at / 8)?;
        let bit = byte >> (7 - self.at % 8) & 1;
        self.at += 1;
        Some(bit == 1)
    }

    fn take(&mut self, count: u32) -> Option<u32> {
        (0..count).try_fold(0u32, |value, _| Some(value << 1 | u32::from(self.flag()?)))
    }

    /// ue(v), at most 31 leading zeros.
    fn golomb(&mut self) -> Option<u32> {
        let mut zeros = 0;
        while !self.flag()? {
            zeros += 1;
            if zeros > 31 {
                return None;
            }
        }
        let rest = self.take(zeros)?;
        ((1u64 << zeros) - 1 + u64::from(rest)).try_into().ok()
    }

    fn signed_golomb(&mut self) -> Option<i32> {
        let code = i64::from(self.golomb()?);
        (if code % 2 == 1 { (code + 1) / 2 } else { -code / 2 }).try_into().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gioconda_testkit::baseline_sps as baseline;

    #[test]
    fn reads_an_sps_written_by_x264() {
        // The 1920x1080 High-profile SPS of mp4-atom's own tests (an mp4 made by GPAC), 120 cropped to 1080 lines.
        let sps = [
            103, 100, 0, 40, 172, 217, 64, 120, 2, 39, 229, 132, 0, 0, 3, 0, 4, 0, 0, 3, 0, 240, 60, 96, 198,
            88,
        ];
        let parameters = SequenceParameters::parse(&sps).unwrap();
        assert_eq!((parameters.width, parameters.height), (1920, 1080));
        assert_eq!(parameters.coded, (1920, 1088));
        assert_eq!((parameters.profile, parameters.chroma_format, parameters.bit_depth), (100, 1, 8));
        assert!(parameters.frames_only);
        assert_eq!(parameters.beyond_built_in(), None);
    }

    #[test]
    fn sizes_are_checked_before_a_decoder_sees_them() {
        let cases = [
            (baseline(1, (120, 68), None), None),
            // A large picture cropped to a small one costs what the large one costs.
            (baseline(1, (4096, 4096), Some([0, 32_000, 0, 32_000])), Some("65536x65536 pixels")),
            (baseline(1, (1, 1), Some([4, 4, 0, 0])), Some("have no size")),
            (baseline(1, (4_000_000, 1), None), Some("64000000x16 pixels")),
            (baseline(16, (480, 270), None), Some("16 reference pictures of 7680x4320 pixels")),
        ];
        for (nal, expected) in cases {
            let parameters = SequenceParameters::parse(&nal).unwrap();
            let checked = parameters.check(Path::new("a.mp4"), &Budget::default());
            match expected {
                None => assert!(checked.is_ok(), "{checked:?}"),
                Some(expected) => {
                    let message = checked.unwrap_err().to_string();
                    assert!(message.contains(expected), "{message}");
                }
            }
        }
        // More than 16 references, and crops beyond the picture.
        assert_eq!(SequenceParameters::parse(&baseline(17, (4, 4), None)), None);
        assert_eq!(SequenceParameters::parse(&baseline(1, (4, 4), Some([0, 33, 0, 0]))), None);
        assert_eq!(SequenceParameters::parse(&baseline(1, (4, 4), Some([u32::MAX - 1, 2, 0, 0]))), None);
    }

    #[test]
    fn every_truncation_is_refused_or_parsed_without_panic() {
        let sps = [
            103, 100, 0, 40, 172, 217, 64, 120, 2, 39, 229, 132, 0, 0, 3, 0, 4, 0, 0, 3, 0, 240, 60, 96, 198,
            88,
        ];
        for length in 0..sps.len() {
            let _ = SequenceParameters::parse(&sps[..length]);
        }
        assert_eq!(SequenceParameters::parse(&[]), None);
        assert_eq!(SequenceParameters::parse(&[0x67, 0xff, 0, 0, 0, 0, 0, 0, 0, 0]), None);
    }
}
