//! Two reports side by side: how much each measure changed, how sure that is, and which clips moved most.

use std::collections::HashMap;
use std::path::Path;

use fastrand::Rng;
use gioconda_media::OneLine;
use serde::Serialize;

use crate::measures::{Better, MEASURES, MeasureInfo};
use crate::report::{ProtocolReport, Report};
use crate::score::Case;
use crate::settings::Protocol;
use crate::table::{align_right, heading, markdown_table};
use crate::{Error, Result};

/// Samples of the bootstrap.
const SAMPLES: usize = 10_000;
/// Most cases drawn in all bootstrap samples together: with more than 2,000 cases, fewer samples are drawn.
const MOST_DRAWS: usize = 20_000_000;
/// Fewest bootstrap samples, however many cases there are.
const FEWEST_SAMPLES: usize = 400;
/// Random seed of the bootstrap, independent of a run's.
const SEED: u64 = 1;
/// Clips named for each measure.
const MOVED: usize = 3;

/// How one measure changed.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Change {
    /// The measure.
    pub measure: &'static str,
    /// Cases that both reports have it of.
    pub cases: usize,
    /// Mean of the first report.
    pub before: f64,
    /// Mean of the second.
    pub after: f64,
    /// Mean of the differences, second less first.
    pub difference: f64,
    /// Where 95 % of the bootstrap's means lie; cases are drawn with replacement.
    pub interval: [f64; 2],
    /// The cases that changed most, and by how much.
    pub moved: Vec<(String, f64)>,
}

/// How one protocol's results changed.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Comparison {
    /// Which.
    pub protocol: Protocol,
    /// The judged rows, the first report's and the second's.
    pub judged: [String; 2],
    /// What differs between the two runs besides what is judged; differences may then come from that.
    pub warnings: Vec<String>,
    /// A row for each measure, the Fréchet distance aside: it has no value for a single case.
    pub changes: Vec<Change>,
}

/// Compares two report files.
///
/// # Errors
/// When one cannot be read, or they have no case in common.
pub fn compare(a: &Path, b: &Path) -> Result<Vec<Comparison>> {
    let reports = [Report::read(a)?, Report::read(b)?];
    let comparisons: Vec<Comparison> = reports[0]
        .protocols
        .iter()
        .filter_map(|first| {
            let second = reports[1].protocols.iter().find(|second| second.protocol == first.protocol)?;
            let changes = changes(first, second);
            let judged = [first.judged.clone(), second.judged.clone()];
            let warnings = warnings(&reports);
            (!changes.is_empty()).then_some(Comparison {
                protocol: first.protocol,
                judged,
                warnings,
                changes,
            })
        })
        .collect();
    if comparisons.is_empty() {
        return Err(Error::NothingShared { a: a.into(), b: b.into() });
    }
    Ok(comparisons)
}

fn warnings([a, b]: &[Report; 2]) -> Vec<String> {
    let frames = |frames: Option<usize>| frames.map_or("all".to_owned(), |frames| frames.to_string());
    let mut warnings = Vec::new();
    if a.request.frames != b.request.frames {
        warnings.push(format!(
            "different frames: {} and {}",
            frames(a.request.frames),
            frames(b.request.frames)
        ));
    }
    if a.request.side != b.request.side {
        warnings.push(format!("crops of different sizes: {} and {} pixels", a.request.side, b.request.side));
    }
    if a.instruments != b.instruments {
        warnings.push("measured with different networks".to_owned());
    }
    warnings
}

fn changes(a: &ProtocolReport, b: &ProtocolReport) -> Vec<Change> {
    // Of several cases with the same name, the first counts.
    let by_name: HashMap<&str, &Case> = b.cases.iter().rev().map(|case| (case.name.as_str(), case)).collect();
    MEASURES
        .iter()
        .filter(|info| info.better != Better::Neither)
        .filter_map(|info| {
            let mut pairs: Vec<(String, f64, f64)> = a
                .cases
                .iter()
                .filter_map(|first| {
                    let second = by_name.get(first.name.as_str())?;
                    let before = first.row(&a.judged)?.get(info.name)?;
                    Some((first.name.clone(), *before, *second.row(&b.judged)?.get(info.name)?))
                })
                .collect();
            (!pairs.is_empty()).then(|| change(info, &mut pairs))
        })
        .collect()
}

