//! Colours as numbers, and what colour a photo has in a place.

use image::RgbImage;
use nalgebra::Vector2;

/// Red, green, blue, 0..255.
pub type Colour = [f32; 3];

/// Lays `share` of `over`, 0..=1, over a colour.
pub(crate) fn blend(colour: &mut Colour, over: Colour, share: f32) {
    for (colour, over) in colour.iter_mut().zip(over) {
        *colour += (over - *colour) * share;
    }
}

/// Of no colours: black.
pub(crate) fn mean(colours: impl Iterator<Item = Colour>) -> Colour {
    let (mut sum, mut count) = ([0.0; 3], 0.0_f32);
    for colour in colours {
        for (sum, value) in sum.iter_mut().zip(colour) {
            *sum += value;
        }
        count += 1.0;
    }
    sum.map(|v| v / count.max(1.0))
}

/// The mean of the 5x5 pixels around a position; positions outside the photo read its border.
pub fn patch(photo: &RgbImage, position: Vector2<f32>) -> Colour {
    let clamped =
        |value: f32, offset: i64, size: u32| (value as i64 + offset).clamp(0, i64::from(size) - 1) as u32;
    mean((0..25_i64).map(|i| {
        let x = clamped(position.x, i % 5 - 2, photo.width());
        let y = clamped(position.y, i / 5 - 2, photo.height());
        photo.get_pixel(x, y).0.map(f32::from)
    }))
}
