//! Finds the matte of a person: a network on squares around the head, and a guided filter.
//!
//! MediaPipe's selfie segmentation sees 256 pixels of a square. The larger the square, the better it knows what is a person,
//! and the coarser its edges are; so it looks at several and the smaller ones, near the head, count more. What they say
//! together, cut to the person whose face is meant, is sharpened to the photo's own pixels by a [guided filter](super::guided_filter).

use image::imageops::{crop_imm, thumbnail};
use image::{GrayImage, RgbImage};
use nalgebra::Vector2;
use rayon::prelude::*;

use super::guided_filter::{LinearFunctions, apply};
use super::person::{Person, bilinear};
use super::verdict;
use super::{Matte, MatteVerdict};
use crate::models::{Session, Threads};
use crate::region::Region;
use crate::sampling::{Border, sample};
use crate::{Error, Landmarks};

/// The model's input and output: pixels along a side.
const SIDE: usize = 256;
/// Sides of the squares, over the larger side of the face's box, and how far their middle lies below the face's middle, over
/// the same; the largest first.
const SQUARES: [(f32, f32); 2] = [(4.0, 0.4), (2.2, -0.05)];
/// A square's outer part, over its side, in which it counts less and less.
const FEATHER: f32 = 0.15;
/// How much a smaller square counts against all larger ones.
const SMALLER: f32 = 0.6;
/// The filter works on a copy in which the face's box is at most this long, pixels.
const FACE_IN_COPY: f32 = 160.0;
/// What is filtered: this many face boxes around the face's middle.
const FILTERED: f32 = 5.0;
/// The filter's window reaches this far, over the face's box.
const RADIUS: f32 = 0.05;
/// Variance of colours below which the filter blurs.
const SMOOTHNESS: f32 = 2e-4;
/// Below the first the matte is nothing, above the second it is whole.
const STRETCH: (f32, f32) = (0.15, 0.85);
/// Cells along the longer side of the grid on which people are told apart.
const CELLS: f32 = 256.0;

/// Finds people's mattes.
pub struct MatteFinder {
    session: Session,
}

impl MatteFinder {
    /// Loads the built-in model.
    pub fn new(threads: Threads) -> Result<Self, Error> {
        Ok(Self { session: Session::load("selfie_segmentation", threads.pool())? })
    }

    /// The matte of the person whose face is at `landmarks` in `photo`, pixels.
    pub fn find(&self, photo: &RgbImage, landmarks: &Landmarks) -> Result<Matte, Error> {
        self.find_among(photo, landmarks, &[])
    }

    /// The same where the photo shows `others`, too, who are left out also where they touch the person.
    pub fn find_among(
        &self,
        photo: &RgbImage,
        landmarks: &Landmarks,
        others: &[&Landmarks],
    ) -> Result<Matte, Error> {
        let (low, high) = landmarks.bounds();
        let (middle, face) = ((low + high) / 2.0, (high - low).max());
        if !(face.is_finite() && face >= 1.0) || photo.width() == 0 || photo.height() == 0 {
            let alpha = GrayImage::new(photo.width(), photo.height());
            return Ok(Matte { alpha, verdict: MatteVerdict::NoHead });
        }
        let looks = self.looks(photo, middle, face)?;
        let likely = |at| logistic(looks.at(at));
        let window = Window::around(middle, FILTERED * face, photo.dimensions());
        let copy = ReducedCopy::of(photo, window, (FACE_IN_COPY / face).min(1.0));
        let people: Vec<&Landmarks> = std::iter::once(landmarks).chain(others.iter().copied()).collect();
        let person = PersonInPhoto::of(&people, window, &looks);
        let mine = |at| likely(at) * person.at(at);
        let verdict = verdict::judge(landmarks, photo.dimensions(), mine, likely);
        let mask = copy.mask(mine);
        let radius = ((RADIUS * face * copy.scale.max()).round() as usize).max(2);
        let functions = LinearFunctions::fit(&copy.picture, &mask, radius, SMOOTHNESS);
        let width = photo.width() as usize;
        let mut alpha = vec![0_u8; width * photo.height() as usize];
        alpha.par_chunks_exact_mut(width).enumerate().for_each(|(y, alpha)| {
            let row = functions.row((y as f32 + 0.5 - window.top as f32) * copy.scale.y);
            let colours = photo.as_raw()[3 * y * width..].as_chunks::<3>().0;
            for (x, (alpha, colour)) in alpha.iter_mut().zip(colours).enumerate() {
                let at = Vector2::new(x as f32 + 0.5, y as f32 + 0.5);
                let near = window.nearness(at, photo.dimensions());
                let mut value = 0.0;
                if near > 0.0 {
                    let x = (at.x - window.left as f32) * copy.scale.x;
                    value = near * apply(&row, x, *colour);
                }
                if near < 1.0 {
                    let mine = (1.0 - near) * person.at(at);
                    value += if mine > 0.0 { mine * likely(at) } else { 0.0 };
                }
                *alpha = (255.0 * (value - STRETCH.0) / (STRETCH.1 - STRETCH.0)).round() as u8;
            }
        });
        let alpha = GrayImage::from_raw(photo.width(), photo.height(), alpha).unwrap_or_default();
        Ok(Matte { alpha, verdict })
    }

