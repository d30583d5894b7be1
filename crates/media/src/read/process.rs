//! A child process whose output is read with a timeout.
//!
//! A thread reads the pipe and hands over what arrives, so that the reader waits as long as it wants and no longer:
//! a child that stalls is killed, and a raised flag is seen. The pipe and four chunks are all that is read ahead.

use super::source::Stop;
use crate::{Budget, Error, POLL_INTERVAL};
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

/// What a pipe holds on Linux.
const CHUNK: usize = 1 << 16;
const CHUNKS: usize = 4;
/// What is kept of the end of standard error, bytes.
const ERROR_BYTES: usize = 16 << 10;

/// How long a reader waits for the child.
#[derive(Debug, Clone, Copy)]
pub(super) struct Timeouts {
    /// For the next answer.
    pub(super) answer: Duration,
    /// For all answers together.
    pub(super) total: Duration,
}

impl From<&Budget> for Timeouts {
    fn from(budget: &Budget) -> Self {
        Self { answer: budget.answer_time, total: budget.waiting_time }
    }
}

/// A running child, killed when this is dropped.
pub(super) struct Process {
    path: PathBuf,
    child: Child,
    chunks: Receiver<Vec<u8>>,
    chunk: Vec<u8>,
    used: usize,
    said: Receiver<Vec<u8>>,
    timeouts: Timeouts,
    waited: Duration,
}

impl Process {
    /// Starts `command` on the file at `path`, which errors name.
    pub(super) fn start(mut command: Command, path: &Path, timeouts: Timeouts) -> Result<Self, Error> {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(Error::read(path))?;
        let stdout = child.stdout.take().expect("stdout was asked to be piped");
        let stderr = child.stderr.take().expect("stderr was asked to be piped");
        let (to_reader, chunks) = sync_channel(CHUNKS);
        let (last_words, said) = sync_channel(1);
        let mut process = Self {
            path: path.into(),
            child,
            chunks,
            chunk: Vec::new(),
            used: 0,
            said,
            timeouts,
            waited: Duration::ZERO,
        };
        let named = |name: &str| thread::Builder::new().name(name.into());
        named("child output")
            .spawn(move || pass_on(stdout, &to_reader))
            .and_then(|_| named("child errors").spawn(move || keep_last(stderr, &last_words)))
            .map_err(|cause| {
                process.kill();
                Error::Read { path: path.into(), cause }
            })?;
        Ok(process)
    }

    /// Fills `buffer` from standard output, less at its end; returns the number of bytes.
    pub(super) fn fill(&mut self, buffer: &mut [u8], stop: &Stop) -> Result<usize, Error> {
        let mut filled = 0;
        let deadline = self.deadline();
        while filled < buffer.len() {
            if self.used == self.chunk.len() {
                match self.next_chunk(deadline, stop)? {
                    Some(chunk) => (self.chunk, self.used) = (chunk, 0),
                    None => break,
                }
            }
            let step = (self.chunk.len() - self.used).min(buffer.len() - filled);
            buffer[filled..filled + step].copy_from_slice(&self.chunk[self.used..self.used + step]);
            self.used += step;
            filled += step;
        }
        Ok(filled)
    }

    fn deadline(&self) -> Instant {
        Instant::now() + self.timeouts.answer.min(self.timeouts.total.saturating_sub(self.waited))
    }

    /// `None` at the end of the output.
    fn next_chunk(&mut self, deadline: Instant, stop: &Stop) -> Result<Option<Vec<u8>>, Error> {
        let began = Instant::now();
        let chunk = loop {
            // Also while output comes: a child that trickles must not pass for one that answers.
            self.check_time(deadline, stop)?;
            match self.chunks.recv_timeout(POLL_INTERVAL) {
                Ok(chunk) => break Some(chunk),
                Err(RecvTimeoutError::Disconnected) => break None,
                Err(RecvTimeoutError::Timeout) => {}
            }
        };
        self.waited += began.elapsed();
        Ok(chunk)
    }

    fn check_time(&mut self, deadline: Instant, stop: &Stop) -> Result<(), Error> {
        if stop.load(Ordering::Relaxed) {
            self.kill();
            return Err(Error::Stopped { path: self.path.clone() });
        }
        if Instant::now() >= deadline {
            self.kill();
            let seconds = self.timeouts.answer.min(self.timeouts.total).as_secs_f64();
            let message = format!("it gave no answer within {seconds:.0} s and was ended");
            return Err(Error::Ffmpeg { path: self.path.clone(), message });
        }
        Ok(())
    }

    /// Reads all of standard output, at most `most` bytes of it, and waits for the end. `None` when there was more.
    pub(super) fn read_all(mut self, most: usize) -> Result<Option<Vec<u8>>, Error> {
        let mut all = Vec::new();
        let (deadline, stop) = (self.deadline(), Stop::default());
        while let Some(chunk) = self.next_chunk(deadline, &stop)? {
            if all.len() + chunk.len() > most {
                return Ok(None);
            }
            all.extend(chunk);
        }
        self.end(&stop)?;
        Ok(Some(all))
    }

