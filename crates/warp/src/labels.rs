//! What is where in a frame, as planes: what networks read beside the picture, made in one place for training and rendering.

/// A plane of [`LabelPlanes`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Label {
    /// Teeth that are rigid with the skull.
    UpperTeeth,
    /// Teeth that are rigid with the jaw.
    LowerTeeth,
    /// The gums of both.
    Gums,
    /// The tongue.
    Tongue,
    /// The dark behind all of these.
    Cavity,
    /// Irises with their pupils.
    Iris,
    /// The white of the eyes.
    White,
    /// Skin of upper lids that the photo's open eyes do not show.
    Lid,
    /// The head outside of its face: hair, ears, hats.
    Hair,
    /// The person.
    Matte,
}

impl Label {
    /// All of them, in the order of the planes.
    pub const ALL: [Self; 10] = [
        Self::UpperTeeth,
        Self::LowerTeeth,
        Self::Gums,
        Self::Tongue,
        Self::Cavity,
        Self::Iris,
        Self::White,
        Self::Lid,
        Self::Hair,
        Self::Matte,
    ];
}

/// How much of each pixel of a frame is what, 0..=255. Reuse it from frame to frame.
#[derive(Clone, Debug, Default)]
pub struct LabelPlanes {
    /// Width of all planes, pixels.
    pub width: usize,
    /// Height of all planes, pixels.
    pub height: usize,
    /// `[10 * height * width]`, plane by plane.
    values: Vec<u8>,
}

impl LabelPlanes {
    /// `[height * width]` of one label.
    pub fn plane(&self, label: Label) -> &[u8] {
        let pixels = self.width * self.height;
        &self.values[label as usize * pixels..][..pixels]
    }

    /// All planes after each other, in the order of [`Label::ALL`].
    pub fn planes(&self) -> &[u8] {
        &self.values
    }

    /// Empty planes of this size.
    pub(crate) fn clear(&mut self, width: usize, height: usize) {
        (self.width, self.height) = (width, height);
        self.values.clear();
        self.values.resize(Label::ALL.len() * width * height, 0);
    }

    pub(crate) fn plane_mut(&mut self, label: Label) -> &mut [u8] {
        let pixels = self.width * self.height;
        &mut self.values[label as usize * pixels..][..pixels]
    }

    pub(crate) fn put(&mut self, label: Label, pixel: usize, share: f32) {
        self.plane_mut(label)[pixel] = crate::share::to_byte(share);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn planes_lie_in_the_order_of_the_labels() {
        let mut planes = LabelPlanes::default();
        planes.clear(3, 2);
        for (index, label) in Label::ALL.into_iter().enumerate() {
            assert_eq!(label as usize, index);
            planes.put(label, index % 6, 1.0);
            assert_eq!(planes.plane(label)[index % 6], 255);
        }
        let set = planes.planes().iter().filter(|value| **value > 0).count();
        assert_eq!((set, planes.planes().len()), (10, 60));
    }
}
