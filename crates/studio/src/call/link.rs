//! A participant's way to the relay: in this process, or over the network and again when it broke.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use futures_util::{SinkExt, StreamExt};
use gioconda_http::sockets::SILENT;
use gioconda_relay::Address;
use gioconda_relay::room::{Delivery, Refusal, Relay, Seat};
use gioconda_relay::wire::{LARGEST_FRAME, Notice, PROTOCOL, Request};
use tokio::sync::mpsc::{self, Receiver, Sender};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error as SocketError, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async_with_config};

/// Events that may wait for the studio.
const EVENTS: usize = 64;
/// Frames that may wait for a relay elsewhere: half a second of motion and sound.
const OUTGOING: usize = 32;
/// Waiting times between attempts to reach a relay elsewhere, seconds; the last one again and again.
const RETRY: [u64; 4] = [1, 2, 4, 8];
/// How long a relay may take to answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// What happens in the room.
#[derive(Debug, PartialEq)]
pub(crate) enum Event {
    /// News of it, or a packet.
    Delivery(Delivery),
    /// The relay is away; it is tried again.
    Lost,
}

/// The way to the relay; dropping it is leaving the room.
pub(crate) enum Link {
    Here(Seat),
    There(Sender<Bytes>),
}

impl Link {
    /// Joins `room` of the relay in this process and shows it the `portrait`'s frame.
    pub(crate) fn here(
        relay: &Arc<Relay>,
        room: &str,
        name: &str,
        portrait: &[u8],
    ) -> Result<(Self, Receiver<Event>), Refusal> {
        let (seat, mut deliveries) = relay.join(room, name)?;
        seat.send(portrait);
        let (events, receiver) = mpsc::channel(EVENTS);
        let participant = seat.participant();
        tokio::spawn(async move {
            let mut event = Event::Delivery(Delivery::Notice(Notice::Ready { participant }));
            while events.send(event).await.is_ok() {
                let Some(delivery) = deliveries.recv().await else {
                    // Put out of the room as too slow to be told of joins and leaves.
                    let _ = events.send(Event::Lost).await;
                    return;
                };
                event = Event::Delivery(delivery);
            }
        });
        Ok((Self::Here(seat), receiver))
    }

    /// Joins `room` of the relay at `address`, and again whenever the connection breaks.
    pub(crate) fn there(
        address: &Address,
        room: &str,
        name: &str,
        portrait: Bytes,
    ) -> (Self, Receiver<Event>) {
        let (outgoing, frames) = mpsc::channel(OUTGOING);
        let (events, receiver) = mpsc::channel(EVENTS);
        let token = address.token().map(str::to_owned);
        let away = Away { url: address.room(room), token, name: name.to_owned(), portrait };
        tokio::spawn(away.keep_joined(frames, events));
        (Self::There(outgoing), receiver)
    }

    /// Sends a frame ([`wire::frame`]); it is left out when the relay is away or behind.
    pub(crate) fn send(&self, frame: Bytes) {
        match self {
            Self::Here(seat) => {
                seat.send(&frame);
            }
            Self::There(outgoing) => {
                let _ = outgoing.try_send(frame);
            }
        }
    }
}

type Socket = WebSocketStream<MaybeTlsStream<tokio::net::TcpStream>>;

/// A relay elsewhere.
struct Away {
    /// The room's address.
    url: String,
    token: Option<String>,
    name: String,
    portrait: Bytes,
}

/// Why a connection is not tried again.
struct Left;

impl Away {
    async fn keep_joined(self, mut frames: Receiver<Bytes>, events: Sender<Event>) {
        let mut attempt = 0;
        loop {
            match self.connect().await {
                Ok(socket) => {
                    attempt = 0;
                    if let Err(Left) = converse(socket, &mut frames, &events).await {
                        return;
                    }
                }
                Err(error) => tracing::warn!("{}: the relay cannot be reached ({error})", self.url),
            }
            if events.send(Event::Lost).await.is_err() {
                return;
            }
            let seconds = RETRY[attempt.min(RETRY.len() - 1)];
            attempt += 1;
            let wait = tokio::time::sleep(Duration::from_secs(seconds));
            tokio::pin!(wait);
            loop {
                tokio::select! {
                    () = &mut wait => break,
                    // What is said meanwhile is said to nobody.
                    frame = frames.recv() => if frame.is_none() { return },
                }
            }
        }
    }

    async fn connect(&self) -> Result<Socket, SocketError> {
        let mut request = self.url.as_str().into_client_request()?;
        request.headers_mut().insert("sec-websocket-protocol", HeaderValue::from_static(PROTOCOL));
        if let Some(token) = &self.token {
            let bearer = HeaderValue::from_str(&format!("Bearer {token}"))?;
            request.headers_mut().insert("authorization", bearer);
        }
        let most = LARGEST_FRAME + 1024;
        let config = WebSocketConfig::default().max_message_size(Some(most)).max_frame_size(Some(most));
        let connecting = connect_async_with_config(request, Some(config), true);
        let timeout = |_| SocketError::Io(std::io::ErrorKind::TimedOut.into());
        let (mut socket, _) = tokio::time::timeout(ANSWER_WITHIN, connecting).await.map_err(timeout)??;
        let join = Request::Join { name: self.name.clone() };
        socket.send(Message::text(serde_json::to_string(&join).unwrap_or_default())).await?;
        socket.send(Message::Binary(self.portrait.clone())).await?;
        Ok(socket)
    }
}

/// Until the connection breaks, or the participant leaves.
async fn converse(
    mut socket: Socket,
    frames: &mut Receiver<Bytes>,
    events: &Sender<Event>,
) -> Result<(), Left> {
    loop {
        let heard = tokio::select! {
            frame = frames.recv() => {
                let Some(frame) = frame else {
                    // The relay notices in any case.
                    let _ = socket.close(None).await;
                    return Err(Left);
                };
                if socket.send(Message::Binary(frame)).await.is_err() {
                    return Ok(());
                }
                continue;
            }
            heard = tokio::time::timeout(SILENT, socket.next()) => heard,
        };
        let delivery = match heard {
            Ok(Some(Ok(Message::Text(text)))) => match serde_json::from_str(&text) {
                Ok(notice) => Delivery::Notice(notice),
                Err(_) => continue,
            },
            Ok(Some(Ok(Message::Binary(packet)))) => Delivery::Packet(packet),
            Ok(Some(Ok(Message::Close(_)) | Err(_)) | None) | Err(_) => return Ok(()),
            Ok(Some(Ok(_))) => continue,
        };
        let full = delivery == Delivery::Notice(Notice::Full);
        if events.send(Event::Delivery(delivery)).await.is_err() || full {
            return Err(Left);
        }
    }
}
