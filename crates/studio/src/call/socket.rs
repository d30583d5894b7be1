//! `/api/call/{room}`: a page, its performer, and the others in the room.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use axum::extract::State;
use axum::extract::ws::{WebSocket, WebSocketUpgrade, rejection::WebSocketUpgradeRejection};
use axum::response::Response;
use axum::routing::any;
use axum::{Extension, Router};
use futures_util::StreamExt;
use futures_util::stream::SplitStream;
use gioconda_avatar::PackedFrame;
use gioconda_http::connections::Client;
use gioconda_http::sockets::{End, code, socket_place, upgrade};
use gioconda_http::{ApiError, Part};
use gioconda_relay::room::{Delivery, Refusal};
use gioconda_relay::room_name;
use gioconda_relay::wire::{self, Kind, LONGEST_NAME, Notice};
use tokio::sync::mpsc::Receiver;
use tokio::task::JoinSet;

use super::guest::{Guest, Seating};
use super::link::{Event, Link};
use super::packet::Packet;
use crate::live::controls::{Controls, Unheard};
use crate::live::outbox::Outbox;
use crate::live::performer::{News, Performer};
use crate::live::protocol::{self, Answer, LARGEST_FRAME, PROTOCOL, SOUND};
use crate::live::socket::{Place, Start, full, incoming, say, start};
use crate::session::Owner;
use crate::studio::Shared;

pub(crate) fn routes() -> Router<Shared> {
    Router::new().route("/api/call/{room}", any(call))
}

async fn call(
    State(studio): State<Shared>,
    owner: Owner,
    Extension(client): Extension<Arc<Client>>,
    Part(room): Part<String>,
    socket: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, ApiError> {
    let socket = upgrade(socket, PROTOCOL, LARGEST_FRAME)?;
    let room = room_name(&room)?;
    let place = socket_place(&studio.turns.sockets)?;
    Ok(socket.on_upgrade(move |socket| async move {
        let _place = place;
        let (sink, stream) = socket.split();
        let outbox = Outbox::new();
        let sending = tokio::spawn(Arc::clone(&outbox).send(sink));
        if let Err(end) = take_part(&studio, (owner, &client), &room, stream, &outbox).await {
            outbox.end(end);
        }
        outbox.close(code::NORMAL, "");
        // It ends after the close, or when the other side is gone.
        let _ = sending.await;
    }))
}

/// One participant, from the first word to the last.
async fn take_part(
    studio: &Shared,
    (owner, client): (Owner, &Client),
    room: &str,
    mut stream: SplitStream<WebSocket>,
    outbox: &Arc<Outbox>,
) -> Result<(), End> {
    let Some(Start { portrait, options, size, name }) = start(&mut stream).await? else { return Ok(()) };
    let name = wire::clean_name(&name, LONGEST_NAME).unwrap_or_default();
    let place = Place::take(studio)?;
    client.works();
    let staged = studio.staged(owner, &portrait).await?;
    let look = studio.look(&options, size, &portrait);
    let avatar = Arc::clone(&staged.avatar);
    let label = look.label;
    let shown = tokio::task::spawn_blocking(move || super::portrait::frame(label, &avatar));
    let shown = shown.await.map_err(ApiError::from)?;
    let (link, events) = match &studio.settings.relay {
        Some(address) => Link::there(address, room, &name, shown),
        None => match Link::here(&studio.realtime.relay, room, &name, &shown) {
            Ok(joined) => joined,
            Err(Refusal::RoomFull) => {
                outbox.say(&Answer::Full);
                outbox.close(code::TRY_AGAIN_LATER, "the room is full");
                return Ok(());
            }
            Err(Refusal::TooManyRooms) => return Err(full()),
        },
    };
    let (link, own) = (Arc::new(link), Arc::new(AtomicU32::new(u32::MAX)));
    let tell = teller(studio, place, outbox, &link, &own);
    let performer = Performer::start(staged, look, |_| {}, tell).map_err(ApiError::from)?;
    let seating = Seating {
        studio: Arc::clone(studio),
        outbox: Arc::clone(outbox),
        size,
        label: options.label_language(studio.settings.kiosk),
    };
    let company = Company { seating, guests: HashMap::new(), own, lost: false };
    // Ends with this function.
    let mut hosting = JoinSet::new();
    hosting.spawn(company.host(events));
    let mut controls = Controls { studio, outbox, performer, portrait, options, size };
    while let Some(incoming) = incoming(&mut stream).await? {
        match controls.hear(incoming)? {
            None => {}
            Some(Unheard::Sound(packet)) => link.send(wire::frame(Kind::Sound, &packet[4..])),
            Some(Unheard::Portrait(_)) => {
                outbox.say(&Answer::error("in a call the portrait stays; leave and come back with another"));
            }
        }
    }
    Ok(())
}

/// Brings the engine's news to the page, and what is performed to the others. Holds the place until the engine ends.
fn teller(
    studio: &Shared,
    place: Place,
    outbox: &Arc<Outbox>,
    link: &Arc<Link>,
    own: &Arc<AtomicU32>,
) -> impl FnMut(News) + Send + 'static {
    let (studio, outbox, own) = (Arc::clone(studio), Arc::clone(outbox), Arc::clone(own));
    // The engine may live a moment longer than the call, and must not hold the seat.
    let link = Arc::downgrade(link);
    let (mut dropped, mut count) = (0, 0_u16);
    move |news| {
        let _held = &place;
        studio.note(&news, &mut dropped);
        let News::Picture { sequence, milliseconds, jpeg, motion } = news else {
            return say(news, &outbox);
        };
        let packet =
            Packet { sequence: count, milliseconds: milliseconds as u16, frame: PackedFrame::pack(&motion) };
        count = count.wrapping_add(1);
        if let Some(link) = link.upgrade() {
            link.send(wire::frame(Kind::Motion, &packet.encode()));
        }
        let own = own.load(Ordering::Relaxed);
        outbox.picture(own, protocol::frame(Some(own), sequence, milliseconds, &jpeg));
    }
}

