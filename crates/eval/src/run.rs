//! A run: cases are made of the clips, scored by several workers, kept, and put together into a report.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use fastrand::Rng;
use gioconda_avatar::RendererKind;
use gioconda_dataset::{Clip, Found};
use serde::Serialize;

use crate::cache::{Cache, Kept, key};
use crate::clips::{SIDE, Unfit};
use crate::few_shot::{Plan, score_person};
use crate::frechet::{Moments, frechet_distance};
use crate::instruments::{FaceModels, Networks, checksum};
use crate::measures::{mean_over, rounded};
use crate::page::Strips;
use crate::reenactment::{Bench, rows, score_cross, score_self};
use crate::report::{Program, ProtocolReport, REPORT_FORMAT, Report, Request, Skipped};
use crate::score::{RowValues, Scored};
use crate::settings::{Progress, Protocol, Settings};
use crate::{Error, Result, page, speed, table};

/// One thing to score.
#[derive(Clone, Debug)]
enum Job {
    SelfReenactment(Clip),
    CrossReenactment { portrait: Clip, driver: Clip },
    FewShot { person: String, clips: Vec<Clip> },
}

/// What a case depends on.
#[derive(Serialize)]
struct Dependencies<'a> {
    program: &'a str,
    protocol: &'a str,
    job: String,
    clips: Vec<String>,
    instruments: Vec<&'a Option<Vec<String>>>,
    renderer: RendererKind,
    weights: &'a Option<String>,
    frames: Option<usize>,
    /// Of the few-shot protocol: photos, steps, seed.
    few_shot: Option<(&'a [usize], u32, u64)>,
}

/// What became of a job.
enum Outcome {
    Kept(Kept),
    Skipped(Skipped),
}

const JSON: &str = "report.json";
const MARKDOWN: &str = "report.md";
const PAGE: &str = "report.html";
const PAIRS: &str = "pairs.json";

/// The files of the output folder that a run replaces, whatever they hold.
pub const REPORT_FILES: [&str; 4] = [JSON, MARKDOWN, PAGE, PAIRS];

/// Scores everything, writes `report.json`, `report.md`, `report.html` and, for cross-reenactment, `pairs.json` into the
/// output folder, and returns the report.
///
/// Clips that cannot be scored are named in the report. `progress` is called from several threads; setting `cancel`
/// stops between frames and leaves what is scored for another run.
///
/// # Errors
/// When nothing could be scored, a network cannot be loaded, or the folder cannot be written.
pub fn evaluate(
    settings: &Settings,
    progress: &(dyn Fn(Progress) + Sync),
    cancel: &AtomicBool,
) -> Result<Report> {
    let Found { clips, problems } = gioconda_dataset::find(&settings.data)?;
    let jobs: Vec<(Protocol, Vec<Job>)> =
        settings.protocols.iter().map(|&protocol| (protocol, jobs(protocol, &clips, settings))).collect();
    let run = Run {
        settings,
        networks: Networks::load(settings)?,
        cache: Cache::open(&settings.output)?,
        program: program_checksum()?,
        total: jobs.iter().map(|(_, jobs)| jobs.len()).sum(),
        done: AtomicUsize::new(0),
        frames: AtomicUsize::new(0),
        progress,
        cancel,
    };
    write_pairs(settings, &jobs)?;
    let (mut protocols, mut strips) = (Vec::new(), Vec::new());
    for (protocol, jobs) in &jobs {
        let unreadable =
            problems.iter().map(|(name, reason)| Skipped { name: name.clone(), reason: reason.clone() });
        let outcomes = unreadable.map(Outcome::Skipped).chain(run.score_all(jobs)?).collect();
        let (report, pictures) = summarise(*protocol, outcomes, settings);
        protocols.push(report);
        strips.push(pictures);
    }
    if protocols.iter().all(|protocol| protocol.cases.is_empty()) {
        let mut reasons = protocols.iter().flat_map(|protocol| &protocol.skipped);
        let first = reasons.next().map_or("no person fits the protocol".to_owned(), |skipped| {
            format!("{}: {}", skipped.name, skipped.reason)
        });
        return Err(Error::NothingScored { first, skipped: 1 + reasons.count() });
    }
    let report = Report {
        format: REPORT_FORMAT,
        program: Program { version: settings.program_version.clone(), sha256: run.program.clone() },
        request: request(settings, &run.networks),
        instruments: run.networks.used.clone(),
        speed: speed::measure(&clips, &run.networks, settings)?,
        protocols,
    };
    let save =
        |name: &str, text: String| gioconda_media::save_bytes(&settings.output.join(name), text.as_bytes());
    save(JSON, report.to_json())?;
    save(MARKDOWN, table::markdown(&report))?;
    save(PAGE, page::page(&report, &strips, settings.pictures))?;
    Ok(report)
}

