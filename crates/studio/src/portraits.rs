//! Portraits, opened: whatever a request calls whose face is shown, as an avatar with what is declared of it.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use gioconda_avatar::{Avatar, AvatarFile, Declaration, Reference};
use gioconda_face::{FaceChoice, FoundFace, Landmarks};
use gioconda_http::ApiError;
use gioconda_portrait::{NetworkSource, Portrait};

use crate::avatars::read_avatar;
use crate::limits;
use crate::models::portrait;
use crate::options::PortraitId;
use crate::session::Owner;
use crate::studio::Studio;
use crate::turns::in_turn;
use crate::uploads::in_words;

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
    pub(crate) async fn portrait(
        self: &Arc<Self>,
        owner: Owner,
        id: &PortraitId,
    ) -> Result<Arc<Portrait>, ApiError> {
        self.check_portrait(owner, id)?;
        if let Some(portrait) = self.store.portraits.get(id) {
            return Ok(portrait);
        }
        let (studio, wanted) = (Arc::clone(self), id.clone());
        let portrait =
            Arc::new(in_turn(&self.turns.opening, (), move || studio.open_portrait(owner, &wanted)).await??);
        self.store.portraits.keep(id, &portrait);
        Ok(portrait)
    }

    /// Whether there is something of that name for `owner`; a photo counts as used. A kiosk shows its figures only.
    fn check_portrait(&self, owner: Owner, id: &PortraitId) -> Result<(), ApiError> {
        match id {
            PortraitId::Photo { .. } | PortraitId::Avatar { .. } if self.settings.kiosk => {
                Err(ApiError::unknown("figure"))
            }
            PortraitId::Photo { photo, .. } => self.store.uploads.photo(owner, photo).map(drop),
            PortraitId::Figure { figure, .. } => {
                self.store.gallery.picture(figure).map(drop).ok_or_else(|| ApiError::unknown("figure"))
            }
            PortraitId::Avatar { avatar, .. } => self.store.avatars.find(owner, avatar).map(drop),
        }
    }

    fn open_portrait(&self, owner: Owner, id: &PortraitId) -> Result<Portrait, ApiError> {
        match id {
            PortraitId::Photo { photo, face } => {
                let photo = self.store.uploads.photo(owner, photo)?;
                let path: &Path = &photo.file.path;
                let face = choose(&photo.faces, *face)?;
                let shown = reference(path, &face.landmarks)
                    .map_err(|error| ApiError::unusable(in_words(&error, path, "the photo")))?;
                let warnings = face.quality.warnings.clone();
                let mut avatar = self.models.with_network(Avatar { warnings, ..Avatar::of(&[shown]) });
                self.models
                    .with_finder(|finder| avatar.find_matte(finder))
                    .map_err(|error| ApiError::unusable(in_words(&error, path, "the photo")))?;
                self.models.portrait_of(path, AvatarFile::new(avatar, Declaration::default()))
            }
            PortraitId::Figure { figure, face } => {
                let (path, subject) =
                    self.store.gallery.picture(figure).ok_or_else(|| ApiError::unknown("figure"))?;
                let choice = face.map_or(FaceChoice::Clear, |face| FaceChoice::Index(usize::from(face) + 1));
                let avatar = self
                    .models
                    .with_finder(|finder| Avatar::from_photo(path, choice, finder))
                    .map_err(|error| ApiError::unusable(in_words(&error, path, "the figure's picture")))?;
                let declaration = Declaration { subject: Some(subject.to_string()), consent: None };
                self.models.portrait_of(path, AvatarFile::new(self.models.with_network(avatar), declaration))
            }
            PortraitId::Avatar { avatar, .. } => {
                let path = self.store.avatars.find(owner, avatar)?;
                let file = read_avatar(&path)
                    .map_err(|error| ApiError::unusable(in_words(&error, &path, "the avatar")))?;
                portrait(&path, file, NetworkSource::AvatarFile)
            }
        }
    }
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

/// A photo and a face in it, at the size the studio works with: portraits are kept, and a photo of 50 megapixels takes
/// much more memory than any film can show. `landmarks` are the face's in the whole photo.
pub(crate) fn reference(path: &Path, landmarks: &Landmarks) -> Result<Reference, gioconda_media::Error> {
    let photo = gioconda_media::photo::read(path)?.image;
    let longest = photo.width().max(photo.height());
    if longest <= limits::LONGEST_SIDE {
        return Ok(Reference { photo: Arc::new(photo), landmarks: landmarks.clone() });
    }
    let scale = limits::LONGEST_SIDE as f32 / longest as f32;
    let [width, height] =
        [photo.width(), photo.height()].map(|side| (side as f32 * scale).round().max(1.0) as u32);
    let photo = Arc::new(gioconda_media::resize(&photo, width, height));
    Ok(Reference { photo, landmarks: landmarks.map(|point| point * scale) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use gioconda_face::LANDMARKS;
    use image::RgbImage;
    use nalgebra::Vector3;

    #[test]
    fn huge_photos_are_kept_at_the_size_that_is_worked_with_and_their_faces_stay_in_place() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("photo.jpg");
        let most = limits::LONGEST_SIDE;
        for (size, expected) in
            [((most, 240), (most, 240)), ((2 * most, 480), (most, 240)), ((480, 2 * most), (240, most))]
        {
            RgbImage::new(size.0, size.1).save(&path).expect("a photo");
            let [across, down] = [size.0, size.1].map(|side| side as f32 / 2.0);
            let middle = Landmarks { points: [Vector3::new(across, down, 8.0); LANDMARKS] };
            let Reference { photo, landmarks } = reference(&path, &middle).expect("a reference");
            assert_eq!(photo.dimensions(), expected);
            let scale = expected.0 as f32 / size.0 as f32;
            let there = Vector3::new(expected.0 as f32 / 2.0, expected.1 as f32 / 2.0, 8.0 * scale);
            assert!((landmarks.points[0] - there).norm() < 1e-3, "{:?}", landmarks.points[0]);
        }
    }
}
