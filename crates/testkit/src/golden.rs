//! Golden pictures: what was painted, compared with a stored PNG.
//!
//! [`check`] compares. Where the picture lies outside the [`Tolerance`] it fails, and writes a picture that shows why to
//! `target/golden`: what was stored above, what was found in the middle, eight times the difference below. With
//! `GIOCONDA_BLESS=1` in the environment it stores what was found instead: look at it before it is committed.

use std::fmt;
use std::fs::{self, File};
use std::io::BufWriter;
use std::path::{Path, PathBuf};

use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::imageops::replace;
use image::{ExtendedColorType, ImageEncoder as _, Rgb, RgbImage};

use crate::repository;

/// Set to `1`, it has [`check`] store what it is given.
pub const BLESS: &str = "GIOCONDA_BLESS";

/// Side of the tiles whose means are compared, pixels.
const TILE: u32 = 8;
/// How much the difference is enlarged for people to see.
const CONTRAST: u16 = 8;

/// How far two pictures may lie apart, in levels of 0..255 of each channel.
///
/// Processors with AVX-512, AVX2 or neither add in another order, so that frames may differ by a level here and there, and
/// by more at a sharp edge. A change of what is painted is local: its mean over a whole picture is small, so that every
/// tile of 8 by 8 pixels has a bound of its own.
#[derive(Clone, Copy, Debug)]
pub struct Tolerance {
    /// Of the mean absolute difference of the whole picture.
    pub mean: f64,
    /// Of the mean absolute difference of any tile of 8 by 8 pixels.
    pub tile: f64,
    /// Of any channel of any pixel.
    pub largest: u8,
}

impl Default for Tolerance {
    /// For rendered frames: see `crates/avatar/tests/golden_frames.rs`, which says what was measured.
    fn default() -> Self {
        Self { mean: 0.15, tile: 0.75, largest: 16 }
    }
}

/// How two pictures differ.
#[derive(Clone, Debug, PartialEq)]
pub enum Difference {
    /// They have other sizes.
    Size {
        /// Width and height of the stored one.
        stored: (u32, u32),
        /// Width and height of the other.
        found: (u32, u32),
    },
    /// Their pixels differ.
    Pixels(Levels),
}

/// Differences of pixels, in levels of 0..255.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Levels {
    /// Mean absolute difference.
    pub mean: f64,
    /// Mean absolute difference of the tile where it is largest.
    pub tile: f64,
    /// Column and row of that tile's corner, pixels.
    pub tile_at: (u32, u32),
    /// Largest absolute difference of a channel.
    pub largest: u8,
    /// Where that is, pixels.
    pub largest_at: (u32, u32),
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Size { stored, found } => {
                write!(f, "{}x{} pixels instead of {}x{}", found.0, found.1, stored.0, stored.1)
            }
            Self::Pixels(Levels { mean, tile, tile_at, largest, largest_at }) => write!(
                f,
                "differs by {mean:.3} levels in the mean, by {tile:.2} in the tile at {tile_at:?}, by {largest} at {largest_at:?}"
            ),
        }
    }
}

impl Levels {
    /// Measures two pictures of one size.
    fn between(stored: &RgbImage, found: &RgbImage) -> Self {
        let (width, height) = stored.dimensions();
        let mut levels = Self::default();
        let mut whole = 0_u64;
        for top in (0..height).step_by(TILE as usize) {
            for left in (0..width).step_by(TILE as usize) {
                let (mut sum, mut pixels) = (0_u64, 0_u64);
                for y in top..height.min(top + TILE) {
                    for x in left..width.min(left + TILE) {
                        let [a, b] = [stored, found].map(|picture| picture.get_pixel(x, y).0);
                        for (a, b) in a.into_iter().zip(b) {
                            let apart = a.abs_diff(b);
                            sum += u64::from(apart);
                            if apart > levels.largest {
                                (levels.largest, levels.largest_at) = (apart, (x, y));
                            }
                        }
                        pixels += 1;
                    }
                }
                whole += sum;
                let tile = sum as f64 / (3 * pixels) as f64;
                if tile > levels.tile {
                    (levels.tile, levels.tile_at) = (tile, (left, top));
                }
            }
        }
        levels.mean = whole as f64 / (3 * u64::from(width) * u64::from(height)).max(1) as f64;
        levels
    }

    fn within(&self, tolerance: &Tolerance) -> bool {
        self.mean <= tolerance.mean && self.tile <= tolerance.tile && self.largest <= tolerance.largest
    }
}

