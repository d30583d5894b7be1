//! Photos and clips that visitors brought: received as streams, bounded in every way, deleted when they are no longer
//! wanted. Their files have names of our own in the studio's temporary folder.

use std::collections::HashMap;
use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use axum::body::{Body, BodyDataStream};
use axum::http::StatusCode;
use futures_util::StreamExt as _;
use gioconda_avatar::Motion;
use gioconda_face::FoundFace;
use gioconda_http::connections::Client;
use gioconda_http::{ApiError, Id, slowly};
use tempfile::{NamedTempFile, TempPath};
use tokio::io::AsyncWriteExt as _;
use tokio::sync::{OnceCell, OwnedSemaphorePermit, Semaphore};

use crate::limits;
use crate::session::Owner;

/// A file that was received; it is deleted with the last that uses it.
#[derive(Clone)]
pub(crate) struct Received {
    pub(crate) path: Arc<TempPath>,
    pub(crate) bytes: u64,
}

/// A photo with its faces.
#[derive(Clone)]
pub(crate) struct Photo {
    pub(crate) file: Received,
    /// Left to right.
    pub(crate) faces: Arc<Vec<FoundFace>>,
}

/// A clip that can be played.
#[derive(Clone)]
pub(crate) struct Clip {
    pub(crate) file: Received,
    /// Frames a second that are taken from it.
    pub(crate) fps: f64,
    /// What its face does, once someone wanted a preview.
    pub(crate) motion: Arc<OnceCell<Arc<Motion>>>,
    /// Set when it is deleted: work on it stops.
    pub(crate) gone: Arc<AtomicBool>,
}

struct Kept<T> {
    item: T,
    owner: Owner,
    used: Instant,
}

#[derive(Default)]
struct Table {
    photos: HashMap<Id, Kept<Photo>>,
    clips: HashMap<Id, Kept<Clip>>,
}

/// How fast uploads have to be: whoever trickles would keep a place from others.
struct Pace {
    /// Longest silence.
    stalled: Duration,
    /// Time that is given to all.
    grace: Duration,
    /// Bytes a second after that, on average.
    least_rate: u32,
}

impl Pace {
    const OF_UPLOADS: Self =
        Self { stalled: limits::STALLED, grace: limits::UPLOAD_GRACE, least_rate: limits::UPLOAD_RATE };

    /// How long to wait for the next bytes when `bytes` have come in `elapsed`.
    fn patience(&self, elapsed: Duration, bytes: u64) -> Duration {
        let earned = Duration::from_secs_f64(bytes as f64 / f64::from(self.least_rate));
        (self.grace + earned).saturating_sub(elapsed).min(self.stalled)
    }
}

/// All uploads.
pub(crate) struct Uploads {
    folder: PathBuf,
    table: Mutex<Table>,
    gate: Arc<Semaphore>,
}

impl Uploads {
    /// Keeps files in `folder`.
    pub(crate) fn new(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
            table: Mutex::default(),
            gate: Arc::new(Semaphore::new(limits::UPLOADS_AT_ONCE)),
        }
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Receives a request's body as a file of at most `most` bytes. The permit, one of those for uploads, is to be kept
    /// until the file has been decoded.
    pub(crate) async fn take_in(
        &self,
        client: &Client,
        body: Body,
        most: u64,
    ) -> Result<(OwnedSemaphorePermit, Received), ApiError> {
        let (permit, body) = self.enter(Some(client), body).await?;
        Ok((permit, self.receive(body, most).await?))
    }

    /// A permit to upload, and the body that may be read with it.
    async fn enter(
        &self,
        client: Option<&Client>,
        body: Body,
    ) -> Result<(OwnedSemaphorePermit, Body), ApiError> {
        let Ok(place) = Arc::clone(&self.gate).try_acquire_owned() else {
            slowly(client, hear_out(body.into_data_stream())).await;
            return Err(ApiError::busy("too many uploads at the same time; try again in a moment", 2));
        };
        Ok((place, body))
    }

    /// An empty file of our own name.
    pub(crate) fn file(&self) -> std::io::Result<NamedTempFile> {
        NamedTempFile::new_in(&self.folder)
    }

    /// Writes a request's body to a file; more than `most` bytes are refused, and so is who sends them too slowly.
    async fn receive(&self, body: Body, most: u64) -> Result<Received, ApiError> {
        self.receive_at(&Pace::OF_UPLOADS, body, most).await
    }

