//! Rooms and who is in them.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use axum::body::Bytes;
use tokio::sync::mpsc::{self, Receiver, Sender};

use crate::wire::{self, Kind, Notice};

/// How many there may be.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Rooms at a time.
    pub rooms: usize,
    /// Participants of one room.
    pub participants: usize,
    /// Bytes of all portraits that are kept for those who come later.
    pub portrait_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { rooms: 1_000, participants: 8, portrait_bytes: 256 << 20 }
    }
}

/// Packets that may wait for one participant.
const QUEUE: usize = 128;
/// Places in it that only news may take: motion and sound are left out first.
const RESERVED: usize = 64;
/// Packets a second that are passed on from one participant: a camera's 30 and 50 of sound, and some to spare.
const PACKETS_A_SECOND: u32 = 120;

/// What a participant gets.
#[derive(Clone, Debug, PartialEq)]
pub enum Delivery {
    /// News of the room.
    Notice(Notice),
    /// A packet: [`wire::relayed`].
    Packet(Bytes),
}

/// Why somebody could not come in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The room has as many participants as it may have.
    RoomFull,
    /// There are as many rooms as there may be.
    TooManyRooms,
}

/// All rooms.
pub struct Relay {
    limits: Limits,
    rooms: Mutex<HashMap<String, Arc<Mutex<Room>>>>,
    /// Bytes of portraits that are kept at the moment.
    portraits: AtomicUsize,
}

#[derive(Default)]
struct Room {
    members: Vec<Member>,
    /// The number of the next to join.
    next: u32,
}

struct Member {
    participant: u32,
    name: String,
    /// As it is relayed.
    portrait: Option<Kept>,
    queue: Sender<Delivery>,
    second: Instant,
    packets: u32,
}

/// A portrait, counted among the bytes of all as long as it is kept.
struct Kept {
    relay: Arc<Relay>,
    packet: Bytes,
}

impl Kept {
    /// `None` when there is no room for it.
    fn new(relay: &Arc<Relay>, packet: Bytes) -> Option<Self> {
        let more =
            |bytes: usize| Some(bytes + packet.len()).filter(|&sum| sum <= relay.limits.portrait_bytes);
        relay.portraits.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).ok()?;
        Some(Self { relay: Arc::clone(relay), packet })
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.relay.portraits.fetch_sub(self.packet.len(), Ordering::Relaxed);
    }
}

/// A place in a room; dropping it is leaving.
pub struct Seat {
    relay: Arc<Relay>,
    name: String,
    room: Arc<Mutex<Room>>,
    participant: u32,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing that holds these locks can fail half way.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Relay {
    /// No rooms yet.
    pub fn new(limits: Limits) -> Arc<Self> {
        Arc::new(Self { limits, rooms: Mutex::default(), portraits: AtomicUsize::new(0) })
    }

    /// Takes a seat in `room`, which is made if need be, for somebody called `name`. Everybody who is there already
    /// is among the first deliveries, with their portraits.
    ///
    /// # Errors
    /// When there is no place.
    pub fn join(self: &Arc<Self>, room: &str, name: &str) -> Result<(Seat, Receiver<Delivery>), Refusal> {
        let mut rooms = lock(&self.rooms);
        let shared = match rooms.get(room) {
            Some(shared) => Arc::clone(shared),
            None if rooms.len() >= self.limits.rooms => return Err(Refusal::TooManyRooms),
            None => Arc::clone(rooms.entry(room.to_owned()).or_default()),
        };
        let mut inside = lock(&shared);
        if inside.members.len() >= self.limits.participants {
            return Err(Refusal::RoomFull);
        }
        let (queue, deliveries) = mpsc::channel(QUEUE);
        let participant = inside.next;
        inside.next += 1;
        let welcome = inside.members.iter().flat_map(|member| {
            let joined = Notice::Joined { participant: member.participant, name: member.name.clone() };
            [
                Some(Delivery::Notice(joined)),
                member.portrait.as_ref().map(|kept| Delivery::Packet(kept.packet.clone())),
            ]
        });
        for delivery in welcome.flatten() {
            // The queue is empty and longer than any room's welcome.
            let _ = queue.try_send(delivery);
        }
        inside.announce(&Delivery::Notice(Notice::Joined { participant, name: name.to_owned() }));
        inside.members.push(Member {
            participant,
            name: name.to_owned(),
            portrait: None,
            queue,
            second: Instant::now(),
            packets: 0,
        });
        drop(inside);
        drop(rooms);
        Ok((Seat { relay: Arc::clone(self), name: room.to_owned(), room: shared, participant }, deliveries))
    }

    /// Rooms and participants at the moment.
    pub fn population(&self) -> (usize, usize) {
        let rooms = lock(&self.rooms);
        (rooms.len(), rooms.values().map(|room| lock(room).members.len()).sum())
    }
}

impl Room {
    /// Tells everybody what nobody may miss; who cannot take it is put out, which the others are told in turn.
    fn announce(&mut self, delivery: &Delivery) {
        let mut out = Vec::new();
        self.members.retain(|member| {
            let taken = member.queue.try_send(delivery.clone()).is_ok();
            if !taken {
                out.push(member.participant);
            }
            taken
        });
        for participant in out {
            self.announce(&Delivery::Notice(Notice::Left { participant }));
        }
    }

