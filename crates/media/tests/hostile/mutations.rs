//! Changes to the seeds of the fuzz targets.

use gioconda_media::fuzz;
use gioconda_testkit::{mutations, repository};
use std::cell::Cell;
use std::fs;
use std::time::{Duration, Instant};

/// Changed files of each seed, and how long a slow machine may take for all seeds.
const CHANGES: usize = 400;
const TIME: Duration = Duration::from_secs(8);

type Target = (&'static str, fn(&[u8]));
const TARGETS: [Target; 5] = [
    ("gif", fuzz::gif),
    ("mp4", fuzz::mp4),
    ("photo", fuzz::photo),
    ("sps", fuzz::sps),
    ("webp", fuzz::webp),
];

/// Reads every seed and as many changed ones as time allows; how many.
pub(crate) fn run() -> usize {
    let mut files = Vec::new();
    for (name, target) in TARGETS {
        let entries = fs::read_dir(repository("fuzz/seeds").join(name)).unwrap();
        let before = files.len();
        files.extend(entries.map(|entry| (target, fs::read(entry.unwrap().path()).unwrap())));
        assert!(files.len() > before, "{name} has no seeds");
    }
    let share = TIME / files.len() as u32;
    let tried = Cell::new(0);
    for (target, seed) in files {
        let began = Instant::now();
        mutations::each(&seed, CHANGES, |bytes| {
            if began.elapsed() < share {
                target(bytes);
                tried.set(tried.get() + 1);
            }
        });
    }
    tried.get()
}
