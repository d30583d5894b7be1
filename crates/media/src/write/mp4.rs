//! H.264 in mp4, playable everywhere: Main profile, 4:2:0, BT.709 limited range (tagged in the stream and in `colr`),
//! index before media data.
//!
//! Media data goes to an unnamed scratch file on the target's disk while frames arrive; only the sample tables stay in
//! memory. At the end the index, whose size is then known, is written first and the media data copied behind it.

use super::sound::SoundTrack;
use super::{Seal, WriteOptions};
use crate::Error;
use crate::partial::{PartialFile, scratch_beside};
use image::RgbImage;
use mp4_atom as atom;
use openh264::OpenH264API;
use openh264::encoder::{
    BitRate, Complexity, Encoder, EncoderConfig, FrameRate, IntraFramePeriod, Level, Profile, QpRange,
    RateControlMode, UsageType, VuiConfig,
};
use openh264::formats::YUVSlices;
use std::fs::File;
use std::io::{BufWriter, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use yuv::{
    YuvChromaSubsampling, YuvConversionMode, YuvPlanarImageMut, YuvRange, YuvStandardMatrix, rgb_to_yuv420,
};

/// Constant quantiser. On 512x512 frames a talking head takes 1.4 Mbit/s at 41.2 dB with 20, a slow zoom over the
/// craquelure of a painting 4.6 Mbit/s at 38.8 dB with 18 and 3.5 Mbit/s at 37.7 dB with 20 (`examples/codec_speed.rs`).
const QUANTISER: u8 = 18;
/// A frame of noise does not fit into the encoder's buffers; the quantiser grows by this until it does.
const QUANTISER_STEP: u8 = 8;
const COARSEST_QUANTISER: u8 = 50;
const NOMINAL_BITRATE: u32 = 4_000_000;
/// A seek point at least this often, in seconds.
const SEEK_SECONDS: f64 = 2.0;
/// Video and sound alternate in the file in stretches of this length, in seconds.
const INTERLEAVE_SECONDS: f64 = 0.5;
/// ITU-T H.273 code point of BT.709 for primaries, transfer and matrix.
const BT709: u16 = 1;

const START_CODE: [u8; 4] = [0, 0, 0, 1];
const NAL_IDR: u8 = 5;
const NAL_SPS: u8 = 7;
const NAL_PPS: u8 = 8;

pub(super) struct Mp4Writer {
    target: PathBuf,
    output: PartialFile,
    media: BufWriter<File>,
    position: u64,
    encoder: Encoder,
    quantiser: u8,
    planes: YuvPlanarImageMut<'static, u8>,
    /// With the odd last row and column left out.
    size: (u32, u32),
    clock: Clock,
    video: TrackTable,
    sps: Vec<u8>,
    pps: Vec<u8>,
    unit: Vec<u8>,
    sound: Option<(SoundTrack, TrackTable)>,
}

impl Mp4Writer {
    pub(super) fn create(
        target: &Path,
        options: &WriteOptions,
        warnings: &mut Vec<String>,
    ) -> Result<Self, Error> {
        let size = (options.width & !1, options.height & !1);
        let output = PartialFile::create(target)?;
        let media = BufWriter::with_capacity(1 << 18, scratch_beside(target)?);
        let encoder = start_encoder(target, size, options.fps, QUANTISER)?;
        let sound = match &options.sound {
            Some(sound) => SoundTrack::open(sound, target, warnings)?,
            None => None,
        };
        Ok(Self {
            target: target.into(),
            output,
            media,
            position: 0,
            encoder,
            quantiser: QUANTISER,
            planes: YuvPlanarImageMut::alloc(size.0, size.1, YuvChromaSubsampling::Yuv420),
            size,
            clock: Clock::new(options.fps),
            video: TrackTable::default(),
            sps: Vec::new(),
            pps: Vec::new(),
            unit: Vec::new(),
            sound: sound.map(|sound| (sound, TrackTable::default())),
        })
    }

    pub(super) fn write(&mut self, image: &RgbImage) -> Result<(), Error> {
        let frame = self.video.sizes.len() as u64;
        rgb_to_yuv420(
            &mut self.planes,
            image,
            image.width() * 3,
            YuvRange::Limited,
            YuvStandardMatrix::Bt709,
            YuvConversionMode::Balanced,
        )
        .map_err(|error| {
            Error::output(&self.target, format!("frame {frame} cannot be converted: {error}"))
        })?;
        let sync = loop {
            match self.encode() {
                Ok(sync) => break sync,
                Err(_) if self.quantiser + QUANTISER_STEP <= COARSEST_QUANTISER => {
                    self.quantiser += QUANTISER_STEP;
                    self.encoder = start_encoder(&self.target, self.size, self.clock.fps, self.quantiser)?;
                }
                Err(reason) => {
                    let what = format!("frame {frame} cannot be encoded: {reason}");
                    return Err(Error::output(&self.target, what));
                }
            }
        };
        self.media.write_all(&self.unit).map_err(Error::write(&self.target))?;
        let duration = self.clock.duration(frame);
        self.video.push(self.position, self.unit.len() as u32, duration, sync);
        self.position += self.unit.len() as u64;
        let stretch = (INTERLEAVE_SECONDS * self.clock.fps).ceil().max(1.0) as u64;
        if (frame + 1).is_multiple_of(stretch) {
            self.write_sound(self.clock.seconds(frame + 1))?;
        }
        Ok(())
    }

    /// Encodes the planes into `self.unit` with length prefixes; whether the frame is a seek point.
    fn encode(&mut self) -> Result<bool, String> {
        let (width, height) = (self.size.0 as usize, self.size.1 as usize);
        let planes = &self.planes;
        let picture = YUVSlices::new(
            (planes.y_plane.borrow(), planes.u_plane.borrow(), planes.v_plane.borrow()),
            (width, height),
            (planes.y_stride as usize, planes.u_stride as usize, planes.v_stride as usize),
        );
        let stream = self.encoder.encode(&picture).map_err(|error| error.to_string())?;
        self.unit.clear();
        let mut sync = false;
        for layer in (0..stream.num_layers()).filter_map(|index| stream.layer(index)) {
            for nal in (0..layer.nal_count()).filter_map(|index| layer.nal_unit(index)) {
                let nal = nal.strip_prefix(&START_CODE).unwrap_or(nal);
                match nal.first().map(|header| header & 0x1f) {
                    Some(NAL_SPS) => keep_parameters(&mut self.sps, nal)?,
                    Some(NAL_PPS) => keep_parameters(&mut self.pps, nal)?,
                    Some(kind) => {
                        sync |= kind == NAL_IDR;
                        self.unit.extend_from_slice(&(nal.len() as u32).to_be_bytes());
                        self.unit.extend_from_slice(nal);
                    }
                    None => {}
                }
            }
        }
        if self.unit.is_empty() {
            return Err("the encoder left it out".into());
        }
        Ok(sync)
    }

    /// Copies the sound that is due before `seconds`.
    fn write_sound(&mut self, seconds: f64) -> Result<(), Error> {
        let Some((sound, table)) = &mut self.sound else { return Ok(()) };
        while let Some(sample) = sound.next_before(seconds)? {
            table.extend_last(sample.gap);
            self.media.write_all(&sample.data).map_err(Error::write(&self.target))?;
            table.push(self.position, sample.data.len() as u32, sample.duration, true);
            self.position += sample.data.len() as u64;
        }
        Ok(())
    }

    pub(super) fn finish(mut self, seal: &mut Seal<'_>) -> Result<u64, Error> {
        let frames = self.video.sizes.len() as u64;
        self.write_sound(self.clock.seconds(frames))?;
        let header = self.header().map_err(|error| Error::output(&self.target, error.to_string()))?;
        let fault = Error::write(&self.target);
        let copy = || -> std::io::Result<()> {
            let mut media = self.media.into_inner().map_err(std::io::IntoInnerError::into_error)?;
            media.seek(SeekFrom::Start(0))?;
            let output = self.output.writer();
            output.write_all(&header)?;
            output.flush()?;
            std::io::copy(&mut media, output.get_mut().as_file_mut())?;
            Ok(())
        };
        copy().map_err(fault)?;
        self.output.finish_sealed(seal)
    }

    /// `ftyp`, `moov` and the head of `mdat`. The offsets depend on the size of `moov`, which does not depend on their
    /// values: it is encoded twice.
    fn header(&self) -> Result<Vec<u8>, atom::Error> {
        use atom::Encode;
        let ftyp = atom::Ftyp {
            major_brand: b"isom".into(),
            minor_version: 0x200,
            compatible_brands: vec![b"isom".into(), b"iso2".into(), b"avc1".into(), b"mp41".into()],
        };
        let mut header = Vec::new();
        ftyp.encode(&mut header)?;
        let mut draft = Vec::new();
        self.moov(0).encode(&mut draft)?;
        let mdat_header = if self.is_large() { 16 } else { 8 };
        self.moov((header.len() + draft.len()) as u64 + mdat_header).encode(&mut header)?;
        if self.is_large() {
            header.extend_from_slice(&1u32.to_be_bytes());
            header.extend_from_slice(b"mdat");
            header.extend_from_slice(&(self.position + mdat_header).to_be_bytes());
        } else {
            header.extend_from_slice(&((self.position + mdat_header) as u32).to_be_bytes());
            header.extend_from_slice(b"mdat");
        }
        Ok(header)
    }

    /// Whether offsets need 64 bits; 256 MB stand for the index itself.
    fn is_large(&self) -> bool {
        self.position > u64::from(u32::MAX) - (256 << 20)
    }

    fn moov(&self, media_start: u64) -> atom::Moov {
        let timescale = self.clock.timescale;
        let duration = self.video.duration();
        let mut traks = vec![self.video_trak(media_start)];
        if let Some((sound, table)) = self.sound.as_ref().filter(|(_, table)| !table.sizes.is_empty()) {
            traks.push(self.sound_trak(sound, table, media_start));
        }
        atom::Moov {
            mvhd: atom::Mvhd {
                timescale,
                duration,
                rate: 1.into(),
                volume: 1.into(),
                next_track_id: traks.len() as u32 + 1,
                ..Default::default()
            },
            trak: traks,
            ..Default::default()
        }
    }

    fn video_trak(&self, media_start: u64) -> atom::Trak {
        let (width, height) = (self.size.0 as u16, self.size.1 as u16);
        let codec = atom::Avc1 {
            visual: atom::Visual { data_reference_index: 1, width, height, ..Default::default() },
            avcc: atom::Avcc {
                configuration_version: 1,
                avc_profile_indication: self.sps.get(1).copied().unwrap_or_default(),
                profile_compatibility: self.sps.get(2).copied().unwrap_or_default(),
                avc_level_indication: self.sps.get(3).copied().unwrap_or_default(),
                length_size: 4,
                sequence_parameter_sets: vec![self.sps.clone()],
                picture_parameter_sets: vec![self.pps.clone()],
                ext: None,
            },
            colr: Some(atom::Colr::Nclx {
                colour_primaries: BT709,
                transfer_characteristics: BT709,
                matrix_coefficients: BT709,
                full_range_flag: false,
            }),
            btrt: None,
            pasp: None,
            taic: None,
            fiel: None,
            spatial: None,
        };
        let duration = self.video.duration();
        atom::Trak {
            tkhd: atom::Tkhd {
                track_id: 1,
                duration,
                enabled: true,
                in_movie: true,
                width: width.into(),
                height: height.into(),
                ..Default::default()
            },
            mdia: atom::Mdia {
                mdhd: media_header(self.clock.timescale, duration),
                hdlr: atom::Hdlr { handler: b"vide".into(), name: "VideoHandler".into() },
                minf: atom::Minf {
                    vmhd: Some(atom::Vmhd::default()),
                    dinf: data_in_this_file(),
                    stbl: self.video.stbl(codec.into(), media_start, self.is_large()),
                    ..Default::default()
                },
            },
            ..Default::default()
        }
    }

    fn sound_trak(&self, sound: &SoundTrack, table: &TrackTable, media_start: u64) -> atom::Trak {
        let (sound_scale, movie_scale) = (u64::from(sound.timescale()), u64::from(self.clock.timescale));
        let to_movie = |units: u64| units.saturating_mul(movie_scale).div_ceil(sound_scale);
        let delay = to_movie(sound.delay());
        let heard = to_movie(table.duration().saturating_sub(sound.lead_in()));
        let heard = heard.min(self.video.duration().saturating_sub(delay));
        let mut entries = Vec::new();
        if delay > 0 {
            entries.push(atom::ElstEntry { segment_duration: delay, media_time: None, media_rate: 1.into() });
        }
        entries.push(atom::ElstEntry {
            segment_duration: heard,
            media_time: Some(sound.lead_in()),
            media_rate: 1.into(),
        });
        atom::Trak {
            tkhd: atom::Tkhd {
                track_id: 2,
                duration: delay + heard,
                alternate_group: 1,
                enabled: true,
                in_movie: true,
                volume: 1.into(),
                ..Default::default()
            },
            edts: Some(atom::Edts { elst: Some(atom::Elst { entries }) }),
            mdia: atom::Mdia {
                mdhd: media_header(sound.timescale(), table.duration()),
                hdlr: atom::Hdlr { handler: b"soun".into(), name: "SoundHandler".into() },
                minf: atom::Minf {
                    smhd: Some(atom::Smhd::default()),
                    dinf: data_in_this_file(),
                    stbl: table.stbl(sound.description().into(), media_start, self.is_large()),
                    ..Default::default()
                },
            },
            ..Default::default()
        }
    }
}

/// The sample description has one set for all frames.
fn keep_parameters(kept: &mut Vec<u8>, nal: &[u8]) -> Result<(), String> {
    if kept.is_empty() {
        nal.clone_into(kept);
    }
    if kept == nal { Ok(()) } else { Err("the encoder changed its parameters".into()) }
}

fn start_encoder(target: &Path, size: (u32, u32), fps: f64, quantiser: u8) -> Result<Encoder, Error> {
    Encoder::with_api_config(OpenH264API::from_source(), encoder_config(size, fps, quantiser))
        .map_err(|error| Error::output(target, format!("the H.264 encoder does not start: {error}")))
}

fn encoder_config((width, height): (u32, u32), fps: f64, quantiser: u8) -> EncoderConfig {
    EncoderConfig::new()
        .profile(Profile::Main)
        .level(level(width, height, fps))
        .usage_type(UsageType::CameraVideoRealTime)
        .complexity(Complexity::Low)
        // With a range of one value the only mode that never asks for skipped frames is a constant quantiser.
        .rate_control_mode(RateControlMode::Bufferbased)
        .qp(QpRange::new(quantiser, quantiser))
        // Must be given and is not used by this mode.
        .bitrate(BitRate::from_bps(NOMINAL_BITRATE))
        .max_frame_rate(FrameRate::from_hz(fps as f32))
        .intra_frame_period(IntraFramePeriod::from_num_frames((SEEK_SECONDS * fps).ceil() as u32))
        .skip_frames(false)
        .vui(VuiConfig::bt709())
}

/// The lowest common level whose frame size and macroblock rate suffice (ITU-T H.264 Table A-1).
fn level(width: u32, height: u32, fps: f64) -> Level {
    let frame = width.div_ceil(16) * height.div_ceil(16);
    let rate = f64::from(frame) * fps;
    let table = [
        (Level::Level_3_1, 3600, 108_000.0),
        (Level::Level_4_0, 8192, 245_760.0),
        (Level::Level_4_2, 8704, 522_240.0),
        (Level::Level_5_1, 36_864, 983_040.0),
    ];
    let fits = table.into_iter().find(|&(_, most, most_per_second)| frame <= most && rate <= most_per_second);
    fits.map_or(Level::Level_5_2, |(level, _, _)| level)
}

fn media_header(timescale: u32, duration: u64) -> atom::Mdhd {
    atom::Mdhd { timescale, duration, language: "und".into(), ..Default::default() }
}

fn data_in_this_file() -> atom::Dinf {
    atom::Dinf { dref: atom::Dref { entries: vec![atom::Url::default().into()] } }
}

/// Frame times in exact units: 1001-based rates get their own time scale, every other rate is rounded to 1/90000 s.
struct Clock {
    fps: f64,
    timescale: u32,
}

impl Clock {
    fn new(fps: f64) -> Self {
        let nominal = (fps * 1.001).round();
        let ntsc = (nominal / 1.001 - fps).abs() < 1e-3 && (fps - fps.round()).abs() > 1e-3;
        if ntsc {
            Self { fps: nominal / 1.001, timescale: nominal as u32 * 1000 }
        } else {
            Self { fps, timescale: 90_000 }
        }
    }

    fn units(&self, frame: u64) -> u64 {
        (frame as f64 * f64::from(self.timescale) / self.fps).round() as u64
    }

    fn duration(&self, frame: u64) -> u32 {
        (self.units(frame + 1) - self.units(frame)) as u32
    }

    fn seconds(&self, frame: u64) -> f64 {
        frame as f64 / self.fps
    }
}

/// The sample tables of one track as they grow. Offsets count from the start of the media data.
#[derive(Default)]
struct TrackTable {
    sizes: Vec<u32>,
    /// Run lengths and durations.
    durations: Vec<atom::SttsEntry>,
    syncs: Vec<u32>,
    /// Offset and number of samples of each chunk.
    chunks: Vec<(u64, u32)>,
    end: u64,
}

impl TrackTable {
    fn push(&mut self, offset: u64, size: u32, duration: u32, sync: bool) {
        match self.chunks.last_mut() {
            Some((_, samples)) if self.end == offset => *samples += 1,
            _ => self.chunks.push((offset, 1)),
        }
        self.end = offset + u64::from(size);
        self.sizes.push(size);
        if sync {
            self.syncs.push(self.sizes.len() as u32);
        }
        self.push_duration(duration);
    }

    fn push_duration(&mut self, duration: u32) {
        match self.durations.last_mut() {
            Some(run) if run.sample_delta == duration => run.sample_count += 1,
            _ => self.durations.push(atom::SttsEntry { sample_count: 1, sample_delta: duration }),
        }
    }

    /// Lets the last sample last longer.
    fn extend_last(&mut self, gap: u32) {
        let Some(run) = self.durations.last_mut().filter(|_| gap > 0) else { return };
        let duration = run.sample_delta.saturating_add(gap);
        run.sample_count -= 1;
        if run.sample_count == 0 {
            self.durations.pop();
        }
        self.push_duration(duration);
    }

    fn duration(&self) -> u64 {
        self.durations.iter().map(|run| u64::from(run.sample_count) * u64::from(run.sample_delta)).sum()
    }

    fn stbl(&self, codec: atom::Codec, media_start: u64, large: bool) -> atom::Stbl {
        let mut stsc: Vec<atom::StscEntry> = Vec::new();
        for (index, &(_, samples)) in self.chunks.iter().enumerate() {
            if stsc.last().is_none_or(|run| run.samples_per_chunk != samples) {
                stsc.push(atom::StscEntry {
                    first_chunk: index as u32 + 1,
                    samples_per_chunk: samples,
                    sample_description_index: 1,
                });
            }
        }
        let offsets = self.chunks.iter().map(|(offset, _)| offset + media_start);
        let all_sync = self.syncs.len() == self.sizes.len();
        atom::Stbl {
            stsd: atom::Stsd { codecs: vec![codec] },
            stts: atom::Stts { entries: self.durations.clone() },
            stss: (!all_sync).then(|| atom::Stss { entries: self.syncs.clone() }),
            stsc: atom::Stsc { entries: stsc },
            stsz: atom::Stsz { samples: atom::StszSamples::Different { sizes: self.sizes.clone() } },
            co64: large.then(|| atom::Co64 { entries: offsets.clone().collect() }),
            stco: (!large).then(|| atom::Stco { entries: offsets.map(|offset| offset as u32).collect() }),
            ..Default::default()
        }
    }
}