    /// Reads signs of life until the end of the child, each within the time of an answer.
    pub(super) fn watch(mut self) -> Result<(), Error> {
        let stop = Stop::default();
        while self.next_chunk(self.deadline(), &stop)?.is_some() {}
        self.end(&stop)
    }

    /// Waits for the end of the child. An error has the last line that it said, when it was not content.
    pub(super) fn end(&mut self, stop: &Stop) -> Result<(), Error> {
        let deadline = self.deadline();
        let mut pause = Duration::from_millis(1);
        let status = loop {
            if let Some(status) = self.child.try_wait().map_err(Error::read(&self.path))? {
                break status;
            }
            self.check_time(deadline, stop)?;
            thread::sleep(pause);
            pause = (2 * pause).min(POLL_INTERVAL);
        };
        if status.success() {
            return Ok(());
        }
        Err(Error::Ffmpeg { path: self.path.clone(), message: last_line(&self.said) })
    }

    fn kill(&mut self) {
        // It may have ended by itself; either way it must be waited for.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The last line of what [`keep_last`] has sent.
pub(crate) fn last_line(said: &Receiver<Vec<u8>>) -> String {
    let said = said.recv_timeout(Duration::from_secs(1)).unwrap_or_default();
    let said = String::from_utf8_lossy(&said);
    said.lines().map(str::trim).rfind(|line| !line.is_empty()).unwrap_or("it gave no reason").to_owned()
}

/// Ends with the pipe, or when nobody receives any more.
fn pass_on(mut pipe: impl Read, chunks: &SyncSender<Vec<u8>>) {
    loop {
        let mut chunk = vec![0; CHUNK];
        match pipe.read(&mut chunk) {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Ok(read @ 1..) => {
                chunk.truncate(read);
                if chunks.send(chunk).is_err() {
                    return;
                }
            }
            Ok(0) | Err(_) => return,
        }
    }
}

/// Reads to the end, however much it is, and sends the last of it.
pub(crate) fn keep_last(mut pipe: impl Read, last_words: &SyncSender<Vec<u8>>) {
    let mut said = Vec::new();
    let mut chunk = [0; 4096];
    loop {
        match pipe.read(&mut chunk) {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Ok(read @ 1..) => {
                said.extend_from_slice(&chunk[..read]);
                said.drain(..said.len().saturating_sub(ERROR_BYTES));
            }
            Ok(0) | Err(_) => break,
        }
    }
    // The child may have been given up meanwhile.
    let _ = last_words.send(said);
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::sync::Arc;

    fn shell(script: &str, answer: Duration) -> Process {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        let timeouts = Timeouts { answer, total: Duration::from_secs(100) };
        Process::start(command, Path::new("a.webm"), timeouts).unwrap()
    }

    #[test]
    fn what_the_child_says_arrives() {
        let long = Duration::from_mins(1);
        assert_eq!(shell("printf abc", long).read_all(100).unwrap(), Some(b"abc".to_vec()));
        assert_eq!(shell("yes", long).read_all(1000).unwrap(), None);
        let message =
            shell("echo one >&2; echo two >&2; exit 3", long).read_all(100).unwrap_err().to_string();
        assert!(message.contains("ffmpeg cannot decode it: two"), "{message}");
        // More on standard error than a pipe holds.
        assert_eq!(
            shell("yes | head -c 1000000 >&2; printf x", long).read_all(9).unwrap(),
            Some(b"x".to_vec())
        );
    }

    /// Its own children hold the pipe open after its death: waiting for its end would wait for theirs.
    #[test]
    fn a_child_that_stalls_is_ended() {
        let began = Instant::now();
        for script in ["sleep 100", "printf abc; sleep 1000 & wait", "while :; do printf a; sleep 0.02; done"]
        {
            let mut child = shell(script, Duration::from_millis(300));
            let message = child.fill(&mut [0; 1000], &Stop::default()).unwrap_err().to_string();
            assert!(message.contains("no answer within"), "{message}");
        }
        assert!(began.elapsed() < Duration::from_mins(1));
    }

    #[test]
    fn a_raised_flag_ends_the_wait() {
        let stop: Stop = Arc::default();
        stop.store(true, Ordering::Relaxed);
        let mut child = shell("sleep 100", Duration::from_secs(1000));
        let error = child.fill(&mut [0; 8], &stop).unwrap_err();
        assert!(matches!(error, Error::Stopped { .. }), "{error}");
    }

    #[test]
    fn waiting_is_counted_over_all_answers() {
        let mut child = shell("while :; do sleep 0.1; printf abcdefgh; done", Duration::from_mins(1));
        child.timeouts.total = Duration::from_millis(450);
        let mut answers = 0;
        while child.fill(&mut [0; 8], &Stop::default()).is_ok() {
            answers += 1;
        }
        assert!(answers < 10, "{answers}");
    }
}
