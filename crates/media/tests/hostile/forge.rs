//! Small films with forged tables and parameters.

use gioconda_media::{ClipWriter, WriteOptions};
use image::{Rgb, RgbImage};
use mp4_atom as atom;
use mp4_atom::{Atom, Encode};

/// A sound film of 64 x 64 pixels taken apart.
pub(crate) struct Film {
    moov: atom::Moov,
    /// One access unit a frame.
    units: Vec<Vec<u8>>,
}

impl Film {
    pub(crate) fn new(frames: u8) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("film.mp4");
        let options = WriteOptions { width: 64, height: 64, fps: 25.0, sound: None, alpha: false };
        let mut writer = ClipWriter::create(&path, &options).unwrap();
        for level in 0..frames {
            let picture = RgbImage::from_fn(64, 64, |x, y| Rgb([x as u8 * 4, y as u8 * 4, level * 8]));
            writer.write(&picture).unwrap();
        }
        writer.finish().unwrap();
        let bytes = std::fs::read(path).unwrap();
        let at = bytes.windows(4).position(|kind| kind == b"moov").unwrap();
        let size = u32::from_be_bytes(bytes[at - 4..at].try_into().unwrap()) as usize;
        let moov = atom::Moov::decode_body(&mut &bytes[at + 4..at - 4 + size]).unwrap();
        let atom::StszSamples::Different { sizes } = &moov.trak[0].mdia.minf.stbl.stsz.samples else {
            panic!("the writer names every size");
        };
        let mut media = &bytes[at - 4 + size + 8..];
        let units = sizes.iter().map(|&size| {
            let (unit, rest) = media.split_at(size as usize);
            media = rest;
            unit.to_vec()
        });
        let units = units.collect();
        Self { moov, units }
    }

    fn stbl(moov: &mut atom::Moov) -> &mut atom::Stbl {
        &mut moov.trak[0].mdia.minf.stbl
    }

    fn avcc(&self) -> &atom::Avcc {
        let atom::Codec::Avc1(avc) = &self.moov.trak[0].mdia.minf.stbl.stsd.codecs[0] else {
            panic!("the writer makes H.264");
        };
        &avc.avcc
    }

    pub(crate) fn sps(&self) -> &[u8] {
        &self.avcc().sequence_parameter_sets[0]
    }

    pub(crate) fn pps(&self) -> &[u8] {
        &self.avcc().picture_parameter_sets[0]
    }

    /// The film with these units, its tables to match, then changed.
    fn build(&self, units: &[Vec<u8>], change: impl Fn(&mut atom::Moov, u32)) -> Vec<u8> {
        let ftyp = atom::Ftyp {
            major_brand: b"isom".into(),
            minor_version: 0x200,
            compatible_brands: vec![b"isom".into()],
        };
        let mut head = Vec::new();
        ftyp.encode(&mut head).unwrap();
        let mut moov = self.moov.clone();
        let sizes = units.iter().map(|unit| unit.len() as u32).collect();
        Self::stbl(&mut moov).stsz.samples = atom::StszSamples::Different { sizes };
        let encoded = |start: u32| {
            let mut moov = moov.clone();
            let stbl = Self::stbl(&mut moov);
            stbl.stsc.entries = vec![atom::StscEntry {
                first_chunk: 1,
                samples_per_chunk: units.len() as u32,
                sample_description_index: 1,
            }];
            stbl.stco = Some(atom::Stco { entries: vec![start] });
            change(&mut moov, start);
            let mut bytes = Vec::new();
            moov.encode(&mut bytes).unwrap();
            bytes
        };
        let start = (head.len() + encoded(0).len() + 8) as u32;
        let media = units.concat();
        let size = (media.len() as u32 + 8).to_be_bytes();
        [head, encoded(start), size.to_vec(), b"mdat".to_vec(), media].concat()
    }

    /// `count` samples of `size` bytes, all at one place of a file that holds two of them.
    pub(crate) fn overlapping(&self, count: u32, size: u32) -> Vec<u8> {
        let mut units = self.units.clone();
        units.push(vec![0; 2 * size as usize]);
        self.build(&units, |moov, start| {
            let stbl = Self::stbl(moov);
            stbl.stsz.samples = atom::StszSamples::Identical { count, size };
            stbl.stts.entries = vec![atom::SttsEntry { sample_count: count, sample_delta: 3600 }];
            stbl.stss = None;
            stbl.stsc.entries[0].samples_per_chunk = 1;
            stbl.stco = Some(atom::Stco { entries: vec![start; count as usize] });
        })
    }

    /// `count` empty frames that all last no time.
    pub(crate) fn without_durations(&self, count: u32) -> Vec<u8> {
        let units = vec![self.units[0].clone(), vec![0; count as usize]];
        self.build(&units, |moov, _| {
            let stbl = Self::stbl(moov);
            stbl.stsz.samples = atom::StszSamples::Identical { count, size: 1 };
            stbl.stts.entries = vec![atom::SttsEntry { sample_count: count, sample_delta: 0 }];
            stbl.stsc.entries[0].samples_per_chunk = count;
        })
    }

    /// A sound track of `count` samples of `size` bytes at one place; they last 0 where they are empty.
    pub(crate) fn with_endless_sound(&self, count: u32, size: u32) -> Vec<u8> {
        let mut units = self.units.clone();
        let frames = units.len() as u32;
        units.push(vec![0; 2 * size.max(1) as usize]);
        let audio = atom::Audio {
            data_reference_index: 1,
            channel_count: 2,
            sample_size: 16,
            sample_rate: 48_000.into(),
        };
        let dec_config =
            atom::esds::DecoderConfig { object_type_indication: 0x40, stream_type: 5, ..Default::default() };
        let esds =
            atom::esds::Esds { es_desc: atom::esds::EsDescriptor { dec_config, ..Default::default() } };
        let codec: atom::Codec = atom::Mp4a { audio, esds, btrt: None, taic: None }.into();
        self.build(&units, |moov, start| {
            Self::stbl(moov).stsc.entries[0].samples_per_chunk = frames;
            if let atom::StszSamples::Different { sizes } = &mut Self::stbl(moov).stsz.samples {
                sizes.truncate(frames as usize);
            }
            let mut track = moov.trak[0].clone();
            track.mdia.mdhd.timescale = 48_000;
            track.mdia.hdlr.handler = b"soun".into();
            let stbl = &mut track.mdia.minf.stbl;
            stbl.stsd.codecs = vec![codec.clone()];
            stbl.stsz.samples = if size > 0 {
                atom::StszSamples::Identical { count, size }
            } else {
                atom::StszSamples::Different { sizes: vec![0; count as usize] }
            };
            let sample_delta = if size > 0 { 1024 } else { 0 };
            stbl.stts.entries = vec![atom::SttsEntry { sample_count: count, sample_delta }];
            stbl.stsc.entries[0].samples_per_chunk = 1;
            stbl.stco = Some(atom::Stco { entries: vec![start; count as usize] });
            stbl.stss = None;
            moov.trak.push(track);
        })
    }

    pub(crate) fn with_counts(&self, count: u32) -> Vec<u8> {
        self.build(&self.units, |moov, _| {
            let stbl = Self::stbl(moov);
            stbl.stsz.samples = atom::StszSamples::Identical { count, size: 1 };
            stbl.stts.entries = vec![atom::SttsEntry { sample_count: count, sample_delta: 1 }];
            stbl.stsc.entries[0].samples_per_chunk = count;
        })
    }

    pub(crate) fn with_edits(&self, edits: &[(u64, Option<u64>)]) -> Vec<u8> {
        let entry = |&(segment_duration, media_time): &(u64, Option<u64>)| atom::ElstEntry {
            segment_duration,
            media_time,
            media_rate: 1.into(),
        };
        self.build(&self.units, |moov, _| {
            let elst = atom::Elst { entries: edits.iter().map(entry).collect() };
            moov.trak[0].edts = Some(atom::Edts { elst: Some(elst) });
        })
    }

    /// Every frame lasts `delta` units of a second each.
    pub(crate) fn with_delta(&self, delta: u32) -> Vec<u8> {
        let frames = self.units.len() as u32;
        self.build(&self.units, |moov, _| {
            moov.trak[0].mdia.mdhd.timescale = 1;
            Self::stbl(moov).stts.entries =
                vec![atom::SttsEntry { sample_count: frames, sample_delta: delta }];
        })
    }

    pub(crate) fn with_parameters(&self, sps: &[&[u8]], pps: &[&[u8]]) -> Vec<u8> {
        self.build(&self.units, |moov, _| {
            let atom::Codec::Avc1(avc) = &mut Self::stbl(moov).stsd.codecs[0] else { return };
            avc.avcc.sequence_parameter_sets = sps.iter().map(|sps| sps.to_vec()).collect();
            avc.avcc.picture_parameter_sets = pps.iter().map(|pps| pps.to_vec()).collect();
        })
    }

    /// A NAL unit before those of a frame.
    pub(crate) fn with_unit_at(&self, frame: usize, nal: &[u8]) -> Vec<u8> {
        let mut units = self.units.clone();
        units[frame] = [&(nal.len() as u32).to_be_bytes(), nal, &units[frame]].concat();
        self.build(&units, |_, _| {})
    }

    pub(crate) fn with_lying_length(&self, frame: usize, length: u32) -> Vec<u8> {
        let mut units = self.units.clone();
        units[frame][..4].copy_from_slice(&length.to_be_bytes());
        self.build(&units, |_, _| {})
    }

    /// The film, then `count` frames that are marked as seek points and are none.
    pub(crate) fn with_units_that_are_no_idr(&self, count: usize) -> Vec<u8> {
        let mut units = self.units.clone();
        units.extend(std::iter::repeat_n(vec![0, 0, 0, 1, 0x09], count));
        let frames = units.len() as u32;
        self.build(&units, |moov, _| {
            let stbl = Self::stbl(moov);
            stbl.stts.entries = vec![atom::SttsEntry { sample_count: frames, sample_delta: 100 }];
            stbl.stss = None;
        })
    }
}
