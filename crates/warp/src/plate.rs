//! The plate: a photo without the person in it, which a moving head uncovers.
//!
//! Colours come from the background around: a smooth field of them is spread into the hole from coarse to fine (push-pull,
//! Gortler et al. 1996, "The Lumigraph", §3.4), and the detail that the field lacks, texture and grain, is the background's own,
//! mirrored across the nearest edge of the hole. What lies far inside never shows. Kept libraries were looked at first:
//! `texture-synthesis` is not maintained and takes seconds, `inpaint` is licensed under the EUPL and spreads smooth stripes.

use gioconda_kernels::smoothstep;
use image::{GrayImage, RgbImage};
use rayon::prelude::*;

/// Background this close to the person, in face widths, may still be coloured by hair that the matte has missed.
const CLEARANCE: f32 = 0.05;
/// Background whose detail is fainter than this, levels, is plain: halos that sharpening has drawn around a head are told from it,
/// and filled.
const PLAIN: f32 = 4.0;
/// Where the background's median detail exceeds this, levels, pixels beside the person are kept: hair among them is neither found
/// nor noticed.
const BUSY: f32 = 10.0;
/// From so many face widths inside the outline on, mirrored detail is faded: far from the edge that it is mirrored across it shows
/// ripples; by the second, this much of it is gone.
const DEEP: [f32; 2] = [0.15, 0.4];
const RIPPLED: f32 = 0.65;
/// Cells of the smooth field, per face width.
const CELLS: f32 = 24.0;
/// Offsets to the nearest background are averaged over twice this, face widths.
const SMOOTH: f32 = 0.08;
/// Detail stronger than so many of its median absolute values is an edge of something: its mirror image would be seen as one.
const EDGES: f32 = 4.0;
/// Up to this far from the person, face widths, and less and less up to twice as far, the plate is filled where hair has coloured
/// it.
const FILLED: f32 = 0.012;
/// This much of a person's colour in the background is noise, and this much hair.
const TINTED: [f32; 2] = [0.04, 0.16];

/// The photo with the person whose matte is `alpha` (of the photo's size) painted over, and with them what their hair may have
/// coloured around; background farther away stays as it is to the last bit. `face_width`: pixels. A matte that leaves no
/// background gives the photo.
pub(crate) fn plate(photo: &RgbImage, alpha: &GrayImage, face_width: f32) -> RgbImage {
    let (width, height) = (photo.width() as usize, photo.height() as usize);
    let Some(person) = nearest(width, height, |i| alpha.as_raw()[i] > 0) else { return photo.clone() };
    let to_person = |i: usize| distance(i % width, i / width, person[i]).sqrt();
    let clearance = (CLEARANCE * face_width).max(1.0);
    let Some(nearest) = nearest(width, height, |i| to_person(i) > clearance) else { return photo.clone() };
    let is_background = |x: usize, y: usize| nearest[y * width + x] == [x as u16, y as u16];
    let offsets = smooth_offsets(&nearest, width, (SMOOTH * face_width) as usize);
    let cell = ((face_width / CELLS).round() as usize).max(2);
    let field = Field::new(photo, cell, is_background);
    let faint = faint_detail(photo, &field, is_background);
    let strongest = EDGES * faint;
    let (is_plain, is_busy) = (faint < PLAIN, faint > BUSY);
    let filled_within = (if is_plain { 0.5 * CLEARANCE } else { FILLED } * face_width).max(1.0);
    let mut plate = photo.clone();
    plate.par_chunks_exact_mut(3 * width).enumerate().for_each(|(y, row)| {
        for (x, pixel) in row.as_chunks_mut::<3>().0.iter_mut().enumerate() {
            let share = (2.0 - to_person(y * width + x) / filled_within).min(1.0);
            if share <= 0.0 {
                continue;
            }
            let offset = offsets[y * width + x];
            let mirrored = |offset: f32, own: usize, side: usize| {
                // Reflected at the borders, too: `clamp` would draw the border out into stripes.
                let at = (own as i64 + (2.0 * offset).round() as i64).rem_euclid(2 * side as i64);
                at.min(2 * side as i64 - 1 - at) as usize
            };
            let (u, v) = (mirrored(offset[0], x, width), mirrored(offset[1], y, height));
            let [u, v] = nearest[v * width + u].map(usize::from);
            let (detail, here) = (field.detail(photo, u, v), field.at(x as f32 + 0.5, y as f32 + 0.5));
            let deep =
                ((offset[0].hypot(offset[1]) / face_width - DEEP[0]) / (DEEP[1] - DEEP[0])).clamp(0.0, 1.0);
            let detail = detail.map(|value| value * (1.0 - RIPPLED * smoothstep(deep)));
            let filled: [f32; 3] =
                std::array::from_fn(|c| here[c] + strongest * (detail[c] / strongest).tanh());
            let own = pixel.map(f32::from);
            let at = y * width + x;
            let share = if alpha.as_raw()[at] > 0 {
                share
            } else if is_busy {
                continue;
            } else {
                share * coloured(own, here, inside(photo, [x, y], person[at], filled_within), is_plain)
            };
            *pixel = std::array::from_fn(|c| {
                (own[c] + (filled[c] - own[c]) * share + 0.5).clamp(0.0, 255.0) as u8
            });
        }
    });
    plate
}

