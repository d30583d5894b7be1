//! Divergence: numbers that are none, and losses that run away.

use crate::losses::StepLosses;

/// Steps before the recent mean means something.
const SETTLING: u32 = 50;
/// How much of the recent mean a step replaces.
const RENEWAL: f64 = 0.02;

/// Looks at the losses of every step.
#[derive(Clone, Debug)]
pub(crate) struct Watch {
    /// How many times the recent mean is too much.
    limit: f64,
    mean: f64,
    seen: u32,
}

impl Watch {
    /// Finds a total beyond `limit` times its recent mean.
    pub(crate) fn new(limit: f64) -> Self {
        Self { limit, mean: 0.0, seen: 0 }
    }

    /// What is wrong with a step's losses, if anything is.
    pub(crate) fn look(&mut self, losses: &StepLosses) -> Option<String> {
        if let Some((name, value)) = losses.named().find(|(_, value)| !value.is_finite()) {
            return Some(format!("the {name} loss is {value}"));
        }
        let size = losses.total.abs();
        if self.seen >= SETTLING && size > self.limit * self.mean.max(1e-3) {
            return Some(format!("the loss is {size:.3}, its recent mean {:.3}", self.mean));
        }
        self.seen += 1;
        // A plain mean at first, a moving one later.
        let renewal = RENEWAL.max(1.0 / f64::from(self.seen));
        self.mean += (size - self.mean) * renewal;
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runaway_and_missing_numbers_are_noticed() {
        let losses = |total| StepLosses { total, ..StepLosses::default() };
        let mut watch = Watch::new(10.0);
        assert_eq!(watch.look(&losses(50.0)), None, "the first steps may fall steeply");
        for _ in 0..200 {
            assert_eq!(watch.look(&losses(-1.0)), None);
        }
        assert_eq!(watch.look(&losses(9.0)), None);
        assert!(watch.look(&losses(60.0)).is_some_and(|reason| reason.starts_with("the loss is 60.000")));
        assert_eq!(watch.look(&losses(f64::NAN)), Some("the total loss is NaN".to_owned()));
        let broken = StepLosses { discriminator: Some(f64::INFINITY), ..losses(1.0) };
        assert_eq!(watch.look(&broken), Some("the discriminator loss is inf".to_owned()));
    }
}
