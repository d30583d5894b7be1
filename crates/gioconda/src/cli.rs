//! Every command, option and help text: the one table from which parsing, `--help`, completions and the man page
//! are made. `cli/` holds the options of those who train networks, and of those who serve.

#[cfg(feature = "train")]
mod networks;
#[cfg(feature = "studio")]
mod studio;

use std::path::PathBuf;
use std::str::FromStr as _;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum, ValueHint};
use gioconda_avatar::{Background, builtin_motions};
use gioconda_face::FaceChoice;
use gioconda_media::OutputFormat;
use gioconda_provenance::Subject;

#[cfg(feature = "train")]
pub(crate) use networks::{AvatarSource, EvalArgs, ExportArgs, PrepareArgs, TrainArgs};
#[cfg(feature = "studio")]
pub(crate) use studio::{RelayArgs, StudioArgs, TokenArgs, token};

/// One photo in, a talking portrait out.
#[derive(Debug, Parser)]
#[command(name = "gioconda", version, propagate_version = true, arg_required_else_help = true)]
#[command(after_help = "\
Examples:
  gioconda animate assets/mona_lisa.jpg                      she speaks: mona_lisa.mp4
  gioconda animate einstein.jpg --drive me.mp4               he says what you said, with your sound
  gioconda animate family/ --drive smile --format gif        one animation for each photo of a folder
  gioconda record me.mp4 -o wink.motion                      your wink, for anyone's face
  gioconda learn me1.jpg me2.jpg -o me.avatar                one avatar from several photos of one person
  gioconda inspect portrait.jpg                              will it work? where is the face?
  gioconda verify clip.mp4                                   is it marked as made by AI? was it changed?")]
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
    /// Make one avatar file of a person from 1 to 32 photos
    Learn(LearnArgs),
    /// Open the studio: portraits in the browser, alone, live or on a call
    #[cfg(feature = "studio")]
    Studio(StudioArgs),
    /// Carry the calls of studios on different machines: motion, sound and portraits, nothing else
    #[cfg(feature = "studio")]
    Relay(RelayArgs),
    /// Train the networks on prepared clips of many people
    #[cfg(feature = "train")]
    Train(Box<TrainArgs>),
    /// Write a generator as ONNX, for other programs
    #[cfg(feature = "train")]
    Export(ExportArgs),
    /// Say how good the pictures are: score a renderer on clips, or compare two reports
    #[cfg(feature = "train")]
    Eval(Box<EvalArgs>),
    /// Make training data of a folder of clips: tracked, cropped, thinned
    #[cfg(feature = "train")]
    Prepare(PrepareArgs),
    /// Say whether a file is marked as made by AI, by whom, and whether it was changed since
    Verify(VerifyArgs),
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
    /// Photos, folders of photos, or avatars made by `learn`; each becomes one output
    #[arg(required = true, value_name = "PHOTO|FILE.avatar", value_hint = ValueHint::AnyPath)]
    pub(crate) photos: Vec<PathBuf>,

    /// What moves the portrait: a clip, a folder of pictures, a .motion file or the name of a built-in motion
    #[arg(short, long, value_name = "CLIP|FOLDER|FILE.motion|NAME", default_value = builtin_motions::DEFAULT, value_hint = ValueHint::AnyPath)]
    pub(crate) drive: String,

    /// Where to write: .mp4, .gif, .webp or .apng (.png is the same, an animated PNG), .webm or .mov by the ffmpeg program,
    /// or a folder of PNGs when there is no extension. For several photos, the folder that receives them [default: the photo's name, in the current folder]
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

    #[command(flatten)]
    pub(crate) provenance: ProvenanceOptions,

    /// Who paints the frames [default: neural, except for avatars that were learned without a network]
    #[arg(long, value_enum)]
    pub(crate) renderer: Option<RendererArg>,

    /// Weights of the portrait preset instead of those inside the program; they replace an avatar's own network too
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) weights: Option<PathBuf>,

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

    /// Side of the crop [default: 512], or longest side of the whole photo [default: its own, at most 1920]; 256 or more
    ///
    /// In smaller frames the invisible watermark cannot be read again; they are made with --no-provenance only.
    #[arg(long, value_name = "PIXELS", value_parser = clap::value_parser!(u32).range(64..=4096))]
    pub(crate) size: Option<u32>,

    /// What is behind the person: keep (the photo's background), blur, a colour as #rrggbb, or transparent
    ///
    /// Transparent outputs are .webp, .apng, .webm or .mov, or a folder of PNGs: mp4 has no transparency, and GIF would
    /// cut hair out with scissors. Quote the colour, '#00b140', or the shell takes it for a comment.
    #[arg(long, value_name = "WHAT", value_parser = Background::from_str, default_value_t)]
    pub(crate) background: Background,

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
#[command(next_help_heading = "Provenance")]
pub(crate) struct ProvenanceOptions {
    /// Who is shown: self, consented, historical, artwork or fictional; it is kept in the output [default: what the
    /// avatar says, else undeclared]
    #[arg(long, value_name = "WHO")]
    pub(crate) subject: Option<Subject>,

