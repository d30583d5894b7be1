//! `gioconda inspect`: what is in a file, and how well it will work.

use std::path::{Path, PathBuf};

use gioconda_avatar::{Motion, matte_of};
use gioconda_face::{FaceChoice, FaceFinder, FoundFace, MatteVerdict, Threads, Tracker};
use gioconda_media::{ClipInfo, ClipReader, Frame, InputKind, Photo, PhotoInfo, ReadOptions, photo};
use serde::Serialize;

use crate::cli::InspectArgs;
use crate::report::{self, Failure, print, print_json};

/// What was found in one file.
#[derive(Serialize)]
struct Finding {
    file: PathBuf,
    #[serde(flatten)]
    kind: Kind,
}

#[derive(Serialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
enum Kind {
    Photo {
        #[serde(flatten)]
        info: PhotoInfo,
        faces: Vec<Face>,
    },
    Clip {
        #[serde(flatten)]
        info: ClipInfo,
        faces_in_first_frame: Vec<Face>,
        /// Share of sampled frames in which the face could be followed, 0..1.
        tracked: f64,
    },
    Motion {
        title: String,
        frames: usize,
        fps: f64,
        seconds: f64,
        loops: bool,
        /// Share of frames with a face, 0..1.
        tracked: f64,
    },
    Error {
        error: String,
    },
}

/// A face, for people and for JSON.
#[derive(Serialize)]
struct Face {
    /// From 1, left to right: what `--face` takes.
    number: usize,
    /// Centre of its box, pixels.
    center: [f32; 2],
    /// Width of the face, pixels.
    width: f32,
    yaw_degrees: f32,
    pitch_degrees: f32,
    roll_degrees: f32,
    sharpness: f32,
    warnings: Vec<String>,
    /// Of the largest faces of a photo.
    #[serde(skip_serializing_if = "Option::is_none")]
    matte: Option<FoundMatte>,
}

/// What is thought of a face's matte.
#[derive(Serialize)]
struct FoundMatte {
    verdict: MatteVerdict,
    /// The verdict in words.
    explanation: String,
    /// Whether the head can move before the background.
    usable: bool,
    /// Numbers of other faces that it holds, too.
    holds_faces: Vec<usize>,
}

/// A face of which so much lies in another's matte moves with it.
const HELD: f32 = 0.5;

impl FoundMatte {
    fn new(
        photo: &Photo,
        index: usize,
        faces: &[FoundFace],
        finder: &mut FaceFinder,
    ) -> Result<Self, String> {
        let all = faces.iter().map(|face| &face.landmarks);
        let matte =
            matte_of(photo, &faces[index].landmarks, all, finder).map_err(|error| error.to_string())?;
        let others = faces.iter().enumerate().filter(|&(other, _)| other != index);
        let held = others.filter(|(_, other)| matte.share_of(&other.landmarks) > HELD);
        Ok(Self {
            verdict: matte.verdict,
            explanation: matte.verdict.to_string(),
            usable: matte.is_usable(),
            holds_faces: held.map(|(other, _)| other + 1).collect(),
        })
    }

    fn print(&self) -> Result<(), Failure> {
        let moves = if self.usable { "" } else { "; head and background move as one" };
        print(format_args!("    matte: {}{moves}", self.explanation))?;
        let mut held = self.holds_faces.iter();
        held.try_for_each(|number| print(format_args!("    matte: it holds face {number}, too")))
    }
}

impl Face {
    fn new((index, face): (usize, &FoundFace)) -> Self {
        let center = face.detection.bounds.center();
        let [yaw_degrees, pitch_degrees, roll_degrees] = face.quality.yaw_pitch_roll;
        Self {
            number: index + 1,
            center: [center.x, center.y],
            width: face.quality.face_width,
            yaw_degrees,
            pitch_degrees,
            roll_degrees,
            sharpness: face.quality.sharpness,
            warnings: face.quality.warnings.iter().map(ToString::to_string).collect(),
            matte: None,
        }
    }

    fn print(&self) -> Result<(), Failure> {
        print(format_args!(
            "  face {}: {:.0} px wide at ({:.0}, {:.0}); yaw {:.0}°, pitch {:.0}°, roll {:.0}°; sharpness {:.3}",
            self.number,
            self.width,
            self.center[0],
            self.center[1],
            self.yaw_degrees,
            self.pitch_degrees,
            self.roll_degrees,
            self.sharpness,
        ))?;
        self.matte.iter().try_for_each(FoundMatte::print)?;
        self.warnings.iter().try_for_each(|warning| print(format_args!("    warning: {warning}")))
    }
}

/// Inspects every file; one that cannot be read does not stop the others.
pub(crate) fn run(arguments: &InspectArgs) -> Result<(), Failure> {
    let mut finder = FaceFinder::new(Threads::Shared)?;
    let mut findings = Vec::new();
    for file in &arguments.files {
        let kind = look_into(file, &mut finder).unwrap_or_else(|error| Kind::Error { error });
        if let Kind::Error { error } = &kind {
            report::error(error);
        }
        let finding = Finding { file: file.clone(), kind };
        if !arguments.json {
            show(&finding)?;
        }
        findings.push(finding);
    }
    if arguments.json {
        print_json(&findings)?;
    }
    let failed = findings.iter().any(|finding| matches!(finding.kind, Kind::Error { .. }));
    if failed { Err(Failure::Reported) } else { Ok(()) }
}

