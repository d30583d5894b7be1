//! The report as Markdown: a table for each protocol, a line for each measure, a column for each renderer.

use std::fmt::Write as _;

use comfy_table::presets::ASCII_MARKDOWN;
use comfy_table::{CellAlignment, Table};
use gioconda_media::OneLine;

use crate::measures::{Better, MEASURES, MeasureInfo, Values};
use crate::report::{ProtocolReport, Report, Speed};
use crate::settings::Protocol;

/// A measured value as it is printed.
pub(crate) fn number(info: &MeasureInfo, value: Option<&f64>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| format!("{value:.*}", info.decimals))
}

/// A measure's heading: name, unit, and which way is better.
pub(crate) fn heading(info: &MeasureInfo) -> String {
    let unit = if info.unit.is_empty() { String::new() } else { format!(", {}", info.unit) };
    let arrow = match info.better {
        Better::Higher => " ↑",
        Better::Lower => " ↓",
        Better::One => " → 1",
        Better::Neither => "",
    };
    format!("{}{unit}{arrow}", info.title)
}

/// The measures that any of `rows` has.
// The iterator is cloned for each measure.
#[allow(clippy::needless_pass_by_value)]
pub(crate) fn measured<'a>(rows: impl Iterator<Item = &'a Values> + Clone) -> Vec<&'static MeasureInfo> {
    MEASURES.iter().filter(|info| rows.clone().any(|values| values.contains_key(info.name))).collect()
}

/// What a protocol is called, and what it was done on.
pub(crate) fn title(part: &ProtocolReport) -> String {
    let (name, of) = match part.protocol {
        Protocol::SelfReenactment => ("Self-reenactment, absolute motion", "clips"),
        Protocol::CrossReenactment => ("Cross-reenactment, relative motion", "pairs"),
        Protocol::FewShot => ("Few-shot", "people"),
    };
    let frames: usize = part.cases.iter().map(|case| case.frames).sum();
    let lost: usize = part.cases.iter().map(|case| case.lost).sum();
    let lost =
        if lost > 0 { format!("; {lost} frames without a driver's face left out") } else { String::new() };
    format!("{name}: {} {of}, {frames} frames{lost}", part.cases.len())
}

/// The table of one protocol, Markdown.
pub(crate) fn protocol(part: &ProtocolReport) -> String {
    let names: Vec<String> = part.rows.iter().map(|row| OneLine(&row.name).to_string()).collect();
    let mut table = markdown_table(std::iter::once(String::new()).chain(names));
    for info in measured(part.rows.iter().map(|row| &row.values)) {
        let values = part.rows.iter().map(|row| number(info, row.values.get(info.name)));
        table.add_row(std::iter::once(heading(info)).chain(values).collect::<Vec<_>>());
    }
    align_right(&mut table);
    table.to_string()
}

/// A table with these headings that is Markdown when printed.
pub(crate) fn markdown_table(headings: impl Iterator<Item = String>) -> Table {
    let mut table = Table::new();
    table.load_style(ASCII_MARKDOWN).set_header(headings.collect::<Vec<_>>());
    table
}

/// Numbers to the right, all columns but the first.
pub(crate) fn align_right(table: &mut Table) {
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
}

/// The whole report.
pub fn markdown(report: &Report) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail.
    for part in &report.protocols {
        let _ = writeln!(text, "## {}\n\n{}\n", title(part), protocol(part));
        for skipped in &part.skipped {
            let _ = writeln!(text, "- not scored: {}: {}", OneLine(&skipped.name), OneLine(&skipped.reason));
        }
        if !part.skipped.is_empty() {
            text.push('\n');
        }
    }
    if let Some(speed) = &report.speed {
        let _ = writeln!(text, "{}\n", OneLine(speed_line(speed)));
    }
    for instrument in report.instruments.iter().filter(|instrument| instrument.sha256.is_none()) {
        let _ = writeln!(
            text,
            "Not measured: {}; needs {}.",
            instrument.measures,
            instrument.files.join(" and ")
        );
    }
    text
}

/// Speed and memory in a sentence.
pub(crate) fn speed_line(speed: &Speed) -> String {
    let stages: Vec<String> = speed.stages.iter().map(|(name, time)| format!("{name} {time:.1}")).collect();
    let memory = speed
        .peak_memory_mb
        .map(|memory| format!("; this process took at most {memory} MB"))
        .unwrap_or_default();
    format!(
        "Speed, {} frames of {} one stage after the other, ms a frame: {}; {:.0} frames/s on {} ({} cores){memory}.",
        speed.frames,
        speed.clip,
        stages.join(", "),
        speed.frames_per_second,
        speed.processor.as_deref().unwrap_or("an unnamed processor"),
        speed.cores,
    )
}
