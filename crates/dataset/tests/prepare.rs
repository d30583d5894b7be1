//! Preparing small clips of the Mona Lisa: what comes out, how a job is stopped and resumed, and everything that can
//! be wrong with a source or a data folder.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use gioconda_dataset::{Dataset, Error, FORMAT_VERSION, MIN_FRAMES, Part, Settings, Summary, prepare};
use gioconda_media::{ClipWriter, WriteOptions, photo, resize};
use gioconda_testkit::{repository, shared};
use image::RgbImage;
use image::imageops::{crop_imm, flip_horizontal};

const SIZE: u32 = 96;
const FRAMES: u32 = 14;

/// Writes a clip in which the head sways, `sway` pixels of the photo a frame; from frame `cut` on the picture is
/// mirrored and dark, as after a scene change.
fn film(path: &Path, frames: u32, cut: u32, sway: f64) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let photo = photo::read(&repository("assets/mona_lisa.jpg")).unwrap().image;
    let options = WriteOptions { width: 256, height: 256, fps: 25.0, sound: None, alpha: false };
    let mut writer = ClipWriter::create(path, &options).unwrap();
    for frame in 0..frames {
        let shift = (f64::from(frame) * 0.7).sin() * sway;
        let mut picture =
            resize(&crop_imm(&photo, (160.0 + shift) as u32, 90, 420, 420).to_image(), 256, 256);
        if frame >= cut {
            picture = flip_horizontal(&picture);
            picture.iter_mut().for_each(|value| *value /= 2);
        }
        writer.write(&picture).unwrap();
    }
    writer.finish().unwrap();
}

/// Two people with three good clips, one of them with a scene change, and four bad ones.
fn source(folder: &Path) -> PathBuf {
    let source = folder.join("clips");
    film(&source.join("lisa/one/00001.mp4"), FRAMES, u32::MAX, 12.0);
    film(&source.join("lisa/one/00002.mp4"), 2 * FRAMES, FRAMES, 12.0);
    film(&source.join("solo.mp4"), FRAMES, u32::MAX, 12.0);
    film(&source.join("still/one.mp4"), 1, u32::MAX, 0.0);
    film(&source.join("still/frozen.mp4"), FRAMES, u32::MAX, 0.0);
    fs::write(source.join("still/page.mp4"), "<html>not found</html>").unwrap();
    let whole = fs::read(source.join("solo.mp4")).unwrap();
    fs::write(source.join("still/torn.mp4"), &whole[..whole.len() / 3]).unwrap();
    source
}

fn settings(workers: usize, part: Part) -> Settings {
    Settings { size: SIZE, workers, part }
}

fn run(source: &Path, output: &Path, settings: &Settings) -> Result<Summary, Error> {
    prepare(source, output, settings, &|_| {}, &AtomicBool::new(false))
}

/// A frame's number in its clip, its picture, and the tip of its nose.
type FrameContent = (u32, Vec<u8>, [f32; 3]);

/// Everything a reader sees: names, descriptors, landmarks and pictures.
fn content(folder: &Path) -> Vec<(String, Vec<FrameContent>)> {
    let dataset = Dataset::open(folder).unwrap();
    let read = |(index, video): (usize, &gioconda_dataset::Video)| {
        let frames = (0..video.frames).map(|frame| {
            let sample = dataset.read(index, frame).unwrap();
            let nose = sample.landmarks.points[1];
            (sample.descriptor.source_frame, sample.frame.into_raw(), [nose.x, nose.y, nose.z])
        });
        (format!("{}/{}", video.person, video.name), frames.collect())
    };
    dataset.videos().iter().enumerate().map(read).collect()
}

