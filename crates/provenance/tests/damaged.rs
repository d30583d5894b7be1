//! Damaged files: unreadable is not tampered, and a file without a statement has none, however damaged it is.

mod statements;

use std::fs;
use std::path::{Path, PathBuf};

use gioconda_provenance::{Credentials, Identity, Sidecar, SidecarOutcome};
use image::{ImageFormat, RgbImage};
use statements::statement;

struct Files {
    folder: tempfile::TempDir,
    identity: Identity,
}

impl Files {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let identity = Identity::in_folder(&folder.path().join("config")).expect("an identity");
        Self { folder, identity }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A picture without a statement.
    fn plain(&self, name: &str, format: ImageFormat) -> PathBuf {
        let picture = RgbImage::from_fn(96, 80, |x, y| image::Rgb([x as u8, y as u8, 90]));
        picture.save_with_format(self.path(name), format).expect("a picture");
        self.path(name)
    }

    fn sign(&self, file: &Path) {
        statement().sign(file, &self.identity).expect("signed");
    }

    fn signed(&self, name: &str, format: ImageFormat) -> PathBuf {
        let file = self.plain(name, format);
        self.sign(&file);
        file
    }
}

fn boxed(kind: [u8; 4], body: &[u8]) -> Vec<u8> {
    [&(body.len() as u32 + 8).to_be_bytes()[..], &kind, body].concat()
}

/// Enough of an mp4 for a statement.
fn mp4() -> Vec<u8> {
    [
        boxed(*b"ftyp", b"isom\0\0\0\0isom"),
        boxed(*b"mdat", &[7; 900]),
        boxed(*b"moov", &boxed(*b"mvhd", &[0; 100])),
    ]
    .concat()
}

type Harm = fn(&mut Vec<u8>);

/// The kinds of damage that downloads, editors and cards do.
fn damages() -> Vec<(&'static str, Harm)> {
    vec![
        ("bytes after the end", |bytes| bytes.extend([0xa5; 37])),
        ("zeros after the end", |bytes| bytes.extend([0; 5])),
        ("a box that is too long after the end", |bytes| bytes.extend(b"\0\0\xff\xffskip")),
        ("the last byte is missing", |bytes| bytes.truncate(bytes.len() - 1)),
        ("the last third is missing", |bytes| bytes.truncate(bytes.len() * 2 / 3)),
        ("a wrong size near the beginning", |bytes| bytes[5] = bytes[5].wrapping_add(40)),
        ("a wrong byte near the end", |bytes| {
            let at = bytes.len() - 20;
            bytes[at] ^= 0x5a;
        }),
        ("only the beginning is left", |bytes| bytes.truncate(16)),
    ]
}

/// Issue 22, line 11.
#[test]
fn a_damaged_file_without_a_statement_is_not_tampered() {
    let files = Files::new();
    let formats = [ImageFormat::Png, ImageFormat::Jpeg, ImageFormat::Gif, ImageFormat::WebP];
    let mut whole: Vec<(String, Vec<u8>)> = formats
        .into_iter()
        .map(|format| (format!("{format:?}"), fs::read(files.plain("a", format)).expect("bytes")))
        .collect();
    whole.push(("mp4".to_owned(), mp4()));
    for (format, whole) in whole {
        for (damage, harm) in damages() {
            let mut bytes = whole.clone();
            harm(&mut bytes);
            assert_eq!(Credentials::parse(&bytes, None), Credentials::Missing, "{format}: {damage}");
        }
    }
    // A checksum of a chunk.
    let mut png = fs::read(files.plain("a.png", ImageFormat::Png)).expect("bytes");
    png[30] ^= 1;
    assert_eq!(Credentials::parse(&png, None), Credentials::Missing);
}

#[test]
fn a_statement_in_a_damaged_file_is_never_valid_nor_missing() {
    let files = Files::new();
    let mp4_file = files.path("a.mp4");
    fs::write(&mp4_file, mp4()).expect("written");
    files.sign(&mp4_file);
    let formats = [ImageFormat::Png, ImageFormat::Jpeg, ImageFormat::Gif, ImageFormat::WebP];
    let mut signed: Vec<PathBuf> =
        formats.into_iter().map(|format| files.signed(&format!("{format:?}"), format)).collect();
    signed.push(mp4_file);
    for file in signed {
        let whole = fs::read(&file).expect("bytes");
        assert!(matches!(Credentials::parse(&whole, None), Credentials::Valid(_)), "{}", file.display());
        for (damage, harm) in damages() {
            // What is cut or renamed away is not there any more; some sizes mean nothing.
            if ["the last third is missing", "a wrong size near the beginning", "only the beginning is left"]
                .contains(&damage)
            {
                continue;
            }
            let mut bytes = whole.clone();
            harm(&mut bytes);
            let found = Credentials::parse(&bytes, None);
            let noticed = matches!(found, Credentials::Tampered { .. } | Credentials::Unverifiable { .. });
            assert!(noticed, "{}: {damage}: {found:?}", file.display());
        }
    }
}

