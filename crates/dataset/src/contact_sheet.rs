//! The contact sheet: a page with a row per video, to see at a glance whether crops and landmarks are right.
//!
//! One HTML file with its pictures inside, so that it can be mailed and opened anywhere.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gioconda_face::Region;
use gioconda_warp::LandmarkPicture;
use image::RgbImage;

use crate::Error;
use crate::reader::{Dataset, Sample, Video};
use crate::report::Report;
use crate::shard::encode_jpeg;

/// Rows of the page; of more videos, as many are picked evenly.
const MOST_ROWS: usize = 400;
/// Thumbnails in a row, and which of them show the landmarks.
const COLUMNS: usize = 8;
const WITH_LANDMARKS: [usize; 2] = [1, 5];
/// Side of a thumbnail, pixels.
const THUMBNAIL: u32 = 112;
const THUMBNAIL_QUALITY: u8 = 75;

const HEAD: &str = "<!doctype html>
<html lang=\"en\"><head><meta charset=\"utf-8\"><title>Contact sheet</title><style>
body { font: 14px/1.4 system-ui, sans-serif; margin: 1.5em; color: #222; background: #fff }
td { padding: 2px 8px 2px 0; vertical-align: top } td:first-child { width: 16em; overflow-wrap: anywhere }
img { width: 112px; height: 112px; margin-right: 2px } small, .reason { color: #666 }
</style></head><body>
";

/// The page for a whole data folder.
pub(crate) fn page(dataset: &Dataset, report: &Report) -> Result<String, Error> {
    let mut page = HEAD.to_owned();
    let videos = dataset.videos();
    // Writing to a String cannot fail; the same holds below.
    let _ = writeln!(
        page,
        "<h1>{} videos of {} people</h1>\n<p>{} frames of {} pixels, from {} clips; left out: {} frames without a \
         trusted face, {} outside the crop, {} near-duplicates, {} in rejected stretches.</p>",
        report.videos,
        report.people,
        report.frames,
        report.size,
        report.clips,
        report.dropped.no_face,
        report.dropped.outside,
        report.dropped.duplicates,
        report.dropped.rejected
    );
    let rows = videos.len().min(MOST_ROWS);
    if rows < videos.len() {
        let _ = writeln!(page, "<p>{rows} of {} videos are shown, evenly picked.</p>", videos.len());
    }
    page.push_str("<table>\n");
    for row in 0..rows {
        add_row(&mut page, dataset, row * videos.len() / rows)?;
    }
    page.push_str("</table>\n");
    add_rejections(&mut page, report);
    page.push_str("</body></html>\n");
    Ok(page)
}

fn add_row(page: &mut String, dataset: &Dataset, index: usize) -> Result<(), Error> {
    let Video { person, name, frames, fps, window, source_size, .. } = &dataset.videos()[index];
    let _ = write!(
        page,
        "<tr><td><b>{}</b><br>{}<br><small>{frames} frames, {fps:.0}/s<br>{} px at {},{} of {}x{}</small></td><td>",
        escape(person),
        escape(name),
        window.side,
        window.left,
        window.top,
        source_size.0,
        source_size.1
    );
    for column in 0..COLUMNS {
        let sample = dataset.read(index, column * (frames - 1) / (COLUMNS - 1))?;
        let mut thumbnail = gioconda_media::resize(&sample.frame, THUMBNAIL, THUMBNAIL);
        if WITH_LANDMARKS.contains(&column) {
            draw_landmarks(&sample, &mut thumbnail);
        }
        let picture = STANDARD.encode(encode_jpeg(&thumbnail, THUMBNAIL_QUALITY));
        let _ = write!(page, "<img src=\"data:image/jpeg;base64,{picture}\" alt=\"\">");
    }
    page.push_str("</td></tr>\n");
    Ok(())
}

fn draw_landmarks(sample: &Sample, thumbnail: &mut RgbImage) {
    let mut lines = RgbImage::new(THUMBNAIL, THUMBNAIL);
    let whole = Region::from_corner(0.0, 0.0, sample.frame.width() as f32);
    LandmarkPicture::new().draw(&sample.landmarks, &whole, &mut lines);
    for (pixel, line) in thumbnail.pixels_mut().zip(lines.pixels()) {
        let opacity = u16::from(*line.0.iter().max().expect("a pixel has three channels"));
        for (channel, color) in pixel.0.iter_mut().zip(line.0) {
            *channel =
                ((u16::from(*channel) * (255 - opacity) + u16::from(color) * 255) / 255).min(255) as u8;
        }
    }
}

fn add_rejections(page: &mut String, report: &Report) {
    if report.rejected.is_empty() {
        return;
    }
    let _ = writeln!(page, "<h2>Left out, wholly or partly: {} clips</h2>\n<table>", report.rejected.len());
    for rejection in report.rejected.iter().take(MOST_ROWS) {
        let reasons: Vec<String> = rejection.reasons.iter().map(|reason| escape(reason)).collect();
        let _ = writeln!(
            page,
            "<tr><td>{}</td><td class=\"reason\">{}</td></tr>",
            escape(&rejection.clip),
            reasons.join("<br>")
        );
    }
    page.push_str("</table>\n");
    if report.rejected.len() > MOST_ROWS {
        page.push_str("<p>The others stand in report.json.</p>\n");
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