fn change(info: &MeasureInfo, pairs: &mut [(String, f64, f64)]) -> Change {
    let mean = |of: fn(&(String, f64, f64)) -> f64| pairs.iter().map(of).sum::<f64>() / pairs.len() as f64;
    let (before, after) = (mean(|pair| pair.1), mean(|pair| pair.2));
    let differences: Vec<f64> = pairs.iter().map(|(_, before, after)| after - before).collect();
    let difference = mean(|pair| pair.2 - pair.1);
    pairs.sort_by(|a, b| (b.2 - b.1).abs().total_cmp(&(a.2 - a.1).abs()));
    Change {
        measure: info.name,
        cases: pairs.len(),
        before,
        after,
        difference,
        interval: bootstrap(&differences),
        moved: pairs.iter().take(MOVED).map(|(name, before, after)| (name.clone(), after - before)).collect(),
    }
}

/// The interval that holds 95 % of the means of samples drawn with replacement (Efron's percentiles).
fn bootstrap(differences: &[f64]) -> [f64; 2] {
    let mut rng = Rng::with_seed(SEED);
    let count = differences.len();
    // With many cases the interval is narrow, and fewer samples tell its ends as well.
    let samples = (MOST_DRAWS / count.max(1)).clamp(FEWEST_SAMPLES, SAMPLES);
    let mut means: Vec<f64> = (0..samples)
        .map(|_| (0..count).map(|_| differences[rng.usize(..count)]).sum::<f64>() / count as f64)
        .collect();
    means.sort_by(f64::total_cmp);
    [means[samples / 40], means[samples - 1 - samples / 40]]
}

/// Comparisons as Markdown tables.
pub fn comparison_markdown(comparisons: &[Comparison]) -> String {
    let parts = comparisons.iter().map(|comparison| {
        // Names of rows and cases come from the files: each is shown on one line, control characters escaped.
        let [first, second] = comparison.judged.each_ref().map(|judged| OneLine(judged).to_string());
        let headings =
            ["", "cases", first.as_str(), second.as_str(), "difference", "95 % interval", "", "moved most"];
        let mut table = markdown_table(headings.into_iter().map(str::to_owned));
        for change in &comparison.changes {
            table.add_row(row(change));
        }
        align_right(&mut table);
        let warnings: Vec<_> =
            comparison.warnings.iter().map(|warning| format!("Careful: {warning}.\n\n")).collect();
        let warnings = warnings.concat();
        format!("## {}: {first} against {second}\n\n{warnings}{table}\n", comparison.protocol.name())
    });
    parts.collect::<Vec<_>>().join("\n")
}

