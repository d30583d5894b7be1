//! Tuning a network to photos, with rests.

use std::sync::{Mutex, MutexGuard, PoisonError};

use gioconda_avatar::{Avatar, PersonalNetwork};
use gioconda_http::ApiError;
use gioconda_train::{DEFAULT_LEARNING_STEPS, FEWEST_PHOTOS_TO_TUNE, LearnProgress, LearnSettings, Lesson};

use super::stop_if;
use crate::jobs::{Job, Unmade};
use crate::studio::Studio;

/// Steps that may be asked for.
const MOST_STEPS: u32 = 2000;

/// A network that is tuned, now or later.
pub(super) struct Tuning {
    steps: u32,
    /// Where it was stopped.
    paused: Mutex<Option<Box<Lesson>>>,
}

impl Tuning {
    /// For so many photos; `None` where the network is left untuned: because so few cannot be checked and nobody asked for
    /// `steps`, or because that is wanted.
    pub(super) fn new(
        photos: usize,
        steps: Option<u32>,
        feed_forward: bool,
    ) -> Result<Option<Self>, ApiError> {
        if let Some(steps) = steps.filter(|steps| !(1..=MOST_STEPS).contains(steps)) {
            return Err(ApiError::unusable(format!("steps go from 1 to {MOST_STEPS}, not {steps}")));
        }
        let untuned = feed_forward || (steps.is_none() && photos < FEWEST_PHOTOS_TO_TUNE);
        let steps = steps.unwrap_or(DEFAULT_LEARNING_STEPS);
        Ok((!untuned).then(|| Self { steps, paused: Mutex::default() }))
    }

    /// Steps done and all of them.
    pub(super) fn progress(&self) -> (u64, u64) {
        let done = self.lesson().as_ref().map_or(0, |lesson| lesson.done());
        (u64::from(done), u64::from(self.steps))
    }

    /// The network tuned to the avatar's photos, from where it was stopped if it was.
    pub(super) fn run(&self, studio: &Studio, job: &Job, avatar: &Avatar) -> Result<PersonalNetwork, Unmade> {
        let failed = |error: gioconda_train::Error| Unmade::Failed(error.to_string());
        let paused = self.lesson().take();
        let mut lesson = if let Some(lesson) = paused {
            lesson
        } else {
            let settings = LearnSettings { steps: self.steps, ..LearnSettings::default() };
            Box::new(Lesson::new(&studio.models.weights, &avatar.photos(), &settings).map_err(failed)?)
        };
        let progress = |p: LearnProgress| job.progress(studio, u64::from(p.done), u64::from(p.total));
        let end = lesson.go_on(&progress, &job.cancel);
        if stop_if(job).is_err() {
            *self.lesson() = Some(lesson);
            return Err(Unmade::Stopped);
        }
        end.map_err(failed)?;
        Ok(lesson.finish().0)
    }

    fn lesson(&self) -> MutexGuard<'_, Option<Box<Lesson>>> {
        self.paused.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether it was stopped.
    pub(super) fn is_paused(&self) -> bool {
        self.lesson().is_some()
    }

    /// Lets go of what was stopped: the next run begins anew.
    pub(super) fn begin_anew(&self) {
        self.lesson().take();
    }
}
