//! The container of an avatar file: named, checksummed byte strings and numbers.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;
use std::io::Cursor;

use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::{
    DynamicImage, ExtendedColorType, GrayImage, ImageEncoder as _, ImageFormat, ImageReader, Limits, RgbImage,
};
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use super::damaged;

const CHECKSUMS: &str = "checksums";
/// Name of the metadata's own checksum.
const HEADER: &str = "header";

/// A decoded photo takes at most this many bytes.
const LARGEST_PHOTO: u64 = 256 << 20;

/// A value ready to be written.
pub(super) struct Field {
    dtype: Dtype,
    shape: Vec<usize>,
    bytes: Vec<u8>,
}

impl Field {
    pub(super) fn bytes(bytes: Vec<u8>) -> Self {
        Self { dtype: Dtype::U8, shape: vec![bytes.len()], bytes }
    }

    pub(super) fn floats(numbers: impl IntoIterator<Item = f32>, shape: Vec<usize>) -> Self {
        let bytes = numbers.into_iter().flat_map(f32::to_le_bytes).collect();
        Self { dtype: Dtype::F32, shape, bytes }
    }
}

/// A whole file: metadata, values, and the checksums of both.
pub(super) fn serialize(
    mut header: BTreeMap<String, String>,
    fields: &BTreeMap<String, Field>,
) -> Result<Vec<u8>, String> {
    let failed = |error: &dyn std::fmt::Display| format!("cannot be made an avatar file: {error}");
    let mut checksums: BTreeMap<&str, String> =
        fields.iter().map(|(name, field)| (name.as_str(), sha256(&field.bytes))).collect();
    checksums.insert(HEADER, header_checksum(header.iter()));
    let checksums = serde_json::to_string(&checksums).map_err(|error| failed(&error))?;
    header.insert(CHECKSUMS.to_owned(), checksums);
    let views = fields.iter().map(|(name, field)| {
        let view = TensorView::new(field.dtype, field.shape.clone(), &field.bytes);
        view.map(|view| (name, view)).map_err(|error| failed(&error))
    });
    let views = views.collect::<Result<Vec<_>, String>>()?;
    let metadata: HashMap<String, String> = header.into_iter().collect();
    safetensors::serialize(views, Some(metadata)).map_err(|error| failed(&error))
}

/// The metadata in `text`, a whole header in JSON, without the file behind it; format, version and the header's own
/// checksum are right.
pub(super) fn header(text: &[u8], format: &str, version: u32) -> Result<HashMap<String, String>, String> {
    #[derive(Deserialize)]
    struct Header {
        #[serde(rename = "__metadata__", default)]
        metadata: HashMap<String, String>,
    }
    let Header { metadata: mut header } = serde_json::from_slice(text).map_err(|_| unknown())?;
    check_kind(&header, format, version)?;
    let checksums = take_checksums(&mut header)?;
    let found = header_checksum(header.iter().collect::<BTreeMap<_, _>>());
    if checksums.get(HEADER) == Some(&found) { Ok(header) } else { Err(changed(HEADER)) }
}

fn unknown() -> String {
    "not an avatar file; use one, or a photo".to_owned()
}

fn changed(name: &str) -> String {
    damaged(&format!("`{name}` does not have the checksum it was written with"))
}

fn check_kind(header: &HashMap<String, String>, format: &str, version: u32) -> Result<(), String> {
    if header.get("format").map(String::as_str) != Some(format) {
        return Err(unknown());
    }
    let found = header.get("version").map_or("unknown", String::as_str);
    if found != version.to_string() {
        return Err(format!(
            "avatar file of version {found}, this program reads version {version}; learn it again"
        ));
    }
    Ok(())
}

fn take_checksums(header: &mut HashMap<String, String>) -> Result<BTreeMap<String, String>, String> {
    let json = header.remove(CHECKSUMS);
    json.and_then(|json| serde_json::from_str(&json).ok()).ok_or_else(|| damaged("it has no checksums"))
}

/// A file whose form and version are right; its checksums are, once they were [verified](Fields::verify).
pub(super) struct Fields<'a> {
    header: HashMap<String, String>,
    checksums: BTreeMap<String, String>,
    tensors: SafeTensors<'a>,
}

impl<'a> Fields<'a> {
    /// Checks `format` and `version`.
    pub(super) fn open(bytes: &'a [u8], format: &str, version: u32) -> Result<Self, String> {
        let (_, metadata) = SafeTensors::read_metadata(bytes).map_err(|_| unknown())?;
        let mut header = metadata.metadata().clone().unwrap_or_default();
        check_kind(&header, format, version)?;
        let tensors = SafeTensors::deserialize(bytes).map_err(|error| damaged(&error.to_string()))?;
        let checksums = take_checksums(&mut header)?;
        Ok(Self { header, checksums, tensors })
    }

