//! A photo as layers: the person, who moves, over a plate, which rests.

use gioconda_face::{HeadPose, Landmarks};
use image::{GrayImage, RgbImage};
use nalgebra::Vector2;

use crate::coverage::Coverage;
use crate::head::face_width;
use crate::mesh::MESH;
use crate::plate::plate;

/// The face oval, smaller by this, is person whatever the matte says: nobody is seen through.
const INSIDE: f32 = 0.92;

/// Alpha this near to nothing or everything means that.
const TRACE: u8 = 8;

/// A photo's layers.
#[derive(Clone, Debug)]
pub(crate) struct Layers {
    /// How much of each pixel is person, of the photo's size.
    pub(crate) alpha: GrayImage,
    /// The photo without the person.
    pub(crate) plate: RgbImage,
}

impl Layers {
    /// Of a photo whose person has the matte `alpha`, of the photo's size, and the face `landmarks`.
    pub(crate) fn new(photo: &RgbImage, mut alpha: GrayImage, landmarks: &Landmarks) -> Self {
        let pose = HeadPose::fit(landmarks);
        alpha.iter_mut().for_each(|alpha| *alpha = sure(*alpha));
        cover_face(&mut alpha, landmarks);
        let plate = plate(photo, &alpha, face_width(&pose));
        Self { alpha, plate }
    }
}

/// Alpha without the traces that encoders and soft brushes leave where there is nothing or everything.
fn sure(alpha: u8) -> u8 {
    match alpha {
        0..TRACE => 0,
        alpha if alpha > u8::MAX - TRACE => u8::MAX,
        alpha => alpha,
    }
}

/// Makes the inside of the face oval opaque.
fn cover_face(alpha: &mut GrayImage, landmarks: &Landmarks) {
    let (width, height) = (alpha.width() as usize, alpha.height() as usize);
    let oval = &MESH.oval;
    let middle = oval.iter().map(|&i| landmarks.xy(i)).sum::<Vector2<f32>>() / oval.len() as f32;
    let corner = |i: usize| middle + (landmarks.xy(oval[i % oval.len()]) - middle) * INSIDE;
    let mut sums = vec![0.0; Coverage::stride(width) * height];
    let mut face = vec![0; width * height];
    let edges = (0..oval.len()).map(|i| [corner(i), corner(i + 1)]);
    Coverage { top: 0, width, sums: &mut sums }.fill(edges, &mut face);
    alpha.iter_mut().zip(face).for_each(|(alpha, face)| *alpha = face.max(*alpha));
}
