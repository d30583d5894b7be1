//! A person in one photo: what is found once and used for every frame.

use std::path::Path;
use std::sync::Arc;

use gioconda_face::{FaceChoice, FaceFinder, FoundFace, Landmarks, Matte, QualityWarning};
use gioconda_media::Photo;
use gioconda_model::{PersonalNetwork, Reference};
use gioconda_warp::Background;
use image::RgbImage;

use crate::Error;
use crate::matte::matte_of;
use crate::render::canvas::Canvas;
use crate::render::neural_renderer::NeuralRenderer;
use crate::render::references::ReferenceRenderer;
use crate::render::renderer::{MeshOnCanvas, OnCanvas, Painter, Renderer, RendererKind};

/// A photo and the face in it that will move, with whatever else is known of the person.
#[derive(Clone, Debug)]
pub struct Avatar {
    /// The photo, upright.
    pub photo: Arc<RgbImage>,
    /// The face, in pixels of the photo.
    pub landmarks: Landmarks,
    /// How much of each pixel of the photo belongs to the person; `None` where no matte can be trusted: head and
    /// background then move as one.
    pub matte: Option<Arc<Matte>>,
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
        let OpenedPhoto { photo, faces, chosen } = OpenedPhoto::read(path, choice, finder)?;
        let landmarks = chosen.landmarks.clone();
        let matte =
            usable(matte_of(&photo, &landmarks, faces.iter().map(|face| &face.landmarks), finder)?, path);
        let shown = Reference { photo: Arc::new(photo.image), landmarks };
        Ok(Self { warnings: chosen.quality.warnings, matte, ..Self::of(&[shown]) })
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
            let OpenedPhoto { photo, chosen, .. } = OpenedPhoto::read(path.as_ref(), choice, finder)?;
            avatar.others.push(Reference { photo: Arc::new(photo.image), landmarks: chosen.landmarks });
        }
        Ok(avatar)
    }

    /// An avatar of photos whose faces are known; the first one is what is shown. It has no network yet, and no
    /// [matte](Avatar::find_matte).
    ///
    /// # Panics
    /// When there are no photos.
    pub fn of(photos: &[Reference]) -> Self {
        let (Reference { photo, landmarks }, others) = photos.split_first().expect("an avatar has a photo");
        let (photo, landmarks) = (Arc::clone(photo), landmarks.clone());
        Self { photo, landmarks, matte: None, warnings: Vec::new(), others: others.to_vec(), network: None }
    }

    /// Finds the matte of the photo and keeps it where it can be trusted: for pictures without alpha in which nobody else is
    /// near; [`matte_of`](crate::matte_of) is for others.
    ///
    /// # Errors
    /// When the model fails.
    pub fn find_matte(&mut self, finder: &mut FaceFinder) -> Result<(), Error> {
        let matte = finder.matte(&self.photo, &self.landmarks, &[])?;
        self.matte = usable(matte, Path::new("the photo"));
        Ok(())
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

    /// A renderer of `kind` for a canvas made of this avatar's photo, which shows the person before `background`.
    ///
    /// # Errors
    /// [`Error::NoNetwork`] where a network is asked for and there is none, [`Error::NoMatte`] where another background than
    /// the photo's own is asked for and the avatar has no matte.
    pub fn renderer(
        &self,
        kind: RendererKind,
        background: Background,
        canvas: &Canvas,
    ) -> Result<Box<dyn Renderer>, Error> {
        if background != Background::Keep && self.matte.is_none() {
            return Err(Error::NoMatte);
        }
        match kind {
            RendererKind::Mesh => {
                Ok(self.renderer_of((), background, canvas, |canvas, background, ()| MeshOnCanvas {
                    renderer: canvas.mesh_renderer().with_background(background),
                    view: canvas.window.view(),
                }))
            }
            RendererKind::Neural => {
                let network = self.network.as_ref().ok_or(Error::NoNetwork)?;
                Ok(self.renderer_of(network.prepared(), background, canvas, NeuralRenderer::new))
            }
        }
    }

    fn renderer_of<S: Send + 'static, P: Painter<S> + 'static>(
        &self,
        shared: S,
        background: Background,
        canvas: &Canvas,
        prepare: impl Fn(&Canvas, Background, &S) -> P,
    ) -> Box<dyn Renderer> {
        if self.others.is_empty() {
            let painter = prepare(canvas, background, &shared);
            return Box::new(OnCanvas { shared, painter });
        }
        Box::new(ReferenceRenderer::new(canvas, background, &self.others, shared, prepare))
    }
}

/// A photo, all its faces, and the one that is meant.
struct OpenedPhoto {
    photo: Photo,
    faces: Vec<FoundFace>,
    chosen: FoundFace,
}

impl OpenedPhoto {
    fn read(path: &Path, choice: FaceChoice, finder: &mut FaceFinder) -> Result<Self, Error> {
        let photo = gioconda_media::photo::read(path)?;
        let faces = finder.find_faces(&photo.image)?;
        let chosen = choice.choose(&faces).map_err(|error| Error::from(error).in_picture(path))?;
        let chosen = chosen.cloned().ok_or_else(|| Error::NoFace {
            path: path.to_owned(),
            what:
                "no face found; use a photo in which one face is seen from the front, 100 pixels wide or more"
                    .to_owned(),
        })?;
        Ok(Self { photo, faces, chosen })
    }
}

/// The matte if it can be trusted; else the log says why not.
fn usable(matte: Matte, photo: &Path) -> Option<Arc<Matte>> {
    if matte.is_usable() {
        return Some(Arc::new(matte));
    }
    tracing::info!("{}: {}; head and background move as one", photo.display(), matte.verdict);
    None
}