    fn others(&self, participant: u32) -> impl Iterator<Item = &Member> {
        self.members.iter().filter(move |member| member.participant != participant)
    }
}

impl Seat {
    /// Whose seat it is.
    pub fn participant(&self) -> u32 {
        self.participant
    }

    /// Passes a frame ([`wire::frame`]) on to the others; `false` when it is not one, a second
    /// portrait, or one that there is no room for.
    pub fn send(&self, frame: &[u8]) -> bool {
        let Some((kind, _)) = wire::parse(frame) else { return false };
        let packet = wire::relayed(self.participant, frame);
        let mut room = lock(&self.room);
        let Some(own) = room.members.iter_mut().find(|member| member.participant == self.participant) else {
            return true;
        };
        if kind == Kind::Portrait {
            let Some(kept) = Kept::new(&self.relay, packet.clone()) else { return false };
            if own.portrait.replace(kept).is_some() {
                return false;
            }
            let deliver = Delivery::Packet(packet);
            for member in room.others(self.participant) {
                // One whose queue is full of news is put out with the next piece of it.
                let _ = member.queue.try_send(deliver.clone());
            }
            return true;
        }
        if own.allowed() {
            let deliver = Delivery::Packet(packet);
            for member in room.others(self.participant).filter(|member| member.queue.capacity() > RESERVED) {
                let _ = member.queue.try_send(deliver.clone());
            }
        }
        true
    }
}

impl Member {
    /// Counts a packet; whether it is one of the second's allowance.
    fn allowed(&mut self) -> bool {
        if self.second.elapsed() >= Duration::from_secs(1) {
            (self.second, self.packets) = (Instant::now(), 0);
        }
        self.packets += 1;
        self.packets <= PACKETS_A_SECOND
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut rooms = lock(&self.relay.rooms);
        let mut room = lock(&self.room);
        let before = room.members.len();
        room.members.retain(|member| member.participant != self.participant);
        if room.members.len() < before {
            room.announce(&Delivery::Notice(Notice::Left { participant: self.participant }));
        }
        // A room of the same name may have been made anew since this one was empty.
        let listed = rooms.get(&self.name).is_some_and(|listed| Arc::ptr_eq(listed, &self.room));
        if listed && room.members.is_empty() {
            rooms.remove(&self.name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn relay(rooms: usize, participants: usize) -> Arc<Relay> {
        Relay::new(Limits { rooms, participants, ..Limits::default() })
    }

    fn drain(receiver: &mut Receiver<Delivery>) -> Vec<Delivery> {
        std::iter::from_fn(|| receiver.try_recv().ok()).collect()
    }

    fn joined(participant: u32, name: &str) -> Delivery {
        Delivery::Notice(Notice::Joined { participant, name: name.to_owned() })
    }

    #[test]
    fn everybody_learns_of_everybody_and_portraits_reach_those_who_come_later() {
        let relay = relay(9, 9);
        let (ada, mut to_ada) = relay.join("salon", "Ada").expect("a seat");
        assert!(ada.send(&wire::frame(Kind::Portrait, b"jpeg")));
        assert!(!ada.send(&wire::frame(Kind::Portrait, b"jpeg")), "one portrait each");
        let (grace, mut to_grace) = relay.join("salon", "Grace").expect("a seat");
        let portrait = wire::relayed(0, &wire::frame(Kind::Portrait, b"jpeg"));
        assert_eq!(drain(&mut to_grace), [joined(0, "Ada"), Delivery::Packet(portrait)]);
        assert_eq!(drain(&mut to_ada), [joined(1, "Grace")]);
        assert!(grace.send(&wire::frame(Kind::Motion, b"nod")));
        assert_eq!(drain(&mut to_ada), [Delivery::Packet(wire::relayed(1, &[1, b'n', b'o', b'd']))]);
        assert!(drain(&mut to_grace).is_empty(), "nobody hears their own echo");
        drop(grace);
        assert_eq!(drain(&mut to_ada), [Delivery::Notice(Notice::Left { participant: 1 })]);
        drop(ada);
        assert_eq!(relay.population(), (0, 0));
    }

    #[test]
    fn portraits_take_a_bounded_memory() {
        let portrait = wire::frame(Kind::Portrait, &[0; 100]);
        let relay = Relay::new(Limits { portrait_bytes: 250, ..Limits::default() });
        let mut seats = Vec::new();
        let sent: Vec<bool> = (0..3)
            .map(|number| {
                let (seat, deliveries) = relay.join(&format!("room {number}"), "").expect("a seat");
                let sent = seat.send(&portrait);
                seats.push((seat, deliveries));
                sent
            })
            .collect();
        assert_eq!(sent, [true, true, false]);
        assert!(!seats[0].0.send(&portrait), "one each");
        seats.remove(1);
        assert!(seats[1].0.send(&portrait), "who leaves makes room");
        drop(seats);
        assert_eq!(relay.portraits.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn rooms_and_seats_are_limited_and_rooms_are_apart() {
        let relay = relay(2, 1);
        let (_first, mut to_first) = relay.join("a", "Ada").expect("a seat");
        assert_eq!(relay.join("a", "Grace").err(), Some(Refusal::RoomFull));
        let (second, _) = relay.join("b", "Grace").expect("a seat");
        assert_eq!(relay.join("c", "Lisa").err(), Some(Refusal::TooManyRooms));
        assert!(second.send(&wire::frame(Kind::Motion, b"nod")));
        assert!(drain(&mut to_first).is_empty());
    }

    #[test]
    fn a_slow_receiver_misses_packets_but_no_news_and_is_put_out_in_the_end() {
        let relay = relay(1, 200);
        let (speaker, mut to_speaker) = relay.join("a", "Ada").expect("a seat");
        let (_slow, mut to_slow) = relay.join("a", "Slow").expect("a seat");
        for _ in 0..PACKETS_A_SECOND {
            speaker.send(&wire::frame(Kind::Motion, b"nod"));
        }
        let (guest, _) = relay.join("a", "Grace").expect("a seat");
        let got = drain(&mut to_slow);
        assert!(got.len() <= 2 + QUEUE - RESERVED, "{}", got.len());
        assert_eq!(got.last(), Some(&joined(2, "Grace")));
        drop(guest);
        for index in 0..QUEUE {
            drop(relay.join("a", &index.to_string()));
            drain(&mut to_speaker);
        }
        assert_eq!(relay.population(), (1, 1), "only the speaker could be told of everything");
    }

    #[test]
    fn a_flood_is_cut_to_what_a_camera_and_a_microphone_send() {
        let relay = relay(1, 2);
        let (flooder, _keep) = relay.join("a", "Ada").expect("a seat");
        let (_listener, mut to_listener) = relay.join("a", "Grace").expect("a seat");
        drain(&mut to_listener);
        let mut heard = 0;
        for _ in 0..5_000 {
            assert!(flooder.send(&wire::frame(Kind::Sound, b"beep")));
            heard += drain(&mut to_listener).len();
        }
        assert!((PACKETS_A_SECOND as usize..5 * PACKETS_A_SECOND as usize).contains(&heard), "{heard}");
    }
}
