//! What the user sees: progress, warnings, summaries, and failures. `report/training.rs` has the bars of those who train
//! networks.
//!
//! Everything that the program prints goes through this file, and nothing through it unescaped: what it says of files
//! holds untrusted names and texts. A line is one line ([`OneLine`]), a text keeps its own line feeds
//! ([`Lines`]), JSON stays JSON. Clippy refuses `println!` elsewhere (`main.rs`).
#![allow(clippy::print_stderr, reason = "this is the one place that prints")]

#[cfg(feature = "train")]
mod training;

use std::cell::Cell;
use std::fmt::{Display, Write as _};
use std::io::{self, ErrorKind, IsTerminal as _, Write as _};
use std::process::ExitCode;
use std::sync::atomic::Ordering;
use std::time::Duration;

use gioconda_avatar::{Error, Progress, Summary};
use gioconda_media::{Lines, OneLine, is_unprintable};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

use crate::interrupt;

/// Why a command did not do what it was asked to.
#[derive(Debug)]
pub(crate) enum Failure {
    /// One line for the user; exit code 1.
    Failed(String),
    /// The arguments make no sense together; exit code 2.
    Usage(String),
    /// Everything has been said already; exit code 1.
    Reported,
    /// `verify` has found, and said, that a file does not say that it is made by AI; exit code 3.
    Unmarked,
    /// `verify` has found, and said, that a file was changed; exit code 4.
    Tampered,
    /// `verify` has found, and said, that a file's manifest cannot be read or judged; exit code 5.
    Unverifiable,
}

impl Failure {
    /// Prints the failure to standard error, once.
    pub(crate) fn report(&self) {
        match self {
            Self::Failed(line) => error(line),
            Self::Usage(line) => {
                error(line);
                eprintln!("\nFor more information, try '--help'.");
            }
            Self::Reported | Self::Unmarked | Self::Tampered | Self::Unverifiable => {}
        }
    }

    /// What the program ends with.
    pub(crate) fn exit_code(&self) -> ExitCode {
        ExitCode::from(self.code())
    }

    /// The number of [`Failure::exit_code`].
    pub(crate) fn code(&self) -> u8 {
        match self {
            Self::Failed(_) | Self::Reported => 1,
            Self::Usage(_) => 2,
            Self::Unmarked => 3,
            Self::Tampered => 4,
            Self::Unverifiable => 5,
        }
    }
}

impl<E: std::error::Error> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::Failed(error.to_string())
    }
}

/// `error` for the user; where faces were found and none was chosen, with the `option` that chooses.
pub(crate) fn in_words(error: &gioconda_portrait::Error, option: &str) -> String {
    match error {
        gioconda_portrait::Error::Avatar(Error::FaceChoice { .. }) => {
            format!("{error}; choose with {option} N or {option} largest")
        }
        other => other.to_string(),
    }
}

/// `error`, and which options help.
pub(crate) fn with_hint(error: &impl Display, hint: &str) -> Failure {
    Failure::Failed(format!("{error} ({hint})"))
}

/// A line on standard error about what failed; the program may go on with the next file.
pub(crate) fn error(line: impl Display) {
    eprintln!("error: {}", OneLine(line));
}

/// A line on standard error.
fn note(line: impl Display) {
    eprintln!("{}", OneLine(line));
}

/// Says behind a question that the program ends, and returns its exit code.
fn end_question() -> u8 {
    eprintln!();
    let stopped = Failure::Failed(Error::Cancelled.to_string());
    stopped.report();
    stopped.code()
}

/// Writes a line to standard output; a reader that has gone away (`| head`) is no failure.
pub(crate) fn print(line: impl Display) -> Result<(), Failure> {
    write_out(OneLine(line))
}

/// Writes a text of several lines, such as a table.
pub(crate) fn print_text(text: impl Display) -> Result<(), Failure> {
    write_out(Lines(text))
}

/// Writes `value` as JSON that people can read.
pub(crate) fn print_json(value: &impl Serialize) -> Result<(), Failure> {
    print_json_text(&serde_json::to_string_pretty(value)?)
}

/// Writes a JSON text.
pub(crate) fn print_json_text(json: &str) -> Result<(), Failure> {
    write_out(visible_json(json))
}