fn request(settings: &Settings, networks: &Networks) -> Request {
    let name = settings.weights.as_deref().map_or_else(
        || "the weights inside the program".to_owned(),
        |path| path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
    );
    Request {
        data: settings.data.display().to_string(),
        renderer: judged(settings.renderer).to_owned(),
        weights: networks.weights_sha256.clone().map(|sha256| (name, sha256)),
        frames: settings.frames,
        side: SIDE,
        seed: settings.seed,
    }
}

fn judged(renderer: RendererKind) -> &'static str {
    match renderer {
        RendererKind::Mesh => "mesh",
        RendererKind::Neural => "neural",
    }
}

/// SHA-256 of the running program.
fn program_checksum() -> Result<String> {
    let path = std::env::current_exe().map_err(Error::read("this program".as_ref()))?;
    checksum(&path)
}

/// What is to be scored, in the order of the report.
fn jobs(protocol: Protocol, clips: &[Clip], settings: &Settings) -> Vec<Job> {
    match protocol {
        Protocol::SelfReenactment => clips.iter().cloned().map(Job::SelfReenactment).collect(),
        Protocol::CrossReenactment => pairs(clips, settings.drivers, settings.seed)
            .into_iter()
            .map(|(portrait, driver)| Job::CrossReenactment { portrait, driver })
            .collect(),
        Protocol::FewShot => {
            let mut people: BTreeMap<&str, Vec<Clip>> = BTreeMap::new();
            for clip in clips {
                people.entry(&clip.person).or_default().push(clip.clone());
            }
            people
                .into_iter()
                .map(|(person, clips)| Job::FewShot { person: person.to_owned(), clips })
                .collect()
        }
    }
}

/// Each person's first clip, driven by `drivers` clips of other people, drawn by `seed`.
fn pairs(clips: &[Clip], drivers: usize, seed: u64) -> Vec<(Clip, Clip)> {
    let mut rng = Rng::with_seed(seed);
    let mut portraits: Vec<&Clip> = clips.iter().collect();
    portraits.dedup_by(|a, b| a.person == b.person);
    let mut pairs = Vec::new();
    for portrait in portraits {
        let mut others: Vec<&Clip> = clips.iter().filter(|clip| clip.person != portrait.person).collect();
        rng.shuffle(&mut others);
        pairs.extend(others.into_iter().take(drivers).map(|driver| (portrait.clone(), driver.clone())));
    }
    pairs
}

fn write_pairs(settings: &Settings, jobs: &[(Protocol, Vec<Job>)]) -> Result<()> {
    let pairs: Vec<[&str; 2]> = jobs
        .iter()
        .flat_map(|(_, jobs)| jobs)
        .filter_map(|job| match job {
            Job::CrossReenactment { portrait, driver } => Some([&*portrait.source, &*driver.source]),
            Job::SelfReenactment(_) | Job::FewShot { .. } => None,
        })
        .collect();
    if pairs.is_empty() {
        return Ok(());
    }
    let json = serde_json::json!({ "seed": settings.seed, "portrait_and_driver": pairs });
    let json = serde_json::to_vec_pretty(&json).expect("pairs are texts");
    Ok(gioconda_media::save_bytes(&settings.output.join(PAIRS), &json)?)
}

impl Job {
    fn protocol(&self) -> Protocol {
        match self {
            Self::SelfReenactment(_) => Protocol::SelfReenactment,
            Self::CrossReenactment { .. } => Protocol::CrossReenactment,
            Self::FewShot { .. } => Protocol::FewShot,
        }
    }

    fn name(&self) -> String {
        match self {
            Self::SelfReenactment(clip) => clip.source.clone(),
            Self::CrossReenactment { portrait, driver } => {
                format!("{} <- {}", portrait.source, driver.source)
            }
            Self::FewShot { person, .. } => person.clone(),
        }
    }

