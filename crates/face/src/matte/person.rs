//! Which of the people in a mask is meant.
//!
//! The model tells people from what is no person, not one from another. From every face a front spreads through the mask,
//! as fast as the face is large; what another face's front reaches first, and what none reaches, is not the person.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use nalgebra::Vector2;

use crate::Landmarks;
use crate::topology::MESH_POINTS;

/// Where the person is: `[side * side]` cells over a rectangle of the photo.
pub(super) struct Person {
    /// 1 where the person may be, 0 elsewhere.
    cells: Vec<f32>,
    size: (usize, usize),
}

/// Nobody's.
const NOBODY: u8 = u8::MAX;
/// Cells above this value belong to someone.
const SOMEONE: f32 = 0.3;
/// Cells by which everyone may grow into what is nobody's: soft edges.
const GROWTH: usize = 6;

impl Person {
    /// The person of `faces[0]`, in cells of the grid, with all faces in the same coordinates. `mask` is `[rows * columns]`, 0..1.
    pub(super) fn of(faces: &[Landmarks], mask: &[f32], (columns, rows): (usize, usize)) -> Self {
        let mut owners = vec![NOBODY; mask.len()];
        let mut fronts = BinaryHeap::new();
        let cell = |at: Vector2<f32>| {
            let inside = at.x >= 0.0 && at.y >= 0.0 && at.x < columns as f32 && at.y < rows as f32;
            inside.then(|| at.y as usize * columns + at.x as usize)
        };
        let sizes: Vec<f32> = faces.iter().map(|face| (face.bounds().1 - face.bounds().0).max()).collect();
        for (owner, face) in faces.iter().enumerate().take(usize::from(NOBODY)) {
            for at in face.points[..MESH_POINTS].iter().filter_map(|point| cell(point.xy())) {
                fronts.push(Reverse((0_u32, at, owner as u8)));
            }
        }
        while let Some(Reverse((time, at, owner))) = fronts.pop() {
            if owners[at] != NOBODY {
                continue;
            }
            owners[at] = owner;
            let later = time + (STEP / sizes[usize::from(owner)].max(1.0)) as u32;
            for next in neighbours(at, (columns, rows)) {
                if owners[next] == NOBODY && mask[next] > SOMEONE {
                    fronts.push(Reverse((later, next, owner)));
                }
            }
        }
        grow(&mut owners, (columns, rows));
        let cells = owners.iter().map(|&owner| if owner == 0 { 1.0 } else { 0.0 }).collect();
        Self { cells, size: (columns, rows) }
    }

    /// How much a position, in cells, may belong to the person, 0..1.
    pub(super) fn at(&self, at: Vector2<f32>) -> f32 {
        bilinear(&self.cells, self.size, at)
    }
}

/// What a front takes for one cell, times the face's size in cells.
const STEP: f32 = 1e5;

/// Every owner grows by [`GROWTH`] cells into what is nobody's.
fn grow(owners: &mut [u8], size: (usize, usize)) {
    let mut edge: Vec<usize> = (0..owners.len()).filter(|&at| owners[at] != NOBODY).collect();
    for _ in 0..GROWTH {
        let mut grown = Vec::new();
        for at in edge {
            for next in neighbours(at, size) {
                if owners[next] == NOBODY {
                    owners[next] = owners[at];
                    grown.push(next);
                }
            }
        }
        edge = grown;
    }
}

fn neighbours(at: usize, (columns, rows): (usize, usize)) -> impl Iterator<Item = usize> {
    let (x, y) = (at % columns, at / columns);
    let left = (x > 0).then(|| at - 1);
    let right = (x + 1 < columns).then(|| at + 1);
    let above = (y > 0).then(|| at - columns);
    let below = (y + 1 < rows).then(|| at + columns);
    [left, right, above, below].into_iter().flatten()
}

/// A plane's value at a position in cells (a cell's centre at .5), between the four nearest, the edge's beyond the edge.
pub(super) fn bilinear(plane: &[f32], (columns, rows): (usize, usize), at: Vector2<f32>) -> f32 {
    let x = (at.x - 0.5).clamp(0.0, (columns - 1) as f32);
    let y = (at.y - 0.5).clamp(0.0, (rows - 1) as f32);
    let (left, top) = (x as usize, y as usize);
    let (right, bottom) = ((left + 1).min(columns - 1), (top + 1).min(rows - 1));
    let (across, down) = (x - left as f32, y - top as f32);
    let row = |y: usize| {
        let (a, b) = (plane[y * columns + left], plane[y * columns + right]);
        a + (b - a) * across
    };
    row(top) + (row(bottom) - row(top)) * down
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::LANDMARKS;
    use nalgebra::Vector3;

    fn face(x: f32, y: f32) -> Landmarks {
        let mut points = [Vector3::new(x, y, 0.0); LANDMARKS];
        points[0].x -= 4.0;
        points[1].x += 4.0;
        Landmarks { points }
    }

    fn disc(at: (usize, usize), center: (f32, f32), radius: f32) -> f32 {
        let (x, y) = (at.0 as f32 - center.0, at.1 as f32 - center.1);
        if x.hypot(y) < radius { 1.0 } else { 0.0 }
    }

    #[test]
    fn what_does_not_touch_the_face_is_not_the_person() {
        let mask: Vec<f32> = (0..64 * 64)
            .map(|i| (i % 64, i / 64))
            .map(|at| disc(at, (16.0, 32.0), 9.0).max(disc(at, (48.0, 32.0), 9.0)))
            .collect();
        let person = Person::of(&[face(16.0, 32.0)], &mask, (64, 64));
        assert!(person.at(Vector2::new(16.0, 25.0)) > 0.99);
        assert!(person.at(Vector2::new(48.0, 32.0)) < 0.01);
    }

    #[test]
    fn two_who_touch_are_parted_between_their_faces() {
        let mask: Vec<f32> = (0..64 * 64)
            .map(|i| (i % 64, i / 64))
            .map(|at| disc(at, (20.0, 32.0), 14.0).max(disc(at, (44.0, 32.0), 14.0)))
            .collect();
        let person = Person::of(&[face(20.0, 32.0), face(44.0, 32.0)], &mask, (64, 64));
        assert!(person.at(Vector2::new(26.0, 32.0)) > 0.99);
        assert!(person.at(Vector2::new(38.0, 32.0)) < 0.01);
        assert!(person.at(Vector2::new(50.0, 32.0)) < 0.01);
    }
}
