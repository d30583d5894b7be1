//! Will it fit? An estimate before the first step is kinder than the system's killer behind the hundredth.

use std::fs;

use gioconda_model::{GeneratorConfig, NetworksConfig};
use gioconda_networks::{Architecture, perceptual_spec};

use crate::config::TrainConfig;
use crate::{Error, Result};

/// Bytes of a number.
const FLOAT: usize = 4;

/// Copies of the parameters: weights, gradients, two moments, averages, and one more while a step replaces them.
const PARAMETER_COPIES: usize = 6;

/// What a backward pass keeps, and what convolutions lay out on the way, over the feature maps counted here. The
/// `portrait` preset at batch 8 without D and perceptual networks has 225 million of them and was seen to take 0.95 GB
/// on the CPU, which is 0.9; the rest is caution.
const KEPT_PER_FEATURE: f64 = 1.2;

/// Of a warp: photo 3, grid 2, masks 4.
const WARP_PLANES: usize = 9;

/// Numbers per pixel that composing an enlarged frame, and comparing it, keeps for the backward pass.
const COMPOSED_FEATURES: usize = 100;

/// Numbers that the critics of faces keep for each episode: `MediaPipe`'s landmark model at 256 pixels, and `MobileFaceNet` at 112.
const LANDMARK_FEATURES: usize = 15_000_000;
const IDENTITY_FEATURES: usize = 10_000_000;

/// From this share of the available memory on, the user is warned.
const TIGHT: f64 = 0.8;

/// Estimates the need of a run on the CPU, in megabytes; refuses one that exceeds what is available.
pub(crate) fn check(
    config: &TrainConfig,
    videos: usize,
    devices: usize,
    warn: &mut dyn FnMut(String),
) -> Result<u64> {
    let needed = estimate(config, videos).saturating_mul(devices as u64) / 1_000_000;
    let Some(available) = available().map(|bytes| bytes / 1_000_000) else { return Ok(needed) };
    if needed > available {
        return Err(Error::Memory { needed_mb: needed, available_mb: available });
    }
    if needed as f64 > TIGHT * available as f64 {
        warn(format!("training needs about {needed} of the {available} MB that are available"));
    }
    Ok(needed)
}

/// Bytes of one device's share.
fn estimate(config: &TrainConfig, videos: usize) -> u64 {
    let networks = &config.networks;
    let parameters = parameters(networks) + videos * networks.embedder.embedding();
    // In floating point: with the largest values that a configuration may have, the product overflows integers.
    let features = config.batch as f64 * features_per_episode(config) as f64;
    let held = (parameters * PARAMETER_COPIES * FLOAT) as f64;
    let kept = features * FLOAT as f64 * KEPT_PER_FEATURE;
    let (seen, made) = (networks.generator.resolution.pow(2), config.frame_size().pow(2));
    let embedded = networks.embedder.resolution.pow(2);
    let numbers = 3 * 2 * config.shots * embedded + 3 * seen + (3 + WARP_PLANES) * made;
    let batches = config.accumulate + config.data.workers * (config.data.queue + 1);
    (held + kept + batches as f64 * config.batch as f64 * (numbers * FLOAT) as f64) as u64
}

/// Weights of the 3x3 convolutions; everything else is small beside them.
fn parameters(networks: &NetworksConfig) -> usize {
    let path = |widths: &[usize]| -> usize {
        let inputs = std::iter::once(3).chain(widths.iter().copied());
        inputs.zip(widths).map(|(input, output)| 9 * output * (input + output)).sum()
    };
    let generator = &networks.generator;
    let deepest = generator.widths.last().copied().unwrap_or(0);
    path(&networks.embedder.widths)
        + path(&networks.discriminator.widths)
        + 2 * path(&generator.widths)
        + 18 * deepest * deepest * generator.residual_blocks
        + generator.embedding * generator.psi_len()
}

/// Numbers in the feature maps that one episode's backward pass needs.
fn features_per_episode(config: &TrainConfig) -> usize {
    let networks = &config.networks;
    let judged = if config.discriminator.from_step > 0 { 2 } else { 0 };
    let window = if config.perceptual.window > 0 { config.perceptual.window } else { config.frame_size() };
    let perceptual: usize =
        config.perceptual.networks.iter().map(|term| perceptual_features(&term.name, window)).sum();
    config.shots * down_features(&networks.embedder.widths, networks.embedder.resolution)
        + judged * down_features(&networks.discriminator.widths, networks.discriminator.resolution)
        + generator_features(&networks.generator)
        + perceptual
        + if config.losses.judges_landmarks() { LANDMARK_FEATURES } else { 0 }
        + if config.losses.identity > 0.0 { IDENTITY_FEATURES } else { 0 }
        + if config.frame_size() > networks.generator.map_size() {
            COMPOSED_FEATURES * config.frame_size().pow(2)
        } else {
            0
        }
}

/// A block on the way down works at its input's size: two convolutions, two activations, the skip.
fn down_features(widths: &[usize], size: usize) -> usize {
    let inputs = std::iter::once(6).chain(widths.iter().copied());
    let blocks = inputs.zip(widths).enumerate();
    blocks.map(|(level, (input, output))| (2 * input + 4 * output) * (size >> level).pow(2)).sum()
}

/// A block with norms keeps their inputs and outputs too; on the way up it works at its output's size.
fn generator_features(config: &GeneratorConfig) -> usize {
    let skips = if config.skips { 2 } else { 1 };
    let levels = config.widths.iter().enumerate();
    let along = levels.map(|(level, width)| {
        let pixels = (config.map_size() >> level).pow(2);
        let below = config.widths.get(level + 1).unwrap_or(width);
        let up = skips * 4 * below + 8 * width;
        (10 * width + up) * pixels
    });
    along.sum()
}

fn perceptual_features(name: &str, window: usize) -> usize {
    match perceptual_spec(name).map(|spec| spec.architecture) {
        // Two maps per convolution of 64, 128, 256, .. channels, for the real and the generated frame.
        Ok(Architecture::Vgg { convolutions, taps }) => {
            let last = taps.iter().map(|(block, _)| *block).max().unwrap_or(0);
            let blocks = convolutions.iter().enumerate().take(last);
            blocks.map(|(block, count)| 4 * count * (64 << block.min(3)) * (window >> block).pow(2)).sum()
        }
        // The widest maps are the first expansion's, 96 channels at half the size.
        Ok(Architecture::MobileNetV2 { .. }) => 8 * 96 * (window / 2).pow(2),
        Err(_) => 0,
    }
}

/// What the system could give without swapping, bytes; `None` where it does not say.
fn available() -> Option<u64> {
    let text = fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok().map(|kilobytes| kilobytes * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;
    use gioconda_model::Preset;

    #[test]
    fn sizes_that_cannot_fit_are_refused_with_advice() {
        let config = TrainConfig { batch: 1_000_000, ..TrainConfig::of(Preset::Paper) };
        if available().is_none() {
            println!("skipped: this system does not say how much memory is available");
            return;
        }
        let message = check(&config, 10, 1, &mut |_| {}).unwrap_err().to_string();
        assert!(
            message.starts_with("training needs about ") && message.contains("lower `batch`"),
            "{message}"
        );
    }

    #[test]
    fn parameters_are_counted_to_a_tenth() {
        for (preset, exact) in [(Preset::Paper, 72_279_621), (Preset::Portrait, 4_593_783)] {
            let estimated = parameters(&preset.config()) as f64;
            assert!((estimated / f64::from(exact) - 1.0).abs() < 0.25, "{preset}: {estimated}");
        }
    }
}
