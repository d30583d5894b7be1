//! Shards: tar files in `WebDataset`'s layout. A sample is two neighbouring files with one key,
//!
//! - `PERSON/VIDEO/000123.jpg`: the crop, JPEG at quality 95 without chroma subsampling;
//! - `PERSON/VIDEO/000123.landmarks.npy`: `[478, 3]` little-endian `f32`, x, y, z in pixels of the crop;
//!
//! 000123 being the frame's number in its clip. Python's `webdataset` and `numpy` read them as they are.

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Cursor, Seek as _, SeekFrom, Write};
use std::path::{Path, PathBuf};

use gioconda_face::{LANDMARKS, Landmarks};
use image::codecs::jpeg::JpegEncoder;
use image::{ImageFormat, ImageReader, RgbImage};
use nalgebra::Vector3;

use crate::Error;
use crate::descriptor::Place;
use crate::layout::Part;

/// Artefacts of this quality stay below the noise of the clips, at a fifth of what PNG takes.
const JPEG_QUALITY: u8 = 95;

/// Encodes a crop.
pub(crate) fn encode_jpeg(picture: &RgbImage, quality: u8) -> Vec<u8> {
    let mut jpeg = Vec::new();
    JpegEncoder::new_with_quality(&mut jpeg, quality)
        .encode_image(picture)
        .expect("a picture of at most 65,535 pixels a side is encoded into memory");
    jpeg
}

/// Decodes a crop. Its header must say `size` pixels a side, which is checked first: a small file may claim gigabytes.
pub(crate) fn decode_jpeg(jpeg: &[u8], size: u32) -> Result<RgbImage, String> {
    let reader = || ImageReader::with_format(Cursor::new(jpeg), ImageFormat::Jpeg);
    let (width, height) = reader().into_dimensions().map_err(|error| error.to_string())?;
    if (width, height) != (size, size) {
        return Err(format!("it is a crop of {width}x{height} pixels, not {size}"));
    }
    reader().decode().map(image::DynamicImage::into_rgb8).map_err(|error| error.to_string())
}

/// Magic, version 1.0, the length of the header (118), and the header padded to it: numpy's `format.py`.
const NPY_HEADER: [u8; 128] = npy_header();
pub(crate) const NPY_LENGTH: usize = NPY_HEADER.len() + LANDMARKS * 12;

const fn npy_header() -> [u8; 128] {
    let start = *b"\x93NUMPY\x01\x00\x76\x00{'descr': '<f4', 'fortran_order': False, 'shape': (478, 3), }";
    let mut header = [b' '; 128];
    let mut i = 0;
    while i < start.len() {
        header[i] = start[i];
        i += 1;
    }
    header[127] = b'\n';
    header
}

pub(crate) fn encode_landmarks(landmarks: &Landmarks) -> Vec<u8> {
    let mut npy = NPY_HEADER.to_vec();
    npy.extend(landmarks.points.iter().flat_map(Vector3::iter).flat_map(|value| value.to_le_bytes()));
    npy
}

/// Largest coordinate of a landmark, pixels from the crop's corner; real ones stay far below.
const LARGEST_COORDINATE: f32 = 1e5;

/// `None` when this is not the file that [`encode_landmarks`] writes, or a coordinate is NaN or out of range.
pub(crate) fn decode_landmarks(npy: &[u8]) -> Option<Landmarks> {
    let values = npy.strip_prefix(&NPY_HEADER)?;
    let (points, []) = values.as_chunks::<12>() else { return None };
    let mut landmarks = Landmarks { points: [Vector3::zeros(); LANDMARKS] };
    if points.len() != LANDMARKS {
        return None;
    }
    for (point, bytes) in landmarks.points.iter_mut().zip(points) {
        for (value, bytes) in point.iter_mut().zip(bytes.as_chunks::<4>().0) {
            *value = f32::from_le_bytes(*bytes);
        }
    }
    let far = |point: &Vector3<f32>| !point.iter().all(|value| value.abs() <= LARGEST_COORDINATE);
    (!landmarks.points.iter().any(far)).then_some(landmarks)
}

/// A shard that is being written.
pub(crate) struct ShardWriter {
    path: PathBuf,
    number: u32,
    archive: tar::Builder<Counted>,
    /// Length of what belongs to finished clips.
    committed: u64,
}

/// A file that knows how much was written to it.
struct Counted {
    file: BufWriter<File>,
    position: u64,
}

