//! The commands for those who train and measure networks.

use std::path::PathBuf;

use clap::{Args, ValueHint};
use gioconda_dataset::Part;
use gioconda_eval::{Protocol, Requirement};

use super::RendererArg;

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  gioconda train --preset portrait --print-config > my.toml  every setting, with its default
  gioconda train --data prepared --out run --config my.toml  train; my.toml may hold only what it changes
  gioconda train --data prepared --out run --resume          go on after Ctrl-C, a crash or a power cut
  gioconda train --data mine --out run --weights w.safetensors  begin with what another run learned

The run folder holds checkpoints (the newest 3), weights.safetensors for `learn` and `animate`, log.jsonl, TensorBoard
events and pictures.")]
pub(crate) struct TrainArgs {
    /// Prepared clips, see `gioconda prepare`
    #[arg(long, value_name = "DATA", value_hint = ValueHint::DirPath)]
    pub(crate) data: Option<PathBuf>,

    /// The run folder
    #[arg(long = "out", value_name = "RUN", value_hint = ValueHint::DirPath)]
    pub(crate) output: Option<PathBuf>,

    /// Sizes of the networks and their recipe: portrait, or paper
    #[arg(long, value_name = "NAME", default_value = "portrait")]
    pub(crate) preset: String,

    /// A TOML file with what differs from the preset's recipe
    #[arg(long, value_name = "FILE.toml", value_hint = ValueHint::FilePath)]
    pub(crate) config: Option<PathBuf>,

    /// Begin with these weights instead of fresh networks: fine-tuning, or going on where only weights were kept
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) weights: Option<PathBuf>,

    /// Print the whole configuration and end
    #[arg(long)]
    pub(crate) print_config: bool,

    /// Go on from the run folder's newest checkpoint, with the configuration in the folder
    #[arg(long, conflicts_with_all = ["config", "print_config", "perceptual", "weights"])]
    pub(crate) resume: bool,

    /// What computes: cpu, or cuda, metal, rocm, vulkan, wgpu with :N for the N-th; several share each step
    #[arg(long, value_name = "NAME", default_value = "cpu")]
    pub(crate) device: Vec<String>,

    /// Perceptual networks of the content loss, or `none`, which leaves out the identity network as well [default: the
    /// configuration's]
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub(crate) perceptual: Vec<String>,

    /// The folder of their files [default: `$GIOCONDA_PERCEPTUAL_DIR`, else ../shared/models]
    #[arg(long, value_name = "FOLDER", value_hint = ValueHint::DirPath)]
    pub(crate) perceptual_dir: Option<PathBuf>,
}

#[derive(Debug, Args)]
#[command(after_help = "\
The graph's inputs, [1, C, H, W] of any H and W that the network's depth divides, and their meaning stand in
crates/networks/README.md.")]
pub(crate) struct ExportArgs {
    /// A weight file: psi, which says who is shown, becomes an input. Or an avatar: its psi is baked in
    #[arg(value_name = "WEIGHTS|PERSON.avatar", value_hint = ValueHint::FilePath)]
    pub(crate) weights: PathBuf,

    /// The file to write [default: the input's name with .onnx, in the current folder]. OUT.safetensors keeps only what
    /// `learn` and `animate` need, in half the space
    #[arg(short, long, value_name = "OUT.onnx|OUT.safetensors", value_hint = ValueHint::FilePath)]
    pub(crate) output: Option<PathBuf>,

    /// Another weight file, of a run that one of the others was the beginning of; may be given several times.
    /// OUT.safetensors gets the mean of all, which is often better than each
    #[arg(long, value_name = "WEIGHTS", value_hint = ValueHint::FilePath)]
    pub(crate) mean_with: Vec<PathBuf>,
}

#[derive(Debug, Args)]
#[command(after_help = "\
A run that was stopped goes on when the same command is given again; clips that were added to SOURCE since are added.
Clips that cannot be used do not stop it: they are named at the end, in OUT/report.json and in OUT/contact-sheet.html.

With --shard, start one job for each I of 1 to N, on as many machines as you like, all with the same SOURCE and OUT.")]
pub(crate) struct PrepareArgs {
    /// A folder with a folder per person (as in `VoxCeleb2`: id/video/utterance.mp4), or with a clip per person
    #[arg(value_name = "SOURCE", value_hint = ValueHint::DirPath)]
    pub(crate) source: PathBuf,

    /// The folder for the data: made if need be
    #[arg(value_name = "OUT", value_hint = ValueHint::DirPath)]
    pub(crate) output: PathBuf,

    /// Side of the crops that are stored
    #[arg(long, value_name = "PIXELS", default_value_t = gioconda_dataset::DEFAULT_SIZE, value_parser = clap::value_parser!(u32).range(32..=1024))]
    pub(crate) size: u32,

