//! Reading files up to a size limit.

use std::fs::File;
use std::path::Path;

use crate::{Error, Result};

/// The bytes of the file at `path`. One of more than `most` bytes is refused before it is in memory; `advice` says what to do
/// then.
pub(crate) fn read(path: &Path, most: u64, advice: &str) -> Result<Vec<u8>> {
    let file = File::open(path).map_err(Error::read(path))?;
    let bytes = gioconda_media::read_at_most(file, most).map_err(Error::read(path))?;
    bytes.ok_or_else(|| Error::file(path, format!("is larger than {} MB; {advice}", most >> 20)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_beyond_the_limit_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("huge");
        // Sparse: it takes no space on the disk.
        File::create(&path).unwrap().set_len(1 << 40).unwrap();
        let message = read(&path, 1 << 20, "fetch it again").unwrap_err().to_string();
        assert!(message.contains("is larger than 1 MB; fetch it again"), "{message}");
    }
}