impl Write for Counted {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.position += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// Tar pads every file to a multiple of this.
const BLOCK: u64 = 512;

impl ShardWriter {
    /// Creates shard `number` of a part, replacing what an interrupted run may have left under that name.
    pub(crate) fn create(folder: &Path, part: Part, number: u32) -> Result<Self, Error> {
        let path = part.shard(folder, number);
        let file = File::create(&path).map_err(Error::write(&path))?;
        let archive = tar::Builder::new(Counted { file: BufWriter::new(file), position: 0 });
        Ok(Self { path, number, archive, committed: 0 })
    }

    pub(crate) fn number(&self) -> u32 {
        self.number
    }

    /// Appends a sample under `key` and says where it stands.
    pub(crate) fn append(
        &mut self,
        key: &str,
        picture: &RgbImage,
        landmarks: &Landmarks,
    ) -> Result<Place, Error> {
        let jpeg = encode_jpeg(picture, JPEG_QUALITY);
        let npy = encode_landmarks(landmarks);
        let mut checksum = crc32fast::Hasher::new();
        checksum.update(&jpeg);
        checksum.update(&npy);
        Ok(Place {
            jpeg: self.append_file(&format!("{key}.jpg"), &jpeg)?,
            jpeg_length: jpeg.len() as u32,
            landmarks: self.append_file(&format!("{key}.landmarks.npy"), &npy)?,
            checksum: checksum.finalize(),
        })
    }

    /// Appends a file and returns where its content begins.
    fn append_file(&mut self, name: &str, content: &[u8]) -> Result<u64, Error> {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        self.archive.append_data(&mut header, name, content).map_err(Error::write(&self.path))?;
        Ok(self.position() - (content.len() as u64).next_multiple_of(BLOCK))
    }

    /// Brings everything appended so far to the disk and returns the shard's length.
    pub(crate) fn commit(&mut self) -> Result<u64, Error> {
        let counted = self.archive.get_mut();
        let synced = counted.file.flush().and_then(|()| counted.file.get_ref().sync_data());
        synced.map_err(Error::write(&self.path))?;
        self.committed = counted.position;
        Ok(self.committed)
    }

    /// The shard's length so far, bytes.
    pub(crate) fn position(&self) -> u64 {
        self.archive.get_ref().position
    }

    /// Forgets what was appended since the last commit.
    pub(crate) fn roll_back(&mut self) -> Result<(), Error> {
        self.roll_back_to(self.committed)
    }

    /// Forgets what was appended since [`ShardWriter::position`] was `position`.
    pub(crate) fn roll_back_to(&mut self, position: u64) -> Result<(), Error> {
        let counted = self.archive.get_mut();
        counted.position = position;
        counted
            .file
            .flush()
            .and_then(|()| counted.file.get_ref().set_len(position))
            .and_then(|()| counted.file.get_mut().seek(SeekFrom::Start(position)))
            .map_err(Error::write(&self.path))?;
        Ok(())
    }

    /// Ends the shard: what no clip was finished for is dropped, and an empty shard removed.
    pub(crate) fn finish(mut self) -> Result<(), Error> {
        self.roll_back()?;
        let (path, committed) = (self.path, self.committed);
        let counted = self.archive.into_inner().map_err(Error::write(&path))?;
        let file = counted.file.into_inner().map_err(|error| Error::write(&path)(error.into_error()))?;
        file.sync_data().map_err(Error::write(&path))?;
        drop(file);
        if committed == 0 { std::fs::remove_file(&path).map_err(Error::write(&path)) } else { Ok(()) }
    }
}

/// Cuts a shard that was interrupted back to `end`, the last finished clip's, and ends it as a tar file.
pub(crate) fn repair(path: &Path, end: u64) -> Result<(), Error> {
    let mut file = OpenOptions::new().write(true).open(path).map_err(Error::write(path))?;
    let length = file.metadata().map_err(Error::read(path))?.len();
    if length < end {
        return Err(Error::damaged(path, format!("it has {length} bytes of {end}")));
    }
    file.set_len(end)
        .and_then(|()| file.seek(SeekFrom::Start(end)))
        .and_then(|_| file.write_all(&[0; 2 * BLOCK as usize]))
        .and_then(|()| file.sync_data())
        .map_err(Error::write(path))
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;
    use crate::descriptor::tests::face;

    fn picture(tone: u8) -> RgbImage {
        RgbImage::from_fn(64, 64, |x, y| image::Rgb([tone, (x * 3) as u8, (y * 3) as u8]))
    }

    /// Names and contents of the files in a tar.
    fn files(path: &Path) -> Vec<(String, Vec<u8>)> {
        let mut archive = tar::Archive::new(File::open(path).unwrap());
        let read = |entry: io::Result<tar::Entry<'_, File>>| {
            let mut entry = entry.unwrap();
            let mut content = Vec::new();
            entry.read_to_end(&mut content).unwrap();
            (entry.path().unwrap().to_str().unwrap().to_owned(), content)
        };
        archive.entries().unwrap().map(read).collect()
    }