    /// How many clips are worked on at once [default: one per core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=256))]
    pub(crate) workers: Option<u32>,

    /// Prepare only part I of N, I from 1
    #[arg(long, value_name = "I/N", default_value_t)]
    pub(crate) shard: Part,

    /// Print the result as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  gioconda eval clips/ --out report                          the network inside the program, self-reenactment
  gioconda eval clips/ --protocol self,cross --frames 16     quicker, and driven by other people too
  gioconda eval clips/ --weights new.safetensors --require 'psnr_face>=25'
  gioconda eval --compare old/report.json new/report.json    what changed, and how sure that is

A run that was stopped goes on when the same command is given again. Clips that cannot be scored are named in the
report. The exit code is 1 only when nothing could be scored or a --require is missed.")]
pub(crate) struct EvalArgs {
    /// A folder with a folder per person, or with a clip per person
    #[arg(value_name = "DATA", value_hint = ValueHint::DirPath, required_unless_present = "compare")]
    pub(crate) data: Option<PathBuf>,

    /// What is done, several separated by commas: self, cross, few-shot
    #[arg(long, value_name = "NAMES", value_delimiter = ',', value_parser = protocol, default_value = "self")]
    pub(crate) protocol: Vec<Protocol>,

    /// The photos: the first frame of each clip, or for few-shot their numbers [default: first; T=1,8,32 for few-shot]
    #[arg(long, value_name = "first|T=1,8,32", value_parser = avatar_source)]
    pub(crate) avatar_from: Option<AvatarSource>,

    /// Whose pictures are judged; copy and mesh are always beside it [default: neural]
    #[arg(long, value_enum)]
    pub(crate) renderer: Option<RendererArg>,

    /// Weights of the portrait preset instead of those inside the program
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) weights: Option<PathBuf>,

    /// Frames of each clip, spread evenly [default: all; 32 held-out ones for few-shot]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) frames: Option<u32>,

    /// Drivers of each photo in cross-reenactment
    #[arg(long, value_name = "M", default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) drivers: u32,

    /// Steps that few-shot avatars are tuned for
    #[arg(long, value_name = "N", default_value_t = gioconda_train::DEFAULT_LEARNING_STEPS, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) steps: u32,

    /// What chance begins with: the same number, the same pairs and values
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) seed: u64,

    /// The folder for the report and what it is made of: made if need be
    #[arg(long = "out", value_name = "DIR", default_value = "eval", value_hint = ValueHint::DirPath)]
    pub(crate) output: PathBuf,

    /// The folder of the measuring networks; what is missing there is named in the report and not measured
    /// [default: `$GIOCONDA_PERCEPTUAL_DIR`, else ../shared/models]
    #[arg(long, value_name = "FOLDER", value_hint = ValueHint::DirPath)]
    pub(crate) models: Option<PathBuf>,

    /// How many clips are worked on at once [default: one per core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=256))]
    pub(crate) workers: Option<u32>,

    /// Fail when a mean misses a threshold, such as `psnr>=24` or `cross.no_face<=0`; may be given several times
    #[arg(long, value_name = "MEASURE>=X")]
    pub(crate) require: Vec<Requirement>,

    /// Show nobody on the page: for pages that leave the house
    #[arg(long)]
    pub(crate) no_pictures: bool,

    /// Compare two reports instead
    #[arg(long, num_args = 2, value_names = ["A.json", "B.json"], value_hint = ValueHint::FilePath, conflicts_with_all = ["data", "require", "weights", "renderer", "avatar_from", "frames"])]
    pub(crate) compare: Option<Vec<PathBuf>>,

    /// Print the result as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Where photos come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum AvatarSource {
    /// A clip's first frame.
    First,
    /// So many photos of a person, ascending.
    Photos(Vec<usize>),
}

fn protocol(text: &str) -> Result<Protocol, String> {
    let known = Protocol::ALL.into_iter().find(|protocol| protocol.name() == text);
    known.ok_or_else(|| "not self, cross or few-shot".to_owned())
}

fn avatar_source(text: &str) -> Result<AvatarSource, String> {
    if text == "first" {
        return Ok(AvatarSource::First);
    }
    let numbers = text.strip_prefix("T=").unwrap_or_default().split(',').map(str::parse);
    let Ok(mut numbers) = numbers.collect::<Result<Vec<usize>, _>>() else {
        return Err("not `first` nor numbers of photos, such as T=1,8,32".to_owned());
    };
    numbers.sort_unstable();
    numbers.dedup();
    if numbers.iter().all(|number| (1..=gioconda_avatar::MOST_PHOTOS).contains(number)) {
        Ok(AvatarSource::Photos(numbers))
    } else {
        Err(format!("an avatar has 1 to {} photos", gioconda_avatar::MOST_PHOTOS))
    }
}
