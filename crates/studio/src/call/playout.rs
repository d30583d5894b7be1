//! Motion that arrives as it pleases, shown as if it came steadily.
//!
//! The newest packet is shown as soon as it is there: a buffer would cost what makes a call a conversation. When the next
//! one is late, pose and expression go on the way they went, ever slower (`CARRY`); from `PATIENCE` on the face eases
//! into a quiet idle motion, so that it is never frozen. What comes after a gap is eased in.

use std::sync::Arc;
use std::time::{Duration, Instant};

use gioconda_avatar::builtin_motions::BuiltinMotion;
use gioconda_avatar::{Motion, MotionFrame, PackedFrame};
use gioconda_face::rotation_vector;
use nalgebra::Rotation3;

use super::packet::Packet;

/// After this long without a packet the face leaves what it was doing. Less than the 200 ms for which it may stand still.
pub const PATIENCE: Duration = Duration::from_millis(160);

/// A packet that is late by more than this is a gap, and what follows is eased in.
const GAP: Duration = Duration::from_millis(90);
/// How far a movement is carried on: its speed falls by e in this time.
const CARRY: f32 = 0.08;
/// Seconds from what was shown to the idle motion.
const EASE_OUT: f32 = 0.8;
/// Seconds from whatever is shown to the motion that came back.
const EASE_IN: f32 = 0.2;
/// Sequence numbers this far behind are late packets; farther ones are a sender that began anew.
const LATE: u16 = 250;
/// Seconds between packets that speeds are worth taking from.
const SPEED_STEPS: std::ops::Range<f32> = 0.01..0.25;

/// The stream of one participant.
pub struct Playout {
    idle: Arc<Motion>,
    began: Instant,
    newest: Option<Arrived>,
    /// Change a second at the newest packet.
    speed: Option<Speed>,
    shown: MotionFrame,
    /// What was shown when the gap ended, and when it ended.
    easing: Option<(MotionFrame, Instant)>,
}

struct Arrived {
    sequence: u16,
    milliseconds: u16,
    motion: MotionFrame,
    at: Instant,
}

struct Speed {
    rotation: nalgebra::Vector3<f32>,
    translation: nalgebra::Vector2<f32>,
    /// Of the newest motion from the one before, a second of the sender's clock.
    before: MotionFrame,
    seconds: f32,
}

impl Playout {
    /// A stream of which nothing has arrived: it shows the idle motion.
    ///
    /// # Panics
    /// Never: the idle motion is inside the program.
    pub fn new(now: Instant) -> Self {
        let idle = BuiltinMotion::find("idle").expect("a built-in motion is called idle").load();
        Self { idle, began: now, newest: None, speed: None, shown: MotionFrame::rest(), easing: None }
    }

    /// Takes a packet; `false` when a newer one was there before it.
    pub fn arrive(&mut self, packet: &Packet, now: Instant) -> bool {
        let before = self.newest.take();
        if let Some(newest) = before.as_ref() {
            let behind = newest.sequence.wrapping_sub(packet.sequence);
            if behind < LATE {
                self.newest = before;
                return false;
            }
        }
        let motion = packet.frame.unpack();
        let in_gap = before.as_ref().is_none_or(|before| now.saturating_duration_since(before.at) > GAP);
        if in_gap {
            self.easing = Some((self.shown.clone(), now));
        }
        self.speed = before.and_then(|before| {
            let seconds = f32::from(packet.milliseconds.wrapping_sub(before.milliseconds)) * 1e-3;
            SPEED_STEPS.contains(&seconds).then(|| Speed {
                rotation: rotation_vector(&(motion.rotation * before.motion.rotation.inverse())) / seconds,
                translation: (motion.translation - before.motion.translation) / seconds,
                before: before.motion,
                seconds,
            })
        });
        let Packet { sequence, milliseconds, .. } = *packet;
        self.newest = Some(Arrived { sequence, milliseconds, motion, at: now });
        true
    }

    /// What to show at `now`.
    pub fn at(&mut self, now: Instant) -> MotionFrame {
        let mut motion = match &self.newest {
            None => self.idle_at(now),
            Some(newest) => {
                let age = now.saturating_duration_since(newest.at);
                let carried = self.carried(newest, age.as_secs_f32());
                match age.checked_sub(PATIENCE) {
                    None => carried,
                    Some(over) => carried.blend(&self.idle_at(now), smooth(over.as_secs_f32() / EASE_OUT)),
                }
            }
        };
        if let Some((from, since)) = &self.easing {
            let t = now.saturating_duration_since(*since).as_secs_f32() / EASE_IN;
            if t < 1.0 {
                motion = from.blend(&motion, smooth(t));
            } else {
                self.easing = None;
            }
        }
        self.shown.clone_from(&motion);
        motion
    }

