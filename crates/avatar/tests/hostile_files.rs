//! Forged avatar and motion files: checksums fit, numbers do not. Each is refused in one line, before
//! memory is taken for what it only promises.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;
use std::path::Path;

use gioconda_avatar::{AvatarFile, Declaration, Motion, MotionFrame, fuzz_avatar, fuzz_motion};
use gioconda_face::{HeadPose, LANDMARKS};
use gioconda_testkit::mutations;
use image::codecs::png::PngEncoder;
use image::{ExtendedColorType, ImageEncoder as _};
use nalgebra::{Rotation3, Vector3};
use safetensors::Dtype;
use safetensors::tensor::TensorView;
use sha2::{Digest as _, Sha256};

/// Type, shape and bytes of a tensor.
type Tensor = (Dtype, Vec<usize>, Vec<u8>);

/// A file's metadata and tensors, to be changed and then written with fitting checksums.
#[derive(Clone)]
struct Forged {
    header: BTreeMap<String, String>,
    tensors: BTreeMap<String, Tensor>,
}

impl Forged {
    /// An avatar without a network: one photo of 100 x 100 pixels, filled by the canonical face.
    fn avatar() -> Self {
        let entries = [
            ("format", "gioconda-avatar"),
            ("version", "1"),
            ("landmark_picture_version", "1"),
            ("tuning", "none"),
        ];
        let header = entries.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let mut forged = Self { header: header.into(), tensors: BTreeMap::new() };
        forged.set_photo(0, png(100, 100));
        forged.set_landmarks(1, |point| point);
        forged
    }

    fn set_photo(&mut self, index: usize, png: Vec<u8>) {
        self.tensors.insert(format!("photo.{index}"), (Dtype::U8, vec![png.len()], png));
    }

    /// The same face in each of `photos`, its points changed.
    fn set_landmarks(&mut self, photos: usize, change: impl Fn(Vector3<f32>) -> Vector3<f32>) {
        let face = face().map(change);
        let numbers = (0..photos).flat_map(|_| face).flat_map(|point| [point.x, point.y, point.z]);
        let bytes = numbers.flat_map(f32::to_le_bytes).collect();
        self.tensors.insert("landmarks".to_owned(), (Dtype::F32, vec![photos, LANDMARKS, 3], bytes));
    }

    /// The file, with checksums where it is an avatar's.
    fn bytes(&self) -> Vec<u8> {
        let mut header = self.header.clone();
        if header["format"] == "gioconda-avatar" {
            let text = header.iter().fold(String::new(), |mut text, (name, value)| {
                write!(text, "{}:{name}{}:{value}", name.len(), value.len()).expect("a text");
                text
            });
            let sums = self.tensors.iter().map(|(name, (_, _, bytes))| (name.as_str(), sha256(bytes)));
            let sums: BTreeMap<_, _> = sums.chain([("header", sha256(text.as_bytes()))]).collect();
            header.insert("checksums".to_owned(), serde_json::to_string(&sums).expect("texts"));
        }
        let views = self.tensors.iter().map(|(name, (dtype, shape, bytes))| {
            (name, TensorView::new(*dtype, shape.clone(), bytes).expect("as many bytes as the shape says"))
        });
        safetensors::serialize(views, Some(header.into_iter().collect::<HashMap<_, _>>())).expect("a file")
    }
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

/// The canonical face in the middle of a picture of 100 x 100 pixels.
fn face() -> [Vector3<f32>; LANDMARKS] {
    let pose = HeadPose {
        scale: 2.5,
        rotation: Rotation3::identity(),
        translation: Vector3::new(50.0, -50.0, 0.0),
        residual: 0.0,
    };
    pose.canonical_face().points
}

fn png(width: u32, height: u32) -> Vec<u8> {
    let mut png = Vec::new();
    let pixels = vec![90; (width * height) as usize];
    PngEncoder::new(&mut png).write_image(&pixels, width, height, ExtendedColorType::L8).expect("a picture");
    png
}

/// The beginning of a PNG of this size: enough for whoever asks for the size, and a failure for whoever decodes it.
fn promised_png(width: u32, height: u32) -> Vec<u8> {
    let mut png = b"\x89PNG\r\n\x1a\n".to_vec();
    let size = [width.to_be_bytes(), height.to_be_bytes()].concat();
    for (kind, content) in [(b"IHDR", [&size[..], &[8, 0, 0, 0, 0]].concat()), (b"IDAT", vec![0x78, 0x9c])] {
        png.extend((content.len() as u32).to_be_bytes());
        let checked = [&kind[..], &content].concat();
        png.extend(&checked);
        png.extend(crc32(&checked).to_be_bytes());
    }
    png
}

/// PNG's checksum (RFC 2083, 15).
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |sum, byte| {
        (0..8).fold(
            sum ^ u32::from(*byte),
            |sum, _| if sum & 1 == 1 { (sum >> 1) ^ 0xedb8_8320 } else { sum >> 1 },
        )
    })
}

