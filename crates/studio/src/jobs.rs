//! Work that takes a while: films and avatars, one at a time, in a queue that has an end.

pub(crate) mod animation;
pub(crate) mod learning;
pub(crate) mod routes;

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use gioconda_http::{ApiError, Id};
use gioconda_media::isolation;
use serde::Serialize;
use tempfile::TempPath;
use tokio::sync::watch;
use utoipa::ToSchema;

use crate::error::BROKEN;
use crate::limits;
use crate::metrics::End;
use crate::session::Owner;
use crate::studio::{Shared, Studio};
use animation::Animation;
use learning::Learning;

/// What a job makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum JobKind {
    /// A film.
    Animate,
    /// An avatar.
    Learn,
}

/// Where a job stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum JobState {
    /// It waits for others.
    Queued,
    /// It is worked on.
    Running,
    /// Its result can be had.
    Done,
    /// It could not be done; `error` says why.
    Failed,
    /// Somebody stopped it; it can be resumed.
    Stopped,
}

/// What came of a job.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub(crate) enum JobResult {
    /// Of `animate`.
    Film {
        /// A name for downloads.
        file: String,
        /// Its media type.
        mime: &'static str,
        /// Pixels across.
        width: u32,
        /// Pixels down.
        height: u32,
        /// How long it plays.
        seconds: f64,
    },
    /// Of `learn`.
    Avatar {
        /// The avatar's id.
        avatar: String,
    },
}

/// A job as it is shown.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct JobView {
    pub(crate) id: Id,
    pub(crate) kind: JobKind,
    pub(crate) state: JobState,
    /// How many jobs are before it.
    pub(crate) position: usize,
    /// Frames or steps done.
    pub(crate) done: u64,
    /// Frames or steps there will be; 0 while that is not known.
    pub(crate) total: u64,
    /// Frames or steps a second.
    #[schema(required)]
    pub(crate) frames_per_second: Option<f64>,
    /// Why it failed, one line.
    #[schema(required)]
    pub(crate) error: Option<String>,
    /// What came of it, once it is done.
    #[schema(required)]
    pub(crate) result: Option<JobResult>,
}

/// What is to be done.
pub(crate) enum Work {
    Animate(Box<Animation>),
    Learn(Learning),
}

impl Work {
    /// Whether it can go on where it was stopped; films begin anew.
    fn is_paused(&self) -> bool {
        matches!(self, Self::Learn(learning) if learning.is_paused())
    }

    fn begin_anew(&self) {
        if let Self::Learn(learning) = self {
            learning.begin_anew();
        }
    }
}

/// A job's result, and its film if it is one.
pub(crate) struct Made {
    pub(crate) result: JobResult,
    pub(crate) film: Option<Film>,
}

/// A film that was made, and how many bytes it has; it is deleted with the last that uses it.
#[derive(Clone)]
pub(crate) struct Film {
    pub(crate) path: Arc<TempPath>,
    pub(crate) bytes: u64,
}

/// Why a job ended without a result.
pub(crate) enum Unmade {
    Stopped,
    Failed(String),
}

pub(crate) struct Job {
    pub(crate) id: Id,
    owner: Owner,
    /// Until it is done: portraits take memory.
    work: Mutex<Option<Arc<Work>>>,
    cancel: Arc<AtomicBool>,
    view: watch::Sender<JobView>,
    film: Mutex<Option<Film>>,
    /// When its progress was first told since it was begun or resumed, and how far it was then.
    first: Mutex<Option<(Instant, u64)>>,
    end: Mutex<Option<Instant>>,
}

impl Job {
    pub(crate) fn view(&self) -> JobView {
        self.view.borrow().clone()
    }

    pub(crate) fn watch(&self) -> watch::Receiver<JobView> {
        self.view.subscribe()
    }

    /// Its film, once it is done.
    pub(crate) fn film(&self) -> Option<Film> {
        lock(&self.film).clone()
    }

    fn has_ended(&self) -> bool {
        !matches!(self.view.borrow().state, JobState::Queued | JobState::Running)
    }

    fn progress(&self, studio: &Studio, done: u64, total: u64) {
        let (start, before) = *lock(&self.first).get_or_insert_with(|| (Instant::now(), done));
        let seconds = start.elapsed().as_secs_f64();
        let pace = (seconds > 0.0 && done > before).then(|| (done - before) as f64 / seconds);
        if self.view.borrow().kind == JobKind::Animate {
            studio.metrics.frames.inc();
            studio.metrics.job_fps.set(pace.unwrap_or(0.0));
        }
        self.view.send_modify(|view| {
            (view.done, view.total, view.frames_per_second) = (done, total, pace);
        });
    }
}

#[derive(Default)]
struct Table {
    /// In the order they came.
    jobs: Vec<Arc<Job>>,
    queue: VecDeque<Arc<Job>>,
    running: Option<Arc<Job>>,
    closed: bool,
}

