//! Skin that is drawn out: a closing lid, a cheek that turns towards the camera.
//!
//! Where the photo has a few pixels for many, each of them becomes a streak. Here these are mixed across, as wide as they are
//! long, so that skin looks as if it were seen from near instead of drawn out.

use nalgebra::{Matrix2, Vector2, Vector3};
use rayon::prelude::*;

use super::touch::Touch;
use crate::source_mesh::MeshWarp;

/// Skin counts as drawn out from where the photo has this share of the pixels that it needs, and fully at the second.
const DRAWN_OUT: (f32, f32) = (0.7, 0.4);
/// Drawn out along one direction by this many times as much as along the other: streaks begin to show, and show in full.
const STREAKS: (f32, f32) = (1.5, 2.5);
/// Streaks longer than this many pixels are mixed as wide as this.
const LONGEST: f32 = 10.0;
/// Where the way from pixel to pixel changes by as many pixels as this, one surface ends and another begins.
const APART: f32 = 2.0;

/// The pixels of skin that is drawn out, with their colours. `colour` says what was drawn at a column and row, `lighter` by how
/// much the photo's grain makes a pixel lighter (1 for not at all), `scale` how many photo pixels lie between two pixels.
pub(super) fn mixed_streaks(
    warp: &MeshWarp,
    scale: Vector2<f32>,
    colour: impl Fn((usize, usize)) -> [u8; 3] + Send + Sync,
    lighter: impl Fn((usize, usize)) -> f32 + Send + Sync,
) -> impl ParallelIterator<Item = Touch> {
    let streaks = Streaks { warp, scale };
    let mixed = move |at: (usize, usize)| {
        let streak = streaks.at(at)?;
        let own = Vector3::from(colour(at).map(f32::from));
        let mixed = streaks.across(at, &streak, &colour) * lighter(at);
        let shown = own + (mixed - own) * streak.strength;
        Some((at, [shown.x, shown.y, shown.z].map(|value| (value + 0.5).min(255.0) as u8)))
    };
    let (columns, rows) = (1..warp.width.max(2) - 1, 1..warp.height.max(2) - 1);
    rows.into_par_iter()
        .with_min_len(16)
        .flat_map_iter(move |y| columns.clone().filter_map(|x| mixed((x, y))).collect::<Vec<_>>())
}

/// How a pixel is part of a streak.
struct Streak {
    /// 0 for not at all, 1 for wholly.
    strength: f32,
    /// Of length 1, output pixels.
    across: Vector2<f32>,
    /// Pixels along it that show one pixel of the photo.
    length: f32,
}

struct Streaks<'a> {
    warp: &'a MeshWarp,
    scale: Vector2<f32>,
}

impl Streaks<'_> {
    fn is_skin(&self, (x, y): (usize, usize)) -> bool {
        let MeshWarp { width, face, eyes, mouth, .. } = self.warp;
        let i = y * width + x;
        face[i] == u8::MAX && eyes[i] == 0 && mouth[i] == 0
    }

    /// How much of a pixel does not come from the face's other side, where nothing is drawn out; 0..1.
    fn own(&self, (x, y): (usize, usize)) -> f32 {
        self.warp.other_side.row(y, self.warp.width).map_or(1.0, |row| 1.0 - f32::from(row[x]) / 255.0)
    }

    /// Where the photo shows a pixel, in units of output pixels.
    fn place(&self, (x, y): (usize, usize)) -> Vector2<f32> {
        Vector2::from(self.warp.flow[y * self.warp.width + x]).component_div(&self.scale)
    }

    /// The streak that the pixel, not at the border, is part of.
    fn at(&self, at: (usize, usize)) -> Option<Streak> {
        if !self.is_skin(at) {
            return None;
        }
        let (x, y) = at;
        let own = self.place(at);
        let change = |before: (usize, usize), after: (usize, usize)| {
            let (before, after) = (own - self.place(before), self.place(after) - own);
            ((after - before).norm() < APART).then(|| (before + after) / 2.0)
        };
        let around @ [left, right, above, below] = [(x - 1, y), (x + 1, y), (x, y - 1), (x, y + 1)];
        let (right, down) = (change(left, right)?, change(above, below)?);
        let drawn_out = share(DRAWN_OUT, right.perp(&down).abs()) * self.own(at);
        if drawn_out <= 0.0 || !around.into_iter().all(|at| self.is_skin(at)) {
            return None;
        }
        // The square of how far one gets in the photo in each direction, and its extremes.
        let squared = Matrix2::new(right.dot(&right), right.dot(&down), right.dot(&down), down.dot(&down));
        let (mean, half) = (squared.trace() / 2.0, (squared.m11 - squared.m22) / 2.0);
        let spread = half.hypot(squared.m12);
        let [length, breadth] = [mean - spread, mean + spread].map(|way| way.max(1e-6).sqrt().recip());
        let strength = drawn_out * share(STREAKS, length / breadth);
        let across = if half > 0.0 {
            Vector2::new(half + spread, squared.m12)
        } else {
            Vector2::new(squared.m12, spread - half)
        };
        let across = across.try_normalize(f32::EPSILON)?;
        (strength > 0.0).then_some(Streak { strength, across, length })
    }

    /// The mean colour across a streak, the middle weighing most, as far as there is skin.
    fn across(
        &self,
        at: (usize, usize),
        streak: &Streak,
        colour: impl Fn((usize, usize)) -> [u8; 3],
    ) -> Vector3<f32> {
        let middle = Vector2::new(at.0 as f32, at.1 as f32);
        let reach = streak.length.min(LONGEST);
        let mut sum = Vector3::from(colour(at).map(f32::from));
        let mut total = 1.0;
        for side in [-1.0, 1.0] {
            for tap in 1..=reach.ceil() as i32 {
                let tap = tap as f32;
                let place = (middle + streak.across * (side * tap)).map(f32::round);
                let inside = place.x >= 0.0
                    && place.y >= 0.0
                    && place.x < self.warp.width as f32
                    && place.y < self.warp.height as f32;
                let place = (place.x as usize, place.y as usize);
                if !inside || !self.is_skin(place) {
                    break;
                }
                let weight = (1.0 - tap / (reach + 1.0)).max(0.0);
                sum += Vector3::from(colour(place).map(f32::from)) * weight;
                total += weight;
            }
        }
        sum / total
    }
}

