//! One session's engine: camera pictures in, the portrait's pictures out, on a thread of its own.
//!
//! There is room for one waiting picture: a newer one takes its place, so that what is shown is always the newest and
//! nothing queues up however slow the machine is. Portrait, look and calibration change between two pictures.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use gioconda_avatar::MotionFrame;
use gioconda_portrait::live::{Calibration, FaceReader, Look, MarkedAvatar, Seen, Stage};
use image::RgbImage;

use crate::error::BROKEN;
use crate::jpeg;

/// Nominal rate of cameras: of the first picture nobody knows how long after the one before it comes.
const FRAMES_PER_SECOND: f32 = 25.0;
/// Seconds that may lie between two pictures of one movement.
const STEPS: std::ops::RangeInclusive<f32> = 0.005..=0.25;
/// How often the statistics are told.
const TELL_EVERY: Duration = Duration::from_secs(1);

/// A picture from the performer's camera.
pub struct CameraPicture {
    /// Counted by the sender.
    pub sequence: u32,
    /// When it was taken, on the sender's clock; wraps around.
    pub milliseconds: u32,
    /// As the camera's side encoded it.
    pub jpeg: Vec<u8>,
}

/// What the engine has to say.
pub enum News {
    /// Models are loaded, pictures are welcome.
    Ready,
    /// The answer to a camera picture.
    Picture {
        /// Of the camera picture.
        sequence: u32,
        /// Of the camera picture.
        milliseconds: u32,
        /// The portrait.
        jpeg: Vec<u8>,
        /// What it performs, smoothed.
        motion: Box<MotionFrame>,
    },
    /// The performer's face was lost or found again.
    Face(bool),
    /// The performer's resting face is known.
    Calibrated,
    /// How it goes, about once a second.
    Statistics(Statistics),
    /// Something did not work; one line for the performer. The session goes on.
    Trouble(String),
    /// The engine could not start, or broke; why, in one line. The last news.
    Failed(String),
}

/// The last second.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Statistics {
    /// Pictures answered a second.
    pub frames_per_second: f32,
    /// Median milliseconds from a picture's arrival to its answer.
    pub latency_ms: f32,
    /// Pictures replaced by newer ones, since the start.
    pub dropped: u64,
}

/// A handle on the engine. When it goes, the engine ends.
pub struct Performer {
    shared: Arc<Shared>,
}

struct Shared {
    inbox: Mutex<Inbox>,
    filled: Condvar,
}

#[derive(Default)]
struct Inbox {
    picture: Option<(CameraPicture, Instant)>,
    portrait: Option<MarkedAvatar>,
    look: Option<Look>,
    calibrate: bool,
    dropped: u64,
    closed: bool,
}

impl Shared {
    fn inbox(&self) -> MutexGuard<'_, Inbox> {
        // Nothing that holds the lock can leave the inbox half changed.
        self.inbox.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Performer {
    /// Starts an engine. `show` gets every picture of the portrait before it is encoded. Both it and `tell` are called on
    /// the engine's thread, which ends, and lets go of them, soon after the handle is dropped.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(
        portrait: MarkedAvatar,
        look: Look,
        show: impl FnMut(&RgbImage) + Send + 'static,
        tell: impl FnMut(News) + Send + 'static,
    ) -> std::io::Result<Self> {
        let shared = Arc::new(Shared { inbox: Mutex::default(), filled: Condvar::new() });
        let inside = Arc::clone(&shared);
        std::thread::Builder::new().name("performer".to_owned()).spawn(move || {
            let (mut show, mut tell) = (show, tell);
            // A decoder that panics must not leave the socket open and silent.
            let performed = catch_unwind(AssertUnwindSafe(|| match Engine::new(portrait, look) {
                Ok(engine) => perform(&inside, engine, &mut show, &mut tell),
                Err(error) => tell(News::Failed(error.to_string())),
            }));
            if performed.is_err() {
                tell(News::Failed(BROKEN.to_owned()));
            }
        })?;
        Ok(Self { shared })
    }

    /// Puts a picture before the engine, in the place of one that still waits.
    pub fn picture(&self, picture: CameraPicture) {
        let mut inbox = self.shared.inbox();
        let replaced = inbox.picture.replace((picture, Instant::now()));
        inbox.dropped += u64::from(replaced.is_some());
        self.shared.filled.notify_one();
    }

    /// Shows somebody else from now on.
    pub fn portrait(&self, portrait: MarkedAvatar) {
        self.shared.inbox().portrait = Some(portrait);
    }

    /// Shows the portrait differently from now on.
    pub fn look(&self, look: Look) {
        self.shared.inbox().look = Some(look);
    }

    /// Takes the performer's face in the next pictures as the resting one.
    pub fn calibrate(&self) {
        self.shared.inbox().calibrate = true;
    }
}

