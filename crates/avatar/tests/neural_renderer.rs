//! The neural renderer on the Mona Lisa, with networks that were never trained and with ones full of noise.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use gioconda_avatar::{
    Avatar, Background, Canvas, Framing, Gains, MotionTransfer, PortraitWeights, RendererKind,
    builtin_motions::BuiltinMotion,
};
use gioconda_face::topology::point;
use gioconda_face::{FaceChoice, FaceFinder, Landmarks, Threads};
use gioconda_model::network_input::{
    NetworkInput, NetworkPhoto, cropped, cropped_landmarks, network_crop, planes,
};
use gioconda_model::{GeneratorConfig, NetworksConfig, Preset, WeightHeader, WeightWriter};
use gioconda_networks::burn::module::{Module, ModuleMapper, Param};
use gioconda_networks::burn::tensor::{Distribution, Tensor, TensorData};
use gioconda_networks::{Device, Embedder, Generator, Warp, compose, parameters};
use gioconda_warp::{LANDMARK_PICTURE_VERSION, MeshRenderer, View};
use image::RgbImage;
use nalgebra::Vector2;
use tempfile::TempDir;

const SIDE: u32 = 256;

fn mona_lisa() -> Avatar {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../assets/mona_lisa.jpg");
    let mut finder = FaceFinder::new(Threads::default()).expect("the models are compiled in");
    Avatar::from_photo(&path, FaceChoice::Largest, &mut finder).expect("a portrait")
}

/// Puts noise on every weight, so that layers which start at zero do something.
struct Noise;

impl ModuleMapper for Noise {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        param.map(|value| value.clone() + value.random_like(Distribution::Normal(0.0, 0.02)))
    }
}

fn networks() -> NetworksConfig {
    let config = Preset::Portrait.config();
    let widths = vec![8, 8, 16, 16];
    NetworksConfig { generator: GeneratorConfig { widths, ..config.generator.clone() }, ..config }
}

fn header(preset: Preset, config: NetworksConfig) -> WeightHeader {
    WeightHeader {
        preset,
        config,
        picture_version: LANDMARK_PICTURE_VERSION,
        composition: Some(gioconda_model::COMPOSITION_VERSION),
        training_data: "none".to_owned(),
        licence: "none".to_owned(),
    }
}