    async fn receive_at(&self, pace: &Pace, body: Body, most: u64) -> Result<Received, ApiError> {
        let too_large = || {
            let line = format!("the file is larger than {} MB; choose a smaller one", most >> 20);
            ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, line)
        };
        let named = self.file()?;
        let mut file = tokio::fs::File::from_std(named.reopen()?);
        let mut bytes = 0;
        let mut stream = body.into_data_stream();
        let began = Instant::now();
        loop {
            let next = tokio::time::timeout(pace.patience(began.elapsed(), bytes), stream.next());
            let too_slow =
                |_| ApiError::new(StatusCode::REQUEST_TIMEOUT, "the upload is too slow; send it again");
            let Some(chunk) = next.await.map_err(too_slow)? else { break };
            let chunk = chunk.map_err(|error| {
                ApiError::new(StatusCode::BAD_REQUEST, format!("the upload broke off: {error}"))
            })?;
            bytes += chunk.len() as u64;
            if bytes > most {
                hear_out(stream).await;
                return Err(too_large());
            }
            file.write_all(&chunk).await?;
        }
        file.flush().await?;
        if bytes == 0 {
            return Err(ApiError::new(
                StatusCode::BAD_REQUEST,
                "the request has no body; send the file's bytes",
            ));
        }
        Ok(Received { path: Arc::new(named.into_temp_path()), bytes })
    }

    pub(crate) fn add_photo(&self, owner: Owner, photo: Photo) -> Result<Id, ApiError> {
        let mut table = self.table();
        table.make_room(photo.file.bytes)?;
        if table.photos.len() >= limits::PHOTOS {
            return Err(full("photos"));
        }
        let id = Id::random();
        table.photos.insert(id.clone(), Kept { item: photo, owner, used: Instant::now() });
        Ok(id)
    }

    pub(crate) fn add_clip(&self, owner: Owner, clip: Clip) -> Result<Id, ApiError> {
        let mut table = self.table();
        table.make_room(clip.file.bytes)?;
        if table.clips.len() >= limits::CLIPS {
            return Err(full("clips"));
        }
        let id = Id::random();
        table.clips.insert(id.clone(), Kept { item: clip, owner, used: Instant::now() });
        Ok(id)
    }

    pub(crate) fn photo(&self, owner: Owner, id: &Id) -> Result<Photo, ApiError> {
        used(&mut self.table().photos, owner, id).ok_or_else(|| ApiError::unknown("photo"))
    }

    pub(crate) fn clip(&self, owner: Owner, id: &Id) -> Result<Clip, ApiError> {
        used(&mut self.table().clips, owner, id).ok_or_else(|| ApiError::unknown("clip"))
    }

    /// Forgets a photo; its file goes when nobody works with it any more.
    pub(crate) fn delete_photo(&self, owner: Owner, id: &Id) -> Result<(), ApiError> {
        let removed = remove(&mut self.table().photos, owner, id);
        removed.map(drop).ok_or_else(|| ApiError::unknown("photo"))
    }

    /// Forgets a clip; its file goes when nobody works with it any more.
    pub(crate) fn delete_clip(&self, owner: Owner, id: &Id) -> Result<(), ApiError> {
        let removed = remove(&mut self.table().clips, owner, id).ok_or_else(|| ApiError::unknown("clip"))?;
        removed.gone.store(true, Ordering::Relaxed);
        Ok(())
    }

    /// Forgets what nobody used for a while.
    pub(crate) fn expire(&self) {
        self.table().expire();
    }

    /// Stops whatever is done with clips: the studio ends.
    pub(crate) fn close(&self) {
        for clip in self.table().clips.values() {
            clip.item.gone.store(true, Ordering::Relaxed);
        }
    }
}

impl Table {
    fn expire(&mut self) {
        self.photos.retain(|_, kept| kept.used.elapsed() < limits::UNUSED);
        self.clips.retain(|_, kept| {
            let stays = kept.used.elapsed() < limits::UNUSED;
            kept.item.gone.fetch_or(!stays, Ordering::Relaxed);
            stays
        });
    }

    fn make_room(&mut self, bytes: u64) -> Result<(), ApiError> {
        self.expire();
        let photos = self.photos.values().map(|kept| kept.item.file.bytes);
        let clips = self.clips.values().map(|kept| kept.item.file.bytes);
        if photos.chain(clips).sum::<u64>() + bytes > limits::UPLOADED_BYTES {
            return Err(full("bytes"));
        }
        Ok(())
    }
}

fn used<T: Clone>(kept: &mut HashMap<Id, Kept<T>>, owner: Owner, id: &Id) -> Option<T> {
    let kept = kept.get_mut(id).filter(|kept| kept.owner == owner)?;
    kept.used = Instant::now();
    Some(kept.item.clone())
}

fn remove<T>(kept: &mut HashMap<Id, Kept<T>>, owner: Owner, id: &Id) -> Option<T> {
    kept.get(id).filter(|kept| kept.owner == owner)?;
    kept.remove(id).map(|kept| kept.item)
}

fn full(what: &str) -> ApiError {
    ApiError::too_many(format!("the studio holds as many {what} as it may; delete some, or wait"), 60)
}

/// Lets whoever is refused say what they have to say, within reason: those who are cut off in the middle of it do not hear
/// why.
async fn hear_out(mut body: BodyDataStream) {
    let said = async { while let Some(Ok(_)) = body.next().await {} };
    // Who goes on for longer is cut off.
    let _ = tokio::time::timeout(limits::HEARD_OUT, said).await;
}