/// All jobs.
#[derive(Default)]
pub(crate) struct Jobs {
    table: Mutex<Table>,
    wake: Condvar,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Jobs {
    /// Puts work at the end of the queue.
    pub(crate) fn add(&self, owner: Owner, work: Work) -> Result<Id, ApiError> {
        let mut table = lock(&self.table);
        table.check_room()?;
        let id = Id::random();
        let kind = match work {
            Work::Animate(_) => JobKind::Animate,
            Work::Learn(_) => JobKind::Learn,
        };
        let view = JobView {
            id: id.clone(),
            kind,
            state: JobState::Queued,
            position: 0,
            done: 0,
            total: 0,
            frames_per_second: None,
            error: None,
            result: None,
        };
        let job = Arc::new(Job {
            id: id.clone(),
            owner,
            work: Mutex::new(Some(Arc::new(work))),
            cancel: Arc::default(),
            view: watch::Sender::new(view),
            film: Mutex::default(),
            first: Mutex::default(),
            end: Mutex::default(),
        });
        table.jobs.push(Arc::clone(&job));
        table.queue.push_back(job);
        table.forget_old();
        table.count();
        self.wake.notify_one();
        Ok(id)
    }

    /// All jobs of `owner` that are remembered, the newest first.
    pub(crate) fn views(&self, owner: Owner) -> Vec<JobView> {
        let table = lock(&self.table);
        table.jobs.iter().rev().filter(|job| job.owner == owner).map(|job| job.view()).collect()
    }

    /// A job of `owner`; those of others are not there.
    pub(crate) fn find(&self, owner: Owner, id: &Id) -> Result<Arc<Job>, ApiError> {
        let table = lock(&self.table);
        let found = table.jobs.iter().find(|job| job.id == *id && job.owner == owner).cloned();
        found.ok_or_else(|| ApiError::unknown("job"))
    }

    /// Stops a job that waits or runs; one that has ended is forgotten, with its film.
    pub(crate) fn stop(&self, owner: Owner, id: &Id) -> Result<(), ApiError> {
        let job = self.find(owner, id)?;
        let mut table = lock(&self.table);
        if job.has_ended() {
            table.jobs.retain(|other| other.id != *id);
            return Ok(());
        }
        job.cancel.store(true, Ordering::Relaxed);
        if let Some(place) = table.queue.iter().position(|other| other.id == *id) {
            table.queue.remove(place);
            *lock(&job.end) = Some(Instant::now());
            job.view.send_modify(|view| (view.state, view.position) = (JobState::Stopped, 0));
            table.count();
        }
        Ok(())
    }

    /// Puts a job that was stopped back into the queue.
    pub(crate) fn resume(&self, owner: Owner, id: &Id) -> Result<(), ApiError> {
        let job = self.find(owner, id)?;
        let mut table = lock(&self.table);
        if !matches!(job.view().state, JobState::Stopped | JobState::Failed) {
            let line = "only a job that was stopped or has failed can be resumed";
            return Err(ApiError::new(axum::http::StatusCode::CONFLICT, line));
        }
        table.check_room()?;
        job.cancel.store(false, Ordering::Relaxed);
        (*lock(&job.first), *lock(&job.end)) = (None, None);
        let goes_on = lock(&job.work).as_ref().is_some_and(|work| work.is_paused());
        job.view.send_modify(|view| {
            (view.state, view.error, view.frames_per_second) = (JobState::Queued, None, None);
            view.done = if goes_on { view.done } else { 0 };
        });
        table.queue.push_back(job);
        table.count();
        self.wake.notify_one();
        Ok(())
    }

    /// How many wait.
    pub(crate) fn waiting(&self) -> usize {
        lock(&self.table).queue.len()
    }

    /// Forgets jobs that ended long ago, with their films.
    pub(crate) fn expire(&self) {
        lock(&self.table).forget_old();
    }

    /// Stops what runs and lets nothing begin any more.
    pub(crate) fn close(&self) {
        let mut table = lock(&self.table);
        table.closed = true;
        table.queue.clear();
        if let Some(job) = &table.running {
            job.cancel.store(true, Ordering::Relaxed);
        }
        self.wake.notify_all();
    }

    /// Waits for the next job; nothing once the studio ends.
    fn next(&self) -> Option<Arc<Job>> {
        let mut table = lock(&self.table);
        loop {
            if table.closed {
                return None;
            }
            if let Some(job) = table.queue.pop_front() {
                table.running = Some(Arc::clone(&job));
                table.count();
                job.view.send_modify(|view| (view.state, view.position) = (JobState::Running, 0));
                return Some(job);
            }
            table = self.wake.wait(table).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn ended(&self, job: &Job, made: Result<Made, Unmade>) -> &'static str {
        let mut table = lock(&self.table);
        table.running = None;
        *lock(&job.end) = Some(Instant::now());
        let (state, result, error, end) = match made {
            Ok(Made { result, film }) => {
                *lock(&job.film) = film;
                lock(&job.work).take();
                (JobState::Done, Some(result), None, "done")
            }
            Err(Unmade::Stopped) => (JobState::Stopped, None, None, "stopped"),
            Err(Unmade::Failed(line)) => (JobState::Failed, None, Some(line), "failed"),
        };
        job.view.send_modify(|view| (view.state, view.result, view.error) = (state, result, error));
        table.forget_old();
        table.count();
        end
    }
}

impl Table {
    fn check_room(&self) -> Result<(), ApiError> {
        if self.queue.len() >= limits::QUEUED_JOBS {
            return Err(ApiError::busy("the queue is full; try again in a minute", 30));
        }
        Ok(())
    }

    /// Tells everyone who waits how many are before them.
    fn count(&self) {
        let running = usize::from(self.running.is_some());
        for (place, job) in self.queue.iter().enumerate() {
            job.view.send_if_modified(|view| {
                let before = std::mem::replace(&mut view.position, place + running);
                before != view.position
            });
        }
    }

    fn forget_old(&mut self) {
        let age = |job: &Job| lock(&job.end).map(|end| end.elapsed());
        self.jobs.retain(|job| age(job).is_none_or(|age| age < limits::UNUSED));
        let bytes = |job: &Arc<Job>| lock(&job.film).as_ref().map_or(0, |film| film.bytes);
        let ended: Vec<u64> = self.jobs.iter().filter(|job| job.has_ended()).map(bytes).collect();
        let mut surplus = surplus(&ended, limits::ENDED_JOBS, limits::FILM_BYTES);
        self.jobs.retain(|job| {
            let goes = surplus > 0 && job.has_ended();
            surplus -= usize::from(goes);
            !goes
        });
        let paused = self.jobs.iter().rev().filter_map(|job| match lock(&job.work).clone() {
            Some(work) if work.is_paused() => Some(work),
            _ => None,
        });
        for work in paused.skip(limits::PAUSED_LESSONS) {
            work.begin_anew();
        }
    }
}

/// How many of the jobs that ended, the oldest first, have to go so that no more than `most` with `most_bytes` of films
/// stay. The last one stays whatever its size: somebody has just waited for it.
fn surplus(ended: &[u64], most: usize, most_bytes: u64) -> usize {
    let mut room = most_bytes;
    let newest = ended.iter().rev().take(most).enumerate();
    let kept = newest.take_while(|&(place, &bytes)| {
        let fits = bytes <= room;
        room = room.saturating_sub(bytes);
        fits || place == 0
    });
    ended.len() - kept.count()
}

/// Works on one job after the other until the studio ends.
pub(crate) fn work(studio: &Shared) {
    while let Some(job) = studio.jobs.next() {
        let work = lock(&job.work).clone().expect("a job that is queued is not done");
        // Stopping a job also ends the child process that it may be waiting for.
        let run = || match &*work {
            Work::Animate(animation) => animation.run(studio, &job),
            Work::Learn(learning) => learning.run(studio, &job),
        };
        let made = catch_unwind(AssertUnwindSafe(|| isolation::with_cancel(&job.cancel, run)));
        let made = made.unwrap_or_else(|_| {
            studio.metrics.errors.inc();
            Err(Unmade::Failed(BROKEN.to_owned()))
        });
        // The child of a job that was stopped fails before the job looks at its flag.
        let stopped = job.cancel.load(Ordering::Relaxed);
        let made = made.map_err(|unmade| if stopped { Unmade::Stopped } else { unmade });
        let end = studio.jobs.ended(&job, made);
        studio.metrics.jobs.get_or_create(&End { end }).inc();
        studio.metrics.job_fps.set(0.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jobs::learning::Learning;

    #[test]
    fn nobody_sees_or_stops_the_jobs_of_others() {
        let (jobs, ada, grace) = (Jobs::default(), Owner::example(1), Owner::example(2));
        let id = jobs.add(ada, Work::Learn(Learning::example())).unwrap_or_else(|e| panic!("{}", e.line));
        assert_eq!((jobs.views(ada).len(), jobs.views(grace).len()), (1, 0));
        for refused in [
            jobs.find(grace, &id).map(drop),
            jobs.stop(grace, &id),
            jobs.resume(grace, &id),
            jobs.find(ada, &Id::random()).map(drop),
        ] {
            assert_eq!(refused.err().map(|error| error.status), Some(axum::http::StatusCode::NOT_FOUND));
        }
        assert!(jobs.find(ada, &id).is_ok() && jobs.stop(ada, &id).is_ok());
    }

    #[test]
    fn the_oldest_films_go_when_there_are_too_many_or_too_many_bytes() {
        for (ended, most, most_bytes, gone) in [
            (&[][..], 3, 10, 0),
            (&[1, 2, 3], 3, 10, 0),
            (&[1, 2, 3, 4], 3, 10, 1),
            (&[9, 2, 3, 4], 9, 10, 1),
            (&[1, 9, 5, 4], 9, 10, 2),
            (&[1, 0, 0, 10], 9, 10, 1),
            (&[1, 2, 99], 9, 10, 2),
            (&[99], 9, 10, 0),
            (&[1, 1], 0, 10, 2),
        ] {
            assert_eq!(surplus(ended, most, most_bytes), gone, "{ended:?}");
        }
    }
}
