//! Forward and gradients against the written-out sums, in f64, over random sizes.

use gioconda_kernels::Convolution;

/// Every product of the convolution: calls `each` with the indices of output, input (none in the padding) and weight.
fn products(c: &Convolution, mut each: impl FnMut(usize, Option<usize>, usize)) {
    let [height, width] = c.output_size();
    for n in 0..c.batch {
        for o in 0..c.outputs {
            for y in 0..height {
                for x in 0..width {
                    let output = ((n * c.outputs + o) * height + y) * width + x;
                    for i in 0..c.inputs {
                        for ky in 0..c.kernel[0] {
                            for kx in 0..c.kernel[1] {
                                let row = (y * c.stride[0] + ky).checked_sub(c.padding[0]);
                                let column = (x * c.stride[1] + kx).checked_sub(c.padding[1]);
                                let input = row.zip(column).filter(|&(y, x)| y < c.size[0] && x < c.size[1]);
                                let input =
                                    input.map(|(y, x)| ((n * c.inputs + i) * c.size[0] + y) * c.size[1] + x);
                                let weight = ((o * c.inputs + i) * c.kernel[0] + ky) * c.kernel[1] + kx;
                                each(output, input, weight);
                            }
                        }
                    }
                }
            }
        }
    }
}

fn random(random: &mut fastrand::Rng, len: usize) -> Vec<f32> {
    (0..len).map(|_| random.f32() * 2.0 - 1.0).collect()
}

/// Largest difference, in units of the largest expected value.
fn error(values: &[f32], expected: &[f64]) -> f64 {
    assert_eq!(values.len(), expected.len());
    let largest = expected.iter().fold(1e-30, |largest: f64, value| largest.max(value.abs()));
    let differences =
        values.iter().zip(expected).map(|(&value, expected)| (f64::from(value) - expected).abs());
    differences.fold(0.0, f64::max) / largest
}

fn check(c: Convolution, rng: &mut fastrand::Rng) {
    let (x, weight) = (random(rng, c.input_len()), random(rng, c.weight_len()));
    let (bias, gradient) = (random(rng, c.outputs), random(rng, c.output_len()));
    let pixels = c.output_len() / c.batch / c.outputs;
    let mut out: Vec<f64> = (0..c.output_len()).map(|i| f64::from(bias[i / pixels % c.outputs])).collect();
    let mut of_x = vec![0.0; c.input_len()];
    let mut of_weight = vec![0.0; c.weight_len()];
    products(&c, |output, input, tap| {
        let Some(input) = input else { return };
        out[output] += f64::from(x[input]) * f64::from(weight[tap]);
        of_x[input] += f64::from(gradient[output]) * f64::from(weight[tap]);
        of_weight[tap] += f64::from(gradient[output]) * f64::from(x[input]);
    });
    let of_bias: Vec<f64> = (0..c.outputs)
        .map(|o| {
            (0..c.output_len()).filter(|i| i / pixels % c.outputs == o).map(|i| f64::from(gradient[i])).sum()
        })
        .collect();
    for (name, error) in [
        ("forward", error(&c.forward(&x, &weight, &bias), &out)),
        ("input gradient", error(&c.input_gradient(&gradient, &weight), &of_x)),
        ("weight gradient", error(&c.weight_gradient(&x, &gradient), &of_weight)),
        ("bias gradient", error(&c.bias_gradient(&gradient), &of_bias)),
    ] {
        assert!(error < 1e-5, "{name} of {c:?}: {error:e}");
    }
}

/// The kernels, strides and paddings of our networks, the odd ones between, maps down to one pixel, batches to nine.
#[test]
fn random_sizes() {
    let mut rng = fastrand::Rng::with_seed(5);
    for kernel in [1, 2, 3, 4, 5, 7] {
        for stride in 1..=3 {
            for padding in 0..=kernel / 2 {
                for _ in 0..6 {
                    let mut size = || rng.usize(1.max(kernel - 2 * padding)..=21);
                    let size = [size(), size()];
                    let c = Convolution {
                        batch: rng.usize(1..=9),
                        inputs: rng.usize(1..=11),
                        outputs: rng.usize(1..=11),
                        size,
                        kernel: [kernel; 2],
                        stride: [stride; 2],
                        padding: [padding; 2],
                    };
                    check(c, &mut rng);
                }
            }
        }
    }
}

#[test]
fn height_and_width_may_differ_in_everything() {
    let mut rng = fastrand::Rng::with_seed(6);
    for (kernel, stride, padding) in
        [([1, 3], [1, 1], [0, 1]), ([3, 1], [2, 1], [1, 0]), ([4, 2], [1, 2], [3, 0])]
    {
        check(
            Convolution { batch: 2, inputs: 3, outputs: 5, size: [40, 70], kernel, stride, padding },
            &mut rng,
        );
    }
}

/// Enough channels and pixels for tiles of 2x2 and of 4x4 outputs, which odd sizes, paddings and strides cut.
#[test]
fn random_sizes_in_tiles() {
    let mut rng = fastrand::Rng::with_seed(8);
    for (kernel, stride, padding) in [
        (3, 1, 1),
        (3, 1, 0),
        (3, 1, 2),
        (2, 1, 0),
        (2, 1, 1),
        (4, 2, 1),
        (4, 2, 0),
        (4, 2, 3),
        (6, 2, 2),
        (6, 3, 1),
    ] {
        for _ in 0..3 {
            let c = Convolution {
                batch: rng.usize(1..=3),
                inputs: rng.usize(16..=25),
                outputs: rng.usize(16..=25),
                size: [rng.usize(2 * stride + 4..=50), rng.usize(14 * stride..=50)],
                kernel: [kernel; 2],
                stride: [stride; 2],
                padding: [padding; 2],
            };
            check(c, &mut rng);
        }
    }
}

/// Sizes at which several bands, groups of channels and whole tiles occur.
#[test]
fn sizes_of_the_portrait_preset() {
    let mut rng = fastrand::Rng::with_seed(7);
    for (inputs, outputs, size, kernel, stride) in
        [(10, 24, 128, 3, 1), (24, 48, 64, 3, 2), (48, 6, 64, 3, 1), (96, 48, 32, 1, 1), (24, 24, 64, 4, 2)]
    {
        let c = Convolution {
            batch: 2,
            inputs,
            outputs,
            size: [size; 2],
            kernel: [kernel; 2],
            stride: [stride; 2],
            padding: [(kernel - 1) / 2; 2],
        };
        check(c, &mut rng);
    }
}

#[test]
fn the_same_threads_give_the_same_bits() {
    let mut rng = fastrand::Rng::with_seed(8);
    let c = Convolution {
        batch: 3,
        inputs: 12,
        outputs: 9,
        size: [33, 47],
        kernel: [3; 2],
        stride: [1; 2],
        padding: [1; 2],
    };
    let (x, weight) = (random(&mut rng, c.input_len()), random(&mut rng, c.weight_len()));
    let gradient = random(&mut rng, c.output_len());
    let run = || {
        (c.forward(&x, &weight, &[]), c.input_gradient(&gradient, &weight), c.weight_gradient(&x, &gradient))
    };
    let first = run();
    for _ in 0..10 {
        assert!(run() == first);
    }
}
