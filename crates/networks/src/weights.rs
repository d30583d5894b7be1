//! Between weights by name ([`gioconda_model::Parameters`]) and the modules that learn.

use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::{Tensor, TensorData};
use gioconda_model::{Array, Parameters, WeightFile};

use crate::Result;
use crate::parameters::{Values, values_by_path};

/// The numbers of all tensors of `module` by their paths in it, such as `down.1.conv1.weight`.
///
/// # Panics
/// Never: weights are floating-point numbers.
pub fn parameters<M: Module>(module: &M) -> Parameters {
    let mut parameters = Parameters::default();
    for (path, Values { shape, flat }) in values_by_path(module) {
        let values = flat.try_into_vec_as::<f32>().expect("weights are floating-point numbers");
        parameters.insert(path, Array { shape, values });
    }
    parameters
}

/// Puts the tensors of the network called `name` in a weight file into `module`, which keeps its device and whether it is
/// trained.
///
/// # Errors
/// [`Error::Tensor`](gioconda_model::Error::Tensor) names a tensor that is missing or has another shape, or one that the module
/// does not have.
pub fn load<M: Module>(file: &WeightFile, name: &str, module: M) -> Result<M> {
    let values = values_by_path(&module).into_iter();
    let shapes = values.map(|(path, Values { shape, .. })| (path, shape)).collect();
    Ok(load_whole(file.fitting(name, &shapes)?, module))
}

/// Puts `parameters`, which have the module's names and shapes, into `module`.
///
/// # Panics
/// When they have not.
pub(crate) fn load_whole<M: Module>(parameters: &Parameters, module: M) -> M {
    module.map(&mut Assign { path: Vec::new(), parameters })
}

struct Assign<'a> {
    path: Vec<String>,
    parameters: &'a Parameters,
}