fn refusal(bytes: &[u8]) -> String {
    let error = AvatarFile::parse(Path::new("person.avatar"), bytes).expect_err("refused").to_string();
    assert!(error.starts_with("person.avatar: ") && !error.contains('\n'), "{error}");
    error
}

#[test]
fn photos_obey_the_rules_of_photos() {
    let read = AvatarFile::parse(Path::new("person.avatar"), &Forged::avatar().bytes()).expect("a good file");
    assert_eq!(read.avatar.photo.dimensions(), (100, 100));
    let cases: [(Vec<u8>, &str); 7] = [
        (png(1, 20_000), "`photo.0` has 1x20000 pixels"),
        (promised_png(1, 2_000_000), "`photo.0` has 1x2000000 pixels"),
        (png(63, 63), "each side needs at least 64"),
        (png(64, 1500), "a strip longer than 20 times its width"),
        (promised_png(8000, 8000), "more than 50 megapixels"),
        (promised_png(0x7fff_ffff, 0x7fff_ffff), "`photo.0`"),
        (promised_png(0, 100), "`photo.0`"),
    ];
    for (photo, told) in cases {
        let mut forged = Forged::avatar();
        forged.set_photo(0, photo);
        let error = refusal(&forged.bytes());
        assert!(error.contains(told), "{error}");
    }
}

#[test]
fn all_photos_together_have_a_budget() {
    // Each is a fine photo; together they would take 187 MB, and one of them is none.
    let mut forged = Forged::avatar();
    forged.set_landmarks(32, |point| point);
    (1..32).for_each(|index| forged.set_photo(index, promised_png(1420, 1420)));
    assert!(refusal(&forged.bytes()).contains("more than 50 megapixels in all"));
    for (photo, told) in [
        (promised_png(1, 640), "`photo.1` has 1x640 pixels"),
        (promised_png(15, 15), "each side needs at least 16"),
        (promised_png(640, 20), "a strip"),
        (b"GIF89a".to_vec(), "`photo.1` is no picture"),
    ] {
        let mut forged = Forged::avatar();
        forged.set_landmarks(2, |point| point);
        forged.set_photo(1, photo);
        let error = refusal(&forged.bytes());
        assert!(error.contains(told), "{error}");
    }
}

#[test]
fn faces_lie_in_their_photos() {
    type Change = fn(Vector3<f32>) -> Vector3<f32>;
    let changes: [Change; 6] = [
        |point| point + Vector3::new(120.0, 0.0, 0.0),
        |point| point - Vector3::new(0.0, 99.0, 0.0),
        |point| point * 0.05,
        |point| point * 1e30,
        |_| Vector3::zeros(),
        |point| Vector3::new(point.x, 50.0, point.z),
    ];
    for change in changes {
        let mut forged = Forged::avatar();
        forged.set_landmarks(1, change);
        let error = refusal(&forged.bytes());
        assert!(error.contains("no face within it"), "{error}");
    }
}

