//! `/api/live` and `/api/broadcast/{session}`.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade, rejection::WebSocketUpgradeRejection};
use axum::response::Response;
use axum::routing::any;
use axum::{Extension, Router};
use futures_util::StreamExt;
use futures_util::stream::SplitStream;
use gioconda_http::connections::Client;
use gioconda_http::sockets::{End, code, heard, socket_place, upgrade};
use gioconda_http::{ApiError, Part};
use gioconda_portrait::live::{Look, MarkedAvatar};
use image::RgbImage;
use tokio::sync::OwnedSemaphorePermit;

use super::controls::{Controls, Unheard};
use super::outbox::Outbox;
use super::performer::{News, Performer};
use super::protocol::{self, Answer, Incoming, LARGEST_FRAME, PROTOCOL, Request};
use super::sessions::Broadcast;
use crate::limits;
use crate::options::{Options, PortraitId};
use crate::session::Owner;
use crate::studio::{Shared, Studio};

/// How long a page may take for its first word.
const START_WITHIN: Duration = Duration::from_secs(15);

pub(crate) fn routes() -> Router<Shared> {
    Router::new().route("/api/live", any(live)).route("/api/broadcast/{session}", any(broadcast))
}

async fn live(
    State(studio): State<Shared>,
    owner: Owner,
    Extension(client): Extension<Arc<Client>>,
    socket: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, ApiError> {
    let socket = upgrade(socket, PROTOCOL, LARGEST_FRAME)?;
    let place = socket_place(&studio.turns.sockets)?;
    Ok(socket.on_upgrade(move |socket| async move {
        let _place = place;
        let (sink, stream) = socket.split();
        let outbox = Outbox::new();
        let sending = tokio::spawn(Arc::clone(&outbox).send(sink));
        if let Err(end) = perform(&studio, owner, &client, stream, &outbox).await {
            outbox.end(end);
        }
        outbox.close(code::NORMAL, "");
        // It ends after the close, or when the other side is gone.
        let _ = sending.await;
    }))
}

/// The page's next word; `None` when it has left.
pub(crate) async fn incoming(stream: &mut SplitStream<WebSocket>) -> Result<Option<Incoming>, End> {
    loop {
        let Some(message) = heard(stream).await? else { return Ok(None) };
        match message {
            Message::Text(text) if text.len() > limits::JSON_BYTES => return Err(End::too_large()),
            Message::Text(text) => {
                return match serde_json::from_str(&text) {
                    Ok(request) => Ok(Some(Incoming::Text(request))),
                    Err(error) => Err(End::not_understood(format!("not understood: {error}"))),
                };
            }
            Message::Binary(bytes) => return Ok(Some(Incoming::Binary(bytes))),
            Message::Close(_) => return Ok(None),
            Message::Ping(_) | Message::Pong(_) => {}
        }
    }
}

/// What a page starts with.
pub(crate) struct Start {
    pub(crate) portrait: PortraitId,
    pub(crate) options: Box<Options>,
    pub(crate) size: u32,
    pub(crate) name: String,
}

/// Waits for the first word of a page.
pub(crate) async fn start(stream: &mut SplitStream<WebSocket>) -> Result<Option<Start>, End> {
    let first = tokio::time::timeout(START_WITHIN, incoming(stream)).await;
    match first.map_err(|_| End::not_understood("nothing was started"))?? {
        None => Ok(None),
        Some(Incoming::Text(Request::Start { portrait, options, size, name })) => {
            options.check()?;
            Ok(Some(Start { portrait, options, size, name }))
        }
        Some(_) => Err(End::not_understood("a session begins with \"start\"")),
    }
}

impl Studio {
    /// The portrait of `owner` that `id` means, as the engine takes it.
    pub(crate) async fn staged(
        self: &Arc<Self>,
        owner: Owner,
        id: &PortraitId,
    ) -> Result<MarkedAvatar, ApiError> {
        let portrait = self.portrait(owner, id).await?;
        Ok(MarkedAvatar::from(&*portrait))
    }

    /// How `options` want `portrait` to be shown.
    pub(crate) fn look(&self, options: &Options, size: u32, portrait: &PortraitId) -> Look {
        let label = self.label(portrait, options);
        Look::default().size(size).gains(options.gains()).smoothing(options.smoothing).label(label)
    }

    /// Counts what the engine tells, for Prometheus.
    pub(crate) fn note(&self, news: &News, dropped: &mut u64) {
        match news {
            News::Picture { .. } => {
                self.metrics.live_frames.inc();
            }
            News::Statistics(statistics) => {
                self.metrics.live_dropped.inc_by(statistics.dropped.saturating_sub(*dropped));
                *dropped = statistics.dropped;
            }
            News::Failed(_) => {
                self.metrics.errors.inc();
            }
            _ => {}
        }
    }
}

/// There are as many sessions as may be.
pub(crate) fn full() -> End {
    let line = "as many live sessions run as this studio takes; try again in a moment".to_owned();
    End { code: code::TRY_AGAIN_LATER, line, retry_after: Some(5) }
}

/// A place among the sessions, counted as long as it is taken.
pub(crate) struct Place {
    studio: Shared,
    _permit: OwnedSemaphorePermit,
}

impl Place {
    pub(crate) fn take(studio: &Shared) -> Result<Self, End> {
        let permit = studio.realtime.sessions.place().ok_or_else(full)?;
        studio.metrics.sessions.inc();
        Ok(Self { studio: Arc::clone(studio), _permit: permit })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.studio.metrics.sessions.dec();
    }
}

/// One session, from the first word to the last.
async fn perform(
    studio: &Shared,
    owner: Owner,
    client: &Client,
    mut stream: SplitStream<WebSocket>,
    outbox: &Arc<Outbox>,
) -> Result<(), End> {
    let Some(Start { portrait, options, size, .. }) = start(&mut stream).await? else { return Ok(()) };
    let place = Place::take(studio)?;
    // It said what it wants, and there is room for it: its connection does not give way any more.
    client.works();
    let staged = studio.staged(owner, &portrait).await?;
    let open = studio.realtime.sessions.open();
    let look = studio.look(&options, size, &portrait);
    let tell = teller(studio, place, outbox, open.session.clone(), Arc::clone(&open.broadcast));
    let camera = Arc::clone(studio);
    let show = move |picture: &RgbImage| {
        if let Some(camera) = &camera.realtime.virtual_camera {
            camera.show(picture);
        }
    };
    let performer = Performer::start(staged, look, show, tell).map_err(ApiError::from)?;
    let mut controls = Controls { studio, outbox, performer, portrait, options, size };
    while let Some(incoming) = incoming(&mut stream).await? {
        match controls.hear(incoming)? {
            None => {}
            Some(Unheard::Sound(packet)) => open.broadcast.sound(&packet),
            Some(Unheard::Portrait(portrait)) => match studio.staged(owner, &portrait).await {
                Ok(staged) => {
                    controls.portrait = portrait;
                    controls.look();
                    controls.performer.portrait(staged);
                }
                Err(error) => outbox.say(&Answer::error(error.line)),
            },
        }
    }
    Ok(())
}

/// Brings the engine's news to the page and to those who watch. Holds the session's place until the engine ends.
fn teller(
    studio: &Shared,
    place: Place,
    outbox: &Arc<Outbox>,
    session: String,
    broadcast: Arc<Broadcast>,
) -> impl FnMut(News) + Send + 'static {
    let (studio, outbox) = (Arc::clone(studio), Arc::clone(outbox));
    let mut dropped = 0;
    move |news| {
        let _held = &place;
        studio.note(&news, &mut dropped);
        match news {
            News::Ready => outbox.say(&Answer::Ready { session: Some(session.clone()), participant: None }),
            News::Picture { sequence, milliseconds, jpeg, .. } => {
                let frame = protocol::frame(None, sequence, milliseconds, &jpeg);
                broadcast.picture(&frame);
                outbox.picture(0, frame);
            }
            news => say(news, &outbox),
        }
    }
}