    fn clips(&self) -> Vec<&Clip> {
        match self {
            Self::SelfReenactment(clip) => vec![clip],
            Self::CrossReenactment { portrait, driver } => vec![portrait, driver],
            Self::FewShot { clips, .. } => clips.iter().collect(),
        }
    }
}

struct Run<'a> {
    settings: &'a Settings,
    networks: Networks,
    cache: Cache,
    program: String,
    total: usize,
    done: AtomicUsize,
    frames: AtomicUsize,
    progress: &'a (dyn Fn(Progress) + Sync),
    cancel: &'a AtomicBool,
}

impl Run<'_> {
    /// Scores all jobs, several at a time on plain threads: renderers and networks wait for rayon's workers, and a rayon
    /// worker that waits would begin the next job on the same stack.
    fn score_all(&self, jobs: &[Job]) -> Result<Vec<Outcome>> {
        let (next, results) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
        let failed = AtomicBool::new(false);
        let work = || -> Result<()> {
            let mut models = FaceModels::load()?;
            loop {
                let index = next.fetch_add(1, Ordering::Relaxed);
                let Some(job) = jobs.get(index) else { return Ok(()) };
                let stop = || failed.load(Ordering::Relaxed) || self.cancel.load(Ordering::Relaxed);
                let Some(outcome) = (if stop() { None } else { self.outcome(job, &mut models, &stop)? })
                else {
                    return Ok(());
                };
                self.done.fetch_add(1, Ordering::Relaxed);
                self.show();
                results.lock().unwrap_or_else(PoisonError::into_inner).push((index, outcome));
            }
        };
        let work = || work().inspect_err(|_| failed.store(true, Ordering::Relaxed));
        std::thread::scope(|scope| {
            let start = |number: usize| {
                let builder = std::thread::Builder::new().name(format!("scoring {number}"));
                builder.spawn_scoped(scope, work).map_err(|cause| {
                    failed.store(true, Ordering::Relaxed);
                    Error::Thread { cause }
                })
            };
            let workers: Vec<_> = (0..self.settings.workers.max(1)).map(start).collect::<Result<_>>()?;
            workers
                .into_iter()
                .try_for_each(|worker| worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
        })?;
        if self.cancel.load(Ordering::Relaxed) {
            return Err(Error::Cancelled { done: self.done.load(Ordering::Relaxed), total: self.total });
        }
        let mut results = results.into_inner().unwrap_or_else(PoisonError::into_inner);
        results.sort_by_key(|(index, _)| *index);
        Ok(results.into_iter().map(|(_, outcome)| outcome).collect())
    }

    fn show(&self) {
        let [done, frames] = [&self.done, &self.frames].map(|count| count.load(Ordering::Relaxed));
        (self.progress)(Progress { done, total: self.total, frames });
    }

    /// The kept result, or a new one; `None` when stopped.
    fn outcome(
        &self,
        job: &Job,
        models: &mut FaceModels,
        stop: &dyn Fn() -> bool,
    ) -> Result<Option<Outcome>> {
        let skipped = |reason: String| Ok(Some(Outcome::Skipped(Skipped { name: job.name(), reason })));
        let mut sums = Vec::new();
        for clip in job.clips() {
            match checksum(&clip.path) {
                Ok(sum) => sums.push(sum),
                Err(error) => return skipped(error.to_string()),
            }
        }
        let settings = self.settings;
        let few_shot = matches!(job, Job::FewShot { .. });
        let key = key(&Dependencies {
            program: &self.program,
            protocol: job.protocol().name(),
            job: job.name(),
            clips: sums,
            instruments: self.networks.used.iter().map(|instrument| &instrument.sha256).collect(),
            renderer: settings.renderer,
            weights: &self.networks.weights_sha256,
            frames: settings.frames,
            few_shot: few_shot.then_some((&settings.photos, settings.tuning_steps, settings.seed)),
        });
        if let Some(kept) = self.cache.get(&key) {
            return Ok(Some(Outcome::Kept(kept)));
        }
        match self.score(job, models, stop) {
            Ok(None) => Ok(None),
            Ok(Some(scored)) if scored.case.frames == 0 => skipped("no frame shows a face".to_owned()),
            Ok(Some(scored)) => {
                self.cache.put(&key, &scored)?;
                let unread = || Error::file(&settings.output, "what was just written cannot be read again");
                self.cache.get(&key).map(|kept| Some(Outcome::Kept(kept))).ok_or_else(unread)
            }
            Err(Unfit::Clip(reason)) => skipped(reason),
            Err(Unfit::All(error)) => Err(error),
        }
    }

    fn score(
        &self,
        job: &Job,
        models: &mut FaceModels,
        stop: &dyn Fn() -> bool,
    ) -> std::result::Result<Option<Scored>, Unfit> {
        let go_on = || {
            self.frames.fetch_add(1, Ordering::Relaxed);
            self.show();
            !stop()
        };
        let Settings { renderer, frames, photos, tuning_steps, seed, .. } = self.settings;
        let bench =
            Bench { networks: &self.networks, models, renderer: *renderer, frames: *frames, go_on: &go_on };
        match job {
            Job::SelfReenactment(clip) => score_self(clip, bench),
            Job::CrossReenactment { portrait, driver } => score_cross(portrait, driver, bench),
            Job::FewShot { person, clips } => {
                let plan = Plan { photos, steps: *tuning_steps, seed: *seed, cancel: self.cancel };
                score_person(person, clips, &plan, bench)
            }
        }
    }
}

