//! Whole runs of tiny networks: they learn, they survive being killed, and they stop when the numbers run away.

mod mona_lisa;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use gioconda_model::{Preset, WeightFile};
use gioconda_networks::{Critics, Device};
use gioconda_train::{
    EpisodeSource, Event, Footage, RunSettings, RunSummary, Start, TrainConfig, Trainer, train,
};

/// A preset's recipe on networks that train in seconds.
fn tiny(preset: Preset, size: usize, widths: &[usize], changes: &str) -> TrainConfig {
    let mut config = TrainConfig::of(preset);
    let widths = widths.to_vec();
    let embedding = widths[widths.len() - 1];
    let networks = &mut config.networks;
    networks.embedder.widths.clone_from(&widths);
    networks.discriminator.widths.clone_from(&widths);
    networks.generator.widths = widths;
    networks.generator.embedding = embedding;
    networks.generator.residual_blocks = 1;
    networks.embedder.resolution = size;
    networks.discriminator.resolution = size;
    networks.generator.resolution = size;
    networks.generator.pixel_shuffle = 1;
    config.perceptual.networks.clear();
    config.perceptual.window = 0;
    (config.losses.landmarks, config.losses.identity) = (0.0, 0.0);
    config.enlarge = 1;
    config.overlaid(changes, "the test").unwrap()
}

fn settings(folder: &Path, start: Start) -> RunSettings {
    let devices = vec![Device::flex()];
    RunSettings { folder: folder.to_owned(), start, devices, perceptual: PathBuf::new() }
}

fn run(folder: &Path, start: Start, footage: &Arc<dyn Footage>) -> gioconda_train::Result<RunSummary> {
    train(footage, &settings(folder, start), &mut |_| {}, &AtomicBool::new(false))
}

/// Mean absolute difference between output and driving frame, colours -1..1, on unvaried episodes.
fn reconstruction(trainer: &Trainer, source: &EpisodeSource) -> f32 {
    let episode = source.unvaried(16).batch(0).unwrap().into_episode(&Device::flex());
    let generated = trainer.average().generate(&episode);
    (generated.frame - episode.frame).abs().mean().into_scalar::<f32>()
}

/// Trains until the reconstruction is below 0.05, at most `steps` steps, on two clips.
fn assert_overfits(config: &TrainConfig, frames: usize, steps: u64) {
    let size = config.networks.generator.resolution as u32;
    let footage: Arc<dyn Footage> = Arc::new(mona_lisa::footage(2, frames, size));
    let source = EpisodeSource::new(footage.clone(), config).unwrap();
    let mut trainer =
        Trainer::new(config, footage.videos(), &[Device::flex()], vec![Critics::default()]).unwrap();
    let first = reconstruction(&trainer, &source);
    let began = Instant::now();
    for step in 0..steps {
        trainer.step(vec![source.batch(step).unwrap()]);
        if (step + 1).is_multiple_of(20) {
            let distance = reconstruction(&trainer, &source);
            println!("{} step {}: L1 {first:.4} -> {distance:.4}", config.preset, step + 1);
            if distance < 0.05 {
                println!("below 0.05 after {} steps, {:.1} s", step + 1, began.elapsed().as_secs_f32());
                return;
            }
        }
    }
    panic!("{}: L1 is still {} after {steps} steps", config.preset, reconstruction(&trainer, &source));
}

#[test]
fn portrait_overfits_two_clips() {
    let changes = "batch = 4\naccumulate = 1\nema = 0.9\nschedule = 'constant'
        generator_optimizer.learning_rate = 2e-3\ndiscriminator.from_step = 0
        data = { flip = 0, gain = 0, offset = 0, tint = 0, hue = 0, saturation = 0, grey = 0, turn = 0, stretch = 0, \
        zoom = 0, dropout = 0 }";
    assert_overfits(&tiny(Preset::Portrait, 32, &[8, 16, 32], changes), 4, 600);
}

