//! `TensorBoard` event files: `TFRecord`s of `tensorflow.Event` messages (tensorflow/core/util/event.proto, and
//! summary.proto), of which only the fields below are written.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use prost::Message;

#[derive(Clone, PartialEq, Message)]
struct Event {
    #[prost(double, tag = "1")]
    wall_time: f64,
    #[prost(int64, tag = "2")]
    step: i64,
    #[prost(string, optional, tag = "3")]
    file_version: Option<String>,
    #[prost(message, optional, tag = "5")]
    summary: Option<Summary>,
    #[prost(message, optional, tag = "7")]
    session_log: Option<SessionLog>,
}

#[derive(Clone, PartialEq, Message)]
struct SessionLog {
    #[prost(int32, tag = "1")]
    status: i32,
}

/// `SessionLog.SessionStatus.START`: events of earlier files from this step on were undone by a resume.
const START: i32 = 1;

#[derive(Clone, PartialEq, Message)]
struct Summary {
    #[prost(message, repeated, tag = "1")]
    value: Vec<SummaryValue>,
}

#[derive(Clone, PartialEq, Message)]
struct SummaryValue {
    #[prost(string, tag = "1")]
    tag: String,
    #[prost(float, optional, tag = "2")]
    simple_value: Option<f32>,
    #[prost(message, optional, tag = "4")]
    image: Option<SummaryImage>,
}

#[derive(Clone, PartialEq, Message)]
struct SummaryImage {
    #[prost(int32, tag = "1")]
    height: i32,
    #[prost(int32, tag = "2")]
    width: i32,
    /// 3 for RGB.
    #[prost(int32, tag = "3")]
    colorspace: i32,
    #[prost(bytes = "vec", tag = "4")]
    encoded_image_string: Vec<u8>,
}

/// An event file that is being written.
#[derive(Debug)]
pub(crate) struct EventWriter {
    file: BufWriter<File>,
}

impl EventWriter {
    /// A new file in `folder`, for a run that goes on behind `step`.
    pub(crate) fn create(folder: &Path, step: u64) -> io::Result<Self> {
        let seconds = now();
        // TensorBoard reads the files of a folder in the order of their names, which must therefore differ and grow.
        let name = format!("events.out.tfevents.{:010}.{}", seconds as u64, std::process::id());
        let mut writer = Self { file: BufWriter::new(File::create(folder.join(name))?) };
        let version = Event { file_version: Some("brain.Event:2".to_owned()), ..Event::default() };
        writer.append(&Event { wall_time: seconds, ..version })?;
        writer.append(&Event { session_log: Some(SessionLog { status: START }), ..at(step + 1) })?;
        Ok(writer)
    }

    /// Numbers by tag.
    pub(crate) fn scalars(&mut self, step: u64, values: &[(String, f64)]) -> io::Result<()> {
        let value = values.iter().map(|(tag, value)| SummaryValue {
            tag: tag.clone(),
            simple_value: Some(*value as f32),
            image: None,
        });
        self.append(&Event { summary: Some(Summary { value: value.collect() }), ..at(step) })
    }

    /// A picture, encoded as PNG.
    pub(crate) fn image(&mut self, step: u64, tag: &str, size: (u32, u32), png: Vec<u8>) -> io::Result<()> {
        let image = SummaryImage {
            height: size.1 as i32,
            width: size.0 as i32,
            colorspace: 3,
            encoded_image_string: png,
        };
        let value = SummaryValue { tag: tag.to_owned(), simple_value: None, image: Some(image) };
        self.append(&Event { summary: Some(Summary { value: vec![value] }), ..at(step) })
    }

    /// One `TFRecord`: length, its checksum, content, its checksum.
    fn append(&mut self, event: &Event) -> io::Result<()> {
        let content = event.encode_to_vec();
        let length = (content.len() as u64).to_le_bytes();
        self.file.write_all(&length)?;
        self.file.write_all(&masked_checksum(&length).to_le_bytes())?;
        self.file.write_all(&content)?;
        self.file.write_all(&masked_checksum(&content).to_le_bytes())?;
        self.file.flush()
    }
}

fn at(step: u64) -> Event {
    Event { wall_time: now(), step: step as i64, ..Event::default() }
}

fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64())
}

/// CRC-32C, rotated and shifted so that a checksum of data with checksums stays useful (tensorflow/core/lib/hash/crc32c.h).
fn masked_checksum(bytes: &[u8]) -> u32 {
    crc32c::crc32c(bytes).rotate_right(15).wrapping_add(0xa282_ead8)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `masked_crc32c(b"123456789")` of the `PyPI` package crc32c: crc 0xe3069283.
    #[test]
    fn checksums_are_masked() {
        assert_eq!(crc32c::crc32c(b"123456789"), 0xe306_9283);
        assert_eq!(masked_checksum(b"123456789"), 0xe306_9283_u32.rotate_right(15).wrapping_add(0xa282_ead8));
    }

    #[test]
    fn records_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let mut writer = EventWriter::create(folder.path(), 4).unwrap();
        writer.scalars(5, &[("loss/total".to_owned(), 0.25)]).unwrap();
        writer.image(5, "grid", (2, 3), vec![1, 2, 3]).unwrap();
        let file = std::fs::read_dir(folder.path()).unwrap().next().unwrap().unwrap().path();
        let bytes = std::fs::read(file).unwrap();
        let mut rest = bytes.as_slice();
        let mut events = Vec::new();
        while !rest.is_empty() {
            let length = u64::from_le_bytes(rest[..8].try_into().unwrap()) as usize;
            assert_eq!(masked_checksum(&rest[..8]).to_le_bytes(), rest[8..12]);
            let content = &rest[12..12 + length];
            assert_eq!(masked_checksum(content).to_le_bytes(), rest[12 + length..16 + length]);
            events.push(Event::decode(content).unwrap());
            rest = &rest[16 + length..];
        }
        assert_eq!(events.len(), 4);
        assert_eq!(events[0].file_version.as_deref(), Some("brain.Event:2"));
        assert_eq!((events[1].step, events[1].session_log.clone()), (5, Some(SessionLog { status: START })));
        let value = &events[2].summary.as_ref().unwrap().value[0];
        assert_eq!((events[2].step, value.tag.as_str(), value.simple_value), (5, "loss/total", Some(0.25)));
        let image = events[3].summary.as_ref().unwrap().value[0].image.as_ref().unwrap();
        assert_eq!((image.width, image.height, image.encoded_image_string.len()), (2, 3, 3));
    }
}