fn write_out(text: impl Display) -> Result<(), Failure> {
    match writeln!(io::stdout().lock(), "{text}") {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}

/// The same JSON with what a terminal obeys or nobody sees as `\uXXXX`. JSON's own rules ask for that below U+0020 only;
/// such characters can stand nowhere but in strings, and the line feeds between them are the text's own.
fn visible_json(json: &str) -> String {
    let mut visible = String::with_capacity(json.len());
    for c in json.chars() {
        if c != '\n' && is_unprintable(c) {
            for unit in c.encode_utf16(&mut [0; 2]) {
                // Writing to a String cannot fail.
                let _ = write!(visible, "\\u{unit:04x}");
            }
        } else {
            visible.push(c);
        }
    }
    visible
}

/// Standard error, as loud as the user wants it.
pub(crate) struct Terminal {
    quiet: bool,
}

impl Terminal {
    /// Asks a question and returns the line that is answered; nothing where nobody is there to answer. Ctrl-C ends the
    /// program while the question stands.
    pub(crate) fn ask(&self, question: impl Display) -> Option<String> {
        if self.quiet || !io::stdin().is_terminal() || !io::stderr().is_terminal() {
            return None;
        }
        let _asking = interrupt::ends_at_once(end_question);
        if interrupt::flag().load(Ordering::SeqCst) {
            return None;
        }
        eprint!("{} ", OneLine(question));
        let mut answer = String::new();
        io::stdin().read_line(&mut answer).ok().map(|_| answer.trim().to_owned())
    }

    /// `quiet` silences everything but errors.
    pub(crate) fn new(quiet: bool) -> Self {
        Self { quiet }
    }

    /// A line about what was done.
    pub(crate) fn say(&self, line: impl Display) {
        if !self.quiet {
            note(line);
        }
    }

    /// A line about something the user may want to change.
    pub(crate) fn warn(&self, line: impl Display) {
        if !self.quiet {
            eprintln!("warning: {}", OneLine(line));
        }
    }

    /// A bar for work on frames, called `name`; hidden when quiet or not on a terminal.
    pub(crate) fn bar(&self, name: &str) -> Bar {
        let bar = if self.quiet { ProgressBar::hidden() } else { ProgressBar::no_length() };
        bar.set_prefix(OneLine(name).to_string());
        bar.set_style(style("{prefix} {spinner} {pos} frames  {per_sec}"));
        bar.enable_steady_tick(Duration::from_millis(200));
        Bar { bar, total_known: Cell::new(false) }
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).expect("the templates are constants of this module").with_key(
        "per_sec",
        |state: &indicatif::ProgressState, out: &mut dyn std::fmt::Write| {
            // Nothing can be done about a terminal that takes no text.
            let _ = write!(out, "{:.0} frames/s", state.per_sec());
        },
    )
}

/// A progress bar over frames.
pub(crate) struct Bar {
    bar: ProgressBar,
    total_known: Cell<bool>,
}

impl Bar {
    /// Shows where the work stands.
    pub(crate) fn update(&self, progress: Progress) {
        if let (Some(total), false) = (progress.total, self.total_known.replace(true)) {
            self.bar.set_length(total);
            self.bar.set_style(style("{prefix} {wide_bar} {pos}/{len}  {per_sec}  {eta} left"));
        }
        self.bar.set_position(progress.done);
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

/// The one line at the end of an animation.
pub(crate) fn summary(output: &std::path::Path, summary: &Summary) -> String {
    let stages = &summary.stages;
    let lost = match summary.lost_frames {
        0 => String::new(),
        1 => "; the driver's face was lost in 1 frame".to_owned(),
        lost => format!("; the driver's face was lost in {lost} frames"),
    };
    format!(
        "{}: {} frames of {}x{} at {:.0} frames/s in {:.1} s ({:.0} frames/s; ms a frame: decode {:.1}, track {:.1}, \
         transfer {:.1}, render {:.1}, encode {:.1}){lost}",
        output.display(),
        summary.frames,
        summary.size.0,
        summary.size.1,
        summary.fps,
        summary.seconds,
        summary.frames as f64 / summary.seconds.max(1e-6),
        stages.decode,
        stages.track,
        stages.transfer,
        stages.render,
        stages.encode,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_says_the_same_and_shows_what_is_hidden() {
        let title = "a\u{202e}b\u{9b}31m\u{7f}\n\u{1b}[0m \u{e0041} é \u{1f600}";
        let json =
            visible_json(&serde_json::to_string_pretty(&[title]).expect("a string has a form in JSON"));
        assert!(!json.chars().any(|c| c != '\n' && is_unprintable(c)), "{json}");
        assert!(json.contains("\\u202e") && json.contains('é'), "{json}");
        let read: Vec<String> = serde_json::from_str(&json).expect("it is JSON");
        assert_eq!(read, [title]);
    }
}
