//! What the `portrait` networks see of a photo and a pose: the one place that training and rendering share.
//!
//! The networks look at a square of [`NETWORK_CROP`] face boxes around the photo's face, as planes of `size` x `size`
//! numbers, rows from top to bottom. [`NetworkInput::draw`] fills them for one driving pose: ten channels for the
//! generator (warped photo, landmark picture, four masks), and the mesh's flow, which its output is added to. Colours
//! are -1..1 for 0..255, masks 0..1. The buffers reshape into the tensors of `gioconda_networks::Warp` as they are.

use gioconda_face::{Border, Landmarks, Region, bilinear};
use gioconda_warp::{LandmarkPicture, MeshWarp, MouthPaint, SourceMesh, View};
use image::RgbImage;
use nalgebra::Vector2;

/// Side of the square that the networks see over the longer side of the face's box (PROTOTYPE.md, pairs).
pub const NETWORK_CROP: f32 = 1.5;

/// Channels of the generator's input: warped photo 3, landmark picture 3, masks 4.
pub const INPUT_CHANNELS: usize = 10;

/// The square around the face at `landmarks` in a picture of `width` x `height` pixels: whole pixels, inside the
/// picture, and smaller than [`NETWORK_CROP`] only where the picture is. Made-up borders would be learned as stripes.
pub fn network_crop(landmarks: &Landmarks, (width, height): (u32, u32)) -> Region {
    let (low, high) = landmarks.bounds();
    let (face, centre) = (high - low, (low + high) / 2.0);
    let most = width.min(height).max(1) as f32;
    // `max` before `min`: landmarks that are not finite give a crop all the same.
    let side = (NETWORK_CROP * face.x.max(face.y)).round().max(1.0).min(most);
    let corner = |centre: f32, length: u32| (centre - side / 2.0).round().min(length as f32 - side).max(0.0);
    Region::from_corner(corner(centre.x, width), corner(centre.y, height), side)
}

/// `crop` of a picture, at `size` x `size` pixels (Lanczos, antialiased). The crop lies inside, as
/// [`network_crop`] gives it.
pub fn cropped(picture: &RgbImage, crop: &Region, size: u32) -> RgbImage {
    let corner = crop.to_picture(Vector2::zeros()).map(|edge| edge.round().max(0.0) as u32);
    let side = crop.size.round() as u32;
    let square = image::imageops::crop_imm(picture, corner.x, corner.y, side, side).to_image();
    gioconda_media::resize(&square, size, size)
}

/// Landmarks of a picture in pixels of its [`cropped`] square.
pub fn cropped_landmarks(landmarks: &Landmarks, crop: &Region, size: u32) -> Landmarks {
    let scale = size as f32 / crop.size;
    landmarks.scaled_and_shifted(scale, -crop.to_picture(Vector2::zeros()) * scale)
}

/// A picture as three planes, `[3, height, width]`, -1..1.
pub fn planes(picture: &RgbImage) -> Vec<f32> {
    let pixels = picture.as_raw().len() / 3;
    let mut planes = vec![0.0; 3 * pixels];
    write_planes(picture, &mut planes);
    planes
}

/// The landmark picture of a face in a square picture of `side` pixels, as planes: `[3, size, size]`, -1..1.
pub fn landmark_planes(landmarks: &Landmarks, side: f32, size: usize) -> Vec<f32> {
    let mut picture = RgbImage::new(size as u32, size as u32);
    LandmarkPicture::new().draw(landmarks, &Region::from_corner(0.0, 0.0, side), &mut picture);
    planes(&picture)
}

/// A photo as the networks see it, ready to be warped.
pub struct NetworkPhoto {
    picture: RgbImage,
    mesh: SourceMesh,
    /// What is painted between the lips where they open wider than the photo's, for generators that
    /// [want it](crate::GeneratorConfig::painted_mouth).
    mouth: Option<MouthPaint>,
}

impl NetworkPhoto {
    /// `picture`: a square crop ([`cropped`]) with a face at `landmarks`, pixels of the crop.
    pub fn new(picture: RgbImage, landmarks: &Landmarks, painted_mouth: bool) -> Self {
        let mesh = SourceMesh::new(picture.dimensions(), landmarks);
        let mouth = painted_mouth.then(|| MouthPaint::new(&picture, mesh.landmarks()));
        Self { picture, mesh, mouth }
    }

    /// The crop.
    pub fn picture(&self) -> &RgbImage {
        &self.picture
    }
}

/// The generator's view of one photo in one driving pose. Reuse it from frame to frame: it allocates nothing then.
#[derive(Clone, Debug)]
pub struct NetworkInput {
    size: usize,
    channels: Vec<f32>,
    flow: Vec<f32>,
    warp: MeshWarp,
    painter: LandmarkPicture,
    picture: RgbImage,
}