#[test]
fn clips_become_videos_whoever_prepares_them() {
    let folder = tempfile::tempdir().unwrap();
    let source = source(folder.path());
    let output = folder.path().join("data");
    let summary = run(&source, &output, &settings(2, Part::WHOLE)).unwrap();
    let prepared = &summary.prepared;
    assert_eq!((prepared.clips, prepared.people, prepared.videos), (7, 2, 4), "{prepared:#?}");
    assert_eq!(prepared.people_with_one_video, 1);
    let rejected: Vec<(&str, &str)> =
        prepared.rejected.iter().map(|clip| (&*clip.clip, &*clip.reasons[0])).collect();
    for (clip, told) in [
        ("still/frozen.mp4", "near-duplicates"),
        ("still/one.mp4", "only 1 of 1 frames"),
        ("still/page.mp4", "neither a picture nor a clip"),
        ("still/torn.mp4", ""),
    ] {
        assert!(rejected.iter().any(|(name, reason)| *name == clip && reason.contains(told)), "{rejected:?}");
    }
    let report = fs::read_to_string(&summary.report).unwrap();
    assert!(report.contains("still/page.mp4"), "{report}");
    let page = fs::read_to_string(summary.contact_sheet.unwrap()).unwrap();
    assert_eq!(page.matches("<img ").count(), 4 * 8);
    assert!(page.contains("still/frozen.mp4") && !page.contains("src=\"http"));

    let dataset = Dataset::open(&output).unwrap();
    let names: Vec<&str> = dataset.videos().iter().map(|video| &*video.name).collect();
    assert_eq!(names, ["one/00001.mp4", "one/00002.mp4", "one/00002.mp4#2", "solo.mp4"]);
    for (index, video) in dataset.videos().iter().enumerate() {
        check_video(&dataset, index, video.frames);
    }
    let second = &dataset.descriptors(2).unwrap()[0];
    assert!(second.source_frame >= FRAMES, "the second shot begins after the cut: {}", second.source_frame);

    let expected = content(&output);
    let alone = folder.path().join("alone");
    run(&source, &alone, &settings(1, Part::WHOLE)).unwrap();
    assert!(content(&alone) == expected, "one worker makes the same data");
    let parts = folder.path().join("parts");
    for index in 1..=3 {
        run(&source, &parts, &settings(1, Part::new(index, 3).unwrap())).unwrap();
    }
    assert!(content(&parts) == expected, "three jobs make the same data");
}

/// Every frame of a video reads, has its face inside the crop, and fits its descriptor.
fn check_video(dataset: &Dataset, index: usize, frames: usize) {
    assert!(frames >= MIN_FRAMES);
    let descriptors = dataset.descriptors(index).unwrap();
    assert_eq!(descriptors.len(), frames);
    assert!(descriptors.windows(2).all(|pair| pair[0].source_frame < pair[1].source_frame));
    for (frame, descriptor) in descriptors.iter().enumerate() {
        let sample = dataset.read(index, frame).unwrap();
        assert_eq!(sample.frame.dimensions(), (SIZE, SIZE));
        assert_eq!(&sample.descriptor, descriptor);
        let (low, high) = sample.landmarks.bounds();
        let face = (high - low).max() / SIZE as f32;
        assert!((0.5..0.9).contains(&face), "the crop is 1.5 faces wide: {face}");
        assert!(low.min() > -3.0 && high.max() < SIZE as f32 + 3.0, "{low} {high}");
        let apart = (sample.landmarks.xy(10) / SIZE as f32 - descriptor.points[0]).norm();
        assert!(apart < 1e-3 && descriptor.presence > 0.5, "{descriptor:?}");
    }
}

