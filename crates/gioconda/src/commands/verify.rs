//! `gioconda verify`: what a file says of its own origin, and whether it was changed since.

use std::path::{Path, PathBuf};

use gioconda_media::{ClipReader, Frame, InputKind, ReadOptions, photo};
use gioconda_provenance::watermark::{Detector, Found};
use gioconda_provenance::{Claims, Credentials, Subject};
use serde::Serialize;

use crate::cli::VerifyArgs;
use crate::report::{Failure, print};

/// Frames of a clip that are looked at; more add nothing.
const MOST_FRAMES: u64 = 250;
/// Frames after which a mark in plain sight ends the search.
const GLANCE: u64 = 25;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
enum Verdict {
    Marked,
    Unmarked,
    Tampered,
}

/// What was found in one file.
#[derive(Serialize)]
struct Finding {
    file: PathBuf,
    verdict: Verdict,
    /// Whether anything says that the picture is made by AI.
    synthetic: bool,
    manifest: Credentials,
    watermark: Watermark,
    sentence: String,
}

#[derive(Serialize)]
#[serde(tag = "status", rename_all = "lowercase")]
enum Watermark {
    Found(Found),
    Missing,
    /// The picture could not be decoded.
    Unreadable {
        why: String,
    },
}

/// Verifies every file; the exit code tells the worst.
pub(crate) fn run(arguments: &VerifyArgs) -> Result<(), Failure> {
    let (mut findings, mut failed) = (Vec::new(), false);
    for named in &arguments.files {
        for file in files(named)? {
            match verify(&file) {
                Ok(finding) => {
                    if !arguments.json {
                        print(&finding.sentence)?;
                    }
                    findings.push(finding);
                }
                Err(error) => {
                    eprintln!("error: {error}");
                    failed = true;
                }
            }
        }
    }
    if arguments.json {
        print(serde_json::to_string_pretty(&findings)?)?;
    }
    match findings.iter().map(|finding| finding.verdict).max() {
        Some(Verdict::Tampered) => Err(Failure::Tampered),
        _ if failed => Err(Failure::Reported),
        Some(Verdict::Unmarked) => Err(Failure::Unmarked),
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
        } else if gioconda_media::sniff(&entry).is_ok() {
            found.push(entry);
        }
    }
    Ok(found)
}

fn verify(file: &Path) -> Result<Finding, String> {
    let manifest = Credentials::read(file).map_err(|error| error.to_string())?;
    let watermark = match look_for_mark(file) {
        Ok(Some(found)) => Watermark::Found(found),
        Ok(None) => Watermark::Missing,
        Err(error) if manifest == Credentials::Missing => return Err(error.to_string()),
        Err(error) => Watermark::Unreadable { why: error.to_string() },
    };
    let verdict = match (&manifest, &watermark) {
        (Credentials::Tampered { .. }, _) => Verdict::Tampered,
        (Credentials::Valid(_), _) | (_, Watermark::Found(_)) => Verdict::Marked,
        (Credentials::Missing, _) => Verdict::Unmarked,
    };
    let synthetic =
        matches!(watermark, Watermark::Found(_)) || manifest.claims().is_some_and(Claims::says_synthetic);
    let sentence = format!("{}: {} {}", file.display(), about(&manifest), about_mark(&watermark));
    Ok(Finding { file: file.to_owned(), verdict, synthetic, manifest, watermark, sentence })
}

fn look_for_mark(file: &Path) -> Result<Option<Found>, gioconda_media::Error> {
    let mut detector = Detector::new();
    if gioconda_media::sniff(file)? == InputKind::Photo {
        detector.add(&photo::read(file)?.image);
        return Ok(detector.read());
    }
    let mut reader = ClipReader::open(file, &ReadOptions::default())?;
    let mut frame = Frame::default();
    while detector.frames() < MOST_FRAMES && reader.read(&mut frame)? {
        detector.add(&frame.image);
        if detector.frames().is_multiple_of(GLANCE)
            && let Some(found) = detector.glance()
        {
            return Ok(Some(found));
        }
    }
    Ok(detector.read())
}

/// What the statement says, for laymen.
fn about(manifest: &Credentials) -> String {
    let said = |claims: &Claims| {
        let program = claims.generator.as_deref().unwrap_or("a program that does not name itself");
        let what =
            if claims.says_synthetic() { "made or changed by AI" } else { "not said to be made by AI" };
        let signer = claims.issuer.as_deref().unwrap_or("someone unnamed");
        let who = match claims.subject {
            None => String::new(),
            Some(Subject::Undeclared) => "; who is shown is undeclared".to_owned(),
            Some(Subject::Oneself) => "; its maker declared to be the one who is shown".to_owned(),
            Some(subject) => format!("; its maker declared who is shown as {subject}"),
        };
        format!("{what}, by {program}, signed by {signer}{who}")
    };
    match manifest {
        Credentials::Missing => "it carries no signed statement.".to_owned(),
        Credentials::Valid(claims) => {
            let claims = said(claims);
            format!("it is {claims}. It was not changed since; who the signer is was not checked.")
        }
        Credentials::Tampered { claims: Some(claims), .. } => {
            format!("IT WAS CHANGED after it was signed. Before, it was {}.", said(claims))
        }
        Credentials::Tampered { claims: None, .. } => {
            "its signed statement is broken and cannot be read: IT WAS CHANGED.".to_owned()
        }
    }
}

fn about_mark(watermark: &Watermark) -> String {
    match watermark {
        Watermark::Found(Found { payload, mirrored, false_alarm, .. }) => format!(
            "Gioconda's invisible mark is in the picture{}: made by AI with Gioconda {} on {}, from portrait {} (chance of error below {}).",
            if *mirrored { ", which is mirrored" } else { "" },
            payload.version,
            payload.date,
            payload.avatar,
            chance(*false_alarm),
        ),
        Watermark::Missing => "Gioconda's invisible mark was not found.".to_owned(),
        Watermark::Unreadable { why } => format!("Its picture cannot be read: {why}."),
    }
}

/// `1 in 10^9`, at most `1 in 10^12`: no model of pictures is good for more.
fn chance(false_alarm: f64) -> String {
    let power = false_alarm.max(1e-12).log10().ceil().abs();
    format!("1 in 10^{power:.0}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chances_are_rounded_up_and_bounded() {
        for (chance_of_error, text) in [(2e-7, "1 in 10^6"), (1e-40, "1 in 10^12"), (1.0, "1 in 10^0")] {
            assert_eq!(chance(chance_of_error), text);
        }
    }

    #[test]
    fn what_was_changed_is_worse_than_what_is_not_marked() {
        assert!(Verdict::Tampered > Verdict::Unmarked && Verdict::Unmarked > Verdict::Marked);
    }
}
