//! Loading the frozen networks that a run's losses ask for.

use std::path::Path;

use gioconda_face::models;
use gioconda_networks::{
    Critics, Device, IDENTITY_FILE, IDENTITY_SHA256, IdentityCritic, LandmarkCritic, PerceptualNetwork,
    perceptual_spec,
};
use sha2::{Digest, Sha256};

use crate::checkpoint::hexadecimal;
use crate::config::TrainConfig;
use crate::face_squares::judged_landmarks;
use crate::{Error, Result};

/// The frozen networks that a configuration's losses look at, on each of `devices`, with autodiff; `folder` holds those that
/// the program does not bring itself.
///
/// # Errors
/// When a file is missing or is not the one that it should be.
pub fn load_critics(config: &TrainConfig, devices: &[Device], folder: &Path) -> Result<Vec<Critics>> {
    devices.iter().map(|device| on(config, &device.clone().autodiff(), folder)).collect()
}

fn on(config: &TrainConfig, device: &Device, folder: &Path) -> Result<Critics> {
    let terms = config.perceptual.networks.iter();
    let perceptual = terms.map(|term| {
        let spec = perceptual_spec(&term.name)?;
        let path = folder.join(spec.file);
        if !path.is_file() {
            return Err(Error::Perceptual { name: term.name.clone(), path });
        }
        Ok(PerceptualNetwork::load(spec, folder, device)?.weighted(term.weight))
    });
    let landmarks = || {
        let card = models().iter().find(|card| card.name == "face_landmarks_478");
        let card = card.expect("the model is compiled into the program");
        LandmarkCritic::read(card.bytes, Path::new(card.file), judged_landmarks(), device)
    };
    let identity = || -> Result<IdentityCritic> {
        let path = folder.join(IDENTITY_FILE);
        let bytes = std::fs::read(&path).unwrap_or_default();
        if hexadecimal(&Sha256::digest(&bytes)) != IDENTITY_SHA256 {
            return Err(Error::Identity { path });
        }
        Ok(IdentityCritic::read(&bytes, &path, device)?)
    };
    Ok(Critics {
        perceptual: perceptual.collect::<Result<_>>()?,
        landmarks: config.losses.judges_landmarks().then(landmarks).transpose()?,
        identity: (config.losses.identity > 0.0).then(identity).transpose()?,
    })
}
