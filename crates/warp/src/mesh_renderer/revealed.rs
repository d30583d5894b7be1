//! Skin that the photo hides and a turn reveals, laid over what the warp made of it.

use nalgebra::Vector2;

use super::inside::Row;
use crate::other_side::OtherSide;

/// Kept from row to row.
#[derive(Default)]
pub(super) struct Room {
    colours: Vec<[u8; 3]>,
    covered: Vec<u8>,
}

impl Row<'_> {
    /// Draws what comes from the face's other side.
    pub(super) fn reveal(&mut self, other: &OtherSide, room: &mut Room) {
        let warp = self.warp;
        let Some(shares) = warp.other_side.row(self.y, warp.width) else { return };
        let Some(first) = shares.iter().position(|share| *share > 0) else { return };
        let last = shares.iter().rposition(|share| *share > 0).unwrap_or(first);
        let flow = &warp.other_side.flow[self.y * warp.width..][first..=last];
        let (window_view, y) = (&self.stage.window_view, self.y as f32 + 0.5);
        let place = |(x, &[dx, dy]): (usize, &[f32; 2])| {
            window_view.to_photo(Vector2::new((first + x) as f32 + 0.5, y)) + Vector2::new(dx, dy)
        };
        let Room { colours, covered } = room;
        colours.clear();
        colours.extend_from_slice(&self.pixels[first..=last]);
        covered.resize(colours.len(), 0);
        let view = &self.stage.view;
        let positions = flow.iter().enumerate().map(|at| view.to_output(place(at)));
        self.stage.texture.sample(positions, colours, covered);
        for (at, (from, colour)) in flow.iter().zip(colours).enumerate() {
            let pixel = self.y * warp.width + first + at;
            let holes = warp.eyes[pixel].max(warp.mouth[pixel]);
            let share = f32::from(shares[first + at]) * f32::from(u8::MAX - holes) / (255.0 * 255.0);
            if share <= 0.0 {
                continue;
            }
            let light = other.light(place((at, from)));
            for ((value, colour), light) in self.pixels[first + at].iter_mut().zip(colour).zip(light) {
                let below = f32::from(*value);
                let lit = (f32::from(*colour) * light).min(255.0);
                *value = (below + (lit - below) * share + 0.5) as u8;
            }
        }
    }
}
