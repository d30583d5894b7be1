//! `/relay/{room}`, and the relay that is nothing else.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade, rejection::WebSocketUpgradeRejection};
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get};
use axum::{Extension, Router};
use futures_util::stream::SplitSink;
use futures_util::{SinkExt, StreamExt};
use gioconda_http::connections::{self, Bounds, Client};
use gioconda_http::sockets::{End, PING_EVERY, closing, code, heard, socket_place, upgrade};
use gioconda_http::{ApiError, Error, Part, Token, interrupted, link};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::sync::mpsc::Receiver;

use crate::room::{Delivery, Limits, Refusal, Relay, Seat};
use crate::wire::{self, LARGEST_FRAME, LONGEST_NAME, LONGEST_ROOM, Notice, PROTOCOL};

/// How long a participant may take to say their name.
const JOIN_WITHIN: Duration = Duration::from_secs(15);
/// How long a participant may take for one frame.
const SEND_WITHIN: Duration = Duration::from_secs(10);

/// What requests to a relay share.
#[derive(Clone)]
struct Served {
    relay: Arc<Relay>,
    /// Permits for its `WebSocket`s.
    sockets: Arc<Semaphore>,
}

/// The relay's address, for whichever state a server has. Each `WebSocket` takes one of the permits in `sockets`.
pub fn routes<S: Clone + Send + Sync + 'static>(relay: Arc<Relay>, sockets: Arc<Semaphore>) -> Router<S> {
    Router::new().route("/relay/{room}", any(join)).with_state(Served { relay, sockets })
}

/// Connections that a full relay has for those whom it must tell so.
const SPARE_CONNECTIONS: usize = 64;

/// How a relay is run that is nothing else.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where to listen; port 0 takes any free one.
    pub listen: SocketAddr,
    /// How many there may be.
    pub limits: Limits,
    /// What studios must know; `None` makes one up where the relay listens beyond this machine.
    pub token: Option<String>,
}

/// A relay and nothing else, until `end` comes true; `ready` is told its address, as [`Address`](crate::Address) takes it.
///
/// # Errors
/// When the address is taken.
pub async fn serve(
    settings: Settings,
    ready: impl FnOnce(&str),
    end: impl Future<Output = ()> + Send,
) -> Result<(), Error> {
    let Settings { listen, limits: most, token } = settings;
    let failed = |cause| Error::Listen { address: listen, cause };
    let listener = TcpListener::bind(listen).await.map_err(failed)?;
    let token = Token::of_server(listen, token.as_deref());
    ready(&link("ws", listener.local_addr().map_err(failed)?, token.as_ref()));
    let connections = most.rooms.saturating_mul(most.participants).saturating_add(SPARE_CONNECTIONS);
    let sockets = Arc::new(Semaphore::new(connections.min(Semaphore::MAX_PERMITS)));
    let app = Router::new()
        .merge(routes(Relay::new(most), sockets))
        .layer(from_fn_with_state(token.clone().map(Arc::new), guard))
        .route("/healthz", get(|| async { "ok" }));
    let bounds = Bounds::new(connections, token.is_some());
    tokio::select! {
        never = connections::serve(listener, app, bounds) => match never {},
        () = end => Ok(()),
    }
}

/// Runs [`serve`] on one thread until Ctrl-C or a termination signal.
///
/// # Errors
/// As [`serve`].
pub fn run(settings: Settings, ready: impl FnOnce(&str)) -> Result<(), Error> {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Error::Stopped)?;
    runtime.block_on(serve(settings, ready, interrupted()))
}

/// Studios join, and programs; a page that does is not one of ours. Where there is a token, they bring it.
async fn guard(State(token): State<Option<Arc<Token>>>, request: Request, next: Next) -> Response {
    let forbidden = |line| ApiError::new(StatusCode::FORBIDDEN, line).into_response();
    if request.headers().contains_key(header::ORIGIN) {
        return forbidden("pages may not use the relay; a studio does");
    }
    if token.is_some_and(|token| !token.is_borne(request.headers())) {
        return forbidden("this relay asks for its token; use the address it printed when it started");
    }
    if let Some(client) = request.extensions().get::<Arc<Client>>() {
        client.is_proven();
    }
    next.run(request).await
}

