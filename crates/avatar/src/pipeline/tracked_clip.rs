//! A clip, decoded and tracked on threads of its own while the caller renders.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use gioconda_face::{FaceChoice, Threads, TrackedFace, Tracker};
use gioconda_media::{ClipReader, Frame, ReadOptions};
use image::RgbImage;

use crate::Error;
use crate::pipeline::stopwatch::Stopwatch;

/// Frames that may wait between two stages: enough to even out their jitter, few enough to keep memory small. Fewer
/// where frames are large.
const QUEUE: usize = 3;
/// How often the caller's flag is looked at while a frame is waited for.
const POLL_INTERVAL: Duration = Duration::from_millis(50);

/// A frame and the face in it.
pub(crate) struct TrackedFrame {
    pub(crate) image: RgbImage,
    pub(crate) face: Option<TrackedFace>,
}

/// Gives the frames of a clip one by one; dropping it ends its threads.
pub(crate) struct TrackedClip {
    frames: Receiver<Result<TrackedFrame, Error>>,
    used: SyncSender<RgbImage>,
    pub(crate) fps: f64,
    pub(crate) size: (u32, u32),
    pub(crate) expected_frames: Option<u64>,
    pub(crate) decode: Arc<Stopwatch>,
    pub(crate) track: Arc<Stopwatch>,
    path: PathBuf,
    /// Makes the decoder stop, wherever it is.
    stop: Arc<AtomicBool>,
    /// What each thread does, and the thread, until it was waited for.
    threads: Vec<(&'static str, JoinHandle<()>)>,
}

impl TrackedClip {
    /// `threads` are the tracker's: one where the other core renders and encodes meanwhile.
    pub(crate) fn open(
        path: &Path,
        options: &ReadOptions,
        face: FaceChoice,
        threads: Threads,
    ) -> Result<Self, Error> {
        let mut reader = ClipReader::open(path, options)?;
        let stop = Arc::new(AtomicBool::new(false));
        reader.stop_when(Arc::clone(&stop));
        let size = (reader.info().width, reader.info().height);
        let (fps, expected_frames) = (reader.fps(), reader.expected_frames());
        let (decode, track) = (Arc::new(Stopwatch::default()), Arc::new(Stopwatch::default()));
        let queue = options.budget.queue(size.0, size.1, QUEUE);
        let (used, reuse) = sync_channel(2 * queue);
        let (to_tracker, from_decoder) = sync_channel(queue);
        let (to_caller, frames) = sync_channel(queue);
        let watch = Arc::clone(&decode);
        let decoder = spawn("decoding", move || decode_all(reader, &reuse, &to_tracker, &watch));
        let watch = Arc::clone(&track);
        let tracker = spawn("tracking", move || track_all(face, threads, &from_decoder, &to_caller, &watch));
        let failed = |source| Error::Read { path: path.to_owned(), source };
        let threads = vec![decoder.map_err(failed)?, tracker.map_err(failed)?];
        let path = path.to_owned();
        Ok(Self { frames, used, fps, size, expected_frames, decode, track, path, stop, threads })
    }

    /// The next frame, or `None` at the end of the clip. [`Error::Cancelled`] soon after `cancel` was raised.
    pub(crate) fn next(&mut self, cancel: &AtomicBool) -> Result<Option<TrackedFrame>, Error> {
        loop {
            match self.frames.recv_timeout(POLL_INTERVAL) {
                Ok(frame) => return frame.map(Some),
                Err(RecvTimeoutError::Timeout) if cancel.load(Ordering::Relaxed) => {
                    return Err(Error::Cancelled);
                }
                Err(RecvTimeoutError::Timeout) => {}
                // Both threads are through, at the end of the clip or by a panic.
                Err(RecvTimeoutError::Disconnected) => return self.join().map(|()| None),
            }
        }
    }

    /// Waits for both threads; an error when one of them died.
    fn join(&mut self) -> Result<(), Error> {
        let mut ended = Ok(());
        for (stage, thread) in self.threads.drain(..) {
            if let Err(panic) = thread.join() {
                ended = ended.and(Err(Error::of_panic(&self.path, stage, panic.as_ref())));
            }
        }
        ended
    }

