//! The tracker keeps the face in real clips of people that nothing here was tuned on.

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use gioconda_face::{FaceChoice, Threads, Tracker};
use gioconda_media::{ClipReader, Frame, ReadOptions};

struct Row {
    clip: PathBuf,
    frames: usize,
    tracked: usize,
    redetected: usize,
}

fn track_every_second_frame(clip: &Path) -> Row {
    let mut reader = ClipReader::open(clip, &ReadOptions::default()).unwrap();
    let mut tracker = Tracker::new(FaceChoice::Largest, Threads::Count(1)).unwrap();
    let mut row = Row { clip: clip.to_owned(), frames: 0, tracked: 0, redetected: 0 };
    let mut frame = Frame::default();
    let mut index = 0;
    while reader.read(&mut frame).unwrap() {
        if index % 2 == 0 {
            let face = tracker.track(&frame.image).unwrap();
            row.frames += 1;
            row.tracked += usize::from(face.is_some());
            row.redetected += usize::from(face.is_some_and(|face| face.redetected));
        }
        index += 1;
    }
    row
}

/// Every second frame, which is harder than every frame: faces move twice as far. One thread per clip, two clips at
/// a time.
#[test]
fn every_second_frame_of_the_validation_clips_is_tracked() {
    let clips = gioconda_testkit::clips("data/val");
    if clips.is_empty() {
        return;
    }
    let (next, rows) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while let Some(clip) = clips.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let row = track_every_second_frame(clip);
                    rows.lock().unwrap().push(row);
                }
            });
        }
    });
    let mut rows = rows.into_inner().unwrap();
    rows.sort_by(|a, b| a.clip.cmp(&b.clip));
    println!("{:<60} {:>7} {:>8} {:>11}", "clip", "frames", "tracked", "redetected");
    for row in &rows {
        let name = row.clip.iter().rev().take(2).map(|part| part.to_string_lossy()).collect::<Vec<_>>();
        println!("{:<60} {:>7} {:>8} {:>11}", name[1], row.frames, row.tracked, row.redetected);
    }
    let (frames, tracked) = rows.iter().fold((0, 0), |(f, t), row| (f + row.frames, t + row.tracked));
    println!("{tracked} of {frames} frames tracked: {:.2} %", 100.0 * tracked as f32 / frames as f32);
    assert!(tracked as f32 >= 0.99 * frames as f32);
}
