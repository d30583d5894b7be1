//! What is shown behind the person.

/// What a frame shows behind the person.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Background {
    /// The photo's own.
    #[default]
    Keep,
    /// The photo's own, out of focus.
    Blur,
    /// One colour: red, green, blue.
    Colour([u8; 3]),
    /// Nothing. Frames show the person before black, so that a colour over how much is
    /// [covered](crate::MeshRenderer::alpha) is the person's own.
    Transparent,
}