fn look_into(file: &Path, finder: &mut FaceFinder) -> Result<Kind, String> {
    let words = |error: &dyn std::error::Error| error.to_string();
    if file.extension().is_some_and(|extension| extension == "motion") {
        return Motion::read(file).map(|motion| describe_motion(&motion)).map_err(|e| words(&e));
    }
    match gioconda_media::sniff(file).map_err(|e| words(&e))? {
        InputKind::Photo => {
            let info = photo::info(file).map_err(|e| words(&e))?;
            let photo = photo::read(file).map_err(|e| words(&e))?;
            let found = finder.find_faces(&photo.image).map_err(|e| words(&e))?;
            let mut faces: Vec<Face> = found.iter().enumerate().map(Face::new).collect();
            for index in largest(&faces) {
                match FoundMatte::new(&photo, index, &found, finder) {
                    Ok(matte) => faces[index].matte = Some(matte),
                    // The rest of what was found is worth its report.
                    Err(error) => {
                        tracing::warn!("{}: no matte of face {}: {error}", file.display(), index + 1);
                    }
                }
            }
            Ok(Kind::Photo { info, faces })
        }
        InputKind::Clip | InputKind::PictureFolder => describe_clip(file, finder),
    }
}

/// Mattes are found for this many faces of a photo: who is in a crowd is not animated.
const MATTES: usize = 3;

/// Which faces are the largest, as many as get a [`FoundMatte`].
fn largest(faces: &[Face]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..faces.len()).collect();
    order.sort_by(|&a, &b| faces[b].width.total_cmp(&faces[a].width));
    order.truncate(MATTES);
    order
}

fn describe_motion(motion: &Motion) -> Kind {
    let with_face = (0..motion.len()).filter(|&i| motion.frame(i).confidence > 0.0).count();
    Kind::Motion {
        title: motion.title.clone(),
        frames: motion.len(),
        fps: motion.fps,
        seconds: motion.seconds(),
        loops: motion.loops,
        tracked: with_face as f64 / motion.len() as f64,
    }
}

/// Frames of a clip in which the face is looked for.
const SAMPLES: f64 = 50.0;

fn describe_clip(file: &Path, finder: &mut FaceFinder) -> Result<Kind, String> {
    let words = |error: gioconda_media::Error| error.to_string();
    let info = ClipReader::open(file, &ReadOptions::default()).map_err(words)?.info().clone();
    let fps = (SAMPLES / info.duration.as_secs_f64().max(1.0)).clamp(0.1, info.fps.clamp(0.1, 60.0));
    let sampled = ReadOptions { fps: Some(fps), ..ReadOptions::default() };
    let mut reader = ClipReader::open(file, &sampled).map_err(words)?;
    let mut tracker = Tracker::new(FaceChoice::Largest, Threads::Shared).map_err(|e| e.to_string())?;
    let (mut frame, mut faces) = (Frame::default(), None);
    let (mut sampled, mut tracked) = (0_u32, 0_u32);
    while reader.read(&mut frame).map_err(words)? {
        if faces.is_none() {
            faces = Some(finder.find_faces(&frame.image).map_err(|e| e.to_string())?);
        }
        sampled += 1;
        tracked += u32::from(tracker.track(&frame.image).map_err(|e| e.to_string())?.is_some());
    }
    Ok(Kind::Clip {
        info,
        faces_in_first_frame: faces.unwrap_or_default().iter().enumerate().map(Face::new).collect(),
        tracked: f64::from(tracked) / f64::from(sampled.max(1)),
    })
}

fn show(finding: &Finding) -> Result<(), Failure> {
    let file = finding.file.display();
    match &finding.kind {
        Kind::Photo { info, faces } => {
            print(format_args!(
                "{file}: {} photo, {} x {} pixels, {}",
                info.format,
                info.width,
                info.height,
                count(faces)
            ))?;
            faces.iter().try_for_each(Face::print)
        }
        Kind::Clip { info, faces_in_first_frame, tracked } => {
            let sound = info.audio.as_ref().map_or("no sound".to_owned(), |audio| {
                format!("{} sound, {} Hz, {} channel(s)", audio.codec, audio.sample_rate, audio.channels)
            });
            print(format_args!(
                "{file}: {} clip, {} by {}, {} x {} pixels, {:.2} frames/s{}, {:.2} s, {sound}",
                info.container,
                info.codec,
                info.decoder,
                info.width,
                info.height,
                info.fps,
                if info.variable_rate { " (variable)" } else { "" },
                info.duration.as_secs_f64(),
            ))?;
            print(format_args!(
                "  {} in the first frame; the largest could be followed in {:.0} % of the sampled frames",
                count(faces_in_first_frame),
                100.0 * tracked
            ))?;
            faces_in_first_frame.iter().try_for_each(Face::print)
        }
        Kind::Motion { title, frames, fps, seconds, loops, tracked } => print(format_args!(
            "{file}: motion \"{title:.200}\", {frames} frames at {fps:.2} frames/s, {seconds:.2} s{}; a face in {:.0} % of them",
            if *loops { ", loops" } else { "" },
            100.0 * tracked
        )),
        Kind::Error { .. } => Ok(()),
    }
}

fn count(faces: &[Face]) -> String {
    match faces.len() {
        0 => "no face".to_owned(),
        1 => "1 face".to_owned(),
        many => format!("{many} faces"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mattes_are_found_for_the_largest_faces() {
        let face = |width| Face {
            number: 1,
            center: [0.0, 0.0],
            width,
            yaw_degrees: 0.0,
            pitch_degrees: 0.0,
            roll_degrees: 0.0,
            sharpness: 0.0,
            warnings: Vec::new(),
            matte: None,
        };
        assert_eq!(largest(&[30.0, 90.0, 40.0, 20.0, 60.0].map(face)), [1, 4, 2]);
        assert_eq!(largest(&[30.0, 90.0].map(face)), [1, 0]);
        assert!(largest(&[]).is_empty());
    }
}
