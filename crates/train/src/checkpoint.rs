//! Checkpoints: everything a run needs to go on as if it had never stopped.
//!
//! A checkpoint is a folder `step-00001000` with the weights of all networks (W and the singular vectors of spectral
//! norm among them), the moving averages, both optimisers, the inference weights that `learn` and `animate` load, and
//! `checkpoint.json`: step, position in the data, and the SHA-256 of every other file. It is written under another
//! name, brought to the disk, and renamed, so that a folder of that name is always whole. Chance needs no state: it
//! is a function of seed and position.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use gioconda_media::Unfinished;
use gioconda_model::{COMPOSITION_VERSION, Output, WeightHeader, WeightWriter};
use gioconda_networks::burn::module::{Module, ModuleVisitor, Param};
use gioconda_networks::burn::optim::{ModuleOptimizer, OptimizerRecord};
use gioconda_networks::burn::store::{ModuleRecord, RecordError};
use gioconda_networks::burn::tensor::{Bytes, Tensor};
use gioconda_networks::parameters;
use gioconda_warp::LANDMARK_PICTURE_VERSION;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::config::{MOST_STEPS, TrainConfig};
use crate::trainer::{Optimizers, Trainer};
use crate::{Error, Result};

/// The only layout this version reads and writes.
const VERSION: u32 = 1;

const MANIFEST: &str = "checkpoint.json";
const NETWORKS: &str = "networks.bpk";
const AVERAGE: &str = "average.bpk";
const GENERATOR_OPTIMIZER: &str = "generator_optimizer.bpk";
const DISCRIMINATOR_OPTIMIZER: &str = "discriminator_optimizer.bpk";
/// The inference weights within a checkpoint, and the newest ones in the run folder.
pub(crate) const WEIGHTS: &str = "weights.safetensors";

/// Larger than the state of any networks that [`TrainConfig`] allows on a machine that trains them, bytes.
const LARGEST_FILE: u64 = 1 << 34;
/// `checkpoint.json` has a few hundred bytes.
const LARGEST_MANIFEST: u64 = 1 << 20;

/// Names of checkpoint folders begin so; the step follows.
const PREFIX: &str = "step-";
/// Names of folders that are being written.
const PARTIAL: &str = ".partial-";

/// `checkpoint.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Manifest {
    version: u32,
    /// Steps done.
    pub(crate) step: u64,
    /// Number of the next batch.
    pub(crate) next_batch: u64,
    /// Which data the rows of W belong to.
    pub(crate) data: String,
    /// SHA-256 of every other file, hexadecimal.
    files: BTreeMap<String, String>,
}

/// The checkpoints of a run.
#[derive(Debug)]
pub(crate) struct Checkpoints {
    folder: PathBuf,
}

impl Checkpoints {
    /// Those in `folder`, which is created; what an interrupted process left half-written is removed.
    pub(crate) fn open(folder: PathBuf) -> Result<Self> {
        fs::create_dir_all(&folder).map_err(Error::io(&folder))?;
        for (name, path) in entries(&folder)? {
            if name.starts_with(PARTIAL) {
                fs::remove_dir_all(&path).map_err(Error::io(&path))?;
            }
        }
        Ok(Self { folder })
    }

    /// The newest one.
    pub(crate) fn newest(&self) -> Result<Option<PathBuf>> {
        Ok(self.all()?.pop().map(|(_, path)| path))
    }

    /// All of them, oldest first.
    fn all(&self) -> Result<Vec<(u64, PathBuf)>> {
        let step = |(name, path): (String, PathBuf)| Some((name.strip_prefix(PREFIX)?.parse().ok()?, path));
        let mut all: Vec<(u64, PathBuf)> = entries(&self.folder)?.into_iter().filter_map(step).collect();
        all.sort_unstable();
        Ok(all)
    }

