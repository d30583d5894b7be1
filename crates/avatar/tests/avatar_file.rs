//! Avatar files: what is written is read, and everything that can be wrong with one is named.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use gioconda_avatar::{Avatar, AvatarFile, Declaration, PersonalNetwork, Reference, Tuning};
use gioconda_face::HeadPose;
use gioconda_model::{GeneratorConfig, Preset, WeightHeader};
use gioconda_networks::{Device, Generator};
use gioconda_warp::LANDMARK_PICTURE_VERSION;
use image::RgbImage;
use nalgebra::{Rotation3, Vector3};
use safetensors::SafeTensors;
use safetensors::tensor::TensorView;

/// The canonical face in the middle of a picture of 200 x 200 pixels.
fn reference(shade: u8) -> Reference {
    let pose = HeadPose {
        scale: 5.0,
        rotation: Rotation3::identity(),
        translation: Vector3::new(100.0, -100.0, 0.0),
        residual: 0.0,
    };
    let photo = RgbImage::from_fn(200, 200, |x, y| image::Rgb([x as u8, y as u8, shade]));
    Reference { photo: Arc::new(photo), landmarks: pose.canonical_face() }
}

fn network(preset: Preset) -> PersonalNetwork {
    let mut config = Preset::Portrait.config();
    config.generator = GeneratorConfig { widths: vec![4, 4], residual_blocks: 1, ..config.generator };
    let generator = Generator::new(&config.generator, &Device::flex()).expect("sizes that fit").weights();
    let psi = (0..config.generator.psi_len()).map(|i| i as f32 * 0.01).collect();
    let embedding = vec![0.5; config.generator.embedding];
    let header = WeightHeader {
        preset,
        config,
        picture_version: LANDMARK_PICTURE_VERSION,
        composition: Some(gioconda_model::COMPOSITION_VERSION),
        training_data: "none".to_owned(),
        licence: "none".to_owned(),
    };
    PersonalNetwork { header, generator, embedding, psi, tuning: Tuning::Tuned { steps: 60 } }
}

fn avatar(network: Option<PersonalNetwork>) -> Avatar {
    let Reference { photo, landmarks } = reference(10);
    let others = vec![reference(20), reference(30)];
    Avatar { photo, landmarks, matte: None, warnings: Vec::new(), others, network: network.map(Arc::new) }
}

/// Changes metadata and tensors of a file.
type Change = fn(&mut HashMap<String, String>, &mut HashMap<String, Vec<u8>>);

struct Scratch {
    folder: tempfile::TempDir,
}

impl Scratch {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().expect("a temporary folder") }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("person.avatar")
    }

    fn written(&self, avatar: Avatar) -> Vec<u8> {
        AvatarFile::new(avatar, declaration()).write(&self.path()).expect("written");
        std::fs::read(self.path()).expect("just written")
    }
}

fn declaration() -> Declaration {
    Declaration { subject: Some("self".to_owned()), consent: Some("me, for tests".to_owned()) }
}

fn refusal(bytes: &[u8]) -> String {
    let error = AvatarFile::parse(Path::new("person.avatar"), bytes).expect_err("refused").to_string();
    assert!(error.contains("person.avatar") && !error.contains('\n'), "{error}");
    error
}

/// The file again, with its parts changed and its checksums as they were.
fn changed(
    bytes: &[u8],
    change: impl FnOnce(&mut HashMap<String, String>, &mut HashMap<String, Vec<u8>>),
) -> Vec<u8> {
    let (_, metadata) = SafeTensors::read_metadata(bytes).expect("an avatar file");
    let mut header = metadata.metadata().clone().expect("metadata");
    let file = SafeTensors::deserialize(bytes).expect("an avatar file");
    let mut data: HashMap<String, Vec<u8>> =
        file.iter().map(|(name, tensor)| (name.to_owned(), tensor.data().to_vec())).collect();
    change(&mut header, &mut data);
    let views = file.iter().filter_map(|(name, tensor)| {
        let data = data.get(name)?;
        Some((name, TensorView::new(tensor.dtype(), tensor.shape().to_vec(), data).expect("the same shape")))
    });
    safetensors::serialize(views, Some(header)).expect("a file")
}