/// How far `value` is on the way from the first bound, 0, to the second, 1.
fn share((none, all): (f32, f32), value: f32) -> f32 {
    ((value - none) / (all - none)).clamp(0.0, 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIDE: usize = 24;

    /// Skin of which the photo has a pixel for each column, and one for every `rows` rows.
    fn warp(rows: f32) -> MeshWarp {
        let pixels = SIDE * SIDE;
        let flow = |i: usize| [(i % SIDE) as f32, (i / SIDE) as f32 / rows];
        let mut warp = MeshWarp::default();
        (warp.width, warp.height) = (SIDE, SIDE);
        warp.flow = (0..pixels).map(flow).collect();
        warp.face = vec![u8::MAX; pixels];
        (warp.eyes, warp.mouth) = (vec![0; pixels], vec![0; pixels]);
        warp
    }

    /// Every second column is lighter: what rows drawn out look like.
    fn streaks((x, _): (usize, usize)) -> [u8; 3] {
        [if x % 2 == 0 { 120 } else { 80 }; 3]
    }

    fn mixed(
        warp: &MeshWarp,
        colour: impl Fn((usize, usize)) -> [u8; 3] + Send + Sync,
        lighter: f32,
    ) -> Vec<Touch> {
        mixed_streaks(warp, Vector2::repeat(1.0), colour, |_| lighter).collect()
    }

    #[test]
    fn streaks_are_mixed_across() {
        let mixed = mixed(&warp(6.0), streaks, 1.0);
        assert!(mixed.len() > SIDE * SIDE / 2, "{}", mixed.len());
        let inner = |x: usize| (6..SIDE - 6).contains(&x);
        for ((x, _), [red, ..]) in mixed.into_iter().filter(|((x, _), _)| inner(*x)) {
            assert!((95..=105).contains(&red), "{red} in column {x}");
        }
    }

    #[test]
    fn it_begins_gently() {
        let changed = |rows: f32| {
            let mixed = mixed(&warp(rows), streaks, 1.0);
            let change = |&(at, [red, ..]): &Touch| i32::from(red).abs_diff(i32::from(streaks(at)[0]));
            mixed.iter().map(change).max().unwrap_or(0)
        };
        let steps: Vec<_> = (10..60).map(|tenths| changed(tenths as f32 / 10.0)).collect();
        assert!(steps[0] == 0 && *steps.last().expect("there are steps") >= 15, "{steps:?}");
        assert!(steps.windows(2).all(|pair| pair[0].abs_diff(pair[1]) <= 5), "{steps:?}");
    }

    #[test]
    fn what_the_photo_shows_as_large_stays() {
        assert_eq!(mixed(&warp(1.0), streaks, 1.0), []);
        let stretched = |columns: f32, rows: f32| {
            let mut warp = warp(rows);
            warp.flow.iter_mut().for_each(|[x, _]| *x /= columns);
            mixed(&warp, streaks, 1.0)
        };
        // Enlarged alike in both directions: soft, but not streaked. Narrow, and long for it: no pixel is missing.
        assert_eq!(stretched(3.0, 3.0), []);
        assert_eq!(stretched(1.0 / 3.0, 1.5), []);
        // A photo whose pixels are not square on the screen.
        let warp = warp(4.0);
        assert_eq!(mixed_streaks(&warp, Vector2::new(1.0, 0.25), streaks, |_| 1.0).count(), 0);
    }

    #[test]
    fn eyes_and_mouths_are_left_alone_and_not_mixed_in() {
        for mouth in [false, true] {
            let mut warp = warp(6.0);
            let mask = if mouth { &mut warp.mouth } else { &mut warp.eyes };
            (0..SIDE).for_each(|y| mask[y * SIDE + 12] = 255);
            let bright_hole = |at: (usize, usize)| if at.0 == 12 { [255; 3] } else { streaks(at) };
            let mixed = mixed(&warp, bright_hole, 1.0);
            assert!(mixed.iter().any(|((x, _), _)| *x == 10), "beside the hole skin is mixed");
            assert!(mixed.iter().all(|((x, _), [red, ..])| *x != 12 && *red <= 120));
        }
    }

    #[test]
    fn grain_is_laid_over_what_is_mixed() {
        for (lighter, expected) in [(1.1, 110), (1.0, 100)] {
            let mixed = mixed(&warp(6.0), |_| [100; 3], lighter);
            assert!(!mixed.is_empty());
            assert!(mixed.into_iter().all(|(_, [red, ..])| red == expected));
        }
    }
}