/// What the photo shows `depth` pixels behind the outline of the person, whose nearest pixel to the one at `place` is `edge`.
fn inside(photo: &RgbImage, place: [usize; 2], edge: [u16; 2], depth: f32) -> [f32; 3] {
    let way = [0, 1].map(|axis| f32::from(edge[axis]) - place[axis] as f32);
    let length = way[0].hypot(way[1]).max(1.0);
    let at = |axis: usize, side: u32| {
        let at = f32::from(edge[axis]) + way[axis] / length * (1.0 + 2.0 * depth);
        (at.max(0.0) as u32).min(side - 1)
    };
    photo.get_pixel(at(0, photo.width()), at(1, photo.height())).0.map(f32::from)
}

/// Whether a pixel of the background (`own`) has something of the colour of the `person` beside it, 0..1; `clean`: the
/// background's smooth colour there. With `halos`, what is as much less like the person counts too.
fn coloured(own: [f32; 3], clean: [f32; 3], person: [f32; 3], halos: bool) -> f32 {
    let dot = |a: [f32; 3], b: [f32; 3]| (0..3).map(|c| (a[c] - clean[c]) * (b[c] - clean[c])).sum::<f32>();
    let share = dot(own, person) / dot(person, person).max(1.0);
    let share = if halos { share.abs() } else { share };
    smoothstep(((share - TINTED[0]) / (TINTED[1] - TINTED[0])).clamp(0.0, 1.0))
}

/// The median of what background differs by from its smooth field, levels; at least 1.
fn faint_detail(photo: &RgbImage, field: &Field, is_background: impl Fn(usize, usize) -> bool) -> f32 {
    // Every fifth row, and of these every third pixel.
    let (width, height) = (photo.width() as usize, photo.height() as usize);
    let places = (0..height).step_by(5).flat_map(|y| (0..width).step_by(3).map(move |x| (x, y)));
    let background = places.filter(|&(x, y)| is_background(x, y));
    let mut details: Vec<f32> = background.map(|(x, y)| field.detail(photo, x, y)[1].abs()).collect();
    let middle = details.len() / 2;
    if details.is_empty() {
        return 1.0;
    }
    let (_, median, _) = details.select_nth_unstable_by(middle, f32::total_cmp);
    median.max(1.0)
}

