//! Draws the landmarks of every face of a photo over it, to look at:
//! `cargo run -p gioconda-warp --example landmarks -- PHOTO OUT.png`

use std::error::Error;

use gioconda_face::features::{Side, eye_opening, gaze, mouth_opening};
use gioconda_face::topology::TOPOLOGY;
use gioconda_face::{FaceFinder, Region, Threads};
use gioconda_warp::LandmarkPicture;
use image::RgbImage;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(photo), Some(out)) = (arguments.next(), arguments.next()) else {
        return Err("usage: landmarks PHOTO OUT.png".into());
    };
    let mut picture = image::open(&photo)?.to_rgb8();
    let faces = FaceFinder::new(Threads::Shared)?.find_faces(&picture)?;
    println!("{photo}: {} face(s)", faces.len());
    let mut lines = RgbImage::new(picture.width(), picture.height());
    let whole = Region::from_corner(0.0, 0.0, picture.width() as f32);
    for face in &faces {
        let [yaw, pitch, roll] = face.pose.yaw_pitch_roll();
        println!(
            "  score {:.2}, presence {:.3}, width {:.0} px, yaw {yaw:.0}, pitch {pitch:.0}, roll {roll:.0}, \
             residual {:.3}, sharpness {:.4}",
            face.detection.score,
            face.presence,
            face.quality.face_width,
            face.pose.residual,
            face.quality.sharpness
        );
        for side in [Side::Right, Side::Left] {
            let gaze = gaze(&face.landmarks, side);
            println!(
                "  {side:?} eye: open {:.3}, gaze {:.2}, {:.2}",
                eye_opening(&face.landmarks, side),
                gaze.x,
                gaze.y
            );
        }
        println!("  mouth open {:.3}", mouth_opening(&face.landmarks));
        for warning in &face.quality.warnings {
            println!("  warning: {warning}");
        }
        LandmarkPicture::new().draw(&face.landmarks, &whole, &mut lines);
        for (pixel, line) in picture.pixels_mut().zip(lines.pixels()) {
            for (channel, line) in pixel.0.iter_mut().zip(line.0) {
                *channel = (*channel).max(line);
            }
        }
        for &[a, b] in TOPOLOGY.contours.left_iris.iter().chain(&TOPOLOGY.contours.right_iris) {
            let middle = (face.landmarks.xy(a) + face.landmarks.xy(b)) / 2.0;
            if let Some(pixel) = picture.get_pixel_mut_checked(middle.x as u32, middle.y as u32) {
                pixel.0 = [255, 255, 255];
            }
        }
    }
    picture.save(&out)?;
    Ok(())
}
