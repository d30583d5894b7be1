//! From the `portrait` generator's six channels to a frame (DESIGN.md §1):
//! `frame = m · warp(photo, flow₀ + Δflow) + (1 - m) · rgb`. [`gioconda_model::COMPOSITION_VERSION`] tells the versions of
//! the formula.

use burn::tensor::Tensor;
use burn::tensor::module::interpolate;
use burn::tensor::ops::{GridSampleOptions, GridSamplePaddingMode, InterpolateMode, InterpolateOptions};
use gioconda_model::{BRIGHT, COLOUR_MARGIN};

/// The face mesh warp of a photo, as the generator's input and as what its output is blended with.
#[derive(Clone, Debug)]
pub struct Warp {
    /// The photo, `[B, 3, Hp, Wp]` of any size, RGB in -1..1.
    pub photo: Tensor<4>,
    /// flow₀: for every output pixel where to look in the photo, `[B, H, W, 2]`, (x, y), -1 and 1 the outer edges of
    /// the first and last pixel (`align_corners = false`), y down.
    pub grid: Tensor<4>,
    /// Face, validity, mouth and eye masks, `[B, 4, H, W]` in 0..1.
    pub masks: Tensor<4>,
    /// The photo moved by the mesh with the inside of the mouth painted, `[B, 3, H, W]`, for generators that
    /// [want it](gioconda_model::GeneratorConfig::painted_mouth).
    pub painted: Option<Tensor<4>>,
}

impl Warp {
    /// The photo moved by the mesh alone, `[B, 3, H, W]`; with a painted mouth, where there is one.
    pub fn warped(&self) -> Tensor<4> {
        let sampled = || sample(self.photo.clone(), self.grid.clone());
        self.painted.clone().unwrap_or_else(sampled)
    }

    /// The `portrait` generator's input, `[B, 10, H, W]`: warped photo, landmark picture, masks.
    pub fn input(&self, picture: Tensor<4>) -> Tensor<4> {
        Tensor::cat(vec![self.warped(), picture, self.masks.clone()], 1)
    }
}

/// A composed frame and what it is made of: training looks at the parts as well (PROTOTYPE.md, losses).
#[derive(Clone, Debug)]
pub struct Composition {
    /// The frame, `[B, 3, H, W]`, in -1..1 but where [`colour`](Self::colour) exceeds it.
    pub frame: Tensor<4>,
    /// The photo sampled at flow₀ + Δflow, `[B, 3, H, W]`.
    pub warped: Tensor<4>,
    /// The painted colour, `[B, 3, H, W]` up to 1; where a bright photo is made very dark it may fall below -1, which the renderer
    /// cuts.
    pub colour: Tensor<4>,
    /// The share of `warped` in the frame, `[B, 1, H, W]` in 0..1.
    pub mask: Tensor<4>,
}

/// Blends the warped photo with the painted colour, `tanh(offset + atanh(photo))`, whose [`BRIGHT`] channels become darker by no
/// less than the mean of the two that become darkest.
///
/// `output`: the generator's six channels `[B, 6, h, w]`. The frame has the size of `warp.grid`: where that is larger,
/// flow, mask and colour are enlarged bilinearly, so that the frame keeps the sharpness of the photo.
pub fn compose(output: Tensor<4>, warp: &Warp) -> Composition {
    let [_, height, width, _] = warp.grid.dims();
    let output = resized(output, [height, width]); // [B, 6, H, W]
    let flow = output.clone().narrow(1, 0, 2).permute([0, 2, 3, 1]); // [B, H, W, 2]
    let mask = output.clone().narrow(1, 2, 1);
    let offset = output.narrow(1, 3, 3);

    let base = warp.warped().clamp(COLOUR_MARGIN - 1.0, 1.0 - COLOUR_MARGIN);
    let moves = (offset + base.clone().atanh()).tanh() - base.clone();
    let others = (moves.clone().sum_dim(1) - moves.clone().max_dim(1)) * 0.5; // [B, 1, H, W]
    let [from, full] = BRIGHT;
    let bright = ((base.clone() - from) / (full - from)).clamp(0.0, 1.0);
    let colour = base + moves.clone() + bright * (others - moves).clamp_max(0.0);
    let warped = sample(warp.photo.clone(), warp.grid.clone() + flow);
    let frame = colour.clone() + mask.clone() * (warped.clone() - colour.clone());
    Composition { frame, warped, colour, mask }
}

fn sample(photo: Tensor<4>, grid: Tensor<4>) -> Tensor<4> {
    let options = GridSampleOptions::new(InterpolateMode::Bilinear)
        .with_padding_mode(GridSamplePaddingMode::Border)
        .with_align_corners(false);
    photo.grid_sample_2d(grid, options)
}

/// `[B, C, h, w] -> [B, C, H, W]`, bilinear.
pub(crate) fn resized(x: Tensor<4>, size: [usize; 2]) -> Tensor<4> {
    let [_, _, height, width] = x.dims();
    if [height, width] == size {
        return x;
    }
    let options = InterpolateOptions::new(InterpolateMode::Bilinear).with_align_corners(false);
    interpolate(x, options.with_output_size(size))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Generator;
    use burn::tensor::{Device, Distribution};
    use gioconda_model::Preset;

    fn warp(size: usize, device: &Device) -> Warp {
        let random = |shape| Tensor::<4>::random(shape, Distribution::Uniform(-1.0, 1.0), device);
        Warp {
            photo: random([1, 3, 48, 40]),
            grid: random([1, size, size, 2]),
            masks: random([1, 4, size, size]).abs(),
            painted: None,
        }
    }

    #[test]
    fn an_untrained_network_is_the_mesh_warp() {
        let device = Device::flex();
        let config = Preset::Portrait.config().generator;
        let generator = Generator::new(&config, &device).unwrap();
        let warp = warp(32, &device);
        let psi = generator.project(Tensor::random([1, config.embedding], Distribution::Default, &device));
        let output = generator.forward(warp.input(Tensor::zeros([1, 3, 32, 32], &device)), psi);
        let composition = compose(output, &warp);
        let difference = (composition.frame - warp.warped()).abs().max().into_scalar::<f32>();
        assert!(difference < 1e-3, "{difference}");
        assert!((composition.mask.mean().into_scalar::<f32>() - 0.880_797).abs() < 1e-5);
    }

    #[test]
    fn colour_is_laid_over_the_painted_mouth() {
        let device = Device::flex();
        let bare = warp(16, &device);
        let painted = Tensor::random([1, 3, 16, 16], Distribution::Uniform(-0.9, 0.9), &device);
        let warp = Warp { painted: Some(painted.clone()), ..bare.clone() };
        // No flow, no offset, half of each.
        let mut channels = [0.0; 6];
        channels[2] = 0.5;
        let output = Tensor::<1>::from_floats(channels, &device).reshape([1, 6, 1, 1]).expand([1, 6, 16, 16]);
        let composition = compose(output, &warp);
        let expected = (painted.clone() + bare.warped()) / 2.0;
        for (made, expected) in [(composition.colour, painted), (composition.frame, expected)] {
            assert!((made - expected).abs().max().into_scalar::<f32>() < 1e-3);
        }
    }

    #[test]
    fn composes_at_the_size_of_the_grid() {
        let device = Device::flex();
        let output = Tensor::random([1, 6, 16, 16], Distribution::Uniform(0.0, 0.2), &device);
        let composition = compose(output, &warp(64, &device));
        assert_eq!(composition.frame.dims(), [1, 3, 64, 64]);
        assert!(composition.frame.is_finite().all().into_scalar::<bool>());
    }
}
