//! Sizes of a convolution and what they imply.

/// A 2-D convolution (cross-correlation, as in every network library) over a batch of pictures in NCHW order.
///
/// Zero padding, the same on both sides; no dilation, no groups.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Convolution {
    /// Pictures.
    pub batch: usize,
    /// Channels of the input.
    pub inputs: usize,
    /// Channels of the output.
    pub outputs: usize,
    /// Height and width of the input.
    pub size: [usize; 2],
    /// Height and width of the kernel.
    pub kernel: [usize; 2],
    /// Vertical and horizontal distance of the input positions of neighbouring outputs.
    pub stride: [usize; 2],
    /// Zeros above and below, left and right.
    pub padding: [usize; 2],
}

impl Convolution {
    /// Height and width of the output: `(size + 2 padding - kernel) / stride + 1`, rounded down.
    ///
    /// # Panics
    /// When the kernel is larger than the padded input or a stride is 0.
    pub fn output_size(&self) -> [usize; 2] {
        std::array::from_fn(|axis| {
            let padded = self.size[axis] + 2 * self.padding[axis];
            assert!(padded >= self.kernel[axis], "the kernel does not fit into the padded input: {self:?}");
            (padded - self.kernel[axis]) / self.stride[axis] + 1
        })
    }

    /// Values of the input, `[batch, inputs, height, width]`.
    pub fn input_len(&self) -> usize {
        self.batch * self.inputs * area(self.size)
    }

    /// Values of the output, `[batch, outputs, height, width]`.
    pub fn output_len(&self) -> usize {
        self.batch * self.outputs * area(self.output_size())
    }

    /// Values of the weight, `[outputs, inputs, kernel height, kernel width]`.
    pub fn weight_len(&self) -> usize {
        self.outputs * self.inputs * area(self.kernel)
    }

    /// The same convolution with pixels in rows of 64, if neither kernel nor border tells rows apart.
    pub(crate) fn with_long_rows(self) -> Self {
        const ROW: usize = 64;
        let one_to_one = self.kernel == [1, 1] && self.stride == [1, 1] && self.padding == [0, 0];
        let pixels = area(self.size);
        if one_to_one && pixels.is_multiple_of(ROW) {
            return Self { size: [pixels / ROW, ROW], ..self };
        }
        self
    }

    /// Floating-point operations of one pass, forward or either gradient: two for each product.
    pub fn flops(&self) -> f64 {
        2.0 * self.output_len() as f64 * (self.inputs * area(self.kernel)) as f64
    }
}

pub(crate) fn area([height, width]: [usize; 2]) -> usize {
    height * width
}
