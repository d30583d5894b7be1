//! Reading up to a limit.

use std::io::{self, Read};

/// All bytes of `source`; `None` where there are more than `most`, of which no more than that are in memory.
///
/// # Errors
/// When `source` cannot be read.
pub fn read_at_most(source: impl Read, most: u64) -> io::Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    source.take(most + 1).read_to_end(&mut bytes)?;
    Ok((bytes.len() as u64 <= most).then_some(bytes))
}
