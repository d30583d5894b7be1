//! Every command, option and help text: the one table from which parsing, `--help`, completions and the man page
//! are made.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum, ValueHint};
use gioconda_avatar::builtin_motions;
use gioconda_face::FaceChoice;

/// One photo in, a talking portrait out.
#[derive(Debug, Parser)]
#[command(name = "gioconda", version, propagate_version = true, arg_required_else_help = true)]
#[command(after_help = "\
Examples:
  gioconda animate assets/mona_lisa.jpg                      she speaks: mona_lisa.mp4
  gioconda animate einstein.jpg --drive me.mp4               he says what you said, with your sound
  gioconda animate family/ --drive smile --format gif        one animation for each photo of a folder
  gioconda record me.mp4 -o wink.motion                      your wink, for anyone's face
  gioconda inspect portrait.jpg                              will it work? where is the face?")]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,

    #[command(flatten)]
    pub(crate) output: OutputOptions,
}

#[derive(Debug, Args)]
pub(crate) struct OutputOptions {
    /// Print nothing but errors
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub(crate) quiet: bool,

    /// Say more; twice for debugging
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make portraits move: one photo or many, driven by a clip or a motion
    Animate(Box<AnimateArgs>),
    /// Turn a clip into a motion file that anyone's portrait can perform
    Record(RecordArgs),
    /// List the built-in motions
    Motions(ListArgs),
    /// Say what is in a photo, a clip or a motion file, and how well it will work
    Inspect(InspectArgs),
    /// List the models inside this program, with their licences and checksums
    Models(ListArgs),
    /// Print a completion script for a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Print the manual page (roff)
    Man,
}

#[derive(Debug, Args)]
#[command(after_help = "\
The driver's own face never reaches the portrait: motion is taken relative to a neutral frame of the driver, and is
performed with the portrait's own mouth and eyes. A portrait that already smiles keeps its smile.

An output that exists is replaced once the new one is complete; inputs are never touched.")]
pub(crate) struct AnimateArgs {
    /// Photos, or folders of photos; each becomes one output
    #[arg(required = true, value_name = "PHOTO", value_hint = ValueHint::AnyPath)]
    pub(crate) photos: Vec<PathBuf>,

    /// What moves the portrait: a clip, a folder of pictures, a .motion file or the name of a built-in motion
    #[arg(short, long, value_name = "CLIP|FOLDER|FILE.motion|NAME", default_value = builtin_motions::DEFAULT, value_hint = ValueHint::AnyPath)]
    pub(crate) drive: String,

    /// Where to write: .mp4, .gif or .webp, or a folder of PNGs when there is no extension. For several photos, the
    /// folder that receives them [default: the photo's name, in the current folder]
    #[arg(short, long, value_name = "OUT", value_hint = ValueHint::AnyPath)]
    pub(crate) output: Option<PathBuf>,

    /// Format of outputs that are named after their photos
    #[arg(long, value_enum, default_value_t = Format::Mp4)]
    pub(crate) format: Format,

    /// Which face of the photo, where there are several
    #[arg(long, value_name = "largest|N", value_parser = face_choice)]
    pub(crate) face: Option<FaceChoice>,

    /// Which face of the driving clip, where there are several
    #[arg(long, value_name = "largest|N", value_parser = face_choice)]
    pub(crate) driver_face: Option<FaceChoice>,

    #[command(flatten)]
    pub(crate) picture: PictureOptions,

    #[command(flatten)]
    pub(crate) time: TimeOptions,

    #[command(flatten)]
    pub(crate) motion: MotionOptions,

    /// Who paints the frames
    #[arg(long, value_enum, default_value_t = RendererArg::Mesh)]
    pub(crate) renderer: RendererArg,

    /// Print the result as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Picture")]
pub(crate) struct PictureOptions {
    /// Show a square around the head instead of the whole photo
    #[arg(long)]
    pub(crate) crop: bool,

    /// Side of the crop [default: 512], or longest side of the whole photo [default: its own, at most 1920]
    #[arg(long, value_name = "PIXELS", value_parser = clap::value_parser!(u32).range(64..=4096))]
    pub(crate) size: Option<u32>,

