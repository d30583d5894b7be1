//! Smooth edges where a turned cheek or a lid hides what is behind it.
//!
//! A pixel comes from one place of the photo, that of its centre. Where an edge covers other things, pixels on it belong to
//! what covers or to what is behind, and the edge is a row of steps. Here they get both colours, by how much of them is
//! covered.

use crate::source_mesh::MeshWarp;

/// Neighbours come from places this many of their own distances apart where something is hidden between them; elsewhere one
/// runs on into the other. At twice as many, colours are mixed in full.
const HIDDEN: f32 = 1.5;

/// The pixels of the edge of `mask`, a mask of `warp`, where it hides something: columns and rows of the warp, with both
/// colours. `colour` says what was drawn at a column and row, `step` how many photo pixels lie between two pixels.
pub(super) fn soft_edge<const N: usize>(
    warp: &MeshWarp,
    mask: &[u8],
    step: f32,
    colour: impl Fn((usize, usize)) -> [u8; N],
) -> impl Iterator<Item = ((usize, usize), [u8; N])> {
    let (width, height) = (warp.width, warp.height);
    let covered = move |(x, y): (usize, usize)| mask[y * width + x];
    let apart = move |(x, y): (usize, usize), (u, v): (usize, usize)| {
        let ([a, b], [c, d]) = (warp.flow[y * width + x], warp.flow[v * width + u]);
        (a - c).hypot(b - d)
    };
    let inner = 1..width.saturating_sub(1);
    let rows = mask.chunks_exact(width.max(1)).enumerate().take(height.saturating_sub(1)).skip(1);
    let edge = rows.flat_map(move |(y, row)| {
        let partly = row.iter().enumerate().filter(|(_, covered)| !matches!(**covered, 0 | u8::MAX));
        partly.map(move |(x, _)| (x, y))
    });
    edge.filter(move |(x, _)| inner.contains(x)).filter_map(move |own| {
        let (x, y) = own;
        let around = [(x - 1, y), (x + 1, y), (x, y - 1), (x, y + 1)];
        let inside = around.into_iter().max_by_key(|&pixel| covered(pixel))?;
        let outside = around.into_iter().min_by_key(|&pixel| covered(pixel))?;
        let strength = (apart(inside, outside) / (2.0 * step * HIDDEN) - 1.0).min(1.0);
        if strength <= 0.0 {
            return None;
        }
        let in_front = apart(own, inside) < apart(own, outside);
        let (front, behind) = if in_front { (own, outside) } else { (inside, own) };
        let [drawn, front, behind] = [own, front, behind].map(|pixel| colour(pixel).map(f32::from));
        let share = f32::from(covered(own)) / 255.0;
        let mixed = |c: usize| {
            let both = behind[c] + (front[c] - behind[c]) * share;
            (drawn[c] + (both - drawn[c]) * strength + 0.5) as u8
        };
        Some((own, std::array::from_fn(mixed)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A face that covers `covered` of each pixel of a row, three rows of it, over a background `behind` pixels away.
    fn warp(covered: &[u8], behind: f32) -> MeshWarp {
        let mut warp = MeshWarp::default();
        (warp.width, warp.height) = (covered.len(), 3);
        for y in 0..3 {
            for (x, &share) in covered.iter().enumerate() {
                let shift = if share > 127 { 0.0 } else { behind };
                warp.flow.push([x as f32 + shift, y as f32]);
                warp.face.push(share);
            }
        }
        warp
    }

    fn row(warp: &MeshWarp) -> Vec<(usize, u8)> {
        let white_face =
            |(x, y): (usize, usize)| [if warp.face[y * warp.width + x] > 127 { 200 } else { 0 }; 3];
        soft_edge(warp, &warp.face, 1.0, white_face).map(|((x, _), [red, ..])| (x, red)).collect()
    }

    #[test]
    fn an_outline_that_hides_something_gets_both_colours() {
        assert_eq!(row(&warp(&[255, 255, 191, 0, 0], 20.0)), [(2, 150)]);
        assert_eq!(row(&warp(&[255, 255, 64, 0, 0], 20.0)), [(2, 50)]);
        // Half way to being sure that something is hidden: half the change from 200 to 150.
        assert_eq!(row(&warp(&[255, 255, 191, 0, 0], 2.5)), [(2, 175)]);
    }

    #[test]
    fn where_the_face_runs_on_nothing_changes() {
        assert_eq!(row(&warp(&[255, 255, 191, 0, 0], 0.5)), []);
        assert_eq!(row(&warp(&[255, 255, 0, 0], 20.0)), []);
    }
}