    /// Checks every checksum, and that there is one of everything.
    pub(super) fn verify(&self) -> Result<(), String> {
        let checksums = &self.checksums;
        let header = header_checksum(self.header.iter().collect::<BTreeMap<_, _>>());
        let tensors: BTreeMap<&str, String> =
            self.tensors.iter().map(|(name, tensor)| (name, sha256(tensor.data()))).collect();
        for (name, expected) in checksums {
            let found = if name == HEADER { Some(&header) } else { tensors.get(name.as_str()) };
            match found {
                Some(found) if found == expected => {}
                Some(_) => return Err(changed(name)),
                None => return Err(damaged(&format!("`{name}` is missing"))),
            }
        }
        match tensors.keys().find(|name| !checksums.contains_key(**name)) {
            None if checksums.contains_key(HEADER) => Ok(()),
            None => Err(damaged("its header has no checksum")),
            Some(name) => Err(damaged(&format!("`{name}` has no checksum"))),
        }
    }

    /// An entry of the metadata.
    pub(super) fn entry(&self, name: &str) -> Option<&str> {
        self.header.get(name).map(String::as_str)
    }

    /// Shape and numbers of a f32 field, all of them finite.
    pub(super) fn floats(&self, name: &str) -> Result<(Vec<usize>, Vec<f32>), String> {
        let tensor = self.tensor(name, Dtype::F32)?;
        let numbers: Vec<f32> =
            tensor.data().as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect();
        if numbers.iter().all(|number| number.is_finite()) {
            Ok((tensor.shape().to_vec(), numbers))
        } else {
            Err(damaged(&format!("`{name}` holds NaN or infinity")))
        }
    }

    /// The bytes of a u8 field.
    pub(super) fn bytes(&self, name: &str) -> Result<&'a [u8], String> {
        Ok(self.tensor(name, Dtype::U8)?.data())
    }

    /// Width and height of a picture, from its header alone.
    pub(super) fn png_size(&self, name: &str) -> Result<(u32, u32), String> {
        let reader = self.png_reader(name)?;
        reader.into_dimensions().map_err(|error| damaged(&format!("`{name}` is no picture ({error})")))
    }

    /// A picture.
    pub(super) fn png(&self, name: &str) -> Result<RgbImage, String> {
        Ok(self.decoded(name)?.into_rgb8())
    }

    /// A picture's grey levels.
    pub(super) fn grey_png(&self, name: &str) -> Result<GrayImage, String> {
        Ok(self.decoded(name)?.into_luma8())
    }

    /// Whether there is such a field.
    pub(super) fn has(&self, name: &str) -> bool {
        self.tensors.tensor(name).is_ok()
    }

    fn decoded(&self, name: &str) -> Result<DynamicImage, String> {
        let reader = self.png_reader(name)?;
        reader.decode().map_err(|error| damaged(&format!("`{name}` is no picture ({error})")))
    }

    fn png_reader(&self, name: &str) -> Result<ImageReader<Cursor<&'a [u8]>>, String> {
        let mut reader = ImageReader::with_format(Cursor::new(self.bytes(name)?), ImageFormat::Png);
        let mut limits = Limits::default();
        limits.max_alloc = Some(LARGEST_PHOTO);
        reader.limits(limits);
        Ok(reader)
    }

    fn tensor(&self, name: &str, dtype: Dtype) -> Result<TensorView<'a>, String> {
        let tensor = self.tensors.tensor(name).map_err(|_| damaged(&format!("`{name}` is missing")))?;
        if tensor.dtype() == dtype {
            Ok(tensor)
        } else {
            Err(damaged(&format!("`{name}` holds {:?} values, but {dtype:?} is needed", tensor.dtype())))
        }
    }
}

/// A picture as a PNG file.
pub(super) fn encode_png(picture: &RgbImage) -> Result<Vec<u8>, String> {
    encode(picture.as_raw(), picture.dimensions(), ExtendedColorType::Rgb8)
}

/// Grey levels as a PNG file.
pub(super) fn encode_grey_png(picture: &GrayImage) -> Result<Vec<u8>, String> {
    encode(picture.as_raw(), picture.dimensions(), ExtendedColorType::L8)
}

fn encode(samples: &[u8], (width, height): (u32, u32), color: ExtendedColorType) -> Result<Vec<u8>, String> {
    let mut png = Vec::new();
    PngEncoder::new_with_quality(&mut png, CompressionType::Default, FilterType::Adaptive)
        .write_image(samples, width, height, color)
        .map_err(|error| format!("a photo cannot be encoded: {error}"))?;
    Ok(png)
}

/// Of all entries in the order of their names, each with its length, so that no two headers look alike.
fn header_checksum<'a>(entries: impl IntoIterator<Item = (&'a String, &'a String)>) -> String {
    let mut text = String::new();
    for (name, value) in entries {
        // Writing to a string cannot fail.
        let _ = write!(text, "{}:{name}{}:{value}", name.len(), value.len());
    }
    sha256(text.as_bytes())
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
