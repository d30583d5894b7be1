//! Portraits, opened: whatever a request calls whose face is shown, as an avatar with what is declared of it.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use gioconda_avatar::{Avatar, AvatarFile, Declaration, Reference, matte_of};
use gioconda_face::{FaceChoice, FaceFinder, FoundFace, Landmarks, Matte};
use gioconda_http::ApiError;
use gioconda_media::Photo;
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
                let unusable =
                    |error: &dyn std::error::Error| ApiError::unusable(in_words(&error, path, "the photo"));
                let shown =
                    ReducedPhoto::read(path, &face.landmarks, &photo.faces).map_err(|e| unusable(&e))?;
                let matte =
                    self.models.with_finder(|finder| shown.matte(finder)).map_err(|e| unusable(&e))?;
                let warnings = face.quality.warnings.clone();
                let avatar = Avatar { warnings, matte, ..Avatar::of(&[shown.into()]) };
                let avatar = self.models.with_network(avatar);
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

/// A photo and the faces in it, at the size the studio works with: portraits are kept, and a photo of 50 megapixels takes
/// much more memory than any film can show.
pub(crate) struct ReducedPhoto {
    photo: Photo,
    /// The face that is meant, in its pixels.
    face: Landmarks,
    /// All faces, likewise.
    faces: Vec<Landmarks>,
}

impl ReducedPhoto {
    /// `face` is that of the whole photo which is meant among all its `faces`.
    pub(crate) fn read(
        path: &Path,
        face: &Landmarks,
        faces: &[FoundFace],
    ) -> Result<Self, gioconda_media::Error> {
        let mut photo = gioconda_media::photo::read(path)?;
        let longest = photo.image.width().max(photo.image.height());
        let scale = (limits::LONGEST_SIDE as f32 / longest as f32).min(1.0);
        if scale < 1.0 {
            let [width, height] = [photo.image.width(), photo.image.height()]
                .map(|side| (side as f32 * scale).round().max(1.0) as u32);
            photo.image = gioconda_media::resize(&photo.image, width, height);
            photo.alpha = photo.alpha.map(|alpha| gioconda_media::resize_matte(&alpha, width, height));
        }
        let reduced = |face: &Landmarks| face.map(|point| point * scale);
        let faces = faces.iter().map(|face| reduced(&face.landmarks)).collect();
        Ok(Self { photo, face: reduced(face), faces })
    }

    /// The matte of the person who is meant, where it can be trusted.
    pub(crate) fn matte(
        &self,
        finder: &mut FaceFinder,
    ) -> Result<Option<Arc<Matte>>, gioconda_avatar::Error> {
        let matte = matte_of(&self.photo, &self.face, &self.faces, finder)?;
        Ok(matte.is_usable().then(|| Arc::new(matte)))
    }
}

impl From<ReducedPhoto> for Reference {
    fn from(photo: ReducedPhoto) -> Self {
        Self { photo: Arc::new(photo.photo.image), landmarks: photo.face }
    }
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
            let reduced = ReducedPhoto::read(&path, &middle, &[]).expect("a photo");
            let Reference { photo, landmarks } = reduced.into();
            assert_eq!(photo.dimensions(), expected);
            let scale = expected.0 as f32 / size.0 as f32;
            let there = Vector3::new(expected.0 as f32 / 2.0, expected.1 as f32 / 2.0, 8.0 * scale);
            assert!((landmarks.points[0] - there).norm() < 1e-3, "{:?}", landmarks.points[0]);
        }
    }

    #[test]
    fn alpha_and_other_faces_come_with_a_photo() {
        let mona =
            image::open(gioconda_testkit::repository("assets/mona_lisa.jpg")).expect("a photo").to_rgb8();
        let mut finder = FaceFinder::new(gioconda_face::Threads::Shared).expect("built in");
        let (width, height) = mona.dimensions();
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("photo.png");
        // Twice her, and nothing of the left one opaque but a disc around her head.
        let mut two = RgbImage::new(2 * width, height);
        for x in [0, i64::from(width)] {
            image::imageops::replace(&mut two, &mona, x, 0);
        }
        let faces = finder.find_faces(&two).expect("searched");
        let [left, right] = faces.as_slice() else { panic!("{} faces", faces.len()) };
        two.save(&path).expect("a photo");
        let shown = ReducedPhoto::read(&path, &right.landmarks, &faces).expect("a photo");
        let scale = shown.photo.image.width() as f32 / two.width() as f32;
        let other = left.landmarks.map(|point| point * scale);
        let matte = shown.matte(&mut finder).expect("looked at").expect("a matte");
        assert!(matte.share_of(&shown.face) > 0.95 && matte.share_of(&other) < 0.01);

        let middle = left.landmarks.bounds();
        let (middle, face) = ((middle.0 + middle.1) / 2.0, (middle.1 - middle.0).max());
        let disc = |x: u32, y: u32| {
            let away = (x as f32 - middle.x).hypot(y as f32 - middle.y);
            if away < 0.9 * face { 255 } else { 0 }
        };
        let cut = image::RgbaImage::from_fn(2 * width, height, |x, y| {
            let image::Rgb([r, g, b]) = *two.get_pixel(x, y);
            image::Rgba([r, g, b, disc(x, y)])
        });
        cut.save(&path).expect("a photo");
        let shown = ReducedPhoto::read(&path, &left.landmarks, &faces).expect("a photo");
        let matte = shown.matte(&mut finder).expect("looked at").expect("a matte");
        assert_eq!(matte.alpha.dimensions(), shown.photo.image.dimensions());
        for (x, y, alpha) in matte.alpha.enumerate_pixels().map(|(x, y, alpha)| (x, y, alpha[0])) {
            let away =
                ((x as f32 + 0.5) / scale - middle.x).hypot((y as f32 + 0.5) / scale - middle.y) / face;
            assert!(away > 0.85 || alpha == 255, "{x} {y}: {alpha}");
            assert!(away < 0.95 || alpha == 0, "{x} {y}: {alpha}");
        }
    }
}