/// Says what live sessions and calls say in the same words.
pub(crate) fn say(news: News, outbox: &Outbox) {
    match news {
        News::Face(found) => outbox.say(&Answer::Face { found }),
        News::Calibrated => outbox.say(&Answer::Calibrated),
        News::Statistics(told) => outbox.say(&Answer::Stats {
            frames_per_second: told.frames_per_second,
            latency_ms: told.latency_ms,
            dropped: told.dropped,
        }),
        News::Trouble(line) => outbox.say(&Answer::error(line)),
        News::Failed(line) => outbox.end(End { code: code::FAILED, line, retry_after: None }),
        News::Ready | News::Picture { .. } => {}
    }
}

async fn broadcast(
    State(studio): State<Shared>,
    Part(session): Part<String>,
    socket: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, ApiError> {
    let socket = upgrade(socket, PROTOCOL, 0)?;
    let place = socket_place(&studio.turns.sockets)?;
    let broadcast =
        studio.realtime.sessions.find(&session).ok_or_else(|| ApiError::unknown("live session"))?;
    let outbox = Outbox::new();
    if !broadcast.watch(&outbox) {
        return Err(ApiError::too_many("as many watch this session as may; close another broadcast", 5));
    }
    Ok(socket.on_upgrade(move |socket| async move {
        let _place = place;
        let (sink, mut stream) = socket.split();
        let sending = tokio::spawn(Arc::clone(&outbox).send(sink));
        // Watchers have nothing to say; what they say is not looked at.
        while let Ok(Some(message)) = heard(&mut stream).await {
            if matches!(message, Message::Close(_)) {
                break;
            }
        }
        broadcast.leave(&outbox);
        outbox.close(code::NORMAL, "");
        let _ = sending.await;
    }))
}
