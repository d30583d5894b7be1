//! A child at work: it is killed when it takes too long, when its work is cancelled, and when nobody wants it any more.

use super::message::{receive, tag};
use super::{CANCEL, Isolation};
use crate::{Error, POLL_INTERVAL};
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, ExitStatus};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Why a child was killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stopped {
    Late(Duration),
    Cancelled,
}

#[derive(Default)]
struct Watched {
    /// Until when the child has to say something, and how long that was.
    deadline: Option<(Instant, Duration)>,
    over: bool,
    stopped: Option<Stopped>,
    /// Raised by the reader's owner.
    stop: Option<Arc<AtomicBool>>,
}

struct Shared {
    /// `None` once it was waited for: then its process id may belong to another process.
    child: Mutex<Option<Child>>,
    watched: Mutex<Watched>,
    changed: Condvar,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    /// Kills the child and the programs it started, which may outlive it.
    fn kill(&self) {
        let mut child = lock(&self.child);
        let Some(child) = child.as_mut() else { return };
        // They may have ended by themselves. The group keeps its id until the child is waited for.
        #[cfg(unix)]
        let _ = rustix::process::kill_process_group(
            rustix::process::Pid::from_child(child),
            rustix::process::Signal::KILL,
        );
        let _ = child.kill();
    }

    /// Waits for the end of the child; `None` when it was waited for before.
    fn wait(&self) -> Option<io::Result<ExitStatus>> {
        lock(&self.child).take().map(|mut child| child.wait())
    }

    fn watch(&self, cancel: Option<&AtomicBool>) {
        let mut watched = lock(&self.watched);
        while !watched.over {
            let late = watched.deadline.filter(|(at, _)| *at <= Instant::now());
            let flags = cancel.into_iter().chain(watched.stop.as_deref());
            let cancelled = flags.into_iter().any(|flag| flag.load(Ordering::Relaxed));
            let stopped = match late {
                _ if cancelled => Some(Stopped::Cancelled),
                Some((_, within)) => Some(Stopped::Late(within)),
                None => None,
            };
            if stopped.is_some() {
                watched.stopped = stopped;
                drop(watched);
                self.kill();
                return;
            }
            let waited = self.changed.wait_timeout(watched, POLL_INTERVAL);
            watched = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

/// A child at work; it is killed when this is dropped.
pub(crate) struct Running {
    path: PathBuf,
    shared: Arc<Shared>,
    pipe: ChildStdout,
}

impl Running {
    /// Starts `operation` on the file at `path`.
    pub(crate) fn start(
        isolation: &Isolation,
        operation: &str,
        path: &Path,
        more: &[OsString],
    ) -> Result<Self, Error> {
        let isolated = |cause: io::Error| Error::Isolated {
            path: path.into(),
            what: format!("cannot be decoded safely (its decoder cannot be started: {cause})"),
        };
        let mut child = isolation.command(operation, path, more).spawn().map_err(isolated)?;
        let pipe = child.stdout.take().expect("stdout was asked to be piped");
        let shared = Arc::new(Shared {
            child: Mutex::new(Some(child)),
            watched: Mutex::default(),
            changed: Condvar::new(),
        });
        let running = Self { path: path.into(), shared: Arc::clone(&shared), pipe };
        let cancel = CANCEL.with_borrow(Clone::clone);
        // Without a watch the child could hang; then it is not wanted: dropping it kills it.
        std::thread::Builder::new()
            .name("decoder watch".to_owned())
            .spawn(move || shared.watch(cancel.as_deref()))
            .map_err(isolated)?;
        Ok(running)
    }

    /// The file that the child reads.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Kills the child when `stop` is raised.
    pub(crate) fn stop_when(&self, stop: &Arc<AtomicBool>) {
        let mut watched = lock(&self.shared.watched);
        if watched.stop.as_ref().is_none_or(|known| !Arc::ptr_eq(known, stop)) {
            watched.stop = Some(Arc::clone(stop));
        }
    }

    /// Does `read` with the child's pipe; the child is killed when that takes longer than `within`.
    pub(crate) fn read<T>(
        &mut self,
        within: Duration,
        read: impl FnOnce(&mut ChildStdout) -> io::Result<T>,
    ) -> Result<T, Error> {
        lock(&self.shared.watched).deadline = Some((Instant::now() + within, within));
        let done = read(&mut self.pipe);
        lock(&self.shared.watched).deadline = None;
        done.map_err(|error| self.end(&error))
    }

    /// The next message, of at most `most` bytes; a refusal is the error.
    pub(crate) fn message(&mut self, within: Duration, most: usize) -> Result<(u8, Vec<u8>), Error> {
        let (tag, bytes) = self.read(within, |pipe| receive(pipe, most))?;
        if tag != tag::REFUSAL {
            return Ok((tag, bytes));
        }
        let said = String::from_utf8_lossy(&bytes);
        let what = said.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        Err(Error::Isolated { path: self.path.clone(), what })
    }

    /// The bytes of an answer.
    pub(crate) fn answer(&mut self, within: Duration, most: usize) -> Result<Vec<u8>, Error> {
        match self.message(within, most)? {
            (tag::ANSWER, bytes) => Ok(bytes),
            _ => Err(self.nonsense()),
        }
    }

    /// The child said what no decoder says.
    pub(crate) fn nonsense(&self) -> Error {
        let what = "cannot be decoded safely (its decoder sent what cannot be read)".to_owned();
        Error::Isolated { path: self.path.clone(), what }
    }

    /// What became of a child that said no more, after reading failed with `error`.
    fn end(&mut self, error: &io::Error) -> Error {
        if !matches!(error.kind(), io::ErrorKind::UnexpectedEof | io::ErrorKind::BrokenPipe) {
            return self.nonsense();
        }
        self.shared.kill();
        let status = self.shared.wait();
        let stopped = lock(&self.shared.watched).stopped;
        let how = match (stopped, status) {
            (Some(Stopped::Cancelled), _) => "it was cancelled".to_owned(),
            (Some(Stopped::Late(within)), _) => {
                format!("its decoder took longer than {} s", within.as_secs_f64().ceil())
            }
            (None, Some(Ok(status))) => how(status),
            (None, Some(Err(error))) => format!("its decoder was lost: {error}"),
            (None, None) => "its decoder ended".to_owned(),
        };
        if stopped != Some(Stopped::Cancelled) {
            tracing::warn!(path = %self.path.display(), how, "a decoder was stopped");
        }
        let what = format!("cannot be decoded safely ({how}); export it again with another program");
        Error::Isolated { path: self.path.clone(), what }
    }
}

/// How a child ended, in words.
fn how(status: ExitStatus) -> String {
    #[cfg(unix)]
    if let Some(signal) = std::os::unix::process::ExitStatusExt::signal(&status) {
        use rustix::process::Signal;
        let named = |wanted: Signal| signal == wanted.as_raw();
        return if named(Signal::XCPU) || named(Signal::KILL) {
            "its decoder used more processor time or memory than a decoder may".to_owned()
        } else if named(Signal::ABORT) {
            "its decoder ran out of memory or failed".to_owned()
        } else {
            format!("its decoder crashed with signal {signal}")
        };
    }
    match status.code() {
        Some(code) => format!("its decoder ended with code {code}"),
        None => "its decoder ended".to_owned(),
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        lock(&self.shared.watched).over = true;
        self.shared.changed.notify_all();
        self.shared.kill();
        // It must be waited for, however it ended.
        let _ = self.shared.wait();
    }
}