impl NetworkInput {
    /// Buffers for `size` x `size` numbers a plane, not drawn yet.
    pub fn new(size: usize) -> Self {
        Self {
            size,
            channels: vec![0.0; INPUT_CHANNELS * size * size],
            flow: vec![0.0; 2 * size * size],
            warp: MeshWarp::default(),
            painter: LandmarkPicture::new(),
            picture: RgbImage::new(size as u32, size as u32),
        }
    }

    /// Draws `photo` with its face at `driving` (pixels of the crop). A photo larger than `size` is sampled without
    /// antialiasing, as the network's composition does.
    pub fn draw(&mut self, photo: &NetworkPhoto, driving: &Landmarks) {
        let NetworkPhoto { picture: photo, mesh, mouth } = photo;
        let (width, height) = photo.dimensions();
        let view = View { width: self.size, height: self.size, ..View::whole(width, height) };
        mesh.warp(driving, &view, &mut self.warp);
        let square = Region::from_corner(0.0, 0.0, width as f32);
        self.painter.draw(driving, &square, &mut self.picture);

        let pixels = self.size * self.size;
        let colour_at = |at: Vector2<f32>| bilinear(photo, at, Border::Replicate);
        let (warped, rest) = self.channels.split_at_mut(3 * pixels);
        let (picture, masks) = rest.split_at_mut(3 * pixels);
        for (pixel, &[x, y]) in self.warp.flow.iter().enumerate() {
            for (channel, value) in colour_at([x, y].into()).into_iter().enumerate() {
                warped[channel * pixels + pixel] = value / 127.5 - 1.0;
            }
        }
        if let (Some(mouth), Some(opening)) = (mouth, &self.warp.opening) {
            let byte = |value: f32| (value + 0.5) as u8;
            let sample = |at: Vector2<f32>| colour_at(at).map(byte);
            for (pixel, &covered) in self.warp.mouth.iter().enumerate().filter(|(_, covered)| **covered > 0) {
                let (x, y) = (pixel % self.size, pixel / self.size);
                let position = view.to_photo(Vector2::new(x as f32 + 0.5, y as f32 + 0.5));
                let [x, y] = self.warp.flow[pixel];
                let mut colour = colour_at([x, y].into()).map(byte);
                mouth.paint(mesh.mouth(), opening, position, f32::from(covered) / 255.0, &mut colour, sample);
                for (channel, value) in colour.into_iter().enumerate() {
                    warped[channel * pixels + pixel] = f32::from(value) / 127.5 - 1.0;
                }
            }
        }
        write_planes(&self.picture, picture);
        let warp = &self.warp;
        let sources = [&warp.face, &warp.validity, &warp.mouth, &warp.eyes];
        for (mask, source) in masks.chunks_exact_mut(pixels).zip(sources) {
            for (value, &byte) in mask.iter_mut().zip(source) {
                *value = f32::from(byte) / 255.0;
            }
        }
        let per_pixel = [2.0 / width as f32, 2.0 / height as f32];
        for (grid, position) in self.flow.as_chunks_mut::<2>().0.iter_mut().zip(&warp.flow) {
            *grid = [position[0] * per_pixel[0] - 1.0, position[1] * per_pixel[1] - 1.0];
        }
    }

    /// Height and width of every plane.
    pub fn size(&self) -> usize {
        self.size
    }

    /// `[10, size, size]`: the generator's input, the parts below one after the other.
    pub fn channels(&self) -> &[f32] {
        &self.channels
    }

    /// `[3, size, size]` the photo moved by the mesh, its mouth painted if it is to be, RGB in -1..1.
    pub fn warped(&self) -> &[f32] {
        &self.channels[..3 * self.size * self.size]
    }

    /// `[3, size, size]` the landmark picture of the driving pose, RGB in -1..1.
    pub fn picture(&self) -> &[f32] {
        &self.channels[3 * self.size * self.size..6 * self.size * self.size]
    }

    /// `[4, size, size]` face, validity, mouth and eyes, 0..1 ([`MeshWarp`]).
    pub fn masks(&self) -> &[f32] {
        &self.channels[6 * self.size * self.size..]
    }

    /// `[size, size, 2]` flow₀: for every pixel where to look in the photo, (x, y), -1 and 1 its outer edges, y down.
    pub fn flow(&self) -> &[f32] {
        &self.flow
    }
}

/// [`NetworkInput::draw`] for one pair; `driving` is where the face shall be, pixels of the crop.
pub fn network_input(photo: &NetworkPhoto, driving: &Landmarks, size: usize) -> NetworkInput {
    let mut input = NetworkInput::new(size);
    input.draw(photo, driving);
    input
}