impl ModuleMapper for Assign<'_> {
    fn enter_module(&mut self, name: &str, _container_type: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.pop();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let name = self.path.join(".");
        let Array { shape, values } =
            self.parameters.get(&name).expect("the module has a tensor of this name");
        param.map(|old| {
            let trained = old.is_require_grad();
            let data = TensorData::new(values.clone(), shape.clone());
            Tensor::from_data(data, &old.device()).set_require_grad(trained)
        })
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use burn::tensor::{Device, Distribution};
    use gioconda_model::{
        DiscriminatorConfig, EmbedderConfig, GeneratorConfig, NetworkConfig, PreparedEmbedder,
        PreparedGenerator, Preset, WeightHeader, WeightWriter,
    };

    use super::*;
    use crate::{Discriminator, Embedder, Generator, SpectralNorm, parameter_count};

    /// So that the last layer's zeros do not hide what comes before.
    struct Shake;

    impl ModuleMapper for Shake {
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
            param.map(|value| value.clone() + value.random_like(Distribution::Normal(0.0, 0.1)))
        }
    }

    /// A narrow generator of a preset whose largest map has 64 x 64 pixels: self-attention stands at 32 and 64.
    fn tiny(preset: Preset, self_attention: bool) -> GeneratorConfig {
        let config = preset.config().generator;
        let widths = config.widths.iter().map(|width| width / 8).collect();
        let resolution = 64 * config.pixel_shuffle;
        let config = GeneratorConfig { widths, resolution, embedding: 8, self_attention, ..config };
        let attends = config.shapes().keys().any(|name| name.ends_with("attention.gamma"));
        assert_eq!(attends, self_attention, "{preset}");
        config
    }

    fn embedder(self_attention: bool) -> EmbedderConfig {
        EmbedderConfig { widths: vec![4, 8, 16], resolution: 64, self_attention }
    }

    fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
        tensor.try_into_vec_as::<f32>().unwrap()
    }

    fn assert_close(found: &[f32], expected: &[f32], what: &str) {
        assert_eq!(found.len(), expected.len(), "{what}");
        let largest = expected.iter().fold(0_f32, |largest, value| largest.max(value.abs()));
        for (found, expected) in found.iter().zip(expected) {
            assert!((found - expected).abs() < 1e-4 * largest, "{what}: {found}, expected {expected}");
        }
    }

    /// The model's list of tensors is that of the modules.
    #[test]
    fn modules_have_the_tensors_that_their_sizes_ask_for() {
        let device = Device::flex();
        let shapes = |parameters: &Parameters| {
            parameters.iter().map(|(name, array)| (name.to_owned(), array.shape.clone())).collect()
        };
        for self_attention in [false, true] {
            for preset in Preset::ALL {
                let config = tiny(preset, self_attention);
                let generator = Generator::new(&config, &device).unwrap();
                assert_eq!(config.shapes(), shapes(&parameters(&generator)), "{preset}");
            }
            let config = embedder(self_attention);
            let module = Embedder::new(&config, &device).unwrap();
            assert_eq!(config.shapes(), shapes(&parameters(&module)));
            let EmbedderConfig { widths, resolution, .. } = config;
            let config = DiscriminatorConfig { widths, resolution, self_attention };
            let module = Discriminator::new(&config, &device).unwrap();
            assert_eq!(config.shapes(), shapes(&parameters(&module)));
        }
    }

    #[test]
    fn a_prepared_generator_answers_as_the_module() {
        let device = Device::flex();
        device.seed(3);
        let both = |preset| [(preset, false), (preset, true)];
        for (preset, self_attention) in Preset::ALL.into_iter().flat_map(both) {
            let config = tiny(preset, self_attention);
            let module = Generator::new(&config, &device).unwrap().map(&mut Shake).power_iteration();
            let embedding = Tensor::<2>::random([1, 8], Distribution::Default, &device);
            let psi = module.project(embedding.clone());
            let weights = module.weights();
            let found = gioconda_model::adaptive_values(&weights, &values(embedding));
            assert_close(&found, &values(psi.clone()), "ψ");
            let size = [config.resolution, config.resolution / 2 * 3];
            let mut prepared = PreparedGenerator::new(&weights, &values(psi.clone()), size);
            let shape = [1, config.input, size[0], size[1]];
            let input = Tensor::<4>::random(shape, Distribution::Uniform(-1.0, 1.0), &device);
            let expected = values(module.forward(input.clone(), psi));
            assert_close(prepared.run(&values(input)), &expected, preset.name());
        }
    }

    #[test]
    fn a_prepared_embedder_answers_as_the_module() {
        let device = Device::flex();
        device.seed(4);
        for self_attention in [false, true] {
            let config = embedder(self_attention);
            let module = Embedder::new(&config, &device).unwrap().map(&mut Shake).power_iteration();
            let picture = || Tensor::<4>::random([1, 3, 64, 64], Distribution::Uniform(-1.0, 1.0), &device);
            let (frame, landmarks) = (picture(), picture());
            let expected = values(module.embed(frame.clone(), landmarks.clone()));
            let found =
                PreparedEmbedder::new(&module.weights(&config)).run(&values(frame), &values(landmarks));
            assert_close(&found, &expected, "ê");
        }
    }

    /// The README's table.
    #[test]
    fn portrait_parameter_counts() {
        let device = Device::flex();
        let config = Preset::Portrait.config();
        let generator = Generator::new(&config.generator, &device).unwrap();
        let projection = parameter_count(generator.projection_layer());
        let counts = [
            parameter_count(&Embedder::new(&config.embedder, &device).unwrap()),
            parameter_count(&generator) - projection,
            projection,
            parameter_count(&Discriminator::new(&config.discriminator, &device).unwrap()),
        ];
        assert_eq!(counts, [750_808, 2_433_432, 377_712, 1_046_105]);
        let row = "| 750,808 | 2,433,432 | 377,712 | 1,046,105 |";
        assert!(include_str!("../README.md").contains(row), "the README's table says otherwise");
    }

    fn file(config: &EmbedderConfig, module: &Embedder) -> WeightFile {
        let mut sizes = Preset::Paper.config();
        sizes.embedder = config.clone();
        let header = WeightHeader {
            preset: Preset::Paper,
            config: sizes,
            picture_version: 1,
            composition: None,
            training_data: "random numbers".to_owned(),
            licence: "CC0-1.0".to_owned(),
        };
        let path = Path::new("weights.safetensors");
        let bytes = WeightWriter::new(header).with("embedder", &parameters(module)).to_bytes(path).unwrap();
        WeightFile::parse(path, &bytes).unwrap()
    }

    #[test]
    fn what_is_written_is_loaded_into_modules_of_the_same_sizes_only() {
        let device = Device::flex();
        let config = EmbedderConfig { widths: vec![2, 4], resolution: 8, self_attention: false };
        let module = Embedder::new(&config, &device).unwrap();
        let file = file(&config, &module);
        let fresh = |widths: &[usize]| {
            Embedder::new(&EmbedderConfig { widths: widths.to_vec(), ..config.clone() }, &device).unwrap()
        };
        let loaded = load(&file, "embedder", fresh(&[2, 4])).unwrap();
        assert_eq!(parameters(&loaded), parameters(&module));
        let from_weights = Embedder::from_weights(&file.embedder().unwrap(), &device).unwrap();
        assert_eq!(parameters(&from_weights), parameters(&module));
        for (widths, told) in [
            (&[2, 5][..], "tensor `embedder.blocks.1.conv1.bias` has shape [4], but the network needs [5]"),
            (&[2, 4, 4], "tensor `embedder.blocks.2.conv1.bias` is missing"),
            (&[2], "tensor `embedder.blocks.1.conv1.bias` belongs to no layer of the network"),
        ] {
            let message = load(&file, "embedder", fresh(widths)).unwrap_err().to_string();
            assert_eq!(message, format!("weights.safetensors: {told}"));
        }
    }
}
