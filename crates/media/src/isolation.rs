//! Decoding in a child process: a fault in a decoder ends the child, not the server that read the file.
//!
//! A server calls [`enforce`] once, at its start. From then on [`photo::read`](crate::photo::read) and
//! [`ClipReader`](crate::ClipReader) start the named program for every file, which limits its own memory, processor
//! time and files ([`confine`]), decodes the one file and writes pixels to its standard output. The policy holds for
//! the whole process, so that no caller can forget it. What the child sends is checked like any input.
//!
//! A child that crashes, is killed, or takes too long becomes [`Error::Isolated`].

mod message;
mod running;

pub use message::{refuse, reply};
pub(crate) use message::{send, tag};
pub(crate) use running::Running;

use crate::Error;
use crate::budget::MAX_PIXELS;
use std::cell::RefCell;
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// Largest answer, bytes.
const LARGEST_ANSWER: usize = 16 << 20;

/// Variables that children get: where programs and libraries are.
const KEPT: [&str; 7] =
    ["PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "SYSTEMROOT", "HOME", "LANG", "TMPDIR"];

/// How the child is started: `PROGRAM ARGUMENTS... OPERATION FILE ...`.
#[derive(Clone, Debug)]
pub struct Isolation {
    program: PathBuf,
    arguments: Vec<OsString>,
    temporary: Option<PathBuf>,
}

impl Isolation {
    /// Children are `program`, with `arguments` before those of each operation.
    pub fn new(program: impl Into<PathBuf>, arguments: impl IntoIterator<Item = OsString>) -> Self {
        Self { program: program.into(), arguments: arguments.into_iter().collect(), temporary: None }
    }

    /// The folder for the children's temporary files; by default the system's.
    #[must_use]
    pub fn temporary(mut self, folder: impl Into<PathBuf>) -> Self {
        self.temporary = Some(folder.into());
        self
    }

    fn command(&self, operation: &str, path: &Path, more: &[OsString]) -> Command {
        let mut command = Command::new(&self.program);
        command.args(&self.arguments).arg(operation).arg(path).args(more);
        // Nothing secret of the server's environment, such as its token.
        command.env_clear();
        command.envs(KEPT.iter().filter_map(|name| Some((name, std::env::var_os(name)?))));
        // One arena per thread would count as address space, 64 MB each.
        command.env("MALLOC_ARENA_MAX", "2");
        if let Some(folder) = &self.temporary {
            command.env("TMPDIR", folder);
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        // With the programs that it starts, so that all of them are killed together.
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        command
    }

    /// Runs `operation` on the file at `path` and returns its answer. The arguments in `more` follow the file's.
    ///
    /// # Errors
    /// [`Error::Isolated`] with the child's own line, or with what became of the child.
    pub fn ask(
        &self,
        operation: &str,
        path: &Path,
        more: &[OsString],
        within: Duration,
    ) -> Result<Vec<u8>, Error> {
        let mut running = Running::start(self, operation, path, more)?;
        running.answer(within, LARGEST_ANSWER)
    }
}

static IN_FORCE: OnceLock<Isolation> = OnceLock::new();

/// Has all photos and clips that this process reads from now on decoded by children. The first call counts; returns
/// whether this one was it.
pub fn enforce(isolation: Isolation) -> bool {
    IN_FORCE.set(isolation).is_ok()
}

/// The policy of this process, if there is one.
pub fn in_force() -> Option<&'static Isolation> {
    IN_FORCE.get()
}

thread_local! {
    static CANCEL: RefCell<Option<Arc<AtomicBool>>> = const { RefCell::new(None) };
}

/// Does `work`; a child that it starts on this thread is killed once `cancel` comes true.
pub fn with_cancel<T>(cancel: &Arc<AtomicBool>, work: impl FnOnce() -> T) -> T {
    struct Restore(Option<Arc<AtomicBool>>);
    impl Drop for Restore {
        fn drop(&mut self) {
            CANCEL.set(self.0.take());
        }
    }
    let _restore = Restore(CANCEL.replace(Some(Arc::clone(cancel))));
    work()
}

/// What a child may use.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Address space, bytes; the programs that it starts have as much each.
    pub memory: u64,
    /// Processor time, seconds; the programs that it starts have as much each.
    pub cpu_seconds: u64,
    /// Largest file that it writes, bytes.
    pub file: u64,
}

impl Limits {
    /// For one photo of at most [`MAX_PIXELS`].
    pub const PHOTO: Self = Self { memory: 3 << 30, cpu_seconds: 60, file: 1 << 20 };
    /// For a clip. A long one takes as long as its reader, so that processor time is a last resort.
    pub const CLIP: Self = Self { memory: 4 << 30, cpu_seconds: 1800, file: 64 << 20 };
}

/// Files that a child has open at a time, those of its libraries among them.
#[cfg(unix)]
const OPEN_FILES: u64 = 64;

