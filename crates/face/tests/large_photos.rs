//! Photos of many megapixels are searched in a smaller copy; faces are where they are in the photo.

use gioconda_face::{FaceFinder, Landmarks, Threads};
use gioconda_testkit::repository;
use image::RgbImage;
use image::imageops::{FilterType, replace, resize};

fn only_face(finder: &mut FaceFinder, picture: &RgbImage) -> Landmarks {
    let faces = finder.find_faces(picture).expect("the models run");
    let boxes: Vec<_> = faces.iter().map(|face| face.detection.bounds).collect();
    assert_eq!(faces.len(), 1, "{boxes:?}");
    let face = &faces[0];
    // The detector's box lies around the landmarks.
    let (low, high) = face.landmarks.bounds();
    let middle = (low + high) / 2.0;
    let off = (face.detection.bounds.center() - middle).norm();
    assert!(off < 0.5 * (high - low).max(), "{off} pixels");
    face.landmarks.clone()
}

#[test]
fn a_face_is_found_in_the_same_place_however_large_the_photo() {
    let photo = image::open(repository("assets/mona_lisa.jpg")).expect("the photo").to_rgb8();
    let mut finder = FaceFinder::new(Threads::Shared).expect("the models are compiled in");
    let small = only_face(&mut finder, &photo);
    let (width, height) = photo.dimensions();
    let large = resize(&photo, 4 * width, 4 * height, FilterType::Triangle);
    assert!(large.height() > 4096);
    let found = only_face(&mut finder, &large);
    let pairs = small.points.iter().zip(&found.points);
    let sum: f32 = pairs.map(|(a, b)| (a.xy() * 4.0 - b.xy()).norm()).sum();
    let off = sum / small.points.len() as f32 / 4.0;
    assert!(off < 1.0, "{off} pixels of the small photo");
}

/// A face of 200 pixels in a photo of 7000.
#[test]
fn a_small_face_in_a_large_photo_is_found() {
    let photo = image::open(repository("assets/mona_lisa.jpg")).expect("the photo").to_rgb8();
    let mut finder = FaceFinder::new(Threads::Shared).expect("the models are compiled in");
    let mut wall = RgbImage::from_pixel(7000, 5000, image::Rgb([120, 110, 100]));
    replace(&mut wall, &photo, 5000, 3000);
    let (low, high) = only_face(&mut finder, &wall).bounds();
    assert!(low.x > 5000.0 && low.y > 3000.0 && high.x < 5742.0 && high.y < 4154.0, "{low} {high}");
}