fn row(change: &Change) -> Vec<String> {
    let info = MEASURES.iter().find(|info| info.name == change.measure);
    let info = info.expect("changes are made of measures of the table");
    let number = |value: f64| format!("{value:.*}", info.decimals);
    let signed = |value: f64| format!("{value:+.*}", info.decimals);
    let [low, high] = change.interval;
    let sure = low > 0.0 || high < 0.0;
    let improved = match info.better {
        Better::Higher => change.difference > 0.0,
        Better::Lower | Better::Neither => change.difference < 0.0,
        Better::One => (change.after - 1.0).abs() < (change.before - 1.0).abs(),
    };
    let verdict = match (sure, improved) {
        (false, _) => "",
        (true, true) => "better",
        (true, false) => "worse",
    };
    let moved = change.moved.iter().map(|(name, by)| format!("{} {}", OneLine(name), signed(*by)));
    vec![
        heading(info),
        change.cases.to_string(),
        number(change.before),
        number(change.after),
        signed(change.difference),
        format!("{} to {}", signed(low), signed(high)),
        verdict.to_owned(),
        moved.collect::<Vec<_>>().join("; "),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measures::Values;
    use crate::report::{Program, REPORT_FORMAT, Request};
    use crate::score::{Case, RowValues};

    fn report(psnr: &[(&str, f64)]) -> Report {
        report_of("psnr", psnr)
    }

    fn report_of(measure: &str, values: &[(&str, f64)]) -> Report {
        let case = |&(name, value): &(&str, f64)| Case {
            name: name.to_owned(),
            frames: 1,
            lost: 0,
            rows: vec![RowValues {
                name: "mesh".to_owned(),
                values: Values::from([(measure.to_owned(), value)]),
            }],
        };
        let part = ProtocolReport {
            protocol: Protocol::SelfReenactment,
            judged: "mesh".to_owned(),
            rows: Vec::new(),
            cases: values.iter().map(case).collect(),
            skipped: Vec::new(),
        };
        Report {
            format: REPORT_FORMAT,
            program: Program { version: "1".to_owned(), sha256: String::new() },
            request: Request {
                data: "d".to_owned(),
                renderer: "mesh".to_owned(),
                weights: None,
                frames: None,
                side: 256,
                seed: 1,
            },
            instruments: Vec::new(),
            protocols: vec![part],
            speed: None,
        }
    }

    fn compared(a: &Report, b: &Report) -> Result<Vec<Comparison>> {
        let folder = tempfile::tempdir().unwrap();
        let [first, second] = ["a.json", "b.json"].map(|name| folder.path().join(name));
        std::fs::write(&first, a.to_json()).unwrap();
        std::fs::write(&second, b.to_json()).unwrap();
        compare(&first, &second)
    }

    #[test]
    fn a_clear_gain_is_called_one_and_noise_is_not() {
        let names = ["a", "b", "c", "d", "e", "f"];
        let of = |change: &dyn Fn(usize) -> f64| -> Vec<(&str, f64)> {
            names.iter().enumerate().map(|(i, name)| (*name, 20.0 + i as f64 + change(i))).collect()
        };
        let base = report(&of(&|_| 0.0));
        let gain = compared(&base, &report(&of(&|i| 1.0 + 0.1 * i as f64))).unwrap();
        let change = &gain[0].changes[0];
        assert!((change.difference - 1.25).abs() < 1e-9 && change.interval[0] > 0.9, "{change:?}");
        assert_eq!(change.moved[0].0, "f");
        assert!(comparison_markdown(&gain).contains("| better"), "{}", comparison_markdown(&gain));
        let noise = compared(&base, &report(&of(&|i| if i % 2 == 0 { 1.0 } else { -1.0 }))).unwrap();
        let [low, high] = noise[0].changes[0].interval;
        assert!(low < 0.0 && high > 0.0, "{low} {high}");
    }

    #[test]
    fn a_ratio_is_better_the_nearer_it_is_to_one() {
        let of = |value: f64| report_of("detail_mouth", &[("a", value), ("b", value)]);
        for (before, after, verdict) in
            [(0.3, 0.9, "| better"), (1.6, 1.1, "| better"), (0.9, 1.4, "| worse")]
        {
            let text = comparison_markdown(&compared(&of(before), &of(after)).unwrap());
            assert!(text.contains(verdict), "{text}");
        }
    }

    #[test]
    fn only_shared_cases_count() {
        let (a, b) = (report(&[("a", 1.0), ("b", 2.0)]), report(&[("b", 3.0), ("c", 9.0)]));
        assert_eq!(compared(&a, &b).unwrap()[0].changes[0].cases, 1);
        let apart = compared(&a, &report(&[("c", 1.0)]));
        assert!(matches!(apart, Err(Error::NothingShared { .. })), "{apart:?}");
    }

    #[test]
    fn names_of_cases_forge_no_lines() {
        let forged = report(&[("a\n| forged |\u{1b}[31m", 1.0)]);
        let text = comparison_markdown(&compared(&forged, &forged).unwrap());
        assert!(text.contains("a\\n| forged |\\u{1b}[31m") && !text.contains("\n| forged"), "{text}");
        assert!(!text.chars().any(|c| c != '\n' && gioconda_media::is_unprintable(c)), "{text}");
    }

    #[test]
    fn values_out_of_range_are_refused() {
        for value in [1e300, -1e16] {
            let error = compared(&report(&[("a", value)]), &report(&[("a", 1.0)])).unwrap_err().to_string();
            assert!(error.contains("a.json: holds a measured value that is out of range"), "{error}");
        }
    }

    #[test]
    fn files_that_are_no_reports_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.json");
        std::fs::write(&path, "{}").unwrap();
        assert!(Report::read(&path).unwrap_err().to_string().contains("is no report"));
        let other = Report { format: 99, ..report(&[]) };
        std::fs::write(&path, other.to_json()).unwrap();
        assert!(Report::read(&path).unwrap_err().to_string().contains("has format 99"));
    }
}
