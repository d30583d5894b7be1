//! The portrait that a participant sends once: its head as a JPEG and the face in it, so that nobody who shows it needs to
//! find the face again.

use std::sync::Arc;

use axum::body::Bytes;
use gioconda_avatar::{Avatar, Canvas, Framing, Reference};
use gioconda_face::{HeadPose, LANDMARKS, Landmarks};
use gioconda_provenance::Language;
use gioconda_relay::wire::{self, LARGEST_PORTRAIT};
use nalgebra::Vector3;

use crate::jpeg;

/// Largest side of the head that is sent, pixels; the picture has a margin around it.
const HEAD_SIDE: f32 = 512.0;
/// A head's side over its face's, as [`Framing::Head`] has it: more pixels than the photo's own are of no use.
const HEAD_OVER_FACE: f32 = 2.0;
/// Tried in turn until the JPEG is small enough; the last one is.
const QUALITIES: [u8; 2] = [92, 80];
const LAST_QUALITY: u8 = 50;

/// Version of the layout, added to the label's number in the first byte. The previous layout had no landmarks.
const LAYOUT: u8 = 0x10;
/// How portraits are labelled, in the order of their numbers on the wire.
const LABELS: [Option<Language>; 4] =
    [None, Some(Language::English), Some(Language::Italian), Some(Language::Spanish)];
/// Landmark coordinates are fixed-point numbers: this many steps a pixel.
const STEPS: f32 = 32.0;
const LANDMARK_BYTES: usize = LANDMARKS * 6;

/// Accepted side of the face's bounding box, as a fraction of the picture's longer side, and how far the box may extend
/// beyond the picture, likewise.
const FACE_SIDES: std::ops::RangeInclusive<f32> = 0.1..=1.0;
const OUTSIDE: f32 = 0.1;
/// Largest accepted [`HeadPose::residual`]; faces in photos stay below 0.1.
const MOST_RESIDUAL: f32 = 0.4;

/// `avatar`'s portrait as a frame for the relay.
pub(crate) fn frame(label: Option<Language>, avatar: &Avatar) -> Bytes {
    let (low, high) = avatar.landmarks.bounds();
    let side = ((high - low).max() * HEAD_OVER_FACE).clamp(128.0, HEAD_SIDE) as u32;
    let canvas = Canvas::new(&avatar.photo, &avatar.landmarks, Framing::Head { side });
    let number = match label {
        None => 0,
        Some(Language::English) => 1,
        Some(Language::Italian) => 2,
        Some(Language::Spanish) => 3,
    };
    let mut payload = vec![LAYOUT + number];
    for point in &canvas.landmarks.points {
        // A cast from a float saturates.
        payload.extend(point.iter().flat_map(|value| ((value * STEPS).round() as i16).to_le_bytes()));
    }
    let encoded = |quality| jpeg::encode(&canvas.picture, quality);
    let room = LARGEST_PORTRAIT - payload.len();
    let jpeg = QUALITIES.into_iter().map(encoded).find(|jpeg| jpeg.len() <= room);
    payload.extend(jpeg.unwrap_or_else(|| encoded(LAST_QUALITY)));
    wire::frame(wire::Kind::Portrait, &payload)
}

/// A portrait that came over the wire.
#[derive(Debug)]
pub(crate) struct Received<'a> {
    /// The language of the label that its sender wants on it.
    pub(crate) label: Option<Language>,
    /// The picture and the face in it.
    pub(crate) reference: Reference,
    /// The picture as it was sent.
    pub(crate) jpeg: &'a [u8],
}

