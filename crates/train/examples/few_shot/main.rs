//! How well a person is shown from 1, 8 and 32 photos: by the mesh alone, and, with weights, by the network as it
//! comes (feed-forward) and tuned to the photos.
//!
//!     cargo run --release -p gioconda-train --example few_shot -- ../shared/data/fewshot [WEIGHTS] [STRIPS]
//!
//! Photos are frames of the first half of a person's clips, test frames come from the other half. A test frame's face
//! is brought to the place and size of the first photo's face, and drives it; what is compared is a square of 1.5 face
//! boxes at 256x256 pixels, inside the face mask of the driven mesh. Prints a row for each number of photos and way
//! of painting, the mean over all people's test frames. With a folder for STRIPS it writes some test frames there:
//! truth, then each row's picture.

mod footage;
mod score;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use footage::{Failure, Test};
use gioconda_avatar::network_input::{cropped, network_crop};
use gioconda_avatar::{Avatar, Canvas, Framing, PersonalNetwork, PortraitWeights, Reference, RendererKind};
use gioconda_face::Region;
use gioconda_face::warp::{MeshWarp, SourceMesh, View};
use gioconda_train::{LearnSettings, learn};
use image::{RgbImage, imageops};
use score::{Score, compare};

const COUNTS: [usize; 3] = [1, 8, 32];
const SIDE: u32 = 256;
/// A renderer fades from one photo to another: so many frames later it has settled.
const SETTLED: usize = 6;
/// Test frames in the strips.
const STRIPS: usize = 6;

fn main() -> Result<(), Failure> {
    let arguments: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    let (folder, weights, strips) = match arguments.as_slice() {
        [folder] => (folder, None, None),
        [folder, weights] if weights.is_file() => (folder, Some(weights), None),
        [folder, strips] => (folder, None, Some(strips)),
        [folder, weights, strips] => (folder, Some(weights), Some(strips)),
        _ => return Err("usage: few_shot FOLDER [WEIGHTS] [FOLDER-FOR-STRIPS]".into()),
    };
    let weights = weights.map(|path| PortraitWeights::open(path)).transpose()?;
    let mut rows: Vec<(String, Vec<Score>)> = Vec::new();
    for person in footage::people(folder)? {
        let (photos, tests) = footage::read(&person, COUNTS[COUNTS.len() - 1])?;
        let mut pictures: Vec<Vec<RgbImage>> =
            tests.iter().map(|test| vec![test.truth(&photos[0], SIDE)]).collect();
        for count in COUNTS {
            for (way, network) in ways(weights.as_ref(), &photos[..count])? {
                let row = format!("T = {count:<2} {way}");
                let (shown, scores) = measure(&photos[..count], network, &tests)?;
                pictures.iter_mut().zip(shown).for_each(|(pictures, shown)| pictures.push(shown));
                match rows.iter_mut().find(|(name, _)| *name == row) {
                    Some((_, all)) => all.extend(scores),
                    None => rows.push((row, scores)),
                }
            }
        }
        if let Some(strips) = strips {
            write_strips(strips, &person, &pictures)?;
        }
    }
    print(&rows);
    Ok(())
}

/// The ways to paint there are: a name, and the network if it takes one.
fn ways(
    weights: Option<&PortraitWeights>,
    photos: &[Reference],
) -> Result<Vec<(&'static str, Option<PersonalNetwork>)>, Failure> {
    let mut ways = vec![("mesh", None)];
    if let Some(weights) = weights {
        ways.push(("feed-forward", Some(weights.feed_forward(photos))));
        let started = Instant::now();
        let settings = LearnSettings::default();
        let (network, outcome) = learn(weights, photos, &settings, &|_| {}, &AtomicBool::new(false))?;
        eprintln!("{} photos, {:.0} s: {outcome:?}", photos.len(), started.elapsed().as_secs_f64());
        ways.push(("learned", Some(network)));
    }
    Ok(ways)
}

/// What the avatar of `photos` makes of every test frame, and how near it comes.
fn measure(
    photos: &[Reference],
    network: Option<PersonalNetwork>,
    tests: &[Test],
) -> Result<(Vec<RgbImage>, Vec<Score>), Failure> {
    let Reference { photo, landmarks } = photos[0].clone();
    let network = network.map(Arc::new);
    let avatar = Avatar { photo, landmarks, warnings: Vec::new(), others: photos[1..].to_vec(), network };
    let canvas = Canvas::new(&avatar.photo, &avatar.landmarks, Framing::Full { longest_side: 4096 });
    let kind = if avatar.network.is_some() { RendererKind::Neural } else { RendererKind::Mesh };
    let mut renderer = avatar.renderer(kind, &canvas)?;
    let mesh = SourceMesh::new(canvas.picture.dimensions(), &canvas.landmarks);
    let crop = network_crop(&canvas.landmarks, canvas.picture.dimensions());
    let mut frame = RgbImage::new(canvas.window.width, canvas.window.height);
    let mut warp = MeshWarp::default();
    let (mut pictures, mut scores) = (Vec::new(), Vec::new());
    for test in tests {
        let driving = test.driving(&photos[0]);
        for _ in 0..SETTLED {
            renderer.render(&driving, &mut frame)?;
        }
        mesh.warp(&driving, &view(&crop), &mut warp);
        let picture = cropped(&frame, &crop, SIDE);
        scores.push(compare(&picture, &test.truth(&photos[0], SIDE), &warp));
        pictures.push(picture);
    }
    Ok((pictures, scores))
}

fn view(crop: &Region) -> View {
    let corner = crop.to_picture(nalgebra::Vector2::zeros());
    View {
        left: corner.x,
        top: corner.y,
        side_x: crop.size,
        side_y: crop.size,
        width: SIDE as usize,
        height: SIDE as usize,
    }
}

fn print(rows: &[(String, Vec<Score>)]) {
    println!(
        "{:<20} {:>6} {:>10} {:>8} {:>8} {:>12}",
        "", "frames", "face PSNR", "SSIM", "L1", "mouth + eyes"
    );
    for (name, scores) in rows {
        let mean = |of: fn(&Score) -> f64| scores.iter().map(of).sum::<f64>() / scores.len().max(1) as f64;
        println!(
            "{name:<20} {:>6} {:>10.2} {:>8.4} {:>8.2} {:>12.2}",
            scores.len(),
            mean(|score| score.psnr),
            mean(|score| score.ssim),
            mean(|score| score.l1),
            mean(|score| score.openings),
        );
    }
}

fn write_strips(folder: &Path, person: &Path, pictures: &[Vec<RgbImage>]) -> Result<(), Failure> {
    std::fs::create_dir_all(folder)?;
    let shown: Vec<_> = pictures.iter().step_by((pictures.len() / STRIPS).max(1)).take(STRIPS).collect();
    let columns = shown.iter().map(|row| row.len()).max().unwrap_or(1) as u32;
    let mut sheet = RgbImage::new(SIDE * columns, SIDE * shown.len() as u32);
    for (row, pictures) in shown.into_iter().enumerate() {
        for (column, picture) in pictures.iter().enumerate() {
            imageops::replace(
                &mut sheet,
                picture,
                column as i64 * i64::from(SIDE),
                row as i64 * i64::from(SIDE),
            );
        }
    }
    let name = person.file_name().unwrap_or_default().to_string_lossy();
    Ok(gioconda_media::save_png(&folder.join(format!("{name}.png")), &sheet)?)
}