/// `error` in its own words, with what the visitor calls the file instead of where it lies.
pub(crate) fn in_words(error: &impl Display, path: &Path, name: &str) -> String {
    error.to_string().replace(&path.display().to_string(), name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::Bytes;
    use futures_util::stream;

    #[test]
    fn patience_ends_with_silence_and_with_a_rate_that_is_too_low() {
        let seconds = Duration::from_secs;
        let pace = Pace { stalled: seconds(20), grace: seconds(30), least_rate: 1000 };
        for (elapsed, bytes, patience) in [
            (0, 0, 20),
            (15, 1, 15),
            (30, 1, 0),
            (90, 1_000, 0),
            (90, 60_000, 0),
            (90, 70_000, 10),
            (90, 900_000, 20),
        ] {
            assert_eq!(
                pace.patience(seconds(elapsed), bytes).as_secs(),
                patience,
                "{bytes} bytes in {elapsed} s"
            );
        }
        let longest = limits::UPLOAD_GRACE.as_secs() + limits::CLIP_BYTES / u64::from(limits::UPLOAD_RATE);
        assert!(longest < 15 * 60, "nobody keeps a place for {longest} s");
    }

    #[test]
    fn nobody_uses_or_deletes_the_photos_and_clips_of_others() {
        let folder = tempfile::tempdir().expect("a folder");
        let uploads = Uploads::new(folder.path());
        let (ada, grace) = (Owner::example(1), Owner::example(2));
        let file = || {
            let path = uploads.file().expect("a file").into_temp_path();
            Received { path: Arc::new(path), bytes: 1 }
        };
        let photo = uploads.add_photo(ada, Photo { file: file(), faces: Arc::default() }).expect("room");
        let clip = Clip { file: file(), fps: 25.0, motion: Arc::default(), gone: Arc::default() };
        let gone = Arc::clone(&clip.gone);
        let clip = uploads.add_clip(ada, clip).expect("room");
        let refused = [
            uploads.photo(grace, &photo).map(drop),
            uploads.clip(grace, &clip).map(drop),
            uploads.delete_photo(grace, &photo),
            uploads.delete_clip(grace, &clip),
        ];
        assert!(
            refused.iter().all(|refused| refused.as_ref().is_err_and(|e| e.status == StatusCode::NOT_FOUND))
        );
        assert!(uploads.photo(ada, &photo).is_ok() && uploads.clip(ada, &clip).is_ok());
        assert!(!gone.load(Ordering::Relaxed));
        assert!(uploads.delete_photo(ada, &photo).is_ok() && uploads.delete_clip(ada, &clip).is_ok());
        assert!(gone.load(Ordering::Relaxed), "work on the clip stops");
        assert_eq!(std::fs::read_dir(folder.path()).expect("the folder").count(), 0);
    }

    #[tokio::test]
    async fn who_is_refused_is_heard_out() {
        let folder = tempfile::tempdir().expect("a folder");
        let uploads = Uploads::new(folder.path());
        let mut places = Vec::new();
        for _ in 0..limits::UPLOADS_AT_ONCE {
            places.push(uploads.enter(None, Body::empty()).await.expect("a place").0);
        }
        let (said, mut heard) = tokio::sync::mpsc::unbounded_channel();
        let chunks = stream::iter(0..100).map(move |number| {
            said.send(number).expect("somebody counts");
            Ok::<_, std::io::Error>(Bytes::from_static(b"x"))
        });
        let refused = uploads.enter(None, Body::from_stream(chunks)).await.map(|_| ()).expect_err("no place");
        assert_eq!((refused.status, refused.retry_after), (StatusCode::SERVICE_UNAVAILABLE, Some(2)));
        assert_eq!(std::iter::from_fn(|| heard.try_recv().ok()).count(), 100);
        let large = Body::from(vec![0; 100]);
        drop(places);
        let (_place, large) = uploads.enter(None, large).await.expect("there is room again");
        let refused = uploads.receive(large, 10).await.map(|_| ()).expect_err("too large");
        assert_eq!(refused.status, StatusCode::PAYLOAD_TOO_LARGE);
    }

    #[tokio::test]
    async fn an_upload_that_trickles_for_ever_is_broken_off() {
        let folder = tempfile::tempdir().expect("a folder");
        let uploads = Uploads::new(folder.path());
        let pace = Pace {
            stalled: Duration::from_secs(20),
            grace: Duration::from_millis(200),
            least_rate: 1_000_000,
        };
        let trickle = stream::unfold((), |()| async {
            tokio::time::sleep(Duration::from_millis(5)).await;
            Some((Ok::<_, std::io::Error>(Bytes::from_static(b"x")), ()))
        });
        let received = uploads.receive_at(&pace, Body::from_stream(trickle), 1 << 20);
        let received = tokio::time::timeout(Duration::from_mins(1), received).await.expect("it ends");
        assert_eq!(
            received.map(|file| file.bytes).expect_err("too slow").status,
            StatusCode::REQUEST_TIMEOUT
        );
        assert_eq!(std::fs::read_dir(folder.path()).expect("the folder").count(), 0, "nothing stays behind");
    }
}
