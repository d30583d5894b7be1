//! What every picture bears: the visible label, where one is wanted, and the invisible mark.

use image::RgbImage;

use crate::label::{Label, Language};
use crate::watermark::{Marker, Payload};

/// Labels and marks pictures, in this order: the mark lies over the label too.
pub struct Finisher {
    label: Option<Label>,
    marker: Option<Marker>,
}

impl Finisher {
    /// A label in `label`'s language, and a mark that says `mark`; `None` leaves either out.
    pub fn new(label: Option<Language>, mark: Option<&Payload>) -> Self {
        Self { label: label.map(Label::new), marker: mark.map(Marker::new) }
    }

    /// Another label from now on, or none.
    pub fn relabel(&mut self, label: Option<Language>) {
        self.label = label.map(Label::new);
    }

    /// Labels and marks `picture` in place.
    pub fn finish(&mut self, picture: &mut RgbImage) {
        self.finish_with_alpha(picture, &mut []);
    }

    /// As [`Finisher::finish`], of a picture with alpha, `[height * width]`, by which its colours are not multiplied: the label
    /// is to be seen where the picture is transparent too. An empty plane is an opaque picture.
    pub fn finish_with_alpha(&mut self, picture: &mut RgbImage, alpha: &mut [u8]) {
        if let Some(label) = &mut self.label {
            label.draw(picture, alpha);
        }
        if let Some(marker) = &mut self.marker {
            marker.mark(picture);
        }
    }
}
