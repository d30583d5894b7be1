//! What version 0.1 wrote stays readable.
//!
//! `fixtures/marked-0.1.jpg` is the Mona Lisa at 512 x 512, marked by that version's `Marker` for the portrait whose
//! only byte is 7, and written as JPEG by `ffmpeg -q:v 3`.

use gioconda_provenance::watermark::{AvatarId, Detector};

#[test]
fn a_mark_of_version_0_1_is_found() {
    let picture = image::load_from_memory(include_bytes!("fixtures/marked-0.1.jpg")).expect("a JPEG");
    let mut detector = Detector::new();
    detector.add(&picture.to_rgb8());
    let found = detector.glance().expect("a mark");
    assert_eq!(found.payload.avatar, AvatarId::of(&[7]));
}
