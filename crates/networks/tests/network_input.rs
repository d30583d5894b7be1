//! What the renderer draws for the networks is what they are warped in training.

use gioconda_face::{HeadPose, Landmarks};
use gioconda_model::network_input::{INPUT_CHANNELS, NetworkPhoto, network_input, planes};
use gioconda_networks::burn::tensor::{Tensor, TensorData};
use gioconda_networks::{Device, Warp};
use image::RgbImage;
use nalgebra::{Rotation3, Vector3};

/// The canonical face in the middle of a picture of `side` pixels, turned by `yaw` radians.
fn face(side: f32, yaw: f32) -> Landmarks {
    let pose = HeadPose {
        scale: side / 30.0,
        rotation: Rotation3::from_euler_angles(0.0, yaw, 0.0),
        translation: Vector3::new(side / 2.0, -side / 2.0, 0.0),
        residual: 0.0,
    };
    pose.canonical_face()
}

fn colourful(side: u32) -> RgbImage {
    RgbImage::from_fn(side, side, |x, y| image::Rgb([(x * 7) as u8, (y * 5) as u8, (x * y) as u8]))
}

#[test]
fn the_planes_are_what_the_networks_warp_makes() {
    let device = Device::flex();
    let photo = colourful(96);
    let source = NetworkPhoto::new(photo.clone(), &face(96.0, 0.0), false);
    let input = network_input(&source, &face(96.0, 0.3), 64);
    let tensor = |values: &[f32], shape: [usize; 4]| {
        Tensor::<4>::from_data(TensorData::new(values.to_vec(), shape), &device)
    };
    let warp = Warp {
        photo: tensor(&planes(&photo), [1, 3, 96, 96]),
        grid: tensor(input.flow(), [1, 64, 64, 2]),
        masks: tensor(input.masks(), [1, 4, 64, 64]),
        painted: None,
    };
    let expected = warp.input(tensor(input.picture(), [1, 3, 64, 64]));
    let drawn = tensor(input.channels(), [1, INPUT_CHANNELS, 64, 64]);
    let difference = (expected - drawn).abs().max().into_scalar::<f32>();
    assert!(difference < 1e-3, "{difference}");
}
