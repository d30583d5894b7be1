//! Luma: how light a colour is.

/// The weights of red, green and blue in luma by Rec. 601, which JPEG uses for grey.
pub const REC_601: [f32; 3] = [0.299, 0.587, 0.114];

/// The weights by Rec. 709, for sRGB's primaries.
pub const REC_709: [f32; 3] = [0.2126, 0.7152, 0.0722];

/// The luma of a colour, in its own unit; `weights` is [`REC_601`] or [`REC_709`].
#[inline]
pub fn luma(weights: [f32; 3], [r, g, b]: [f32; 3]) -> f32 {
    weights[0] * r + weights[1] * g + weights[2] * b
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grey_is_as_light_as_it_is() {
        for weights in [REC_601, REC_709] {
            assert!((luma(weights, [100.0; 3]) - 100.0).abs() < 1e-4);
        }
    }
}
