//! How fast a live portrait follows: `cargo run --release -p gioconda-studio --example live_speed [-- CLIP [SIZE]]`.
//!
//! The Mona Lisa is moved by a clip that plays as a camera would: square JPEGs of 320 pixels, each offered when the last
//! one but one was answered, as the page does. Prints pictures a second and milliseconds from camera picture to portrait.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::{Arc, mpsc};
use std::time::Instant;

use gioconda_avatar::Avatar;
use gioconda_face::{FaceChoice, FaceFinder, Threads};
use gioconda_media::{ClipReader, Frame, ReadOptions, resize};
use gioconda_portrait::live::{Look, MarkedAvatar};
use gioconda_provenance::watermark::{AvatarId, Payload};
use gioconda_studio::live::performer::{CameraPicture, News, Performer};
use image::codecs::jpeg::JpegEncoder;

const DEFAULT_CLIP: &str = "../../../shared/data/val/celebv-text_eH5YX2zo-f0_32_0/eH5YX2zo-f0_32_0.mp4";
/// Side of the camera's pictures, and their quality, as the page has them.
const CAMERA_SIDE: u32 = 320;
const CAMERA_QUALITY: u8 = 80;
const SECONDS: f64 = 10.0;
/// Pictures that may be under way at once.
const UNANSWERED: usize = 2;

fn main() -> Result<(), Box<dyn Error>> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut named = std::env::args().skip(1);
    let clip = named.next().map_or_else(|| here.join(DEFAULT_CLIP), PathBuf::from);
    let size: u32 = named.next().map_or(Ok(256), |size| size.parse())?;
    if !clip.exists() {
        println!("skipped: {} is not there; name a clip of your own", clip.display());
        return Ok(());
    }
    let camera = camera_pictures(&clip)?;
    let photo = here.join("../../assets/mona_lisa.jpg");
    let avatar = Avatar::from_photo(&photo, FaceChoice::Largest, &mut FaceFinder::new(Threads::Shared)?)?;
    let mark = Payload::today(AvatarId::of(b"mona lisa"));
    let look = Look::default().size(size);
    let (tell, news) = mpsc::channel();
    let performer = Performer::start(
        MarkedAvatar { avatar: Arc::new(avatar), mark },
        look,
        |_| {},
        move |told| {
            // The receiver goes when enough was measured.
            let _ = tell.send(told);
        },
    )?;

    let mut sent = Vec::new();
    let mut delays = Vec::new();
    let mut bytes = 0;
    let started = Instant::now();
    for told in news {
        match told {
            News::Ready => {
                for _ in 0..UNANSWERED {
                    offer(&performer, &camera, &mut sent);
                }
            }
            News::Picture { sequence, jpeg, .. } => {
                delays.push(sent[sequence as usize].elapsed().as_secs_f64() * 1e3);
                bytes += jpeg.len();
                offer(&performer, &camera, &mut sent);
            }
            News::Statistics(told) => println!("{told:?}"),
            News::Trouble(line) | News::Failed(line) => return Err(line.into()),
            News::Face(_) | News::Calibrated => {}
        }
        if started.elapsed().as_secs_f64() > SECONDS {
            break;
        }
    }
    let per_second = delays.len() as f64 / started.elapsed().as_secs_f64();
    delays.sort_by(f64::total_cmp);
    let at = |share: f64| delays[((delays.len() - 1) as f64 * share) as usize];
    println!("{} pictures of {size} x {size}, {} KB each", delays.len(), bytes / delays.len() / 1024);
    println!("{per_second:.1} pictures a second");
    println!("camera to portrait, {UNANSWERED} under way: median {:.1} ms, 95 % {:.1} ms", at(0.5), at(0.95));
    Ok(())
}

fn offer(performer: &Performer, camera: &[Vec<u8>], sent: &mut Vec<Instant>) {
    let sequence = sent.len();
    let jpeg = camera[sequence % camera.len()].clone();
    let milliseconds = (sequence * 40) as u32;
    sent.push(Instant::now());
    performer.picture(CameraPicture { sequence: sequence as u32, milliseconds, jpeg });
}

/// The clip as a camera would send it.
fn camera_pictures(clip: &Path) -> Result<Vec<Vec<u8>>, Box<dyn Error>> {
    let mut reader = ClipReader::open(clip, &ReadOptions::default())?;
    let (mut frame, mut pictures) = (Frame::default(), Vec::new());
    while reader.read(&mut frame)? {
        let side = frame.image.width().min(frame.image.height());
        let (left, top) = ((frame.image.width() - side) / 2, (frame.image.height() - side) / 2);
        let square = image::imageops::crop_imm(&frame.image, left, top, side, side).to_image();
        let mut jpeg = Vec::new();
        resize(&square, CAMERA_SIDE, CAMERA_SIDE)
            .write_with_encoder(JpegEncoder::new_with_quality(&mut jpeg, CAMERA_QUALITY))?;
        pictures.push(jpeg);
    }
    Ok(pictures)
}
