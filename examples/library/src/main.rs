//! A photo becomes a film, and then follows a camera: here that camera is the film itself.
//!
//!     cargo run --manifest-path examples/library/Cargo.toml -- assets/mona_lisa.jpg mona.mp4

use std::error::Error;
use std::time::Duration;

use gioconda_portrait::verification::{Search, Verdict, verify};
use gioconda_portrait::{Drive, Framing, Live, Look, Portrait, Subject};

fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [photo, film] = &words[..] else {
        return Err("usage: portrait-library-example PHOTO FILM.mp4".into());
    };
    let portrait = Portrait::open(photo)?;
    let summary = portrait
        .film(Drive::find("talk")?)
        .settings(|settings| {
            settings.framing(Framing::Head { side: 320 }).part(Duration::ZERO, Some(Duration::from_secs(2)))
        })
        .subject(Subject::Artwork)
        .write(film)?;
    println!("{film}: {} frames of {:?} pixels in {:.1} s", summary.frames, summary.size, summary.seconds);

    let found = verify(film.as_ref(), film, Search::Sampled)?;
    println!("{}", found.sentence);
    assert_eq!(found.verdict, Verdict::Marked);

    let camera = image::open(photo)?.to_rgb8();
    let mut live = Live::new(&portrait, Look::default().size(256))?;
    for _ in 0..3 {
        let frame: &image::RgbImage = live.follow(&camera, 1.0 / 25.0)?;
        assert_eq!(frame.dimensions(), (256, 256));
    }
    Ok(())
}
