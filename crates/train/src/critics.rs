//! Loading the frozen networks that a run's losses ask for.

use std::path::{Path, PathBuf};

use gioconda_face::models;
use gioconda_networks::{
    Critics, Device, IDENTITY_FILE, IdentityCritic, LandmarkCritic, PerceptualNetwork, perceptual_spec,
};

use crate::config::TrainConfig;
use crate::face_squares::judged_landmarks;
use crate::{Error, Result};

/// On each of `devices`; `folder` holds what the program does not bring itself.
pub(crate) fn load(config: &TrainConfig, devices: &[Device], folder: &Path) -> Result<Vec<Critics>> {
    devices.iter().map(|device| on(config, &device.clone().autodiff(), folder)).collect()
}

fn on(config: &TrainConfig, device: &Device, folder: &Path) -> Result<Critics> {
    let terms = config.perceptual.networks.iter();
    let perceptual = terms.map(|term| {
        let spec = perceptual_spec(&term.name)?;
        present(&term.name, folder.join(spec.file))?;
        Ok(PerceptualNetwork::load(spec, folder, device)?.weighted(term.weight))
    });
    let landmarks = || {
        let card = models().iter().find(|card| card.name == "face_landmarks_478");
        let card = card.expect("the model is compiled into the program");
        LandmarkCritic::read(card.bytes, Path::new(card.file), &judged_landmarks(), device)
    };
    let identity = || -> Result<IdentityCritic> {
        let path = present("mobilefacenet", folder.join(IDENTITY_FILE))?;
        let bytes = std::fs::read(&path).map_err(Error::io(&path))?;
        Ok(IdentityCritic::read(&bytes, &path, device)?)
    };
    Ok(Critics {
        perceptual: perceptual.collect::<Result<_>>()?,
        landmarks: (config.losses.landmarks > 0.0).then(landmarks).transpose()?,
        identity: (config.losses.identity > 0.0).then(identity).transpose()?,
    })
}

fn present(name: &str, path: PathBuf) -> Result<PathBuf> {
    if path.is_file() { Ok(path) } else { Err(Error::Perceptual { name: name.to_owned(), path }) }
}