#[test]
fn tensors_of_other_shapes_and_types_are_refused() {
    let numbers = |shape: &[usize]| vec![0; shape.iter().product::<usize>() * 4];
    for shape in
        [vec![1, LANDMARKS, 2], vec![0, LANDMARKS, 3], vec![33, LANDMARKS, 3], vec![1, 3], vec![], vec![0]]
    {
        let mut forged = Forged::avatar();
        let bytes = numbers(&shape);
        forged.tensors.insert("landmarks".to_owned(), (Dtype::F32, shape, bytes));
        assert!(refusal(&forged.bytes()).contains("`landmarks` has shape"));
    }
    let mut forged = Forged::avatar();
    forged
        .tensors
        .insert("landmarks".to_owned(), (Dtype::I32, vec![1, LANDMARKS, 3], numbers(&[1, LANDMARKS, 3])));
    assert!(refusal(&forged.bytes()).contains("`landmarks` holds I32 values"));
    let mut forged = Forged::avatar();
    forged.tensors.insert("photo.0".to_owned(), (Dtype::F32, vec![2], vec![0; 8]));
    assert!(refusal(&forged.bytes()).contains("`photo.0` holds F32 values"));
    for tuning in ["-1", "99999999999999", "", "yes"] {
        let mut forged = Forged::avatar();
        forged.header.insert("tuning".to_owned(), tuning.to_owned());
        assert!(refusal(&forged.bytes()).contains("how it was tuned"));
    }
    let mut forged = Forged::avatar();
    forged.header.insert("tuning".to_owned(), "feed-forward".to_owned());
    assert!(refusal(&forged.bytes()).contains("`weights` is missing"));
    forged.tensors.insert("weights".to_owned(), (Dtype::U8, vec![9], vec![0xff; 9]));
    assert!(refusal(&forged.bytes()).contains("not a usable weight file"));
}

#[test]
fn a_declaration_is_read_without_the_rest_and_has_a_length() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("person.avatar");
    let mut forged = Forged::avatar();
    forged.header.insert("subject".to_owned(), "self".to_owned());
    forged.header.insert("consent".to_owned(), "me\n\u{1b}[31m".to_owned());
    let bytes = forged.bytes();
    let declaration =
        Declaration { subject: Some("self".to_owned()), consent: Some("me\n\u{1b}[31m".to_owned()) };
    let length = 8 + u64::from_le_bytes(bytes[..8].try_into().expect("eight bytes")) as usize;
    for whole in [&bytes[..], &bytes[..length]] {
        std::fs::write(&path, whole).expect("a file");
        assert_eq!(AvatarFile::read_declaration(&path).expect("its header is whole"), declaration);
    }
    let flipped = String::from_utf8_lossy(&bytes[..length]).replace("\"self\"", "\"me!!\"").into_bytes();
    for damaged in [&bytes[..length - 1], &flipped, &[0xff; 64], b"", b"PNG"] {
        std::fs::write(&path, damaged).expect("a file");
        assert!(AvatarFile::read_declaration(&path).is_err());
    }
    forged.header.insert("consent".to_owned(), "x".repeat(70_000));
    assert!(refusal(&forged.bytes()).contains("longer than 64 KB"));
    std::fs::write(&path, forged.bytes()).expect("a file");
    assert!(AvatarFile::read_declaration(&path).is_err());
}

/// A motion of three frames, as `Motion` writes it.
fn motion() -> Forged {
    let mut motion = Motion::new("nod", 25.0);
    (0..3).for_each(|_| motion.push(&MotionFrame::rest()));
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("nod.motion");
    motion.write(&path).expect("written");
    let bytes = std::fs::read(&path).expect("just written");
    let (_, metadata) = safetensors::SafeTensors::read_metadata(&bytes).expect("its header");
    let file = safetensors::SafeTensors::deserialize(&bytes).expect("a file");
    let tensors = file
        .iter()
        .map(|(name, view)| (name.to_owned(), (view.dtype(), view.shape().to_vec(), view.data().to_vec())));
    let header = metadata.metadata().clone().expect("metadata").into_iter().collect();
    Forged { header, tensors: tensors.collect() }
}