    /// The newest motion, carried on for `seconds` with a speed that dies away.
    fn carried(&self, newest: &Arrived, seconds: f32) -> MotionFrame {
        let mut motion = newest.motion.clone();
        let Some(speed) = &self.speed else { return motion };
        // The integral of a speed that falls exponentially.
        let run = CARRY * (1.0 - (-seconds / CARRY).exp());
        let ahead = run / speed.seconds;
        for (now, before) in motion.expression.iter_mut().zip(&speed.before.expression) {
            *now += ahead * (*now - before);
        }
        for (now, before) in motion.eyes.iter_mut().zip(speed.before.eyes) {
            *now = (*now + ahead * (*now - before)).max(0.0);
        }
        motion.mouth = (motion.mouth + ahead * (motion.mouth - speed.before.mouth)).clamp(0.0, 1.0);
        motion.rotation = Rotation3::new(speed.rotation * run) * motion.rotation;
        motion.translation += speed.translation * run;
        motion
    }

    fn idle_at(&self, now: Instant) -> MotionFrame {
        self.idle.at(now.saturating_duration_since(self.began).as_secs_f64() % self.idle.seconds())
    }
}

fn smooth(t: f32) -> f32 {
    let t = t.clamp(0.0, 1.0);
    t * t * (3.0 - 2.0 * t)
}

/// A motion as it goes on the wire.
pub fn packet(sequence: u16, milliseconds: u16, motion: &MotionFrame) -> Packet {
    Packet { sequence, milliseconds, frame: PackedFrame::pack(motion) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STEP: Duration = Duration::from_millis(40);

    /// A nod and a mouth that opens and shuts.
    fn performed(index: u16) -> MotionFrame {
        let t = f32::from(index) * STEP.as_secs_f32();
        let mut motion = MotionFrame::rest();
        motion.rotation = Rotation3::from_euler_angles((3.0 * t).sin() * 0.2, 0.1, 0.0);
        motion.mouth = 0.5 + 0.5 * (7.0 * t).sin();
        motion
    }

    fn apart(a: &MotionFrame, b: &MotionFrame) -> f32 {
        let expression: f32 = a.expression.iter().zip(&b.expression).map(|(a, b)| (a - b).norm()).sum();
        rotation_vector(&(a.rotation.inverse() * b.rotation)).norm()
            + (a.mouth - b.mouth).abs()
            + expression / 478.0
    }

    /// What is shown every 40 ms when the packets for which `lost` holds do not arrive.
    fn play(packets: u16, lost: impl Fn(u16) -> bool) -> Vec<MotionFrame> {
        let start = Instant::now();
        let mut playout = Playout::new(start);
        (0..packets)
            .map(|index| {
                let now = start + STEP * u32::from(index);
                if !lost(index) {
                    playout.arrive(&packet(index, index * 40, &performed(index)), now);
                }
                playout.at(now)
            })
            .collect()
    }

    /// The longest time for which nothing moved.
    fn longest_freeze(shown: &[MotionFrame]) -> Duration {
        let (mut longest, mut still) = (0, 0);
        for pair in shown.windows(2) {
            still = if apart(&pair[0], &pair[1]) < 1e-4 { still + 1 } else { 0 };
            longest = longest.max(still);
        }
        STEP * longest
    }

    #[test]
    fn an_undisturbed_stream_is_shown_as_it_comes() {
        let shown = play(50, |_| false);
        for (index, motion) in shown.iter().enumerate().skip(6) {
            assert!(apart(motion, &performed(index as u16)) < 0.01, "frame {index}");
        }
    }

    #[test]
    fn no_loss_freezes_the_face_for_200_ms_or_makes_it_jump() {
        let every_third = |index| index % 3 == 1;
        let burst = |index| (20..26).contains(&index);
        let gone = |index| index > 20;
        let long = |index| (20..90).contains(&index);
        let mut random = fastrand::Rng::with_seed(3);
        let dice: Vec<bool> = (0..150).map(|_| random.f32() < 0.3).collect();
        let at_random = move |index: u16| dice[usize::from(index)];
        let cases: [(&str, &dyn Fn(u16) -> bool); 5] = [
            ("every third", &every_third),
            ("a burst", &burst),
            ("for good", &gone),
            ("three seconds", &long),
            ("at random", &at_random),
        ];
        for (name, lost) in cases {
            let shown = play(150, lost);
            let frozen = longest_freeze(&shown);
            let jump = shown.windows(2).map(|pair| apart(&pair[0], &pair[1])).fold(0.0, f32::max);
            println!("{name}: longest freeze {} ms, largest step {jump:.3}", frozen.as_millis());
            assert!(frozen <= Duration::from_millis(200), "{name}: frozen for {frozen:?}");
            assert!(jump < 0.45, "{name}: a jump of {jump}");
        }
    }

    #[test]
    fn one_lost_packet_is_hardly_seen() {
        let shown = play(60, |index| index == 30);
        let error = apart(&shown[30], &performed(30));
        let held = apart(&performed(29), &performed(30));
        assert!(error < 0.6 * held, "extrapolated {error}, held {held}");
    }

    #[test]
    fn late_packets_are_left_out_and_a_sender_that_begins_anew_is_heard() {
        let start = Instant::now();
        let mut playout = Playout::new(start);
        let mut arrive = |sequence| playout.arrive(&packet(sequence, 0, &MotionFrame::rest()), start);
        assert!(arrive(65_534) && arrive(65_535) && arrive(3), "numbers wrap around");
        assert!(!arrive(3) && !arrive(1) && !arrive(65_535), "late or twice");
        assert!(arrive(30_000), "anew");
    }
}
