//! The mesh renderer on the Mona Lisa, whose mouth is shut.

use std::path::Path;
use std::sync::{Arc, LazyLock};

use gioconda_face::topology::LIP_COLUMNS;
use gioconda_face::{FaceFinder, Landmarks, Threads};
use gioconda_warp::{MeshRenderer, View};
use image::{Rgb, RgbImage};

static PORTRAIT: LazyLock<(RgbImage, Landmarks)> = LazyLock::new(|| {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../assets/mona_lisa.jpg");
    let photo = image::open(path).expect("the picture is part of the repository").to_rgb8();
    let mut finder = FaceFinder::new(Threads::default()).expect("the models are compiled in");
    let faces = finder.find_faces(&photo).expect("a picture with a face");
    (photo, faces[0].landmarks.clone())
});

/// The landmarks with the lower lip's inner edge lowered by `share` of the mouth's width in its middle.
fn with_open_mouth(landmarks: &Landmarks, share: f32) -> Landmarks {
    let mut open = landmarks.clone();
    let width = (landmarks.xy(308) - landmarks.xy(78)).norm();
    for (i, (_, [inner, below, ..])) in LIP_COLUMNS.into_iter().enumerate() {
        let drop = share * width * (1.0 - ((i as f32 - 4.0) / 5.0).powi(2));
        open.points[inner].y += drop;
        open.points[below].y += drop;
    }
    open
}

fn whole(photo: &RgbImage) -> View {
    View::whole(photo.width(), photo.height())
}

#[test]
fn the_neutral_frame_is_the_photo() {
    let (photo, face) = &*PORTRAIT;
    let mut renderer = MeshRenderer::new(Arc::new(photo.clone()), face);
    let mut out = RgbImage::default();
    renderer.render(face, &whole(photo), &mut out);
    assert!(out == *photo, "a pixel of the neutral frame differs from the photo");
}

#[test]
fn outside_the_region_every_frame_is_the_photo() {
    let (photo, face) = &*PORTRAIT;
    let mut renderer = MeshRenderer::new(Arc::new(photo.clone()), face);
    let mut driven = face.clone();
    driven.points.iter_mut().for_each(|p| p.x += 12.0);
    let mut out = RgbImage::default();
    renderer.render(&driven, &whole(photo), &mut out);
    let region = renderer.region();
    let columns = region.left..region.left + region.width;
    let rows = region.top..region.top + region.height;
    let still = |x: u32, y: u32| !(columns.contains(&x) && rows.contains(&y));
    assert!(out.enumerate_pixels().all(|(x, y, p)| !still(x, y) || p == photo.get_pixel(x, y)));
    assert!(out != *photo);
}

#[test]
fn an_opened_mouth_is_dark_inside() {
    let (photo, face) = &*PORTRAIT;
    let mut renderer = MeshRenderer::new(Arc::new(photo.clone()), face);
    let open = with_open_mouth(face, 0.25);
    let mut out = RgbImage::default();
    renderer.render(&open, &whole(photo), &mut out);
    let luma = |share: f32, from: usize, to: usize| {
        let p = open.xy(from) + (open.xy(to) - open.xy(from)) * share;
        let Rgb([r, g, b]) = *out.get_pixel(p.x as u32, p.y as u32);
        (f32::from(r) + f32::from(g) + f32::from(b)) / 3.0
    };
    // Between the rows of teeth.
    let darkest = (1..20).map(|step| luma(step as f32 / 20.0, 13, 14)).fold(f32::MAX, f32::min);
    let lip = luma(0.5, 13, 0);
    assert!(darkest < 0.7 * lip, "{darkest} {lip}");
}

#[test]
fn what_is_painted_is_as_grainy_as_the_photo() {
    let (photo, face) = &*PORTRAIT;
    let smooth = image::imageops::blur(photo, 2.0);
    let mut rng = fastrand::Rng::with_seed(7);
    let grainy = RgbImage::from_fn(photo.width(), photo.height(), |x, y| {
        let light = 1.0 + 0.16 * (rng.f32() - 0.5);
        Rgb(smooth.get_pixel(x, y).0.map(|v| (f32::from(v) * light) as u8))
    });
    let open = with_open_mouth(face, 0.25);
    let inside = open.xy(13) + (open.xy(14) - open.xy(13)) * 0.5;
    let [plain, with_grain] = [&smooth, &grainy].map(|photo| {
        let mut out = RgbImage::default();
        MeshRenderer::new(Arc::new(photo.clone()), face).render(&open, &whole(photo), &mut out);
        out
    });
    // By which share grain makes each pixel half way down the opened mouth lighter.
    let lighter = |x: u32, y: u32| {
        let [plain, with_grain] =
            [&plain, &with_grain].map(|picture| f32::from(picture.get_pixel(x, y).0[1]));
        (with_grain - plain) / plain
    };
    let (x, y, reach) = (inside.x as u32, inside.y as u32, 4);
    let places = (y - reach..=y + reach).flat_map(|y| (x - reach..=x + reach).map(move |x| (x, y)));
    let squares = places.map(|(x, y)| (lighter(x + 1, y) - lighter(x, y)).powi(2));
    let rough = (squares.sum::<f32>() / ((2 * reach + 1).pow(2) as f32)).sqrt();
    // The root of 2 times the noise's deviation, 0.16 over the root of 12; less where pixels of the grain lie between those of
    // the frame.
    assert!((0.035..0.07).contains(&rough), "{rough}");
}

#[test]
fn a_grey_photo_stays_grey() {
    let (photo, face) = &*PORTRAIT;
    let grey = RgbImage::from_fn(photo.width(), photo.height(), |x, y| Rgb([photo.get_pixel(x, y).0[1]; 3]));
    let mut renderer = MeshRenderer::new(Arc::new(grey), face);
    let mut out = RgbImage::default();
    renderer.render(&with_open_mouth(face, 0.3), &whole(photo), &mut out);
    assert!(out.pixels().all(|&Rgb([r, g, b])| r == g && g == b));
}
