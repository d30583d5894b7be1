//! What a run found: everything that stands in `report.json`.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::instruments::Instrument;
use crate::measures::Values;
use crate::score::{Case, RowValues};
use crate::settings::Protocol;
use crate::{Error, Result};

/// Version of the JSON's layout.
pub const REPORT_FORMAT: u32 = 1;

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
        let bytes = std::fs::read(path).map_err(Error::read(path))?;
        let report: Self = serde_json::from_slice(&bytes)
            .map_err(|error| Error::file(path, format!("is no report of `gioconda eval` ({error})")))?;
        if report.format != REPORT_FORMAT {
            let what =
                format!("has format {}, this program reads {REPORT_FORMAT}; make it anew", report.format);
            return Err(Error::file(path, what));
        }
        Ok(report)
    }

    /// The report as it stands in `report.json`.
    ///
    /// # Panics
    /// Never: numbers, texts and lists have a form in JSON.
    pub fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).expect("a report is made of numbers, texts and lists") + "\n"
    }
}