/// From each pixel to the nearest of the background, averaged over squares of twice `reach` pixels: the outline of hair is
/// ragged, and its mirror image would be.
fn smooth_offsets(nearest: &[[u16; 2]], width: usize, reach: usize) -> Vec<[f32; 2]> {
    let own = |i: usize| {
        let [u, v] = nearest[i];
        [f32::from(u) - (i % width) as f32, f32::from(v) - (i / width) as f32]
    };
    let ways: Vec<_> = (0..nearest.len()).map(own).collect();
    let height = nearest.len() / width;
    let down: Vec<_> = averaged(&ways, height, width, reach);
    drop(ways);
    averaged(&down, width, height, reach)
}

/// The transpose of `[columns * rows]` values, row by row `columns` of them, each the mean of the `2 reach + 1` around it in its
/// column.
fn averaged(values: &[[f32; 2]], rows: usize, columns: usize, reach: usize) -> Vec<[f32; 2]> {
    let mut means = vec![[0.0; 2]; values.len()];
    means.par_chunks_exact_mut(rows).enumerate().for_each(|(column, means)| {
        let value = |row: usize| values[row * columns + column];
        let mut sum = [0.0_f32; 2];
        let mut add = |row: usize, sign: f32| {
            let value = value(row);
            sum = [sum[0] + sign * value[0], sum[1] + sign * value[1]];
            sum
        };
        (0..reach.min(rows)).for_each(|row| {
            add(row, 1.0);
        });
        for (row, mean) in means.iter_mut().enumerate() {
            let mut total = add(0, 0.0);
            if row + reach < rows {
                total = add(row + reach, 1.0);
            }
            if row > reach {
                total = add(row - reach - 1, -1.0);
            }
            let count = (row + reach).min(rows - 1) - row.saturating_sub(reach) + 1;
            *mean = total.map(|value| value / count as f32);
        }
    });
    means
}

fn distance(x: usize, y: usize, [u, v]: [u16; 2]) -> f32 {
    let (dx, dy) = (x as f32 - f32::from(u), y as f32 - f32::from(v));
    dx * dx + dy * dy
}

/// `[height * width]` for each pixel the nearest of those with `is_seed`; `None` where there is none. Distances are exact to a
/// fraction of a pixel (Danielsson 1980, 8SED).
fn nearest(width: usize, height: usize, is_seed: impl Fn(usize) -> bool) -> Option<Vec<[u16; 2]>> {
    const NOWHERE: [u16; 2] = [u16::MAX; 2];
    let seed = |i: usize| if is_seed(i) { [(i % width) as u16, (i / width) as u16] } else { NOWHERE };
    let mut nearest: Vec<_> = (0..width * height).map(seed).collect();
    if nearest.iter().all(|&at| at == NOWHERE) {
        return None;
    }
    let mut improve = |x: usize, y: usize, neighbours: &[(i64, i64)]| {
        let at = y * width + x;
        let mut best = nearest[at];
        let mut least = if best == NOWHERE { f32::MAX } else { distance(x, y, best) };
        for &(dx, dy) in neighbours {
            let (u, v) = (x as i64 + dx, y as i64 + dy);
            if !(0..width as i64).contains(&u) || !(0..height as i64).contains(&v) {
                continue;
            }
            let candidate = nearest[v as usize * width + u as usize];
            if candidate != NOWHERE && distance(x, y, candidate) < least {
                (best, least) = (candidate, distance(x, y, candidate));
            }
        }
        nearest[at] = best;
    };
    for y in 0..height {
        (0..width).for_each(|x| improve(x, y, &[(-1, 0), (0, -1), (-1, -1), (1, -1)]));
        (0..width).rev().for_each(|x| improve(x, y, &[(1, 0)]));
    }
    for y in (0..height).rev() {
        (0..width).rev().for_each(|x| improve(x, y, &[(1, 0), (0, 1), (1, 1), (-1, 1)]));
        (0..width).for_each(|x| improve(x, y, &[(-1, 0)]));
    }
    Some(nearest)
}

/// Colours of the background, smooth and everywhere.
struct Field {
    /// Pixels a cell is wide and high.
    cell: usize,
    columns: usize,
    /// `[rows * columns]` red, green, blue, 0..255.
    colours: Vec<[f32; 3]>,
}

