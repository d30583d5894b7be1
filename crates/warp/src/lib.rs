#![doc = include_str!("../README.md")]

mod aperture;
mod background;
mod colour;
mod coverage;
mod dental_arch;
mod eye_labels;
mod eye_paint;
mod grain;
mod head;
mod head_shape;
mod landmark_picture;
mod layers;
mod look;
mod mesh;
mod mesh_renderer;
mod mouth_paint;
mod outline;
mod plate;
mod raster;
mod share;
mod source_mesh;
mod surround;
mod view;

pub use aperture::Aperture;
pub use background::Background;
pub use colour::{Colour, patch};
pub use dental_arch::{Bite, DentalArch};
pub use eye_labels::{EyeLabel, EyeLabels};
pub use grain::Grain;
pub use landmark_picture::{LANDMARK_PICTURE_VERSION, LandmarkPicture};
pub use mesh_renderer::{MeshRenderer, MovingRow};
pub use mouth_paint::MouthPaint;
pub use source_mesh::{MeshWarp, SourceMesh};
pub use view::{MotionRegion, View};
