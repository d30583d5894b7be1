//! Deterministic changes to files: what a fuzzer tries first, without one.

/// Ends and landmarks of what a number in a file may be.
const NUMBERS: [u64; 7] = [0, 1, u64::MAX, 1 << 31, 1 << 32, 1 << 40, 1 << 63];
/// Bytes that mean something to the formats that are read.
const BYTES: &[u8] = b"\0\x7f\x80\xff09\"{}[],-";
/// Numbers as text.
const DIGITS: [&str; 5] = ["9", "99999999999", "-1", "1e308", "0"];

/// Calls `run` with `bytes` as they are, cut short, and `count` times changed: single bits and bytes, numbers, and
/// stretches repeated or removed. Half of the changes fall into the first 4 KB, where headers are.
pub fn each(bytes: &[u8], count: usize, run: impl Fn(&[u8])) {
    run(bytes);
    for length in [0, 1, 7, 8, 9, bytes.len() / 2, bytes.len().saturating_sub(1)] {
        run(&bytes[..length.min(bytes.len())]);
    }
    let mut random = fastrand::Rng::with_seed(7);
    for round in 0..count {
        let mut damaged = bytes.to_vec();
        for _ in 0..random.usize(1..4) {
            let reach = if round % 2 == 0 { damaged.len().min(4096) } else { damaged.len() };
            if reach > 0 {
                damage(&mut damaged, random.usize(..reach), &mut random);
            }
        }
        run(&damaged);
    }
}

/// One change at `at`.
fn damage(bytes: &mut Vec<u8>, at: usize, random: &mut fastrand::Rng) {
    let end = (at + random.usize(1..64)).min(bytes.len());
    match random.u8(..6) {
        0 => bytes[at] ^= 1 << random.u8(..8),
        1 => bytes[at] = BYTES[random.usize(..BYTES.len())],
        2 => {
            let end = (at + 8).min(bytes.len());
            let number = NUMBERS[random.usize(..NUMBERS.len())].to_le_bytes();
            bytes[at..end].copy_from_slice(&number[..end - at]);
        }
        3 => _ = bytes.splice(at..at, DIGITS[random.usize(..DIGITS.len())].bytes()).count(),
        4 => _ = bytes.drain(at..end).count(),
        _ => {
            let stretch = bytes[at..end].to_vec();
            bytes.splice(at..at, stretch);
        }
    }
}
