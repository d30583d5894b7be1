//! A frame as the writers get it: with alpha or without, and which part of it changed.

use image::{ExtendedColorType, RgbImage};

/// Borrowed pixels, row by row.
#[derive(Clone, Copy)]
pub(super) struct Picture<'a> {
    pub(super) width: u32,
    pub(super) height: u32,
    /// 3: RGB. 4: RGB and alpha, colours not multiplied by it.
    pub(super) channels: usize,
    pub(super) samples: &'a [u8],
}

/// Left, top, width and height, pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) left: u32,
    pub(super) top: u32,
    pub(super) width: u32,
    pub(super) height: u32,
}

impl<'a> Picture<'a> {
    pub(super) fn opaque(image: &'a RgbImage) -> Self {
        Self { width: image.width(), height: image.height(), channels: 3, samples: image.as_raw() }
    }

    /// `image` with `alpha`, `[height * width]`, brought together in `room`; opaque without it.
    pub(super) fn with_alpha(image: &RgbImage, alpha: Option<&[u8]>, room: &'a mut Vec<u8>) -> Self {
        room.clear();
        room.reserve(image.len() / 3 * 4);
        let pixels = image.as_raw().as_chunks::<3>().0.iter();
        match alpha {
            Some(alpha) => room.extend(pixels.zip(alpha).flat_map(|(&[r, g, b], &a)| [r, g, b, a])),
            None => room.extend(pixels.flat_map(|&[r, g, b]| [r, g, b, 255])),
        }
        Self { width: image.width(), height: image.height(), channels: 4, samples: room }
    }

    /// What its samples are.
    pub(super) fn colour(&self) -> ExtendedColorType {
        if self.channels == 4 { ExtendedColorType::Rgba8 } else { ExtendedColorType::Rgb8 }
    }

    /// Its rows within `part`, one after the other.
    pub(super) fn cut(&self, part: Part) -> Vec<u8> {
        let row = self.width as usize * self.channels;
        let columns = part.left as usize * self.channels..(part.left + part.width) as usize * self.channels;
        let rows = part.top as usize..(part.top + part.height) as usize;
        rows.flat_map(|y| &self.samples[y * row..][columns.clone()]).copied().collect()
    }

    /// What differs from `old`, the samples of the frame before, with a corner on even pixels; a small corner where nothing
    /// does; everything where there is no frame before.
    pub(super) fn changed_since(&self, old: &[u8]) -> Part {
        let Self { width, height, channels, samples: new } = *self;
        if old.len() != new.len() {
            return Part { left: 0, top: 0, width, height };
        }
        let row = width as usize * channels;
        let (mut left, mut right) = (width, 0);
        let (mut top, mut bottom) = (height, 0);
        let rows = old.chunks_exact(row).zip(new.chunks_exact(row));
        for (y, (old, new)) in rows.enumerate().filter(|(_, (old, new))| old != new) {
            let differs = |at: &usize| old[*at] != new[*at];
            let first = (0..row).find(differs).unwrap_or(0) / channels;
            let last = (0..row).rfind(differs).unwrap_or(0) / channels;
            left = left.min(first as u32);
            right = right.max(last as u32 + 1);
            top = top.min(y as u32);
            bottom = y as u32 + 1;
        }
        if bottom == 0 {
            return Part { left: 0, top: 0, width: 2, height: 2 };
        }
        let (left, top) = (left & !1, top & !1);
        Part { left, top, width: right - left, height: bottom - top }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_are_found_in_colour_and_in_alpha() {
        let image = RgbImage::from_fn(8, 6, |x, y| image::Rgb([x as u8, y as u8, 0]));
        let (mut alpha, mut room) = (vec![9; 48], Vec::new());
        let before = Picture::with_alpha(&image, Some(&alpha), &mut room).samples.to_vec();
        let mut room = Vec::new();
        let same = Picture::with_alpha(&image, Some(&alpha), &mut room);
        assert_eq!(same.changed_since(&before), Part { left: 0, top: 0, width: 2, height: 2 });
        assert_eq!(same.changed_since(&[]), Part { left: 0, top: 0, width: 8, height: 6 });
        alpha[3 * 8 + 5] = 10;
        let mut room = Vec::new();
        let changed = Picture::with_alpha(&image, Some(&alpha), &mut room);
        let part = changed.changed_since(&before);
        assert_eq!(part, Part { left: 4, top: 2, width: 2, height: 2 });
        assert_eq!(changed.cut(part), [4, 2, 0, 9, 5, 2, 0, 9, 4, 3, 0, 9, 5, 3, 0, 10]);
        let mut opaque = image.clone();
        opaque.put_pixel(0, 1, image::Rgb([9; 3]));
        let part = Picture::opaque(&opaque).changed_since(image.as_raw());
        assert_eq!(part, Part { left: 0, top: 0, width: 1, height: 2 });
    }
}