/// Compares two pictures.
///
/// # Errors
/// When they have other sizes or lie outside the tolerance.
pub fn compare(stored: &RgbImage, found: &RgbImage, tolerance: &Tolerance) -> Result<Levels, Difference> {
    if stored.dimensions() != found.dimensions() {
        return Err(Difference::Size { stored: stored.dimensions(), found: found.dimensions() });
    }
    let levels = Levels::between(stored, found);
    if levels.within(tolerance) { Ok(levels) } else { Err(Difference::Pixels(levels)) }
}

/// Compares `found` with the PNG at `stored`, or stores it there: see the [module](self).
///
/// # Errors
/// One line, when the PNG is not there or cannot be read, or the picture differs from it. It names the files.
pub fn check(stored: &Path, found: &RgbImage, tolerance: &Tolerance) -> Result<(), String> {
    if std::env::var_os(BLESS).is_some_and(|value| value == "1") {
        return write(stored, found);
    }
    let name = stored.display();
    let advice = format!("where it should be so, store it with {BLESS}=1 and look at it");
    let expected = match image::open(stored) {
        Ok(picture) => picture.to_rgb8(),
        Err(error) => return Err(format!("{name}: cannot be read ({error}); {advice}")),
    };
    let difference = match compare(&expected, found, tolerance) {
        Ok(levels) => {
            println!("{name}: {}", Difference::Pixels(levels));
            return Ok(());
        }
        Err(difference) => difference,
    };
    let shown = difference_file(stored);
    write(&shown, &side_by_side(&expected, found))?;
    Err(format!("{name}: {difference}; allowed are {tolerance:?}; see {}; {advice}", shown.display()))
}

/// Pictures of one height, side by side. Equal columns of neighbours lie near each other in the file's rows, so that a
/// PNG stores what does not move once.
///
/// # Panics
/// When their heights differ or there are none.
pub fn strip(pictures: &[RgbImage]) -> RgbImage {
    let height = pictures.first().expect("a strip has pictures").height();
    assert!(pictures.iter().all(|picture| picture.height() == height), "pictures of one height");
    let mut strip = RgbImage::new(pictures.iter().map(RgbImage::width).sum(), height);
    let mut left = 0;
    for picture in pictures {
        replace(&mut strip, picture, i64::from(left), 0);
        left += picture.width();
    }
    strip
}

/// Where and how much `frame` differs from `still`: for each cell of 16 by 16 pixels the mean absolute difference of each
/// channel, times 8, at most 255. It shows the motion and not the picture, for pictures that must not be stored.
///
/// # Panics
/// When their sizes differ.
pub fn motion_map(still: &RgbImage, frame: &RgbImage) -> RgbImage {
    const CELL: u32 = 16;
    assert_eq!(still.dimensions(), frame.dimensions(), "pictures of one size");
    RgbImage::from_fn(still.width() / CELL, still.height() / CELL, |column, row| {
        let mut sum = [0_u32; 3];
        for (y, x) in (0..CELL).flat_map(|y| (0..CELL).map(move |x| (row * CELL + y, column * CELL + x))) {
            let [a, b] = [still, frame].map(|picture| picture.get_pixel(x, y).0);
            (0..3).for_each(|channel| sum[channel] += u32::from(a[channel].abs_diff(b[channel])));
        }
        Rgb(sum.map(|sum| (8 * sum / (CELL * CELL)).min(255) as u8))
    })
}

/// Where the difference to the picture at `stored` is shown.
fn difference_file(stored: &Path) -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| repository("target"), PathBuf::from);
    target.join("golden").join(stored.file_name().unwrap_or("picture.png".as_ref()))
}

/// What was stored, what was found and, where their sizes agree, the enlarged difference, one below the other.
fn side_by_side(stored: &RgbImage, found: &RgbImage) -> RgbImage {
    let difference = (stored.dimensions() == found.dimensions()).then(|| {
        RgbImage::from_fn(stored.width(), stored.height(), |x, y| {
            let [a, b] = [stored, found].map(|picture| picture.get_pixel(x, y).0);
            let enlarged = |i: usize| (CONTRAST * u16::from(a[i].abs_diff(b[i]))).min(255) as u8;
            Rgb(std::array::from_fn(enlarged))
        })
    });
    let rows = [Some(stored), Some(found), difference.as_ref()];
    let rows = || rows.into_iter().flatten();
    let width = rows().map(RgbImage::width).max().unwrap_or(1);
    let mut shown = RgbImage::new(width, rows().map(RgbImage::height).sum());
    let mut top = 0;
    for row in rows() {
        replace(&mut shown, row, 0, i64::from(top));
        top += row.height();
    }
    shown
}

