//! Plots of a report as SVG: how a measure is distributed over clips, and how it grows with the number of photos.

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use crate::measures::MeasureInfo;
use crate::report::ProtocolReport;
use crate::table::heading;

/// Size of a plot, pixels.
const SIZE: (u32, u32) = (380, 190);

/// Colours of rows, in their order; distinguishable for the colour-blind (Okabe and Ito).
const COLOURS: [RGBColor; 7] = [
    RGBColor(153, 153, 153),
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(230, 159, 0),
    RGBColor(86, 180, 233),
];

const TEXT: RGBColor = RGBColor(51, 51, 51);
const GRID: RGBColor = RGBColor(225, 225, 225);
const FONT: &str = "system-ui, sans-serif";

/// Values of cases as dots, a lane for each row, the mean as a bar; `None` where nothing was measured.
pub(crate) fn distribution(part: &ProtocolReport, info: &MeasureInfo) -> Option<String> {
    let lanes: Vec<(&str, Vec<f64>)> = part
        .rows
        .iter()
        .map(|row| {
            let values = part.cases.iter().filter_map(|case| case.row(&row.name)?.get(info.name)).copied();
            (row.name.as_str(), values.collect())
        })
        .collect();
    let (low, high) = range(lanes.iter().flat_map(|(_, values)| values.iter().copied()))?;
    let mut svg = String::new();
    let drawn = draw_distribution(&mut svg, &lanes, (low, high), info);
    drawn.is_ok().then_some(svg)
}

type Drawn<'a> = Result<(), DrawingAreaErrorKind<<SVGBackend<'a> as DrawingBackend>::ErrorType>>;

fn draw_distribution<'a>(
    svg: &'a mut String,
    lanes: &[(&str, Vec<f64>)],
    (low, high): (f64, f64),
    info: &MeasureInfo,
) -> Drawn<'a> {
    let area = SVGBackend::with_string(svg, SIZE).into_drawing_area();
    let count = lanes.len() as f64;
    let mut chart = ChartBuilder::on(&area)
        .caption(heading(info), (FONT, 14).into_font().color(&TEXT))
        .margin(6)
        .margin_right(16)
        .set_label_area_size(LabelAreaPosition::Left, 84)
        .set_label_area_size(LabelAreaPosition::Bottom, 26)
        .build_cartesian_2d(low..high, 0.0..count)?;
    chart
        .configure_mesh()
        .disable_y_mesh()
        .disable_y_axis()
        .x_labels(5)
        .light_line_style(WHITE)
        .bold_line_style(GRID)
        .axis_style(GRID)
        .x_label_style((FONT, 11).into_font().color(&TEXT))
        .x_label_formatter(&|value| format!("{value:.*}", info.decimals.min(2)))
        .draw()?;
    for (lane, (name, values)) in lanes.iter().enumerate() {
        // The first row stands at the top.
        let middle = count - lane as f64 - 0.5;
        let colour = COLOURS[lane % COLOURS.len()];
        let dots = values.iter().enumerate().map(|(i, &value)| {
            // Apart from each other, but the same in every run.
            let aside = ((i * 7) % 11) as f64 / 11.0 - 0.45;
            Circle::new((value, middle + 0.55 * aside), 3, colour.mix(0.55).filled())
        });
        chart.draw_series(dots)?;
        if !values.is_empty() {
            let mean = values.iter().sum::<f64>() / values.len() as f64;
            chart.draw_series([PathElement::new(
                [(mean, middle - 0.36), (mean, middle + 0.36)],
                TEXT.stroke_width(2),
            )])?;
        }
        let anchor = Pos::new(HPos::Right, VPos::Center);
        let place = chart.backend_coord(&(low, middle));
        area.draw_text(
            name,
            &TextStyle::from((FONT, 12).into_font()).color(&TEXT).pos(anchor),
            (place.0 - 8, place.1),
        )?;
    }
    area.present()
}

/// A measure over the number of photos, a line for each way to paint; `None` without at least two numbers of photos.
pub(crate) fn curves(part: &ProtocolReport, info: &MeasureInfo) -> Option<String> {
    let mut ways: Vec<(&str, Vec<(f64, f64)>)> = Vec::new();
    for row in &part.rows {
        let (Some((way, photos)), Some(&value)) = (row.name.rsplit_once(" T="), row.values.get(info.name))
        else {
            continue;
        };
        let point = (photos.parse::<f64>().ok()?.log2(), value);
        match ways.iter_mut().find(|(name, _)| *name == way) {
            Some((_, points)) => points.push(point),
            None => ways.push((way, vec![point])),
        }
    }
    if ways.iter().all(|(_, points)| points.len() < 2) {
        return None;
    }
    let points = || ways.iter().flat_map(|(_, points)| points);
    let (low, high) = range(points().map(|point| point.1))?;
    let last = points().map(|point| point.0).fold(1.0, f64::max);
    let mut svg = String::new();
    let drawn = draw_curves(&mut svg, &ways, (last, low, high), info);
    drawn.is_ok().then_some(svg)
}

fn draw_curves<'a>(
    svg: &'a mut String,
    ways: &[(&str, Vec<(f64, f64)>)],
    (last, low, high): (f64, f64, f64),
    info: &MeasureInfo,
) -> Drawn<'a> {
    let area = SVGBackend::with_string(svg, SIZE).into_drawing_area();
    let mut chart = ChartBuilder::on(&area)
        .caption(format!("{} over T", heading(info)), (FONT, 14).into_font().color(&TEXT))
        .margin(6)
        .margin_right(90)
        .set_label_area_size(LabelAreaPosition::Left, 52)
        .set_label_area_size(LabelAreaPosition::Bottom, 26)
        .build_cartesian_2d(0.0..last, low..high)?;
    let label = (FONT, 11).into_font().color(&TEXT);
    chart
        .configure_mesh()
        .x_labels(last as usize + 1)
        .y_labels(5)
        .light_line_style(WHITE)
        .bold_line_style(GRID)
        .axis_style(GRID)
        .x_label_style(label.clone())
        .y_label_style(label)
        .x_label_formatter(&|value| format!("{:.0}", value.exp2()))
        .y_label_formatter(&|value| format!("{value:.*}", info.decimals.min(3)))
        .draw()?;
    for (index, (way, points)) in ways.iter().enumerate() {
        let colour = COLOURS[(index + 1) % COLOURS.len()];
        chart.draw_series(LineSeries::new(points.iter().copied(), colour.stroke_width(2)))?;
        chart.draw_series(points.iter().map(|&point| Circle::new(point, 4, colour.filled())))?;
        if let Some(&end) = points.last() {
            let place = chart.backend_coord(&end);
            let anchor = Pos::new(HPos::Left, VPos::Center);
            let style = TextStyle::from((FONT, 12).into_font()).color(&colour).pos(anchor);
            area.draw_text(way, &style, (place.0 + 8, place.1))?;
        }
    }
    area.present()
}

/// From the least to the largest value, with some air; `None` of nothing.
fn range(values: impl Iterator<Item = f64>) -> Option<(f64, f64)> {
    let (low, high) = values
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(value), high.max(value)));
    let air = (0.06 * (high - low)).max(1e-3);
    (low <= high).then_some((low - air, high + air))
}
