//! All portraits of a folder performing the built-in motions, on one sheet, to look at.
//!
//!     cargo run --release -p gioconda-avatar --example contact_sheet -- FOLDER SHEET.png [SIDE]
//!
//! A row per portrait: first the photo, then two frames of each motion, the one farthest from rest and the one
//! farthest from both. `SIDE` is the side of a picture in pixels, 256 if it is not given.

use std::error::Error;
use std::path::Path;

use gioconda_avatar::builtin_motions;
use gioconda_avatar::{Avatar, Framing, Performance, PerformanceSettings};
use gioconda_face::{FaceChoice, FaceFinder, Landmarks, Threads};
use image::{RgbImage, imageops};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (folder, sheet, side) = match arguments.as_slice() {
        [folder, sheet] => (folder, sheet, 256),
        [folder, sheet, side] => (folder, sheet, side.parse()?),
        _ => return Err("usage: contact_sheet FOLDER SHEET.png [SIDE]".into()),
    };
    let photos = gioconda_media::pictures_in(Path::new(folder))?;
    let mut finder = FaceFinder::new(Threads::Shared)?;
    let columns = 1 + 2 * builtin_motions::ALL.len() as u32;
    let mut picture = RgbImage::new(columns * side, photos.len() as u32 * side);
    for (row, photo) in photos.iter().enumerate() {
        let avatar = Avatar::from_photo(photo, FaceChoice::Largest, &mut finder)?;
        for (column, cell) in cells(&avatar, side)?.iter().enumerate() {
            let (x, y) = (column as i64 * i64::from(side), row as i64 * i64::from(side));
            imageops::replace(&mut picture, cell, x, y);
        }
    }
    gioconda_media::save_png(Path::new(sheet), &picture)?;
    Ok(())
}

/// The photo, and two frames of every motion.
fn cells(avatar: &Avatar, side: u32) -> Result<Vec<RgbImage>, gioconda_avatar::Error> {
    let settings = PerformanceSettings::default().framing(Framing::Head { side });
    let mut performance = Performance::new(avatar, settings)?;
    let rest = performance.canvas().landmarks.clone();
    let mut cells = vec![performance.canvas().still()];
    for builtin in builtin_motions::ALL {
        let motion = builtin.load();
        let frames: Vec<_> = (0..motion.len()).map(|i| performance.landmarks(&motion.frame(i))).collect();
        let mut shown = vec![&rest];
        for _ in 0..2 {
            shown.extend(farthest(&frames, &shown));
        }
        for landmarks in &shown[1..] {
            let mut cell = RgbImage::default();
            performance.render(landmarks, &mut cell)?;
            cells.push(cell);
        }
    }
    Ok(cells)
}

/// The frame whose nearest neighbour among those `shown` is the farthest away.
fn farthest<'a>(frames: &'a [Landmarks], shown: &[&Landmarks]) -> Option<&'a Landmarks> {
    let novelty =
        |frame: &Landmarks| shown.iter().map(|other| distance(frame, other)).fold(f32::MAX, f32::min);
    frames.iter().max_by(|a, b| novelty(a).total_cmp(&novelty(b)))
}

/// Mean distance between landmarks, pixels.
fn distance(a: &Landmarks, b: &Landmarks) -> f32 {
    let sum: f32 = a.points.iter().zip(&b.points).map(|(a, b)| (a - b).xy().norm()).sum();
    sum / a.points.len() as f32
}