    /// Writes one, and removes the oldest beyond `keep`. `None` when the weights are not finite: such a state must not
    /// push good ones out.
    pub(crate) fn save(
        &self,
        trainer: &Trainer,
        config: &TrainConfig,
        next_batch: u64,
        data: &str,
    ) -> Result<Option<PathBuf>> {
        if !is_finite(&trainer.networks) {
            return Ok(None);
        }
        let step = trainer.steps_done();
        let path = self.folder.join(format!("{PREFIX}{step:08}"));
        if path.exists() {
            // Nothing was done since it was loaded.
            return Ok(Some(path));
        }
        let partial = self.folder.join(format!("{PARTIAL}{step:08}"));
        let created = Unfinished::create(|| fs::create_dir(&partial), |()| partial.clone());
        let ((), unfinished) = created.map_err(Error::io(&partial))?;
        let mut files = BTreeMap::new();
        for (name, bytes) in contents(trainer, config, &partial)? {
            files.insert(name.to_owned(), sha256(&bytes));
            write(&partial.join(name), &bytes)?;
        }
        let manifest = Manifest { version: VERSION, step, next_batch, data: data.to_owned(), files };
        let text = serde_json::to_vec_pretty(&manifest).map_err(|error| damaged(&partial, &error))?;
        write(&partial.join(MANIFEST), &text)?;
        sync_folder(&partial)?;

        fs::rename(&partial, &path).map_err(Error::io(&path))?;
        drop(unfinished);
        sync_folder(&self.folder)?;
        let mut all = self.all()?;
        for (_, old) in all.drain(..all.len().saturating_sub(config.output.keep)) {
            fs::remove_dir_all(&old).map_err(Error::io(&old))?;
        }
        Ok(Some(path))
    }
}

/// Puts the state of the checkpoint at `path` into `trainer`, which was made with the same configuration.
pub(crate) fn load(path: &Path, trainer: &mut Trainer) -> Result<Manifest> {
    let manifest = read_manifest(path)?;
    let read = |name: &str| read_verified(path, &manifest, name);
    let record = |name: &str| -> Result<ModuleRecord> {
        ModuleRecord::from_bytes(read(name)?).map_err(|error| damaged(path, &error))
    };
    let optimizer = |fresh: ModuleOptimizer, name: &str| -> Result<ModuleOptimizer> {
        let record = OptimizerRecord::from_bytes(read(name)?).map_err(|error| damaged(path, &error))?;
        Ok(fresh.load_record(record))
    };
    let mismatch = |error: RecordError| damaged(path, &error);
    let networks = trainer.networks.clone().try_load_record(record(NETWORKS)?).map_err(mismatch)?;
    let average = trainer.average.clone().try_load_record(record(AVERAGE)?).map_err(mismatch)?;
    let optimizers = Optimizers {
        generator: optimizer(trainer.optimizers.generator.clone(), GENERATOR_OPTIMIZER)?,
        discriminator: optimizer(trainer.optimizers.discriminator.clone(), DISCRIMINATOR_OPTIMIZER)?,
    };
    (trainer.networks, trainer.average, trainer.optimizers) = (networks, average, optimizers);
    trainer.step = manifest.step;
    Ok(manifest)
}

/// What stands in a checkpoint beside its manifest.
fn contents(trainer: &Trainer, config: &TrainConfig, path: &Path) -> Result<Vec<(&'static str, Vec<u8>)>> {
    let record = |record: ModuleRecord| record.into_bytes().map_err(|error| damaged(path, &error));
    let state = |optimizer: &ModuleOptimizer| optimizer.into_bytes().map_err(|error| damaged(path, &error));
    Ok(vec![
        (NETWORKS, record(trainer.networks.clone().into_record())?.to_vec()),
        (AVERAGE, record(trainer.average.clone().into_record())?.to_vec()),
        (GENERATOR_OPTIMIZER, state(&trainer.optimizers.generator)?.to_vec()),
        (DISCRIMINATOR_OPTIMIZER, state(&trainer.optimizers.discriminator)?.to_vec()),
        (WEIGHTS, inference_weights(trainer, config).to_bytes(&path.join(WEIGHTS))?),
    ])
}

