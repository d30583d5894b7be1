//! How fast pictures are made on this machine: one clip, one stage after the other, nothing else at work.

use std::time::{Duration, Instant};

use gioconda_avatar::{FaceState, Gains, MotionFrame, MotionTransfer, RendererKind};
use gioconda_dataset::Clip;
use gioconda_face::{FaceChoice, FaceFinder, Threads, Tracker};
use gioconda_media::{ClipReader, Frame, ReadOptions};

use crate::Result;
use crate::clips::TrackedClip;
use crate::instruments::Networks;
use crate::reenactment::{Portrait, photo_of};
use crate::report::Speed;
use crate::settings::{Settings, default_workers};

/// Frames that are timed, after a few that warm up.
const FRAMES: usize = 60;
const WARM_UP: usize = 5;
/// Frames that the crop is chosen by.
const CROP_FRAMES: usize = 8;

/// Names of the stages but the renderers.
const STAGES: [&str; 3] = ["decode", "track", "transfer"];

/// Times the first clip that can be used; `None` where there is none.
pub(crate) fn measure(clips: &[Clip], networks: &Networks, settings: &Settings) -> Result<Option<Speed>> {
    let mut tracker = Tracker::new(FaceChoice::Largest, Threads::Count(1))?;
    let mut finder = FaceFinder::new(Threads::Count(1))?;
    for clip in clips {
        let Ok(tracked) = TrackedClip::track(clip, Some(CROP_FRAMES), &mut tracker) else { continue };
        let Ok((photo, landmarks)) = photo_of(&tracked) else { continue };
        let transfer = MotionTransfer::exact(&landmarks, Gains::default());
        let mut mesh =
            Portrait::new(photo.clone(), landmarks.clone(), networks, RendererKind::Mesh, &mut finder)?;
        let judged = match settings.renderer {
            RendererKind::Mesh => None,
            RendererKind::Neural => {
                Some(Portrait::new(photo, landmarks, networks, RendererKind::Neural, &mut finder)?)
            }
        };
        let mut times = Times { transfer, tracked, tracker, spent: [Duration::ZERO; 5], frames: 0 };
        times.run(&mut mesh, judged)?;
        if times.frames > 0 {
            return Ok(Some(times.finish(clip, settings.renderer)));
        }
        tracker = times.tracker;
    }
    Ok(None)
}

struct Times {
    transfer: MotionTransfer,
    tracked: TrackedClip,
    tracker: Tracker,
    /// Decode, track, transfer, mesh, and both renderers together.
    spent: [Duration; 5],
    frames: u32,
}

impl Times {
    fn run(&mut self, mesh: &mut Portrait, mut judged: Option<Portrait>) -> Result<()> {
        self.tracker.reset();
        let mut reader = ClipReader::open(&self.tracked.clip.path, &ReadOptions::default())?;
        let mut frame = Frame::default();
        for index in 0..FRAMES + WARM_UP {
            let mut spent = [Duration::ZERO; 5];
            let mut clock = Instant::now();
            let mut lap = |stage: usize, clock: &mut Instant| {
                spent[stage] += std::mem::replace(clock, Instant::now()).elapsed();
            };
            if !reader.read(&mut frame)? {
                break;
            }
            lap(0, &mut clock);
            let face = self.tracker.track(&frame.image)?;
            lap(1, &mut clock);
            let Some(face) = face else { continue };
            let landmarks = self.tracked.in_crop(&face.landmarks);
            let motion = MotionFrame::between(self.transfer.portrait(), &FaceState::new(&landmarks), 1.0);
            let driving = self.transfer.apply(&motion);
            lap(2, &mut clock);
            mesh.render(&driving)?;
            lap(3, &mut clock);
            if let Some(judged) = &mut judged {
                judged.render(&driving)?;
                lap(4, &mut clock);
            }
            if index >= WARM_UP {
                self.spent.iter_mut().zip(spent).for_each(|(sum, own)| *sum += own);
                self.frames += 1;
            }
        }
        Ok(())
    }

    fn finish(&self, clip: &Clip, renderer: RendererKind) -> Speed {
        let per_frame = |spent: Duration| (spent.as_secs_f64() * 1000.0) / f64::from(self.frames);
        let [decode, track, transfer, mesh, both] = self.spent.map(per_frame);
        let mut stages: Vec<(String, f64)> = STAGES
            .iter()
            .zip([decode, track, transfer])
            .map(|(name, time)| ((*name).to_owned(), time))
            .collect();
        stages.push(match renderer {
            RendererKind::Mesh => ("render (mesh)".to_owned(), mesh),
            RendererKind::Neural => ("render (neural)".to_owned(), (both - mesh).max(0.0)),
        });
        let total: f64 = stages.iter().map(|(_, time)| time).sum();
        Speed {
            processor: line_of("/proc/cpuinfo", "model name"),
            cores: default_workers(),
            frames: self.frames as usize,
            clip: clip.source.clone(),
            stages,
            frames_per_second: 1000.0 / total.max(1e-6),
            peak_memory_mb: line_of("/proc/self/status", "VmHWM")
                .and_then(|text| text.split_whitespace().next()?.parse::<u64>().ok())
                .map(|kilobytes| kilobytes / 1000),
        }
    }
}

/// What stands behind `name:` in one of Linux's files about the machine; nothing on other systems.
fn line_of(file: &str, name: &str) -> Option<String> {
    let text = std::fs::read_to_string(file).ok()?;
    let line = text.lines().find(|line| line.starts_with(name))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}
