//! A painting that moves: the Mona Lisa turned, shifted and scaled at random. Footage for tests that must run
//! everywhere.

use gioconda_face::{Border, FaceChoice, FaceFinder, Landmarks, Threads, bilinear};
use gioconda_model::network_input::{cropped, cropped_landmarks, network_crop};
use gioconda_train::{MemoryFootage, Shot};
use image::{Rgb, RgbImage};

/// `videos` clips of `frames` frames, `size` pixels square. The clips differ in colour.
pub(crate) fn footage(videos: usize, frames: usize, size: u32) -> MemoryFootage {
    let path = gioconda_testkit::repository("assets/mona_lisa.jpg");
    let painting = gioconda_media::photo::read(&path).unwrap().image;
    let faces = FaceFinder::new(Threads::Shared).unwrap().find_faces(&painting).unwrap();
    let landmarks = FaceChoice::Largest.choose(&faces).unwrap().unwrap().landmarks.clone();
    let crop = network_crop(&landmarks, painting.dimensions());
    let still = Shot {
        picture: cropped(&painting, &crop, size),
        landmarks: cropped_landmarks(&landmarks, &crop, size),
    };
    let mut rng = fastrand::Rng::with_seed(7);
    let video = |index: usize| {
        let dyed = Shot { picture: rolled(&still.picture, index), ..still.clone() };
        (0..frames).map(|_| moved(&dyed, &mut rng)).collect()
    };
    MemoryFootage::new((0..videos).map(video).collect())
}

/// The colour channels, exchanged.
fn rolled(picture: &RgbImage, by: usize) -> RgbImage {
    let mut picture = picture.clone();
    for pixel in picture.pixels_mut() {
        pixel.0.rotate_right(by % 3);
    }
    picture
}

fn moved(shot: &Shot, rng: &mut fastrand::Rng) -> Shot {
    let size = shot.picture.width() as f32;
    let mut within = |range: f32| (2.0 * rng.f32() - 1.0) * range;
    let (sin, cos) = within(0.25).sin_cos();
    let scale = 0.85 + within(0.1);
    let shift = [within(0.06) * size, within(0.06) * size];
    let middle = size / 2.0;
    let forward = |x: f32, y: f32| {
        let (x, y) = ((x - middle) * scale, (y - middle) * scale);
        [cos * x - sin * y + middle + shift[0], sin * x + cos * y + middle + shift[1]]
    };
    let backward = |x: f32, y: f32| {
        let (x, y) = ((x - middle - shift[0]) / scale, (y - middle - shift[1]) / scale);
        [cos * x + sin * y + middle, cos * y - sin * x + middle]
    };
    let picture = RgbImage::from_fn(shot.picture.width(), shot.picture.height(), |x, y| {
        let place = backward(x as f32 + 0.5, y as f32 + 0.5).into();
        Rgb(bilinear(&shot.picture, place, Border::Replicate).map(|value| value.round() as u8))
    });
    let landmarks: Landmarks = shot.landmarks.map(|point| {
        let [x, y] = forward(point.x, point.y);
        [x, y, point.z * scale].into()
    });
    Shot { picture, landmarks }
}
