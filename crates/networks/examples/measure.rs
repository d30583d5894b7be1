//! Milliseconds of both presets' generators on this machine: Burn forward, Burn forward and backward, the
//! generator prepared for inference, and rten on the exported graph. `reference-tests/measure.py` is the PyTorch column.
//!
//!     cargo run --release -p gioconda-networks --example measure

use std::time::Instant;

use gioconda_model::{PreparedGenerator, Preset};
use gioconda_networks::burn::module::Module;
use gioconda_networks::burn::optim::GradientsParams;
use gioconda_networks::burn::tensor::{Distribution, Tensor};
use gioconda_networks::{Device, Generator, ONNX_INPUT, OnnxPsi, export_onnx, parameter_count};
use rten::{Model, Value};

const RUNS: usize = 7;

type AnyError = Box<dyn std::error::Error>;

fn main() -> Result<(), AnyError> {
    println!(
        "preset     parameters  size  GFLOP  Burn fwd ms  Burn fwd+bwd ms  prepared ms  rten ms   (median of {RUNS})"
    );
    Preset::ALL.into_iter().try_for_each(measure)
}

fn measure(preset: Preset) -> Result<(), AnyError> {
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
        assert_eq!(out.into_data().num_elements(), config.output.channels() * size * size);
    });

    let trained = generator.clone().train();
    let backward = median(|| {
        let out = trained.forward(picture.clone().autodiff(), psi.clone().autodiff());
        let gradients = GradientsParams::from_grads(out.abs().mean().backward(), &trained);
        assert!(!gradients.is_empty());
    });

    let psi = psi.try_into_vec_as::<f32>()?;
    let data = picture.clone().try_into_vec_as::<f32>()?;
    let mut inference = PreparedGenerator::new(&generator.weights(), &psi, [size; 2]);
    let prepared = median(|| {
        std::hint::black_box(inference.run(&data));
    });

    let model = Model::load(export_onnx(&generator, OnnxPsi::Baked(&psi), &[])?)?;
    let (input, output) = (model.node_id(ONNX_INPUT)?, model.output_ids()[0]);
    let rten = median(|| {
        let value =
            Value::from_shape([1, config.input, size, size], data.clone()).expect("the shape fits the data");
        model.run_n(vec![(input, value.into())], [output], None).expect("the exported graph runs");
    });
    let parameters = parameter_count(&generator);
    let gflop = config.flops() as f64 * 1e-9;
    println!(
        "{preset:9} {parameters:11} {size:5} {gflop:6.1} {forward:12.0} {backward:16.0} {prepared:12.1} {rten:8.1}"
    );
    Ok(())
}

/// Median milliseconds after one run to warm up.
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
