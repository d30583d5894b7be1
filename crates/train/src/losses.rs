//! The losses of a step, as numbers.

use std::ops::{Add, Mul};

use serde::Serialize;

/// The losses of one step, averaged over devices and accumulated passes. Unweighted except `content` and `total`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct StepLosses {
    /// What E, G and P are trained to lower.
    pub total: f64,
    /// Reconstruction.
    pub pixel: f64,
    /// Logarithm of the frame's squared error.
    pub psnr: f64,
    /// Perceptual networks.
    pub content: f64,
    /// Hinge term of the generator.
    pub adversarial: f64,
    /// Feature matching.
    pub feature_matching: f64,
    /// |ê - Wᵢ|.
    pub matching: f64,
    /// Lips and lids that are elsewhere.
    pub landmarks: f64,
    /// Openings of mouth and eyes that are other than wanted.
    pub openings: f64,
    /// Unlikeness to the photo's person.
    pub identity: f64,
    /// Hinge loss of the discriminator; `None` while it does not take part.
    pub discriminator: Option<f64>,
}

impl StepLosses {
    /// The losses by name, those that are computed.
    pub fn named(&self) -> impl Iterator<Item = (&'static str, f64)> + use<> {
        let terms = [
            ("total", Some(self.total)),
            ("pixel", Some(self.pixel)),
            ("psnr", Some(self.psnr)),
            ("content", Some(self.content)),
            ("adversarial", Some(self.adversarial)),
            ("feature_matching", Some(self.feature_matching)),
            ("matching", Some(self.matching)),
            ("landmarks", Some(self.landmarks)),
            ("openings", Some(self.openings)),
            ("identity", Some(self.identity)),
            ("discriminator", self.discriminator),
        ];
        terms.into_iter().filter_map(|(name, value)| Some((name, value?)))
    }
}

impl Add for StepLosses {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        let sum = |a: Option<f64>, b: Option<f64>| a.map_or(b, |a| Some(a + b.unwrap_or(0.0)));
        Self {
            total: self.total + other.total,
            pixel: self.pixel + other.pixel,
            psnr: self.psnr + other.psnr,
            content: self.content + other.content,
            adversarial: self.adversarial + other.adversarial,
            feature_matching: self.feature_matching + other.feature_matching,
            matching: self.matching + other.matching,
            landmarks: self.landmarks + other.landmarks,
            openings: self.openings + other.openings,
            identity: self.identity + other.identity,
            discriminator: sum(self.discriminator, other.discriminator),
        }
    }
}

impl Mul<f64> for StepLosses {
    type Output = Self;

    fn mul(self, factor: f64) -> Self {
        Self {
            total: self.total * factor,
            pixel: self.pixel * factor,
            psnr: self.psnr * factor,
            content: self.content * factor,
            adversarial: self.adversarial * factor,
            feature_matching: self.feature_matching * factor,
            matching: self.matching * factor,
            landmarks: self.landmarks * factor,
            openings: self.openings * factor,
            identity: self.identity * factor,
            discriminator: self.discriminator.map(|loss| loss * factor),
        }
    }
}
