//! A person in one photo: what is found once and used for every frame.

use std::path::Path;
use std::sync::Arc;

use gioconda_face::{FaceChoice, FaceFinder, Landmarks, QualityWarning};
use image::RgbImage;
use nalgebra::Vector2;

use crate::Error;
use crate::canvas::Canvas;
use crate::mesh_renderer::MeshRenderer;
use crate::neural_renderer::{NeuralRenderer, PersonalNetwork};
use crate::references::ReferenceRenderer;
use crate::renderer::{MeshOnCanvas, Renderer, RendererKind};

/// A photo of a person and the person's face in it.
#[derive(Clone, Debug)]
pub struct Reference {
    /// The photo, upright.
    pub photo: Arc<RgbImage>,
    /// The face, in pixels of the photo.
    pub landmarks: Landmarks,
}

impl Reference {
    /// The part of the photo that lies within `factor` times the longer side of the face's box, around its middle.
    pub(crate) fn head(&self, factor: f32) -> Self {
        let (low, high) = self.landmarks.bounds();
        let (middle, reach) = ((low + high) / 2.0, 0.5 * factor * (high - low).max());
        let edge = |value: f32, length: u32| value.round().clamp(0.0, length as f32) as u32;
        let (width, height) = self.photo.dimensions();
        let (left, top) = (edge(middle.x - reach, width - 1), edge(middle.y - reach, height - 1));
        let (right, bottom) = (edge(middle.x + reach, width), edge(middle.y + reach, height));
        let (columns, rows) = (right.saturating_sub(left).max(1), bottom.saturating_sub(top).max(1));
        let photo = image::imageops::crop_imm(&*self.photo, left, top, columns, rows).to_image();
        let corner = Vector2::new(left as f32, top as f32);
        Self { photo: Arc::new(photo), landmarks: self.landmarks.scaled_and_shifted(1.0, -corner) }
    }

    /// The photo at `scale` times its size, each side at most `longest` pixels.
    pub(crate) fn scaled(&self, scale: f32, longest: u32) -> Self {
        let (width, height) = self.photo.dimensions();
        let scale = scale.min(longest as f32 / width.max(height) as f32);
        let sides = [width, height].map(|side| ((side as f32 * scale).round() as u32).max(1));
        Self {
            photo: Arc::new(gioconda_media::resize(&self.photo, sides[0], sides[1])),
            landmarks: self.landmarks.scaled_and_shifted(scale, Vector2::zeros()),
        }
    }
}

/// A photo and the face in it that will move, with whatever else is known of the person.
#[derive(Clone, Debug)]
pub struct Avatar {
    /// The photo, upright.
    pub photo: Arc<RgbImage>,
    /// The face, in pixels of the photo.
    pub landmarks: Landmarks,
    /// What may spoil the result, for the user to read.
    pub warnings: Vec<QualityWarning>,
    /// Further photos of the same person, whose faces are used where they are nearer to what is performed.
    pub others: Vec<Reference>,
    /// The person's network, for [`RendererKind::Neural`].
    pub network: Option<Arc<PersonalNetwork>>,
}

impl Avatar {
    /// Reads the photo at `path` and finds the face that `choice` means.
    ///
    /// # Errors
    /// When the file is no photo, shows no face, or `choice` names a face that is not there.
    pub fn from_photo(path: &Path, choice: FaceChoice, finder: &mut FaceFinder) -> Result<Self, Error> {
        let photo = gioconda_media::photo::read(path)?;
        let faces = finder.find_faces(&photo.image)?;
        let chosen = choice.choose(&faces).map_err(|error| Error::from(error).in_picture(path))?;
        let face = chosen.ok_or_else(|| Error::NoFace {
            path: path.to_owned(),
            what:
                "no face found; use a photo in which one face is seen from the front, 100 pixels wide or more"
                    .to_owned(),
        })?;
        let shown = Reference { photo: Arc::new(photo.image), landmarks: face.landmarks.clone() };
        Ok(Self { warnings: face.quality.warnings.clone(), ..Self::of(&[shown]) })
    }

    /// Reads several photos of one person; the first one is what is shown. `choice` holds for each.
    ///
    /// # Errors
    /// As [`Avatar::from_photo`], for the first photo that cannot be used.
    ///
    /// # Panics
    /// When there are no paths.
    pub fn from_photos(
        paths: &[impl AsRef<Path>],
        choice: FaceChoice,
        finder: &mut FaceFinder,
    ) -> Result<Self, Error> {
        let (shown, others) = paths.split_first().expect("an avatar has a photo");
        let mut avatar = Self::from_photo(shown.as_ref(), choice, finder)?;
        for path in others {
            let other = Self::from_photo(path.as_ref(), choice, finder)?;
            avatar.others.push(Reference { photo: other.photo, landmarks: other.landmarks });
        }
        Ok(avatar)
    }

    /// An avatar of photos whose faces are known; the first one is what is shown. It has no network yet.
    ///
    /// # Panics
    /// When there are no photos.
    pub fn of(photos: &[Reference]) -> Self {
        let (Reference { photo, landmarks }, others) = photos.split_first().expect("an avatar has a photo");
        let (photo, landmarks) = (Arc::clone(photo), landmarks.clone());
        Self { photo, landmarks, warnings: Vec::new(), others: others.to_vec(), network: None }
    }

    /// All photos, the shown one first.
    pub fn photos(&self) -> Vec<Reference> {
        let shown = Reference { photo: Arc::clone(&self.photo), landmarks: self.landmarks.clone() };
        std::iter::once(shown).chain(self.others.iter().cloned()).collect()
    }

    /// The best renderer this avatar has what it needs for.
    pub fn best_renderer(&self) -> RendererKind {
        if self.network.is_some() { RendererKind::Neural } else { RendererKind::Mesh }
    }

    /// A renderer of `kind` for a canvas made of this avatar's photo.
    ///
    /// # Errors
    /// [`Error::NoNetwork`] where a network is asked for and there is none.
    pub fn renderer(&self, kind: RendererKind, canvas: &Canvas) -> Result<Box<dyn Renderer>, Error> {
        let network = match kind {
            RendererKind::Mesh => None,
            RendererKind::Neural => {
                let network = self.network.as_ref().ok_or(Error::NoNetwork)?;
                Some(Arc::new(network.session()))
            }
        };
        let prepare = |canvas: &Canvas| -> Result<Box<dyn Renderer>, Error> {
            Ok(match &network {
                None => Box::new(MeshOnCanvas {
                    renderer: MeshRenderer::new(Arc::clone(&canvas.picture), &canvas.landmarks),
                    view: canvas.window.view(),
                }),
                Some(network) => Box::new(NeuralRenderer::new(canvas, Arc::clone(network))),
            })
        };
        if self.others.is_empty() {
            return prepare(canvas);
        }
        Ok(Box::new(ReferenceRenderer::new(canvas, &self.others, prepare)?))
    }
}
