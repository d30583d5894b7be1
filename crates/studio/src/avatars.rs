//! The folder of saved avatars: `ID.avatar` as `gioconda learn` writes it, with `ID.json`, what it is called, and
//! `ID.jpg`, its strip of before and after. Requests name none of these files: ids are looked up among those there are.
//!
//! An avatar that a client made belongs to that client, and `ID.json` says so; others do not see it. One that was put
//! into the folder belongs to nobody: everybody may use it.

use std::collections::HashMap;
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use axum::http::StatusCode;
use gioconda_avatar::{AVATAR_EXTENSION, AvatarFile, Tuning};
use gioconda_http::{ApiError, Id};
use gioconda_media::isolation;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::error::Error;
use crate::session::Owner;

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

/// What `ID.json` holds.
#[derive(Serialize, Deserialize)]
struct Stored {
    #[serde(flatten)]
    card: AvatarCard,
    /// Whose it is, as [`Owner::to_hex`] has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    owner: Option<String>,
}

/// Largest `ID.json`, bytes.
const LARGEST_CARD: u64 = 64 << 10;

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

    /// All that `owner` can use, the newest first.
    pub(crate) fn list(&self, owner: Owner) -> Result<Vec<AvatarCard>, ApiError> {
        let visible = |(id, path): (String, PathBuf)| {
            let stored = stored(&path);
            is_visible(stored.as_ref(), owner).then(|| self.card(id, &path, stored)).flatten()
        };
        let mut cards: Vec<AvatarCard> = self.files()?.into_iter().filter_map(visible).collect();
        cards.sort_by(|a, b| b.created.cmp(&a.created).then_with(|| a.id.cmp(&b.id)));
        Ok(cards)
    }

    /// The file of the avatar called `id`; those of others are not there.
    pub(crate) fn find(&self, owner: Owner, id: &str) -> Result<PathBuf, ApiError> {
        let found = self.files()?.into_iter().find(|(there, _)| there == id).map(|(_, path)| path);
        let found = found.filter(|path| is_visible(stored(path).as_ref(), owner));
        found.ok_or_else(|| ApiError::unknown("avatar"))
    }

    /// The strip of before and after of the avatar called `id`.
    pub(crate) fn strip(&self, owner: Owner, id: &str) -> Result<PathBuf, ApiError> {
        let strip = self.find(owner, id)?.with_extension("jpg");
        if strip.is_file() {
            Ok(strip)
        } else {
            Err(ApiError::new(StatusCode::NOT_FOUND, "this avatar has no strip; it was made elsewhere"))
        }
    }

    /// Deletes an avatar and all that belongs to it; one that belongs to nobody only where the studio is not shared.
    pub(crate) fn delete(&self, owner: Owner, id: &str, shared: bool) -> Result<(), ApiError> {
        let path = self.find(owner, id)?;
        if shared && stored(&path).is_none_or(|stored| stored.owner.is_none()) {
            let line = "this avatar belongs to nobody; whoever runs the studio deletes its file";
            return Err(ApiError::new(StatusCode::CONFLICT, line));
        }
        fs::remove_file(&path)?;
        for extension in ["json", "jpg"] {
            match fs::remove_file(path.with_extension(extension)) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
                _ => {}
            }
        }
        Ok(())
    }

    /// Saves an avatar of `owner` under a new id; the file comes last, so that what is listed is complete.
    pub(crate) fn save(
        &self,
        owner: Owner,
        file: &AvatarFile,
        name: &str,
        strip: &[u8],
    ) -> Result<String, Error> {
        let failed = |cause| Error::Folder { path: self.folder.clone(), cause };
        fs::create_dir_all(&self.folder).map_err(failed)?;
        let id = Id::random().to_string();
        let path = self.folder.join(&id).with_extension(AVATAR_EXTENSION);
        let card = card_of(id.clone(), name.to_owned(), file, SystemTime::now());
        let stored = Stored { card, owner: Some(owner.to_hex()) };
        let json = serde_json::to_vec(&stored).map_err(|error| failed(error.into()))?;
        let media = |error: gioconda_media::Error| Error::Avatar(error.into());
        let saved = gioconda_media::save_bytes(&path.with_extension("json"), &json)
            .and_then(|()| gioconda_media::save_bytes(&path.with_extension("jpg"), strip))
            .map_err(media)
            .and_then(|()| file.write(&path).map_err(Error::from));
        if saved.is_err() {
            // Nothing of an avatar that is not whole; what was not written need not be removed.
            for extension in ["json", "jpg"] {
                let _ = fs::remove_file(path.with_extension(extension));
            }
        }
        saved.map(|()| id)
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
                && !id.chars().any(char::is_control)
            {
                files.push((id.to_owned(), path));
            }
        }
        Ok(files)
    }

    fn card(&self, id: String, path: &Path, stored: Option<Stored>) -> Option<AvatarCard> {
        if let Some(Stored { card, .. }) = stored {
            return Some(AvatarCard { id, ..card });
        }
        let changed = fs::metadata(path).and_then(|metadata| metadata.modified()).ok()?;
        let key = (id, changed);
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(card) = read.get(&key) {
            return Some(card.clone());
        }
        let file = read_avatar(path).map_err(|error| tracing::warn!("{error}")).ok()?;
        let card = card_of(key.0.clone(), key.0.clone(), &file, changed);
        read.insert(key, card.clone());
        Some(card)
    }
}

