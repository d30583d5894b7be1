//! The error-correcting code: a tail-biting convolutional code of rate 1/4 and constraint length 15, decoded from
//! soft values.
//!
//! The generators are those of the Galileo probe's experimental code (S. Dolinar, "A new code for Galileo", JPL TDA
//! Progress Report 42-93, 1988). Tail-biting spends nothing on bringing the register back to zero, which matters at
//! 60 bits; the decoder goes around the circle until the best path meets itself (the wrap-around Viterbi algorithm of
//! Shao, Lin and Fossorier, 2003).

use std::sync::LazyLock;

use multiversion::multiversion;

/// Coded bits for each bit of the message.
pub(crate) const RATE: usize = 4;

const MEMORY: u32 = 14;
const STATES: usize = 1 << MEMORY;
const GENERATORS: [u32; RATE] = [0o46321, 0o51271, 0o63667, 0o70535];

/// Rounds after which the decoder takes the best path it has. More change nothing in practice.
const MOST_ROUNDS: usize = 4;

/// The coded bits of `message`, as +1 for a zero and -1 for a one: `RATE` for each bit.
///
/// The register holds the newest bit on top; it starts with the message's last bits, so that it ends as it began.
pub(crate) fn encode(message: &[bool]) -> Vec<f32> {
    let mut state = message
        .iter()
        .rev()
        .take(MEMORY as usize)
        .enumerate()
        .fold(0, |state, (age, &bit)| state | u32::from(bit) << (MEMORY as usize - 1 - age));
    let mut coded = Vec::with_capacity(message.len() * RATE);
    for &bit in message {
        let register = u32::from(bit) << MEMORY | state;
        coded.extend(
            (0..RATE).map(|output| if output_bits(register) >> output & 1 == 1 { -1.0 } else { 1.0 }),
        );
        state = register >> 1;
    }
    coded
}

/// The most likely message of `values.len() / RATE` bits, given how strongly each coded bit looks like a zero
/// (positive) or a one (negative).
pub(crate) fn decode(values: &[f32]) -> Vec<bool> {
    let steps = values.len() / RATE;
    let mut metrics = vec![0.0_f32; STATES];
    let mut path = Path { states: Vec::new(), message: Vec::new() };
    for _ in 0..MOST_ROUNDS {
        let survivors = advance(&mut metrics, values);
        path = Path::back(best(&metrics), steps, &survivors);
        if path.states.first() == path.states.last() {
            return path.message;
        }
    }
    // The best path does not meet itself, and near the seam it is wrong at one of its ends: the other is forced on both.
    let ends = [path.states[0], path.states[steps]];
    let closed = ends.map(|end| closed_at(end, values));
    let [first, last] = closed.each_ref().map(|message| correlation(message, values));
    let [from_first, from_last] = closed;
    if first > last { from_first } else { from_last }
}

/// How well the coded `message` fits the values.
pub(crate) fn correlation(message: &[bool], values: &[f32]) -> f32 {
    encode(message).iter().zip(values).map(|(sign, value)| sign * value).sum()
}

/// The best message whose register begins and ends as `end`.
fn closed_at(end: usize, values: &[f32]) -> Vec<bool> {
    let mut metrics = vec![f32::NEG_INFINITY; STATES];
    metrics[end] = 0.0;
    let survivors = advance(&mut metrics, values);
    Path::back(end, values.len() / RATE, &survivors).message
}

/// One round: updates the metric of each state and returns, for each step and state, whether the better predecessor
/// was the one whose oldest bit is set.
fn advance(metrics: &mut Vec<f32>, values: &[f32]) -> Vec<Vec<bool>> {
    let mut next = vec![0.0_f32; STATES];
    let mut survivors = Vec::with_capacity(values.len() / RATE);
    for step in values.as_chunks::<RATE>().0 {
        let mut choices = vec![false; STATES];
        butterflies(&SIGNS, step, metrics, &mut next, &mut choices);
        std::mem::swap(metrics, &mut next);
        survivors.push(choices);
    }
    // Metrics only matter relative to each other; this keeps them small however many rounds there are.
    let best = metrics.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    for metric in metrics.iter_mut() {
        *metric -= best;
    }
    survivors
}

/// For each output, its sign for register `2 i`, whose oldest and newest bits are 0.
static SIGNS: LazyLock<[Vec<f32>; RATE]> = LazyLock::new(|| {
    std::array::from_fn(|output| {
        let sign = |i: u32| if output_bits(2 * i) >> output & 1 == 1 { -1.0 } else { 1.0 };
        (0..STATES as u32 / 2).map(sign).collect()
    })
});

