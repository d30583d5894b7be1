#![doc = include_str!("../README.md")]

mod aperture;
mod colour;
mod coverage;
mod dental_arch;
mod grain;
mod head;
mod landmark_picture;
mod look;
mod mesh;
mod mesh_renderer;
mod mouth_interior;
mod mouth_paint;
mod outline;
mod own_mouth;
mod raster;
mod share;
mod source_mesh;
mod surround;
mod view;

pub use aperture::Aperture;
pub use colour::{Colour, patch};
pub use dental_arch::{Bite, DentalArch};
pub use grain::Grain;
pub use landmark_picture::{LANDMARK_PICTURE_VERSION, LandmarkPicture};
pub use mesh_renderer::{MeshRenderer, MovingRow};
pub use mouth_interior::{MouthInterior, MouthLabels, MouthPixel, OpenMouth};
pub use mouth_paint::MouthPaint;
pub use source_mesh::{MeshWarp, SourceMesh};
pub use view::{MotionRegion, View};
