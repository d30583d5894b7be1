//! Photos of every orientation and kind, and files that are none.

use gioconda_media::{Error, InputKind, photo, save_png, sniff};
use image::{DynamicImage, ImageFormat, Luma, Rgb, RgbImage, Rgba, imageops};
use std::fs;
use std::io::Cursor;
use std::path::{Path, PathBuf};

/// Four quadrants of different colours.
fn quadrants() -> RgbImage {
    RgbImage::from_fn(160, 96, |x, y| match (x < 80, y < 48) {
        (true, true) => Rgb([220, 30, 30]),
        (false, true) => Rgb([30, 220, 30]),
        (true, false) => Rgb([30, 30, 220]),
        (false, false) => Rgb([200, 200, 200]),
    })
}

/// The picture as a camera with this EXIF orientation stores it.
fn stored(upright: &RgbImage, orientation: u8) -> RgbImage {
    match orientation {
        1 => upright.clone(),
        2 => imageops::flip_horizontal(upright),
        3 => imageops::rotate180(upright),
        4 => imageops::flip_vertical(upright),
        5 => imageops::flip_horizontal(&imageops::rotate90(upright)),
        6 => imageops::rotate270(upright),
        7 => imageops::flip_horizontal(&imageops::rotate270(upright)),
        _ => imageops::rotate90(upright),
    }
}

/// A JPEG with an EXIF block that holds nothing but the orientation.
fn jpeg(image: &RgbImage, orientation: u8) -> Vec<u8> {
    let mut plain = Cursor::new(Vec::new());
    image.write_to(&mut plain, ImageFormat::Jpeg).unwrap();
    let plain = plain.into_inner();
    let mut exif = b"Exif\0\0MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0".to_vec();
    exif.extend_from_slice(&[orientation, 0, 0, 0, 0, 0, 0]);
    let mut jpeg = plain[..2].to_vec();
    jpeg.extend_from_slice(&[0xff, 0xe1]);
    jpeg.extend_from_slice(&(exif.len() as u16 + 2).to_be_bytes());
    jpeg.extend_from_slice(&exif);
    jpeg.extend_from_slice(&plain[2..]);
    jpeg
}

#[test]
fn every_exif_orientation_comes_upright() {
    let folder = tempfile::tempdir().unwrap();
    let upright = quadrants();
    for orientation in 1..=8 {
        let path = folder.path().join(format!("{orientation}.jpg"));
        fs::write(&path, jpeg(&stored(&upright, orientation), orientation)).unwrap();
        let photo = photo::read(&path).unwrap();
        assert_eq!(photo.orientation, orientation);
        assert_eq!(photo.image.dimensions(), upright.dimensions(), "orientation {orientation}");
        for (x, y) in [(40, 24), (120, 24), (40, 72), (120, 72)] {
            let (got, expected) = (photo.image.get_pixel(x, y), upright.get_pixel(x, y));
            let close = got.0.iter().zip(expected.0).all(|(a, b)| a.abs_diff(b) < 12);
            assert!(close, "orientation {orientation} at {x},{y}: {got:?} for {expected:?}");
        }
        let info = photo::info(&path).unwrap();
        assert_eq!((info.width, info.height), upright.dimensions());
    }
}

