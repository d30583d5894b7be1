//! What a file says of its own origin, and whether it was changed since: for `gioconda verify` and the studio.

use std::path::Path;

use gioconda_media::{ClipReader, Frame, InputKind, ReadOptions, photo};
use gioconda_provenance::watermark::{Detector, Found};
use gioconda_provenance::{Claims, Credentials, Subject};
use serde::Serialize;
use utoipa::ToSchema;

/// Frames of a clip that are looked at; more add nothing.
const MOST_FRAMES: u64 = 250;
/// Frames after which a mark in plain sight ends the search.
const GLANCE: u64 = 25;

/// What is to be made of a file, the worst last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// A whole statement or a mark was found.
    Marked,
    /// There is neither.
    Unmarked,
    /// The file was changed after it was signed.
    Tampered,
}

/// What was found in one file.
#[derive(Serialize, ToSchema)]
pub struct Finding {
    /// All in one word.
    pub verdict: Verdict,
    /// Whether anything says that the picture is made by AI.
    pub synthetic: bool,
    /// The signed statement: its `status` is `missing`, `valid` or `tampered`.
    #[schema(value_type = Object)]
    pub manifest: Credentials,
    /// The invisible mark: its `status` is `found`, `missing` or `unreadable`.
    #[schema(value_type = Object)]
    pub watermark: Watermark,
    /// All of it for laymen.
    pub sentence: String,
}

/// What was found of the invisible mark.
#[derive(Serialize)]
#[serde(tag = "status", rename_all = "lowercase")]
pub enum Watermark {
    /// It is there.
    Found(Found),
    /// It was not found.
    Missing,
    /// The picture could not be decoded.
    Unreadable {
        /// The reason.
        why: String,
    },
}

/// Verifies the picture or clip at `file`, which users call `name`.
///
/// # Errors
/// One line, when the file cannot be read or is neither a picture nor a clip.
pub fn verify(file: &Path, name: &str) -> Result<Finding, String> {
    let in_words =
        |error: &dyn std::fmt::Display| error.to_string().replace(&file.display().to_string(), name);
    let manifest = Credentials::read(file).map_err(|error| in_words(&error))?;
    let watermark = match look_for_mark(file) {
        Ok(Some(found)) => Watermark::Found(found),
        Ok(None) => Watermark::Missing,
        Err(error) if manifest == Credentials::Missing => return Err(in_words(&error)),
        Err(error) => Watermark::Unreadable { why: in_words(&error) },
    };
    let verdict = match (&manifest, &watermark) {
        (Credentials::Tampered { .. }, _) => Verdict::Tampered,
        (Credentials::Valid(_), _) | (_, Watermark::Found(_)) => Verdict::Marked,
        (Credentials::Missing, _) => Verdict::Unmarked,
    };
    let synthetic =
        matches!(watermark, Watermark::Found(_)) || manifest.claims().is_some_and(Claims::says_synthetic);
    let sentence = format!("{name}: {} {}", about(&manifest), about_mark(&watermark));
    Ok(Finding { verdict, synthetic, manifest, watermark, sentence })
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
