//! Does the discriminator tell? On validation pairs, how often does a frame with its own landmarks score above the same
//! frame with the landmarks of another frame of the video?
//!
//!     cargo run --release -p gioconda-train --example discriminator_tells -- RUN/weights.safetensors DATA
//!
//! DATA holds people the run has not seen. They have no row in W, so the score is that of realism and pose alone,
//! `<v, w0> + b`. docs/train.md holds the result.

use std::path::PathBuf;
use std::sync::Arc;

use gioconda_dataset::Dataset;
use gioconda_model::WeightFile;
use gioconda_networks::burn::tensor::Tensor;
use gioconda_networks::{Device, Discriminator, load};
use gioconda_train::{EpisodeSource, TrainConfig};

const BATCHES: u64 = 16;
const BATCH: usize = 16;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args_os().skip(1).map(PathBuf::from);
    let (Some(weights), Some(data)) = (arguments.next(), arguments.next()) else {
        return Err("usage: discriminator_tells RUN/weights.safetensors DATA".into());
    };
    let device = Device::flex();
    let file = WeightFile::open(&weights)?;
    let networks = file.header().config.clone();
    let width = networks.embedder.embedding();
    let discriminator = load(&file, "discriminator", Discriminator::new(&networks.discriminator, &device)?)?;

    let config = TrainConfig { networks, ..TrainConfig::of(file.header().preset) };
    let source = EpisodeSource::new(Arc::new(Dataset::open(&data)?), &config)?.unvaried(BATCH);
    let (mut right, mut pairs) = (0, 0);
    for number in 0..BATCHES {
        let episode = source.batch(number)?.into_episode(&device);
        let score = |picture: Tensor<4>| -> Result<Vec<f32>, _> {
            let nobody = Tensor::zeros([BATCH, width], &device);
            discriminator.forward(episode.frame.clone(), picture, nobody).score.try_into_vec_as::<f32>()
        };
        let other = episode.source_pictures.clone().narrow(1, 0, 1).squeeze_dim(1);
        let (own, other) = (score(episode.picture.clone())?, score(other)?);
        right += own.iter().zip(&other).filter(|(own, other)| own > other).count();
        pairs += own.len();
    }
    println!("{right} of {pairs} pairs: {:.1} %", 100.0 * right as f64 / pairs as f64);
    Ok(())
}