async fn join(
    State(Served { relay, sockets }): State<Served>,
    Extension(client): Extension<Arc<Client>>,
    Part(room): Part<String>,
    socket: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, ApiError> {
    let socket = upgrade(socket, PROTOCOL, LARGEST_FRAME)?.read_buffer_size(4 << 10).write_buffer_size(0);
    let room = room_name(&room)?;
    let place = socket_place(&sockets)?;
    Ok(socket.on_upgrade(move |socket| async move {
        let _place = place;
        take_part(relay, client, room, socket).await;
    }))
}

/// The room that is meant; names are kept short.
pub fn room_name(room: &str) -> Result<String, ApiError> {
    wire::clean_name(room, LONGEST_ROOM).filter(|clean| clean == room).ok_or_else(|| {
        ApiError::unusable(format!("a room's name has 1 to {LONGEST_ROOM} bytes and no spaces around it"))
    })
}

async fn take_part(relay: Arc<Relay>, client: Arc<Client>, room: String, mut socket: WebSocket) {
    let (seat, deliveries) = match admit(&relay, &room, &mut socket).await {
        Ok(Some(admitted)) => admitted,
        Ok(None) => return,
        Err(end) => {
            let _ = tokio::time::timeout(SEND_WITHIN, socket.send(closing(end.code, &end.line))).await;
            return;
        }
    };
    client.works();
    let (sink, mut stream) = socket.split();
    let mut sending = tokio::spawn(deliver(deliveries, sink));
    let (end, sink) = tokio::select! {
        end = listen(&seat, &mut stream) => {
            // With the seat goes the queue, and with the queue the task; what it still had to send does not matter.
            drop(seat);
            (end, sending.await)
        }
        sink = &mut sending => (Err(End::not_understood("too slow to be told what happens")), sink),
    };
    if let (Err(end), Ok(mut sink)) = (end, sink) {
        let _ = tokio::time::timeout(SEND_WITHIN, sink.send(closing(end.code, &end.line))).await;
    }
}

/// Waits for a participant's name and gives them a seat; `None` when they left or found no place.
async fn admit(
    relay: &Arc<Relay>,
    room: &str,
    socket: &mut WebSocket,
) -> Result<Option<(Seat, Receiver<Delivery>)>, End> {
    let first = tokio::time::timeout(JOIN_WITHIN, heard(socket)).await;
    let text = match first.map_err(|_| End::not_understood("nobody joined"))?? {
        None | Some(Message::Close(_)) => return Ok(None),
        Some(Message::Text(text)) => text,
        Some(_) => return Err(End::not_understood("a participant begins with \"join\"")),
    };
    let wire::Request::Join { name } = serde_json::from_str(&text)
        .map_err(|error| End::not_understood(format!("not understood: {error}")))?;
    let name = wire::clean_name(&name, LONGEST_NAME).unwrap_or_default();
    match relay.join(room, &name) {
        Ok((seat, deliveries)) => {
            let ready = Notice::Ready { participant: seat.participant() };
            let sent = socket.send(text_of(&ready)).await;
            Ok(sent.is_ok().then_some((seat, deliveries)))
        }
        Err(Refusal::RoomFull) => {
            // If they are gone already they need not be told.
            let _ = socket.send(text_of(&Notice::Full)).await;
            Err(End { code: code::TRY_AGAIN_LATER, line: "the room is full".to_owned(), retry_after: None })
        }
        Err(Refusal::TooManyRooms) => {
            let line = "there are as many rooms as this relay takes".to_owned();
            let _ = socket.send(text_of(&Notice::Error { error: line.clone() })).await;
            Err(End { code: code::TRY_AGAIN_LATER, line, retry_after: None })
        }
    }
}

fn text_of(notice: &Notice) -> Message {
    Message::Text(serde_json::to_string(notice).unwrap_or_default().into())
}

/// Passes on what a participant sends until they leave.
async fn listen(seat: &Seat, stream: &mut futures_util::stream::SplitStream<WebSocket>) -> Result<(), End> {
    while let Some(message) = heard(stream).await? {
        match message {
            Message::Binary(frame) => {
                if !seat.send(&frame) {
                    return Err(End::not_understood(
                        "not a packet of this version, a second portrait, or one too many for this relay",
                    ));
                }
            }
            Message::Text(_) => return Err(End::not_understood("a participant joins once")),
            Message::Close(_) => return Ok(()),
            Message::Ping(_) | Message::Pong(_) => {}
        }
    }
    Ok(())
}

/// Sends deliveries until the seat is gone or the participant is, and gives the connection back.
async fn deliver(
    mut deliveries: Receiver<Delivery>,
    mut sink: SplitSink<WebSocket, Message>,
) -> SplitSink<WebSocket, Message> {
    loop {
        let message = match tokio::time::timeout(PING_EVERY, deliveries.recv()).await {
            Ok(None) => return sink,
            Ok(Some(Delivery::Notice(notice))) => text_of(&notice),
            Ok(Some(Delivery::Packet(packet))) => Message::Binary(packet),
            Err(_) => Message::Ping(axum::body::Bytes::new()),
        };
        let sent = tokio::time::timeout(SEND_WITHIN, sink.send(message)).await;
        if !matches!(sent, Ok(Ok(()))) {
            return sink;
        }
    }
}