#[test]
fn motions_of_impossible_numbers_are_refused() {
    assert_eq!(Motion::parse(&motion().bytes()).expect("a good file").len(), 3);
    for fps in ["0", "-0", "0.5", "121", "1e308", "-25", "nan", "NaN", "inf", "-inf", "", "25 fps", "0x19"] {
        let mut forged = motion();
        forged.header.insert("fps".to_owned(), fps.to_owned());
        let error = Motion::parse(&forged.bytes()).expect_err(fps);
        assert!(error.contains("frame rate is not within 1..120"), "{fps}: {error}");
    }
    let mut forged = motion();
    forged.header.insert("title".to_owned(), "x".repeat(5000));
    assert!(Motion::parse(&forged.bytes()).expect_err("too long").contains("title is longer"));
    for (name, tensor, told) in [
        ("scale", (Dtype::F32, vec![0], vec![]), "no frames"),
        ("scale", (Dtype::F32, vec![1], vec![0; 4]), "differ in length"),
        ("scale", (Dtype::F32, vec![3, 1], vec![0; 12]), "`scale` is missing or of the wrong form"),
        ("scale", (Dtype::F32, vec![], vec![0; 4]), "`scale` is missing or of the wrong form"),
        ("scale", (Dtype::I32, vec![3], vec![0; 12]), "`scale` is missing or of the wrong form"),
        ("scale", (Dtype::F32, vec![3], vec![0xff; 12]), "frame 0 holds numbers"),
        ("scale", (Dtype::F32, vec![3], vec![0; 12]), "frame 0 holds numbers"),
        (
            "rotation",
            (Dtype::F32, vec![1_000_000_000, 0], vec![]),
            "`rotation` is missing or of the wrong form",
        ),
        ("rotation", (Dtype::F32, vec![0, 3], vec![]), "differ in length"),
        ("expression", (Dtype::F16, vec![3, 48], vec![0x7c; 288]), "frame 0 holds numbers"),
    ] {
        let mut forged = motion();
        forged.tensors.insert(name.to_owned(), tensor);
        let error = Motion::parse(&forged.bytes()).expect_err(told);
        assert!(error.contains(told), "{error}");
    }
}

#[test]
fn a_header_that_promises_a_billion_frames_is_refused() {
    let bytes = motion().bytes();
    let length = u64::from_le_bytes(bytes[..8].try_into().expect("eight bytes")) as usize;
    let header = std::str::from_utf8(&bytes[8..8 + length]).expect("JSON");
    for frames in ["1000000000", "9223372036854775808", "18446744073709551615", "-1", "1e9"] {
        let forged = header.replace("\"shape\":[3,", &format!("\"shape\":[{frames},"));
        assert!(forged != header, "{header}");
        let bytes = [&(forged.len() as u64).to_le_bytes(), forged.as_bytes(), &bytes[8 + length..]].concat();
        assert!(Motion::parse(&bytes).is_err(), "{frames}");
    }
    for length in [u64::MAX, 1 << 63, 1 << 40, 0, 1] {
        let bytes = [&length.to_le_bytes(), &bytes[8..]].concat();
        assert!(Motion::parse(&bytes).is_err(), "{length}");
        assert!(AvatarFile::parse(Path::new("person.avatar"), &bytes).is_err(), "{length}");
    }
}

#[cfg(unix)]
#[test]
fn devices_are_refused() {
    let device = Path::new("/dev/zero");
    let read = [
        AvatarFile::read(device).map(drop),
        AvatarFile::read_declaration(device).map(drop),
        Motion::read(device).map(drop),
    ];
    for result in read {
        let error = result.expect_err("refused").to_string();
        assert!(error.contains("/dev/zero: cannot be read (it is not a regular file)"), "{error}");
    }
}

#[test]
fn mutated_files_do_not_panic() {
    mutations::each(&motion().bytes(), 1000, fuzz_motion);
    let mut two = Forged::avatar();
    two.set_landmarks(2, |point| point);
    two.set_photo(1, png(40, 40));
    mutations::each(&two.bytes(), 400, fuzz_avatar);
}