    /// Put the driver to the left of the portrait
    #[arg(long)]
    pub(crate) side_by_side: bool,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Time and sound")]
pub(crate) struct TimeOptions {
    /// Frames a second of the output [default: the driver's; 25 for the built-in motions]
    #[arg(long, value_parser = number::<1, 60>)]
    pub(crate) fps: Option<f64>,

    /// Where in the driver to start
    #[arg(long, value_name = "SECONDS", value_parser = seconds, default_value = "0")]
    pub(crate) start: Duration,

    /// How long the output is [default: to the driver's end]
    #[arg(long, value_name = "SECONDS", value_parser = positive_seconds)]
    pub(crate) duration: Option<Duration>,

    /// Play the driver this many times
    #[arg(long = "loop", value_name = "TIMES", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) repeat: u32,

    /// Leave the driver's sound out
    #[arg(long)]
    pub(crate) mute: bool,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Motion")]
pub(crate) struct MotionOptions {
    /// Relative: like the driver's, from the photo's own pose and face. Absolute: exactly where the driver is, for a
    /// clip of the same person framed alike
    #[arg(long = "motion", value_enum, default_value_t = MotionArg::Relative)]
    pub(crate) mode: MotionArg,

    /// When the driver looks most like the photo, counted from the clip's beginning [default: found automatically]
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub(crate) neutral: Option<Duration>,

    /// How strongly the head moves, 0..2
    #[arg(long, value_name = "GAIN", value_parser = number::<0, 2>, default_value = "1")]
    pub(crate) pose: f64,

    /// How strongly the face moves, 0..2
    #[arg(long, value_name = "GAIN", value_parser = number::<0, 2>, default_value = "1")]
    pub(crate) expression: f64,

    /// How strongly lids and gaze move, 0..2
    #[arg(long, value_name = "GAIN", value_parser = number::<0, 2>, default_value = "1")]
    pub(crate) eyes: f64,

    /// How strongly the mouth moves, 0..2
    #[arg(long, value_name = "GAIN", value_parser = number::<0, 2>, default_value = "1")]
    pub(crate) mouth: f64,

    /// How much jitter is taken out, 0 (off) to 5; more is smoother and later
    #[arg(long, value_name = "STRENGTH", value_parser = number::<0, 5>, default_value = "1")]
    pub(crate) smooth: f64,
}

#[derive(Debug, Args)]
pub(crate) struct RecordArgs {
    /// A clip or a folder of pictures with a face in it
    #[arg(value_name = "CLIP", value_hint = ValueHint::AnyPath)]
    pub(crate) clip: PathBuf,

    /// The motion file to write [default: the clip's name with .motion, in the current folder]
    #[arg(short, long, value_name = "FILE.motion", value_hint = ValueHint::FilePath)]
    pub(crate) output: Option<PathBuf>,

    /// A line that says what is performed [default: the clip's name]
    #[arg(long)]
    pub(crate) title: Option<String>,

    /// Where in the clip to start
    #[arg(long, value_name = "SECONDS", value_parser = seconds, default_value = "0")]
    pub(crate) start: Duration,

    /// How much to record [default: to the end]
    #[arg(long, value_name = "SECONDS", value_parser = positive_seconds)]
    pub(crate) duration: Option<Duration>,

    /// Frames a second of the motion [default: the clip's]
    #[arg(long, value_parser = number::<1, 60>)]
    pub(crate) fps: Option<f64>,

    /// Choose the stretch of at most this length whose ends meet best, and make it loop without a jump
    #[arg(long, value_name = "SECONDS", value_parser = positive_seconds)]
    pub(crate) seamless: Option<Duration>,

    /// Which face, where there are several
    #[arg(long, value_name = "largest|N", value_parser = face_choice)]
    pub(crate) face: Option<FaceChoice>,

    /// When the face is at rest, counted from the clip's beginning [default: found automatically]
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub(crate) neutral: Option<Duration>,

