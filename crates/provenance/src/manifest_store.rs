//! Finding a C2PA manifest store without understanding what it is in.
//!
//! The library parses a container completely before it looks for a statement, so that it fails alike on a damaged file
//! with a statement and on one without. The box that begins every store bears a type of 16 bytes that nothing else
//! has, wherever a format puts it (a PNG chunk, a JPEG segment, an mp4 box).

use std::fs::File;
use std::io::{self, Read, Seek};
use std::path::Path;

/// Type of the description box of a manifest store (C2PA specification 2.2, section 11.1.4.2; ISO 19566-5).
const TYPE: [u8; 16] = *b"c2pa\x00\x11\x00\x10\x80\x00\x00\xaa\x00\x38\x9b\x71";
/// In a store by itself, the type is among these first bytes.
const BEGINNING: usize = 64;
/// Stores beyond it, in bytes, are no statements about a picture.
const LARGEST: u64 = 64 << 20;
const BUFFER: usize = 1 << 18;
/// Most boxes of a store: a picture with a hundred ancestors has some two thousand.
const MOST_BOXES: usize = 10_000;
/// Most compressed manifests of a store. Each may unpack to some megabytes.
const MOST_COMPRESSED: usize = 4;

/// Whether a manifest store begins anywhere in the file.
pub(crate) fn is_in(file: &mut (impl Read + Seek)) -> io::Result<bool> {
    file.rewind()?;
    let mut buffer = vec![0; BUFFER];
    let mut kept = 0;
    loop {
        let read = file.read(&mut buffer[kept..])?;
        let filled = &buffer[..kept + read];
        if contains(filled) {
            return Ok(true);
        }
        if read == 0 {
            return Ok(false);
        }
        // The type may lie across two reads.
        let rest = filled.len().min(TYPE.len() - 1);
        let end = filled.len();
        buffer.copy_within(end - rest..end, 0);
        kept = rest;
    }
}

/// The manifest store that is the file at `path`, or why it is none.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>, String> {
    let unreadable = |error: io::Error| format!("cannot be read ({error})");
    let mut store = Vec::new();
    let file = File::open(path).map_err(unreadable)?;
    file.take(LARGEST + 1).read_to_end(&mut store).map_err(unreadable)?;
    if store.is_empty() {
        return Err("is empty".to_owned());
    }
    if store.len() as u64 > LARGEST {
        return Err(format!("is larger than {} MB", LARGEST >> 20));
    }
    if !contains(&store[..store.len().min(BEGINNING)]) {
        return Err("is no C2PA manifest".to_owned());
    }
    Ok(store)
}

/// Why a store should not be unpacked: it is made to fill the memory or to take for ever.
pub(crate) fn excess(store: &[u8]) -> Option<&'static str> {
    let count = |kind: &[u8; 4]| store.windows(4).filter(|window| window == kind).count();
    if store.len() as u64 > LARGEST {
        Some("its manifest is too large")
    } else if count(b"jumd") > MOST_BOXES {
        Some("its manifest has too many parts")
    } else if count(b"brob") > MOST_COMPRESSED {
        Some("its manifest has too many compressed parts")
    } else {
        None
    }
}

fn contains(bytes: &[u8]) -> bool {
    bytes.windows(TYPE.len()).any(|window| window == TYPE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Cursor;

    #[test]
    fn a_store_is_found_wherever_it_begins() {
        for at in [0, 1, 77, BUFFER - 15, BUFFER - 8, BUFFER - 1, BUFFER, 3 * BUFFER - 20] {
            let mut bytes = vec![b'c'; 3 * BUFFER];
            assert!(!is_in(&mut Cursor::new(&bytes)).expect("read"));
            bytes[at..at + 16].copy_from_slice(&TYPE);
            assert!(is_in(&mut Cursor::new(&bytes)).expect("read"), "at {at}");
        }
        assert!(!is_in(&mut Cursor::new([])).expect("read"));
    }

    #[test]
    fn stores_that_would_unpack_to_too_much_are_not_unpacked() {
        let cases = [
            (b"jumd".repeat(MOST_BOXES), None),
            (b"jumd".repeat(MOST_BOXES + 1), Some("its manifest has too many parts")),
            (b"brob".repeat(MOST_COMPRESSED), None),
            (b"brob".repeat(MOST_COMPRESSED + 1), Some("its manifest has too many compressed parts")),
        ];
        for (store, expected) in cases {
            assert_eq!(excess(&store), expected);
        }
    }
}
