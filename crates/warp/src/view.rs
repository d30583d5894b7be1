//! Which part of a photo is shown, at which size, and which part of it can move.

use nalgebra::Vector2;

/// Which rectangle of the photo's frame an output shows, and at which size.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct View {
    /// Left edge, photo pixels.
    pub left: f32,
    /// Top edge, photo pixels.
    pub top: f32,
    /// Width of the rectangle, photo pixels.
    pub side_x: f32,
    /// Height of the rectangle, photo pixels.
    pub side_y: f32,
    /// Width of the output, pixels.
    pub width: usize,
    /// Height of the output, pixels.
    pub height: usize,
}

impl View {
    /// The whole photo, pixel for pixel.
    pub fn whole(photo_width: u32, photo_height: u32) -> Self {
        Self {
            left: 0.0,
            top: 0.0,
            side_x: photo_width as f32,
            side_y: photo_height as f32,
            width: photo_width as usize,
            height: photo_height as usize,
        }
    }

    /// Photo pixels per output pixel, horizontally and vertically.
    pub fn scale(&self) -> Vector2<f32> {
        Vector2::new(self.side_x / self.width as f32, self.side_y / self.height as f32)
    }

    /// From photo pixels to output pixels.
    pub fn to_output(&self, photo: Vector2<f32>) -> Vector2<f32> {
        (photo - Vector2::new(self.left, self.top)).component_div(&self.scale())
    }

    /// From output pixels to photo pixels.
    pub fn to_photo(&self, output: Vector2<f32>) -> Vector2<f32> {
        Vector2::new(self.left, self.top) + output.component_mul(&self.scale())
    }
}

/// The part of the photo that the head moves, photo pixels. Outside it the flow is exactly the identity.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MotionRegion {
    /// Left edge.
    pub left: u32,
    /// Top edge.
    pub top: u32,
    /// Width; 0 for a face that cannot be driven.
    pub width: u32,
    /// Height.
    pub height: u32,
}
