//! Progress bars of those who prepare data, train, tune and measure networks.

use std::time::{Duration, Instant};

use gioconda_train::LogEntry;
use indicatif::ProgressBar;

use super::{Terminal, note, style};

impl Terminal {
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

    /// A bar for a training run; hidden when quiet or not on a terminal.
    pub(crate) fn training(&self) -> TrainingBar {
        let bar = if self.quiet { ProgressBar::hidden() } else { ProgressBar::no_length() };
        bar.set_style(style("step {pos}/{len}  {eta} left  {wide_msg}"));
        TrainingBar { bar, quiet: self.quiet }
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
            self.bar.suspend(|| note(line));
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
