//! What the built-in encoders do not know, through the `ffmpeg` program: VP9 in `WebM` and ProRes 4444 in mov, both with
//! alpha.
//!
//! ffmpeg runs as a child process, gets raw frames through its standard input and writes the partial file itself, since
//! both containers are finished by going back in them. A thread feeds the pipe: two frames wait at most, and a child that
//! takes none for too long is ended instead of waited for. Colours are BT.709, limited range, as in mp4. Tested with ffmpeg 5.1.

use super::picture::Picture;
use super::{Seal, WriteOptions};
use crate::partial::PartialFile;
use crate::read::{FfmpegProgram, file_url, keep_last, last_line};
use crate::{Error, POLL_INTERVAL};
use std::ffi::OsStr;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

/// Longest time for taking a frame, and for the end: VP9 looks 25 frames ahead, which are encoded then.
const PATIENCE: Duration = Duration::from_mins(5);
/// Frames between here and the child.
const WAITING: usize = 2;

/// Each in a container of its own.
#[derive(Clone, Copy, Debug)]
pub(super) enum Codec {
    /// In `WebM`.
    Vp9,
    /// 4444, in mov.
    ProRes,
}

impl Codec {
    fn pixel_format(self, alpha: bool) -> &'static str {
        match (self, alpha) {
            (Self::Vp9, true) => "yuva420p",
            (Self::Vp9, false) => "yuv420p",
            (Self::ProRes, true) => "yuva444p10le",
            (Self::ProRes, false) => "yuv444p10le",
        }
    }

    /// ffmpeg's options. Constant quality; frames of alternate references, which VP9 hides from the viewer, would not have
    /// any alpha.
    fn options(self) -> &'static [&'static str] {
        match self {
            Self::Vp9 => &[
                "-c:v",
                "libvpx-vp9",
                "-crf",
                "24",
                "-b:v",
                "0",
                "-auto-alt-ref",
                "0",
                "-deadline",
                "good",
                "-cpu-used",
                "4",
                "-row-mt",
                "1",
                "-f",
                "webm",
            ],
            Self::ProRes => &["-c:v", "prores_ks", "-profile:v", "4444", "-vendor", "apl0", "-f", "mov"],
        }
    }
}

pub(super) struct FfmpegWriter {
    target: PathBuf,
    /// Before the output, which is removed after its writer is ended.
    child: Running,
    /// `None` once no more frames will come.
    frames: Option<SyncSender<Vec<u8>>>,
    /// Buffers to fill; the channel closes when the child takes no more.
    used: Receiver<Vec<u8>>,
    said: Receiver<Vec<u8>>,
    output: PartialFile,
}

/// A child that is killed when this is dropped.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself; either way it must be waited for.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl FfmpegWriter {
    pub(super) fn create(target: &Path, options: &WriteOptions, codec: Codec) -> Result<Self, Error> {
        Self::create_with(target, options, codec, std::env::var_os("PATH").as_deref())
    }

    fn create_with(
        target: &Path,
        options: &WriteOptions,
        codec: Codec,
        search_path: Option<&OsStr>,
    ) -> Result<Self, Error> {
        let program = FfmpegProgram::find(search_path).ok_or_else(|| {
            let what = "this format needs the ffmpeg program, which is not on PATH; install ffmpeg (with ffprobe), \
                or write .webp, .apng or a folder of PNGs";
            Error::output(target, what)
        })?;
        let output = PartialFile::create(target)?;
        let mut command = program.encoder();
        command_line(&mut command, options, codec).arg(file_url(output.path()));
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
        let failed = |error| Error::output(target, format!("ffmpeg cannot be run ({error})"));
        let mut child = Running(command.spawn().map_err(failed)?);
        let stdin = child.0.stdin.take().expect("stdin was asked to be piped");
        let stderr = child.0.stderr.take().expect("stderr was asked to be piped");
        let (frames, waiting) = sync_channel(WAITING);
        let (give_back, used) = sync_channel(WAITING);
        let (last_words, said) = sync_channel(1);
        let named = |name: &str| thread::Builder::new().name(name.into());
        for _ in 0..WAITING {
            // There is room for as many.
            let _ = give_back.try_send(Vec::new());
        }
        named("child input").spawn(move || feed(stdin, &waiting, &give_back)).map_err(failed)?;
        named("child errors").spawn(move || keep_last(stderr, &last_words)).map_err(failed)?;
        Ok(Self { target: target.into(), child, frames: Some(frames), used, said, output })
    }

    pub(super) fn write(&mut self, picture: &Picture<'_>) -> Result<(), Error> {
        let mut frame = match self.used.recv_timeout(PATIENCE) {
            Ok(frame) => frame,
            Err(RecvTimeoutError::Timeout) => return Err(self.stalled()),
            Err(RecvTimeoutError::Disconnected) => return Err(self.failed()),
        };
        frame.clear();
        frame.extend_from_slice(picture.samples);
        // Never full: there are no more buffers than it holds. Closed, the next buffer tells why.
        if let Some(frames) = &self.frames {
            let _ = frames.send(frame);
        }
        Ok(())
    }

    pub(super) fn finish(mut self, seal: &mut Seal<'_>) -> Result<u64, Error> {
        self.frames = None;
        match self.wait()? {
            Some(status) if status.success() => self.output.finish_sealed(seal),
            Some(_) => Err(self.failed()),
            None => Err(self.stalled()),
        }
    }

    /// The end of the child; `None` when it does not come in time.
    fn wait(&mut self) -> Result<Option<ExitStatus>, Error> {
        let deadline = Instant::now() + PATIENCE;
        let mut pause = Duration::from_millis(1);
        while Instant::now() < deadline {
            if let Some(status) = self.child.0.try_wait().map_err(Error::write(&self.target))? {
                return Ok(Some(status));
            }
            thread::sleep(pause);
            pause = (2 * pause).min(POLL_INTERVAL);
        }
        Ok(None)
    }

    fn failed(&self) -> Error {
        let why = last_line(&self.said);
        Error::output(
            &self.target,
            format!("ffmpeg cannot write it: {why}; write .webp, .apng or a folder of PNGs"),
        )
    }

    fn stalled(&self) -> Error {
        let minutes = PATIENCE.as_secs() / 60;
        Error::output(
            &self.target,
            format!("ffmpeg took nothing for {minutes} minutes and was ended; try again"),
        )
    }
}

