//! How much of everything there may be: whatever comes in, memory and disk stay bounded.

use std::time::Duration;

/// Largest photo, bytes.
pub(crate) const PHOTO_BYTES: u64 = 30 << 20;
/// Largest clip, bytes.
pub(crate) const CLIP_BYTES: u64 = 200 << 20;
/// Largest file that is verified, bytes.
pub(crate) const VERIFIED_BYTES: u64 = 200 << 20;
/// Largest JSON body, bytes.
pub(crate) const JSON_BYTES: usize = 64 << 10;
/// Most pixels of a photo. Clips have the limit of `Budget::for_uploads`.
pub(crate) const PIXELS: u64 = gioconda_media::photo::MAX_PIXELS;
/// Longest clip.
pub(crate) const CLIP_SECONDS: f64 = 300.0;
/// Most photos and most clips that are kept at a time.
pub(crate) const PHOTOS: usize = 256;
pub(crate) const CLIPS: usize = 32;
/// Most bytes of all uploads together.
pub(crate) const UPLOADED_BYTES: u64 = 4 << 30;
/// Uploads that are received or looked at at a time; more are told to come back.
pub(crate) const UPLOADS_AT_ONCE: usize = 16;
/// Photos and clips that nobody used for this long are deleted; so are jobs that ended.
pub(crate) const UNUSED: Duration = Duration::from_mins(30);
/// An upload that sends nothing for this long is given up.
pub(crate) const STALLED: Duration = Duration::from_secs(20);
/// How long one that is refused is listened to.
pub(crate) const HEARD_OUT: Duration = Duration::from_secs(2);
/// Time that every upload may take; each further byte earns it a little more.
pub(crate) const UPLOAD_GRACE: Duration = Duration::from_secs(30);
/// Bytes a second that an upload brings at least, on average after the grace; a slower one is broken off, however steadily
/// it trickles.
pub(crate) const UPLOAD_RATE: u32 = 256 << 10;
/// Most bytes of all films that are kept; the oldest go first.
pub(crate) const FILM_BYTES: u64 = 4 << 30;
/// Connections at a time.
pub(crate) const CONNECTIONS: usize = 512;
/// `WebSocket`s at a time: sessions, those who watch them, and some that have not said yet what they want.
pub(crate) const SOCKETS: usize = 192;
/// Clients that follow jobs at a time.
pub(crate) const EVENT_STREAMS: usize = 128;
/// Clips that are followed for previews at a time, and how long that may take.
pub(crate) const FOLLOWED_AT_ONCE: usize = 2;
pub(crate) const FOLLOWED_WITHIN: Duration = Duration::from_secs(90);
/// Largest side of what the studio makes, pixels.
pub(crate) const LARGEST_SIDE: u32 = gioconda_avatar::DEFAULT_LONGEST_SIDE;
/// Longest side of a photo as the studio works with it, pixels: twice what a film can show.
pub(crate) const LONGEST_SIDE: u32 = 2 * LARGEST_SIDE;
/// Jobs that wait, and jobs that ended and are remembered.
pub(crate) const QUEUED_JOBS: usize = 24;
pub(crate) const ENDED_JOBS: usize = 64;
/// Networks that are kept where tuning was stopped; an older one begins anew when its job is resumed.
pub(crate) const PAUSED_LESSONS: usize = 2;
/// Previews that wait for their turn.
pub(crate) const WAITING_PREVIEWS: usize = 8;
/// Portraits that are kept ready.
pub(crate) const READY_PORTRAITS: usize = 8;
/// Live sessions and participants of calls at a time.
pub(crate) const SESSIONS: usize = 24;
/// Photos that are opened at a time.
pub(crate) const OPENED_AT_ONCE: usize = 2;
/// Files that are verified at a time.
pub(crate) const VERIFIED_AT_ONCE: usize = 2;
/// Frames a second of a film, at most; containers of browsers' recordings may claim 240.
pub(crate) const FRAMES_PER_SECOND: f64 = 30.0;
/// Longest text that is stored: a name, a consent.
pub(crate) const TEXT: usize = 400;
