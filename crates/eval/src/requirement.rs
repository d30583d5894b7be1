//! Thresholds that a run must reach: `psnr>=24`, `self.perceptual<0.2`.

use std::fmt;
use std::str::FromStr;

use crate::measures::{MEASURES, measure};
use crate::report::Report;
use crate::settings::Protocol;

/// A threshold for the mean of what is judged.
#[derive(Clone, Debug, PartialEq)]
pub struct Requirement {
    /// One protocol, or every one that has the measure.
    protocol: Option<Protocol>,
    measure: &'static str,
    relation: Relation,
    limit: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Relation {
    AtLeast,
    AtMost,
    More,
    Less,
}

/// Longer signs first: `>=` begins with `>`.
const SIGNS: [(&str, Relation); 4] =
    [(">=", Relation::AtLeast), ("<=", Relation::AtMost), (">", Relation::More), ("<", Relation::Less)];

impl Requirement {
    /// Why `report` does not meet it, a line each.
    pub fn misses(&self, report: &Report) -> Vec<String> {
        let parts =
            report.protocols.iter().filter(|part| self.protocol.is_none_or(|wanted| wanted == part.protocol));
        let measured: Vec<(Protocol, f64)> = parts
            .filter_map(|part| Some((part.protocol, *part.row(&part.judged)?.get(self.measure)?)))
            .collect();
        if measured.is_empty() {
            return vec![format!("required {self}, but it was not measured")];
        }
        let missed = measured.into_iter().filter(|(_, value)| !self.holds(*value));
        missed
            .map(|(protocol, value)| format!("required {self}, but {} gave {value:.4}", protocol.name()))
            .collect()
    }

    fn holds(&self, value: f64) -> bool {
        match self.relation {
            Relation::AtLeast => value >= self.limit,
            Relation::AtMost => value <= self.limit,
            Relation::More => value > self.limit,
            Relation::Less => value < self.limit,
        }
    }
}

impl fmt::Display for Requirement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign =
            SIGNS.iter().find(|(_, relation)| *relation == self.relation).map_or("", |(sign, _)| *sign);
        let protocol = self.protocol.map(|protocol| format!("{}.", protocol.name())).unwrap_or_default();
        write!(f, "{protocol}{}{sign}{}", self.measure, self.limit)
    }
}

impl FromStr for Requirement {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let shape = || "not of the form [PROTOCOL.]MEASURE>=NUMBER (or <=, >, <)".to_owned();
        let (name, relation, limit) = SIGNS
            .iter()
            .find_map(|(sign, relation)| text.split_once(sign).map(|(name, limit)| (name, *relation, limit)))
            .ok_or_else(shape)?;
        let (protocol, name) = match name.trim().split_once('.') {
            None => (None, name.trim()),
            Some((protocol, name)) => {
                let known = Protocol::ALL.into_iter().find(|known| known.name() == protocol);
                (Some(known.ok_or("the protocol is self, cross or few-shot")?), name)
            }
        };
        let known = || MEASURES.map(|measure| measure.name).join(", ");
        let measure =
            measure(name).ok_or_else(|| format!("no measure is called `{name}`; there are {}", known()))?;
        let limit: f64 = limit.trim().parse().map_err(|_| shape())?;
        if !limit.is_finite() {
            return Err(shape());
        }
        Ok(Self { protocol, measure: measure.name, relation, limit })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thresholds_are_parsed_or_refused() {
        for text in ["psnr>=24", "self.psnr_face>24.5", "few-shot.csim<1", "no_face<=0"] {
            let requirement: Requirement = text.parse().unwrap();
            assert_eq!(requirement.to_string(), text);
        }
        for text in ["psnr", "psnr=24", "psnr>=much", "beauty>=1", "none.psnr>=1", "psnr>=NaN", ""] {
            assert!(text.parse::<Requirement>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_threshold_on_the_line_is_met_only_by_the_closed_signs() {
        let holds = |text: &str| text.parse::<Requirement>().unwrap().holds(24.0);
        assert!(holds("psnr>=24") && holds("psnr<=24") && !holds("psnr>24") && !holds("psnr<24"));
    }
}