#[test]
fn paper_overfits_two_clips() {
    let changes = "batch = 4\nshots = 1\nema = 0.9\ndiscriminator.steps = 1
        generator_optimizer.learning_rate = 2e-3\ngenerator_optimizer.beta_1 = 0.5
        losses = { pixel = 10, adversarial = 0.1, feature_matching = 1, matching = 1 }";
    assert_overfits(&tiny(Preset::Paper, 32, &[8, 16, 32], changes), 3, 600);
}

/// Every network and optimiser takes part; the data are varied; the discriminator joins on the way.
fn resumable() -> TrainConfig {
    let changes = "steps = 30\nbatch = 2\naccumulate = 2\nema = 0.9\noutput.checkpoint_every = 3
        output.log_every = 1\noutput.pictures_every = 10\noutput.picture_rows = 2
        losses.matching = 1\ndiscriminator.from_step = 8\ndata.workers = 2";
    tiny(Preset::Portrait, 32, &[8, 16], changes)
}

const CHILD: &str = "GIOCONDA_TRAIN_CHILD";

/// Not a test of its own: [`a_killed_run_ends_like_an_uninterrupted_one`] starts it as a process that can be killed.
#[test]
fn child_process() {
    let Some(folder) = std::env::var_os(CHILD) else { return };
    let folder = Path::new(&folder);
    let resume = folder.join("config.toml").is_file();
    let start = if resume { Start::Resume } else { Start::New(Box::new(resumable())) };
    let footage: Arc<dyn Footage> = Arc::new(mona_lisa::footage(2, 4, 32));
    run(folder, start, &footage).unwrap();
}

fn child(folder: &Path) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "child_process"]).env(CHILD, folder);
    command.stdout(Stdio::null()).stderr(Stdio::inherit()).spawn().unwrap()
}

fn weights(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let bytes = std::fs::read(folder.join("weights.safetensors")).unwrap();
    let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    file.iter().map(|(name, tensor)| (name.to_owned(), tensor.data().to_vec())).collect()
}

#[test]
fn a_killed_run_ends_like_an_uninterrupted_one() {
    let folders = tempfile::tempdir().unwrap();
    let (whole, killed) = (folders.path().join("whole"), folders.path().join("killed"));
    let began = Instant::now();
    assert!(child(&whole).wait().unwrap().success());
    let duration = began.elapsed();

    let mut rng = fastrand::Rng::new();
    let mut kills = 0;
    let finished = || weights_of_step(&killed, 30);
    while !finished() {
        assert!(kills < 100, "the run does not get on");
        let mut process = child(&killed);
        let patience = duration.mul_f32(0.15 + 0.35 * rng.f32());
        let started = Instant::now();
        let mut ended = false;
        while started.elapsed() < patience && !ended {
            std::thread::sleep(Duration::from_millis(5));
            ended = process.try_wait().unwrap().is_some();
        }
        if !ended {
            // On Unix this is SIGKILL: nothing of the process runs any more.
            process.kill().unwrap();
            kills += 1;
        }
        process.wait().unwrap();
    }
    println!("killed {kills} times");
    let (whole_weights, killed_weights) = (weights(&whole), weights(&killed));
    assert_eq!(whole_weights.keys().collect::<Vec<_>>(), killed_weights.keys().collect::<Vec<_>>());
    for (name, bytes) in &whole_weights {
        assert!(killed_weights[name] == *bytes, "{name} differs");
    }
    let losses = |folder: &Path| -> Vec<serde_json::Value> {
        let text = std::fs::read_to_string(folder.join("log.jsonl")).unwrap();
        text.lines()
            .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["losses"].clone())
            .collect()
    };
    assert_eq!(losses(&whole), losses(&killed));
    assert_eq!(losses(&whole).len(), 30);
}

/// Whether a run's last checkpoint stands.
fn weights_of_step(folder: &Path, step: u64) -> bool {
    folder.join(format!("checkpoints/step-{step:08}/checkpoint.json")).is_file()
}

