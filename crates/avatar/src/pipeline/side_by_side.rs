//! The driver to the left of the portrait, at the portrait's size.

use gioconda_face::{Landmarks, Region};
use gioconda_warp::LandmarkPicture;
use image::RgbImage;
use image::imageops::replace;

use crate::render::canvas::Window;

/// Puts two pictures of the window's size beside each other.
pub(crate) struct SideBySide {
    window: Window,
    lines: LandmarkPicture,
    /// Where lines are drawn, for drivers without pictures.
    pane: RgbImage,
}

impl SideBySide {
    pub(crate) fn new(window: Window) -> Self {
        Self { window, lines: LandmarkPicture::new(), pane: RgbImage::default() }
    }

    /// Width and height of both pictures together.
    pub(crate) fn size(&self) -> (u32, u32) {
        (2 * self.window.width, self.window.height)
    }

    /// Fills `picture` with the driver, as large as fits, and then `portrait`. A motion has no pictures: then the
    /// lines of the face that it moves stand in their place. `landmarks` are in pixels of the canvas' picture.
    pub(crate) fn compose(
        &mut self,
        driver: Option<&RgbImage>,
        landmarks: &Landmarks,
        portrait: &RgbImage,
        picture: &mut RgbImage,
    ) {
        picture.fill(0);
        match driver {
            Some(driver) => self.place_driver(driver, picture),
            None => self.place_lines(landmarks, picture),
        }
        replace(picture, portrait, i64::from(self.window.width), 0);
    }

    /// The alpha of both pictures: the driver's is opaque, the portrait's is `portrait`, `[height * width]` of the window.
    pub(crate) fn compose_alpha(&self, portrait: &[u8], alpha: &mut Vec<u8>) {
        let width = self.window.width as usize;
        for row in portrait.chunks_exact(width) {
            alpha.resize(alpha.len() + width, 255);
            alpha.extend_from_slice(row);
        }
    }

    fn place_driver(&self, driver: &RgbImage, picture: &mut RgbImage) {
        let Window { width, height, .. } = self.window;
        let (w, h) = (f64::from(driver.width()), f64::from(driver.height()));
        let fit = (f64::from(width) / w).min(f64::from(height) / h);
        let sides = [w, h].map(|side| ((side * fit).round() as u32).max(1));
        let fitted = gioconda_media::resize(driver, sides[0].min(width), sides[1].min(height));
        let corner = [(width - fitted.width()) / 2, (height - fitted.height()) / 2];
        replace(picture, &fitted, i64::from(corner[0]), i64::from(corner[1]));
    }

    fn place_lines(&mut self, landmarks: &Landmarks, picture: &mut RgbImage) {
        let Window { left, top, width, height } = self.window;
        let side = width.max(height);
        if self.pane.width() != side {
            self.pane = RgbImage::new(side, side);
        }
        let region = Region::from_corner(left as f32, top as f32, side as f32);
        self.lines.draw(landmarks, &region, &mut self.pane);
        // What of the square reaches beyond the driver's half is covered by the portrait.
        replace(picture, &self.pane, 0, 0);
    }
}