/// What `ID.json` says of the avatar at `path`, where it says something.
fn stored(path: &Path) -> Option<Stored> {
    let mut json = Vec::new();
    let file = fs::File::open(path.with_extension("json")).ok()?;
    file.take(LARGEST_CARD).read_to_end(&mut json).ok()?;
    serde_json::from_slice(&json).ok()
}

fn is_visible(stored: Option<&Stored>, owner: Owner) -> bool {
    let named = stored.and_then(|stored| stored.owner.as_deref());
    named.is_none_or(|named| named == owner.to_hex())
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

/// How long a child process may take to read an avatar.
const AVATAR_WITHIN: Duration = Duration::from_mins(1);

/// The avatar in the file at `path`. Where there are child processes for it, one has read it without harm before.
pub(crate) fn read_avatar(path: &Path) -> Result<AvatarFile, gioconda_avatar::Error> {
    if let Some(isolation) = isolation::in_force() {
        isolation.ask("avatar", path, &[], AVATAR_WITHIN)?;
    }
    AvatarFile::read(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn avatars_of_others_are_not_there_and_those_of_nobody_are_everybodys() {
        let folder = tempfile::tempdir().expect("a folder");
        let avatars = AvatarFolder::open(Some(folder.path())).expect("a folder");
        let (ada, grace) = (Owner::example(1), Owner::example(2));
        let put = |id: &str, owner: Option<Owner>| {
            let card = AvatarCard {
                id: id.to_owned(),
                name: "Lisa".to_owned(),
                photos: 1,
                tuned: false,
                created: "2026-11-30T00:00:00Z".to_owned(),
            };
            let stored = Stored { card, owner: owner.map(Owner::to_hex) };
            let at = |extension| folder.path().join(id).with_extension(extension);
            fs::write(at("json"), serde_json::to_vec(&stored).expect("JSON")).expect("written");
            fs::write(at(AVATAR_EXTENSION), "an avatar").expect("written");
        };
        put("hers", Some(ada));
        put("anyones", None);
        let seen = |owner| {
            let cards = avatars.list(owner).unwrap_or_else(|error| panic!("{}", error.line));
            let json = serde_json::to_string(&cards).expect("JSON");
            assert!(!json.contains("owner"), "the owner is nobody's business: {json}");
            cards.into_iter().map(|card| card.id).collect::<Vec<_>>()
        };
        assert_eq!(
            (seen(ada), seen(grace)),
            (vec!["anyones".to_owned(), "hers".to_owned()], vec!["anyones".to_owned()])
        );
        let status = |done: Result<(), ApiError>| done.err().map(|error| error.status);
        for id in ["hers", "../hers", "hers.avatar", "", ".", "..", "he\nrs"] {
            assert_eq!(status(avatars.find(grace, id).map(drop)), Some(StatusCode::NOT_FOUND), "{id:?}");
            assert_eq!(status(avatars.delete(grace, id, false)), Some(StatusCode::NOT_FOUND), "{id:?}");
        }
        assert_eq!(status(avatars.delete(grace, "anyones", true)), Some(StatusCode::CONFLICT));
        assert_eq!(status(avatars.delete(ada, "hers", true)), None);
        assert_eq!(status(avatars.delete(grace, "anyones", false)), None, "on a machine of one's own");
        assert_eq!(fs::read_dir(folder.path()).expect("the folder").count(), 0);
    }
}