impl Field {
    fn new(photo: &RgbImage, cell: usize, is_background: impl Fn(usize, usize) -> bool + Sync) -> Self {
        let (width, height) = (photo.width() as usize, photo.height() as usize);
        let (columns, rows) = (width.div_ceil(cell), height.div_ceil(cell));
        let of_cell = |i: usize| {
            let (left, top) = (i % columns * cell, i / columns * cell);
            let mut sum = [0.0_f32; 4];
            for y in top..(top + cell).min(height) {
                for x in left..(left + cell).min(width) {
                    if is_background(x, y) {
                        let colour = photo.get_pixel(x as u32, y as u32).0;
                        (0..3).for_each(|c| sum[c] += f32::from(colour[c]));
                        sum[3] += 1.0;
                    }
                }
            }
            // A few pixels are no colour of a cell yet.
            let share = (sum[3] / (cell * cell) as f32 * 4.0).min(1.0);
            let [r, g, b] = [sum[0], sum[1], sum[2]].map(|value| value * share / sum[3].max(1.0));
            [r, g, b, share]
        };
        let cells: Vec<[f32; 4]> = (0..columns * rows).into_par_iter().map(of_cell).collect();
        Self { cell, columns, colours: spread(&cells, columns) }
    }

    /// What the photo shows at a pixel beyond the field.
    fn detail(&self, photo: &RgbImage, x: usize, y: usize) -> [f32; 3] {
        let (seen, smooth) = (photo.get_pixel(x as u32, y as u32).0, self.at(x as f32 + 0.5, y as f32 + 0.5));
        std::array::from_fn(|c| f32::from(seen[c]) - smooth[c])
    }

    /// At a position in pixels, interpolated between the middles of cells.
    fn at(&self, x: f32, y: f32) -> [f32; 3] {
        let rows = self.colours.len() / self.columns;
        let place = |at: f32, cells: usize| {
            let at = (at / self.cell as f32 - 0.5).clamp(0.0, (cells - 1) as f32);
            (at as usize, (at as usize + 1).min(cells - 1), at.fract())
        };
        let ((left, right, across), (above, below, down)) = (place(x, self.columns), place(y, rows));
        let colour = |column: usize, row: usize| self.colours[row * self.columns + column];
        let mix =
            |a: [f32; 3], b: [f32; 3], share: f32| std::array::from_fn(|c| a[c] + (b[c] - a[c]) * share);
        let upper: [f32; 3] = mix(colour(left, above), colour(right, above), across);
        let lower: [f32; 3] = mix(colour(left, below), colour(right, below), across);
        mix(upper, lower, down)
    }
}

