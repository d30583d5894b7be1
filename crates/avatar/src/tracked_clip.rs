//! A clip, decoded and tracked on threads of its own while the caller renders.

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use gioconda_face::{FaceChoice, Threads, TrackedFace, Tracker};
use gioconda_media::{ClipReader, Frame, ReadOptions};
use image::RgbImage;

use crate::Error;
use crate::stopwatch::Stopwatch;

/// Frames that may wait between two stages: enough to even out their jitter, few enough to keep memory small.
const QUEUE: usize = 3;

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
    threads: Vec<JoinHandle<()>>,
}

impl TrackedClip {
    /// `threads` are the tracker's: one where the other core renders and encodes meanwhile.
    pub(crate) fn open(
        path: &Path,
        options: &ReadOptions,
        face: FaceChoice,
        threads: Threads,
    ) -> Result<Self, Error> {
        let reader = ClipReader::open(path, options)?;
        let size = (reader.info().width, reader.info().height);
        let (fps, expected_frames) = (reader.fps(), reader.expected_frames());
        let (decode, track) = (Arc::new(Stopwatch::default()), Arc::new(Stopwatch::default()));
        let (used, reuse) = sync_channel(2 * QUEUE);
        let (to_tracker, from_decoder) = sync_channel(QUEUE);
        let (to_caller, frames) = sync_channel(QUEUE);
        let watch = Arc::clone(&decode);
        let decoder = std::thread::spawn(move || decode_all(reader, &reuse, &to_tracker, &watch));
        let watch = Arc::clone(&track);
        let tracker = std::thread::spawn(move || track_all(face, threads, &from_decoder, &to_caller, &watch));
        let threads = vec![decoder, tracker];
        Ok(Self { frames, used, fps, size, expected_frames, decode, track, threads })
    }

    /// The next frame, or `None` at the end of the clip.
    pub(crate) fn next(&mut self) -> Result<Option<TrackedFrame>, Error> {
        self.frames.recv().ok().transpose()
    }

    /// Gives a frame's picture back, so that its memory is used again.
    pub(crate) fn recycle(&self, image: RgbImage) {
        // A full queue or an ended decoder needs no more pictures.
        let _ = self.used.try_send(image);
    }
}

impl Drop for TrackedClip {
    fn drop(&mut self) {
        // Hanging up makes both threads stop at their next send.
        self.frames = sync_channel(0).1;
        for thread in self.threads.drain(..) {
            if let Err(panic) = thread.join() {
                std::panic::resume_unwind(panic);
            }
        }
    }
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