    #[test]
    fn npy_has_numpys_layout_and_reads_back() {
        // python -c "import numpy, io; b = io.BytesIO(); numpy.save(b, numpy.zeros((478, 3), '<f4')); print(b.getvalue()[:128])"
        let numpy = b"\x93NUMPY\x01\x00v\x00{'descr': '<f4', 'fortran_order': False, 'shape': (478, 3), }";
        let landmarks = face(64.0, 0.3, 0.2);
        let npy = encode_landmarks(&landmarks);
        assert!(npy.starts_with(numpy) && npy[127] == b'\n' && npy.len() == NPY_LENGTH);
        assert_eq!(decode_landmarks(&npy).unwrap(), landmarks);
        assert!(decode_landmarks(&npy[..npy.len() - 12]).is_none());
        assert!(decode_landmarks(&npy[1..]).is_none());
    }

    #[test]
    fn a_shard_is_a_tar_with_two_files_a_sample_at_the_places_it_says() {
        let folder = tempfile::tempdir().unwrap();
        let mut shard = ShardWriter::create(folder.path(), Part::WHOLE, 0).unwrap();
        // Names beyond tar's 100 characters take an extra entry, which the places must skip.
        let long = format!("{}/video.mp4/000007", "p".repeat(120));
        let keys = ["ann/a.mp4/000000", long.as_str()];
        let places = keys.map(|key| shard.append(key, &picture(9), &face(64.0, 0.0, 0.0)).unwrap());
        shard.commit().unwrap();
        shard.append("lost/x/000000", &picture(1), &face(64.0, 0.0, 0.0)).unwrap();
        let path = Part::WHOLE.shard(folder.path(), 0);
        shard.finish().unwrap();
        let files = files(&path);
        let bytes = std::fs::read(&path).unwrap();
        assert_eq!(files.len(), 4, "the sample that was not committed is gone");
        for ((key, place), pair) in keys.iter().zip(places).zip(files.chunks(2)) {
            assert_eq!(pair[0].0, format!("{key}.jpg"));
            assert_eq!(pair[1].0, format!("{key}.landmarks.npy"));
            let (jpeg, npy) = (place.jpeg as usize, place.landmarks as usize);
            assert_eq!(bytes[jpeg..jpeg + place.jpeg_length as usize], pair[0].1);
            assert_eq!(bytes[npy..npy + NPY_LENGTH], pair[1].1);
        }
    }

    #[test]
    fn a_shard_torn_anywhere_after_its_last_clip_is_repaired() {
        let folder = tempfile::tempdir().unwrap();
        let path = Part::WHOLE.shard(folder.path(), 3);
        let mut shard = ShardWriter::create(folder.path(), Part::WHOLE, 3).unwrap();
        shard.append("a/b/000000", &picture(9), &face(64.0, 0.0, 0.0)).unwrap();
        let end = shard.commit().unwrap();
        shard.append("a/b/000001", &picture(9), &face(64.0, 0.0, 0.0)).unwrap();
        shard.commit().unwrap();
        drop(shard);
        let bytes = std::fs::read(&path).unwrap();
        for cut in [end as usize, end as usize + 1, end as usize + 700, bytes.len()] {
            std::fs::write(&path, &bytes[..cut]).unwrap();
            repair(&path, end).unwrap();
            assert_eq!(files(&path).len(), 2, "{cut}");
        }
        std::fs::write(&path, &bytes[..end as usize - 1]).unwrap();
        assert!(repair(&path, end).unwrap_err().to_string().contains("damaged"));
    }

    #[test]
    fn a_shard_without_clips_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        let mut shard = ShardWriter::create(folder.path(), Part::WHOLE, 0).unwrap();
        shard.append("a/b/000000", &picture(9), &face(64.0, 0.0, 0.0)).unwrap();
        shard.finish().unwrap();
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