    /// Gives a frame's picture back, so that its memory is used again.
    pub(crate) fn recycle(&self, image: RgbImage) {
        // A full queue or an ended decoder needs no more pictures.
        let _ = self.used.try_send(image);
    }
}

impl Drop for TrackedClip {
    fn drop(&mut self) {
        // The flag stops the decoder, hanging up makes both threads stop at their next send.
        self.stop.store(true, Ordering::Relaxed);
        self.frames = sync_channel(0).1;
        if let Err(error) = self.join() {
            // Nobody asked for more frames, so nothing depends on it.
            tracing::warn!(%error);
        }
    }
}

fn spawn(
    stage: &'static str,
    work: impl FnOnce() + Send + 'static,
) -> std::io::Result<(&'static str, JoinHandle<()>)> {
    let thread = std::thread::Builder::new().name(stage.to_owned()).spawn(work)?;
    Ok((stage, thread))
}

fn decode_all(
    mut reader: ClipReader,
    reuse: &Receiver<RgbImage>,
    to_tracker: &SyncSender<Result<RgbImage, Error>>,
    watch: &Stopwatch,
) {
    loop {
        let mut frame = Frame { image: reuse.try_recv().unwrap_or_default(), ..Frame::default() };
        let message = match watch.time(|| reader.read(&mut frame)) {
            Ok(true) => Ok(frame.image),
            Ok(false) => return,
            Err(error) => Err(error.into()),
        };
        let failed = message.is_err();
        if to_tracker.send(message).is_err() || failed {
            return;
        }
    }
}

fn track_all(
    face: FaceChoice,
    threads: Threads,
    from_decoder: &Receiver<Result<RgbImage, Error>>,
    to_caller: &SyncSender<Result<TrackedFrame, Error>>,
    watch: &Stopwatch,
) {
    let mut tracker = match Tracker::new(face, threads) {
        Ok(tracker) => tracker,
        Err(error) => {
            // Nobody listens any more when this fails.
            let _ = to_caller.send(Err(error.into()));
            return;
        }
    };
    for image in from_decoder {
        let tracked = image.and_then(|image| {
            let face = watch.time(|| tracker.track(&image))?;
            Ok(TrackedFrame { image, face })
        });
        let failed = tracked.is_err();
        if to_caller.send(tracked).is_err() || failed {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clip(
        threads: Vec<(&'static str, JoinHandle<()>)>,
        frames: Receiver<Result<TrackedFrame, Error>>,
    ) -> TrackedClip {
        TrackedClip {
            frames,
            used: sync_channel(0).0,
            fps: 25.0,
            size: (64, 64),
            expected_frames: None,
            decode: Arc::default(),
            track: Arc::default(),
            path: PathBuf::from("clip.mp4"),
            stop: Arc::default(),
            threads,
        }
    }

    /// It once looked like the end of the clip, and a cut film was signed.
    #[test]
    fn a_stage_that_dies_is_an_error() {
        let (to_caller, frames) = sync_channel(3);
        let image = RgbImage::new(64, 64);
        to_caller.send(Ok(TrackedFrame { image, face: None })).unwrap();
        let decoder = spawn("decoding", move || {
            let _hangs_up = to_caller;
            panic!("no such picture");
        });
        let mut clip = clip(vec![decoder.unwrap()], frames);
        let cancel = AtomicBool::new(false);
        assert!(clip.next(&cancel).unwrap().is_some());
        let message = clip.next(&cancel).err().unwrap().to_string();
        assert!(message.starts_with("clip.mp4: decoding died (no such picture)"), "{message}");
    }

    #[test]
    fn a_raised_flag_ends_the_wait_for_a_frame() {
        let (_to_caller, frames) = sync_channel(3);
        let mut clip = clip(Vec::new(), frames);
        let error = clip.next(&AtomicBool::new(true)).err().unwrap();
        assert!(matches!(error, Error::Cancelled), "{error}");
    }

    #[test]
    fn a_panic_while_another_unwinds_does_not_abort() {
        let caught = std::panic::catch_unwind(|| {
            let tracker = spawn("tracking", || panic!("first")).unwrap();
            let _clip = clip(vec![tracker], sync_channel(0).1);
            panic!("second");
        });
        assert!(caught.is_err());
    }
}