/// Limits this process, for good: memory, processor time, the size of files, open files, and no core dumps.
///
/// # Errors
/// When the system refuses a limit. Systems without resource limits (Windows) do nothing.
pub fn confine(limits: Limits) -> io::Result<()> {
    #[cfg(unix)]
    {
        use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
        let mut all = vec![
            (Resource::Cpu, limits.cpu_seconds),
            (Resource::Fsize, limits.file),
            (Resource::Core, 0),
            (Resource::Nofile, OPEN_FILES),
        ];
        if cfg!(target_os = "linux") {
            all.push((Resource::As, limits.memory));
        }
        for (resource, most) in all {
            let least = |bound: Option<u64>| Some(bound.map_or(most, |bound| bound.min(most)));
            let Rlimit { current, maximum } = getrlimit(resource);
            setrlimit(resource, Rlimit { current: least(current), maximum: least(maximum) })?;
        }
    }
    #[cfg(not(unix))]
    let _ = limits;
    Ok(())
}

/// Whether a decoder that works can say that a picture has this size.
pub(crate) fn is_possible_size(width: u32, height: u32) -> bool {
    width > 0 && height > 0 && u64::from(width) * u64::from(height) <= MAX_PIXELS
}

/// The program of this process, for its own children: also after its file was replaced by a newer version.
///
/// # Errors
/// When the system does not tell.
pub fn own_program() -> io::Result<PathBuf> {
    let own = Path::new("/proc/self/exe");
    if cfg!(target_os = "linux") && own.exists() {
        return Ok(own.to_owned());
    }
    std::env::current_exe()
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::sync::atomic::Ordering;
    use std::time::Instant;

    /// A child that runs `script`, in which `$2` is the file.
    fn shell(script: &str) -> Isolation {
        Isolation::new("/bin/sh", ["-c", script, "sh"].map(OsString::from))
    }

    fn ask(script: &str, within: Duration) -> Result<Vec<u8>, Error> {
        shell(script).ask("look", Path::new("face.jpg"), &[], within)
    }

    #[test]
    fn whatever_becomes_of_the_child_is_one_line() {
        let long = Duration::from_secs(20);
        let cases = [
            (r"printf '\1\2\0\0\0ok'", long, Ok("ok")),
            (r"printf '\2\4\0\0\0no\nx'", long, Err("face.jpg: no x")),
            ("exit 7", long, Err("ended with code 7")),
            ("kill -SEGV $$", long, Err("crashed with signal 11")),
            ("kill -ABRT $$", long, Err("out of memory or failed")),
            ("kill -XCPU $$", long, Err("more processor time")),
            ("sleep 60", Duration::from_millis(100), Err("took longer than 1 s")),
            // A program that outlives the child holds the pipe open.
            ("sleep 600 & exit 7", Duration::from_millis(300), Err("took longer than 1 s")),
            // A length that no answer has, and an answer that breaks off.
            (r"printf '\1\377\377\377\377'; sleep 60", long, Err("what cannot be read")),
            (r"printf '\1\2\0\0\0o'", long, Err("ended with code 0")),
            (r"printf '\4\0\0\0\0'", long, Err("what cannot be read")),
        ];
        for (script, within, expected) in cases {
            match (ask(script, within), expected) {
                (Ok(answer), Ok(expected)) => assert_eq!(answer, expected.as_bytes(), "{script}"),
                (Err(error), Err(expected)) => {
                    let line = error.to_string();
                    assert!(line.starts_with("face.jpg: ") && line.contains(expected), "{script}: {line}");
                    assert!(!line.contains('\n'), "{script}: {line}");
                }
                (got, _) => panic!("{script}: {got:?}"),
            }
        }
    }

    #[test]
    fn a_program_that_is_not_there_is_an_error_and_not_decoding_without_protection() {
        let nowhere = Isolation::new("/nowhere/gioconda", []);
        let error = nowhere.ask("photo", Path::new("face.jpg"), &[], Duration::from_secs(1)).unwrap_err();
        assert!(error.to_string().contains("cannot be started"), "{error}");
    }

    #[test]
    fn cancelling_kills_the_child_and_what_it_started() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("pid");
        let cancel = Arc::new(AtomicBool::new(false));
        let setter = Arc::clone(&cancel);
        let seen = file.clone();
        let canceller = std::thread::spawn(move || {
            while !std::fs::read_to_string(&seen).is_ok_and(|text| text.ends_with('\n')) {
                std::thread::sleep(Duration::from_millis(10));
            }
            setter.store(true, Ordering::Relaxed);
        });
        let script = shell(r#"sleep 600 & echo $! > "$2"; wait"#);
        let asked = with_cancel(&cancel, || script.ask("look", &file, &[], Duration::from_mins(5)));
        canceller.join().unwrap();
        assert!(asked.unwrap_err().to_string().contains("cancelled"));
        let pid: u32 = std::fs::read_to_string(&file).unwrap().trim().parse().unwrap();
        let until = Instant::now() + Duration::from_secs(20);
        let alive = || {
            let state = Command::new("ps").args(["-o", "state=", "-p", &pid.to_string()]).output().unwrap();
            // Z waits to be reaped by whoever has inherited it.
            state.stdout.first().is_some_and(|state| *state != b'Z')
        };
        while alive() {
            assert!(Instant::now() < until, "the program that the child started lives on");
            std::thread::sleep(Duration::from_millis(20));
        }
        assert!(CANCEL.with_borrow(Option::is_none), "the flag holds for the work alone");
    }
}
