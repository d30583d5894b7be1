//! What a run writes down: `log.jsonl`, a line per entry, and `TensorBoard` event files.

use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use image::{ImageFormat, RgbImage};
use serde::{Deserialize, Serialize};

use crate::events::EventWriter;
use crate::losses::StepLosses;
use crate::{Error, Result};

pub(crate) const JOURNAL: &str = "log.jsonl";
const PICTURES: &str = "pictures";

/// A line of `log.jsonl`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct LogEntry {
    /// Steps done.
    pub step: u64,
    /// Seconds since this process began to train.
    pub seconds: f64,
    /// Of E, G and P.
    pub learning_rate: f64,
    /// Since the last entry.
    pub steps_per_second: f64,
    /// Since the last entry.
    pub samples_per_second: f64,
    /// Share of the time since the last entry that was spent waiting for data, 0..1.
    pub waiting: f64,
    /// Mean losses since the last entry.
    pub losses: StepLosses,
}

/// What is read back of a line.
#[derive(Deserialize)]
struct Stepped {
    step: u64,
}

/// The open logs of a run.
#[derive(Debug)]
pub(crate) struct Logs {
    folder: PathBuf,
    journal: File,
    events: EventWriter,
}

impl Logs {
    /// Opens the logs of the run in `folder`, which goes on behind `step`. What was logged behind that step belongs
    /// to work that was lost with an interrupted process: it is removed.
    pub(crate) fn open(folder: &Path, step: u64) -> Result<Self> {
        let path = folder.join(JOURNAL);
        let kept = match fs::read_to_string(&path) {
            Ok(text) => kept_lines(&text, step),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(Error::io(&path)(error)),
        };
        fs::write(&path, kept).map_err(Error::io(&path))?;
        let journal = OpenOptions::new().append(true).open(&path).map_err(Error::io(&path))?;
        let events = EventWriter::create(folder, step).map_err(Error::io(folder))?;
        fs::create_dir_all(folder.join(PICTURES)).map_err(Error::io(folder.join(PICTURES)))?;
        Ok(Self { folder: folder.to_owned(), journal, events })
    }

    /// Writes an entry to both.
    pub(crate) fn append(&mut self, entry: &LogEntry) -> Result<()> {
        let path = self.folder.join(JOURNAL);
        let mut line = serde_json::to_vec(entry)
            .map_err(|error| Error::Config { origin: JOURNAL.to_owned(), reason: error.to_string() })?;
        line.push(b'\n');
        self.journal.write_all(&line).map_err(Error::io(path))?;
        let losses = entry.losses.named().map(|(name, value)| (format!("loss/{name}"), value));
        let speed = [
            ("learning_rate", entry.learning_rate),
            ("speed/steps_per_second", entry.steps_per_second),
            ("speed/samples_per_second", entry.samples_per_second),
            ("speed/waiting_for_data", entry.waiting),
        ];
        let speed = speed.into_iter().map(|(tag, value)| (tag.to_owned(), value));
        let values: Vec<_> = losses.chain(speed).collect();
        self.events.scalars(entry.step, &values).map_err(Error::io(&self.folder))
    }

    /// Writes a picture grid as PNG and shows it to `TensorBoard`.
    pub(crate) fn picture(&mut self, step: u64, grid: &RgbImage) -> Result<PathBuf> {
        let path = self.folder.join(PICTURES).join(format!("step-{step:08}.png"));
        let mut png = std::io::Cursor::new(Vec::new());
        let encoded = grid.write_to(&mut png, ImageFormat::Png).map_err(std::io::Error::other);
        encoded.map_err(Error::io(&path))?;
        let png = png.into_inner();
        fs::write(&path, &png).map_err(Error::io(&path))?;
        self.events.image(step, "grid", grid.dimensions(), png).map_err(Error::io(&self.folder))?;
        Ok(path)
    }
}

/// The lines up to `step`; one that an interrupted process left unfinished is none.
fn kept_lines(text: &str, step: u64) -> String {
    let kept = text.split_inclusive('\n').take_while(|line| {
        line.ends_with('\n') && serde_json::from_str::<Stepped>(line).is_ok_and(|entry| entry.step <= step)
    });
    kept.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resumed_run_forgets_what_was_undone() {
        let line = |step| format!("{{\"step\":{step},\"seconds\":1.0}}\n");
        let text = [line(1), line(2), line(3), "{\"step\":4,\"sec".to_owned()].concat();
        assert_eq!(kept_lines(&text, 2), [line(1), line(2)].concat());
        assert_eq!(kept_lines(&text, 9), [line(1), line(2), line(3)].concat());
        assert_eq!(kept_lines("", 9), "");
    }
}