#[test]
fn a_job_that_was_stopped_or_killed_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let source = source(folder.path());
    let expected = folder.path().join("expected");
    run(&source, &expected, &settings(1, Part::WHOLE)).unwrap();

    let output = folder.path().join("data");
    let cancel = AtomicBool::new(false);
    let stop = |progress: gioconda_dataset::Progress| {
        if progress.clips_done == 1 && progress.frames > FRAMES as usize + 3 {
            cancel.store(true, Ordering::Relaxed);
        }
    };
    let stopped = prepare(&source, &output, &settings(1, Part::WHOLE), &stop, &cancel);
    assert!(matches!(stopped, Err(Error::Cancelled { done: 1, clips: 7 })), "{stopped:?}");
    let half = Dataset::open(&output).unwrap_err().to_string();
    assert!(half.contains("stopped after 1 clips") && half.contains("again to finish"), "{half}");

    // What a kill in the middle of a write leaves: torn ends everywhere, and a shard nothing was finished in.
    for name in ["part-0001-of-0001.jsonl", "part-0001-of-0001.frames", "part-0001-of-0001-00000.tar"] {
        let mut file = OpenOptions::new().append(true).open(output.join(name)).unwrap();
        file.write_all(b"{\"crc32\":\"half a li").unwrap();
    }
    fs::write(output.join("part-0001-of-0001-00001.tar"), [1; 700]).unwrap();
    let resumed = run(&source, &output, &settings(2, Part::WHOLE)).unwrap();
    assert_eq!(resumed.resumed_clips, 1);
    assert!(content(&output) == content(&expected));

    // Once more: only what could not be read is tried again.
    let again = run(&source, &output, &settings(2, Part::WHOLE)).unwrap();
    assert_eq!((again.resumed_clips, again.frames_followed), (5, 0));
    film(&source.join("late/new.mp4"), FRAMES, u32::MAX, 12.0);
    let more = run(&source, &output, &settings(1, Part::WHOLE)).unwrap();
    assert_eq!((more.prepared.clips, more.prepared.videos), (8, 5));
    assert_eq!(Dataset::open(&output).unwrap().videos().len(), 5);
}

#[test]
fn folders_that_do_not_fit_are_refused_in_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let source = folder.path().join("clips");
    film(&source.join("solo.mp4"), FRAMES, u32::MAX, 12.0);
    let output = folder.path().join("data");
    run(&source, &output, &settings(1, Part::WHOLE)).unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    let empty = folder.path().join("empty");
    fs::create_dir(&empty).unwrap();
    let other_size = Settings { size: 64, ..settings(1, Part::WHOLE) };
    let half = settings(1, Part::new(1, 2).unwrap());
    let cases = [
        ("no clips", run(&empty, &output, &settings(1, Part::WHOLE)), "holds no clips"),
        ("no source", run(&folder.path().join("gone"), &output, &settings(1, Part::WHOLE)), "cannot be read"),
        ("output is a file", run(&source, &file, &settings(1, Part::WHOLE)), "cannot be written"),
        ("another size", run(&source, &output, &other_size), "crops of 96 pixels, not 64"),
        ("other parts", run(&source, &output, &half), "in 1 part, not 2"),
    ];
    for (case, result, told) in cases {
        let error = result.unwrap_err().to_string();
        assert!(error.contains(told) && !error.contains('\n'), "{case}: {error}");
    }

    let journal = output.join("part-0001-of-0001.jsonl");
    let lock = fs::File::open(&journal).unwrap();
    lock.lock().unwrap();
    let error = run(&source, &output, &settings(1, Part::WHOLE)).unwrap_err();
    assert!(matches!(error, Error::Locked { .. }), "{error}");
    drop(lock);

    let blank = folder.path().join("blank");
    let wall = RgbImage::from_pixel(128, 128, image::Rgb([90, 90, 90]));
    let options = WriteOptions { width: 128, height: 128, fps: 25.0, sound: None, alpha: false };
    let mut writer = ClipWriter::create(&empty.join("wall.mp4"), &options).unwrap();
    (0..12).for_each(|_| writer.write(&wall).unwrap());
    writer.finish().unwrap();
    let error = run(&empty, &blank, &settings(1, Part::WHOLE)).unwrap_err().to_string();
    assert!(
        error.contains("no clip of this data was usable") && blank.join("report.json").exists(),
        "{error}"
    );
}

