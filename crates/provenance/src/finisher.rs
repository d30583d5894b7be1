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
        if let Some(label) = &mut self.label {
            label.draw(picture);
        }
        if let Some(marker) = &mut self.marker {
            marker.mark(picture);
        }
    }
}