/// The averages of E, G and P, and D as it is, if the run trains it on whole frames: few-shot learning goes on with it.
fn inference_weights(trainer: &Trainer, config: &TrainConfig) -> WeightWriter {
    let header = WeightHeader {
        preset: config.preset,
        config: config.networks.clone(),
        picture_version: LANDMARK_PICTURE_VERSION,
        composition: (config.networks.generator.output == Output::Composition).then_some(COMPOSITION_VERSION),
        training_data: config.output.training_data.clone(),
        licence: config.output.licence.clone(),
    };
    let mut writer = WeightWriter::new(header)
        .with("embedder", &parameters(&trainer.average.embedder))
        .with("generator", &parameters(&trainer.average.generator));
    if config.discriminator.from_step > 0 && !config.discriminator.windows {
        writer = writer.with("discriminator", &parameters(&trainer.networks.discriminator));
    }
    if config.output.half_precision { writer.half_precision() } else { writer }
}

fn read_manifest(path: &Path) -> Result<Manifest> {
    let file = path.join(MANIFEST);
    let text = read_at_most(&file, LARGEST_MANIFEST)?;
    let manifest: Manifest = serde_json::from_slice(&text).map_err(|error| damaged(path, &error))?;
    if manifest.version != VERSION {
        let found = manifest.version;
        return Err(damaged(path, &format!("it has version {found}, this program reads {VERSION}")));
    }
    if manifest.step > MOST_STEPS || manifest.next_batch > MOST_STEPS {
        return Err(damaged(path, &"its number of steps is out of range"));
    }
    Ok(manifest)
}

fn read_verified(path: &Path, manifest: &Manifest, name: &str) -> Result<Bytes> {
    let file = path.join(name);
    let bytes = read_at_most(&file, LARGEST_FILE)?;
    match manifest.files.get(name) {
        Some(expected) if *expected == sha256(&bytes) => Ok(Bytes::from_bytes_vec(bytes)),
        _ => {
            let advice = "remove this checkpoint to resume from the one before";
            Err(damaged(path, &format!("{name} is not what was written; {advice}")))
        }
    }
}

/// The bytes of a file; one that is larger is refused before it is in memory.
fn read_at_most(file: &Path, most: u64) -> Result<Vec<u8>> {
    let opened = File::open(file).map_err(Error::io(file))?;
    let bytes = gioconda_media::read_at_most(opened, most).map_err(Error::io(file))?;
    bytes.ok_or_else(|| damaged(file, &format!("it is larger than {} MB", most >> 20)))
}

fn sha256(bytes: &[u8]) -> String {
    hexadecimal(&Sha256::digest(bytes))
}

/// Two lower-case digits a byte.
pub(crate) fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn entries(folder: &Path) -> Result<Vec<(String, PathBuf)>> {
    let read = fs::read_dir(folder).and_then(Iterator::collect::<std::io::Result<Vec<_>>>);
    let entries = read.map_err(Error::io(folder))?;
    Ok(entries.into_iter().map(|e| (e.file_name().to_string_lossy().into_owned(), e.path())).collect())
}

fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    let written = File::create(path).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()
    });
    written.map_err(Error::io(path))
}

/// Brings the names in a folder to the disk; where the system cannot open folders, it does that by itself.
fn sync_folder(folder: &Path) -> Result<()> {
    if cfg!(unix) {
        File::open(folder).and_then(|folder| folder.sync_all()).map_err(Error::io(folder))?;
    }
    Ok(())
}

fn damaged(path: &Path, reason: &dyn std::fmt::Display) -> Error {
    Error::Checkpoint { path: path.to_owned(), reason: reason.to_string() }
}

fn is_finite<M: Module>(module: &M) -> bool {
    let mut check = Finite(true);
    module.visit(&mut check);
    check.0
}

struct Finite(bool);

impl ModuleVisitor for Finite {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        self.0 = self.0 && param.val().is_finite().all().into_scalar::<bool>();
    }
}