#[test]
fn a_run_stops_when_asked_and_keeps_three_checkpoints() {
    let folder = tempfile::tempdir().unwrap();
    let footage: Arc<dyn Footage> = Arc::new(mona_lisa::footage(1, 4, 32));
    let stop = AtomicBool::new(false);
    let mut pictures = Vec::new();
    let mut observe = |event: Event<'_>| match event {
        Event::Step { step: 13, .. } => stop.store(true, Ordering::Relaxed),
        Event::Picture(path) => pictures.push(path.to_owned()),
        _ => {}
    };
    let start = Start::New(Box::new(resumable()));
    let summary = train(&footage, &settings(folder.path(), start), &mut observe, &stop).unwrap();
    assert!(summary.interrupted && summary.step == 13 && summary.steps_taken == 13);
    let mut checkpoints: Vec<_> = std::fs::read_dir(folder.path().join("checkpoints"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    checkpoints.sort();
    assert_eq!(checkpoints, ["step-00000009", "step-00000012", "step-00000013"]);
    let grid = image::open(&pictures[0]).unwrap();
    assert_eq!((grid.width(), grid.height()), (5 * 34 - 2, 2 * 34 - 2));

    let again = run(folder.path(), Start::New(Box::new(resumable())), &footage).unwrap_err();
    assert!(again.to_string().ends_with("continue it or choose another folder"), "{again}");
    let others: Arc<dyn Footage> = Arc::new(mona_lisa::footage(2, 4, 32));
    let other = run(folder.path(), Start::Resume, &others).unwrap_err();
    assert!(other.to_string().contains("not a usable checkpoint"), "{other}");
    let file = folder.path().join("checkpoints/step-00000013/average.bpk");
    std::fs::write(&file, "something else").unwrap();
    let damaged = run(folder.path(), Start::Resume, &footage).unwrap_err();
    assert!(damaged.to_string().contains("average.bpk is not what was written"), "{damaged}");
}

/// Also when it is stopped before its first step, and resumed.
#[test]
fn a_run_begins_with_the_weights_of_another() {
    let folders = tempfile::tempdir().unwrap();
    let footage: Arc<dyn Footage> = Arc::new(mona_lisa::footage(1, 4, 32));
    let (first, second) = (folders.path().join("first"), folders.path().join("second"));
    let config = TrainConfig { steps: 2, ..resumable() };
    run(&first, Start::New(Box::new(config.clone())), &footage).unwrap();

    let other_seed = Box::new(TrainConfig { seed: config.seed + 1, ..config });
    let start = Start::From { config: other_seed, weights: first.join("weights.safetensors") };
    let stopped = AtomicBool::new(true);
    let summary = train(&footage, &settings(&second, start.clone()), &mut |_| {}, &stopped).unwrap();
    assert_eq!((summary.step, summary.interrupted), (0, true));
    assert!(weights(&second) == weights(&first), "the weights are not those of the first run");
    let again = run(&second, start, &footage).unwrap_err();
    assert!(again.to_string().ends_with("continue it or choose another folder"), "{again}");
    assert_eq!(run(&second, Start::Resume, &footage).unwrap().step, 2);

    // Pictures twice as large, on maps of the same size.
    let mut finer = TrainConfig { steps: 1, ..resumable() };
    finer.networks.generator.resolution *= 2;
    finer.networks.generator.pixel_shuffle = 2;
    finer.networks.discriminator.resolution *= 2;
    let start = Start::From { config: Box::new(finer), weights: first.join("weights.safetensors") };
    let refined = folders.path().join("refined");
    let large: Arc<dyn Footage> = Arc::new(mona_lisa::footage(1, 4, 64));
    assert_eq!(run(&refined, start, &large).unwrap().step, 1);
    let config = WeightFile::open(&refined.join("weights.safetensors")).unwrap().header().config.clone();
    assert_eq!((config.generator.resolution, config.generator.pixel_shuffle), (64, 2));

    let start = Start::From {
        config: Box::new(tiny(Preset::Portrait, 32, &[8, 8], "")),
        weights: first.join("weights.safetensors"),
    };
    let larger = run(&folders.path().join("third"), start, &footage).unwrap_err();
    assert!(larger.to_string().contains("made for embedder"), "{larger}");
}

/// `learn` would take it for a judge.
#[test]
fn a_discriminator_that_is_not_trained_on_whole_frames_is_not_in_the_weights() {
    let folders = tempfile::tempdir().unwrap();
    let footage: Arc<dyn Footage> = Arc::new(mona_lisa::footage(1, 4, 32));
    for (from_step, window, expected) in [(0, 0, false), (8, 0, true), (1, 16, false)] {
        let mut config = TrainConfig { steps: 1, ..resumable() };
        config.discriminator.from_step = from_step;
        if window > 0 {
            config.discriminator.windows = true;
            config.perceptual.window = window;
            config.networks.discriminator.resolution = window;
        }
        let folder = folders.path().join(format!("{from_step}-{window}"));
        run(&folder, Start::New(Box::new(config)), &footage).unwrap();
        let file = WeightFile::open(&folder.join("weights.safetensors")).unwrap();
        assert!(file.network("generator").is_some());
        assert_eq!(file.network("discriminator").is_some(), expected, "from step {from_step}, {window}");
    }
}

/// The configuration in the run folder holds from the next resume on, here with a weight that no loss survives.
#[test]
fn a_runaway_run_names_its_last_good_checkpoint() {
    let folder = tempfile::tempdir().unwrap();
    let footage: Arc<dyn Footage> = Arc::new(mona_lisa::footage(1, 4, 32));
    let config = TrainConfig { steps: 2, ..resumable() };
    let summary = run(folder.path(), Start::New(Box::new(config)), &footage).unwrap();
    assert!(summary.checkpoint.ends_with("checkpoints/step-00000002"));

    let file = folder.path().join("config.toml");
    let edited = TrainConfig::read_whole(&file).unwrap();
    let edited = edited.overlaid("steps = 9\nlosses.pixel = 1e39", "the test").unwrap();
    std::fs::write(&file, edited.to_toml()).unwrap();
    let error = run(folder.path(), Start::Resume, &footage).unwrap_err().to_string();
    assert!(error.starts_with("training diverged at step 3: the total loss is "), "{error}");
    let good = summary.checkpoint.display();
    assert!(error.ends_with(&format!("the last good checkpoint is {good}")), "{error}");
}

#[test]
fn bad_input_is_refused_in_one_line() {
    let footage: Arc<dyn Footage> = Arc::new(mona_lisa::footage(1, 2, 32));
    let folder = tempfile::tempdir().unwrap();
    let new = |config: TrainConfig| Start::New(Box::new(config));
    let message = |folder: &Path, start: Start| run(folder, start, &footage).unwrap_err().to_string();

    let many = TrainConfig { shots: 2, ..resumable() };
    assert!(
        message(folder.path(), new(many))
            .contains("none of its 1 videos has 3 frames, which `shots = 2` needs")
    );
    assert!(
        message(folder.path(), Start::Resume)
            .ends_with("holds no run that could be continued; begin a new one")
    );
    let missing =
        resumable().overlaid("[[perceptual.networks]]\nname = 'vgg19'\nweight = 1.0", "the test").unwrap();
    assert!(message(folder.path(), new(missing)).starts_with("perceptual network `vgg19` is not at "));
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    assert!(message(&file, new(resumable())).starts_with("cannot access "));

    let lock = std::fs::File::create(folder.path().join("lock")).unwrap();
    lock.lock().unwrap();
    assert!(message(folder.path(), new(resumable())).contains("another process trains in this folder"));
}

#[test]
fn two_devices_do_what_one_does_with_twice_the_passes() {
    let footage: Arc<dyn Footage> = Arc::new(mona_lisa::footage(2, 4, 32));
    let losses = |devices: usize, accumulate: usize| {
        let config = TrainConfig { accumulate, ..resumable() };
        let source = EpisodeSource::new(footage.clone(), &config).unwrap();
        let devices = vec![Device::flex(); devices];
        let critics = vec![Critics::default(); devices.len()];
        let mut trainer = Trainer::new(&config, 2, &devices, critics).unwrap();
        let count = trainer.batches_per_step() as u64;
        let step =
            |step: u64| trainer.step((0..count).map(|i| source.batch(step * count + i).unwrap()).collect());
        (0..10).map(step).map(|losses| losses.total).collect::<Vec<_>>()
    };
    for (one, two) in losses(1, 4).into_iter().zip(losses(2, 2)) {
        assert!((one - two).abs() < 1e-3 * one.abs(), "{one} {two}");
    }
}
