//! How much of each pixel of a photo belongs to the person in it.

use image::GrayImage;

/// A person's matte.
#[derive(Clone, Debug, PartialEq)]
pub struct Matte {
    /// Of the photo's size: 0 background, 255 person.
    pub alpha: GrayImage,
}
