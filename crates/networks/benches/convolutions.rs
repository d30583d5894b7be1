//! GFLOP/s of our convolution and of Burn's own on the CPU, in one run, for every shape of the presets:
//!
//!     cargo bench -p gioconda-networks --bench convolutions [-- portrait | paper | net]
//!
//! The two take turns and the fastest of several runs counts: what else the machine does only slows. A pass with
//! gradients counts three times the forward work. `GEMM` is what one large matrix product reaches in the same run.
//! `reference-tests/measure.py` prints PyTorch's column of the seven-layer net.

use std::time::Instant;

use gioconda_networks::burn::tensor::module::conv2d;
use gioconda_networks::burn::tensor::ops::ConvOptions;
use gioconda_networks::burn::tensor::{Distribution, Tensor, activation};
use gioconda_networks::{Conv2d, Device, InstanceNorm};

const RUNS: usize = 9;

/// Channels in and out, height and width of the input, kernel, stride.
type Shape = (usize, usize, usize, usize, usize);

/// E, G and D of `portrait`, and VGG16-HED on its 96x96 windows. Kernel 4 stands for a 3x3 kernel with the resampling
/// beside it.
const PORTRAIT: [Shape; 24] = [
    (10, 24, 128, 3, 1),
    (24, 48, 128, 3, 2),
    (48, 48, 64, 3, 1),
    (24, 48, 64, 1, 1),
    (48, 96, 64, 3, 2),
    (96, 96, 32, 3, 1),
    (48, 96, 32, 1, 1),
    (96, 192, 32, 3, 2),
    (192, 192, 16, 3, 1),
    (96, 192, 16, 1, 1),
    (192, 96, 16, 1, 1),
    (192, 48, 32, 1, 1),
    (24, 24, 128, 3, 1),
    (96, 24, 64, 1, 1),
    (48, 6, 128, 3, 1),
    (6, 24, 128, 3, 1),
    (24, 24, 128, 4, 2),
    (48, 48, 64, 4, 2),
    (96, 96, 32, 4, 2),
    (128, 128, 16, 4, 2),
    (128, 128, 4, 3, 1),
    (3, 64, 96, 3, 1),
    (64, 64, 96, 3, 1),
    (128, 128, 48, 3, 1),
];

/// E, G and D of `paper`.
const PAPER: [Shape; 15] = [
    (3, 64, 256, 3, 1),
    (64, 64, 256, 4, 2),
    (64, 128, 128, 3, 1),
    (128, 128, 128, 4, 2),
    (128, 256, 64, 3, 1),
    (256, 256, 64, 4, 2),
    (256, 512, 32, 3, 1),
    (512, 512, 32, 4, 2),
    (512, 512, 16, 3, 1),
    (512, 512, 16, 1, 1),
    (512, 512, 8, 3, 1),
    (512, 512, 8, 4, 2),
    (512, 512, 4, 3, 1),
    (64, 64, 256, 3, 1),
    (64, 3, 256, 3, 1),
];

fn main() {
    let wanted: Vec<String> =
        std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let asked = |name: &str| wanted.is_empty() || wanted.iter().any(|wanted| wanted == name);
    let peak = gemm_peak();
    println!("GEMM 1024x1024x1024: {peak:.0} GFLOP/s\n");
    for (name, shapes, batch) in [("portrait", &PORTRAIT[..], 8), ("paper", &PAPER[..], 2)] {
        if asked(name) {
            println!("{name}, batch {batch}               forward GFLOP/s          forward and backward");
            println!("  in  out size  k s |  ours   flex  ratio  peak |  ours   flex  ratio");
            for &shape in shapes {
                row(shape, batch, peak);
            }
            println!();
        }
    }
    if asked("net") {
        seven_layers(peak);
    }
}

/// GFLOP/s of the best of several products of large matrices, on all threads.
fn gemm_peak() -> f64 {
    let device = Device::flex();
    let matrix = || Tensor::<2>::random([1024, 1024], Distribution::Default, &device);
    let (a, b) = (matrix(), matrix());
    let [seconds] = fastest([&mut || {
        let _ = a.clone().matmul(b.clone()).into_data();
    }]);
    2.0 * 1024f64.powi(3) * 1e-9 / seconds
}

