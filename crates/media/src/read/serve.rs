//! The child's side of a clip that another process reads: see [`isolation`](crate::isolation).

use super::ClipReader;
use super::isolated::{Header, from_arguments};
use crate::isolation::{refuse, reply, send, tag};
use crate::{Error, Frame};
use std::ffi::OsString;
use std::io::{self, BufWriter, Write};
use std::path::Path;

/// Decodes the clip at `path` and writes its frames to `out`: the child's side of a [`ClipReader`]. `arguments` are
/// those that followed the file's name.
///
/// # Errors
/// When nobody reads.
pub fn serve_clip(path: &Path, arguments: &[OsString], out: impl Write) -> io::Result<()> {
    let mut out = BufWriter::with_capacity(1 << 16, out);
    match send_frames(path, arguments, &mut out) {
        Ok(()) => out.flush(),
        Err(Unsent::Gone(error)) => Err(error),
        Err(Unsent::Unusable(line)) => refuse(&mut out, &line, &path.display().to_string()),
    }
}

enum Unsent {
    /// Nobody reads.
    Gone(io::Error),
    /// The clip cannot be read, or not further.
    Unusable(String),
}

impl From<io::Error> for Unsent {
    fn from(error: io::Error) -> Self {
        Self::Gone(error)
    }
}

fn send_frames(path: &Path, arguments: &[OsString], out: &mut impl Write) -> Result<(), Unsent> {
    let unusable = |error: Error| Unsent::Unusable(error.to_string());
    let options = from_arguments(arguments)
        .ok_or_else(|| Unsent::Unusable("the decoder was asked for what it does not know".to_owned()))?;
    let mut reader = ClipReader::open(path, &options).map_err(unusable)?;
    let header = serde_json::to_vec(&Header::from(reader.info())).map_err(io::Error::from)?;
    reply(out, &header)?;
    let mut frame = Frame::default();
    while reader.read(&mut frame).map_err(unusable)? {
        let (width, height) = frame.image.dimensions();
        send(out, tag::FRAME, &(u64::from(height) << 32 | u64::from(width)).to_le_bytes())?;
        out.write_all(frame.image.as_raw())?;
        out.flush()?;
    }
    send(out, tag::END, &[])?;
    Ok(())
}