fn command_line<'a>(command: &'a mut Command, options: &WriteOptions, codec: Codec) -> &'a mut Command {
    let WriteOptions { width, height, fps, alpha, .. } = options;
    // Of both the frames, which ProRes looks at, and the encoder, which VP9 does.
    let tags = "setparams=colorspace=bt709:color_primaries=bt709:color_trc=bt709:range=tv";
    let format = codec.pixel_format(*alpha);
    let filter = format!("scale=out_color_matrix=bt709:out_range=tv,format={format},{tags}");
    command
        .args(["-f", "rawvideo", "-pixel_format", if *alpha { "rgba" } else { "rgb24" }])
        .args(["-video_size", &format!("{width}x{height}"), "-framerate", &format!("{fps:.9}")])
        .args(["-i", "pipe:0", "-an", "-vf", &filter])
        .args(["-colorspace", "bt709", "-color_primaries", "bt709", "-color_trc", "bt709"])
        .args(["-color_range", "tv"])
        .args(codec.options())
        .arg("-y")
}

/// Ends when no more frames come, which closes the pipe, or when the child reads no more.
fn feed(mut pipe: impl Write, frames: &Receiver<Vec<u8>>, give_back: &SyncSender<Vec<u8>>) {
    for frame in frames {
        if pipe.write_all(&frame).is_err() {
            return;
        }
        // Nobody may want to write any more.
        let _ = give_back.try_send(frame);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_ffmpeg_one_line_says_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        let options = WriteOptions { width: 64, height: 64, fps: 25.0, sound: None, alpha: true };
        for (name, codec) in [("a.webm", Codec::Vp9), ("a.mov", Codec::ProRes)] {
            let target = folder.path().join(name);
            let error = FfmpegWriter::create_with(&target, &options, codec, None).err().unwrap();
            let message = error.to_string();
            assert!(message.contains("install ffmpeg") && !message.contains('\n'), "{message}");
        }
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    /// A child that ends early must be an error, not a pipe that nobody empties.
    #[cfg(unix)]
    #[test]
    fn a_child_that_ends_early_is_an_error_and_leaves_nothing() {
        use std::os::unix::fs::PermissionsExt as _;
        let (folder, programs) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        for name in ["ffmpeg", "ffprobe"] {
            let program = programs.path().join(name);
            std::fs::write(&program, "#!/bin/sh\necho no such encoder >&2\nexit 1\n").unwrap();
            std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
        }
        let options = WriteOptions { width: 64, height: 64, fps: 25.0, sound: None, alpha: false };
        let search_path = Some(programs.path().as_os_str());
        let target = folder.path().join("a.webm");
        let mut writer = FfmpegWriter::create_with(&target, &options, Codec::Vp9, search_path).unwrap();
        let image = image::RgbImage::new(64, 64);
        let error = (0..100).find_map(|_| writer.write(&Picture::opaque(&image)).err()).unwrap();
        assert!(error.to_string().contains("ffmpeg cannot write it: no such encoder"), "{error}");
        drop(writer);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
