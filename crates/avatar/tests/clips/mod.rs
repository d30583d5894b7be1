//! Real clips for measurements: which there are, and the faces in them.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use gioconda_face::{FaceChoice, Landmarks, Threads, Tracker};
use gioconda_media::{ClipReader, Frame, ReadOptions};
pub(crate) use gioconda_testkit::clips_in;
use image::RgbImage;

/// What may be sent between threads.
pub(crate) type Failure = Box<dyn Error + Send + Sync>;

/// The person's folder, which names a clip.
pub(crate) fn name(clip: &Path) -> String {
    let person = clip.parent().and_then(Path::file_name);
    person.map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

/// Does `work` for every clip, two at a time, and returns the results in the clips' order. Plain threads: a tracker
/// waits for threads of its own, and a rayon worker that waits begins the next clip on the same stack.
pub(crate) fn for_each<R: Send>(
    clips: &[PathBuf],
    work: impl Fn(&Path) -> Result<R, Failure> + Sync,
) -> Result<Vec<R>, Failure> {
    let (next, done) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let Some(clip) = clips.get(index) else { return };
                    let result = work(clip).map_err(|error| format!("{}: {error}", clip.display()).into());
                    done.lock().expect("no thread panics while it holds the lock").push((index, result));
                }
            });
        }
    });
    let mut done = done.into_inner().expect("no thread panics while it holds the lock");
    done.sort_by_key(|(index, _)| *index);
    done.into_iter().map(|(_, result)| result).collect()
}

/// Shows the face of every `every`-th frame of a clip to `seen`; frames without one are left out.
pub(crate) fn track(
    clip: &Path,
    every: usize,
    mut seen: impl FnMut(&RgbImage, Landmarks),
) -> Result<(), Failure> {
    let mut reader = ClipReader::open(clip, &ReadOptions::default())?;
    let mut tracker = Tracker::new(FaceChoice::Largest, Threads::Count(1))?;
    let (mut frame, mut index) = (Frame::default(), 0);
    while reader.read(&mut frame)? {
        if index % every == 0
            && let Some(face) = tracker.track(&frame.image)?
        {
            seen(&frame.image, face.landmarks);
        }
        index += 1;
    }
    Ok(())
}
