//! The child process in which the studio decodes uploads: `gioconda decode-upload OPERATION FILE ...`.
//!
//! An internal command that `--help` does not list. The process limits its own memory, processor time and files, does
//! one thing with one file, and writes the result to standard output. Whatever a hostile file does to a decoder ends
//! here.

use std::ffi::OsString;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use gioconda_media::OneLine;
use gioconda_media::isolation::{self, Isolation, Limits};
use gioconda_portrait::verification::{self, Search};

/// The first argument that asks for this.
pub(crate) const COMMAND: &str = "decode-upload";

/// Runs the operation where the program was called for one; the exit code is all that `main` has left to return.
pub(crate) fn run_if_asked() -> Option<ExitCode> {
    let mut arguments = std::env::args_os().skip(1);
    if arguments.next()? != COMMAND {
        return None;
    }
    let arguments: Vec<OsString> = arguments.collect();
    // A thread with as much stack as those of the studio: what fits here fits there.
    let worker = std::thread::spawn(move || run(&arguments));
    let done = worker.join().is_ok_and(|written| written.is_ok());
    Some(if done { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn run(arguments: &[OsString]) -> io::Result<()> {
    let [operation, file, more @ ..] = arguments else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    let file = Path::new(file);
    let mut out = io::stdout().lock();
    match operation.to_str() {
        Some("photo") => {
            isolation::confine(Limits::PHOTO)?;
            gioconda_media::serve_photo(file, &mut out)
        }
        Some("clip") => {
            isolation::confine(Limits::CLIP)?;
            gioconda_media::serve_clip(file, more, &mut out)
        }
        Some("verify") => {
            isolation::confine(Limits::CLIP)?;
            verify(file, more, &mut out)
        }
        Some("avatar") => {
            isolation::confine(Limits::CLIP)?;
            let read = gioconda_avatar::AvatarFile::read(file).map_err(|error| error.to_string());
            match read {
                Ok(_) => isolation::reply(&mut out, b"whole"),
                Err(line) => isolation::refuse(&mut out, &line, &file.display().to_string()),
            }
        }
        Some("nothing") => {
            isolation::confine(Limits::PHOTO)?;
            isolation::reply(&mut out, b"ready")
        }
        _ => Err(io::ErrorKind::InvalidInput.into()),
    }
}

fn verify(file: &Path, more: &[OsString], out: &mut impl Write) -> io::Result<()> {
    let name = more.first().and_then(|name| name.to_str()).unwrap_or("the file");
    match verification::verify(file, name, Search::Sampled) {
        Ok(finding) => isolation::reply(out, &serde_json::to_vec(&finding)?),
        // The error shows the name as it may be shown.
        Err(line) => isolation::refuse(out, &line, &OneLine(name).to_string()),
    }
}

/// How the studio starts this. Where it cannot be started, or the system knows no limits, `None` and a warning:
/// uploads are then decoded in the studio's own process.
pub(crate) fn isolation() -> Option<Isolation> {
    if !cfg!(unix) {
        tracing::warn!(
            "this system has no resource limits for processes: uploads are decoded in the studio's own process"
        );
        return None;
    }
    let tried = isolation::own_program().map_err(|error| error.to_string()).and_then(|program| {
        let isolation = Isolation::new(program, [OsString::from(COMMAND)]);
        let answer = isolation.ask("nothing", Path::new("-"), &[], START_WITHIN);
        answer.map(|_| isolation).map_err(|error| error.to_string())
    });
    tried.map_err(|error| tracing::warn!("uploads are decoded in the studio's own process ({error})")).ok()
}

/// How long the program may take to start once more.
const START_WITHIN: std::time::Duration = std::time::Duration::from_secs(30);
