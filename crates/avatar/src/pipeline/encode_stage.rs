//! Encoding on a thread of its own.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use gioconda_media::{Budget, ClipWriter, Seal, WriteOptions, Written};
use image::RgbImage;

use crate::Error;
use crate::pipeline::stopwatch::Stopwatch;
use crate::render::straight::Straight;

/// Frames that may wait; fewer where they are large.
const QUEUE: usize = 3;

/// What is done to every frame before it is encoded: to its picture, and to its alpha, `[height * width]`, which is empty
/// where the frame is opaque. Colours are not multiplied by it.
pub type FrameFinish = Box<dyn FnMut(&mut RgbImage, &mut [u8]) + Send>;

/// A frame on its way to the encoder.
pub(crate) struct Painted {
    pub(crate) picture: RgbImage,
    /// `[height * width]`, by which colours are multiplied; empty where the frame is opaque.
    pub(crate) alpha: Vec<u8>,
}

/// What is done to an output last. The default is nothing.
pub struct Finish<'a> {
    /// To every frame before it is encoded, on the encoder's thread: for what belongs on all frames, like a mark of their
    /// origin.
    pub frame: FrameFinish,
    /// To the complete file, or every picture of a folder, before it gets its name: for what belongs into files, like a
    /// signature.
    pub file: Box<Seal<'a>>,
}

impl Default for Finish<'_> {
    fn default() -> Self {
        Self { frame: Box::new(|_, _| {}), file: Box::new(|_| Ok(())) }
    }
}

/// Takes frames and writes them; dropped before [`EncodeStage::finish`] it leaves no file.
pub(crate) struct EncodeStage {
    /// `None` once no more frames will come.
    frames: Option<SyncSender<Painted>>,
    used: Receiver<Painted>,
    /// `None` once it has been waited for.
    thread: Option<JoinHandle<Result<ClipWriter, Error>>>,
    pub(crate) watch: Arc<Stopwatch>,
    path: PathBuf,
    size: (u32, u32),
}

impl EncodeStage {
    pub(crate) fn start(path: &Path, options: &WriteOptions, mut finish: FrameFinish) -> Result<Self, Error> {
        let mut writer = ClipWriter::create(path, options)?;
        let queue = Budget::default().queue(options.width, options.height, QUEUE);
        let (frames, waiting) = sync_channel::<Painted>(queue);
        let (give_back, used) = sync_channel(2 * queue);
        let watch = Arc::new(Stopwatch::default());
        let clock = Arc::clone(&watch);
        let encode = move || {
            let mut straight = Straight::default();
            for mut painted in waiting {
                let Painted { picture, alpha } = &mut painted;
                clock.time(|| {
                    if alpha.is_empty() {
                        finish(picture, alpha);
                        return writer.write(picture);
                    }
                    straight.apply(picture, alpha);
                    finish(picture, alpha);
                    writer.write_with_alpha(picture, alpha)
                })?;
                // A full queue needs no more pictures.
                let _ = give_back.try_send(painted);
            }
            Ok(writer)
        };
        let (path, size) = (path.to_owned(), (options.width, options.height));
        let thread = std::thread::Builder::new().name("encoding".to_owned()).spawn(encode);
        let thread = thread.map_err(|source| Error::Read { path: path.clone(), source })?;
        Ok(Self { frames: Some(frames), used, thread: Some(thread), watch, path, size })
    }

    /// A frame of the output's size to fill; what its picture shows is unspecified, its alpha is empty.
    pub(crate) fn painted(&self) -> Painted {
        let mut painted = self.used.try_recv().unwrap_or_else(|_| {
            let picture = RgbImage::new(self.size.0, self.size.1);
            Painted { picture, alpha: Vec::new() }
        });
        painted.alpha.clear();
        painted
    }

    /// Hands a frame over; `false` when encoding has failed and [`EncodeStage::finish`] will say why.
    pub(crate) fn write(&self, frame: Painted) -> bool {
        self.frames.as_ref().is_some_and(|frames| frames.send(frame).is_ok())
    }

    /// Waits for the last frame, completes the file and has it sealed.
    pub(crate) fn finish(mut self, seal: &mut Seal<'_>) -> Result<Written, Error> {
        let writer = self.wait().expect("only this and drop wait, and this takes the stage away")?;
        Ok(self.watch.time(|| writer.finish_sealed(seal))?)
    }

    /// The writer, once the last frame is encoded; `None` when it was waited for before.
    fn wait(&mut self) -> Option<Result<ClipWriter, Error>> {
        self.frames = None;
        let ended = self.thread.take()?.join();
        Some(ended.unwrap_or_else(|panic| Err(Error::of_panic(&self.path, "encoding", panic.as_ref()))))
    }
}

impl Drop for EncodeStage {
    fn drop(&mut self) {
        // The writer goes with it, and removes what it has written so far.
        if let Some(Err(error)) = self.wait() {
            // Only reached by those who give the output up.
            tracing::debug!(%error);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// It once unwound through a drop and aborted the program.
    #[test]
    fn an_encoder_that_dies_is_an_error_and_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let output = folder.path().join("film.gif");
        let options = WriteOptions { width: 64, height: 64, fps: 25.0, sound: None, alpha: false };
        let stage = EncodeStage::start(&output, &options, Box::new(|_, _| panic!("no mark"))).unwrap();
        while stage.write(stage.painted()) {}
        let message = stage.finish(&mut |_| Ok(())).unwrap_err().to_string();
        assert!(message.contains("film.gif: encoding died (no mark)"), "{message}");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
        let stage = EncodeStage::start(&output, &options, Box::new(|_, _| panic!("no mark"))).unwrap();
        while stage.write(stage.painted()) {}
        drop(stage);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