/// The others.
struct Company {
    seating: Seating,
    guests: HashMap<u32, Guest>,
    /// The page's own number.
    own: Arc<AtomicU32>,
    /// Whether the relay is away.
    lost: bool,
}

impl Company {
    /// Looks after the room until the call ends.
    async fn host(mut self, mut events: Receiver<Event>) {
        while let Some(event) = events.recv().await {
            match event {
                Event::Delivery(Delivery::Notice(notice)) => self.hear(notice),
                Event::Delivery(Delivery::Packet(packet)) => self.pass_on(&packet),
                Event::Lost => self.lose(),
            }
        }
        self.seating.outbox.close(code::TRY_AGAIN_LATER, "the room is away");
    }

    fn hear(&mut self, notice: Notice) {
        let outbox = Arc::clone(&self.seating.outbox);
        match notice {
            Notice::Ready { participant } => {
                self.own.store(participant, Ordering::Relaxed);
                outbox.say(&Answer::Ready { session: None, participant: Some(participant) });
                if std::mem::take(&mut self.lost) {
                    outbox.say(&Answer::Back);
                }
            }
            Notice::Joined { participant, name } => {
                match Guest::start(participant, self.seating.clone()) {
                    Ok(guest) => self.guests.insert(participant, guest),
                    Err(error) => {
                        return outbox.say(&Answer::error(format!("no thread for a portrait: {error}")));
                    }
                };
                outbox.say(&Answer::Joined { participant, name });
            }
            Notice::Left { participant } => self.leave(participant),
            Notice::Full => {
                outbox.say(&Answer::Full);
                outbox.close(code::TRY_AGAIN_LATER, "the room is full");
            }
            Notice::Error { error } => outbox.say(&Answer::error(error)),
        }
    }

    fn leave(&mut self, participant: u32) {
        self.guests.remove(&participant);
        self.seating.outbox.forget(participant);
        self.seating.outbox.say(&Answer::Left { participant });
    }

    /// The relay is away: who was there cannot be seen any more. The page is told once.
    fn lose(&mut self) {
        for participant in self.guests.keys().copied().collect::<Vec<_>>() {
            self.leave(participant);
        }
        if !std::mem::replace(&mut self.lost, true) {
            self.seating.outbox.say(&Answer::Lost);
        }
    }

    fn pass_on(&self, packet: &[u8]) {
        let Some((participant, kind, payload)) = wire::parse_relayed(packet) else { return };
        let Some(guest) = self.guests.get(&participant) else { return };
        match kind {
            Kind::Portrait => guest.portrait(payload),
            Kind::Motion => {
                if let Some(packet) = Packet::decode(payload) {
                    guest.motion(packet);
                }
            }
            Kind::Sound => {
                let frame = [&participant.to_le_bytes(), &SOUND.to_le_bytes(), payload].concat();
                self.seating.outbox.sound(frame.into());
            }
        }
    }
}