/// Writes a PNG as small as it gets, with the folders it lies in.
fn write(path: &Path, picture: &RgbImage) -> Result<(), String> {
    let fault = |error: &dyn fmt::Display| format!("{}: cannot be written ({error})", path.display());
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(|error| fault(&error))?;
    }
    let file = BufWriter::new(File::create(path).map_err(|error| fault(&error))?);
    PngEncoder::new_with_quality(file, CompressionType::Best, FilterType::Adaptive)
        .write_image(picture.as_raw(), picture.width(), picture.height(), ExtendedColorType::Rgb8)
        .map_err(|error| fault(&error))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mona_lisa() -> RgbImage {
        let painting = image::open(repository("crates/avatar/tests/golden/mona-lisa-talk-crop-mesh.png"));
        painting.expect("a golden picture").to_rgb8()
    }

    /// The square at (`left`, `top`) of `picture`, `side` pixels wide, moved by a pixel.
    fn moved(picture: &RgbImage, (left, top, side): (u32, u32, u32), (x, y): (u32, u32)) -> RgbImage {
        let mut out = picture.clone();
        let square = image::imageops::crop_imm(picture, left - x, top - y, side, side).to_image();
        replace(&mut out, &square, i64::from(left), i64::from(top));
        out
    }

    #[test]
    fn rounding_passes() {
        let picture = mona_lisa();
        let mut other = picture.clone();
        // One value in twelve off by one, which is more than was seen between processors.
        for (index, value) in other.iter_mut().enumerate() {
            *value = value.saturating_add(u8::from(index % 12 == 0));
        }
        let levels = compare(&picture, &other, &Tolerance::default()).expect("within the tolerance");
        assert!(levels.largest == 1 && levels.mean > 0.05, "{levels:?}");
    }

    #[test]
    fn what_lies_a_pixel_off_fails_by_far() {
        let (picture, tolerance) = (mona_lisa(), Tolerance::default());
        for (what, square) in [("the mouth", (40, 92, 30)), ("an eye", (16, 26, 28)), ("hair", (100, 10, 24))]
        {
            for direction in [(1, 0), (0, 1)] {
                let other = moved(&picture, square, direction);
                let difference = compare(&picture, &other, &tolerance);
                let Err(Difference::Pixels(levels)) = difference else { panic!("{what}: {difference:?}") };
                assert!(levels.tile > 3.0 * tolerance.tile, "{what} {direction:?}: {levels:?}");
            }
        }
        let (width, height) = picture.dimensions();
        let cut = image::imageops::crop_imm(&picture, 0, 0, width - 1, height).to_image();
        assert!(matches!(compare(&picture, &cut, &tolerance), Err(Difference::Size { .. })));
    }

    #[test]
    fn the_difference_is_written_where_the_message_says() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let stored = folder.path().join("difference-of-a-test.png");
        let picture = RgbImage::from_pixel(24, 16, Rgb([100; 3]));
        let mut other = picture.clone();
        other.put_pixel(9, 3, Rgb([100, 150, 100]));
        let absent = check(&stored, &picture, &Tolerance::default()).expect_err("nothing is stored");
        assert!(absent.contains("difference-of-a-test.png: cannot be read") && absent.contains(BLESS));
        write(&stored, &picture).expect("written");
        check(&stored, &picture, &Tolerance::default()).expect("it is the same");
        let told = check(&stored, &other, &Tolerance::default()).expect_err("a pixel differs");
        let shown = difference_file(&stored);
        assert!(told.contains(&shown.display().to_string()) && told.contains("by 50 at (9, 3)"), "{told}");
        let shown = image::open(shown).expect("the difference").to_rgb8();
        assert_eq!(shown.dimensions(), (24, 48));
        assert_eq!(shown.get_pixel(9, 32 + 3), &Rgb([0, 255, 0]));
        assert_eq!(shown.get_pixel(8, 32 + 3), &Rgb([0; 3]));
    }

    #[test]
    fn a_map_of_motion_shows_what_moved_and_how_much() {
        let still = RgbImage::from_pixel(64, 32, Rgb([50; 3]));
        let mut frame = still.clone();
        for x in 16..32 {
            frame.put_pixel(x, 0, Rgb([66, 50, 50]));
        }
        let map = motion_map(&still, &frame);
        assert_eq!((map.dimensions(), map.get_pixel(1, 0)), ((4, 2), &Rgb([8, 0, 0])));
        assert_eq!(map.pixels().filter(|pixel| pixel.0 != [0; 3]).count(), 1);
    }
}
