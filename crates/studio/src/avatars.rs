//! The folder of saved avatars: `ID.avatar` as `gioconda learn` writes it, with `ID.json`, what it is called, and
//! `ID.jpg`, its strip of before and after. Requests name none of these files: ids are looked up among those there are.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use axum::http::StatusCode;
use gioconda_avatar::{AVATAR_EXTENSION, AvatarFile, Tuning};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::error::{ApiError, Error};
use crate::id::Id;

/// A saved avatar as it is listed.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct AvatarCard {
    /// What requests call it by.
    pub(crate) id: String,
    /// What its maker calls it.
    pub(crate) name: String,
    /// Of how many photos it was made.
    pub(crate) photos: usize,
    /// Whether a network was tuned to the person.
    pub(crate) tuned: bool,
    /// When it was made, RFC 3339.
    pub(crate) created: String,
}

/// Saved avatars.
pub(crate) struct AvatarFolder {
    folder: PathBuf,
    /// Cards of avatars that came without one, by id and time of change.
    read: Mutex<HashMap<(String, SystemTime), AvatarCard>>,
}

impl AvatarFolder {
    /// `folder`, or the user's data folder.
    pub(crate) fn open(folder: Option<&Path>) -> Result<Self, Error> {
        let folder = if let Some(folder) = folder {
            folder.to_owned()
        } else {
            use etcetera::BaseStrategy as _;
            let places =
                etcetera::choose_base_strategy().map_err(|error| Error::NoDataFolder(error.to_string()))?;
            places.data_dir().join("gioconda").join("avatars")
        };
        Ok(Self { folder, read: Mutex::default() })
    }

    /// All that can be used, the newest first.
    pub(crate) fn list(&self) -> Result<Vec<AvatarCard>, ApiError> {
        let mut cards: Vec<AvatarCard> =
            self.files()?.into_iter().filter_map(|(id, path)| self.card(id, &path)).collect();
        cards.sort_by(|a, b| b.created.cmp(&a.created).then_with(|| a.id.cmp(&b.id)));
        Ok(cards)
    }

    /// The file of the avatar called `id`.
    pub(crate) fn find(&self, id: &str) -> Result<PathBuf, ApiError> {
        let found = self.files()?.into_iter().find(|(there, _)| there == id);
        found.map(|(_, path)| path).ok_or_else(|| ApiError::unknown("avatar"))
    }

    /// The strip of before and after of the avatar called `id`.
    pub(crate) fn strip(&self, id: &str) -> Result<PathBuf, ApiError> {
        let strip = self.find(id)?.with_extension("jpg");
        if strip.is_file() {
            Ok(strip)
        } else {
            Err(ApiError::new(StatusCode::NOT_FOUND, "this avatar has no strip; it was made elsewhere"))
        }
    }

    /// Deletes an avatar and all that belongs to it.
    pub(crate) fn delete(&self, id: &str) -> Result<(), ApiError> {
        let path = self.find(id)?;
        fs::remove_file(&path)?;
        for extension in ["json", "jpg"] {
            match fs::remove_file(path.with_extension(extension)) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
                _ => {}
            }
        }
        Ok(())
    }

    /// Saves an avatar under a new id; the file comes last, so that what is listed is complete.
    pub(crate) fn save(&self, file: &AvatarFile, name: &str, strip: &[u8]) -> Result<String, Error> {
        let failed = |cause| Error::Folder { path: self.folder.clone(), cause };
        fs::create_dir_all(&self.folder).map_err(failed)?;
        let id = Id::random().to_string();
        let path = self.folder.join(&id).with_extension(AVATAR_EXTENSION);
        let card = card_of(id.clone(), name.to_owned(), file, SystemTime::now());
        let json = serde_json::to_vec(&card).map_err(|error| failed(error.into()))?;
        let media = |error: gioconda_media::Error| Error::Avatar(error.into());
        gioconda_media::save_bytes(&path.with_extension("json"), &json).map_err(media)?;
        gioconda_media::save_bytes(&path.with_extension("jpg"), strip).map_err(media)?;
        file.write(&path)?;
        Ok(id)
    }

    fn files(&self) -> Result<Vec<(String, PathBuf)>, ApiError> {
        let entries = match fs::read_dir(&self.folder) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries?,
        };
        let mut files = Vec::new();
        for entry in entries {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == AVATAR_EXTENSION)
                && let Some(id) = path.file_stem().and_then(|stem| stem.to_str())
            {
                files.push((id.to_owned(), path));
            }
        }
        Ok(files)
    }

    fn card(&self, id: String, path: &Path) -> Option<AvatarCard> {
        let written = fs::read(path.with_extension("json")).ok();
        if let Some(card) = written.and_then(|json| serde_json::from_slice::<AvatarCard>(&json).ok()) {
            return Some(AvatarCard { id, ..card });
        }
        let changed = fs::metadata(path).and_then(|metadata| metadata.modified()).ok()?;
        let key = (id, changed);
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(card) = read.get(&key) {
            return Some(card.clone());
        }
        let file = AvatarFile::read(path).map_err(|error| tracing::warn!("{error}")).ok()?;
        let card = card_of(key.0.clone(), key.0.clone(), &file, changed);
        read.insert(key, card.clone());
        Some(card)
    }
}

fn card_of(id: String, name: String, file: &AvatarFile, time: SystemTime) -> AvatarCard {
    let network = file.avatar.network.as_ref();
    let created = jiff::Timestamp::try_from(time).unwrap_or_default();
    AvatarCard {
        id,
        name,
        photos: 1 + file.avatar.others.len(),
        tuned: network.is_some_and(|network| matches!(network.tuning, Tuning::Tuned { .. })),
        created: created.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
    }
}
