//! The picture grid: what the averaged networks make of the same few episodes, seen every so many steps.

use gioconda_networks::Episode;
use gioconda_networks::burn::tensor::Tensor;
use image::{Rgb, RgbImage, imageops};

use crate::trainer::Average;

/// Black pixels between tiles.
const GAP: u32 = 2;

/// A row per episode: photo, driving frame, its landmark picture, the mesh warp (if there is one), the output.
pub(crate) fn grid(average: &Average, episode: &Episode) -> RgbImage {
    let generated = average.generate(episode);
    let [batch, _, size, _] = episode.frame.dims();
    let warp = episode.composed_with();
    let photos = match warp {
        Some(warp) => warp.photo.clone(),
        None => episode.source_frames.clone().narrow(1, 0, 1).squeeze_dim(1), // [B, 3, H, W]
    };
    let mut columns = vec![photos, episode.frame.clone(), episode.picture.clone()];
    columns.extend(warp.map(gioconda_networks::Warp::warped));
    columns.push(generated.frame);

    let pitch = size as u32 + GAP;
    let mut grid = RgbImage::new(columns.len() as u32 * pitch - GAP, batch as u32 * pitch - GAP);
    for (column, frames) in columns.into_iter().enumerate() {
        for (row, tile) in tiles(frames).into_iter().enumerate() {
            let tile = imageops::resize(&tile, size as u32, size as u32, imageops::FilterType::Triangle);
            let (x, y) = (column as u32 * pitch, row as u32 * pitch);
            imageops::replace(&mut grid, &tile, i64::from(x), i64::from(y));
        }
    }
    grid
}

/// `[B, 3, H, W]`, RGB in -1..1, as pictures.
fn tiles(frames: Tensor<4>) -> Vec<RgbImage> {
    let [_, _, height, width] = frames.dims();
    let values = frames.try_into_vec_as::<f32>().expect("frames are floating-point numbers");
    let plane = height * width;
    let tile = |values: &[f32]| {
        RgbImage::from_fn(width as u32, height as u32, |x, y| {
            let pixel = y as usize * width + x as usize;
            Rgb(std::array::from_fn(|channel| {
                let value = values[channel * plane + pixel];
                ((value.clamp(-1.0, 1.0) + 1.0) * 127.5).round() as u8
            }))
        })
    };
    values.chunks_exact(3 * plane).map(tile).collect()
}