/// Means and Fréchet distances over the cases.
fn summarise(protocol: Protocol, outcomes: Vec<Outcome>, settings: &Settings) -> (ProtocolReport, Strips) {
    let (mut cases, mut strips, mut skipped) = (Vec::new(), Vec::new(), Vec::new());
    let mut moments: Vec<Moments> = Vec::new();
    for outcome in outcomes {
        match outcome {
            Outcome::Skipped(reason) => skipped.push(reason),
            Outcome::Kept(kept) => {
                moments.resize(moments.len().max(kept.moments.len()), Moments::default());
                moments.iter_mut().zip(&kept.moments).for_each(|(sum, own)| sum.merge(own));
                cases.push(kept.case);
                strips.push(kept.strip);
            }
        }
    }
    let names: Vec<String> = cases.first().map_or_else(
        || rows(settings.renderer),
        |case: &crate::score::Case| case.rows.iter().map(|row| row.name.clone()).collect(),
    );
    let rows: Vec<RowValues> = names
        .iter()
        .enumerate()
        .map(|(index, name)| {
            let mut values = mean_over(cases.iter().filter_map(|case| case.row(name)));
            if let [real, outputs @ ..] = &moments[..]
                && let Some(own) = outputs.get(index)
                && let Some(distance) = frechet_distance(real, own)
            {
                values.insert("fid".to_owned(), rounded(distance));
                values.insert("fid_count".to_owned(), own.count as f64);
            }
            RowValues { name: name.clone(), values }
        })
        .collect();
    let judged = match protocol {
        Protocol::FewShot => names.last().cloned().unwrap_or_default(),
        Protocol::SelfReenactment | Protocol::CrossReenactment => judged(settings.renderer).to_owned(),
    };
    (ProtocolReport { protocol, judged, rows, cases, skipped }, strips)
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    #[test]
    fn pairs_are_fixed_by_the_seed_and_never_of_one_person() {
        let clip = |person: &str, name: &str| Clip {
            path: PathBuf::new(),
            source: format!("{person}/{name}"),
            person: person.to_owned(),
            name: name.to_owned(),
        };
        let clips = [clip("a", "1"), clip("a", "2"), clip("b", "1"), clip("c", "1"), clip("d", "1")];
        let names = |pairs: &[(Clip, Clip)]| -> Vec<(String, String)> {
            pairs.iter().map(|(a, b)| (a.source.clone(), b.source.clone())).collect()
        };
        let drawn = pairs(&clips, 2, 7);
        assert_eq!(drawn.len(), 8);
        assert!(drawn.iter().all(|(portrait, driver)| portrait.person != driver.person));
        assert_eq!(names(&drawn), names(&pairs(&clips, 2, 7)));
        assert_ne!(names(&drawn), names(&pairs(&clips, 2, 8)));
        assert_eq!(pairs(&clips, 9, 1).len(), 3 + 4 + 4 + 4);
    }
}
