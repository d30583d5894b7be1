//! Portraits, opened: whatever a request calls whose face is shown, as an avatar with what is declared of it.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use gioconda_avatar::{Avatar, AvatarFile, Declaration, Reference};
use gioconda_face::{FaceChoice, FaceFinder, FoundFace};
use gioconda_provenance::Input;
use gioconda_provenance::watermark::{AvatarId, Payload};

use crate::error::ApiError;
use crate::limits;
use crate::options::PortraitId;
use crate::studio::Studio;
use crate::uploads::in_words;

/// A portrait that is ready to be moved.
pub(crate) struct Portrait {
    /// The photo at the size the studio works with, and the face in it.
    pub(crate) avatar: Avatar,
    /// Who is shown, as far as the figure's card or the avatar's maker declared it.
    pub(crate) declaration: Declaration,
    /// The file it was made of, for its statement.
    pub(crate) input: Input,
}

impl Portrait {
    /// What the invisible mark says of pictures of this portrait.
    pub(crate) fn payload(&self) -> Payload {
        Payload::today(AvatarId::from_hash(self.input.sha256))
    }
}

/// The portraits that were used last.
#[derive(Default)]
pub(crate) struct Portraits {
    ready: Mutex<VecDeque<(PortraitId, Arc<Portrait>)>>,
}

impl Portraits {
    fn get(&self, id: &PortraitId) -> Option<Arc<Portrait>> {
        let mut ready = self.ready.lock().unwrap_or_else(PoisonError::into_inner);
        let place = ready.iter().position(|(there, _)| there == id)?;
        let entry = ready.remove(place)?;
        let portrait = Arc::clone(&entry.1);
        ready.push_back(entry);
        Some(portrait)
    }

    fn keep(&self, id: &PortraitId, portrait: &Arc<Portrait>) {
        let mut ready = self.ready.lock().unwrap_or_else(PoisonError::into_inner);
        ready.push_back((id.clone(), Arc::clone(portrait)));
        if ready.len() > limits::READY_PORTRAITS {
            ready.pop_front();
        }
    }

    /// Forgets a portrait that was deleted.
    pub(crate) fn forget(&self, gone: impl Fn(&PortraitId) -> bool) {
        self.ready.lock().unwrap_or_else(PoisonError::into_inner).retain(|(id, _)| !gone(id));
    }
}

impl Studio {
    /// The portrait that `id` means.
    pub(crate) async fn portrait(self: &Arc<Self>, id: &PortraitId) -> Result<Arc<Portrait>, ApiError> {
        let exists = self.check_portrait(id);
        exists?;
        if let Some(portrait) = self.portraits.get(id) {
            return Ok(portrait);
        }
        let (studio, wanted) = (Arc::clone(self), id.clone());
        let portrait = Arc::new(tokio::task::spawn_blocking(move || studio.open_portrait(&wanted)).await??);
        self.portraits.keep(id, &portrait);
        Ok(portrait)
    }

    /// Whether there is something of that name; a photo counts as used.
    fn check_portrait(&self, id: &PortraitId) -> Result<(), ApiError> {
        match id {
            PortraitId::Photo { photo, .. } => self.uploads.photo(photo).map(drop),
            PortraitId::Figure { figure, .. } => {
                self.gallery.picture(figure).map(drop).ok_or_else(|| ApiError::unknown("figure"))
            }
            PortraitId::Avatar { avatar, .. } => self.avatars.find(avatar).map(drop),
        }
    }

    fn open_portrait(&self, id: &PortraitId) -> Result<Portrait, ApiError> {
        match id {
            PortraitId::Photo { photo, face } => {
                let photo = self.uploads.photo(photo)?;
                let path: &Path = &photo.file.path;
                let words = |error: &dyn std::fmt::Display| {
                    ApiError::unusable(in_words(&error.to_string(), path, "the photo"))
                };
                let face = choose(&photo.faces, *face)?;
                let picture = gioconda_media::photo::read(path).map_err(|error| words(&error))?.image;
                let shown = Reference { photo: Arc::new(picture), landmarks: face.landmarks.clone() };
                let warnings = face.quality.warnings.clone();
                let avatar = Avatar { warnings, ..Avatar::of(&[shown]) };
                portrait(path, AvatarFile::new(avatar, Declaration::default()))
            }
            PortraitId::Figure { figure, face } => {
                let (path, subject) =
                    self.gallery.picture(figure).ok_or_else(|| ApiError::unknown("figure"))?;
                let choice = face.map_or(FaceChoice::Clear, |face| FaceChoice::Index(usize::from(face) + 1));
                let avatar = self
                    .with_finder(|finder| Avatar::from_photo(path, choice, finder))
                    .map_err(|error| ApiError::unusable(in_words(&error, path, "the figure's picture")))?;
                let subject = Some(subject.to_string());
                portrait(path, AvatarFile::new(avatar, Declaration { subject, consent: None }))
            }
            PortraitId::Avatar { avatar, .. } => {
                let path = self.avatars.find(avatar)?;
                let file = AvatarFile::read(&path)
                    .map_err(|error| ApiError::unusable(in_words(&error, &path, "the avatar")))?;
                portrait(&path, file)
            }
        }
    }

    /// Lends the face finder: one photo is looked at at a time.
    pub(crate) fn with_finder<T>(&self, work: impl FnOnce(&mut FaceFinder) -> T) -> T {
        work(&mut self.finder.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn portrait(path: &Path, file: AvatarFile) -> Result<Portrait, ApiError> {
    let AvatarFile { avatar, declaration } = file;
    let input = Input::read("portrait", path, Some(&avatar.photo), false).map_err(ApiError::internal)?;
    Ok(Portrait { avatar, declaration, input })
}

/// The face that is meant; where nothing was said, the only one or the clearly largest.
pub(crate) fn choose(faces: &[FoundFace], face: Option<u16>) -> Result<&FoundFace, ApiError> {
    let choice = face.map_or(FaceChoice::Clear, |face| FaceChoice::Index(usize::from(face) + 1));
    let chosen = choice.choose(faces).map_err(|error| {
        ApiError::unusable(format!("the photo: {error}; choose with \"face\", from the left, from 0"))
    })?;
    chosen.ok_or_else(|| {
        ApiError::unusable(
            "the photo: no face found; use a photo in which one face is seen from the front, 100 pixels wide or more",
        )
    })
}
