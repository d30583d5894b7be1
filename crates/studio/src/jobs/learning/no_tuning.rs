//! Stands for tuning in builds without the feature `tuning`.

use std::convert::Infallible;

use gioconda_avatar::{Avatar, PersonalNetwork};
use gioconda_http::ApiError;

use crate::jobs::{Job, Unmade};
use crate::studio::Studio;

/// A network that is tuned: none here.
pub(super) struct Tuning {
    never: Infallible,
}

impl Tuning {
    /// `None`, unless `steps` are asked for.
    pub(super) fn new(_: usize, steps: Option<u32>, _: bool) -> Result<Option<Self>, ApiError> {
        match steps {
            None => Ok(None),
            Some(_) => Err(ApiError::unusable("this studio was built without tuning: leave `steps` out")),
        }
    }

    /// Never called.
    pub(super) fn progress(&self) -> (u64, u64) {
        match self.never {}
    }

    /// Never called.
    pub(super) fn run(&self, _: &Studio, _: &Job, _: &Avatar) -> Result<PersonalNetwork, Unmade> {
        match self.never {}
    }

    /// Never called.
    pub(super) fn is_paused(&self) -> bool {
        match self.never {}
    }

    /// Never called.
    pub(super) fn begin_anew(&self) {
        match self.never {}
    }
}
