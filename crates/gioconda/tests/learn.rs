//! `gioconda learn` and what `animate` makes of its files.

mod program;

use std::fs;

use image::RgbImage;
use program::{BRIEF, Scratch, landscape};

/// A folder with `mona.jpg` and two more photos of her: nearer, and turned to grey.
fn photos() -> Scratch {
    let scratch = Scratch::new();
    let photo = scratch.photo();
    let near = image::imageops::crop_imm(&photo, 120, 60, 500, 500).to_image();
    scratch.save("near.png", &near);
    scratch.save("grey.png", &RgbImage::from_fn(500, 500, |x, y| image::Rgb([near.get_pixel(x, y)[1]; 3])));
    scratch
}

#[test]
fn several_photos_become_one_avatar_that_moves() {
    let scratch = photos();
    let run =
        scratch.succeed("learn mona.jpg near.png grey.png -o mona.avatar --consent me --json --no-network");
    assert!(
        run.stdout.contains("\"photos\": 3") && run.stdout.contains("\"network\": \"none\""),
        "{}",
        run.stdout
    );
    scratch.succeed(&format!("animate mona.avatar -o out.mp4 {BRIEF}"));
    let (info, frames) = scratch.read("out.mp4");
    assert_eq!((info.width, info.height, frames.len()), (256, 256, 10));
    // Without a name, outputs are named after what they are made of.
    let run = scratch.succeed("learn near.png");
    assert!(
        run.stderr.contains("left untuned") && run.stderr.contains("network: feed-forward"),
        "{}",
        run.stderr
    );
    scratch.succeed(&format!("animate near.avatar {BRIEF}"));
    assert!(scratch.path("near.mp4").exists());
}

#[test]
fn one_photo_makes_the_same_frames_as_its_avatar() {
    let scratch = photos();
    scratch.succeed("learn mona.jpg -o mona.avatar");
    scratch.succeed(&format!("animate mona.jpg -o photo --format png --no-provenance {BRIEF}"));
    scratch.succeed(&format!("animate mona.avatar -o avatar --format png --no-provenance {BRIEF}"));
    let names = scratch.names("photo");
    assert_eq!(names, scratch.names("avatar"));
    for name in names {
        let [a, b] =
            ["photo", "avatar"].map(|folder| fs::read(scratch.path(folder).join(&name)).expect("a PNG"));
        assert!(a == b, "{name} differs");
    }
}

#[test]
fn what_cannot_be_learned_leaves_nothing_behind() {
    let scratch = photos();
    scratch.save("flat.png", &RgbImage::from_pixel(300, 300, image::Rgb([90, 90, 90])));
    scratch.save("landscape.png", &landscape(640, 400));
    fs::write(scratch.path("text.jpg"), "no picture").expect("written");
    fs::write(scratch.path("bad.safetensors"), "no weights").expect("written");
    scratch.paint_two_faces();
    let many = "mona.jpg ".repeat(33);
    let cases = [
        ("learn flat.png -o a.avatar", 1, "flat.png: no face"),
        ("learn mona.jpg landscape.png -o a.avatar", 1, "landscape.png: no face"),
        ("learn text.jpg -o a.avatar", 1, "text.jpg"),
        ("learn missing.jpg -o a.avatar", 1, "missing.jpg"),
        ("learn two.png -o a.avatar", 1, "--face"),
        ("learn mona.jpg -o a.mp4", 2, "ends in .avatar"),
        ("learn mona.jpg -o nowhere/a.avatar", 1, "nowhere"),
        (
            "learn mona.jpg -o a.avatar --weights bad.safetensors",
            1,
            "bad.safetensors: not a usable weight file",
        ),
        ("learn mona.jpg -o a.avatar --weights missing.safetensors", 1, "missing.safetensors"),
        ("learn mona.jpg -o a.avatar --steps 10 --no-network", 2, "--no-network"),
        ("animate mona.jpg --weights bad.safetensors -o out.mp4", 1, "not a usable weight file"),
        ("animate mona.jpg --renderer mesh --weights bad.safetensors -o out.mp4", 2, "choose one"),
    ];
    let many = [(format!("learn {many} -o a.avatar"), 2, "32")];
    let cases = cases.map(|(arguments, code, told)| (arguments.to_owned(), code, told));
    let before = scratch.names("");
    for (arguments, code, told) in cases.into_iter().chain(many) {
        let run = scratch.run(&arguments);
        let error = run.only_error(code);
        // Wrong usage is explained over several lines by the argument parser.
        let said = if code == 2 { run.stderr.as_str() } else { error };
        assert!(said.contains(told), "gioconda {arguments}\n{said}\ndoes not speak of {told:?}");
        assert_eq!(scratch.names(""), before, "gioconda {arguments}\nleft something behind");
    }
}

#[test]
fn avatar_files_that_are_none_are_refused() {
    let scratch = photos();
    scratch.succeed("learn near.png -o near.avatar");
    let bytes = fs::read(scratch.path("near.avatar")).expect("an avatar");
    fs::write(scratch.path("half.avatar"), &bytes[..bytes.len() / 2]).expect("written");
    let mut flipped = bytes.clone();
    let last = flipped.len() - 1;
    flipped[last] ^= 1;
    fs::write(scratch.path("flipped.avatar"), flipped).expect("written");
    fs::copy(scratch.path("mona.jpg"), scratch.path("photo.avatar")).expect("copied");
    for (name, told) in [
        ("half.avatar", "avatar file"),
        ("flipped.avatar", "checksum"),
        ("photo.avatar", "not an avatar file"),
        ("missing.avatar", "cannot be read"),
    ] {
        let run = scratch.run(&format!("animate {name} -o out.mp4 {BRIEF}"));
        let error = run.only_error(1);
        assert!(error.contains(told) && error.contains(name), "{error}\ndoes not speak of {told:?}");
        assert!(!scratch.path("out.mp4").exists());
    }
}