fn row((input, output, size, kernel, stride): Shape, batch: usize, peak: f64) {
    let device = Device::flex();
    let x = Tensor::<4>::random([batch, input, size, size], Distribution::Default, &device);
    let weight = Tensor::<4>::random([output, input, kernel, kernel], Distribution::Default, &device);
    let padding = (kernel - 1) / 2;
    let burns = |x: Tensor<4>, weight: Tensor<4>| {
        conv2d(x, weight, None, ConvOptions::new([stride; 2], [padding; 2], [1, 1], 1))
    };
    let ours =
        |x: Tensor<4>, weight: Tensor<4>| gioconda_networks::convolve(x, weight, None, stride, padding);
    let out = burns(x.clone(), weight.clone());
    let flop = 2.0 * out.shape().num_elements() as f64 * (input * kernel * kernel) as f64 * 1e-9;
    let forward = |convolve: &dyn Fn(Tensor<4>, Tensor<4>) -> Tensor<4>| {
        let _ = convolve(x.clone(), weight.clone());
    };
    let backward = |convolve: &dyn Fn(Tensor<4>, Tensor<4>) -> Tensor<4>| {
        let [x, weight] = [&x, &weight].map(|tensor| tensor.clone().autodiff().require_grad());
        let _ = (convolve(x, weight) * out.clone().autodiff()).sum().backward();
    };
    let [our_forward, their_forward] = fastest([&mut || forward(&ours), &mut || forward(&burns)]);
    let [our_both, their_both] = fastest([&mut || backward(&ours), &mut || backward(&burns)]);
    println!(
        "{input:4} {output:4} {size:4}  {kernel} {stride} | {:5.0}  {:5.0}  {:5.2}  {:3.0}% | {:5.0}  {:5.0}  {:5.2}",
        flop / our_forward,
        flop / their_forward,
        their_forward / our_forward,
        100.0 * flop / our_forward / peak,
        3.0 * flop / our_both,
        3.0 * flop / their_both,
        their_both / our_both,
    );
}

/// The net that the crate was asked to be measured on: 3->32, 32->64 and 64->128 with stride 2, four times 128->128, each with
/// instance norm and ReLU, batch 4 at 128x128.
fn seven_layers(peak: f64) {
    let device = Device::flex();
    let widths =
        [(3, 32, 1), (32, 64, 2), (64, 128, 2), (128, 128, 1), (128, 128, 1), (128, 128, 1), (128, 128, 1)];
    let (mut size, mut flop) = (128, 0.0);
    for (input, output, stride) in widths {
        size /= stride;
        flop += 2e-9 * (4 * output * size * size * input * 9) as f64;
    }
    let layers: Vec<_> = widths
        .iter()
        .map(|&(input, output, stride)| {
            (Conv2d::new(input, output, 3, &device).stride(stride), InstanceNorm::new(output, &device))
        })
        .collect();
    let weights: Vec<_> = widths
        .iter()
        .map(|&(input, output, _)| Tensor::<4>::random([output, input, 3, 3], Distribution::Default, &device))
        .collect();
    let x = Tensor::<4>::random([4, 3, 128, 128], Distribution::Default, &device);
    let ours = || layers.iter().fold(x.clone(), |x, (conv, norm)| norm.forward(conv.forward(x), true));
    let burns = |track: bool| {
        weights.iter().zip(widths).fold(x.clone(), |x, (weight, (_, _, stride))| {
            let weight = if track { weight.clone().autodiff().require_grad() } else { weight.clone() };
            let x = conv2d(x, weight, None, ConvOptions::new([stride; 2], [1, 1], [1, 1], 1));
            let centred = x.clone() - x.mean_dims(&[2, 3]);
            let variance = centred.clone().square().mean_dims(&[2, 3]);
            activation::relu(centred / (variance + 1e-4).sqrt())
        })
    };
    let trained: Vec<_> = layers
        .iter()
        .map(|(conv, norm)| {
            use gioconda_networks::burn::module::Module;
            (conv.clone().train(), norm.clone().train())
        })
        .collect();
    let [our_forward, their_forward] = fastest([&mut || drop(ours()), &mut || drop(burns(false))]);
    let [our_both, their_both] = fastest([
        &mut || {
            let out = trained.iter().fold(x.clone(), |x, (conv, norm)| norm.forward(conv.forward(x), true));
            let _ = out.square().mean().backward();
        },
        &mut || {
            let _ = burns(true).square().mean().backward();
        },
    ]);
    println!("seven layers, batch 4 at 128x128 with norm and ReLU: {flop:.2} GFLOP forward");
    for (name, ours, theirs, times) in
        [("forward", our_forward, their_forward, 1.0), ("forward and backward", our_both, their_both, 3.0)]
    {
        println!(
            "{name:20} ours {:4.0} GFLOP/s ({:.0} % of GEMM), flex {:4.0}, ratio {:.2}",
            times * flop / ours,
            100.0 * times * flop / ours / peak,
            times * flop / theirs,
            theirs / ours
        );
    }
}

/// Seconds of the fastest run of each, taking turns.
fn fastest<const N: usize>(mut runs: [&mut dyn FnMut(); N]) -> [f64; N] {
    let mut best = [f64::INFINITY; N];
    for _ in 0..=RUNS {
        for (run, best) in runs.iter_mut().zip(&mut best) {
            let start = Instant::now();
            run();
            *best = best.min(start.elapsed().as_secs_f64());
        }
    }
    best
}
