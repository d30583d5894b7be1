//! Our convolution and instance norm on the CPU against Burn's own operations, forward and backward, over random sizes.

use gioconda_networks::burn::tensor::module::conv2d;
use gioconda_networks::burn::tensor::ops::ConvOptions;
use gioconda_networks::burn::tensor::{Distribution, Tensor, activation};
use gioconda_networks::{Device, Psi, convolve};

/// Relative to the largest value; sums of up to a thousand products in two orders.
const TOLERANCE: f32 = 1e-5;

fn normal<const D: usize>(shape: [usize; D]) -> Tensor<D> {
    Tensor::random(shape, Distribution::Normal(0.0, 1.0), &Device::flex())
}

fn assert_close<const D: usize>(ours: Tensor<D>, burns: Tensor<D>, what: &str) {
    assert_eq!(ours.dims(), burns.dims(), "{what}");
    let (ours, burns) = (ours.without_autodiff(), burns.without_autodiff());
    let largest = burns.clone().abs().max().into_scalar::<f32>().max(f32::MIN_POSITIVE);
    let error = (ours - burns).abs().max().into_scalar::<f32>() / largest;
    assert!(error < TOLERANCE, "{what}: {error:e}");
}

#[test]
fn convolution_with_all_gradients() {
    Device::flex().seed(11);
    let mut rng = fastrand::Rng::with_seed(11);
    for kernel in [1, 3, 4, 7] {
        for stride in [1, 2] {
            for padding in 0..=kernel / 2 {
                for _ in 0..3 {
                    let mut size = || rng.usize(1.max(kernel - 2 * padding)..=40);
                    let (height, width) = (size(), size());
                    let [batch, input, output] = [9, 13, 13].map(|most| rng.usize(1..=most));
                    let what = format!(
                        "{batch}x{input}x{height}x{width} to {output}, kernel {kernel}, stride {stride}, padding {padding}"
                    );
                    let options = || ConvOptions::new([stride; 2], [padding; 2], [1, 1], 1);
                    let inputs = (
                        normal([batch, input, height, width]),
                        normal([output, input, kernel, kernel]),
                        normal([output]),
                    );
                    let track = || {
                        let (x, weight, bias) = inputs.clone();
                        (
                            x.autodiff().require_grad(),
                            weight.autodiff().require_grad(),
                            bias.autodiff().require_grad(),
                        )
                    };
                    let (ours, burns) = (track(), track());
                    let our_out =
                        convolve(ours.0.clone(), ours.1.clone(), Some(ours.2.clone()), stride, padding);
                    let burns_out =
                        conv2d(burns.0.clone(), burns.1.clone(), Some(burns.2.clone()), options());
                    assert_close(our_out.clone(), burns_out.clone(), &what);
                    let weights =
                        our_out.clone().without_autodiff().random_like(Distribution::Normal(0.0, 1.0));
                    let our_gradients = (our_out * weights.clone().autodiff()).sum().backward();
                    let burns_gradients = (burns_out * weights.autodiff()).sum().backward();
                    let expect = "every input is tracked";
                    assert_close(
                        ours.0.grad(&our_gradients).expect(expect),
                        burns.0.grad(&burns_gradients).expect(expect),
                        &format!("input gradient, {what}"),
                    );
                    assert_close(
                        ours.1.grad(&our_gradients).expect(expect),
                        burns.1.grad(&burns_gradients).expect(expect),
                        &format!("weight gradient, {what}"),
                    );
                    assert_close(
                        ours.2.grad(&our_gradients).expect(expect),
                        burns.2.grad(&burns_gradients).expect(expect),
                        &format!("bias gradient, {what}"),
                    );
                }
            }
        }
    }
}

#[test]
fn views_are_read_in_their_order() {
    let x = normal([2, 6, 9, 10]).swap_dims(2, 3).narrow(1, 2, 3); // [2, 3, 10, 9]
    let weight = normal([3, 4, 3, 3]).swap_dims(0, 1); // [4, 3, 3, 3]
    let options = ConvOptions::new([1, 1], [1, 1], [1, 1], 1);
    let burns = conv2d(x.clone(), weight.clone(), None, options);
    assert_close(convolve(x, weight, None, 1, 1), burns, "views");
}

#[test]
fn adaptive_norm_is_what_it_is_made_of() {
    for (people, relu) in [(3, true), (1, false)] {
        let (x, psi) = (normal([3, 5, 7, 9]) * 2.0 + 4.0, normal([people, 10]));
        let centred = x.clone() - x.clone().mean_dims(&[2, 3]);
        let variance = centred.clone().square().mean_dims(&[2, 3]);
        let value = |first: usize| psi.clone().narrow(1, first, 5).reshape([people, 5, 1, 1]);
        let expected = centred / (variance + 1e-4).sqrt() * value(5) + value(0);
        let expected = if relu { activation::relu(expected) } else { expected };
        assert_close(Psi::new(psi.clone()).adain(x, relu), expected, "AdaIN");
    }
}
