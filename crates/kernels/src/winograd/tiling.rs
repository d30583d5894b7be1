//! How the taps of a correlation fall into tiles, and whether that pays.

use crate::correlation::{Sizes, Tap};
use crate::simd::lanes;

/// Outputs of a small tile along an axis, the only ones that a weight's gradient is summed over.
pub(crate) const OUTPUTS: usize = 2;

/// Points along an axis of the tiles that a weight's gradient is summed over, and of all tiles.
pub(crate) const SMALL: &[usize] = &[3, 4];
pub(crate) const ALL: &[usize] = &[3, 4, 6];

/// Taps along an axis of the kernel whose tiles have `side` points.
pub(crate) const fn kernel_of(side: usize) -> usize {
    if side == 3 { 2 } else { 3 }
}

/// Outputs along an axis of tiles that have `side` points.
pub(crate) const fn outputs_of(side: usize) -> usize {
    side + 1 - kernel_of(side)
}

/// What has to be saved for the transforms to pay, measured on the presets' shapes.
const GAIN: f64 = 1.2;

/// Channels on either side from which on the transforms cost less than the products that they save.
const LEAST_CHANNELS: usize = 16;

/// How the taps of a correlation fall into tiles.
pub(crate) struct Tiling {
    /// Points of a tile along an axis, one of [`ALL`].
    pub(crate) side: usize,
    /// Of each pass, in the order of the plan's.
    pub(crate) passes: Vec<Vec<Vec<Square>>>,
}

/// The taps of a pass that read one phase of the source: a full square.
pub(crate) struct Square {
    /// Where the first tap reads.
    origin: [isize; 2],
    /// Places in the kernel, row by row.
    pub(super) taps: Vec<usize>,
}

impl Tiling {
    /// None when the kernel is of another kind or the transforms would cost more than they save.
    /// `sides` are to choose from.
    pub(crate) fn of(sizes: &Sizes, passes: &[Vec<Vec<Tap>>], sides: &[usize]) -> Option<Self> {
        let squares = |taps: &Vec<Tap>| squares(taps, sizes.advance);
        let passes: Option<Vec<Vec<Vec<Square>>>> =
            passes.iter().map(|row| row.iter().map(squares).collect()).collect();
        let passes = passes?;
        let mut all = passes.iter().flatten().flatten();
        let taps = all.next()?.taps.len();
        let fits = all.all(|square| square.taps.len() == taps);
        let sides = sides.iter().copied().filter(|&side| fits && kernel_of(side).pow(2) == taps);
        let side = sides.min_by_key(|&side| points(sizes, side))?;
        pays(sizes, side).then_some(Self { side, passes })
    }
}

impl Square {
    /// What the points of the first tile read.
    pub(super) fn points(&self, side: usize, advance: [usize; 2]) -> impl Iterator<Item = [isize; 2]> {
        let advance = advance.map(usize::cast_signed);
        (0..side * side).map(move |point| {
            let [y, x] = [point / side, point % side].map(usize::cast_signed);
            [self.origin[0] + y * advance[0], self.origin[1] + x * advance[1]]
        })
    }
}

/// The taps by phase of the source.
fn squares(taps: &[Tap], advance: [usize; 2]) -> Option<Vec<Square>> {
    let mut squares = Vec::new();
    let advance = advance.map(usize::cast_signed);
    for phase in 0..advance[0] * advance[1] {
        let phase = [phase / advance[1], phase % advance[1]];
        let same = |axis: usize, tap: &Tap| tap.place[axis].rem_euclid(advance[axis]) == phase[axis];
        let members: Vec<&Tap> = taps.iter().filter(|tap| same(0, tap) && same(1, tap)).collect();
        let origin = [0, 1].map(|axis| members.iter().map(|tap| tap.place[axis]).min());
        let origin = [origin[0]?, origin[1]?];
        let side = members.len().isqrt();
        let at = |place: [isize; 2]| members.iter().find(|tap| tap.place == place).map(|tap| tap.at);
        let taps: Option<Vec<usize>> = (0..members.len().cast_signed())
            .map(|tap| {
                let [y, x] = [tap / side.cast_signed(), tap % side.cast_signed()];
                at([origin[0] + y * advance[0], origin[1] + x * advance[1]])
            })
            .collect();
        squares.push(Square { origin, taps: taps.filter(|taps| taps.len() == side * side)? });
    }
    Some(squares)
}

/// Whether enough products are saved on this machine's vectors, which rows of tiles fill less well than rows of pixels.
fn pays(sizes: &Sizes, side: usize) -> bool {
    let [rows, columns] = outputs(sizes);
    let direct = rows * columns.next_multiple_of(lanes()) * kernel_of(side).pow(2);
    let tiled = points(sizes, side);
    let channels = sizes.outputs.min(sizes.inputs);
    channels >= LEAST_CHANNELS && direct as f64 > GAIN * tiled as f64
}

/// Rows and columns of a pass.
fn outputs(sizes: &Sizes) -> [usize; 2] {
    [0, 1].map(|axis| sizes.size[axis].div_ceil(sizes.step[axis]))
}

/// Points of all tiles of a pass, those included that fill its last vectors.
fn points(sizes: &Sizes, side: usize) -> usize {
    let [rows, columns] = outputs(sizes).map(|outputs| outputs.div_ceil(outputs_of(side)));
    rows * columns.next_multiple_of(lanes()) * side.pow(2)
}
