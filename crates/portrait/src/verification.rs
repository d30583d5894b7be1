//! What a file says of its own origin, and whether it was changed since: for `gioconda verify` and the studio.

mod search;

use std::path::Path;

use gioconda_media::OneLine;
use gioconda_provenance::watermark::Found;
use gioconda_provenance::{Claims, Credentials, Sidecar, SidecarOutcome, Subject};
use serde::Serialize;

pub use search::Search;
use search::{Looked, look};

/// What is to be made of a file, the worst last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// It says that it is made by AI, in a signed statement that is whole or by the invisible mark.
    Marked,
    /// Its signed statement is whole and does not say that it is made by AI: a camera's, for example.
    Signed,
    /// There is neither a statement nor a mark.
    Unmarked,
    /// It has a signed statement that cannot be read or judged. Whether the file was changed is not known.
    Unverifiable,
    /// The file was changed after it was signed.
    Tampered,
}

/// What was found in one file.
#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Finding {
    /// All in one word.
    pub verdict: Verdict,
    /// Whether anything says that the picture is made by AI.
    pub synthetic: bool,
    /// The signed statement: its `status` is `missing`, `valid`, `tampered`, `unverifiable` or `elsewhere` (the file only
    /// has the address of one, which is not fetched).
    pub manifest: Credentials,
    /// A `.c2pa` file beside it: its `status` is `used`, `ignored` (the file itself has a statement) or `unreadable`.
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sidecar: Option<Sidecar>,
    /// The invisible mark: its `status` is `found`, `missing` or `unreadable`. Where it is missing, `frames` were looked
    /// at, and `all` says whether these are all there are.
    pub watermark: Watermark,
    /// All of it for laymen.
    pub sentence: String,
}

/// What was found of the invisible mark.
#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(tag = "status", rename_all = "lowercase")]
pub enum Watermark {
    /// It is there.
    Found(Found),
    /// It was not found.
    Missing {
        /// In so many frames.
        frames: u64,
        /// Whether these are all there are.
        all: bool,
    },
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
pub fn verify(file: &Path, name: &str, search: Search) -> Result<Finding, String> {
    let in_words = |error: &dyn std::fmt::Display| {
        on_one_line(&error.to_string().replace(&file.display().to_string(), name))
    };
    let metadata =
        std::fs::metadata(file).map_err(|error| on_one_line(&format!("{name}: cannot be read ({error})")))?;
    if !metadata.is_file() {
        // Opening a named pipe would block until another process writes to it.
        return Err(on_one_line(&format!(
            "{name}: is not a file; name a picture, a clip or a folder of them"
        )));
    }
    gioconda_media::sniff(file).map_err(|error| in_words(&error))?;
    let (manifest, sidecar) = Credentials::read_with_sidecar(file).map_err(|error| in_words(&error))?;
    let watermark = match look(file, search) {
        Ok(Looked { found: Some(found), .. }) => Watermark::Found(found),
        Ok(Looked { frames, all, .. }) => Watermark::Missing { frames, all },
        Err(error) => Watermark::Unreadable { why: in_words(&error) },
    };
    let synthetic =
        matches!(watermark, Watermark::Found(_)) || manifest.claims().is_some_and(Claims::says_synthetic);
    let verdict = match (&manifest, &watermark) {
        (Credentials::Tampered { .. }, _) => Verdict::Tampered,
        (Credentials::Unverifiable { .. }, _) => Verdict::Unverifiable,
        (_, Watermark::Found(_)) => Verdict::Marked,
        (Credentials::Valid(_), _) if synthetic => Verdict::Marked,
        (Credentials::Valid(_), _) => Verdict::Signed,
        (Credentials::Missing | Credentials::Elsewhere { .. }, _) => Verdict::Unmarked,
    };
    let parts = [Some(about(&manifest)), sidecar.as_ref().map(about_sidecar), Some(about_mark(&watermark))];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    let sentence = on_one_line(&format!("{name}: {}", parts.join(" ")));
    Ok(Finding { verdict, synthetic, manifest, sidecar, watermark, sentence })
}

/// What the statement says, for laymen.
fn about(manifest: &Credentials) -> String {
    let because = |problems: &[String]| match problems {
        [] => String::new(),
        problems => format!(" ({})", problems.join(", ")),
    };
    match manifest {
        Credentials::Missing => "it carries no signed statement.".to_owned(),
        Credentials::Elsewhere { url } => format!(
            "it carries no signed statement, but points to one elsewhere, {url}, which was not fetched."
        ),
        Credentials::Valid(claims) => {
            format!("it is {}. It was not changed since; who the signer is was not checked.", said(claims))
        }
        Credentials::Tampered { claims: Some(claims), .. } => {
            format!("IT WAS CHANGED after it was signed. Before, it was {}.", said(claims))
        }
        Credentials::Tampered { claims: None, .. } => "IT WAS CHANGED after it was signed.".to_owned(),
        Credentials::Unverifiable { claims: Some(claims), problems } => format!(
            "its signed statement cannot be verified{}: whether it was changed is not known. By that statement, it is {}.",
            because(problems),
            said(claims)
        ),
        Credentials::Unverifiable { claims: None, problems } => format!(
            "it carries a signed statement, which cannot be read{}: whether it was changed is not known.",
            because(problems)
        ),
    }
}

/// How a picture came about and who says so, after "it is".
fn said(claims: &Claims) -> String {
    let program = claims.generator.as_deref().unwrap_or("a program that does not name itself");
    let what = match &claims.source {
        _ if claims.says_synthetic() => "made or changed by AI".to_owned(),
        Some(source) => format!("not said to be made by AI, but to be {} ({source})", origin(source)),
        None => "not said to be made by AI".to_owned(),
    };
    let signer = claims.issuer.as_deref().unwrap_or("someone unnamed");
    let who = match claims.subject {
        None => String::new(),
        Some(Subject::Undeclared) => "; who is shown is undeclared".to_owned(),
        Some(Subject::Oneself) => "; its maker declared to be the one who is shown".to_owned(),
        Some(subject) => format!("; its maker declared who is shown as {subject}"),
    };
    format!("{what}, by {program}, signed by {signer}{who}")
}

/// A digital source type in plain words: the IPTC's vocabulary, `cv.iptc.org/newscodes/digitalsourcetype`.
fn origin(source: &str) -> &'static str {
    match source {
        "digitalCapture" => "captured by a camera",
        "computationalCapture" => "captured by a camera in several shots",
        "negativeFilm" | "positiveFilm" | "print" => "digitised from film or paper",
        "screenCapture" => "a recording of a screen",
        "virtualRecording" => "a recording of a virtual event",
        "compositeCapture" => "composed of what cameras captured",
        "composite" => "composed of several pictures",
        "algorithmicallyEnhanced" => "enhanced by a program",
        "humanEdits" | "minorHumanEdits" => "edited by people",
        "digitalCreation" | "digitalArt" | "softwareImage" => "made by people with software",
        "dataDrivenMedia" | "algorithmicMedia" => "computed, without training",
        _ => "of another kind",
    }
}

