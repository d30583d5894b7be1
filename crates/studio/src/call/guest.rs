//! The others in a call: their motion, performed by their portraits on this side.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use gioconda_avatar::Avatar;
use gioconda_portrait::live::{Look, MarkedAvatar, Stage};
use gioconda_provenance::Language;
use gioconda_provenance::watermark::{AvatarId, Payload};

use super::packet::Packet;
use super::playout::Playout;
use super::portrait::{self, Received};
use crate::error::BROKEN;
use crate::jpeg;
use crate::live::outbox::Outbox;
use crate::live::protocol::{self, Answer};
use crate::studio::Shared as SharedStudio;

/// A packet later than this is not waited for: the face goes on without it.
const LATE: Duration = Duration::from_millis(60);
/// Between two pictures while nothing arrives.
const BEAT: Duration = Duration::from_millis(40);
/// Packets that wait while a picture is made.
const PACKETS: usize = 16;

/// One of the others. When it goes, its thread ends.
pub(crate) struct Guest {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    inbox: Mutex<Inbox>,
    filled: Condvar,
}

#[derive(Default)]
struct Inbox {
    portrait: Option<Vec<u8>>,
    packets: VecDeque<(Packet, Instant)>,
    closed: bool,
}

impl Shared {
    fn inbox(&self) -> MutexGuard<'_, Inbox> {
        // Nothing that holds the lock can leave it half changed.
        self.inbox.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where a guest's pictures go, and how they are made.
#[derive(Clone)]
pub(crate) struct Seating {
    pub(crate) studio: SharedStudio,
    pub(crate) outbox: Arc<Outbox>,
    /// Side of the pictures.
    pub(crate) size: u32,
    /// The label that this side wants on everybody.
    pub(crate) label: Option<Language>,
}

impl Guest {
    /// Somebody of whom nothing is known yet but the number.
    pub(crate) fn start(participant: u32, seating: Seating) -> std::io::Result<Self> {
        let shared = Arc::<Shared>::default();
        let inside = Arc::clone(&shared);
        std::thread::Builder::new().name("guest".to_owned()).spawn(move || {
            if catch_unwind(AssertUnwindSafe(|| attend(&inside, participant, &seating))).is_err() {
                seating.studio.metrics.errors.inc();
                seating.outbox.say(&Answer::error(BROKEN.to_owned()));
            }
        })?;
        Ok(Self { shared })
    }

    /// The payload of their portrait's frame.
    pub(crate) fn portrait(&self, payload: &[u8]) {
        self.shared.inbox().portrait = Some(payload.to_vec());
        self.shared.filled.notify_one();
    }

    /// A packet of their motion.
    pub(crate) fn motion(&self, packet: Packet) {
        let mut inbox = self.shared.inbox();
        if inbox.packets.len() == PACKETS {
            inbox.packets.pop_front();
        }
        inbox.packets.push_back((packet, Instant::now()));
        drop(inbox);
        self.shared.filled.notify_one();
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        self.shared.inbox().closed = true;
        self.shared.filled.notify_one();
    }
}

/// What there is to do.
struct Work {
    portrait: Option<Vec<u8>>,
    packets: VecDeque<(Packet, Instant)>,
}

/// Waits for something to do until `deadline`; `None` when the guest has gone.
fn next(shared: &Shared, deadline: Option<Instant>) -> Option<Work> {
    let mut inbox = shared.inbox();
    loop {
        if inbox.closed {
            return None;
        }
        let now = Instant::now();
        let due = deadline.is_some_and(|deadline| deadline <= now);
        if due || inbox.portrait.is_some() || !inbox.packets.is_empty() {
            return Some(Work {
                portrait: inbox.portrait.take(),
                packets: std::mem::take(&mut inbox.packets),
            });
        }
        inbox = match deadline {
            None => shared.filled.wait(inbox).unwrap_or_else(PoisonError::into_inner),
            Some(deadline) => {
                let waited = shared.filled.wait_timeout(inbox, deadline - now);
                waited.unwrap_or_else(PoisonError::into_inner).0
            }
        };
    }
}

fn attend(shared: &Shared, participant: u32, seating: &Seating) {
    let mut playout = Playout::new(Instant::now());
    let mut stage: Option<Stage> = None;
    // Nothing is painted before there is a portrait.
    let mut deadline = None;
    let mut stamp = (0, 0);
    while let Some(Work { portrait, packets }) = next(shared, deadline) {
        if let Some(payload) = portrait {
            match prepare(&payload, seating) {
                Ok(ready) => stage = Some(ready),
                Err(line) => {
                    let line = format!("the portrait of somebody in the call cannot be shown: {line}");
                    seating.outbox.say(&Answer::error(line));
                }
            }
        }
        let mut heard = false;
        for (packet, at) in &packets {
            if playout.arrive(packet, *at) {
                heard = true;
                stamp = (u32::from(packet.sequence), u32::from(packet.milliseconds));
            }
        }
        let Some(stage) = &mut stage else { continue };
        let now = Instant::now();
        match stage.show(&playout.at(now)) {
            Ok(picture) => {
                let jpeg = jpeg::encode(picture, jpeg::LIVE_QUALITY);
                let frame = protocol::frame(Some(participant), stamp.0, stamp.1, &jpeg);
                // Who has gone is not painted again.
                if shared.inbox().closed {
                    return;
                }
                seating.outbox.picture(participant, frame);
                seating.studio.metrics.live_frames.inc();
            }
            Err(error) => {
                seating.outbox.say(&Answer::error(error.to_string()));
                return;
            }
        }
        deadline = Some(now + if heard { LATE } else { BEAT });
    }
}

/// Gets a portrait that came over the wire ready.
fn prepare(payload: &[u8], seating: &Seating) -> Result<Stage, String> {
    let Received { label, reference, jpeg } = portrait::parse(payload)?;
    let mut avatar = Avatar::of(&[reference]);
    let models = &seating.studio.models;
    models.with_finder(|finder| avatar.find_matte(finder)).map_err(|error| error.to_string())?;
    let avatar = Arc::new(avatar);
    let mark = Payload::today(AvatarId::of(jpeg));
    // Motion was smoothed where it was made.
    let look = Look::default().size(seating.size).smoothing(0.0).label(seating.label.or(label));
    Stage::new(MarkedAvatar { avatar, mark }, look).map_err(|error| error.to_string())
}