/// One step of the decoder (trellis butterflies). The states `2 i` and `2 i + 1` lead to `i` where the new bit is 0 and to
/// `i + STATES / 2` where it is 1. Every generator taps the oldest and the newest bit, so that either of them inverts all
/// outputs.
#[multiversion(targets("x86_64+avx2+fma", "x86_64+sse4.1", "aarch64+neon"))]
fn butterflies(
    signs: &[Vec<f32>; RATE],
    step: &[f32; RATE],
    metrics: &[f32],
    next: &mut [f32],
    choices: &mut [bool],
) {
    let (zeros, ones) = next.split_at_mut(STATES / 2);
    let (zero_choices, one_choices) = choices.split_at_mut(STATES / 2);
    let [a, b, c, d] = signs;
    let signs = a.iter().zip(b).zip(c.iter().zip(d));
    let states = zeros.iter_mut().zip(zero_choices).zip(ones.iter_mut().zip(one_choices));
    for ((from, ((a, b), (c, d))), ((zero, zero_choice), (one, one_choice))) in
        metrics.as_chunks::<2>().0.iter().zip(signs).zip(states)
    {
        let fit = a * step[0] + b * step[1] + c * step[2] + d * step[3];
        let (from_even, from_odd) = (from[0] + fit, from[1] - fit);
        *zero_choice = from_odd > from_even;
        *zero = from_even.max(from_odd);
        let (from_even, from_odd) = (from[0] - fit, from[1] + fit);
        *one_choice = from_odd > from_even;
        *one = from_even.max(from_odd);
    }
}

fn best(metrics: &[f32]) -> usize {
    let better = |best: usize, state: usize| if metrics[state] > metrics[best] { state } else { best };
    (1..metrics.len()).fold(0, better)
}

struct Path {
    /// From the start of the round to its end, one more than there are steps.
    states: Vec<usize>,
    message: Vec<bool>,
}

impl Path {
    fn back(end: usize, steps: usize, survivors: &[Vec<bool>]) -> Self {
        let (mut states, mut message) = (vec![end; steps + 1], vec![false; steps]);
        for step in (0..steps).rev() {
            let state = states[step + 1];
            message[step] = state >> (MEMORY - 1) == 1;
            states[step] = (state << 1) & (STATES - 1) | usize::from(survivors[step][state]);
        }
        Self { states, message }
    }
}

fn output_bits(register: u32) -> u8 {
    let parity = |generator: &u32| (register & generator).count_ones() as u8 & 1;
    GENERATORS.iter().enumerate().fold(0, |bits, (i, generator)| bits | parity(generator) << i)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(seed: u64) -> Vec<bool> {
        let mut state = seed;
        std::iter::repeat_with(|| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            state >> 63 == 1
        })
        .take(60)
        .collect()
    }

    #[test]
    fn what_was_encoded_is_decoded() {
        for seed in 0..8 {
            assert_eq!(decode(&encode(&message(seed))), message(seed), "seed {seed}");
        }
    }

    /// The distance of the code shows in what it survives: any 40 of the 240 coded bits may be wrong here.
    #[test]
    fn a_sixth_of_the_coded_bits_may_be_wrong() {
        for seed in 0..8 {
            let mut coded = encode(&message(seed));
            for wrong in 0..40 {
                coded[(wrong * 6 + seed as usize) % 240] *= -1.0;
            }
            assert_eq!(decode(&coded), message(seed), "seed {seed}");
        }
    }

    /// A path that does not close is none of the code's messages: single stills were lost that way, with one bit wrong.
    #[test]
    fn in_noise_nothing_fits_better_than_what_is_decoded() {
        let mut noise = normal_numbers(7);
        for seed in 0..60 {
            let sent = message(seed);
            let values: Vec<f32> = encode(&sent).iter().map(|sign| sign + 1.1 * noise()).collect();
            let decoded = decode(&values);
            assert!(correlation(&decoded, &values) >= correlation(&sent, &values) - 1e-3, "seed {seed}");
        }
    }

    /// Sums of twelve uniform numbers: nearly normal, deviation 1.
    fn normal_numbers(seed: u64) -> impl FnMut() -> f32 {
        let mut state = seed;
        move || {
            let uniform = std::iter::repeat_with(|| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                (state >> 40) as f32 / (1_u32 << 24) as f32
            });
            uniform.take(12).sum::<f32>() - 6.0
        }
    }

    /// What the decoder's steps rest on.
    #[test]
    fn outputs_change_sign_with_the_oldest_and_with_the_newest_bit() {
        let all = (1 << RATE) - 1;
        for register in 0..1 << MEMORY {
            assert_eq!(output_bits(register | 1 << MEMORY), output_bits(register) ^ all);
            assert_eq!(output_bits(register ^ 1), output_bits(register) ^ all);
        }
    }

    #[test]
    fn the_code_is_linear_and_rotates_with_its_message() {
        let bits = message(5);
        let mut rotated = bits.clone();
        rotated.rotate_left(1);
        let mut coded = encode(&bits);
        coded.rotate_left(RATE);
        assert_eq!(encode(&rotated), coded);
    }
}
