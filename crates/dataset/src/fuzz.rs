//! What fuzzing runs (`fuzz/fuzz_targets/dataset.rs`): arbitrary bytes as the files of a data folder.

use std::path::Path;

use crate::descriptor::{FrameDescriptor, RECORD};
use crate::journal::{Index, framed, unframed};
use crate::report::of_indexes;
use crate::shard::{decode_jpeg, decode_landmarks};

/// Arbitrary bytes as an index, as records of the frame table, as a crop and as its landmarks. Checksums are corrected first:
/// an attacker writes valid ones.
#[doc(hidden)]
pub fn fuzz_dataset(bytes: &[u8]) {
    let lines = bytes.split(|&byte| byte == b'\n').filter_map(|line| std::str::from_utf8(line).ok());
    let record =
        |line: &str| unframed(&format!("{line}\n")).map_or(line.to_owned(), |(_, record)| record.to_owned());
    let text: String = lines.map(|line| framed(&record(line))).collect();
    if let Ok(Some(index)) = Index::parse(Path::new("part-0001-of-0001.jsonl"), text.as_bytes()) {
        let report = of_indexes(&[index]);
        assert!(report.frames <= report.videos << 24, "frames are counted within their bounds");
    }
    for record in bytes.as_chunks::<RECORD>().0 {
        let mut record = *record;
        let (content, checksum) = record.split_at_mut(RECORD - 4);
        checksum.copy_from_slice(&crc32fast::hash(content).to_le_bytes());
        if let Some((frame, _)) = FrameDescriptor::decode(&record).filter(|(frame, _)| frame.is_finite()) {
            assert!(frame.distance(&frame).abs() < 1e-3);
        }
    }
    // Errors are fine; panics and allocations larger than the crop are not.
    let _ = (decode_jpeg(bytes, 64), decode_landmarks(bytes));
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};
    use std::path::PathBuf;

    use gioconda_testkit::mutations;
    use image::RgbImage;
    use tempfile::TempDir;

    use super::*;
    use crate::descriptor::tests::face;
    use crate::journal::{ClipRecord, Complete, Dropped, Header, Record, ShardEnd, VideoRecord, line_of};
    use crate::layout::Part;
    use crate::shard::{ShardWriter, encode_jpeg, encode_landmarks};
    use crate::window::CropWindow;
    use crate::{Dataset, MIN_FRAMES};

    const SIZE: u32 = 64;

    /// A data folder of one video, with what stands in its index.
    struct Folder {
        folder: TempDir,
        clip: ClipRecord,
    }

    impl Folder {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let mut shard = ShardWriter::create(folder.path(), Part::WHOLE, 0).unwrap();
            let mut table = Vec::new();
            for frame in 0..MIN_FRAMES as u32 {
                let landmarks = face(SIZE as f32, 0.01 * frame as f32, 0.0);
                let key = format!("ann/a/{frame:06}");
                let place = shard.append(&key, &RgbImage::new(SIZE, SIZE), &landmarks).unwrap();
                table.extend(FrameDescriptor::new(&landmarks, SIZE, frame, 1.0).encode(&place));
            }
            let end = shard.commit().unwrap();
            shard.finish().unwrap();
            fs::write(Part::WHOLE.frames(folder.path()), &table).unwrap();
            let video = VideoRecord {
                person: "ann".to_owned(),
                name: "a".to_owned(),
                frames: MIN_FRAMES,
                fps: 25.0,
                source_size: (640, 480),
                window: CropWindow { left: 10, top: 10, side: 300 },
                table: 0,
            };
            let clip = ClipRecord {
                clip: "ann/a.mp4".to_owned(),
                videos: vec![video],
                rejected: Vec::new(),
                unreadable: false,
                frames: MIN_FRAMES,
                dropped: Dropped::default(),
                shard: Some(ShardEnd { number: 0, end }),
                table_end: table.len() as u64,
            };
            Self { folder, clip }
        }

        fn table(&self) -> PathBuf {
            Part::WHOLE.frames(self.folder.path())
        }

        /// The index, changed.
        fn index(&self, change: impl FnOnce(&mut ClipRecord, &mut Header)) -> String {
            let (mut clip, mut header) = (self.clip.clone(), Header::new(SIZE, Part::WHOLE));
            change(&mut clip, &mut header);
            let complete = Record::Complete(Complete { clips: 1 });
            [Record::Header(header), Record::Clip(clip), complete].iter().map(line_of).collect()
        }

        fn open(&self, change: impl FnOnce(&mut ClipRecord, &mut Header)) -> Result<Dataset, crate::Error> {
            fs::write(Part::WHOLE.journal(self.folder.path()), self.index(change)).unwrap();
            Dataset::open(self.folder.path())
        }
    }

    type Change = fn(&mut ClipRecord, &mut Header);

    #[test]
    fn numbers_out_of_range_are_refused() {
        let folder = Folder::new();
        let data = folder.open(|_, _| {}).unwrap();
        assert_eq!((data.descriptors(0).unwrap().len(), data.videos()[0].frames), (MIN_FRAMES, MIN_FRAMES));
        assert!(data.read(0, 3).is_ok());

        let cases: [(Change, &str); 17] = [
            (|clip, _| clip.videos[0].frames = 1_000_000_000, "frames, not"),
            (|clip, _| clip.videos[0].frames = 1 << 63, "frames, not"),
            (|clip, _| clip.videos[0].frames = usize::MAX, "frames, not"),
            (|clip, _| clip.videos[0].frames = 1 << 20, "beyond the end of the frame table"),
            (|clip, _| clip.videos[0].frames = 0, "it has 0 frames"),
            (|clip, _| clip.videos[0].table = u64::MAX - 100, "beyond the end of the frame table"),
            (|clip, _| clip.videos[0].fps = 0.0, "frame rate"),
            (|clip, _| clip.videos[0].fps = 1e308, "frame rate"),
            (|clip, _| clip.videos[0].window.side = 0, "crop window lies outside"),
            (|clip, _| clip.videos[0].window.left = u32::MAX, "crop window lies outside"),
            (|clip, _| clip.videos[0].source_size = (u32::MAX, u32::MAX), "crop window lies outside"),
            (|clip, _| clip.frames = 1 << 63, "frame counts are out of range"),
            (|clip, _| clip.dropped.no_face = usize::MAX, "frame counts are out of range"),
            (|clip, _| clip.table_end = u64::MAX, "frame counts are out of range"),
            (
                |clip, _| clip.shard = Some(ShardEnd { number: u32::MAX, end: 9 }),
                "videos or shards is out of range",
            ),
            (|_, header| header.size = 0, "crop size 0 "),
            (|_, header| header.size = u32::MAX, "crop size 4294967295 "),
        ];
        for (change, told) in cases {
            let message = folder.open(change).unwrap_err().to_string();
            assert!(message.contains("damaged") && message.contains(told), "{told}: {message}");
            assert!(!message.contains('\n'), "{message}");
        }
        let message = folder.open(|clip, _| clip.shard = Some(ShardEnd { number: 0, end: u64::MAX }));
        assert!(message.unwrap_err().to_string().contains("bytes of 18446744073709551615"));
    }

    #[test]
    fn a_frame_table_with_a_hole_takes_no_memory() {
        let folder = Folder::new();
        // Sparse: it takes no space on the disk, but 4 GB of memory for a reader that allocates what the index claims.
        File::options().write(true).open(folder.table()).unwrap().set_len(1 << 40).unwrap();
        let long = |clip: &mut ClipRecord, _: &mut Header| {
            clip.videos[0].frames = 1 << 24;
            clip.table_end = 1 << 40;
        };
        let data = folder.open(long).unwrap();
        let message = data.descriptors(0).unwrap_err().to_string();
        assert!(message.contains("checksum does not fit"), "{message}");
        assert!(data.read(0, (1 << 24) - 1).is_err() && data.read(0, 0).is_ok());
    }

    #[test]
    fn records_that_point_anywhere_are_refused() {
        let folder = Folder::new();
        let landmarks = face(SIZE as f32, 0.0, 0.0);
        let frame = FrameDescriptor::new(&landmarks, SIZE, 0, 1.0);
        let good = fs::read(folder.table()).unwrap();
        let (_, place) = FrameDescriptor::decode(good[..RECORD].try_into().unwrap()).unwrap();
        for (told, change) in [
            ("no possible place", (|place| place.landmarks = 0) as fn(&mut crate::descriptor::Place)),
            ("no possible place", |place| place.jpeg_length = u32::MAX),
            ("no possible place", |place| place.landmarks = u64::MAX),
            ("shorter than its index", |place| {
                (place.jpeg, place.landmarks) = (u64::MAX - 5000, u64::MAX - 10);
            }),
            ("shorter than its index", |place| {
                (place.jpeg, place.landmarks) = (1 << 40, (1 << 40) + 60_000_000);
            }),
            ("checksum does not fit", |place| place.checksum ^= 1),
        ] {
            let mut place = place;
            change(&mut place);
            let table = [&frame.encode(&place)[..], &good[RECORD..]].concat();
            fs::write(folder.table(), table).unwrap();
            let message = folder.open(|_, _| {}).unwrap().read(0, 0).unwrap_err().to_string();
            assert!(message.contains(told), "{told}: {message}");
        }
        let mut nowhere = frame;
        nowhere.pose.scale = f32::NAN;
        fs::write(folder.table(), [&nowhere.encode(&place)[..], &good[RECORD..]].concat()).unwrap();
        let data = folder.open(|_, _| {}).unwrap();
        assert!(data.read(0, 0).unwrap_err().to_string().contains("NaN or infinity"));
        assert!(data.descriptors(0).unwrap_err().to_string().contains("NaN or infinity"));
    }

    #[test]
    fn crops_of_other_sizes_are_refused_from_their_headers() {
        let mut jpeg = encode_jpeg(&RgbImage::new(SIZE, SIZE), 95);
        assert_eq!(decode_jpeg(&jpeg, SIZE).unwrap().dimensions(), (SIZE, SIZE));
        // Height and width in the frame header, behind its marker, length and precision.
        let header = jpeg.windows(2).position(|bytes| bytes == [0xff, 0xc0]).unwrap();
        jpeg[header + 5..header + 9].fill(0xff);
        assert!(decode_jpeg(&jpeg, SIZE).unwrap_err().contains("65535x65535"));
        let mut landmarks = face(64.0, 0.0, 0.0);
        for bad in [f32::NAN, f32::INFINITY, 1e30] {
            landmarks.points[5].y = bad;
            assert!(decode_landmarks(&encode_landmarks(&landmarks)).is_none(), "{bad}");
        }
    }

    #[test]
    fn mutated_files_do_not_panic() {
        let folder = Folder::new();
        mutations::each(folder.index(|_, _| {}).as_bytes(), 800, fuzz_dataset);
        mutations::each(&fs::read(folder.table()).unwrap(), 500, fuzz_dataset);
        mutations::each(&encode_jpeg(&RgbImage::new(SIZE, SIZE), 95), 1000, fuzz_dataset);
        mutations::each(&encode_landmarks(&face(64.0, 0.0, 0.0)), 200, fuzz_dataset);
    }
}