#[test]
fn damaged_data_is_named_and_never_returned() {
    let folder = tempfile::tempdir().unwrap();
    let source = folder.path().join("clips");
    film(&source.join("solo.mp4"), FRAMES, u32::MAX, 12.0);
    let output = folder.path().join("data");
    run(&source, &output, &settings(1, Part::WHOLE)).unwrap();
    let damage = |name: &str, change: &dyn Fn(&mut Vec<u8>)| {
        let path = output.join(name);
        let whole = fs::read(&path).unwrap();
        let mut bytes = whole.clone();
        change(&mut bytes);
        fs::write(&path, bytes).unwrap();
        let error =
            Dataset::open(&output).and_then(|data| data.read(0, 3).map(|_| data)).unwrap_err().to_string();
        fs::write(&path, whole).unwrap();
        assert!(error.contains(name) && !error.contains('\n'), "{error}");
        error
    };
    let (journal, frames, shard) =
        ("part-0001-of-0001.jsonl", "part-0001-of-0001.frames", "part-0001-of-0001-00000.tar");
    assert!(damage(journal, &|bytes| bytes[90] ^= 1).contains("damaged"));
    assert!(damage(journal, &|bytes| bytes.truncate(bytes.len() - 5)).contains("stopped after 1 clips"));
    assert!(damage(frames, &|bytes| bytes.truncate(300)).contains("300 bytes"));
    assert!(damage(frames, &|bytes| bytes[3 * 256 + 40] ^= 1).contains("checksum"));
    assert!(damage(shard, &|bytes| bytes.truncate(2000)).contains("2000 bytes"));
    assert!(damage(shard, &|bytes| bytes.iter_mut().for_each(|byte| *byte ^= 1)).contains("checksum"));
    let dataset = Dataset::open(&output).unwrap();
    for (video, frame) in [(1, 0), (0, usize::MAX), (usize::MAX, 0)] {
        assert!(matches!(dataset.read(video, frame), Err(Error::NoSuchFrame { .. })));
    }
    assert!(dataset.descriptors(1).is_err());

    let text = fs::read_to_string(output.join(journal)).unwrap();
    let record = text.lines().next().unwrap().split_once("\"record\":").unwrap().1;
    let record = record.strip_suffix('}').unwrap();
    let newer = record
        .replace(&format!("\"version\":{FORMAT_VERSION}"), &format!("\"version\":{}", FORMAT_VERSION + 1));
    let line = format!("{{\"crc32\":\"{:08x}\",\"record\":{newer}}}\n", crc32fast::hash(newer.as_bytes()));
    fs::write(output.join(journal), line).unwrap();
    for error in
        [Dataset::open(&output).unwrap_err(), run(&source, &output, &settings(1, Part::WHOLE)).unwrap_err()]
    {
        assert!(matches!(error, Error::Version { .. }), "{error}");
    }
    fs::remove_file(output.join(journal)).unwrap();
    assert!(matches!(Dataset::open(&output), Err(Error::NotPrepared { .. })));
}

#[test]
fn a_missing_part_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let source = folder.path().join("clips");
    film(&source.join("solo.mp4"), FRAMES, u32::MAX, 12.0);
    let output = folder.path().join("data");
    let owner = (1..=2).map(|index| Part::new(index, 2).unwrap());
    let mut summaries = owner.map(|part| (part, run(&source, &output, &settings(1, part)).unwrap()));
    let (_, first) = summaries.next().unwrap();
    assert!(first.contact_sheet.is_none(), "one of two jobs is not the whole");
    let error = Dataset::open(&output).unwrap_err().to_string();
    assert!(error.contains("part 2 of 2 is missing"), "{error}");
    let (_, second) = summaries.next().unwrap();
    assert!(second.contact_sheet.is_some());
    assert_eq!(first.prepared.videos + second.prepared.videos, 1);
}

#[test]
fn real_clips_give_most_of_their_frames() {
    let Some(clip) = shared("data/val/video-retalking_5") else { return };
    let file = fs::read_dir(&clip).unwrap().next().expect("the person has a clip").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let source = folder.path().join("clips");
    fs::create_dir(&source).unwrap();
    fs::copy(file.path(), source.join("person.mp4")).unwrap();
    let summary = run(&source, &folder.path().join("data"), &settings(1, Part::WHOLE)).unwrap();
    let prepared = &summary.prepared;
    assert!(prepared.frames * 10 > prepared.frames_decoded * 8, "{prepared:#?}");
}