impl Drop for Performer {
    fn drop(&mut self) {
        self.shared.inbox().closed = true;
        self.shared.filled.notify_one();
    }
}

/// What is to be done before a picture, and the picture.
struct Work {
    picture: CameraPicture,
    arrived: Instant,
    portrait: Option<MarkedAvatar>,
    look: Option<Look>,
    calibrate: bool,
    dropped: u64,
}

/// Waits for a picture; `None` when the handle has gone.
fn next(shared: &Shared) -> Option<Work> {
    let mut inbox = shared.inbox();
    loop {
        if inbox.closed {
            return None;
        }
        if let Some((picture, arrived)) = inbox.picture.take() {
            let Inbox { portrait, look, calibrate, dropped, .. } = &mut *inbox;
            let (portrait, look, calibrate) = (portrait.take(), look.take(), std::mem::take(calibrate));
            return Some(Work { picture, arrived, portrait, look, calibrate, dropped: *dropped });
        }
        inbox = shared.filled.wait(inbox).unwrap_or_else(PoisonError::into_inner);
    }
}

fn perform(shared: &Shared, mut engine: Engine, show: &mut dyn FnMut(&RgbImage), tell: &mut dyn FnMut(News)) {
    tell(News::Ready);
    while let Some(work) = next(shared) {
        if let Err(trouble) = engine.answer(work, show, tell) {
            tell(News::Trouble(trouble.to_string()));
        }
    }
}

struct Engine {
    reader: FaceReader,
    stage: Stage,
    /// The last picture's time on the sender's clock.
    last: Option<u32>,
    face: bool,
    meter: Meter,
}

impl Engine {
    fn new(portrait: MarkedAvatar, look: Look) -> Result<Self, gioconda_avatar::Error> {
        Ok(Self {
            reader: FaceReader::new()?,
            stage: Stage::new(portrait, look)?,
            last: None,
            face: true,
            meter: Meter::new(),
        })
    }

    /// Every picture is answered, one that shows nothing with the portrait as it is: who sends waits for the answer
    /// before sending more.
    fn answer(
        &mut self,
        work: Work,
        show: &mut dyn FnMut(&RgbImage),
        tell: &mut dyn FnMut(News),
    ) -> Result<(), gioconda_avatar::Error> {
        let Work { picture, arrived, portrait, look, calibrate, dropped } = work;
        if let Err(error) = self.change(portrait, look) {
            tell(News::Trouble(error.to_string()));
        }
        if calibrate {
            self.reader.calibrate();
        }
        let CameraPicture { sequence, milliseconds, jpeg: bytes } = picture;
        let seen = jpeg::decode(&bytes).and_then(|picture| self.read(&picture, tell));
        let seen = seen.unwrap_or_else(|trouble| {
            tell(News::Trouble(trouble));
            None
        });
        let motion = self.motion(seen, milliseconds);
        let picture = self.stage.show(&motion)?;
        show(picture);
        let jpeg = jpeg::encode(picture, jpeg::LIVE_QUALITY);
        tell(News::Picture { sequence, milliseconds, jpeg, motion: Box::new(motion) });
        if let Some(statistics) = self.meter.answered(arrived, dropped) {
            tell(News::Statistics(statistics));
        }
        Ok(())
    }

    fn change(
        &mut self,
        portrait: Option<MarkedAvatar>,
        look: Option<Look>,
    ) -> Result<(), gioconda_avatar::Error> {
        let look = look.unwrap_or(*self.stage.look());
        match portrait {
            Some(portrait) => self.stage.set_portrait(portrait, look),
            None if look != *self.stage.look() => self.stage.change(look),
            None => Ok(()),
        }
    }

    /// What the performer does in a picture, if it can be seen; the error is one line.
    fn read(
        &mut self,
        picture: &RgbImage,
        tell: &mut dyn FnMut(News),
    ) -> Result<Option<MotionFrame>, String> {
        let (seen, calibration) =
            self.reader.read(picture, self.stage.face()).map_err(|error| error.to_string())?;
        match calibration {
            Some(Calibration::Done) => {
                self.stage.ease();
                tell(News::Calibrated);
            }
            Some(Calibration::Failed) => tell(News::Trouble(
                "no face to calibrate with; look into the camera, with light on your face".to_owned(),
            )),
            None => {}
        }
        let face = seen != Seen::Nobody;
        if face != self.face {
            self.face = face;
            tell(News::Face(face));
        }
        Ok(seen.motion())
    }

    /// What the portrait is to perform after `seen`, `milliseconds` on the sender's clock.
    fn motion(&mut self, seen: Option<MotionFrame>, milliseconds: u32) -> MotionFrame {
        let step = self.last.replace(milliseconds).map_or(1.0 / FRAMES_PER_SECOND, |last| {
            (milliseconds.wrapping_sub(last) as f32 * 1e-3).clamp(*STEPS.start(), *STEPS.end())
        });
        self.stage.advance(seen, step)
    }
}

