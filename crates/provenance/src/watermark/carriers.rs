//! The waves that carry the mark: a tile of 128 x 128 units, repeated over the frame, is the sum of sine waves with
//! whole numbers of cycles a tile. Each wave has two components in quadrature, and each of them carries the sign of
//! one coded bit; every eighth wave is a pilot of known phase, by which a reader finds scale and position.
//!
//! Which wave does what is shuffled by a key. The key is in this source, so it hides nothing: it keeps the mark apart
//! from those of other programs.

use num_complex::Complex32;
use sha2::{Digest, Sha256};

use super::code;
use super::payload::MESSAGE_BITS;
use super::spectrum::Spectrum;
use super::wave::Wave;

/// Units across a tile.
pub(crate) const TILE_UNITS: f32 = 128.0;

/// Waves of fewer cycles a tile drown in what pictures show; waves of more are the first that compression and
/// scaling take away.
const FEWEST_CYCLES: f32 = 3.0;
const MOST_CYCLES: f32 = 18.0;

const PILOT_SHARE: usize = 8;
const KEY: &[u8] = b"Gioconda watermark, layout 1";

/// One of the two components of a data wave.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Component {
    /// Which coded bit it carries.
    pub(crate) bit: usize,
    /// +1 or -1: how the component stands for a zero.
    pub(crate) sign: f32,
}

/// Every wave and what it does.
pub(crate) struct Carriers {
    /// With the phase factor each pilot has at the tile's corner, of length 1.
    pub(crate) pilots: Vec<(Wave, Complex32)>,
    /// With the real and the imaginary component.
    pub(crate) data: Vec<(Wave, [Component; 2])>,
}

impl Carriers {
    pub(crate) fn new() -> Self {
        let mut key = KeyStream::new();
        let mut waves = waves();
        key.shuffle(&mut waves);
        let data_waves = waves.split_off(waves.len() / PILOT_SHARE);
        let pilots = waves
            .into_iter()
            .map(|wave| (wave, Complex32::new(key.sign(), key.sign()) * std::f32::consts::FRAC_1_SQRT_2))
            .collect();
        let coded_bits = MESSAGE_BITS * code::RATE;
        let mut bits: Vec<usize> =
            (0..2 * data_waves.len()).map(|component| component % coded_bits).collect();
        key.shuffle(&mut bits);
        let mut bits = bits.into_iter();
        let mut component =
            || Component { bit: bits.next().expect("two for each wave were made"), sign: key.sign() };
        let data = data_waves.into_iter().map(|wave| (wave, [component(), component()])).collect();
        Self { pilots, data }
    }

    /// One tile that says `message`, of root mean square 1, as `SAMPLES` x `SAMPLES` samples.
    pub(crate) fn tile<const SAMPLES: usize>(&self, message: &[bool]) -> Vec<f32> {
        let coded = code::encode(message);
        let mut spectrum = Spectrum::zero(SAMPLES);
        for (wave, phase) in &self.pilots {
            spectrum.set(*wave, phase * wave.amplitude());
        }
        for (wave, [real, imaginary]) in &self.data {
            let value = Complex32::new(coded[real.bit] * real.sign, coded[imaginary.bit] * imaginary.sign);
            spectrum.set(*wave, value * (std::f32::consts::FRAC_1_SQRT_2 * wave.amplitude()));
        }
        let mut samples = spectrum.into_samples();
        let power = samples.iter().map(|sample| sample * sample).sum::<f32>() / samples.len() as f32;
        for sample in &mut samples {
            *sample /= power.sqrt();
        }
        samples
    }
}

/// All waves of the band, one of each pair that differ by direction only.
fn waves() -> Vec<Wave> {
    let most = MOST_CYCLES as i32;
    let grid = (-most..=most).flat_map(|down| (0..=most).map(move |across| Wave { across, down }));
    grid.filter(|wave| wave.across > 0 || wave.down > 0)
        .filter(|wave| (FEWEST_CYCLES..=MOST_CYCLES).contains(&wave.cycles()))
        .collect()
}

/// Numbers from the key, the same on every machine and in every version: SHA-256 in counter mode.
struct KeyStream {
    counter: u64,
    block: [u8; 32],
    used: usize,
}

impl KeyStream {
    fn new() -> Self {
        Self { counter: 0, block: [0; 32], used: 32 }
    }

    fn next(&mut self) -> u32 {
        if self.used == self.block.len() {
            self.block =
                Sha256::new().chain_update(KEY).chain_update(self.counter.to_le_bytes()).finalize().into();
            self.counter += 1;
            self.used = 0;
        }
        let [a, b, c, d] = [0, 1, 2, 3].map(|i| self.block[self.used + i]);
        self.used += 4;
        u32::from_le_bytes([a, b, c, d])
    }

    fn sign(&mut self) -> f32 {
        if self.next() >> 31 == 1 { -1.0 } else { 1.0 }
    }

    fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            let other = (u64::from(self.next()) * (last as u64 + 1)) >> 32;
            items.swap(last, other as usize);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_coded_bit_has_several_carriers_and_the_pilots_are_an_eighth() {
        let carriers = Carriers::new();
        let mut counts = vec![0; MESSAGE_BITS * code::RATE];
        for (_, components) in &carriers.data {
            for component in components {
                counts[component.bit] += 1;
            }
        }
        assert!(counts.iter().all(|count| (3..=4).contains(count)), "{counts:?}");
        assert_eq!(carriers.pilots.len(), (carriers.pilots.len() + carriers.data.len()) / PILOT_SHARE);
    }

    /// A change here makes every mark written so far unreadable: it needs another layout.
    #[test]
    fn the_key_stream_stays_what_it_is() {
        let carriers = Carriers::new();
        let mut digest = Sha256::new();
        for (wave, components) in &carriers.data {
            digest.update([wave.across as u8, wave.down as u8]);
            for c in components {
                digest.update([c.bit as u8, u8::from(c.sign > 0.0)]);
            }
        }
        assert_eq!(digest.finalize()[..6], [0xfe, 0x3c, 0xc7, 0xb6, 0x3e, 0xe3]);
    }

    #[test]
    fn finer_samples_are_the_same_tile() {
        let carriers = Carriers::new();
        let message = [true; MESSAGE_BITS];
        let (coarse, fine) = (carriers.tile::<64>(&message), carriers.tile::<128>(&message));
        for (i, sample) in coarse.iter().enumerate() {
            let (x, y) = (i % 64, i / 64);
            assert!((sample - fine[2 * y * 128 + 2 * x]).abs() < 1e-3);
        }
    }
}