#[test]
fn what_was_changed_is_told_from_what_cannot_be_read() {
    let files = Files::new();
    let png = fs::read(files.signed("a.png", ImageFormat::Png)).expect("bytes");
    let mut changed = png.clone();
    let near_the_end = changed.len() - 20;
    changed[near_the_end] ^= 1;
    let found = Credentials::parse(&changed, None);
    assert!(matches!(&found, Credentials::Tampered { claims: Some(_), .. }), "{found:?}");
    // The manifest in the store has no description any more.
    let boxes = png.windows(4).enumerate().filter(|(_, bytes)| bytes == b"jumd");
    let at = boxes.map(|(at, _)| at).nth(1).expect("a manifest");
    let mut broken = png;
    broken[at..at + 4].copy_from_slice(b"junk");
    let found = Credentials::parse(&broken, None);
    assert!(matches!(&found, Credentials::Unverifiable { claims: None, .. }), "{found:?}");
}

/// Issue 22, line 13.
#[test]
fn a_statement_in_the_file_comes_before_one_beside_it() {
    let files = Files::new();
    let file = files.signed("a.png", ImageFormat::Png);
    for beside in ["a.png.c2pa", "a.c2pa"] {
        for manifest in [&b""[..], b"garbage", &[0xff; 4096]] {
            fs::write(files.path(beside), manifest).expect("written");
            let (found, sidecar) = Credentials::read_with_sidecar(&file).expect("readable");
            assert!(matches!(found, Credentials::Valid(_)), "{found:?}");
            assert_eq!(sidecar, Some(Sidecar { file: beside.to_owned(), outcome: SidecarOutcome::Ignored }));
        }
        fs::remove_file(files.path(beside)).expect("removed");
    }
}

#[test]
fn what_is_no_manifest_beside_a_file_is_named_and_ignored() {
    let files = Files::new();
    let file = files.plain("a.png", ImageFormat::Png);
    for (manifest, reason) in [(&b""[..], "is empty"), (b"garbage", "is no C2PA manifest")] {
        fs::write(files.path("a.png.c2pa"), manifest).expect("written");
        let (found, sidecar) = Credentials::read_with_sidecar(&file).expect("readable");
        assert_eq!(found, Credentials::Missing);
        let outcome = SidecarOutcome::Unreadable { why: reason.to_owned() };
        assert_eq!(sidecar, Some(Sidecar { file: "a.png.c2pa".to_owned(), outcome }));
    }
    // One that begins like a manifest was one.
    let mut torn =
        b"\0\0\x01\0jumb\0\0\0\x20jumdc2pa\0\x11\0\x10\x80\0\0\xaa\0\x38\x9b\x71\x03c2pa\0".to_vec();
    torn.extend([0xff; 40]);
    fs::write(files.path("a.png.c2pa"), &torn).expect("written");
    let (found, sidecar) = Credentials::read_with_sidecar(&file).expect("readable");
    assert!(matches!(found, Credentials::Unverifiable { .. }), "{found:?}");
    assert_eq!(sidecar.map(|sidecar| sidecar.outcome), Some(SidecarOutcome::Used));
}

/// Nothing is fetched: the address is told.
#[test]
fn a_statement_elsewhere_is_told_of() {
    let files = Files::new();
    let png = fs::read(files.plain("a.png", ImageFormat::Png)).expect("bytes");
    let xmp = br#"<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about="" xmlns:dcterms="http://purl.org/dc/terms/" dcterms:provenance="http://127.0.0.1:9/a.c2pa"/></rdf:RDF></x:xmpmeta>"#;
    let text = [&b"XML:com.adobe.xmp\0\0\0\0\0"[..], xmp].concat();
    // After the header; the checksum of a text is not looked at.
    let mut bytes = png[..33].to_vec();
    bytes.extend((text.len() as u32).to_be_bytes());
    bytes.extend(b"iTXt");
    bytes.extend(&text);
    bytes.extend([0; 4]);
    bytes.extend(&png[33..]);
    let url = "http://127.0.0.1:9/a.c2pa".to_owned();
    assert_eq!(Credentials::parse(&bytes, None), Credentials::Elsewhere { url });
}