/// The payload of a [`frame`], taken apart; the error is what is wrong, in words. Who sent it may be anybody.
pub(crate) fn parse(payload: &[u8]) -> Result<Received<'_>, String> {
    let other = || "it is of another version".to_owned();
    let (first, rest) = payload.split_first().ok_or_else(other)?;
    let label = first.checked_sub(LAYOUT).and_then(|label| LABELS.get(usize::from(label)));
    let label = *label.ok_or_else(other)?;
    let (points, bytes) = rest.split_at_checked(LANDMARK_BYTES).ok_or_else(other)?;
    let number = |bytes: [u8; 2]| f32::from(i16::from_le_bytes(bytes)) / STEPS;
    let mut landmarks = Landmarks { points: [Vector3::zeros(); LANDMARKS] };
    for (point, &[a, b, c, d, e, f]) in landmarks.points.iter_mut().zip(points.as_chunks::<6>().0) {
        *point = Vector3::new(number([a, b]), number([c, d]), number([e, f]));
    }
    let photo = jpeg::decode(bytes)?;
    if !is_face(&landmarks, photo.dimensions()) {
        return Err("no face where it is said to be".to_owned());
    }
    Ok(Received { label, reference: Reference { photo: Arc::new(photo), landmarks }, jpeg: bytes })
}

/// Whether `landmarks` are a face in a picture of this size.
fn is_face(landmarks: &Landmarks, (width, height): (u32, u32)) -> bool {
    let (low, high) = landmarks.bounds();
    let (width, height) = (width as f32, height as f32);
    let most = OUTSIDE * width.max(height);
    let inside = low.min() >= -most && high.x <= width + most && high.y <= height + most;
    let side = (high - low).max() / width.max(height);
    inside && FACE_SIDES.contains(&side) && HeadPose::fit(landmarks).residual <= MOST_RESIDUAL
}

#[cfg(test)]
mod tests {
    use super::*;
    use gioconda_face::{FaceChoice, FaceFinder, Threads};
    use gioconda_testkit::repository;

    fn mona_lisa() -> Avatar {
        let mut finder = FaceFinder::new(Threads::Shared).expect("models");
        Avatar::from_photo(&repository("assets/mona_lisa.jpg"), FaceChoice::Largest, &mut finder)
            .expect("an avatar")
    }

    fn payload(label: Option<Language>) -> Vec<u8> {
        let frame = frame(label, &mona_lisa());
        let (kind, payload) = wire::parse(&frame).expect("a frame");
        assert_eq!(kind, wire::Kind::Portrait);
        payload.to_vec()
    }

    #[test]
    fn portraits_bring_their_label_and_their_face() {
        for label in LABELS {
            let payload = payload(label);
            let received = parse(&payload).expect("a portrait");
            assert_eq!(received.label, label);
            // Finding it again in the JPEG gives the same face, to a pixel.
            let Reference { photo, landmarks } = received.reference;
            let mut finder = FaceFinder::new(Threads::Shared).expect("models");
            let found = finder.find_faces(&photo).expect("found").remove(0).landmarks;
            let pairs = landmarks.points.iter().zip(&found.points);
            let off = pairs.map(|(a, b)| (a - b).xy().norm()).sum::<f32>() / LANDMARKS as f32;
            assert!(off < 2.0, "{off} pixels");
        }
    }

    #[test]
    fn what_is_no_portrait_is_refused_in_words() {
        let good = payload(None);
        let with = |change: &dyn Fn(&mut Vec<u8>)| {
            let mut bytes = good.clone();
            change(&mut bytes);
            parse(&bytes).map(drop).expect_err("refused")
        };
        assert!(parse(&[]).is_err() && parse(&good[..100]).is_err());
        assert_eq!(with(&|bytes| bytes[0] = 0), "it is of another version");
        assert_eq!(with(&|bytes| bytes[0] = LAYOUT + 4), "it is of another version");
        assert!(with(&|bytes| bytes.truncate(1 + LANDMARK_BYTES)).contains("no JPEG"));
        let nowhere = "no face where it is said to be";
        assert_eq!(with(&|bytes| bytes[1..=LANDMARK_BYTES].fill(0)), nowhere, "all in one point");
        assert_eq!(with(&|bytes| bytes[1..=LANDMARK_BYTES].fill(0x7f)), nowhere, "all outside");
        let scatter = |bytes: &mut Vec<u8>| {
            for (index, pair) in bytes[1..=LANDMARK_BYTES].chunks_exact_mut(2).enumerate() {
                let anywhere = (index as u32).wrapping_mul(2_654_435_761) >> 18;
                pair.copy_from_slice(&(anywhere as i16).to_le_bytes());
            }
        };
        assert_eq!(with(&scatter), nowhere, "anywhere");
    }
}
