//! Square, possibly turned regions of a picture.

use image::RgbImage;
use nalgebra::{Rotation2, Vector2};

/// A square region of a picture; it may be turned and may reach over the picture's edges.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Region {
    /// Its centre, pixels.
    pub center: Vector2<f32>,
    /// Its side, pixels; positive.
    pub size: f32,
    /// Angle of its x axis against the picture's, radians, positive turns right to down (clockwise on screen).
    pub rotation: f32,
}

impl Region {
    /// The upright square that is centred on a picture and just covers it.
    pub fn around(picture: &RgbImage) -> Self {
        let (width, height) = picture.dimensions();
        let center = Vector2::new(width as f32, height as f32) / 2.0;
        Self { center, size: width.max(height) as f32, rotation: 0.0 }
    }

    /// The upright square with these edges.
    pub fn from_corner(left: f32, top: f32, size: f32) -> Self {
        Self { center: Vector2::new(left + size / 2.0, top + size / 2.0), size, rotation: 0.0 }
    }

    /// From the region's own coordinates, (0, 0) at its first corner and (1, 1) at the opposite one, to pixels.
    pub fn to_picture(&self, point: Vector2<f32>) -> Vector2<f32> {
        self.center + Rotation2::new(self.rotation) * (point.add_scalar(-0.5) * self.size)
    }

    /// The inverse of [`Region::to_picture`].
    pub fn from_picture(&self, point: Vector2<f32>) -> Vector2<f32> {
        (Rotation2::new(-self.rotation) * (point - self.center) / self.size).add_scalar(0.5)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn region_coordinates_turn_clockwise_and_back() {
        let region =
            Region { center: Vector2::new(50.0, 20.0), size: 10.0, rotation: std::f32::consts::FRAC_PI_2 };
        // Turned a quarter clockwise, the region's right edge looks down.
        let right = region.to_picture(Vector2::new(1.0, 0.5));
        assert!((right - Vector2::new(50.0, 25.0)).norm() < 1e-4, "{right}");
        let back = region.from_picture(region.to_picture(Vector2::new(0.3, 0.9)));
        assert!((back - Vector2::new(0.3, 0.9)).norm() < 1e-5, "{back}");
    }
}
