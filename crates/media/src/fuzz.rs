//! What the fuzz targets call: arbitrary bytes to each reader, in memory, within a budget that keeps every try short.
//! The tests call the same functions on their seeds.

use crate::Budget;
use crate::read::{Movie, SequenceParameters, Track, fuzz_animation};
use crate::sniff::Container;
use std::io::Cursor;
use std::path::Path;

fn small() -> Budget {
    Budget {
        photo_pixels: 1 << 20,
        clip_pixels: 1 << 20,
        animation_pixels: 1 << 22,
        frames: 1 << 16,
        ..Budget::for_uploads()
    }
}

/// As an mp4: boxes, sample tables, edit lists and H.264 parameters.
pub fn mp4(bytes: &[u8]) {
    let length = bytes.len() as u64;
    let movie = Movie::parse(Path::new("fuzz.mp4"), &mut Cursor::new(bytes), length, &small());
    if let Ok(movie) = movie {
        movie.video.iter().flat_map(Track::sequence_parameters).for_each(sps);
    }
}

/// As a sequence parameter set of H.264.
pub fn sps(bytes: &[u8]) {
    if let Some(parameters) = SequenceParameters::parse(bytes) {
        let _ = parameters.check(Path::new("fuzz.mp4"), &small());
        let _ = parameters.beyond_built_in();
    }
}

/// As an animated GIF.
pub fn gif(bytes: &[u8]) {
    fuzz_animation(bytes, Container::AnimatedGif, &small());
}

/// As an animated WebP.
pub fn webp(bytes: &[u8]) {
    fuzz_animation(bytes, Container::AnimatedWebP, &small());
}

/// As a photo of any format.
pub fn photo(bytes: &[u8]) {
    let (file, length) = (Cursor::new(bytes.to_vec()), bytes.len() as u64);
    let _ = crate::photo::read_from(Path::new("fuzz"), file, length, &small());
}
