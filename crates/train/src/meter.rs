//! Speed and mean losses, between log entries and over all.

use std::time::{Duration, Instant};

use crate::log::LogEntry;
use crate::losses::StepLosses;

/// Measures a run.
#[derive(Debug)]
pub(crate) struct Meter {
    samples_per_step: usize,
    began: Instant,
    steps: u64,
    /// Since the last log entry.
    recent: Recent,
}

#[derive(Debug)]
struct Recent {
    began: Instant,
    waited_before: Duration,
    /// Time waited in all, when last heard of.
    waited: Duration,
    steps: u64,
    sums: StepLosses,
}

/// What a process did in all.
pub(crate) struct Total {
    pub(crate) steps: u64,
    pub(crate) seconds: f64,
    pub(crate) samples_per_second: f64,
    pub(crate) waiting: f64,
}

impl Meter {
    /// Begins now; each step sees so many samples.
    pub(crate) fn start(samples_per_step: usize) -> Self {
        let began = Instant::now();
        Self { samples_per_step, began, steps: 0, recent: Recent::new(began, Duration::ZERO) }
    }

    /// Counts a step and says where things stand. `waited`: time waited for data in all.
    pub(crate) fn entry(
        &mut self,
        step: u64,
        learning_rate: f64,
        losses: StepLosses,
        waited: Duration,
    ) -> LogEntry {
        self.steps += 1;
        let recent = &mut self.recent;
        recent.steps += 1;
        recent.waited = waited;
        recent.sums = recent.sums + losses;
        let seconds = recent.began.elapsed().as_secs_f64().max(1e-9);
        let steps_per_second = recent.steps as f64 / seconds;
        LogEntry {
            step,
            seconds: self.began.elapsed().as_secs_f64(),
            learning_rate,
            steps_per_second,
            samples_per_second: steps_per_second * self.samples_per_step as f64,
            waiting: waited.saturating_sub(recent.waited_before).as_secs_f64() / seconds,
            losses: recent.sums * (1.0 / recent.steps as f64),
        }
    }

    /// Forgets what was logged.
    pub(crate) fn restart(&mut self) {
        self.recent = Recent::new(Instant::now(), self.recent.waited);
    }

    /// Since the beginning.
    pub(crate) fn total(&self, waited: Duration) -> Total {
        let seconds = self.began.elapsed().as_secs_f64().max(1e-9);
        Total {
            steps: self.steps,
            seconds,
            samples_per_second: self.steps as f64 * self.samples_per_step as f64 / seconds,
            waiting: waited.as_secs_f64() / seconds,
        }
    }
}

impl Recent {
    fn new(began: Instant, waited: Duration) -> Self {
        Self { began, waited_before: waited, waited, steps: 0, sums: StepLosses::default() }
    }
}
