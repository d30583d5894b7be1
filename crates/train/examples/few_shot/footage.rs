//! Photos and test frames of one person's clips.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use gioconda_avatar::Reference;
use gioconda_avatar::network_input::network_crop;
use gioconda_face::{FaceChoice, FaceFinder, HeadPose, Landmarks, Threads};
use gioconda_media::{ClipReader, Frame, ReadOptions};
use image::{Rgb, RgbImage};
use nalgebra::Vector2;

pub(crate) type Failure = Box<dyn Error>;

/// Test frames of each person.
const TESTS: usize = 32;

/// A frame that was not among the photos.
pub(crate) struct Test(Reference);

impl Test {
    /// The similarity that brings this frame's head to the place and size of the photo's: scale, then shift.
    fn placement(&self, photo: &Reference) -> (f32, Vector2<f32>) {
        let (here, there) = (HeadPose::fit(&self.0.landmarks), HeadPose::fit(&photo.landmarks));
        let scale = there.scale / here.scale;
        let position = |pose: &HeadPose| Vector2::new(pose.translation.x, -pose.translation.y);
        (scale, position(&there) - position(&here) * scale)
    }

    /// The landmarks that the photo is to take.
    pub(crate) fn driving(&self, photo: &Reference) -> Landmarks {
        let (scale, shift) = self.placement(photo);
        self.0.landmarks.scaled_and_shifted(scale, shift)
    }

    /// What should be seen in the photo's square, `side` pixels wide.
    pub(crate) fn truth(&self, photo: &Reference, side: u32) -> RgbImage {
        let (scale, shift) = self.placement(photo);
        let crop = network_crop(&photo.landmarks, photo.photo.dimensions());
        RgbImage::from_fn(side, side, |x, y| {
            let in_square = Vector2::new(x as f32 + 0.5, y as f32 + 0.5) / side as f32;
            bilinear(&self.0.photo, (crop.to_picture(in_square) - shift) / scale)
        })
    }
}

/// The folders of `folder`, one for each person.
pub(crate) fn people(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let entries = std::fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let mut people: Vec<PathBuf> =
        entries.flatten().map(|entry| entry.path()).filter(|path| path.is_dir()).collect();
    people.sort();
    Ok(people)
}

/// `count` photos from the first half of a person's clips, and the test frames from the second.
pub(crate) fn read(person: &Path, count: usize) -> Result<(Vec<Reference>, Vec<Test>), Failure> {
    let mut clips: Vec<PathBuf> = std::fs::read_dir(person)?.flatten().map(|entry| entry.path()).collect();
    clips.sort();
    let (photos, tests) = clips.split_at(clips.len() / 2);
    let mut finder = FaceFinder::new(Threads::Shared)?;
    let photos = frames(photos, count, &mut finder)?;
    let tests = frames(tests, TESTS, &mut finder)?;
    Ok((photos, tests.into_iter().map(Test).collect()))
}

/// `count` frames, from one clip after the other, at other moments each round.
fn frames(clips: &[PathBuf], count: usize, finder: &mut FaceFinder) -> Result<Vec<Reference>, Failure> {
    let mut found: Vec<Option<Reference>> = vec![None; count];
    for (index, clip) in clips.iter().enumerate() {
        let pictures = decode(clip)?;
        for slot in (index..count).step_by(clips.len()) {
            let share = ((slot * 7 + 5) % 11) as f64 / 11.0 + 0.5 / 11.0;
            let photo = pictures[(share * pictures.len() as f64) as usize].clone();
            let faces = finder.find_faces(&photo)?;
            if let Some(face) = FaceChoice::Largest.choose(&faces)? {
                found[slot] = Some(Reference { photo: Arc::new(photo), landmarks: face.landmarks.clone() });
            }
        }
    }
    if found.iter().any(Option::is_none) {
        return Err("a frame that was chosen shows no face".into());
    }
    Ok(found.into_iter().flatten().collect())
}

fn decode(clip: &Path) -> Result<Vec<RgbImage>, Failure> {
    let mut reader = ClipReader::open(clip, &ReadOptions::default())?;
    let (mut pictures, mut frame) = (Vec::new(), Frame::default());
    while reader.read(&mut frame)? {
        pictures.push(frame.image.clone());
    }
    Ok(pictures)
}

fn bilinear(picture: &RgbImage, at: Vector2<f32>) -> Rgb<u8> {
    let within = |position: f32, length: u32| (position - 0.5).clamp(0.0, (length - 1) as f32);
    let (x, y) = (within(at.x, picture.width()), within(at.y, picture.height()));
    let (left, top) = (x as u32, y as u32);
    let (right, bottom) = ((left + 1).min(picture.width() - 1), (top + 1).min(picture.height() - 1));
    let (across, down) = (x - left as f32, y - top as f32);
    let value = |x, y, channel: usize| f32::from(picture.get_pixel(x, y).0[channel]);
    Rgb(std::array::from_fn(|c| {
        let upper = value(left, top, c) * (1.0 - across) + value(right, top, c) * across;
        let lower = value(left, bottom, c) * (1.0 - across) + value(right, bottom, c) * across;
        (upper * (1.0 - down) + lower * down + 0.5) as u8
    }))
}
