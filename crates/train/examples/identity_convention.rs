//! What does `MobileFaceNet` want its colours to be? Its file does not say. Prints, for each convention, the cosine of two frames
//! of one person and of frames of two people, and how many of the first are above all of the second.
//!
//!     cargo run --release -p gioconda-train --example identity_convention -- DATA ../shared/models

use std::error::Error;
use std::path::PathBuf;
use std::sync::Arc;

use gioconda_dataset::Dataset;
use gioconda_model::Preset;
use gioconda_networks::burn::tensor::Tensor;
use gioconda_networks::{Device, IDENTITY_FILE, IdentityCritic, Square};
use gioconda_train::{EpisodeSource, Footage, TrainConfig};

const BATCHES: u64 = 16;
const BATCH: usize = 8;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args_os().skip(1).map(PathBuf::from);
    let (Some(data), Some(models)) = (arguments.next(), arguments.next()) else {
        return Err("usage: identity_convention DATA MODELS".into());
    };
    let footage: Arc<dyn Footage> = Arc::new(Dataset::open(&data)?);
    let source = EpisodeSource::new(footage, &TrainConfig::of(Preset::Portrait))?.unvaried(BATCH);
    let device = Device::flex();
    let path = models.join(IDENTITY_FILE);
    let critic = IdentityCritic::read(&std::fs::read(&path)?, &path, &device)?;
    let episodes: Vec<_> = (0..BATCHES)
        .map(|number| Ok(source.batch(number)?.into_episode(&device)))
        .collect::<Result<_, gioconda_train::Error>>()?;

    println!("convention     same person  two people  same above all of two");
    for (name, bgr, scale, shift) in [
        ("RGB, -1..1", false, 1.0, 0.0),
        ("BGR, -1..1", true, 1.0, 0.0),
        ("RGB, 0..1", false, 0.5, 0.5),
        ("RGB, 0..255", false, 127.5, 127.5),
    ] {
        let (mut same, mut different) = (Vec::new(), Vec::new());
        for episode in &episodes {
            let embeddings = |frames: &Tensor<4>, squares: Vec<Square>| {
                let frames = if bgr { frames.clone().flip([1]) } else { frames.clone() };
                critic.embeddings(&(frames * scale + shift), &squares)
            };
            let photos = &episode.warp.as_ref().ok_or("the preset composes")?.photo;
            let made = embeddings(&episode.frame, episode.faces.iter().map(|face| face.identity).collect());
            let photos = embeddings(photos, episode.faces.iter().map(|face| face.photo_identity).collect());
            let cosines =
                made.matmul(photos.transpose()).try_into_vec_as::<f32>().map_err(|e| format!("{e:?}"))?;
            let people = episode.video.clone().try_into_vec_as::<i32>().map_err(|e| format!("{e:?}"))?;
            for (index, cosine) in cosines.into_iter().enumerate() {
                let (one, other) = (index / BATCH, index % BATCH);
                if people[one] == people[other] {
                    same.push(cosine);
                } else {
                    different.push(cosine);
                }
            }
        }
        let mean = |cosines: &[f32]| cosines.iter().sum::<f32>() / cosines.len() as f32;
        let most = different.iter().copied().fold(f32::MIN, f32::max);
        let above = same.iter().filter(|cosine| **cosine > most).count();
        println!(
            "{name:13}  {:11.3}  {:10.3}  {:17.1} %",
            mean(&same),
            mean(&different),
            100.0 * above as f64 / same.len() as f64
        );
    }
    Ok(())
}
