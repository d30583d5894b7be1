//! The child's side of a photo that another process reads: see [`isolation`](crate::isolation).

use super::decode;
use super::isolated::Header;
use crate::Budget;
use crate::isolation::{refuse, reply};
use std::io::{self, Write};
use std::path::Path;

/// Decodes the photo at `path` and writes it to `out`: the child's side of [`photo::read`](crate::photo::read).
///
/// # Errors
/// When nobody reads.
pub fn serve_photo(path: &Path, out: &mut impl Write) -> io::Result<()> {
    match decode(path, &Budget::for_uploads()) {
        Ok(photo) => {
            reply(out, &serde_json::to_vec(&Header::from(&photo))?)?;
            out.write_all(photo.image.as_raw())?;
            if let Some(alpha) = &photo.alpha {
                out.write_all(alpha.as_raw())?;
            }
            out.flush()
        }
        Err(error) => refuse(out, &error.to_string(), &path.display().to_string()),
    }
}
