//! Two photos of one person: the Mona Lisa as she is, and as the mesh turns her.

use std::path::Path;
use std::sync::Arc;

use gioconda_avatar::builtin_motions::BuiltinMotion;
use gioconda_avatar::{
    Avatar, Background, Canvas, Framing, Gains, MotionTransfer, Reference, RendererKind, posture_distance,
};
use gioconda_face::{FaceChoice, FaceFinder, Landmarks, Threads};
use gioconda_warp::{MeshRenderer, View};
use image::RgbImage;

const SIDE: u32 = 256;
/// Corners and lids of both eyes.
const EYES: [usize; 8] = [33, 133, 159, 145, 362, 263, 386, 374];

fn mona_lisa() -> Avatar {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../assets/mona_lisa.jpg");
    let mut finder = FaceFinder::new(Threads::default()).expect("the models are compiled in");
    Avatar::from_photo(&path, FaceChoice::Largest, &mut finder).expect("a portrait")
}

/// The portrait, drawn where the motion takes her farthest from the photo: she blinks.
fn turned(avatar: &Avatar) -> Reference {
    let size = avatar.photo.dimensions();
    let transfer = MotionTransfer::new(&avatar.landmarks, size, Gains::default());
    let motion = BuiltinMotion::find("look-around").expect("a built-in motion").load();
    let landmarks = (0..motion.len())
        .map(|frame| transfer.apply(&motion.frame(frame)))
        .max_by(|a, b| {
            let apart = |landmarks| posture_distance(&avatar.landmarks, landmarks);
            apart(a).total_cmp(&apart(b))
        })
        .expect("a motion has frames");
    let mut photo = RgbImage::default();
    let mut renderer = MeshRenderer::new(Arc::clone(&avatar.photo), &avatar.landmarks);
    renderer.render(&landmarks, &View::whole(size.0, size.1), &mut photo);
    Reference { photo: Arc::new(photo), landmarks }
}

fn rendered(avatar: &Avatar, canvas: &Canvas, driving: &Landmarks) -> RgbImage {
    let mut renderer =
        avatar.renderer(RendererKind::Mesh, Background::Keep, canvas).expect("the mesh needs nothing");
    let mut frame = RgbImage::new(canvas.window.width, canvas.window.height);
    renderer.render(driving, &mut frame).expect("a frame");
    frame
}

/// Mean absolute difference within the box around the eyes, 0..255.
fn apart(a: &RgbImage, b: &RgbImage, face: &Landmarks) -> f32 {
    let corners = EYES.map(|i| face.xy(i));
    let low = corners.iter().copied().reduce(|a, b| a.inf(&b)).expect("eyes have corners");
    let high = corners.iter().copied().reduce(|a, b| a.sup(&b)).expect("eyes have corners");
    let (mut sum, mut count) = (0.0, 0.0);
    for (x, y, pixel) in a.enumerate_pixels() {
        let inside = (low.x..=high.x).contains(&(x as f32)) && (low.y..=high.y).contains(&(y as f32));
        if inside {
            let other = b.get_pixel(x, y);
            sum += pixel.0.iter().zip(other.0).map(|(a, b)| f32::from(a.abs_diff(b))).sum::<f32>();
            count += 3.0;
        }
    }
    sum / count
}

#[test]
fn the_face_comes_from_the_nearest_photo_and_everything_else_from_the_first() {
    let truth = mona_lisa();
    let Reference { photo, landmarks } = turned(&truth);
    // In dimmer light than the first photo's: its colours are to be matched.
    let dim = RgbImage::from_raw(
        truth.photo.width(),
        truth.photo.height(),
        truth.photo.as_raw().iter().map(|&value| (f32::from(value) * 0.85) as u8).collect(),
    );
    let other = Reference { photo: Arc::new(dim.expect("as large")), landmarks: truth.landmarks.clone() };
    let alone = Avatar { photo, landmarks, ..truth.clone() };
    let both = Avatar { others: vec![other], ..alone.clone() };

    let canvas = Canvas::new(&alone.photo, &alone.landmarks, Framing::Head { side: SIDE });
    let driving = truth.landmarks.scaled_and_shifted(canvas.scale, canvas.origin);
    let (one, two) = (rendered(&alone, &canvas, &driving), rendered(&both, &canvas, &driving));
    let origin = nalgebra::Vector2::new(canvas.window.left as f32, canvas.window.top as f32);
    let face = driving.scaled_and_shifted(1.0, -origin);
    let corner = (origin - canvas.origin).map(|edge| edge.round() as u32);
    let expected =
        image::imageops::crop_imm(&scaled(&truth.photo, canvas.scale), corner.x, corner.y, SIDE, SIDE)
            .to_image();

    // Shut eyes cannot be opened by warping them; the other photo has them open.
    let (without, with) = (apart(&one, &expected, &face), apart(&two, &expected, &face));
    assert!(with < 0.8 * without, "{with} with the nearer photo, {without} without");
    for (x, y, pixel) in two.enumerate_pixels() {
        let (low, high) = face.bounds();
        let inside = (low.x..=high.x).contains(&(x as f32)) && (low.y..=high.y).contains(&(y as f32));
        assert!(inside || pixel == one.get_pixel(x, y), "{x}, {y} lies outside of the face");
    }
}

fn scaled(photo: &RgbImage, scale: f32) -> RgbImage {
    let sides = [photo.width(), photo.height()].map(|side| (side as f32 * scale).round() as u32);
    gioconda_media::resize(photo, sides[0], sides[1])
}

#[test]
fn a_further_photo_that_is_never_nearer_changes_nothing() {
    let alone = mona_lisa();
    let both = Avatar { others: vec![turned(&alone)], ..alone.clone() };
    let canvas = Canvas::new(&alone.photo, &alone.landmarks, Framing::Head { side: SIDE });
    let driving = canvas.landmarks.clone();
    assert!(rendered(&alone, &canvas, &driving) == rendered(&both, &canvas, &driving));
}