    fn looks(&self, photo: &RgbImage, middle: Vector2<f32>, face: f32) -> Result<Looks, Error> {
        let longest = photo.width().max(photo.height()) as f32;
        let mut squares = Vec::new();
        if longest > SQUARES[0].0 * face {
            squares.push(Region::around(photo));
        }
        for (side, down) in SQUARES {
            let center = middle + Vector2::new(0.0, down * face);
            squares.push(within(photo, center, side * face));
        }
        let mut tensor = Vec::new();
        let looks = squares.into_iter().map(|square| {
            sample(photo, &square, SIDE, (0.0, 1.0), Border::Replicate, &mut tensor);
            let [output] = self.session.run(&[1, SIDE, SIDE, 3], &tensor)?;
            if output.len() != SIDE * SIDE {
                return Err(self.session.wrong_output(output.len(), SIDE * SIDE));
            }
            Ok(Look { square, logits: output.into_iter().map(logit).collect() })
        });
        Ok(Looks(looks.collect::<Result<_, Error>>()?))
    }
}

/// A square of `size`, moved into the photo as far as it fits; it reaches over both edges alike where it does not.
fn within(photo: &RgbImage, center: Vector2<f32>, size: f32) -> Region {
    let size = size.min(photo.width().max(photo.height()) as f32);
    let place = |center: f32, length: f32| {
        if size < length { center.clamp(size / 2.0, length - size / 2.0) } else { length / 2.0 }
    };
    let center = Vector2::new(place(center.x, photo.width() as f32), place(center.y, photo.height() as f32));
    Region { center, size, rotation: 0.0 }
}

/// What the network said of a square.
struct Look {
    square: Region,
    /// `[SIDE * SIDE]`, of the probabilities.
    logits: Vec<f32>,
}

/// All looks, the largest first.
struct Looks(Vec<Look>);

impl Looks {
    /// The logit of what all looks say together about a position in the photo.
    fn at(&self, at: Vector2<f32>) -> f32 {
        let mut together = None;
        for look in &self.0 {
            let inside = look.square.from_picture(at);
            let edge = inside.inf(&(Vector2::repeat(1.0) - inside)).min();
            let said = || bilinear(&look.logits, (SIDE, SIDE), inside * SIDE as f32);
            together = match together {
                None => Some(said()),
                Some(before) if edge > 0.0 => {
                    let weight = SMALLER * (edge / FEATHER).min(1.0);
                    Some(before + (said() - before) * weight)
                }
                before => before,
            };
        }
        together.unwrap_or(f32::NEG_INFINITY)
    }
}

fn logit(probability: f32) -> f32 {
    let probability = probability.clamp(1e-3, 1.0 - 1e-3);
    (probability / (1.0 - probability)).ln()
}

fn logistic(logit: f32) -> f32 {
    1.0 / (1.0 + (-logit).exp())
}

/// A rectangle of whole pixels of the photo.
#[derive(Clone, Copy)]
struct Window {
    left: u32,
    top: u32,
    width: u32,
    height: u32,
}

impl Window {
    /// The square of `side` around `middle`, cut at the photo's edges.
    fn around(middle: Vector2<f32>, side: f32, (width, height): (u32, u32)) -> Self {
        let span = |middle: f32, length: u32| {
            let first = (middle - side / 2.0).clamp(0.0, (length - 1) as f32) as u32;
            let last = (middle + side / 2.0).ceil().clamp(first as f32 + 1.0, length as f32) as u32;
            (first, last - first)
        };
        let ((left, width), (top, height)) = (span(middle.x, width), span(middle.y, height));
        Self { left, top, width, height }
    }

