//! Writes both presets' generators (random weights) as ONNX graphs, each beside an input and the answers of Burn and
//! rten to it, for `reference-tests/onnx_runtime.py`.
//!
//!     cargo run --release -p gioconda-networks --example export_graphs FOLDER

use std::path::{Path, PathBuf};

use gioconda_model::Preset;
use gioconda_networks::burn::module::{Module, ModuleMapper, Param};
use gioconda_networks::burn::tensor::{Distribution, Tensor};
use gioconda_networks::{Device, Generator, ONNX_INPUT, OnnxPsi, export_onnx};
use rten::{Model, Value};
use safetensors::tensor::{Dtype, TensorView};

type AnyError = Box<dyn std::error::Error>;

fn main() -> Result<(), AnyError> {
    let folder = std::env::args_os().nth(1).map(PathBuf::from).ok_or("usage: export_graphs FOLDER")?;
    Preset::ALL.into_iter().try_for_each(|preset| export(preset, &folder))
}

/// Puts noise on every weight: a fresh `portrait` generator ends in zeros, and zeros agree with anything.
struct Noise;

impl ModuleMapper for Noise {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        param.map(|value| value.clone() + value.random_like(Distribution::Normal(0.0, 0.01)))
    }
}

fn export(preset: Preset, folder: &Path) -> Result<(), AnyError> {
    let config = preset.config().generator;
    let size = config.resolution;
    let device = Device::flex();
    let generator = Generator::new(&config, &device)?.map(&mut Noise);
    let picture =
        Tensor::<4>::random([1, config.input, size, size], Distribution::Uniform(-1.0, 1.0), &device);
    let psi = Tensor::<2>::random([1, config.psi_len()], Distribution::Normal(0.0, 1.0), &device);
    let burn = generator.forward(picture.clone(), psi.clone()).try_into_vec_as::<f32>()?;

    let psi = psi.try_into_vec_as::<f32>()?;
    let onnx = export_onnx(&generator, OnnxPsi::Baked(&psi), &[("preset", preset.name())])?;
    std::fs::write(folder.join(format!("{preset}.onnx")), &onnx)?;
    let model = Model::load(onnx)?;
    let input = picture.try_into_vec_as::<f32>()?;
    let value = Value::from_shape([1, config.input, size, size], input.clone())?;
    let [out] =
        model.run_n(vec![(model.node_id(ONNX_INPUT)?, value.into())], [model.output_ids()[0]], None)?;
    let (_, rten) = out.into_shape_vec::<f32, 4>()?;

    let channels = config.output.channels();
    let stored = [
        ("input", config.input, bytes(&input)),
        ("burn", channels, bytes(&burn)),
        ("rten", channels, bytes(&rten)),
    ];
    let views = stored.iter().map(|(name, channels, bytes)| {
        Ok((*name, TensorView::new(Dtype::F32, vec![1, *channels, size, size], bytes)?))
    });
    let views = views.collect::<Result<Vec<_>, AnyError>>()?;
    std::fs::write(folder.join(format!("{preset}.safetensors")), safetensors::serialize(views, None)?)?;
    Ok(())
}

fn bytes(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}
