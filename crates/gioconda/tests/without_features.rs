//! The program built without its default features: it animates with the mesh, and says what it was built without.
//!
//!     cargo test -p gioconda --no-default-features --test without_features

#![cfg(not(any(feature = "portrait-network", feature = "studio", feature = "train")))]

mod program;

use program::{BRIEF, Scratch};

#[test]
fn the_mesh_paints_where_nothing_else_is_asked_for() {
    let scratch = Scratch::new();
    scratch.succeed(&format!("animate mona.jpg -o free --no-provenance {BRIEF}"));
    scratch.succeed(&format!("animate mona.jpg -o mesh --renderer mesh --no-provenance {BRIEF}"));
    let ((_, free), (_, mesh)) = (scratch.read("free"), scratch.read("mesh"));
    assert!(free == mesh && free.len() == 10);
    assert!(!scratch.succeed("models").stdout.contains("portrait"), "it is not inside");
}

#[test]
fn what_it_paints_is_signed_without_the_network_and_verified() {
    let scratch = Scratch::new();
    scratch.succeed("animate mona.jpg --crop --size 512 --duration 1 -o clip.mp4 --subject artwork");
    let found = scratch.succeed("verify --json clip.mp4").stdout;
    assert!(found.contains("\"verdict\": \"marked\"") && !found.contains("\"portrait\""), "{found}");
}

#[test]
fn avatars_are_made_for_the_mesh() {
    let scratch = Scratch::new();
    let run = scratch.succeed("learn mona.jpg -o mona.avatar");
    assert!(run.stderr.contains("without the portrait network"), "{}", run.stderr);
    assert!(run.stderr.contains("network: none"), "{}", run.stderr);
    scratch.succeed(&format!("animate mona.avatar -o out.mp4 {BRIEF}"));
}

#[test]
fn a_weight_file_brings_the_network() {
    let scratch = Scratch::new();
    let weights = program::workspace("models/portrait.safetensors");
    let weights = weights.display();
    scratch.succeed(&format!("animate mona.jpg -o mesh --no-provenance {BRIEF}"));
    scratch.succeed(&format!("animate mona.jpg -o photo --weights {weights} --no-provenance {BRIEF}"));
    let run = scratch.succeed(&format!("learn mona.jpg -o mona.avatar --weights {weights}"));
    assert!(run.stderr.contains("network: feed-forward"), "{}", run.stderr);
    scratch.succeed(&format!("animate mona.avatar -o avatar --no-provenance {BRIEF}"));
    let [(_, mesh), (_, photo), (_, avatar)] = ["mesh", "photo", "avatar"].map(|folder| scratch.read(folder));
    assert!(photo != mesh && avatar != mesh, "the network changes nothing");
}

#[test]
fn what_it_lacks_is_named() {
    let scratch = Scratch::new();
    for (arguments, code, told) in [
        (format!("animate mona.jpg -o out.mp4 --renderer neural {BRIEF}"), 1, "name a weight file"),
        ("learn mona.jpg -o a.avatar --steps 5".to_owned(), 2, "`train`"),
        ("studio".to_owned(), 2, "studio"),
        ("train".to_owned(), 2, "train"),
    ] {
        let run = scratch.run(&arguments);
        assert!(run.only_error(code).contains(told), "gioconda {arguments}\n{}", run.stderr);
    }
    assert_eq!(scratch.names(""), ["mona.jpg"]);
}
