//! A run: a folder, and the loop that fills it.
//!
//! | file | what |
//! |---|---|
//! | `config.toml` | the whole configuration; edited, it holds when the run is continued |
//! | `checkpoints/step-00001000/` | everything to go on from there (`checkpoint`) |
//! | `weights.safetensors` | the newest inference weights, for `learn` and `animate` |
//! | `log.jsonl`, `events.out.tfevents.*` | losses and speed (`log`) |
//! | `pictures/step-00001000.png` | photo, driving frame, landmark picture, mesh warp, output |
//! | `lock` | held by the process that trains here |

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use gioconda_media::Unfinished;
use gioconda_model::WeightFile;
use gioconda_networks::{Device, Episode};
use sha2::{Digest, Sha256};

use crate::checkpoint::{self, Checkpoints, WEIGHTS, hexadecimal};
use crate::config::TrainConfig;
use crate::episodes::EpisodeSource;
use crate::footage::Footage;
use crate::log::{JOURNAL, LogEntry, Logs};
use crate::meter::Meter;
use crate::prefetch::Prefetch;
use crate::trainer::Trainer;
use crate::watch::Watch;
use crate::{Error, Result, load_critics, memory, pictures};

const CONFIG: &str = "config.toml";
const CHECKPOINTS: &str = "checkpoints";
const LOCK: &str = "lock";

/// The files of a run folder that a run replaces whatever they hold.
pub const RUN_FILES: [&str; 4] = [CONFIG, WEIGHTS, JOURNAL, LOCK];

/// Where a run comes from.
#[derive(Clone, Debug)]
pub enum Start {
    /// Anew, in a folder that holds no run.
    New(Box<TrainConfig>),
    /// Anew, in a folder that holds no run, but with the networks of a weight file instead of fresh ones. Its optimisers
    /// are not known, so this is not the run it came from going on.
    From {
        /// The run's configuration; its networks must be as large as the file's.
        config: Box<TrainConfig>,
        /// The weight file: E and G, and D if it has it.
        weights: PathBuf,
    },
    /// From the newest checkpoint, with the configuration in the folder.
    Resume,
}

/// What a run needs beside its data.
#[derive(Clone, Debug)]
pub struct RunSettings {
    /// The run folder.
    pub folder: PathBuf,
    /// Anew, or on from a checkpoint.
    pub start: Start,
    /// The devices that share each step, without autodiff. The first one holds the networks.
    pub devices: Vec<Device>,
    /// The folder of perceptual networks.
    pub perceptual: PathBuf,
}

/// What happens in a run, as it happens.
#[derive(Clone, Debug)]
pub enum Event<'a> {
    /// The loop begins.
    Started {
        /// Steps done before.
        step: u64,
        /// Steps of the whole run.
        steps: u64,
        /// Estimated need of memory, megabytes.
        memory_mb: u64,
    },
    /// A step was taken.
    Step {
        /// Steps done.
        step: u64,
        /// The means since the last log entry.
        entry: &'a LogEntry,
    },
    /// Something the user may want to change.
    Warning(String),
    /// A checkpoint was written.
    Saved(&'a Path),
    /// A picture grid was written.
    Picture(&'a Path),
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq)]
pub struct RunSummary {
    /// Steps done in the whole run.
    pub step: u64,
    /// Steps done by this process.
    pub steps_taken: u64,
    /// Seconds this process trained.
    pub seconds: f64,
    /// Episodes per second.
    pub samples_per_second: f64,
    /// Share of the time spent waiting for data, 0..1.
    pub waiting: f64,
    /// The last checkpoint.
    pub checkpoint: PathBuf,
    /// Whether it was asked to stop before the end.
    pub interrupted: bool,
}

