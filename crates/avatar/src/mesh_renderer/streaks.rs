//! Skin that is drawn out: a closing lid, a cheek that turns towards the camera.
//!
//! Where the photo has a few pixels for many, each of them becomes a streak. Here these are mixed across, as wide as they are
//! long, so that skin looks as if it were seen from near instead of drawn out.

use gioconda_face::warp::MeshWarp;
use nalgebra::{Matrix2, SymmetricEigen, Vector2, Vector3};

/// Skin counts as drawn out where the photo has this share of the pixels that it needs.
const DRAWN_OUT: f32 = 0.6;
/// Drawn out along one direction by this many times as much as along the other: streaks begin to show, and show in full.
const STREAKS: (f32, f32) = (1.5, 2.5);
/// Streaks longer than this many pixels are mixed as wide as this.
const LONGEST: f32 = 10.0;

/// The pixels of skin that is drawn out, columns and rows of the warp, and their colours. `colour` says what was drawn at a
/// column and row, `lighter` by how much the photo's grain makes a pixel lighter (1 for not at all), `step` how many photo
/// pixels lie between two pixels.
pub(super) fn mixed_streaks(
    warp: &MeshWarp,
    step: f32,
    colour: impl Fn((usize, usize)) -> [u8; 3],
    lighter: impl Fn((usize, usize)) -> f32,
) -> impl Iterator<Item = ((usize, usize), [u8; 3])> {
    let (width, height) = (warp.width, warp.height);
    let is_skin = move |x: usize, y: usize| {
        let i = y * width + x;
        warp.face[i] == u8::MAX && warp.eyes[i] == 0 && warp.mouth[i] == 0
    };
    let pixels = (1..height.saturating_sub(1)).flat_map(move |y| (1..width - 1).map(move |x| (x, y)));
    pixels.filter(move |&(x, y)| is_skin(x, y)).filter_map(move |(x, y)| {
        let around = [(x - 1, y), (x + 1, y), (x, y - 1), (x, y + 1)];
        if !around.into_iter().all(|(x, y)| is_skin(x, y)) {
            return None;
        }
        let [left, right, above, below] = around.map(|(x, y)| Vector2::from(warp.flow[y * width + x]));
        let change = Matrix2::from_columns(&[right - left, below - above]) / (2.0 * step);
        if change.determinant().abs() > DRAWN_OUT {
            return None;
        }
        let SymmetricEigen { eigenvectors, eigenvalues } = (change.transpose() * change).symmetric_eigen();
        let (least, most) = (eigenvalues.imin(), eigenvalues.imax());
        // Pixels along a streak, by pixels across it.
        let [length, breadth] = [least, most].map(|i| eigenvalues[i].max(1e-6).sqrt().recip());
        let strength = ((length / breadth - STREAKS.0) / (STREAKS.1 - STREAKS.0)).min(1.0);
        if strength <= 0.0 {
            return None;
        }
        let across: Vector2<f32> = eigenvectors.column(most).into();
        let reach = length.min(LONGEST);
        let taps = reach as i32;
        let (mut sum, mut total) = (Vector3::zeros(), 0.0);
        for tap in -taps..=taps {
            let at = Vector2::new(x as f32, y as f32) + across * tap as f32;
            let (u, v) = ((at.x + 0.5) as usize, (at.y + 0.5) as usize);
            if u < width && v < height && is_skin(u, v) {
                let weight = 1.0 - (tap as f32).abs() / (reach + 1.0);
                sum += Vector3::from(colour((u, v)).map(f32::from)) * weight;
                total += weight;
            }
        }
        let own = Vector3::from(colour((x, y)).map(f32::from));
        let mixed = own + (sum / total * lighter((x, y)) - own) * strength;
        Some(((x, y), [mixed.x, mixed.y, mixed.z].map(|value| (value + 0.5).min(255.0) as u8)))
    })
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

    #[test]
    fn streaks_are_mixed_across() {
        let mixed: Vec<_> = mixed_streaks(&warp(6.0), 1.0, streaks, |_| 1.0).collect();
        assert!(mixed.len() > SIDE * SIDE / 2, "{}", mixed.len());
        let inner = |x: usize| (6..SIDE - 6).contains(&x);
        for ((x, _), [red, ..]) in mixed.into_iter().filter(|((x, _), _)| inner(*x)) {
            assert!((95..=105).contains(&red), "{red} in column {x}");
        }
    }

    #[test]
    fn what_the_photo_shows_as_large_stays() {
        assert_eq!(mixed_streaks(&warp(1.0), 1.0, streaks, |_| 1.0).count(), 0);
        // Enlarged alike in both directions: soft, but not streaked.
        let mut larger = warp(3.0);
        larger.flow.iter_mut().for_each(|[x, _]| *x /= 3.0);
        assert_eq!(mixed_streaks(&larger, 1.0, streaks, |_| 1.0).count(), 0);
    }

    #[test]
    fn eyes_and_mouths_are_left_alone_and_not_mixed_in() {
        let mut warp = warp(6.0);
        for y in 0..SIDE {
            warp.eyes[y * SIDE + 12] = 255;
        }
        let bright_eye = |at: (usize, usize)| if at.0 == 12 { [255; 3] } else { streaks(at) };
        let mixed: Vec<_> = mixed_streaks(&warp, 1.0, bright_eye, |_| 1.0).collect();
        assert!(mixed.iter().any(|((x, _), _)| *x == 10), "beside the eye skin is mixed");
        assert!(mixed.iter().all(|((x, _), [red, ..])| *x != 12 && *red <= 120));
    }

    #[test]
    fn grain_is_laid_over_what_is_mixed() {
        let row = |lighter: f32| -> Vec<_> {
            mixed_streaks(&warp(6.0), 1.0, |_| [100; 3], |_| lighter).map(|(_, [red, ..])| red).collect()
        };
        assert!(row(1.1).into_iter().all(|red| red == 110));
        assert!(row(1.0).into_iter().all(|red| red == 100));
    }
}