/// Counts answers and their delays.
struct Meter {
    since: Instant,
    /// Milliseconds from arrival to answer.
    delays: Vec<f32>,
}

impl Meter {
    fn new() -> Self {
        Self { since: Instant::now(), delays: Vec::new() }
    }

    /// Notes an answer; about once a second there are new statistics.
    fn answered(&mut self, arrived: Instant, dropped: u64) -> Option<Statistics> {
        self.delays.push(arrived.elapsed().as_secs_f32() * 1e3);
        let seconds = self.since.elapsed();
        if seconds < TELL_EVERY {
            return None;
        }
        let mut delays = std::mem::take(&mut self.delays);
        self.since = Instant::now();
        let middle = delays.len() / 2;
        let (_, &mut latency_ms, _) = delays.select_nth_unstable_by(middle, f32::total_cmp);
        Some(Statistics {
            frames_per_second: delays.len() as f32 / seconds.as_secs_f32(),
            latency_ms,
            dropped,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gioconda_avatar::Avatar;
    use gioconda_face::{FaceChoice, FaceFinder, Threads};
    use gioconda_provenance::watermark::{AvatarId, Payload};
    use image::codecs::jpeg::JpegEncoder;
    use std::path::Path;
    use std::sync::mpsc::{Receiver, channel};

    fn portrait() -> MarkedAvatar {
        let photo = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../assets/mona_lisa.jpg");
        let mut finder = FaceFinder::new(Threads::Shared).expect("models");
        let avatar = Avatar::from_photo(&photo, FaceChoice::Largest, &mut finder).expect("an avatar");
        let mark = Payload::today(AvatarId::of(b"x"));
        MarkedAvatar { avatar: Arc::new(avatar), mark }
    }

    fn performer(size: u32) -> (Performer, Receiver<News>) {
        let (tell, news) = channel();
        let tell = move |told| drop(tell.send(told));
        (Performer::start(portrait(), look(size), |_| {}, tell).expect("a thread"), news)
    }

    fn look(size: u32) -> Look {
        Look::default().size(size)
    }

    /// A picture of an empty room.
    fn empty(sequence: u32) -> CameraPicture {
        let mut jpeg = Vec::new();
        RgbImage::new(160, 160).write_with_encoder(JpegEncoder::new(&mut jpeg)).expect("a JPEG");
        CameraPicture { sequence, milliseconds: sequence * 40, jpeg }
    }

    fn next(news: &Receiver<News>) -> News {
        news.recv_timeout(Duration::from_mins(1)).expect("news in time")
    }

    /// The next answer: its sequence number and the side of its picture.
    fn answer(news: &Receiver<News>) -> (u32, u32) {
        loop {
            if let News::Picture { sequence, jpeg, .. } = next(news) {
                return (sequence, jpeg::decode(&jpeg).expect("a JPEG").width());
            }
        }
    }

    #[test]
    fn the_newest_picture_wins_and_an_empty_room_is_answered_too() {
        let (performer, news) = performer(256);
        for sequence in 0..50 {
            performer.picture(empty(sequence));
        }
        let mut answered = Vec::new();
        let mut lost = false;
        while answered.last() != Some(&49) {
            match next(&news) {
                News::Picture { sequence, .. } => answered.push(sequence),
                News::Face(found) => lost = !found,
                _ => {}
            }
        }
        assert!(lost, "nobody is there");
        assert!(answered.len() < 25 && answered.is_sorted(), "{answered:?}");
        assert!(performer.shared.inbox().dropped >= 25);
    }

    #[test]
    fn the_look_changes_between_two_pictures_and_broken_pictures_are_told_of_and_answered() {
        let (performer, news) = performer(256);
        performer.picture(empty(0));
        assert_eq!(answer(&news), (0, 256));
        performer.look(look(320));
        performer.picture(empty(1));
        assert_eq!(answer(&news), (1, 320));
        performer.picture(CameraPicture { jpeg: b"no JPEG".to_vec(), ..empty(2) });
        while !matches!(next(&news), News::Trouble(_)) {}
        assert_eq!(answer(&news), (2, 320), "whoever waits for an answer gets the portrait as it is");
        performer.picture(empty(3));
        assert_eq!(answer(&news), (3, 320), "the session goes on");
        drop(performer);
        while news.recv_timeout(Duration::from_mins(1)).is_ok() {}
    }

    #[test]
    fn a_panic_of_the_engine_is_told() {
        let (heard, news) = channel();
        let tell = move |news: News| {
            assert!(!matches!(news, News::Ready), "a panic on the engine's thread");
            heard.send(news).expect("somebody listens");
        };
        let _performer = Performer::start(portrait(), look(96), |_| {}, tell).expect("a thread");
        assert!(matches!(next(&news), News::Failed(line) if line == BROKEN));
    }
}
