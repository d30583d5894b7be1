//! What the user sees: progress, warnings, summaries, and failures.

use std::cell::Cell;
use std::fmt::Display;
use std::io::{self, ErrorKind, IsTerminal as _, Write as _};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use gioconda_avatar::{Error, Progress, Summary};
use gioconda_train::LogEntry;
use indicatif::{ProgressBar, ProgressStyle};

/// Why a command did not do what it was asked to.
#[derive(Debug)]
pub(crate) enum Failure {
    /// One line for the user; exit code 1.
    Failed(String),
    /// The arguments make no sense together; exit code 2.
    Usage(String),
    /// Everything has been said already; exit code 1.
    Reported,
    /// `verify` has found, and said, that a file bears no marks; exit code 3.
    Unmarked,
    /// `verify` has found, and said, that a file was changed; exit code 4.
    Tampered,
}

impl Failure {
    /// Prints the failure to standard error, once.
    pub(crate) fn report(&self) {
        match self {
            Self::Failed(line) => eprintln!("error: {line}"),
            Self::Usage(line) => eprintln!("error: {line}\n\nFor more information, try '--help'."),
            Self::Reported | Self::Unmarked | Self::Tampered => {}
        }
    }

    /// What the program ends with.
    pub(crate) fn exit_code(&self) -> ExitCode {
        ExitCode::from(match self {
            Self::Failed(_) | Self::Reported => 1,
            Self::Usage(_) => 2,
            Self::Unmarked => 3,
            Self::Tampered => 4,
        })
    }
}

impl<E: std::error::Error> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::Failed(error.to_string())
    }
}

/// `error` for the user; where faces were found and none was chosen, with the `option` that chooses.
pub(crate) fn in_words(error: &Error, option: &str) -> String {
    match error {
        Error::FaceChoice { .. } => format!("{error}; choose with {option} N or {option} largest"),
        other => other.to_string(),
    }
}

/// Writes to standard output; a reader that has gone away (`| head`) is no failure.
pub(crate) fn print(text: impl Display) -> Result<(), Failure> {
    match writeln!(io::stdout().lock(), "{text}") {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}

/// Standard error, as loud as the user wants it.
pub(crate) struct Terminal {
    quiet: bool,
}

impl Terminal {
    /// Asks a question and returns the line that is answered; nothing where nobody is there to answer.
    pub(crate) fn ask(&self, question: impl Display) -> Option<String> {
        if self.quiet || !io::stdin().is_terminal() || !io::stderr().is_terminal() {
            return None;
        }
        eprint!("{question} ");
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
            eprintln!("{line}");
        }
    }

    /// A line about something the user may want to change.
    pub(crate) fn warn(&self, line: impl Display) {
        if !self.quiet {
            eprintln!("warning: {line}");
        }
    }

    /// A bar for work on frames, called `name`; hidden when quiet or not on a terminal.
    pub(crate) fn bar(&self, name: &str) -> Bar {
        let bar = if self.quiet { ProgressBar::hidden() } else { ProgressBar::no_length() };
        bar.set_prefix(name.to_owned());
        bar.set_style(style("{prefix} {spinner} {pos} frames  {per_sec}"));
        bar.enable_steady_tick(Duration::from_millis(200));
        Bar { bar, total_known: Cell::new(false) }
    }

    /// A bar over the clips of a data set, and the frames followed; hidden when quiet or not on a terminal.
    pub(crate) fn clips(&self) -> ClipsBar {
        let bar = if self.quiet { ProgressBar::hidden() } else { ProgressBar::no_length() };
        bar.set_style(style("{wide_bar} {pos}/{len} clips  {msg}  {eta} left"));
        bar.enable_steady_tick(Duration::from_millis(200));
        ClipsBar { bar, started: Instant::now() }
    }

    /// A bar for `total` steps of learning; hidden when quiet or not on a terminal.
    pub(crate) fn steps(&self, total: u64) -> StepBar {
        let bar = if self.quiet { ProgressBar::hidden() } else { ProgressBar::new(total) };
        bar.set_style(style("learning {wide_bar} {pos}/{len}  loss {msg}  {eta} left"));
        StepBar { bar }
    }
}

impl Terminal {
    /// A bar for a training run; hidden when quiet or not on a terminal.
    pub(crate) fn training(&self) -> TrainingBar {
        let bar = if self.quiet { ProgressBar::hidden() } else { ProgressBar::no_length() };
        bar.set_style(style("step {pos}/{len}  {eta} left  {wide_msg}"));
        TrainingBar { bar, quiet: self.quiet }
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

/// A progress bar over steps of learning.
pub(crate) struct StepBar {
    bar: ProgressBar,
}

impl StepBar {
    /// Shows that `done` steps are done, the last with this loss.
    pub(crate) fn show(&self, done: u64, loss: f64) {
        self.bar.set_message(format!("{loss:.4}"));
        self.bar.set_position(done);
    }
}

impl Drop for StepBar {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

/// A progress bar over the steps of a training run.
pub(crate) struct TrainingBar {
    bar: ProgressBar,
    quiet: bool,
}

impl TrainingBar {
    /// The run goes from `step` to `steps`.
    pub(crate) fn start(&self, step: u64, steps: u64) {
        self.bar.set_length(steps);
        self.bar.set_position(step);
        // What was done before must not make the rest look quick.
        self.bar.reset_eta();
    }

    /// Shows where the run stands: losses, speed, and what the data cost.
    pub(crate) fn show(&self, step: u64, entry: &LogEntry) {
        let losses = entry.losses.named().filter(|(_, value)| *value != 0.0);
        let losses: Vec<_> = losses.map(|(name, value)| format!("{name} {value:.4}")).collect();
        self.bar.set_message(format!(
            "{:.2} steps/s  waiting {:.0} %  {}",
            entry.steps_per_second,
            100.0 * entry.waiting,
            losses.join("  ")
        ));
        self.bar.set_position(step);
    }

    /// A line above the bar.
    pub(crate) fn say(&self, line: &str) {
        if !self.quiet {
            self.bar.suspend(|| eprintln!("{line}"));
        }
    }
}

impl Drop for TrainingBar {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

/// A progress bar over the clips of a data set.
pub(crate) struct ClipsBar {
    bar: ProgressBar,
    started: Instant,
}

impl ClipsBar {
    /// Shows where the work stands; may be called from several threads.
    pub(crate) fn update(&self, progress: gioconda_dataset::Progress) {
        self.bar.set_length(progress.clips as u64);
        self.bar.set_position(progress.clips_done as u64);
        let rate = progress.frames as f64 / self.started.elapsed().as_secs_f64().max(1e-6);
        self.bar.set_message(format!("{} frames, {rate:.0} frames/s", progress.frames));
    }
}

impl Drop for ClipsBar {
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
