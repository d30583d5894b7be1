//! The report as one HTML page with everything inside: tables, plots, and for each case the strip of its worst frame.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use maud::{DOCTYPE, Markup, PreEscaped, html};

use crate::measures::{Better, measure};
use crate::plots;
use crate::report::{ProtocolReport, Report};
use crate::score::Case;
use crate::settings::Protocol;
use crate::table::{heading, measured, number, speed_line, title};

/// Pictures of a protocol's cases, in their order.
pub(crate) type Strips = Vec<Option<Vec<u8>>>;

/// Strips on a page, of each protocol; of more cases, the worst are shown.
const MOST_STRIPS: usize = 60;

/// Measures whose distribution over cases is plotted.
const PLOTTED: [&str; 11] = [
    "psnr_face",
    "psnr_mouth_eyes",
    "psnr_hair",
    "detail_mouth",
    "detail_eyes",
    "perceptual",
    "csim",
    "akd",
    "pose",
    "mouth_opening",
    "eye_opening",
];

/// Measures of each case beside its strip.
const BESIDE: [&str; 10] = [
    "psnr",
    "psnr_face",
    "psnr_mouth_eyes",
    "psnr_hair",
    "detail_mouth",
    "background_changed",
    "perceptual",
    "csim",
    "expression",
    "no_face",
];

const STYLE: &str = "
:root { --ink: #222; --soft: #666; --line: #e2e2e2; --tint: #f6f7f9; --accent: #0072b2 }
* { box-sizing: border-box }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: #fff; margin: 0 auto; max-width: 1240px; padding: 2em 1.5em 4em }
h1 { font-size: 1.7em; margin: 0 0 .2em } h2 { font-size: 1.25em; margin: 2.2em 0 .6em; border-bottom: 1px solid var(--line); padding-bottom: .3em }
h3 { font-size: 1em; margin: 1.6em 0 .5em } .soft { color: var(--soft) } code { font-size: .9em; overflow-wrap: anywhere }
table { border-collapse: collapse; font-variant-numeric: tabular-nums } th, td { padding: .22em .9em; text-align: right; border-bottom: 1px solid var(--line) }
th:first-child, td:first-child { text-align: left; padding-left: .3em } thead th { border-bottom: 2px solid var(--ink) } td.best { font-weight: 650 }
tr.minor td { color: var(--soft); font-size: .92em } tbody tr:hover { background: var(--tint) } .scroll { overflow-x: auto }
.plots { display: grid; grid-template-columns: repeat(auto-fill, minmax(380px, 1fr)); gap: .6em } .plots svg { max-width: 100%; height: auto }
.case { margin: 0 0 1.3em } .case img { display: block; max-width: 100%; border-radius: 3px } .case p { margin: .1em 0 .3em }
.case b { font-weight: 600 } details > summary { cursor: pointer; color: var(--accent) } ul { padding-left: 1.2em }
";

/// The page; without `pictures` it shows nobody.
pub(crate) fn page(report: &Report, strips: &[Strips], pictures: bool) -> String {
    let request = &report.request;
    let frames =
        request.frames.map_or("all frames".to_owned(), |frames| format!("{frames} frames of each clip"));
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { "gioconda eval: " (request.renderer) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                h1 { "How good is " (request.renderer) "?" }
                p.soft {
                    (request.data) ", " (frames) ", crops of " (request.side) " × " (request.side) " pixels, seed "
                    (request.seed) "; gioconda " (report.program.version)
                }
                @for (part, strips) in report.protocols.iter().zip(strips) {
                    (protocol(part, strips, pictures))
                }
                @if let Some(speed) = &report.speed {
                    h2 { "Speed" }
                    (speed_table(report))
                    p.soft { (speed_line(speed)) " Stages of " code { "animate" } " run side by side, so it is faster than their sum." }
                }
                (provenance(report))
            }
        }
    }
    .into_string()
}

fn protocol(part: &ProtocolReport, strips: &Strips, pictures: bool) -> Markup {
    html! {
        h2 { (title(part)) }
        @if !part.skipped.is_empty() {
            p { "Not scored: " (part.skipped.len()) }
            ul { @for skipped in &part.skipped { li { code { (skipped.name) } ": " (skipped.reason) } } }
        }
        @if part.cases.is_empty() {
            p { "Nothing could be scored." }
        } @else {
            (means(part))
            p.soft { "Means over " (of(part)) ", each counting the same; FID over all frames together. ↑ higher is better, ↓ lower is better." }
            h3 { "Every one of them" }
            (plots_of(part))
            (cases(part, strips, pictures))
        }
    }
}

fn of(part: &ProtocolReport) -> &'static str {
    match part.protocol {
        Protocol::SelfReenactment => "clips",
        Protocol::CrossReenactment => "pairs",
        Protocol::FewShot => "people",
    }
}

fn means(part: &ProtocolReport) -> Markup {
    html! {
        div.scroll { table {
            thead { tr { th {} @for row in &part.rows { th { (row.name) } } } }
            tbody {
                @for info in measured(part.rows.iter().map(|row| &row.values)) {
                    @let values: Vec<Option<&f64>> = part.rows.iter().map(|row| row.values.get(info.name)).collect();
                    tr.minor[!info.main] title=(info.what) {
                        td { (heading(info)) }
                        @for (index, value) in values.iter().enumerate() {
                            td.best[index == best(&values, info.better)] { (number(info, *value)) }
                        }
                    }
                }
            }
        } }
    }
}