    /// How much jitter is taken out, 0 (off) to 5
    #[arg(long, value_name = "STRENGTH", value_parser = number::<0, 5>, default_value = "1")]
    pub(crate) smooth: f64,
}

#[derive(Debug, Args)]
pub(crate) struct InspectArgs {
    /// A photo, a clip, a folder of pictures or a motion file
    #[arg(required = true, value_name = "FILE", value_hint = ValueHint::AnyPath)]
    pub(crate) files: Vec<PathBuf>,

    /// Print the findings as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ListArgs {
    /// Print the list as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// File formats by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// H.264 video with the driver's sound
    Mp4,
    /// Animated GIF
    Gif,
    /// Animated WebP
    Webp,
    /// A folder of PNGs
    Png,
}

impl Format {
    /// The extension of an output; a folder has none.
    pub(crate) fn extension(self) -> Option<&'static str> {
        match self {
            Self::Mp4 => Some("mp4"),
            Self::Gif => Some("gif"),
            Self::Webp => Some("webp"),
            Self::Png => None,
        }
    }

    /// The format of an output of this name, in the sense of [`gioconda_media::ClipWriter::create`].
    pub(crate) fn of(output: &Path) -> Option<Self> {
        let is_folder = output.as_os_str().as_encoded_bytes().ends_with(b"/");
        let extension = output.extension().filter(|_| !is_folder).map(OsStr::to_ascii_lowercase);
        match extension.as_deref().map(OsStr::as_encoded_bytes) {
            Some(b"mp4" | b"m4v") => Some(Self::Mp4),
            Some(b"gif") => Some(Self::Gif),
            Some(b"webp") => Some(Self::Webp),
            None => Some(Self::Png),
            Some(_) => None,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum MotionArg {
    Relative,
    Absolute,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum RendererArg {
    /// The photo, warped by the face mesh
    Mesh,
}

fn face_choice(text: &str) -> Result<FaceChoice, String> {
    if text == "largest" {
        return Ok(FaceChoice::Largest);
    }
    match text.parse() {
        Ok(number) if number >= 1 => Ok(FaceChoice::Index(number)),
        _ => Err("not `largest` nor a number from 1, counted from left to right".to_owned()),
    }
}

/// A number within `LOW..=HIGH`.
fn number<const LOW: i32, const HIGH: i32>(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(number) if (f64::from(LOW)..=f64::from(HIGH)).contains(&number) => Ok(number),
        _ => Err(format!("not a number from {LOW} to {HIGH}")),
    }
}

fn seconds(text: &str) -> Result<Duration, String> {
    match text.parse().map(Duration::try_from_secs_f64) {
        Ok(Ok(duration)) if duration <= LONGEST => Ok(duration),
        _ => Err("not a number of seconds".to_owned()),
    }
}

fn positive_seconds(text: &str) -> Result<Duration, String> {
    let duration = seconds(text)?;
    if duration.is_zero() { Err("must be more than 0".to_owned()) } else { Ok(duration) }
}

/// A day; more is a slip of the keyboard.
const LONGEST: Duration = Duration::from_hours(24);

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_definitions_are_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn values_out_of_range_are_refused() {
        for arguments in [
            &["animate"][..],
            &["animate", "a.jpg", "--pose", "3"],
            &["animate", "a.jpg", "--pose", "NaN"],
            &["animate", "a.jpg", "--size", "0"],
            &["animate", "a.jpg", "--start", "-1"],
            &["animate", "a.jpg", "--duration", "0"],
            &["animate", "a.jpg", "--duration", "inf"],
            &["animate", "a.jpg", "--face", "0"],
            &["animate", "a.jpg", "--fps", "1000"],
            &["animate", "a.jpg", "--loop", "0"],
            &["animate", "a.jpg", "--quiet", "--verbose"],
            &["record"],
        ] {
            let parsed = Cli::try_parse_from(std::iter::once("gioconda").chain(arguments.iter().copied()));
            assert!(parsed.is_err(), "{arguments:?}");
        }
    }
}
