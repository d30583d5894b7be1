//! The person of a photo over a magenta ground, and what the matte thinks of itself.
//!
//! `cargo run --release -p gioconda-face --example matte -- PHOTO OUT.png`

use std::path::Path;
use std::time::Instant;

use gioconda_face::{FaceChoice, FaceFinder, MatteFinder, Threads};
use image::Rgb;

/// Behind the person.
const GROUND: [u8; 3] = [255, 0, 255];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(path), Some(out)) = (arguments.next(), arguments.next()) else {
        return Err("usage: matte PHOTO OUT.png".into());
    };
    let mut photo = gioconda_media::photo::read(Path::new(&path))?.image;
    let faces = FaceFinder::new(Threads::Shared)?.find_faces(&photo)?;
    let face = FaceChoice::Largest.choose(&faces)?.ok_or("no face found; use another photo")?;
    let others: Vec<_> = faces.iter().filter(|other| !std::ptr::eq(*other, face)).collect();
    let others: Vec<_> = others.iter().map(|other| &other.landmarks).collect();
    let finder = MatteFinder::new(Threads::Shared)?;
    let start = Instant::now();
    let matte = finder.find_among(&photo, &face.landmarks, &others)?;
    println!("{path}: {} ({:.0} ms)", matte.verdict, 1000.0 * start.elapsed().as_secs_f64());
    for (pixel, alpha) in photo.pixels_mut().zip(matte.alpha.pixels()) {
        let alpha = u32::from(alpha[0]);
        let over = |i: usize| (u32::from(pixel[i]) * alpha + u32::from(GROUND[i]) * (255 - alpha)) / 255;
        *pixel = Rgb(std::array::from_fn(|i| over(i) as u8));
    }
    photo.save(out)?;
    Ok(())
}
