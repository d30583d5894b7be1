//! Where the time of a training step goes on this machine: drawing the data, and steps of several kinds.
//!
//!     cargo run --release -p gioconda-train --example step_speed -- DATA [PERCEPTUAL_DIR]
//!     cargo run --release -p gioconda-train --example step_speed -- DATA paper
//!
//! DATA is a folder that `gioconda prepare` filled. The first is `portrait`, the second `paper` as published, K = 8, with
//! two steps of D for one of G, without perceptual networks. docs/performance.md holds the results.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use gioconda_dataset::Dataset;
use gioconda_model::Preset;
use gioconda_networks::{Critics, Device};
use gioconda_train::{EpisodeSource, Footage, TrainConfig, Trainer, load_critics};

type AnyError = Box<dyn std::error::Error>;

fn main() -> Result<(), AnyError> {
    let mut arguments = std::env::args_os().skip(1).map(PathBuf::from);
    let data = arguments.next().ok_or("usage: step_speed DATA [PERCEPTUAL_DIR]")?;
    let second = arguments.next();
    let paper = second.as_deref().is_some_and(|argument| argument == Path::new("paper"));
    let perceptual = second.filter(|_| !paper);
    let preset = if paper { Preset::Paper } else { Preset::Portrait };
    let kinds: &[(usize, bool, bool)] = if paper {
        &[(1, false, true)]
    } else {
        &[(8, false, false), (8, true, false), (8, true, true), (16, true, false)]
    };
    let footage: Arc<dyn Footage> = Arc::new(Dataset::open(&data)?);
    println!("batch  critics     discriminator  data ms/sample  step ms/sample  samples/s  peak MB");
    for &(batch, with_perceptual, with_discriminator) in kinds {
        if with_perceptual && perceptual.is_none() {
            continue;
        }
        let mut config = TrainConfig::of(preset);
        config.batch = batch;
        config.accumulate = 1;
        config.discriminator.from_step = u64::from(with_discriminator);
        let critics = match &perceptual {
            Some(folder) if with_perceptual => load_critics(&config, &[Device::flex()], folder)?,
            _ => vec![Critics::default()],
        };
        let source = EpisodeSource::new(footage.clone(), &config)?;
        let mut trainer = Trainer::new(&config, footage.videos(), &[Device::flex()], critics)?;
        trainer.step(vec![source.batch(0)?]);

        let began = Instant::now();
        let batches = (1..4).map(|number| source.batch(number)).collect::<Result<Vec<_>, _>>()?;
        let data = began.elapsed().as_secs_f64() * 1e3 / (3 * batch) as f64;
        let began = Instant::now();
        for batch in batches {
            trainer.step(vec![batch]);
        }
        let step = began.elapsed().as_secs_f64() * 1e3 / (3 * batch) as f64;
        let peak = peak_megabytes().map_or_else(|| "?".to_owned(), |megabytes| megabytes.to_string());
        println!(
            "{batch:5}  {with_perceptual:10}  {with_discriminator:13}  {data:14.1}  {step:14.1}  {:9.2}  {peak:>7}",
            1e3 / step
        );
    }
    Ok(())
}

/// The process's peak memory so far, where the system says.
fn peak_megabytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok().map(|kilobytes| kilobytes / 1024)
}
