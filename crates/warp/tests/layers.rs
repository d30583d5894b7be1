//! The Mona Lisa as a layer over the landscape behind her.

use std::path::Path;
use std::sync::{Arc, LazyLock};

use gioconda_face::topology::LIP_COLUMNS;
use gioconda_face::{FaceFinder, Landmarks, Matte, MatteFinder, Threads};
use gioconda_warp::{Background, Label, LabelPlanes, MeshRenderer, View};
use image::RgbImage;
use nalgebra::Vector3;

struct Portrait {
    photo: Arc<RgbImage>,
    face: Landmarks,
    matte: Matte,
}

static PORTRAIT: LazyLock<Portrait> = LazyLock::new(|| {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../assets/mona_lisa.jpg");
    let photo = image::open(path).expect("the picture is part of the repository").to_rgb8();
    let mut finder = FaceFinder::new(Threads::default()).expect("the models are compiled in");
    let face = finder.find_faces(&photo).expect("a picture with a face").remove(0).landmarks;
    let mattes = MatteFinder::new(Threads::default()).expect("the model is compiled in");
    let matte = mattes.find(&photo, &face).expect("a matte");
    assert!(matte.is_usable());
    Portrait { photo: Arc::new(photo), face, matte }
});

fn renderer() -> MeshRenderer {
    MeshRenderer::new(Arc::clone(&PORTRAIT.photo), &PORTRAIT.face).with_matte(&PORTRAIT.matte)
}

fn drawn(renderer: &mut MeshRenderer, driving: &Landmarks) -> RgbImage {
    let (width, height) = PORTRAIT.photo.dimensions();
    let mut frame = RgbImage::default();
    renderer.render(driving, &View::whole(width, height), &mut frame);
    frame
}

/// The face, moved by pixels.
fn moved(x: f32, y: f32) -> Landmarks {
    PORTRAIT.face.map(|point| point + Vector3::new(x, y, 0.0))
}

/// Pixels of a frame that show background alone, as they did in the photo, and a few pixels away from the person in both: what hair
/// has coloured goes with it.
fn background(renderer: &MeshRenderer) -> impl Iterator<Item = (u32, u32)> + '_ {
    let (width, height) = PORTRAIT.photo.dimensions();
    let covered = renderer.alpha().expect("it has a matte");
    let is_far = move |x: u32, y: u32| {
        let around = |at: u32, most: u32| at.saturating_sub(8)..(at + 9).min(most);
        let is_background = |u: u32, v: u32| {
            PORTRAIT.matte.alpha.get_pixel(u, v).0[0] == 0 && covered[(v * width + u) as usize] == 0
        };
        around(y, height).all(|v| around(x, width).all(|u| is_background(u, v)))
    };
    (0..height)
        .step_by(5)
        .flat_map(move |y| (0..width).step_by(5).map(move |x| (x, y)))
        .filter(move |&(x, y)| is_far(x, y))
}

/// Whether two colours differ by at most so many levels.
fn near(a: [u8; 3], b: [u8; 3], levels: u8) -> bool {
    a.iter().zip(b).all(|(a, b)| a.abs_diff(b) <= levels)
}

#[test]
fn who_does_not_move_is_the_photo() {
    assert!(drawn(&mut renderer(), &PORTRAIT.face) == *PORTRAIT.photo);
}

#[test]
fn the_landscape_rests_while_the_head_moves() {
    let mut renderer = renderer();
    for (x, y) in [(30.0, 0.0), (-20.0, 15.0), (0.0, -25.0)] {
        let frame = drawn(&mut renderer, &moved(x, y));
        let mut places = 0;
        for (u, v) in background(&renderer) {
            let (now, before) = (frame.get_pixel(u, v), PORTRAIT.photo.get_pixel(u, v));
            assert!(near(now.0, before.0, 2), "at {u}, {v}: {now:?} {before:?}");
            places += 1;
        }
        assert!(places > 2000, "{places}");
    }
}

