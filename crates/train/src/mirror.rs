//! Left-right flips: a mirrored picture shows the left eye where the right one was, so landmarks change their indices.

use gioconda_face::Landmarks;
use gioconda_face::topology::COUNTERPART;
use image::imageops::flip_horizontal;

use crate::footage::Shot;

/// The frame in a mirror.
pub(crate) fn mirrored(shot: &Shot) -> Shot {
    let width = shot.picture.width() as f32;
    Shot { picture: flip_horizontal(&shot.picture), landmarks: mirrored_landmarks(&shot.landmarks, width) }
}

fn mirrored_landmarks(landmarks: &Landmarks, width: f32) -> Landmarks {
    let mut mirrored = landmarks.clone();
    for (point, &counterpart) in mirrored.points.iter_mut().zip(COUNTERPART.iter()) {
        *point = landmarks.points[counterpart];
        point.x = width - point.x;
    }
    mirrored
}
