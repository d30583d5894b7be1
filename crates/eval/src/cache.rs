//! Scored cases, kept in the output folder as they are finished: a run that was stopped goes on from there.
//!
//! A case's file is named after a checksum of everything that it depends on, the program itself included. What was made
//! by another program, with other weights or of another clip is not found, and scored anew.

use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use image::RgbImage;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::frechet::Moments;
use crate::instruments::hexadecimal;
use crate::score::{Case, Scored};
use crate::{Error, Result};

/// Height of the pictures of a strip on the page, pixels.
const STRIP_HEIGHT: u32 = 160;
/// Quality of their JPEG.
const QUALITY: u8 = 80;

/// The folder of scored cases.
pub(crate) struct Cache {
    folder: PathBuf,
}

#[derive(Serialize, Deserialize)]
struct Stored {
    case: Case,
    /// Little-endian f64: text would cost digits.
    moments: Vec<(usize, String, String)>,
}

/// A case and its picture as the page shows it.
#[derive(Debug)]
pub(crate) struct Kept {
    pub(crate) case: Case,
    pub(crate) moments: Vec<Moments>,
    /// JPEG.
    pub(crate) strip: Option<Vec<u8>>,
}

/// The checksum of what a case depends on.
pub(crate) fn key(of: &impl Serialize) -> String {
    let text = serde_json::to_vec(of).expect("a key is made of numbers, texts and lists");
    hexadecimal(&Sha256::digest(text)[..16])
}

impl Cache {
    pub(crate) fn open(output: &Path) -> Result<Self> {
        let folder = output.join("cases");
        std::fs::create_dir_all(&folder).map_err(Error::write(&folder))?;
        Ok(Self { folder })
    }

    fn file(&self, key: &str, extension: &str) -> PathBuf {
        self.folder.join(format!("{key}.{extension}"))
    }

    /// The case with this key, if it is there and whole.
    pub(crate) fn get(&self, key: &str) -> Option<Kept> {
        let stored: Stored = serde_json::from_slice(&std::fs::read(self.file(key, "json")).ok()?).ok()?;
        let moments: Option<Vec<Moments>> = stored
            .moments
            .iter()
            .map(|(count, sum, outer)| {
                Some(Moments { count: *count, sum: decode(sum)?, outer: decode(outer)? })
            })
            .collect();
        Some(Kept { case: stored.case, moments: moments?, strip: std::fs::read(self.file(key, "jpg")).ok() })
    }

    /// Keeps a case, whole or not at all.
    pub(crate) fn put(&self, key: &str, scored: &Scored) -> Result<()> {
        if let Some(strip) = &scored.strip {
            gioconda_media::save_bytes(&self.file(key, "jpg"), &small_jpeg(strip))?;
        }
        let moments = scored.moments.iter().map(|m| (m.count, encode(&m.sum), encode(&m.outer))).collect();
        let stored = Stored { case: scored.case.clone(), moments };
        let json = serde_json::to_vec(&stored).expect("a case is made of numbers, texts and lists");
        Ok(gioconda_media::save_bytes(&self.file(key, "json"), &json)?)
    }
}

fn encode(values: &[f64]) -> String {
    STANDARD.encode(values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>())
}

fn decode(text: &str) -> Option<Vec<f64>> {
    let bytes = STANDARD.decode(text).ok()?;
    Some(bytes.as_chunks::<8>().0.iter().map(|bytes| f64::from_le_bytes(*bytes)).collect())
}

fn small_jpeg(strip: &RgbImage) -> Vec<u8> {
    let width = strip.width() * STRIP_HEIGHT / strip.height().max(1);
    let small = gioconda_media::resize(strip, width, STRIP_HEIGHT);
    let mut jpeg = Vec::new();
    image::codecs::jpeg::JpegEncoder::new_with_quality(&mut jpeg, QUALITY)
        .encode_image(&small)
        .expect("a strip is far below JPEG's limits and memory does not fail");
    jpeg
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measures::Values;
    use crate::score::RowValues;

    #[test]
    fn what_is_kept_comes_back_and_what_is_broken_does_not() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::open(folder.path()).unwrap();
        let values = Values::from([("psnr".to_owned(), 21.123_456_7)]);
        let case = Case {
            name: "a".to_owned(),
            frames: 3,
            lost: 1,
            rows: vec![RowValues { name: "mesh".to_owned(), values }],
        };
        let moments = Moments { count: 2, sum: vec![0.1 + 0.2], outer: vec![1.0 / 3.0] };
        let strip = Some(RgbImage::new(512, 256));
        let scored = Scored { case: case.clone(), moments: vec![moments.clone()], strip };
        let key = key(&("something", 1));
        assert!(cache.get(&key).is_none());
        cache.put(&key, &scored).unwrap();
        let kept = cache.get(&key).unwrap();
        assert_eq!((kept.case, kept.moments), (case, vec![moments]));
        assert!(kept.strip.is_some_and(|jpeg| jpeg.starts_with(&[0xff, 0xd8])));
        std::fs::write(cache.file(&key, "json"), "{").unwrap();
        assert!(cache.get(&key).is_none());
    }
}
