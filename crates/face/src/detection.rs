//! Where a detected face is.

use nalgebra::Vector2;

use crate::region::Region;

/// An upright box in a picture, pixels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bounds {
    /// Left edge.
    pub left: f32,
    /// Top edge.
    pub top: f32,
    /// Width.
    pub width: f32,
    /// Height.
    pub height: f32,
}

impl Bounds {
    /// The middle of the box.
    pub fn center(&self) -> Vector2<f32> {
        Vector2::new(self.left + self.width / 2.0, self.top + self.height / 2.0)
    }

    /// Its area, square pixels.
    pub fn area(&self) -> f32 {
        self.width * self.height
    }

    /// Intersection over union, 0..1.
    pub fn overlap(&self, other: &Self) -> f32 {
        let shared =
            |a: f32, a_size: f32, b: f32, b_size: f32| ((a + a_size).min(b + b_size) - a.max(b)).max(0.0);
        let intersection = shared(self.left, self.width, other.left, other.width)
            * shared(self.top, self.height, other.top, other.height);
        let union = self.area() + other.area() - intersection;
        if union > 0.0 { intersection / union } else { 0.0 }
    }
}

/// One detected face.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Detection {
    /// The face from forehead to chin, without hair and ears. It may reach over the picture's edge.
    pub bounds: Bounds,
    /// Pixels: the person's right eye, left eye, nose tip, mouth centre, right ear, left ear.
    pub keypoints: [Vector2<f32>; 6],
    /// How sure the detector is, 0..1.
    pub score: f32,
}

impl Detection {
    /// The same face in a picture that is `scale` times as large.
    pub(crate) fn scaled(self, scale: f32) -> Self {
        let Bounds { left, top, width, height } = self.bounds;
        let [left, top, width, height] = [left, top, width, height].map(|value| value * scale);
        Self {
            bounds: Bounds { left, top, width, height },
            keypoints: self.keypoints.map(|point| point * scale),
            score: self.score,
        }
    }

    /// The region that the landmark model wants to see: 1.5 boxes wide, eyes level
    /// (MediaPipe's `face_detector_graph.cc`).
    pub fn landmark_region(&self) -> Region {
        let eyes = self.keypoints[1] - self.keypoints[0];
        Region {
            center: self.bounds.center(),
            size: 1.5 * self.bounds.width.max(self.bounds.height),
            rotation: eyes.y.atan2(eyes.x),
        }
    }
}