/// Which column is best, the copy aside: it wins where nothing is asked of it. Past the end if none is.
fn best(values: &[Option<&f64>], better: Better) -> usize {
    let painted =
        values.iter().enumerate().skip(1).filter_map(|(index, value)| value.map(|value| (index, *value)));
    let best = match better {
        Better::Higher => painted.max_by(|a, b| a.1.total_cmp(&b.1)),
        Better::Lower => painted.min_by(|a, b| a.1.total_cmp(&b.1)),
        Better::One => painted.min_by(|a, b| (a.1 - 1.0).abs().total_cmp(&(b.1 - 1.0).abs())),
        Better::Neither => None,
    };
    best.filter(|_| values.len() > 2).map_or(values.len(), |(index, _)| index)
}

fn plots_of(part: &ProtocolReport) -> Markup {
    let infos = PLOTTED.iter().filter_map(|name| measure(name));
    html! {
        div.plots {
            @for info in infos {
                @let plot = match part.protocol {
                    Protocol::FewShot => plots::curves(part, info).or_else(|| plots::distribution(part, info)),
                    Protocol::SelfReenactment | Protocol::CrossReenactment => plots::distribution(part, info),
                };
                @if let Some(plot) = plot { div { (PreEscaped(plot)) } }
            }
        }
    }
}

/// The cases, the worst first: by what is wrong inside the face, or where the truth is not known, with the identity.
fn worst_first<'a>(part: &'a ProtocolReport, strips: &'a Strips) -> Vec<(&'a Case, Option<&'a Vec<u8>>)> {
    let quality = |case: &Case| {
        let values = case.row(&part.judged);
        let of = |name: &str| values.and_then(|values| values.get(name)).copied();
        of("psnr_face").or(of("csim")).unwrap_or(f64::NEG_INFINITY)
    };
    let mut cases: Vec<_> = part.cases.iter().zip(strips.iter().map(Option::as_ref)).collect();
    cases.sort_by(|(a, _), (b, _)| quality(a).total_cmp(&quality(b)));
    cases
}

fn cases(part: &ProtocolReport, strips: &Strips, pictures: bool) -> Markup {
    let cases = worst_first(part, strips);
    let shown: Vec<String> = part.rows.iter().skip(1).map(|row| row.name.clone()).collect();
    let truth = matches!(part.protocol, Protocol::SelfReenactment | Protocol::FewShot);
    html! {
        h3 { "Worst first" }
        @if pictures {
            p.soft {
                "The worst frame of each: photo | driver | " (shown.join(" | "))
                @if truth { " | four times the difference of the last" }
                @if cases.len() > MOST_STRIPS { "; the worst " (MOST_STRIPS) " of " (cases.len()) " are shown" }
            }
            @for (case, strip) in cases.iter().take(MOST_STRIPS) {
                div.case {
                    p { b { (case.name) } span.soft { " " (beside(part, case)) } }
                    @if let Some(strip) = strip {
                        img loading="lazy" alt={ "strip of " (case.name) } src={ "data:image/jpeg;base64," (STANDARD.encode(strip)) };
                    }
                }
            }
        }
        details open[!pictures] {
            summary { "All values of " code { (part.judged) } }
            (all_values(part, &cases))
        }
    }
}

/// The judged row's values of a case in a line.
fn beside(part: &ProtocolReport, case: &Case) -> String {
    let values = case.row(&part.judged);
    let infos = BESIDE.iter().filter_map(|name| measure(name));
    let texts = infos.filter_map(|info| {
        let value = values?.get(info.name)?;
        Some(format!("{} {}", info.title, number(info, Some(value))))
    });
    texts.collect::<Vec<_>>().join(", ")
}

fn all_values(part: &ProtocolReport, cases: &[(&Case, Option<&Vec<u8>>)]) -> Markup {
    let rows = cases.iter().filter_map(|(case, _)| case.row(&part.judged));
    let infos: Vec<_> = measured(rows).into_iter().filter(|info| info.main).collect();
    html! {
        div.scroll { table {
            thead { tr { th {} th { "frames" } @for info in &infos { th { (heading(info)) } } } }
            tbody {
                @for (case, _) in cases {
                    tr {
                        td { (case.name) }
                        td { (case.frames) }
                        @for info in &infos {
                            td { (number(info, case.row(&part.judged).and_then(|values| values.get(info.name)))) }
                        }
                    }
                }
            }
        } }
    }
}

fn speed_table(report: &Report) -> Markup {
    let Some(speed) = &report.speed else { return html! {} };
    html! {
        table {
            thead { tr { th { "stage" } th { "ms a frame" } } }
            tbody { @for (name, time) in &speed.stages { tr { td { (name) } td { (format!("{time:.2}")) } } } }
        }
    }
}

fn provenance(report: &Report) -> Markup {
    html! {
        h2 { "Measured with" }
        table {
            thead { tr { th { "measure" } th { "network" } th { "SHA-256" } } }
            tbody {
                @for instrument in &report.instruments {
                    @let sums = instrument.sha256.as_ref().map(|sums| sums.join(" "));
                    tr {
                        td { (instrument.measures) }
                        td { (instrument.files.join(" and ")) }
                        td { @match sums { Some(sums) => code { (sums) }, None => "missing: not measured" } }
                    }
                }
                @if let Some((file, sum)) = &report.request.weights {
                    tr { td { "judged" } td { (file) } td { code { (sum) } } }
                }
                tr { td { "program" } td { "gioconda " (report.program.version) } td { code { (report.program.sha256) } } }
            }
        }
    }
}
