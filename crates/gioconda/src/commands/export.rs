//! `gioconda export`: an inference graph for other programs, or small weights for this one.

use std::path::{Path, PathBuf};

use gioconda_avatar::{AVATAR_EXTENSION, AvatarFile, PortraitWeights};
use gioconda_model::{WeightFile, WeightHeader};
use gioconda_networks::{Device, Generator, OnnxPsi, export_onnx};

use crate::cli::ExportArgs;
use crate::commands::outputs::Inputs;
use crate::report::{Failure, Terminal};

/// Extension of weight files.
const WEIGHTS_EXTENSION: &str = "safetensors";

/// Writes the generator of a weight file, ψ an input, or of an avatar, its ψ baked in; or the weights again, as small as they
/// can be.
pub(crate) fn run(arguments: &ExportArgs, terminal: &Terminal) -> Result<(), Failure> {
    let input = &arguments.weights;
    let output = arguments.output.clone().unwrap_or_else(|| {
        PathBuf::from(input.file_name().unwrap_or("generator".as_ref())).with_extension("onnx")
    });
    let has = |path: &Path, wanted: &str| path.extension().is_some_and(|extension| extension == wanted);
    if !has(&output, "onnx") && !has(&output, WEIGHTS_EXTENSION) {
        let line = format!("{}: an export ends in .onnx or .safetensors", output.display());
        return Err(Failure::Usage(line));
    }
    let read = arguments.mean_with.iter().chain([input]).map(PathBuf::as_path);
    Inputs::new(read).check_output(&output)?;
    if !arguments.mean_with.is_empty() && !has(&output, WEIGHTS_EXTENSION) {
        let line = "--mean-with makes weights: name the output OUT.safetensors; export that as .onnx then";
        return Err(Failure::Usage(line.to_owned()));
    }
    let (bytes, what) = match (has(input, AVATAR_EXTENSION), has(&output, WEIGHTS_EXTENSION)) {
        (true, true) => {
            let line = "an avatar holds one person's network; its weights make no other avatars, so export it as .onnx";
            return Err(Failure::Usage(line.to_owned()));
        }
        (true, false) => (of_avatar(input)?, "psi baked in"),
        (false, true) => {
            let others = arguments.mean_with.iter().map(|path| PortraitWeights::open(path));
            let others = others.collect::<Result<Vec<_>, _>>()?;
            let bytes = PortraitWeights::open(input)?.for_inference(&others, &output)?;
            (bytes, "embedder and generator, 16-bit numbers")
        }
        (false, false) => (of_weights(input)?, "psi is its second input"),
    };
    gioconda_media::save_bytes(&output, &bytes)?;
    terminal.say(format_args!("{}: {} KB, {what}", output.display(), bytes.len().div_ceil(1000)));
    Ok(())
}

fn of_weights(path: &Path) -> Result<Vec<u8>, Failure> {
    let file = WeightFile::open(path)?;
    let generator = Generator::from_weights(&file.generator()?, &Device::flex())?;
    Ok(export_onnx(&generator, OnnxPsi::Input, &metadata(file.header()))?)
}

fn of_avatar(path: &Path) -> Result<Vec<u8>, Failure> {
    let file = AvatarFile::read(path)?;
    let Some(network) = &file.avatar.network else {
        let line = format!("{}: this avatar has no network; learn it with --weights", path.display());
        return Err(Failure::Failed(line));
    };
    let generator = Generator::from_weights(&network.generator, &Device::flex())?;
    Ok(export_onnx(&generator, OnnxPsi::Baked(&network.psi), &metadata(&network.header))?)
}

fn metadata(header: &WeightHeader) -> [(&'static str, &str); 3] {
    [("preset", header.preset.name()), ("training_data", &header.training_data), ("licence", &header.licence)]
}
