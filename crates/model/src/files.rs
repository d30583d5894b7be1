//! Reading weight files up to a size limit.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use crate::{Error, Result};

/// Largest weight file that is read, bytes. The larger preset's networks, 72 million parameters, take 290 MB.
const LARGEST_FILE: u64 = 1 << 31;

/// The bytes of the file at `path`; refuses more than 2 GB before they are in memory, also where the system
/// does not know the size (`/dev/zero`).
pub fn read(path: &Path) -> Result<Vec<u8>> {
    let failed = |source| Error::Io { path: path.to_owned(), source };
    let too_large = || Error::NotWeights {
        path: path.to_owned(),
        reason: format!("it has more than {} MB; use another", LARGEST_FILE >> 20),
    };
    let file = File::open(path).map_err(failed)?;
    if file.metadata().map_err(failed)?.len() > LARGEST_FILE {
        return Err(too_large());
    }
    let mut bytes = Vec::new();
    file.take(LARGEST_FILE + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > LARGEST_FILE { Err(too_large()) } else { Ok(bytes) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_beyond_the_limit_is_refused_unread() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("huge.safetensors");
        // Sparse: it takes no room on the disk.
        File::create(&path).unwrap().set_len(1 << 40).unwrap();
        let message = read(&path).unwrap_err().to_string();
        assert!(message.contains("more than 2048 MB"), "{message}");
    }
}
