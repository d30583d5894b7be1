//! Verifying long clips: the mark is found wherever it is.

use std::ops::Range;
use std::path::Path;

use gioconda_media::{ClipWriter, WriteOptions};
use gioconda_portrait::verification::{Search, Verdict, Watermark, verify};
use gioconda_provenance::watermark::{AvatarId, Marker, Payload};
use image::RgbImage;

const SIDE: u32 = 256;
const FPS: f64 = 25.0;

/// A clip of so many frames, those in `marked` with the mark, black until the first in `shown`.
fn film(file: &Path, frames: u32, shown: u32, marked: Range<u32>) {
    let payload = Payload::today(AvatarId::of(b"her"));
    let mut marker = Marker::new(&payload);
    let options = WriteOptions { width: SIDE, height: SIDE, fps: FPS, sound: None, alpha: false };
    let mut writer = ClipWriter::create(file, &options).expect("a clip is begun");
    for number in 0..frames {
        let mut picture = RgbImage::from_fn(SIDE, SIDE, |x, y| {
            let grain = (x.wrapping_mul(2_654_435_761) ^ y.wrapping_mul(40_503)).wrapping_mul(97) >> 29;
            let wave = (f64::from(x + number) * 0.03).sin() + (f64::from(y) * 0.04).cos();
            let shade = (128.0 + 45.0 * wave + f64::from(grain)) as u8;
            image::Rgb([shade, shade / 2 + 60, 255 - shade])
        });
        if number < shown {
            picture = RgbImage::new(SIDE, SIDE);
        }
        if marked.contains(&number) {
            marker.mark(&mut picture);
        }
        writer.write(&picture).expect("a frame is written");
    }
    writer.finish().expect("the clip is finished");
}

/// Issue 22, line 12: the first 250 frames were all that was looked at.
#[test]
fn a_mark_is_found_wherever_it_is_in_a_clip() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("clip.mp4");
    let cases = [
        ("ten seconds of black before it", 500, 260, 260..500, true),
        ("the middle third", 900, 0, 300..600, true),
        ("the end of a short clip", 200, 0, 120..200, true),
        ("nowhere in a long clip", 500, 0, 0..0, false),
        ("nowhere in a short clip", 100, 0, 0..0, false),
    ];
    for (name, frames, shown, marked, expected) in cases {
        film(&file, frames, shown, marked);
        for search in [Search::Sampled, Search::Thorough] {
            let finding = verify(&file, "clip.mp4", search).expect("readable");
            let verdict = if expected { Verdict::Marked } else { Verdict::Unmarked };
            assert_eq!(finding.verdict, verdict, "{name}, {search:?}: {}", finding.sentence);
            if let Watermark::Missing { frames: seen, all } = finding.watermark {
                assert_eq!(all, search == Search::Thorough || frames <= 250, "{name}, {search:?}");
                assert!(
                    all && seen == u64::from(frames) || !all && seen > 50 && seen < 250,
                    "{name}: {seen}"
                );
            }
        }
    }
}

/// Nobody is hidden by what cannot be read: the sentence stays one line, and says what is wrong.
#[test]
fn what_is_no_picture_is_one_line() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("a.mp4");
    for (content, expected) in
        [(&b""[..], "the file is empty"), (b"not a clip", "is neither a picture nor a clip")]
    {
        std::fs::write(&file, content).expect("written");
        let line = verify(&file, "two\nlines.mp4", Search::Sampled).err().expect("an error");
        assert!(line.contains(expected) && line.starts_with("two\\nlines.mp4: "), "{line}");
    }
    let line = verify(folder.path(), "folder", Search::Sampled).err().expect("an error");
    assert_eq!(line, "folder: is not a file; name a picture, a clip or a folder of them");
}