fn write_planes(picture: &RgbImage, planes: &mut [f32]) {
    let pixels = picture.as_raw().len() / 3;
    for (pixel, colour) in picture.pixels().enumerate() {
        for (channel, &value) in colour.0.iter().enumerate() {
            planes[channel * pixels + pixel] = f32::from(value) / 127.5 - 1.0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gioconda_face::{HeadPose, LANDMARKS};
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
    fn ranges_and_layout() {
        let source = NetworkPhoto::new(colourful(64), &face(64.0, 0.0), false);
        let input = network_input(&source, &face(64.0, -0.2), 64);
        let within = |values: &[f32], low: f32| values.iter().all(|v| (low..=1.0).contains(v));
        assert!(within(input.warped(), -1.0) && within(input.picture(), -1.0) && within(input.masks(), 0.0));
        assert_eq!(input.channels().len(), 10 * 64 * 64);
        assert_eq!(input.picture(), landmark_planes(&face(64.0, -0.2), 64.0, 64));
        // The middle of the face is covered by its mesh, the corner of the crop is not; black lines stand on -1.
        let at = |plane: usize, x: usize, y: usize| input.masks()[(plane * 64 + y) * 64 + x];
        assert!((at(0, 32, 32) - 1.0).abs() < 1e-6 && at(0, 0, 0).abs() < 1e-6);
        assert!((input.picture()[0] + 1.0).abs() < 1e-6);
    }

    #[test]
    fn a_still_face_is_the_photo() {
        let photo = colourful(64);
        let input =
            network_input(&NetworkPhoto::new(photo.clone(), &face(64.0, 0.1), false), &face(64.0, 0.1), 64);
        let difference =
            input.warped().iter().zip(planes(&photo)).map(|(a, b)| (a - b).abs()).fold(0.0_f32, f32::max);
        assert!(difference < 2e-3, "{difference}");
    }

    #[test]
    fn a_mouth_is_painted_where_lips_open_and_nowhere_else() {
        let shut = face(96.0, 0.0);
        let mut open = shut.clone();
        // The lower lip and the chin go down.
        for point in [14, 87, 178, 88, 95, 317, 402, 318, 324, 17, 84, 181, 314, 405, 152] {
            open.points[point].y += 9.0;
        }
        let drawn = |painted| network_input(&NetworkPhoto::new(colourful(96), &shut, painted), &open, 64);
        let (bare, painted) = (drawn(false), drawn(true));
        assert_eq!(
            (bare.flow(), bare.masks(), bare.picture()),
            (painted.flow(), painted.masks(), painted.picture())
        );
        let mouth = &bare.masks()[2 * 64 * 64..3 * 64 * 64];
        let changed = |pixel: usize| {
            (0..3).any(|c| {
                (bare.warped()[c * 64 * 64 + pixel] - painted.warped()[c * 64 * 64 + pixel]).abs() > 0.02
            })
        };
        assert!((0..64 * 64).all(|pixel| mouth[pixel] > 0.0 || !changed(pixel)));
        let covered: Vec<usize> = (0..64 * 64).filter(|&pixel| mouth[pixel] > 0.9).collect();
        let share = covered.iter().filter(|&&pixel| changed(pixel)).count() as f64 / covered.len() as f64;
        assert!(covered.len() > 8 && share > 0.8, "{share} of {}", covered.len());
    }

    #[test]
    fn crops_lie_inside_the_picture_and_carry_the_landmarks() {
        for (side, centre) in [(300, [150.0, 150.0]), (300, [40.0, 290.0]), (80, [40.0, 40.0])] {
            let landmarks =
                face(100.0, 0.0).scaled_and_shifted(1.0, Vector2::new(centre[0] - 50.0, centre[1] - 50.0));
            let crop = network_crop(&landmarks, (side, side));
            let (low, high) = (crop.to_picture(Vector2::zeros()), crop.to_picture(Vector2::repeat(1.0)));
            assert!(low.min() >= 0.0 && high.max() <= side as f32, "{crop:?}");
            let small = cropped_landmarks(&landmarks, &crop, 128);
            let back = crop.to_picture(small.xy(4) / 128.0);
            assert!((back - landmarks.xy(4)).norm() < 1e-3);
            assert_eq!(cropped(&colourful(side), &crop, 128).dimensions(), (128, 128));
        }
        let lost = Landmarks { points: [Vector3::repeat(f32::NAN); LANDMARKS] };
        assert!(network_crop(&lost, (50, 40)).size <= 40.0);
    }
}
