//! The studio's pages: what they are built of, and what they do in headless Chromium with the program as it was just
//! built. Without node, `npm ci` in `web/` or a browser these tests skip and say so.

#![cfg(unix)]

mod program;

use std::fs::{self, File};
use std::io::Read as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use program::workspace;

/// A browser test waits two minutes for a film at most; all of them together took four minutes on a machine with five times
/// as much to do as it has cores.
const PATIENCE: Duration = Duration::from_mins(15);
/// Between asking what hangs to end and ending it.
const GRACE: Duration = Duration::from_secs(5);

/// The folder of the pages' sources, where node and what `npm ci` brings are there.
fn pages() -> Option<PathBuf> {
    let web = workspace("web");
    let runs = Command::new("node").arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    if !runs.is_ok_and(|status| status.success()) {
        println!("skipped: there is no node; install it to test the pages");
        return None;
    }
    if !["tsx", "openapi-typescript"].iter().all(|name| web.join("node_modules").join(name).exists()) {
        println!("skipped: web/node_modules is absent or old; run `npm ci` in web/ to test the pages");
        return None;
    }
    Some(web)
}

fn is_a_browser_there() -> bool {
    let usual = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];
    let named = std::env::var_os("CHROMIUM").map(PathBuf::from);
    named.into_iter().chain(usual.map(PathBuf::from)).any(|path| path.exists())
}

/// Runs node in `web` until it ends, or until it has hung for too long; it and all that it started are ended then.
/// Returns how it ended and what it said.
fn node(web: &Path, arguments: &[&str]) -> (Option<ExitStatus>, String) {
    let said = tempfile::NamedTempFile::new().expect("a temporary file");
    let output = || File::options().append(true).open(said.path()).expect("the temporary file");
    let mut command = Command::new("node");
    command.current_dir(web).args(arguments).env("GIOCONDA", env!("CARGO_BIN_EXE_gioconda"));
    command.stdin(Stdio::null()).stdout(output()).stderr(output()).process_group(0);
    let mut running = command.spawn().expect("node starts");
    let status = wait(&mut running);
    let mut text = String::new();
    File::open(said.path()).and_then(|mut file| file.read_to_string(&mut text)).expect("what node said");
    (status, text)
}

fn wait(running: &mut Child) -> Option<ExitStatus> {
    let until = Instant::now() + PATIENCE;
    while Instant::now() < until {
        if let Some(status) = running.try_wait().expect("node can be waited for") {
            return Some(status);
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    let group = format!("-{}", running.id());
    for signal in ["-TERM", "-KILL"] {
        // What has ended by itself need not be ended.
        let _ = Command::new("kill").args([signal, "--", &group]).stderr(Stdio::null()).status();
        std::thread::sleep(GRACE);
    }
    running.wait().expect("node can be waited for");
    None
}

/// The tests in a folder of `web/tests`, as node takes them.
fn tests(web: &Path, folder: &str) -> Vec<String> {
    let folder = format!("tests/{folder}");
    let entries = fs::read_dir(web.join(&folder)).expect("the folder of the tests");
    let names = entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned());
    let mut tests: Vec<String> =
        names.filter(|name| name.ends_with(".test.ts")).map(|name| format!("{folder}/{name}")).collect();
    tests.sort();
    assert!(!tests.is_empty(), "{folder} holds tests");
    tests
}

/// Runs the tests of a folder one after the other; what they skip is said.
fn run(web: &Path, folder: &str) {
    let tests = tests(web, folder);
    let mut arguments = vec!["--import", "tsx", "--test", "--test-concurrency=1", "--test-reporter=tap"];
    arguments.extend(tests.iter().map(String::as_str));
    let (status, said) = node(web, &arguments);
    for line in said.lines().filter(|line| line.contains("# SKIP")) {
        println!("{}", line.trim());
    }
    let status = status.unwrap_or_else(|| panic!("the tests of the pages hung:\n{said}"));
    assert!(status.success(), "{said}");
}

#[test]
fn the_pages_that_are_committed_are_built_of_their_sources() {
    let Some(web) = pages() else { return };
    for script in ["types.js", "build.js"] {
        let (status, said) = node(&web, &[script, "--check"]);
        assert!(status.is_some_and(|status| status.success()), "{said}");
    }
    run(&web, "unit");
}

#[test]
fn the_pages_work_in_a_browser() {
    let Some(web) = pages() else { return };
    if !is_a_browser_there() {
        println!("skipped: there is no Chromium; install it, or name it by CHROMIUM, to test the pages");
        return;
    }
    run(&web, "browser");
}
