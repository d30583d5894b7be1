//! What a child and its parent say to each other: `[u8 tag][u32 length, little-endian][bytes]`. Pixels follow the
//! messages that announce them.

use std::io::{self, Read, Write};

/// Largest refusal, bytes.
const LARGEST_REFUSAL: usize = 16 << 10;

/// What a message from the child is.
pub(crate) mod tag {
    /// What was asked for, or the header of the pixels that follow.
    pub(crate) const ANSWER: u8 = 1;
    /// One line: why the file cannot be used.
    pub(crate) const REFUSAL: u8 = 2;
    /// A picture: width and height, then its pixels.
    pub(crate) const FRAME: u8 = 3;
    /// No more pictures.
    pub(crate) const END: u8 = 4;
}

/// Writes one message.
///
/// # Errors
/// When nobody reads, or the bytes are too many for a message.
pub(crate) fn send(out: &mut impl Write, tag: u8, bytes: &[u8]) -> io::Result<()> {
    let length = u32::try_from(bytes.len()).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
    out.write_all(&[tag])?;
    out.write_all(&length.to_le_bytes())?;
    out.write_all(bytes)
}

/// Writes the child's answer to [`Isolation::ask`](super::Isolation::ask).
///
/// # Errors
/// When nobody reads.
pub fn reply(out: &mut impl Write, answer: &[u8]) -> io::Result<()> {
    send(out, tag::ANSWER, answer)?;
    out.flush()
}

/// Writes one line that says why there is no answer. Where it begins with the `name` of the file, that is left out: the
/// parent puts the name it knows before it.
///
/// # Errors
/// When nobody reads.
pub fn refuse(out: &mut impl Write, line: &str, name: &str) -> io::Result<()> {
    let bare = line.strip_prefix(name).and_then(|rest| rest.strip_prefix(": "));
    send(out, tag::REFUSAL, cut(bare.unwrap_or(line)).as_bytes())?;
    out.flush()
}

fn cut(line: &str) -> &str {
    let mut end = line.len().min(LARGEST_REFUSAL);
    while !line.is_char_boundary(end) {
        end -= 1;
    }
    &line[..end]
}

/// Reads one message, of at most `most` bytes.
pub(super) fn receive(pipe: &mut impl Read, most: usize) -> io::Result<(u8, Vec<u8>)> {
    let mut head = [0; 5];
    pipe.read_exact(&mut head)?;
    let [tag, length @ ..] = head;
    let length = u32::from_le_bytes(length) as usize;
    let most = if tag == tag::REFUSAL { LARGEST_REFUSAL } else { most };
    if length > most {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let mut bytes = vec![0; length];
    pipe.read_exact(&mut bytes)?;
    Ok((tag, bytes))
}
