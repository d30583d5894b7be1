//! What a run found: everything that stands in `report.json`.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::instruments::Instrument;
use crate::measures::Values;
use crate::score::{Case, RowValues};
use crate::settings::Protocol;
use crate::{Error, Result, files};

/// Version of the JSON's layout.
pub const REPORT_FORMAT: u32 = 1;

/// Largest report, bytes: about that of 100,000 cases with every measure of three renderers.
const LARGEST_FILE: u64 = 256 << 20;
/// Most cases of a protocol.
const MOST_CASES: usize = 100_000;
/// Most frames of a case.
const MOST_FRAMES: usize = 1 << 30;
/// Largest value of a measure, whatever its unit.
const LARGEST_VALUE: f64 = 1e15;

/// A whole run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// [`REPORT_FORMAT`].
    pub format: u32,
    /// What ran.
    pub program: Program,
    /// What was asked for.
    pub request: Request,
    /// The networks that measured.
    pub instruments: Vec<Instrument>,
    /// A part for each protocol.
    pub protocols: Vec<ProtocolReport>,
    /// How fast pictures are made on this machine; the one part that differs between two runs.
    pub speed: Option<Speed>,
}

/// The program that ran.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Program {
    /// Its version.
    pub version: String,
    /// SHA-256 of its file: a rebuilt program scores anew.
    pub sha256: String,
}

/// What was asked for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Request {
    /// The folder, as it was given.
    pub data: String,
    /// Who painted what is judged.
    pub renderer: String,
    /// The weight file's name and SHA-256.
    pub weights: Option<(String, String)>,
    /// Frames of each clip; all if none.
    pub frames: Option<usize>,
    /// Side of the crops, pixels.
    pub side: u32,
    /// Where all chance comes from.
    pub seed: u64,
}

/// One protocol's results.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProtocolReport {
    /// Which.
    pub protocol: Protocol,
    /// The row that is judged.
    pub judged: String,
    /// Means over cases, every case counting the same, and the Fréchet distance over all.
    pub rows: Vec<RowValues>,
    /// What each clip, pair or person came to.
    pub cases: Vec<Case>,
    /// What could not be scored, and why.
    pub skipped: Vec<Skipped>,
}

/// A clip, pair or person that could not be scored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Skipped {
    /// Its name.
    pub name: String,
    /// Why.
    pub reason: String,
}

/// How long pictures take, one after the other on one thread of work, milliseconds a frame.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Speed {
    /// The processor's name, where the system tells.
    pub processor: Option<String>,
    /// Its logical cores.
    pub cores: usize,
    /// Frames timed, of which clip.
    pub frames: usize,
    /// The clip.
    pub clip: String,
    /// Stages by name, in their order.
    pub stages: Vec<(String, f64)>,
    /// Frames a second with all stages one after the other; `animate` runs them side by side.
    pub frames_per_second: f64,
    /// The most memory that this process has taken, megabytes, where the system tells.
    pub peak_memory_mb: Option<u64>,
}

impl ProtocolReport {
    /// The means of the row called `name`.
    pub fn row(&self, name: &str) -> Option<&Values> {
        self.rows.iter().find(|row| row.name == name).map(|row| &row.values)
    }
}

impl Report {
    /// Reads a report.
    ///
    /// # Errors
    /// When the file cannot be read or is no report of this format.
    pub fn read(path: &Path) -> Result<Self> {
        let bytes = files::read(path, LARGEST_FILE, "give a report of `gioconda eval`")?;
        let report: Self = serde_json::from_slice(&bytes)
            .map_err(|error| Error::file(path, format!("is no report of `gioconda eval` ({error})")))?;
        if report.format != REPORT_FORMAT {
            let what =
                format!("has format {}, this program reads {REPORT_FORMAT}; make it anew", report.format);
            return Err(Error::file(path, what));
        }
        report.check().map_err(|what| Error::file(path, format!("{what}; make it anew")))?;
        Ok(report)
    }

    /// Refuses numbers that are out of range: `compare` adds, resamples and prints them.
    fn check(&self) -> std::result::Result<(), String> {
        for part in &self.protocols {
            if part.cases.len() > MOST_CASES {
                return Err(format!(
                    "has {} cases, but at most {MOST_CASES} can be compared",
                    part.cases.len()
                ));
            }
            let rows = part.cases.iter().flat_map(|case| &case.rows).chain(&part.rows);
            if rows
                .flat_map(|row| row.values.values())
                .any(|value| value.is_nan() || value.abs() > LARGEST_VALUE)
            {
                return Err("holds a measured value that is out of range".to_owned());
            }
            if part.cases.iter().any(|case| case.frames > MOST_FRAMES || case.lost > MOST_FRAMES) {
                return Err("holds a number of frames that is out of range".to_owned());
            }
        }
        Ok(())
    }

    /// The report as it stands in `report.json`.
    ///
    /// # Panics
    /// Never: numbers, texts and lists have a form in JSON.
    pub fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).expect("a report is made of numbers, texts and lists") + "\n"
    }
}
