//! A folder of pictures as a clip, in natural order: `frame2.png` comes before `frame10.png`.

use super::source::{ClipInfo, FOLDER_FPS, Opened, Pictures, ReadOptions, SourceError, Stop};
use crate::{Budget, Error, photo, sniff};
use image::RgbImage;
use std::cmp::Ordering;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The pictures directly in `folder`, by content, in natural order of their names. Never empty.
///
/// Refuses a folder of more than 250,000 entries. What is no regular file, or a link to one, is passed over.
pub fn pictures_in(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    pictures_within(folder, &Budget::default())
}

fn pictures_within(folder: &Path, budget: &Budget) -> Result<Vec<PathBuf>, Error> {
    let entries = fs::read_dir(folder).map_err(Error::read(folder))?;
    let mut pictures = Vec::new();
    for (count, entry) in entries.enumerate() {
        if count as u64 >= budget.folder_entries {
            let most = budget.folder_entries;
            let what = format!("the folder holds more than {most} files; divide it");
            return Err(Error::limit(folder, what));
        }
        let path = entry.map_err(Error::read(folder))?.path();
        if sniff::looks_like_picture(&path) {
            pictures.push(path);
        }
    }
    if pictures.is_empty() {
        return Err(Error::NoPictures { path: folder.into() });
    }
    pictures.sort_by(|a, b| natural_order(&file_name(a), &file_name(b)));
    Ok(pictures)
}

fn file_name(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

/// Compares runs of digits as numbers and everything else as text, with the plain order to tell ties apart.
fn natural_order(a: &str, b: &str) -> Ordering {
    let (mut left, mut right) = (a, b);
    while !left.is_empty() && !right.is_empty() {
        let (x, left_rest) = split_run(left);
        let (y, right_rest) = split_run(right);
        let digits = |run: &str| run.starts_with(|c: char| c.is_ascii_digit());
        let order = if digits(x) && digits(y) {
            let (x, y) = (x.trim_start_matches('0'), y.trim_start_matches('0'));
            x.len().cmp(&y.len()).then_with(|| x.cmp(y))
        } else {
            x.cmp(y)
        };
        if order.is_ne() {
            return order;
        }
        (left, right) = (left_rest, right_rest);
    }
    left.len().cmp(&right.len()).then_with(|| a.cmp(b))
}

/// Splits off the leading run of digits or of anything else.
fn split_run(text: &str) -> (&str, &str) {
    let digits = text.starts_with(|c: char| c.is_ascii_digit());
    text.split_at(text.find(|c: char| c.is_ascii_digit() != digits).unwrap_or(text.len()))
}

struct Folder {
    pictures: Vec<PathBuf>,
    next: usize,
    fps: f64,
    size: (u32, u32),
    budget: Budget,
}

pub(super) fn open(folder: &Path, options: &ReadOptions) -> Result<Opened, Error> {
    let (fps, start) = (options.fps.unwrap_or(FOLDER_FPS), options.start);
    let pictures = pictures_within(folder, &options.budget)?;
    let first = photo::info(&pictures[0])?;
    options.budget.check_clip_size(&pictures[0], first.width, first.height)?;
    let info = ClipInfo {
        container: "folder".into(),
        codec: first.format.into(),
        decoder: "pictures",
        width: first.width,
        height: first.height,
        fps,
        variable_rate: false,
        duration: Duration::from_secs_f64(pictures.len() as f64 / fps),
        frames: Some(pictures.len() as u64),
        rotation: 0,
        audio: None,
    };
    let next = ((start.as_secs_f64() * fps).round() as usize).min(pictures.len());
    let (size, budget) = ((first.width, first.height), options.budget);
    let source = Folder { pictures, next, fps, size, budget };
    Ok(Opened { info, source: Box::new(source) })
}

impl Pictures for Folder {
    fn next(&mut self, image: &mut RgbImage, _stop: &Stop) -> Result<Option<f64>, SourceError> {
        let Some(path) = self.pictures.get(self.next) else { return Ok(None) };
        *image = photo::read_within(path, &self.budget)?.image;
        if image.dimensions() != self.size {
            let (width, height) = self.size;
            let fault =
                format!("where the first picture of the folder has {width}x{height}; make them equal");
            return Err(SourceError::Fatal(Error::Size {
                path: path.clone(),
                width: image.width(),
                height: image.height(),
                fault,
            }));
        }
        let time = self.next as f64 / self.fps;
        self.next += 1;
        Ok(Some(time))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn natural_order_counts_numbers() {
        let mut names = ["b1", "a10", "a2", "a02", "a", "a1b10", "a1b9", "10", "9"];
        names.sort_by(|a, b| natural_order(a, b));
        assert_eq!(names, ["9", "10", "a", "a1b9", "a1b10", "a02", "a2", "a10", "b1"]);
    }
}