#[test]
fn a_head_moves_as_a_whole_and_shoulders_rest() {
    let mut renderer = renderer();
    let frame = drawn(&mut renderer, &moved(24.0, 0.0));
    // The parting of the hair, above the face.
    let forehead = PORTRAIT.face.xy(10);
    let chin = PORTRAIT.face.xy(152);
    let height = chin.y - forehead.y;
    let apart = |picture: &RgbImage, x: f32, y: f32, shift: f32| {
        let mut sum = 0;
        for (dx, dy) in (-12..12).flat_map(|dx| (-12..12).map(move |dy| (dx, dy))) {
            let (u, v) = ((x as i32 + dx) as u32, (y as i32 + dy) as u32);
            let (now, then) =
                (picture.get_pixel(u, v).0[1], PORTRAIT.photo.get_pixel(u - shift as u32, v).0[1]);
            sum += u32::from(now.abs_diff(then));
        }
        f64::from(sum) / 576.0
    };
    let hair = forehead.y - 0.12 * height;
    assert!(apart(&frame, forehead.x + 24.0, hair, 24.0) < 4.0);
    assert!(apart(&frame, chin.x, chin.y + 1.1 * height, 0.0) < 0.5);
}

#[test]
fn backgrounds_are_behind_the_person_and_nowhere_else() {
    let driving = moved(15.0, 5.0);
    let keep = drawn(&mut renderer(), &driving);
    for background_kind in [Background::Blur, Background::Colour([10, 200, 30]), Background::Transparent] {
        let mut other = renderer().with_background(background_kind);
        let frame = drawn(&mut other, &driving);
        let covered = other.alpha().expect("it has a matte");
        let (mut person, mut nothing) = (0, 0);
        for ((pixel, kept), &covered) in frame.pixels().zip(keep.pixels()).zip(covered) {
            if covered == 255 {
                person += 1;
                assert!(near(pixel.0, kept.0, 1), "{background_kind:?}: {pixel:?} {kept:?}");
            }
            if covered == 0 && background_kind == Background::Transparent {
                nothing += 1;
                assert!(pixel.0.iter().all(|value| *value <= 24), "{pixel:?}");
            }
        }
        assert!(person > 50_000, "{person}");
        assert!(nothing > 50_000 || background_kind != Background::Transparent, "{nothing}");
    }
    let mut green = renderer().with_background(Background::Colour([10, 200, 30]));
    let frame = drawn(&mut green, &driving);
    assert!(background(&green).all(|(x, y)| near(frame.get_pixel(x, y).0, [10, 200, 30], 2)));
}

#[test]
fn labels_say_what_is_where() {
    let mut open = PORTRAIT.face.clone();
    let width = (open.xy(308) - open.xy(78)).norm();
    for (i, (_, lower)) in LIP_COLUMNS.into_iter().enumerate() {
        let drop = 0.3 * width * (1.0 - ((i as f32 - 4.0) / 5.0).powi(2));
        for point in lower {
            open.points[point].y += drop;
        }
    }
    open.points[152].y += 0.3 * width;
    let mut renderer = renderer();
    drawn(&mut renderer, &open);
    let mut planes = LabelPlanes::default();
    renderer.labels(&mut planes);
    let sum = |label| planes.plane(label).iter().map(|&value| f64::from(value) / 255.0).sum::<f64>();
    for label in [Label::UpperTeeth, Label::Cavity, Label::Iris, Label::White, Label::Hair] {
        assert!(sum(label) > 20.0, "{label:?}: {}", sum(label));
    }
    assert_eq!(planes.plane(Label::Matte), renderer.alpha().expect("it has a matte"));
    assert!(sum(Label::Hair) < sum(Label::Matte));
    // Eyes as open as the photo's show no new lid.
    assert!(sum(Label::Lid) < 1.0, "{}", sum(Label::Lid));
    for pixel in 0..planes.width * planes.height {
        let inside = &Label::ALL[..5];
        let all: u32 = inside.iter().map(|&label| u32::from(planes.plane(label)[pixel])).sum();
        assert!(all <= 258, "{all} at {pixel}");
    }
}
