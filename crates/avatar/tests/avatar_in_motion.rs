//! From photos to an avatar file to a clip.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use gioconda_avatar::builtin_motions::BuiltinMotion;
use gioconda_avatar::{Avatar, AvatarFile, Declaration, Drive, Finish, Framing, Settings, animate};
use gioconda_face::{FaceChoice, FaceFinder, Threads};
use image::RgbImage;

fn settings() -> Settings {
    Settings::new(Drive::built_in(BuiltinMotion::find("smile").expect("a built-in motion")))
        .framing(Framing::Head { side: 128 })
        .part(Duration::ZERO, Some(Duration::from_millis(200)))
}

#[test]
fn photos_become_an_avatar_file_that_moves() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let shown = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../assets/mona_lisa.jpg");
    let photo = gioconda_media::photo::read(&shown).expect("the Mona Lisa").image;
    let near = image::imageops::crop_imm(&photo, 120, 60, 500, 500).to_image();
    let other = folder.path().join("near.png");
    gioconda_media::save_png(&other, &near).expect("written");
    let faceless = folder.path().join("faceless.png");
    gioconda_media::save_png(&faceless, &RgbImage::new(200, 200)).expect("written");

    let mut finder = FaceFinder::new(Threads::default()).expect("the models are compiled in");
    let avatar = Avatar::from_photos(&[&shown, &other], FaceChoice::Largest, &mut finder).expect("faces");
    let file = folder.path().join("mona.avatar");
    AvatarFile::new(avatar, Declaration::default()).write(&file).expect("written");
    let read = AvatarFile::read(&file).expect("read").avatar;
    assert_eq!(read.others.len(), 1);
    assert!(Arc::strong_count(&read.photo) == 1 && *read.photo == photo);
    let output = folder.path().join("frames");
    let summary = animate(&read, &settings(), &output, Finish::default(), &|_| {}, &AtomicBool::new(false))
        .expect("an animation");
    assert_eq!((summary.frames, summary.size), (5, (128, 128)));

    let refused = Avatar::from_photos(&[&shown, &faceless], FaceChoice::Largest, &mut finder);
    let message = refused.expect_err("a photo without a face").to_string();
    assert!(message.contains("faceless.png: no face"), "{message}");
}
