//! Ctrl-C where nothing is done yet, and Ctrl-C twice where much is.
#![cfg(unix)]

mod program;

use std::fs;
use std::io::{Read as _, Write as _};
use std::process::{Command, Stdio};

use program::Scratch;

/// Ctrl-C as a terminal sends it.
const CTRL_C: &[u8] = b"\x03";

#[cfg(target_os = "linux")]
#[test]
fn ctrl_c_at_the_question_ends_the_program_before_anything_is_loaded() {
    let scratch = Scratch::new();
    // Weights that cannot be loaded: whoever sees the question was not made to wait for them.
    fs::write(scratch.path("w.safetensors"), "no weights").expect("a file");
    let before = scratch.names("");
    let program = scratch.command("animate mona.jpg --weights w.safetensors -o out.mp4");
    let words = std::iter::once(program.get_program()).chain(program.get_args());
    let line: Vec<_> = words.map(|word| format!("'{}'", word.display())).collect();
    // `script` gives the program a terminal, and ends as its shell does. The shell must be replaced by the program:
    // Ctrl-C reaches both, and one that waited (Debian's dash) would end with 130 whatever the program ends with.
    let line = format!("exec {}", line.join(" "));
    let mut terminal = Command::new("script");
    terminal
        .args(["-q", "-e", "-c", &line, "/dev/null"])
        .current_dir(scratch.path(""))
        .env("SHELL", "/bin/sh");
    for (name, value) in program.get_envs() {
        terminal.env(name, value.unwrap_or_default());
    }
    let started = terminal.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
    let Ok(mut child) = started else {
        println!("skipped: the program `script` is absent");
        return;
    };
    let (mut input, mut output) = (child.stdin.take().expect("piped"), child.stdout.take().expect("piped"));
    let mut said = Vec::new();
    let mut byte = [0];
    while !String::from_utf8_lossy(&said).contains("undeclared): ") {
        let read = output.read(&mut byte).expect("the terminal is read");
        assert!(read == 1, "it does not ask:\n{}", String::from_utf8_lossy(&said));
        said.extend(byte);
    }
    input.write_all(CTRL_C).and_then(|()| input.flush()).expect("a key is pressed");
    output.read_to_end(&mut said).expect("the terminal is read");
    let said = String::from_utf8_lossy(&said);
    assert_eq!(child.wait().expect("it ends").code(), Some(1), "{said}");
    assert!(said.contains("error: stopped; nothing was written"), "{said}");
    assert!(!said.contains("weight file"), "{said}");
    assert_eq!(scratch.names(""), before);
}

#[test]
fn ctrl_c_twice_leaves_no_unfinished_files() {
    let scratch = Scratch::new();
    let before = scratch.names("");
    let mut at_once = 0;
    for round in 0..3 {
        let output = ["out.mp4", "out.webp", "frames"][round % 3];
        let arguments =
            format!("animate mona.jpg -d talk --renderer mesh --crop --size 256 --loop 1000 -o {output}");
        let mut child = scratch.start(&arguments);
        while !scratch.names("").iter().any(|name| name.contains(".partial-")) {
            assert!(child.try_wait().expect("it runs").is_none(), "it ended too early");
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        let signal = format!("kill -INT {0}; kill -INT {0}; sleep 0.01; kill -INT {0}", child.id());
        // The last one may find nobody.
        let _ = Command::new("sh").args(["-c", &signal]).stderr(Stdio::null()).status();
        let ended = child.wait_with_output().expect("it ends");
        at_once += usize::from(ended.status.code() == Some(130));
        assert!(matches!(ended.status.code(), Some(1 | 130)), "{}", String::from_utf8_lossy(&ended.stderr));
        assert_eq!(scratch.names(""), before, "round {round}, gioconda {arguments}");
    }
    println!("{at_once} of 3 runs were ended at once");
}