#[test]
fn what_is_written_is_read() {
    let scratch = Scratch::new();
    scratch.written(avatar(Some(network(Preset::Portrait))));
    let AvatarFile { avatar: read, declaration: declared } = AvatarFile::read(&scratch.path()).expect("read");
    assert_eq!(declared, declaration());
    assert_eq!(*read.photo, *reference(10).photo);
    assert_eq!(read.landmarks, reference(10).landmarks);
    assert_eq!(read.others.len(), 2);
    // Of the other photos the head is kept, with its landmarks on the same pixels.
    let (other, whole) = (&read.others[1], reference(30));
    let (here, there) = (other.landmarks.xy(4), whole.landmarks.xy(4));
    assert!(other.photo.width() < 200);
    assert_eq!(
        other.photo.get_pixel(here.x as u32, here.y as u32),
        whole.photo.get_pixel(there.x as u32, there.y as u32)
    );
    let (network, written) = (read.network.expect("a network"), network(Preset::Portrait));
    assert_eq!(network.tuning, Tuning::Tuned { steps: 60 });
    assert_eq!((&network.psi, &network.embedding), (&written.psi, &written.embedding));
    assert_eq!(network.header, written.header);
}

#[test]
fn an_avatar_needs_no_network() {
    let scratch = Scratch::new();
    scratch.written(avatar(None));
    assert!(AvatarFile::read(&scratch.path()).expect("read").avatar.network.is_none());
}

#[test]
fn large_photos_are_made_smaller() {
    let mut large = avatar(None);
    large.photo = Arc::new(RgbImage::new(3840, 1000));
    let file = AvatarFile::new(large, Declaration::default());
    assert_eq!(file.avatar.photo.dimensions(), (1920, 500));
    assert!((file.avatar.landmarks.xy(4) - reference(0).landmarks.xy(4) * 0.5).norm() < 1e-3);
}

#[test]
fn the_first_mismatch_is_named() {
    let scratch = Scratch::new();
    let bytes = scratch.written(avatar(Some(network(Preset::Portrait))));
    for length in [0, 7, 100, bytes.len() / 2, bytes.len() - 1] {
        let message = refusal(&bytes[..length]);
        assert!(message.contains("avatar file"), "{length}: {message}");
    }
    let mut flipped = bytes.clone();
    *flipped.last_mut().expect("bytes") ^= 1;
    assert!(refusal(&flipped).contains("does not have the checksum it was written with"));

    let cases: [(Change, &str); 8] = [
        (
            |header, _| _ = header.insert("version".into(), "7".into()),
            "version 7, this program reads version 1",
        ),
        (|header, _| _ = header.insert("format".into(), "gioconda-motion".into()), "not an avatar file"),
        (|header, _| _ = header.insert("consent".into(), "nobody".into()), "`header`"),
        (|header, _| _ = header.remove("checksums"), "no checksums"),
        (|_, data| data.get_mut("psi").expect("ψ")[0] ^= 1, "`psi`"),
        (|_, data| data.get_mut("photo.1").expect("a photo")[50] ^= 1, "`photo.1`"),
        (|_, data| _ = data.remove("landmarks"), "`landmarks` is missing"),
        (
            |header, data| {
                header.insert("checksums".into(), "{}".into());
                data.clear();
            },
            "its header has no checksum",
        ),
    ];
    for (change, expected) in cases {
        let message = refusal(&changed(&bytes, change));
        assert!(message.contains(expected), "{message}\nshould name {expected}");
    }
}

#[test]
fn numbers_that_are_none_are_refused() {
    let scratch = Scratch::new();
    let mut broken = avatar(None);
    broken.others[0].landmarks.points[7].x = f32::NAN;
    let bytes = scratch.written(broken);
    assert!(refusal(&bytes).contains("`landmarks` holds NaN or infinity"));

    let mut nowhere = avatar(None);
    nowhere.landmarks = nowhere.landmarks.map(|p| p + Vector3::repeat(5000.0));
    assert!(refusal(&scratch.written(nowhere)).contains("`photo.0` are no face within it"));

    let mut infinite = network(Preset::Portrait);
    infinite.psi[3] = f32::INFINITY;
    assert!(refusal(&scratch.written(avatar(Some(infinite)))).contains("`psi` holds NaN or infinity"));
}

#[test]
fn networks_that_do_not_fit_are_refused() {
    let scratch = Scratch::new();
    let message = refusal(&scratch.written(avatar(Some(network(Preset::Paper)))));
    assert!(message.contains("made for preset paper"), "{message}");
    let mut short = network(Preset::Portrait);
    short.psi.pop();
    let message = refusal(&scratch.written(avatar(Some(short))));
    assert!(message.contains("`psi` has"), "{message}");
}
