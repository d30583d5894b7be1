//! `gioconda verify`: what a file says of its own origin, and whether it was changed since.

use std::path::{Path, PathBuf};

use gioconda_portrait::verification::{Finding, Search, Verdict, verify};
use serde::Serialize;

use crate::cli::VerifyArgs;
use crate::report::{self, Failure, print, print_json};

/// What was found in one file, for programs to read.
#[derive(Serialize)]
struct Named {
    file: PathBuf,
    #[serde(flatten)]
    finding: Finding,
}

/// Verifies every file; the exit code tells the worst.
pub(crate) fn run(arguments: &VerifyArgs) -> Result<(), Failure> {
    let search = if arguments.thorough { Search::Thorough } else { Search::Sampled };
    let (mut findings, mut failed) = (Vec::new(), false);
    for named in &arguments.files {
        for file in files(named)? {
            match verify(&file, &file.display().to_string(), search) {
                Ok(finding) => {
                    if !arguments.json {
                        print(&finding.sentence)?;
                    }
                    findings.push(Named { file, finding });
                }
                Err(error) => {
                    report::error(error);
                    failed = true;
                }
            }
        }
    }
    if arguments.json {
        print_json(&findings)?;
    }
    match findings.iter().map(|named| named.finding.verdict).max() {
        Some(Verdict::Tampered) => Err(Failure::Tampered),
        _ if failed => Err(Failure::Reported),
        Some(Verdict::Unverifiable) => Err(Failure::Unverifiable),
        Some(Verdict::Signed | Verdict::Unmarked) => Err(Failure::Unmarked),
        Some(Verdict::Marked) => Ok(()),
        None => Err(Failure::Failed("there are no pictures or clips to verify; name some".to_owned())),
    }
}

/// The file itself, or what is a picture or a clip in the folder and the folders below.
fn files(named: &Path) -> Result<Vec<PathBuf>, Failure> {
    if !named.is_dir() {
        return Ok(vec![named.to_owned()]);
    }
    let unreadable =
        |error: std::io::Error| Failure::Failed(format!("{}: cannot be read ({error})", named.display()));
    let entries: std::io::Result<Vec<PathBuf>> =
        std::fs::read_dir(named).map_err(unreadable)?.map(|entry| Ok(entry?.path())).collect();
    let mut entries = entries.map_err(unreadable)?;
    entries.sort();
    let mut found = Vec::new();
    for entry in entries {
        if entry.is_dir() && !entry.is_symlink() {
            found.extend(files(&entry)?);
        // Of a named pipe, not even the first bytes are read: that would wait for somebody to write into it.
        } else if entry.is_file() && gioconda_media::sniff(&entry).is_ok() {
            found.push(entry);
        }
    }
    Ok(found)
}