    /// 1 inside, 0 outside, between them near an edge that is none of the photo's.
    fn nearness(&self, at: Vector2<f32>, photo: (u32, u32)) -> f32 {
        let along = |at: f32, first: u32, length: u32, photo: u32| {
            let feather = (0.05 * self.width.max(self.height) as f32).max(1.0);
            let from = if first == 0 { 1.0 } else { (at - first as f32) / feather };
            let last = first + length;
            let to = if last == photo { 1.0 } else { (last as f32 - at) / feather };
            from.min(to).clamp(0.0, 1.0)
        };
        along(at.x, self.left, self.width, photo.0).min(along(at.y, self.top, self.height, photo.1))
    }
}

/// A reduced copy of a window of the photo.
struct ReducedCopy {
    picture: RgbImage,
    window: Window,
    /// Its pixels per pixel of the photo, at most about 1; not quite the same along both axes, as it has whole columns and rows.
    scale: Vector2<f32>,
}

impl ReducedCopy {
    fn of(photo: &RgbImage, window: Window, scale: f32) -> Self {
        let Window { left, top, width, height } = window;
        let part = crop_imm(photo, left, top, width, height);
        let [columns, rows] = [width, height].map(|side| ((side as f32 * scale).round() as u32).max(1));
        let picture = if (columns, rows) == (width, height) {
            part.to_image()
        } else {
            thumbnail(&*part, columns, rows)
        };
        let scale = Vector2::new(columns as f32 / width as f32, rows as f32 / height as f32);
        Self { picture, window, scale }
    }

    /// `value` at the photo's positions of all pixels.
    fn mask(&self, value: impl Fn(Vector2<f32>) -> f32 + Sync) -> Vec<f32> {
        let width = self.picture.width() as usize;
        let mut mask = vec![0.0; width * self.picture.height() as usize];
        let corner = Vector2::new(self.window.left as f32, self.window.top as f32);
        mask.par_chunks_exact_mut(width).enumerate().for_each(|(y, row)| {
            for (x, cell) in row.iter_mut().enumerate() {
                *cell =
                    value(corner + Vector2::new(x as f32 + 0.5, y as f32 + 0.5).component_div(&self.scale));
            }
        });
        mask
    }
}

/// The cells that belong to a person, laid over a window of the photo.
struct PersonInPhoto {
    person: Person,
    window: Window,
    /// Cells per pixel.
    scale: f32,
}

impl PersonInPhoto {
    fn of(people: &[&Landmarks], window: Window, looks: &Looks) -> Self {
        let scale = CELLS / window.width.max(window.height) as f32;
        let corner = Vector2::new(window.left as f32, window.top as f32);
        let [columns, rows] =
            [window.width, window.height].map(|side| ((side as f32 * scale).ceil() as usize).max(1));
        let mask: Vec<f32> = (0..columns * rows)
            .map(|i| Vector2::new((i % columns) as f32 + 0.5, (i / columns) as f32 + 0.5))
            .map(|cell| logistic(looks.at(corner + cell / scale)))
            .collect();
        let faces: Vec<Landmarks> =
            people.iter().map(|face| face.scaled_and_shifted(scale, -corner * scale)).collect();
        Self { person: Person::of(&faces, &mask, (columns, rows)), window, scale }
    }

    fn at(&self, at: Vector2<f32>) -> f32 {
        let corner = Vector2::new(self.window.left as f32, self.window.top as f32);
        self.person.at((at - corner) * self.scale)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reduced_copy_reaches_from_edge_to_edge_of_its_window() {
        // 0.3 of 11 columns are 3.3: 3 are made, of 3.67 pixels each.
        let window = Window { left: 5, top: 7, width: 11, height: 40 };
        let copy = ReducedCopy::of(&RgbImage::new(30, 60), window, 0.3);
        assert_eq!(copy.picture.dimensions(), (3, 12));
        let (columns, rows) = (copy.mask(|at| at.x), copy.mask(|at| at.y));
        assert!(
            (columns[0] - (5.0 + 11.0 / 6.0)).abs() < 1e-4 && (columns[2] - (16.0 - 11.0 / 6.0)).abs() < 1e-4
        );
        let last = rows[rows.len() - 1];
        assert!((rows[0] - (7.0 + 40.0 / 24.0)).abs() < 1e-4 && (last - (47.0 - 40.0 / 24.0)).abs() < 1e-4);
    }
}
