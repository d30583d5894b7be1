//! The window through which a video is seen: one square, fixed for all its frames, so that the camera stands still
//! and the head moves.

use gioconda_face::{Landmarks, Region};
use nalgebra::Vector2;
use serde::{Deserialize, Serialize};

/// A square of a clip's frames that is cut out and stored, in pixels of the clip.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CropWindow {
    /// Pixels to the left of it.
    pub left: u32,
    /// Pixels above it.
    pub top: u32,
    /// Its side, pixels.
    pub side: u32,
}

/// Largest side of a clip's frames, pixels.
const LARGEST_FRAME: u32 = 1 << 16;
/// Side of the window, in median face boxes (PROTOTYPE: 2.0 leaves too few pixels for the face).
const SIDE_IN_FACES: f32 = 1.5;
/// The least side, in median face boxes, for a face that nearly fills its frame.
const LEAST_SIDE_IN_FACES: f32 = 1.15;
/// Face boxes below this, pixels, hold no detail worth learning.
const LEAST_FACE: f32 = 64.0;
/// How far a landmark may leave the window, as a share of its side, before its frame is dropped.
const OVERHANG: f32 = 0.02;

/// The box around a face's mesh: centre and longer side, pixels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FaceBox {
    /// Its middle.
    pub center: Vector2<f32>,
    /// Its longer side.
    pub side: f32,
}

impl FaceBox {
    /// The box around all landmarks.
    pub fn around(landmarks: &Landmarks) -> Self {
        let (low, high) = landmarks.bounds();
        Self { center: (low + high) / 2.0, side: (high - low).max() }
    }
}

impl CropWindow {
    /// The window for `faces`, the face boxes of a video's frames of `width` x `height` pixels: 1.5 times the median
    /// box, centred on it, shrunk and shifted as far as needed to lie inside the frame (replicated borders would
    /// become stripes that a network learns).
    ///
    /// # Errors
    /// The reason for a report why a face is too small or fills its frame.
    pub fn around(faces: &[FaceBox], width: u32, height: u32) -> Result<Self, String> {
        let face = median(faces.iter().map(|face| face.side));
        if face.is_nan() || face < LEAST_FACE {
            return Err(format!("the face is only {face:.0} pixels high, less than {LEAST_FACE:.0}"));
        }
        let available = width.min(height);
        let side = ((face * SIDE_IN_FACES).round() as u32).min(available);
        if (side as f32) < face * LEAST_SIDE_IN_FACES {
            return Err(format!("the face fills the frame: {face:.0} pixels high in {width}x{height}"));
        }
        let center =
            Vector2::new(median(faces.iter().map(|f| f.center.x)), median(faces.iter().map(|f| f.center.y)));
        let first = |center: f32, length: u32| {
            let wanted = (center - side as f32 / 2.0).round();
            wanted.clamp(0.0, (length - side) as f32) as u32
        };
        Ok(Self { left: first(center.x, width), top: first(center.y, height), side })
    }

    /// Whether it is a square of pixels of frames of this width and height.
    pub(crate) fn lies_in(&self, (width, height): (u32, u32)) -> bool {
        let inside = |first: u32, length| first.checked_add(self.side).is_some_and(|end| end <= length);
        self.side > 0
            && width.max(height) <= LARGEST_FRAME
            && inside(self.left, width)
            && inside(self.top, height)
    }

    /// The same square.
    pub fn region(&self) -> Region {
        Region::from_corner(self.left as f32, self.top as f32, self.side as f32)
    }

    /// Landmarks of the clip's frame, in pixels of the crop scaled to `size`.
    pub fn landmarks(&self, landmarks: &Landmarks, size: u32) -> Landmarks {
        let scale = size as f32 / self.side as f32;
        landmarks.scaled_and_shifted(scale, -scale * Vector2::new(self.left as f32, self.top as f32))
    }

    /// Whether the face is seen whole through this window.
    pub(crate) fn shows(&self, landmarks: &Landmarks) -> bool {
        let (low, high) = landmarks.bounds();
        let corner = Vector2::new(self.left as f32, self.top as f32);
        let overhang = OVERHANG * self.side as f32;
        (low - corner).min() >= -overhang && (high - corner).max() <= self.side as f32 + overhang
    }
}

/// The median; NaN of nothing.
fn median(values: impl Iterator<Item = f32>) -> f32 {
    let mut values: Vec<f32> = values.collect();
    values.sort_by(f32::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f32::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(center: (f32, f32), side: f32, width: u32, height: u32) -> Result<CropWindow, String> {
        let face = FaceBox { center: Vector2::new(center.0, center.1), side };
        // One outlier must not move the window.
        let stray = FaceBox { center: Vector2::new(0.0, 0.0), side: 1.0 };
        CropWindow::around(&[face, face, stray, face], width, height)
    }

    #[test]
    fn windows_are_centred_shifted_shrunk_or_refused() {
        let at = |left, top, side| Ok(CropWindow { left, top, side });
        let cases = [
            ("centred", window((250.0, 200.0), 100.0, 640, 480), at(175, 125, 150)),
            ("at the left edge", window((60.0, 200.0), 100.0, 640, 480), at(0, 125, 150)),
            ("at the lower right corner", window((600.0, 470.0), 100.0, 640, 480), at(490, 330, 150)),
            ("nearly filling the frame", window((224.0, 224.0), 320.0, 448, 448), at(0, 0, 448)),
        ];
        for (case, found, expected) in cases {
            assert_eq!(found, expected, "{case}");
        }
        for (case, found, told) in [
            ("too near", window((224.0, 224.0), 420.0, 448, 448), "fills the frame"),
            ("too far", window((224.0, 224.0), 40.0, 448, 448), "only 40 pixels"),
            ("nothing", CropWindow::around(&[], 448, 448), "only NaN pixels"),
        ] {
            assert!(found.as_ref().is_err_and(|reason| reason.contains(told)), "{case}: {found:?}");
        }
    }
}