fn about_sidecar(Sidecar { file, outcome }: &Sidecar) -> String {
    match outcome {
        SidecarOutcome::Used => format!("That is what {file} beside it says."),
        SidecarOutcome::Ignored => {
            format!("{file} beside it was ignored: the file has a statement of its own.")
        }
        SidecarOutcome::Unreadable { why } => format!("{file} beside it {why}, and was ignored."),
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
        Watermark::Missing { all: true, .. } => "Gioconda's invisible mark was not found.".to_owned(),
        Watermark::Missing { frames, all: false } => {
            format!("Gioconda's invisible mark was not found in {frames} frames spread over the clip.")
        }
        Watermark::Unreadable { why } => format!("Its picture cannot be read: {why}."),
    }
}

/// `1 in 10^9`, at most `1 in 10^12`: no model of pictures is good for more.
fn chance(false_alarm: f64) -> String {
    let power = false_alarm.max(1e-12).log10().ceil().abs();
    format!("1 in 10^{power:.0}")
}

/// Names of files and what they say of themselves may hold anything; all text for people passes through here.
fn on_one_line(text: &str) -> String {
    OneLine(text).to_string()
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
    fn the_worst_verdict_is_the_greatest() {
        use Verdict::{Marked, Signed, Tampered, Unmarked, Unverifiable};
        let order = [Marked, Signed, Unmarked, Unverifiable, Tampered];
        assert!(order.is_sorted_by(|a, b| a < b));
    }

    #[test]
    fn what_files_say_stays_on_one_line() {
        let cases = [
            ("plain, caf\u{e9}", "plain, caf\u{e9}"),
            ("a\nb.jpg: it is fine", "a\\nb.jpg: it is fine"),
            ("\u{1b}[2J", "\\u{1b}[2J"),
            ("\u{202e}gpj", "\\u{202e}gpj"),
        ];
        for (text, line) in cases {
            assert_eq!(on_one_line(text), line);
        }
    }
}
