//! `gioconda export`: an inference graph for other programs.

use std::fs;
use std::path::Path;

use gioconda_avatar::{AVATAR_EXTENSION, AvatarFile};
use gioconda_networks::{Device, Generator, OnnxPsi, WeightFile, WeightHeader, export_onnx};

use crate::cli::ExportArgs;
use crate::report::{Failure, Terminal};

/// Writes the generator of a weight file, ψ an input, or of an avatar, its ψ baked in.
pub(crate) fn run(arguments: &ExportArgs, terminal: &Terminal) -> Result<(), Failure> {
    let output = arguments.output.clone().unwrap_or_else(|| {
        Path::new(arguments.weights.file_name().unwrap_or("generator".as_ref())).with_extension("onnx")
    });
    let is_avatar = arguments.weights.extension().is_some_and(|extension| extension == AVATAR_EXTENSION);
    let onnx = if is_avatar { of_avatar(&arguments.weights)? } else { of_weights(&arguments.weights)? };

    let partial = output.with_extension("onnx.partial");
    let written = fs::write(&partial, &onnx).and_then(|()| fs::rename(&partial, &output));
    written.map_err(|error| {
        // The error that is reported is the first one; a leftover that cannot be removed adds nothing to it.
        let _ = fs::remove_file(&partial);
        Failure::Failed(format!("cannot write {}: {error}", output.display()))
    })?;
    let psi = if is_avatar { "psi baked in" } else { "psi is its second input" };
    terminal.say(format_args!("{}: {} KB, {psi}", output.display(), onnx.len().div_ceil(1000)));
    Ok(())
}

fn of_weights(path: &Path) -> Result<Vec<u8>, Failure> {
    let file = WeightFile::open(path)?;
    let generator = Generator::new(&file.header().config.generator, &Device::flex())?;
    let generator = file.load("generator", generator)?;
    Ok(export_onnx(&generator, OnnxPsi::Input, &metadata(file.header()))?)
}

fn of_avatar(path: &Path) -> Result<Vec<u8>, Failure> {
    let file = AvatarFile::read(path)?;
    let Some(network) = &file.avatar.network else {
        let line = format!("{}: this avatar has no network; learn it with --weights", path.display());
        return Err(Failure::Failed(line));
    };
    Ok(export_onnx(&network.generator, OnnxPsi::Baked(&network.psi), &metadata(&network.header))?)
}

fn metadata(header: &WeightHeader) -> [(&'static str, &str); 3] {
    [("preset", header.preset.name()), ("training_data", &header.training_data), ("licence", &header.licence)]
}