#[test]
fn grey_alpha_and_16_bit_become_8_bit_rgb() {
    let folder = tempfile::tempdir().unwrap();
    let size = 80;
    let pixel = |x: u32| (x * 3) as u8;
    let cases: [(&str, DynamicImage, [u8; 3], bool, bool); 4] = [
        (
            "grey",
            image::GrayImage::from_fn(size, size, |x, _| Luma([pixel(x)])).into(),
            [30, 30, 30],
            false,
            true,
        ),
        (
            "alpha",
            image::RgbaImage::from_pixel(size, size, Rgba([200, 0, 100, 51])).into(),
            [244, 204, 224],
            true,
            false,
        ),
        (
            "deep",
            image::ImageBuffer::from_pixel(size, size, Rgb([65535u16, 32896, 257])).into(),
            [255, 128, 1],
            false,
            false,
        ),
        (
            "grey alpha",
            image::GrayAlphaImage::from_pixel(size, size, image::LumaA([0, 0])).into(),
            [255, 255, 255],
            true,
            true,
        ),
    ];
    for (name, picture, expected, had_alpha, grey) in cases {
        for extension in ["png", "tiff"] {
            let path = folder.path().join(format!("{name}.{extension}"));
            if picture.save(&path).is_err() {
                // The TIFF encoder knows no grey with alpha.
                assert_eq!((name, extension), ("grey alpha", "tiff"));
                continue;
            }
            let photo = photo::read(&path).unwrap();
            assert_eq!(photo.image.get_pixel(10, 10).0, expected, "{name}.{extension}");
            assert_eq!((photo.had_alpha, photo.grey), (had_alpha, grey), "{name}.{extension}");
            assert_eq!(photo.format, extension);
        }
    }
}

#[test]
fn alpha_is_kept_where_it_says_anything() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cut out.png");
    let half = image::RgbaImage::from_fn(96, 64, |x, _| image::Rgba([9, 9, 9, if x < 48 { 0 } else { 255 }]));
    half.save(&path).unwrap();
    let alpha = photo::read(&path).unwrap().alpha.expect("half of it is transparent");
    assert_eq!(
        (alpha.dimensions(), alpha.get_pixel(47, 9)[0], alpha.get_pixel(48, 9)[0]),
        ((96, 64), 0, 255)
    );
    image::RgbaImage::from_pixel(96, 64, image::Rgba([9, 9, 9, 255])).save(&path).unwrap();
    assert_eq!(photo::read(&path).unwrap().alpha, None);
}

#[test]
fn the_content_decides_not_the_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("painting.jpg");
    let png = folder.path().join("painting.png");
    save_png(&png, &quadrants()).unwrap();
    fs::rename(&png, &path).unwrap();
    assert_eq!(photo::read(&path).unwrap().format, "png");
    assert_eq!(sniff(&path).unwrap(), InputKind::Photo);
    assert_eq!(sniff(folder.path()).unwrap(), InputKind::PictureFolder);
}

#[test]
fn bad_photos_are_refused_in_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        fs::write(&path, bytes).unwrap();
        path
    };
    let picture = |name: &str, width: u32, height: u32| {
        let path = folder.path().join(name);
        RgbImage::new(width, height).save(&path).unwrap();
        path
    };
    let mut cut = jpeg(&quadrants(), 1);
    cut.truncate(300);
    let mut vast = b"BM".to_vec();
    vast.extend_from_slice(&[0, 0, 0, 0, 0, 0, 0, 0, 54, 0, 0, 0, 40, 0, 0, 0]);
    vast.extend_from_slice(&60_000i32.to_le_bytes());
    vast.extend_from_slice(&60_000i32.to_le_bytes());
    vast.extend_from_slice(&[1, 0, 24, 0]);
    vast.extend_from_slice(&[0; 24]);
    let cases: [(PathBuf, &str); 8] = [
        (file("text.jpg", b"this is not a picture, only text"), "is not a picture"),
        (file("empty.jpg", b""), "is not a picture"),
        (picture("dot.png", 1, 1), "1x1 pixels are too few"),
        (picture("strip.png", 60_000, 10), "60000x10 pixels"),
        (picture("ribbon.png", 4000, 70), "strip"),
        (file("cut.jpg", &cut), "damaged"),
        (file("vast.bmp", &vast), "60000x60000 pixels are more than 50 megapixels"),
        (folder.path().join("absent.png"), "cannot be read"),
    ];
    for (path, expected) in &cases {
        let error = photo::read(path).unwrap_err();
        assert_line(&error, path, expected);
    }
}

fn assert_line(error: &Error, path: &Path, expected: &str) {
    let message = error.to_string();
    assert!(message.contains(expected), "{message}");
    assert!(message.starts_with(&path.display().to_string()), "{message}");
    assert!(!message.contains('\n'), "{message}");
}
