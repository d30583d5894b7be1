//! What a correlation is made of, whichever way it is computed.

/// A tap of a kernel.
#[derive(Clone, Copy)]
pub(crate) struct Tap {
    /// Source row and column that it reads for a pass's output row 0 and column 0.
    pub(crate) place: [isize; 2],
    /// Its place in the kernel, row by row.
    pub(crate) at: usize,
}

/// The outputs of one remainder of rows and one of columns.
pub(crate) struct Pass {
    /// Source row and column that each tap, or each point of a tile, reads for the pass's output row 0 and column 0.
    pub(crate) taps: Vec<[isize; 2]>,
    /// [`pack_weight`](crate::pack::pack_weight) of the taps; that of tiles is described where it is made.
    pub(crate) weight: Vec<f32>,
}

/// Everything about a correlation but its weight and the pictures.
#[derive(Clone, Copy)]
pub(crate) struct Sizes {
    pub(crate) batch: usize,
    pub(crate) inputs: usize,
    pub(crate) outputs: usize,
    /// Height and width of the sources.
    pub(crate) source: [usize; 2],
    /// Height and width of the outputs.
    pub(crate) size: [usize; 2],
    /// Distance in the source of what neighbouring outputs, or tiles of outputs, of a pass read.
    pub(crate) advance: [usize; 2],
    /// Distance of neighbouring outputs, or tiles of outputs, of a pass.
    pub(crate) step: [usize; 2],
}
