//! How many parts a container has, counted before the C2PA library sees it: the library keeps an entry of some hundred
//! bytes for each, and a part may be as short as four bytes.

use std::io::{self, BufReader, ErrorKind, Read, Seek, SeekFrom};

/// Most boxes, chunks or segments of a file whose statement is read. An mp4 in fragments of a second has ten for each.
const MOST: u64 = 400_000;
/// Most bytes of a GIF whose statement is read.
const LARGEST_GIF: u64 = 256 << 20;

/// mp4 boxes whose content the library takes for boxes.
const BOXES_OF_BOXES: [&[u8; 4]; 16] = [
    b"moov", b"trak", b"mdia", b"minf", b"stbl", b"moof", b"traf", b"edts", b"udta", b"dinf", b"tref",
    b"treg", b"mvex", b"mfra", b"meta", b"schi",
];

/// Whether the file in `format`, a media type, has so many parts that nothing should list them.
pub(crate) fn are_too_many(format: &str, file: &mut (impl Read + Seek)) -> io::Result<bool> {
    let length = file.seek(SeekFrom::End(0))?;
    file.rewind()?;
    let counted = match format {
        // Its blocks are not counted: as many as it may have are looked at quickly, once it is in memory.
        "image/gif" => return Ok(length > LARGEST_GIF),
        _ if length < MOST * 4 => Ok(0),
        "video/mp4" => boxes(&mut BufReader::new(file), length),
        "image/png" => chunks(&mut BufReader::new(file)),
        "image/jpeg" => segments(file),
        // The library reads the others part by part.
        _ => Ok(0),
    };
    match counted {
        Ok(count) => Ok(count > MOST),
        // Damaged: what was counted until there were not too many.
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}

fn boxes(file: &mut BufReader<impl Read + Seek>, length: u64) -> io::Result<u64> {
    let mut count = 0;
    // Ranges that hold boxes and were not looked at yet.
    let mut left = vec![(0, length)];
    while let Some((start, end)) = left.pop() {
        let mut at = start;
        seek(file, at)?;
        while at + 8 <= end && count <= MOST {
            let mut header = [0; 8];
            file.read_exact(&mut header)?;
            let [a, b, c, d, kind @ ..] = header;
            let (mut size, mut body) = (u64::from(u32::from_be_bytes([a, b, c, d])), at + 8);
            if size == 1 {
                let mut large = [0; 8];
                file.read_exact(&mut large)?;
                (size, body) = (u64::from_be_bytes(large), at + 16);
            }
            // The library steps over a header that says 0.
            let next = if size == 0 { at + 8 } else { at.saturating_add(size.max(body - at)) };
            count += 1;
            let inner = next.min(end);
            if size != 0 && BOXES_OF_BOXES.contains(&&kind) && body < inner {
                left.push((body, inner));
                if &kind == b"meta" {
                    // After a version, or not.
                    left.push((body + 4, inner));
                }
            }
            at = next;
            seek(file, at)?;
        }
        if count > MOST {
            break;
        }
    }
    Ok(count)
}

fn chunks(file: &mut BufReader<impl Read + Seek>) -> io::Result<u64> {
    let mut count = 0;
    seek(file, 8)?;
    while count <= MOST {
        let mut header = [0; 8];
        file.read_exact(&mut header)?;
        let [a, b, c, d, kind @ ..] = header;
        count += 1;
        if &kind == b"IEND" {
            break;
        }
        file.seek_relative(i64::from(u32::from_be_bytes([a, b, c, d])) + 4)?;
    }
    Ok(count)
}

/// Markers anywhere: where a picture's own data end is hard to tell.
fn segments(file: &mut impl Read) -> io::Result<u64> {
    let mut buffer = vec![0; 1 << 18];
    let (mut count, mut after_ff) = (0, false);
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 || count > MOST {
            return Ok(count);
        }
        for &byte in &buffer[..read] {
            // 00 is data, D0 to D7 restart it.
            count += u64::from(after_ff && byte != 0 && byte != 0xff && !(0xd0..=0xd7).contains(&byte));
            after_ff = byte == 0xff;
        }
    }
}

fn seek(file: &mut BufReader<impl Read + Seek>, to: u64) -> io::Result<()> {
    // Short ways stay within the buffer.
    let here = file.stream_position()?;
    match i64::try_from(i128::from(to) - i128::from(here)) {
        Ok(way) => file.seek_relative(way),
        Err(_) => Err(ErrorKind::UnexpectedEof.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Cursor;

    #[test]
    fn many_parts_are_too_many_however_they_are_nested() {
        let many = MOST as usize + 10;
        let small_boxes = b"\0\0\0\x08free".repeat(many);
        let nested = |kinds: &[&[u8; 4]]| {
            kinds.iter().rev().fold(small_boxes.clone(), |inner, kind| {
                [&(inner.len() as u32 + 8).to_be_bytes()[..], *kind, &inner].concat()
            })
        };
        let png = [b"\x89PNG\r\n\x1a\n".as_slice(), &b"\0\0\0\0tEXt\0\0\0\0".repeat(many)].concat();
        let jpeg = [b"\xff\xd8".as_slice(), &b"\xff\xe0\0\x02".repeat(many)].concat();
        let few = [b"\0\0\0\x08ftyp".to_vec(), vec![0xff; 5 * many]].concat();
        let cases = [
            ("video/mp4", nested(&[]), true),
            ("video/mp4", nested(&[b"moov", b"trak", b"udta"]), true),
            ("video/mp4", nested(&[b"moov", b"meta"]), true),
            ("video/mp4", nested(&[b"mdat"]), false),
            ("video/mp4", few, false),
            ("image/png", png, true),
            ("image/jpeg", jpeg, true),
            ("image/jpeg", b"\xff\0".repeat(2 * many), false),
            ("image/png", b"\x89PNG\r\n\x1a\n".to_vec(), false),
        ];
        for (format, bytes, expected) in cases {
            let length = bytes.len();
            let found = are_too_many(format, &mut Cursor::new(bytes)).expect("read");
            assert_eq!(found, expected, "{format}, {length} bytes");
        }
    }
}
