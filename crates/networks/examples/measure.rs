//! Milliseconds of both presets' generators on this machine: Burn forward, Burn forward and backward, rten on the
//! exported graph. With a folder as argument it also leaves the graphs there, for `reference-tests/onnx_runtime.py`.
//!
//!     cargo run --release -p gioconda-networks --example measure [FOLDER]

use std::path::PathBuf;
use std::time::Instant;

use gioconda_networks::burn::module::Module;
use gioconda_networks::burn::tensor::{Distribution, Tensor};
use gioconda_networks::{Device, Generator, ONNX_INPUT, OnnxPsi, Preset, export_onnx, parameter_count};
use rten::{Model, Value};

const RUNS: usize = 7;

type AnyError = Box<dyn std::error::Error>;

fn main() -> Result<(), AnyError> {
    let folder = std::env::args_os().nth(1).map(PathBuf::from);
    println!("preset     parameters  size  Burn fwd ms  Burn fwd+bwd ms  rten ms   (median of {RUNS})");
    for preset in Preset::ALL {
        measure(preset, folder.as_deref())?;
    }
    Ok(())
}

fn measure(preset: Preset, folder: Option<&std::path::Path>) -> Result<(), AnyError> {
    let config = preset.config().generator;
    let size = config.resolution;
    let device = Device::flex();
    let generator = Generator::new(&config, &device)?;
    let picture =
        Tensor::<4>::random([1, config.input, size, size], Distribution::Uniform(-1.0, 1.0), &device);
    let psi = Tensor::<2>::random([1, config.psi_len()], Distribution::Normal(0.0, 1.0), &device);

    let folded = generator.clone().folded();
    let forward = median(|| {
        let out = folded.forward(picture.clone(), psi.clone());
        assert_eq!(out.into_data().shape.num_elements(), config.output.channels() * size * size);
    });

    let trained = generator.clone().train();
    let (picture_grad, psi_grad) = (picture.clone().autodiff(), psi.clone().autodiff());
    let backward = median(|| {
        let out = trained.forward(picture_grad.clone(), psi_grad.clone());
        let gradients = out.abs().mean().backward();
        assert!(!gradients_are_missing(&trained, gradients));
    });

    let onnx = export_onnx(&generator, &OnnxPsi::Baked(psi), &[("preset", preset.name())])?;
    if let Some(folder) = folder {
        std::fs::write(folder.join(format!("{preset}.onnx")), &onnx)?;
    }
    let model = Model::load(onnx)?;
    let (input, output) = (model.node_id(ONNX_INPUT)?, model.output_ids()[0]);
    let data = picture.try_into_vec_as::<f32>()?;
    let run = || -> Result<(), AnyError> {
        let value = Value::from_shape([1, config.input, size, size], data.clone())?;
        model.run_n(vec![(input, value.into())], [output], None)?;
        Ok(())
    };
    run()?;
    let rten = median(|| run().expect("the graph ran a moment ago"));
    let parameters = parameter_count(&generator);
    println!("{preset:9} {parameters:11} {size:5} {forward:12.0} {backward:16.0} {rten:8.0}");
    Ok(())
}

fn gradients_are_missing(
    generator: &Generator,
    gradients: gioconda_networks::burn::tensor::Gradients,
) -> bool {
    gioconda_networks::burn::optim::GradientsParams::from_grads(gradients, generator).is_empty()
}

fn median(mut run: impl FnMut()) -> f64 {
    run();
    let mut times: Vec<f64> = (0..RUNS)
        .map(|_| {
            let start = Instant::now();
            run();
            start.elapsed().as_secs_f64() * 1e3
        })
        .collect();
    times.sort_by(f64::total_cmp);
    times[RUNS / 2]
}