    /// Who agreed to what; it is kept in the output
    #[arg(long, value_name = "TEXT", value_parser = text::<65_536>)]
    pub(crate) consent: Option<String>,

    /// Name the photo's and the driver's files in the output's statement
    #[arg(long)]
    pub(crate) credit: bool,

    /// Sign with these certificates (PEM, the signer's first) instead of ones of your own
    #[arg(long, value_name = "FILE.pem", requires = "sign_key", value_hint = ValueHint::FilePath)]
    pub(crate) sign_cert: Option<PathBuf>,

    /// The private key of --sign-cert (PEM, PKCS#8)
    #[arg(long, value_name = "FILE.pem", requires = "sign_cert", value_hint = ValueHint::FilePath)]
    pub(crate) sign_key: Option<PathBuf>,

    /// Show a small label in the corner that says the picture is made by AI
    #[arg(long, value_name = "LANGUAGE", value_enum)]
    pub(crate) label: Option<LabelArg>,

    /// Neither sign nor mark the output
    #[arg(long, conflicts_with_all = ["credit", "sign_cert", "sign_key"])]
    pub(crate) no_provenance: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LabelArg {
    /// AI-generated
    En,
    /// Generato con IA
    It,
    /// Generado con IA
    Es,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Two things are looked for: a signed manifest in the file (C2PA Content Credentials), of any program, and Gioconda's
invisible watermark in the picture, which outlives scaling, cropping and compression. Nothing is sent anywhere.

A manifest in the file comes before one in a file NAME.c2pa beside it. A long clip is looked at in frames spread over
all of it.

Exit codes, of the worst file:
  0  every file says that it is made by AI, and was not changed
  1  a file could not be read
  3  one does not say so: it has neither a manifest nor a watermark, or a manifest of another kind, such as a camera's
  4  one was changed since it was signed
  5  one has a signed manifest that cannot be read or judged; whether it was changed is not known")]
pub(crate) struct VerifyArgs {
    /// Pictures, clips, or folders of them
    #[arg(required = true, value_name = "FILE|FOLDER", value_hint = ValueHint::AnyPath)]
    pub(crate) files: Vec<PathBuf>,

    /// Look for the invisible watermark in every frame of a clip, which takes minutes for a long one
    #[arg(long)]
    pub(crate) thorough: bool,

    /// Print the findings as JSON
    #[arg(long)]
    pub(crate) json: bool,
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
    #[arg(long, value_parser = text::<4096>)]
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
#[command(after_help = "\
The first photo is the one that is shown; the others lend their faces where they are nearer to what is performed.
Photos that show what the first does not are worth most: teeth, shut eyes, the head turned to either side.

From three photos on the network is tuned to the person, which takes a minute or two; some photos are held back to check
that this helps, and where it does not, the untuned network is kept. With one or two nothing can be checked, and it is
left untuned unless --steps is given.")]
pub(crate) struct LearnArgs {
    /// Photos of one person, 1 to 32
    #[arg(required = true, value_name = "PHOTO", value_hint = ValueHint::FilePath)]
    pub(crate) photos: Vec<PathBuf>,

    /// The avatar file to write [default: the first photo's name with .avatar, in the current folder]
    #[arg(short, long, value_name = "PERSON.avatar", value_hint = ValueHint::FilePath)]
    pub(crate) output: Option<PathBuf>,

    /// Weights of the portrait preset to start from, instead of those inside the program
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) weights: Option<PathBuf>,

    /// How many steps the network is tuned for [default: 100 from three photos on]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) steps: Option<u32>,

    /// Do not tune: the instant version
    #[arg(long, conflicts_with = "steps")]
    pub(crate) feed_forward: bool,

    /// Leave the network out: the avatar is painted by the face mesh alone
    #[arg(long, conflicts_with_all = ["weights", "steps", "feed_forward"])]
    pub(crate) no_network: bool,

    /// Who is shown: self, consented, historical, artwork or fictional; kept in the file
    #[arg(long, value_name = "WHO")]
    pub(crate) subject: Option<Subject>,

    /// Who agreed to this avatar and to what; kept in the file
    #[arg(long, value_name = "TEXT", value_parser = text::<65_536>)]
    pub(crate) consent: Option<String>,

    /// Which face of the photos, where there are several
    #[arg(long, value_name = "largest|N", value_parser = face_choice)]
    pub(crate) face: Option<FaceChoice>,

    /// Print the result as JSON
    #[arg(long)]
    pub(crate) json: bool,
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
    /// Animated PNG, without loss
    Apng,
    /// VP9 video without sound, through ffmpeg
    Webm,
    /// ProRes 4444 video without sound, through ffmpeg
    Mov,
    /// A folder of PNGs
    Png,
}

impl From<Format> for OutputFormat {
    fn from(format: Format) -> Self {
        match format {
            Format::Mp4 => Self::Mp4,
            Format::Gif => Self::Gif,
            Format::Webp => Self::WebP,
            Format::Apng => Self::Apng,
            Format::Webm => Self::WebM,
            Format::Mov => Self::Mov,
            Format::Png => Self::Pictures,
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
    /// The warped photo, corrected by a network
    Neural,
}

/// A text of at most `MOST` bytes: what is written is read again, and readers have limits.
fn text<const MOST: usize>(text: &str) -> Result<String, String> {
    if text.len() <= MOST {
        Ok(text.to_owned())
    } else {
        Err(format!("longer than {MOST} bytes; shorten it"))
    }
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
            &["animate", "a.jpg", "--background", "green"],
            &["animate", "a.jpg", "--background", "#fff"],
            &["animate", "a.jpg", "--start", "-1"],
            &["animate", "a.jpg", "--duration", "0"],
            &["animate", "a.jpg", "--duration", "inf"],
            &["animate", "a.jpg", "--face", "0"],
            &["animate", "a.jpg", "--fps", "1000"],
            &["animate", "a.jpg", "--loop", "0"],
            &["animate", "a.jpg", "--quiet", "--verbose"],
            &["record"],
            &["prepare", "clips"],
            &["prepare", "clips", "out", "--size", "8"],
            &["prepare", "clips", "out", "--workers", "0"],
            &["prepare", "clips", "out", "--shard", "3/2"],
            &["train", "--resume", "--config", "a.toml"],
            &["eval"],
            &["eval", "clips", "--protocol", "other"],
            &["eval", "clips", "--avatar-from", "T=0"],
            &["eval", "clips", "--avatar-from", "T=33"],
            &["eval", "clips", "--avatar-from", "8"],
            &["eval", "clips", "--frames", "0"],
            &["eval", "clips", "--require", "beauty>=1"],
            &["eval", "--compare", "a.json"],
            &["eval", "clips", "--compare", "a.json", "b.json"],
            &["export"],
            &["learn"],
            &["learn", "a.jpg", "--steps", "0"],
            &["learn", "a.jpg", "--steps", "5", "--no-network"],
            &["learn", "a.jpg", "--feed-forward", "--no-network"],
            &["learn", "a.jpg", "--weights", "w", "--no-network"],
            &["learn", "a.jpg", "--subject", "me"],
            &["animate", "a.jpg", "--subject", "anyone"],
            &["animate", "a.jpg", "--sign-cert", "c.pem"],
            &["animate", "a.jpg", "--no-provenance", "--credit"],
            &["verify"],
            &["learn", "a.jpg", "--feed-forward", "--steps", "5"],
        ] {
            let parsed = Cli::try_parse_from(std::iter::once("gioconda").chain(arguments.iter().copied()));
            assert!(parsed.is_err(), "{arguments:?}");
        }
    }
}