/// A weight file of fresh networks, noisy or not, for painted mouths or bare ones, and a folder for it.
fn weights(noisy: bool, painted_mouth: bool) -> (TempDir, PathBuf) {
    let (mut config, device) = (networks(), Device::flex());
    config.generator.painted_mouth = painted_mouth;
    device.seed(7);
    let embedder = Embedder::new(&config.embedder, &device).expect("sizes that fit");
    let mut generator = Generator::new(&config.generator, &device).expect("sizes that fit");
    if noisy {
        generator = generator.map(&mut Noise);
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("portrait.safetensors");
    let writer = WeightWriter::new(header(Preset::Portrait, config))
        .with("embedder", &parameters(&embedder))
        .with("generator", &parameters(&generator));
    std::fs::write(&path, writer.to_bytes(&path).expect("weights")).expect("written");
    (folder, path)
}

fn with_network(mut avatar: Avatar, noisy: bool, painted_mouth: bool) -> Avatar {
    let (_folder, path) = weights(noisy, painted_mouth);
    let weights = PortraitWeights::open(&path).expect("weights");
    avatar.network = Some(Arc::new(weights.feed_forward(&avatar.photos())));
    avatar
}

/// Landmarks of the canvas in some moments of a motion.
fn moments(canvas: &Canvas) -> Vec<Landmarks> {
    let transfer = MotionTransfer::new(&canvas.landmarks, canvas.picture.dimensions(), Gains::default());
    let motion = BuiltinMotion::find("talk").expect("a built-in motion").load();
    [0, motion.len() / 3, motion.len() / 2].map(|frame| transfer.apply(&motion.frame(frame))).to_vec()
}

fn largest_difference(a: &RgbImage, b: &RgbImage) -> u8 {
    a.as_raw().iter().zip(b.as_raw()).map(|(a, b)| a.abs_diff(*b)).max().unwrap_or(0)
}

#[test]
fn an_untrained_network_changes_nothing() {
    let avatar = with_network(mona_lisa(), false, false);
    let canvas = Canvas::new(&avatar.photo, &avatar.landmarks, Framing::Head { side: SIDE });
    let mut neural = avatar.renderer(RendererKind::Neural, Background::Keep, &canvas).expect("a network");
    let mut mesh = MeshRenderer::new(Arc::clone(&canvas.picture), &canvas.landmarks).under_network(false);
    let window = canvas.window;
    let view =
        View { left: window.left as f32, top: window.top as f32, ..View::whole(window.width, window.height) };
    let (mut corrected, mut bare) = (RgbImage::new(SIDE, SIDE), RgbImage::default());
    for driving in moments(&canvas) {
        neural.render(&driving, &mut corrected).expect("a frame");
        mesh.render(&driving, &view, &mut bare);
        assert!(largest_difference(&corrected, &bare) <= 1);
    }
}

#[test]
fn a_network_composes_as_it_was_trained() {
    for painted_mouth in [false, true] {
        composes_as_it_was_trained(with_network(mona_lisa(), true, painted_mouth), painted_mouth);
    }
}

fn composes_as_it_was_trained(avatar: Avatar, painted_mouth: bool) {
    let network = avatar.network.clone().expect("a network");
    // A picture that the network sees whole and pixel for pixel: nothing is enlarged, and both meshes are one.
    let size = network.generator.config().resolution;
    let crop = network_crop(&avatar.landmarks, avatar.photo.dimensions());
    let photo = Arc::new(cropped(&avatar.photo, &crop, size as u32));
    let landmarks = cropped_landmarks(&avatar.landmarks, &crop, size as u32);
    let canvas = Canvas::new(&photo, &landmarks, Framing::Full { longest_side: 4096 });
    let avatar = Avatar { photo: Arc::clone(&photo), landmarks: landmarks.clone(), ..avatar };
    let mut renderer = avatar.renderer(RendererKind::Neural, Background::Keep, &canvas).expect("a network");
    let mut frame = RgbImage::new(size as u32, size as u32);
    let driving = moments(&canvas).remove(1);
    renderer.render(&driving, &mut frame).expect("a frame");

    let device = Device::flex();
    let tensor =
        |values: Vec<f32>, shape: [usize; 4]| Tensor::<4>::from_data(TensorData::new(values, shape), &device);
    let mut input = NetworkInput::new(size);
    input.draw(&NetworkPhoto::new((*photo).clone(), &landmarks, painted_mouth), &driving);
    let warp = Warp {
        photo: tensor(planes(&photo), [1, 3, size, size]),
        grid: tensor(input.flow().to_vec(), [1, size, size, 2]),
        masks: tensor(input.masks().to_vec(), [1, 4, size, size]),
        painted: painted_mouth.then(|| tensor(input.warped().to_vec(), [1, 3, size, size])),
    };
    let picture = tensor(input.picture().to_vec(), [1, 3, size, size]);
    let generator = Generator::from_weights(&network.generator, &device).expect("sizes that fit");
    let psi = Tensor::<1>::from_floats(network.psi.as_slice(), &device).unsqueeze::<2>();
    let composed = compose(generator.forward(warp.input(picture), psi), &warp).frame;
    let expected = composed.try_into_vec_as::<f32>().expect("numbers");

    let pixels = size * size;
    let changed = planes(&photo);
    let (mut apart, mut moved, mut count) = (0.0, 0.0, 0.0);
    for (pixel, colour) in frame.pixels().enumerate() {
        let (x, y) = (pixel % size, pixel / size);
        // Elsewhere the network is confined, and eyes and mouth are geometry's.
        let place = Vector2::new(x as f32, y as f32);
        let is_inside = [2, 3].iter().any(|mask| input.masks()[mask * pixels + pixel] > 0.0);
        if (place - driving.xy(point::NOSE_TIP)).norm() > 0.15 * size as f32 || is_inside {
            continue;
        }
        for (channel, &value) in colour.0.iter().enumerate() {
            let at = channel * pixels + pixel;
            apart += ((expected[at] + 1.0) * 127.5 - f32::from(value)).abs();
            moved += ((expected[at] - changed[at]) * 127.5).abs();
            count += 1.0;
        }
    }
    assert!(count > 1000.0, "{count}");
    // What is left is bicubic against bilinear sampling.
    assert!(moved / count > 5.0, "the noise does too little to tell: {}", moved / count);
    assert!(apart / count < 2.5, "mean difference {} of 255", apart / count);
}

#[test]
fn weights_that_do_not_fit_are_refused() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("weights.safetensors");
    let device = Device::flex();
    let mut config = networks();
    let generator = Generator::new(&config.generator, &device).expect("sizes that fit");
    let refused = |header: WeightHeader, expected: &str| {
        let writer = WeightWriter::new(header).with("generator", &parameters(&generator));
        std::fs::write(&path, writer.to_bytes(&path).expect("weights")).expect("written");
        let message = PortraitWeights::open(&path).expect_err("refused").to_string();
        assert!(message.contains(expected) && message.contains("weights.safetensors"), "{message}");
        assert!(!message.contains('\n'), "{message}");
    };
    refused(header(Preset::Paper, config.clone()), "made for preset paper, but portrait is needed");
    let old = WeightHeader { picture_version: 99, ..header(Preset::Portrait, config.clone()) };
    refused(old, "made for landmark picture version 99");
    refused(header(Preset::Portrait, config.clone()), "holds no embedder");
    config.generator.input = 3;
    refused(header(Preset::Portrait, config.clone()), "does not correct a mesh warp");
    config.generator = GeneratorConfig { input: 10, widths: vec![1 << 40], ..config.generator };
    refused(header(Preset::Portrait, config), "widths must be at most");
    std::fs::write(&path, b"no weights").expect("written");
    let message = PortraitWeights::open(&path).expect_err("refused").to_string();
    assert!(message.contains("not a usable weight file"), "{message}");
}

#[test]
fn without_a_network_the_neural_renderer_says_what_it_needs() {
    let avatar = mona_lisa();
    let canvas = Canvas::new(&avatar.photo, &avatar.landmarks, Framing::Head { side: 128 });
    let Err(error) = avatar.renderer(RendererKind::Neural, Background::Keep, &canvas) else {
        panic!("no network was there")
    };
    assert!(error.to_string().contains("weight file"), "{error}");
    assert_eq!(avatar.best_renderer(), RendererKind::Mesh);
}