/// Trains on `footage` until the configured steps are done or `stop` is set; either way the last state is saved.
pub fn train(
    footage: &Arc<dyn Footage>,
    settings: &RunSettings,
    observe: &mut dyn FnMut(Event<'_>),
    stop: &AtomicBool,
) -> Result<RunSummary> {
    let mut run = Run::open(footage, settings, observe)?;
    let (step, steps) = (run.trainer.steps_done(), run.config.steps);
    observe(Event::Started { step, steps, memory_mb: run.memory_mb });
    let mut interrupted = false;
    let mut saved = None;
    while run.trainer.steps_done() < run.config.steps {
        interrupted = stop.load(Ordering::Relaxed);
        if interrupted {
            break;
        }
        run.step(observe)?;
        saved = if run.due(run.config.output.checkpoint_every) { Some(run.save(observe)?) } else { None };
    }
    let checkpoint = match saved {
        Some(path) => path,
        None => run.save(observe)?,
    };
    Ok(run.summary(checkpoint, interrupted))
}

/// A run in progress.
struct Run {
    folder: PathBuf,
    config: TrainConfig,
    trainer: Trainer,
    prefetch: Prefetch,
    next_batch: u64,
    data: String,
    checkpoints: Checkpoints,
    logs: Logs,
    /// The episodes of the picture grid.
    shown: Episode,
    watch: Watch,
    meter: Meter,
    memory_mb: u64,
    /// Unlocked when dropped.
    _lock: File,
}

impl Run {
    fn open(
        footage: &Arc<dyn Footage>,
        settings: &RunSettings,
        observe: &mut dyn FnMut(Event<'_>),
    ) -> Result<Self> {
        let folder = settings.folder.clone();
        fs::create_dir_all(&folder).map_err(Error::io(&folder))?;
        let lock = locked(&folder)?;
        let checkpoints = Checkpoints::open(folder.join(CHECKPOINTS))?;
        let (config, newest) = configuration(&folder, &settings.start, &checkpoints)?;
        let source = EpisodeSource::new(footage.clone(), &config)?;
        warn_of_short_videos(&source, observe);
        let memory_mb = memory::check(&config, footage.videos(), settings.devices.len(), &mut |warning| {
            observe(Event::Warning(warning));
        })?;

        let critics = load_critics(&config, &settings.devices, &settings.perceptual)?;
        let mut trainer = Trainer::new(&config, footage.videos(), &settings.devices, critics)?;
        let data = fingerprint(&**footage);
        let mut next_batch = 0;
        if let Start::From { weights, .. } = &settings.start {
            trainer.adopt(WeightFile::open(weights)?)?;
        }
        if let Some(path) = newest {
            let manifest = checkpoint::load(&path, &mut trainer)?;
            if manifest.data != data {
                let reason = format!("it belongs to other data than {}", footage.name());
                return Err(Error::Checkpoint { path, reason });
            }
            next_batch = manifest.next_batch;
        }
        let config_file = folder.join(CONFIG);
        fs::write(&config_file, config.to_toml()).map_err(Error::io(&config_file))?;
        let logs = Logs::open(&folder, trainer.steps_done())?;
        let shown = source.unvaried(config.output.picture_rows).batch(0)?.into_episode(&settings.devices[0]);
        let prefetch = Prefetch::start(&source, next_batch, config.data.workers, config.data.queue)?;
        let samples = trainer.batches_per_step() * config.batch;
        let run = Self {
            watch: Watch::new(config.divergence),
            meter: Meter::start(samples),
            folder,
            config,
            trainer,
            prefetch,
            next_batch,
            data,
            checkpoints,
            logs,
            shown,
            memory_mb,
            _lock: lock,
        };
        if let Start::From { .. } = settings.start {
            // Killed before its first checkpoint, the run would otherwise start again from fresh networks.
            run.save(observe)?;
        }
        Ok(run)
    }

    /// One step, and what is due behind it except a checkpoint.
    fn step(&mut self, observe: &mut dyn FnMut(Event<'_>)) -> Result<()> {
        let count = self.trainer.batches_per_step();
        let mut batches = Vec::with_capacity(count);
        for _ in 0..count {
            let mut batch = self.prefetch.next_batch()?;
            for reason in batch.unreadable.drain(..) {
                observe(Event::Warning(format!("left out: {reason}")));
            }
            batches.push(batch);
        }
        self.next_batch += count as u64;
        let factor = self.config.learning_rate_factor(self.trainer.steps_done());
        let losses = self.trainer.step(batches);
        let step = self.trainer.steps_done();
        if let Some(reason) = self.watch.look(&losses) {
            return Err(self.diverged(reason));
        }
        let rate = self.config.generator_optimizer.learning_rate * factor;
        let entry = self.meter.entry(step, rate, losses, self.prefetch.waited());
        if self.due(self.config.output.log_every) {
            self.logs.append(&entry)?;
            self.meter.restart();
        }
        observe(Event::Step { step, entry: &entry });
        if self.due(self.config.output.pictures_every) {
            let grid = pictures::grid(self.trainer.average(), &self.shown);
            let path = self.logs.picture(step, &grid)?;
            observe(Event::Picture(&path));
        }
        Ok(())
    }

    /// Whether something that happens every `every` steps happens now.
    fn due(&self, every: u64) -> bool {
        every > 0 && self.trainer.steps_done().is_multiple_of(every)
    }

    fn save(&self, observe: &mut dyn FnMut(Event<'_>)) -> Result<PathBuf> {
        let saved = self.checkpoints.save(&self.trainer, &self.config, self.next_batch, &self.data)?;
        let path = saved.ok_or_else(|| self.diverged("the weights are not finite".to_owned()))?;
        let newest = self.folder.join(WEIGHTS);
        let partial = self.folder.join(format!(".{WEIGHTS}.partial"));
        let created = Unfinished::create(|| File::create(&partial), |_| partial.clone());
        let (mut file, unfinished) = created.map_err(Error::io(&partial))?;
        let written = File::open(path.join(WEIGHTS))
            .and_then(|mut weights| std::io::copy(&mut weights, &mut file))
            .and_then(|_| file.sync_all())
            .and_then(|()| fs::rename(&partial, &newest));
        written.map_err(|error| {
            // The error that is reported is the first one; a leftover that cannot be removed adds nothing to it.
            let _ = fs::remove_file(&partial);
            Error::io(&newest)(error)
        })?;
        drop(unfinished);
        observe(Event::Saved(&path));
        Ok(path)
    }

    fn diverged(&self, reason: String) -> Error {
        // The folder was readable a moment ago; if it no longer is, that is not what the user must know first.
        let checkpoint = self.checkpoints.newest().unwrap_or_default();
        Error::Diverged { step: self.trainer.steps_done(), reason, checkpoint }
    }

    fn summary(&self, checkpoint: PathBuf, interrupted: bool) -> RunSummary {
        let total = self.meter.total(self.prefetch.waited());
        RunSummary {
            step: self.trainer.steps_done(),
            steps_taken: total.steps,
            seconds: total.seconds,
            samples_per_second: total.samples_per_second,
            waiting: total.waiting,
            checkpoint,
            interrupted,
        }
    }
}

/// The lock of the run folder, held until it is dropped or the process ends, however it ends.
fn locked(folder: &Path) -> Result<File> {
    let path = folder.join(LOCK);
    let file = File::create(&path).map_err(Error::io(&path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(Error::Locked { path: folder.to_owned() }),
        Err(TryLockError::Error(source)) => Err(Error::Io { path, source }),
    }
}

/// The configuration to train with, and the checkpoint to go on from.
fn configuration(
    folder: &Path,
    start: &Start,
    checkpoints: &Checkpoints,
) -> Result<(TrainConfig, Option<PathBuf>)> {
    let newest = checkpoints.newest()?;
    let file = folder.join(CONFIG);
    match start {
        Start::New(_) | Start::From { .. } if newest.is_some() => {
            Err(Error::RunExists { path: folder.to_owned() })
        }
        Start::New(config) | Start::From { config, .. } => {
            let fail = |reason| Error::Config { origin: "the configuration".to_owned(), reason };
            config.check().map_err(fail)?;
            Ok((TrainConfig::clone(config), None))
        }
        // A run that was killed before its first checkpoint starts again from nothing, which is where it was.
        Start::Resume if !file.is_file() => Err(Error::NothingToResume { path: folder.to_owned() }),
        Start::Resume => Ok((TrainConfig::read_whole(&file)?, newest)),
    }
}

fn warn_of_short_videos(source: &EpisodeSource, observe: &mut dyn FnMut(Event<'_>)) {
    let short = source.too_short();
    if let Some(first) = short.first() {
        let needed = "fewer frames than an episode needs";
        observe(Event::Warning(format!("{} videos are left out, with {needed}: {first}, ...", short.len())));
    }
}

/// Tells data sets apart: SHA-256 over the names and lengths of all videos, in order.
fn fingerprint(footage: &dyn Footage) -> String {
    let mut hash = Sha256::new();
    for video in 0..footage.videos() {
        hash.update(format!("{}\0{}\n", footage.video_name(video), footage.frames(video)));
    }
    hexadecimal(&hash.finalize()[..16])
}
