//! What the outside world computed, for tests: `reference-tests/metrics.json` and the pictures that both sides make.

use image::{Rgb, RgbImage};
use serde_json::Value;

/// The committed numbers.
pub(crate) fn metrics() -> Value {
    serde_json::from_str(include_str!("../../../reference-tests/metrics.json"))
        .expect("the committed fixture is JSON")
}

pub(crate) fn number(fixtures: &Value, name: &str) -> f64 {
    fixtures[name].as_f64().unwrap_or_else(|| panic!("the fixture holds no number {name}"))
}

pub(crate) fn rows(fixtures: &Value, name: &str) -> Vec<Vec<f64>> {
    serde_json::from_value(fixtures[name].clone()).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// The picture that `make_metric_fixtures.py` calls `picture(other)`: integers only, so that both languages agree.
pub(crate) fn picture(other: bool) -> RgbImage {
    RgbImage::from_fn(192, 176, |x, y| {
        let base = (x * x / 7 + 3 * y + x * y / 11) % 256;
        let colour = |c: u32| (base + 40 * c + if other { (x * 5 + y * 13 + c * 7) % 61 } else { 0 }) % 256;
        Rgb([colour(0) as u8, colour(1) as u8, colour(2) as u8])
    })
}