/// Push-pull: cells' colours times what is known of them, and that share; cells of which nothing is known get colours of
/// larger cells.
fn spread(cells: &[[f32; 4]], columns: usize) -> Vec<[f32; 3]> {
    let rows = cells.len() / columns;
    let coarser = if cells.len() == 1 {
        None
    } else {
        let (half_columns, half_rows) = (columns.div_ceil(2), rows.div_ceil(2));
        let pushed: Vec<[f32; 4]> = (0..half_columns * half_rows)
            .map(|i| {
                let mut sum = [0.0; 4];
                for (dx, dy) in [(0, 0), (1, 0), (0, 1), (1, 1)] {
                    let (x, y) = (2 * (i % half_columns) + dx, 2 * (i / half_columns) + dy);
                    if x < columns && y < rows {
                        sum.iter_mut().zip(cells[y * columns + x]).for_each(|(sum, value)| *sum += value);
                    }
                }
                let most = sum[3].max(1.0);
                sum.map(|value| value / most)
            })
            .collect();
        Some(Field { cell: 2, columns: half_columns, colours: spread(&pushed, half_columns) })
    };
    let fill = |(i, &[r, g, b, share]): (usize, &[f32; 4])| match &coarser {
        Some(field) if share < 1.0 => {
            let coarse = field.at((i % columns) as f32 + 0.5, (i / columns) as f32 + 0.5);
            std::array::from_fn(|c| [r, g, b][c] + coarse[c] * (1.0 - share))
        }
        Some(_) => [r, g, b],
        None => [r, g, b].map(|value| value / share.max(f32::MIN_POSITIVE)),
    };
    cells.iter().enumerate().map(fill).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::{Luma, Rgb};

    /// A person of 60 x 80 pixels in a picture of 200 x 160.
    fn person() -> GrayImage {
        GrayImage::from_fn(200, 160, |x, y| {
            let inside = (70..130).contains(&x) && (80..160).contains(&y);
            Luma([if inside { 255 } else { 0 }])
        })
    }

    #[test]
    fn a_wall_goes_on_behind_the_person_with_its_grain() {
        let mut rng = fastrand::Rng::with_seed(3);
        let wall = RgbImage::from_fn(200, 160, |x, _| {
            let light = 90 + x / 4 + u32::from(rng.u8(..12));
            Rgb([light as u8, light as u8 / 2, 40])
        });
        let mut photo = wall.clone();
        for (x, y, pixel) in photo.enumerate_pixels_mut() {
            if person().get_pixel(x, y).0[0] > 0 {
                *pixel = Rgb([250, 20, 20]);
            }
        }
        let plate = plate(&photo, &person(), 50.0);
        for (x, y) in (0..200).flat_map(|x| (0..160).map(move |y| (x, y))) {
            let (filled, truth) = (plate.get_pixel(x, y), wall.get_pixel(x, y));
            let near = filled.0.iter().zip(truth.0).all(|(a, b)| a.abs_diff(b) < 22);
            assert!(near, "{x}, {y}: {filled:?} {truth:?}");
        }
        let steps = |picture: &RgbImage| -> u32 {
            let red = |x, y| picture.get_pixel(x, y).0[0];
            // Near the outline, where the plate is seen.
            let places = (71..79).flat_map(|x| (100..150).map(move |y| (x, y)));
            places.map(|(x, y)| u32::from(red(x, y).abs_diff(red(x + 1, y)))).sum()
        };
        let (filled, truth) = (steps(&plate), steps(&wall));
        assert!(2 * filled > truth, "the fill is smooth: {filled} of {truth}");
    }

    #[test]
    fn far_from_the_person_nothing_changes() {
        let photo = RgbImage::from_fn(200, 160, |x, y| Rgb([(x * 7) as u8, (y * 5) as u8, (x * y) as u8]));
        let plate = plate(&photo, &person(), 50.0);
        for (x, y, pixel) in plate.enumerate_pixels() {
            if !(66..134).contains(&x) || y < 76 {
                assert_eq!(pixel, photo.get_pixel(x, y), "{x}, {y}");
            }
        }
    }

    #[test]
    fn a_picture_without_background_or_without_person_is_its_own_plate() {
        let photo = RgbImage::from_fn(40, 30, |x, y| Rgb([x as u8, y as u8, 9]));
        for alpha in [0, 255] {
            let all = GrayImage::from_pixel(40, 30, Luma([alpha]));
            assert!(plate(&photo, &all, 10.0) == photo);
        }
    }

    #[test]
    fn nearest_is_nearest() {
        let mut rng = fastrand::Rng::with_seed(1);
        let seeds: Vec<usize> = (0..12).map(|_| rng.usize(..50 * 40)).collect();
        let found = nearest(50, 40, |i| seeds.contains(&i)).expect("there are some");
        for (i, &at) in found.iter().enumerate() {
            let exact = seeds.iter().map(|&s| distance(i % 50, i / 50, [(s % 50) as u16, (s / 50) as u16]));
            let exact = exact.fold(f32::MAX, f32::min).sqrt();
            assert!(distance(i % 50, i / 50, at).sqrt() - exact < 0.5);
        }
    }
}
