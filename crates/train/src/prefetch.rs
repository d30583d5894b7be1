//! Batches are drawn ahead, on threads of their own, and come out in order whatever the number of threads.

use std::sync::mpsc::{Receiver, TryRecvError, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::batch::Batch;
use crate::episodes::EpisodeSource;
use crate::{Error, Result};

/// The batches of a run from some number on.
#[derive(Debug)]
pub struct Prefetch {
    /// Thread i draws every batch whose number is i modulo their count, so taking turns restores the order.
    lanes: Vec<Lane>,
    next: usize,
    waited: Duration,
}

#[derive(Debug)]
struct Lane {
    /// `None` only while it is being dropped: the thread ends when nobody listens.
    batches: Option<Receiver<Result<Batch>>>,
    thread: Option<JoinHandle<()>>,
}

impl Prefetch {
    /// Starts `workers` threads, each at most `queue` batches ahead, with batch number `first`.
    ///
    /// # Errors
    /// [`Error::Thread`] when the system gives no thread.
    pub fn start(source: &EpisodeSource, first: u64, workers: usize, queue: usize) -> Result<Self> {
        let lanes = (0..workers).map(|worker| {
            let (sender, receiver) = sync_channel(queue);
            let source = source.clone();
            let work = move || {
                let numbers = (first + worker as u64..).step_by(workers);
                for batch in numbers.map(|number| source.batch(number)) {
                    let failed = batch.is_err();
                    if sender.send(batch).is_err() || failed {
                        break;
                    }
                }
            };
            let builder = std::thread::Builder::new().name(format!("batches {worker}"));
            let thread = builder.spawn(work).map_err(|source| Error::Thread { source })?;
            Ok(Lane { batches: Some(receiver), thread: Some(thread) })
        });
        Ok(Self { lanes: lanes.collect::<Result<_>>()?, next: 0, waited: Duration::ZERO })
    }

    /// The next batch in order.
    pub fn next_batch(&mut self) -> Result<Batch> {
        let lane = &self.lanes[self.next];
        self.next = (self.next + 1) % self.lanes.len();
        let Some(batches) = &lane.batches else { return Err(Error::DataThread) };
        match batches.try_recv() {
            Ok(batch) => batch,
            Err(TryRecvError::Disconnected) => Err(Error::DataThread),
            Err(TryRecvError::Empty) => {
                let since = Instant::now();
                let batch = batches.recv();
                self.waited += since.elapsed();
                batch.map_err(|_| Error::DataThread)?
            }
        }
    }

    /// How long [`next_batch`](Self::next_batch) has waited in all.
    pub fn waited(&self) -> Duration {
        self.waited
    }
}

impl Drop for Lane {
    fn drop(&mut self) {
        drop(self.batches.take());
        if let Some(thread) = self.thread.take() {
            // A panic of the thread has been reported as an error already.
            let _ = thread.join();
        }
    }
}
