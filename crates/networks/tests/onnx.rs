//! Exported graphs run in rten and agree with Burn.

use gioconda_model::{GeneratorConfig, Preset};
use gioconda_networks::burn::module::{Module, ModuleMapper, Param};
use gioconda_networks::burn::tensor::{Distribution, Tensor};
use gioconda_networks::{Device, Error, Generator, ONNX_INPUT, ONNX_OUTPUT, ONNX_PSI, OnnxPsi, export_onnx};
use rten::{Model, Value};

/// The largest difference, relative to the largest value.
const TOLERANCE: f32 = 1e-4;

fn narrow(preset: Preset, self_attention: bool) -> GeneratorConfig {
    let config = preset.config().generator;
    let widths = config.widths.iter().map(|width| width / 4).collect();
    GeneratorConfig { widths, embedding: 16, resolution: 64, self_attention, ..config }
}

/// Puts noise on every weight, so that layers which start at zero are tested too.
struct Noise;

impl ModuleMapper for Noise {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        param.map(|value| value.clone() + value.random_like(Distribution::Normal(0.0, 0.05)))
    }
}

fn run_rten(onnx: Vec<u8>, inputs: &[(&str, Vec<usize>, Vec<f32>)]) -> Vec<f32> {
    let model = Model::load(onnx).unwrap();
    let node = |name: &str| model.node_id(name).unwrap();
    let values = inputs
        .iter()
        .map(|(name, shape, data)| (node(name), Value::from_shape(shape, data.clone()).unwrap().into()));
    let [output] = model.run_n(values.collect(), [node(ONNX_OUTPUT)], None).unwrap();
    output.into_shape_vec::<f32, 4>().unwrap().1
}

fn values<const D: usize>(tensor: &Tensor<D>) -> Vec<f32> {
    tensor.clone().try_into_vec_as::<f32>().unwrap()
}

fn input<const D: usize>(name: &'static str, tensor: &Tensor<D>) -> (&'static str, Vec<usize>, Vec<f32>) {
    (name, tensor.dims().to_vec(), values(tensor))
}

#[test]
fn rten_agrees_with_burn() {
    let device = Device::flex();
    device.seed(20_190_520);
    for preset in Preset::ALL {
        for self_attention in [false, true] {
            let config = narrow(preset, self_attention);
            let generator = Generator::new(&config, &device).unwrap().map(&mut Noise);
            let psi = generator.project(Tensor::random([1, 16], Distribution::Normal(0.0, 1.0), &device));
            // Not the square it was configured for: height and width are free.
            let picture =
                Tensor::random([1, config.input, 64, 96], Distribution::Uniform(-1.0, 1.0), &device);
            let expected = values(&generator.forward(picture.clone(), psi.clone()));

            let with_input = export_onnx(&generator, OnnxPsi::Input, &[]).unwrap();
            let baked = export_onnx(&generator, OnnxPsi::Baked(&values(&psi)), &[]).unwrap();
            let outputs = [
                run_rten(with_input, &[input(ONNX_INPUT, &picture), input(ONNX_PSI, &psi)]),
                run_rten(baked, &[input(ONNX_INPUT, &picture)]),
            ];
            let largest = expected.iter().fold(0.0f32, |largest, value| largest.max(value.abs()));
            for output in outputs {
                assert_eq!(output.len(), expected.len());
                let difference =
                    output.iter().zip(&expected).fold(0.0f32, |worst, (a, b)| worst.max((a - b).abs()));
                assert!(difference <= TOLERANCE * largest, "{preset}: {difference} of {largest}");
            }
        }
    }
}

#[test]
fn a_psi_of_another_length_is_refused() {
    let device = Device::flex();
    let generator = Generator::new(&narrow(Preset::Paper, false), &device).unwrap();
    let error = export_onnx(&generator, OnnxPsi::Baked(&[0.0; 7]), &[]).unwrap_err();
    assert!(matches!(error, Error::PsiLength { found: 7, expected: 3264 }), "{error}");
}
