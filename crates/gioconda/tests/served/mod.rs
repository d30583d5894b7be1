//! A studio of the real binary, and requests to it byte by byte.

#![allow(dead_code, reason = "each test file uses its own part")]

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::program::Scratch;

/// A studio of its own, which ends with this.
pub(crate) struct Studio {
    pub(crate) program: Child,
    /// Where it listens, `127.0.0.1:PORT`.
    pub(crate) host: String,
    /// What it printed.
    pub(crate) address: String,
    pub(crate) scratch: Scratch,
}

/// What it answered.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

/// The secrets of two clients; requests are the first one's unless they say otherwise.
pub(crate) const ADA: &str = "ada-0123456789abcdef0123456789abcdef";
pub(crate) const GRACE: &str = "grace-0123456789abcdef0123456789abcd";

/// What every request that changes something carries.
pub(crate) const OWN: &str = "X-Gioconda: studio\r\n";
pub(crate) const JSON: &str = "X-Gioconda: studio\r\nContent-Type: application/json\r\n";

impl Studio {
    pub(crate) fn open(options: &str) -> Self {
        Self::open_in(Scratch::new(), options, &[])
    }

    /// A studio in a folder where others may have been, with more variables in its environment.
    pub(crate) fn open_in(scratch: Scratch, options: &str, variables: &[(&str, &str)]) -> Self {
        fs::create_dir_all(scratch.path("temporary")).expect("a folder");
        let arguments = format!("studio --listen 127.0.0.1:0 --no-open --avatars avatars {options}");
        let mut command = scratch.command(&arguments);
        command.env("TMPDIR", scratch.path("temporary")).stdout(std::process::Stdio::piped());
        command.envs(variables.iter().copied());
        let mut program = command.spawn().expect("the studio starts");
        let mut address = String::new();
        let said = program.stdout.take().expect("its standard output");
        BufReader::new(said).read_line(&mut address).expect("it prints its address");
        let host = address.trim().trim_start_matches("http://").split('/').next().unwrap_or_default();
        let host = host.to_owned();
        Self { program, host, address: address.trim().to_owned(), scratch }
    }

    /// Sends bytes as they are, and reads whatever comes. A request that is `cut` says by itself that no more follows.
    pub(crate) fn raw(&self, request: &[u8], cut: bool) -> Vec<u8> {
        let mut stream = TcpStream::connect(&self.host).expect("the studio listens");
        stream.set_read_timeout(Some(Duration::from_mins(1))).expect("a timeout");
        // A studio that refuses early hangs up before it has read all.
        let _ = stream.write_all(request);
        if cut {
            let _ = stream.shutdown(std::net::Shutdown::Write);
        }
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        answer
    }

    pub(crate) fn request(&self, line: &str, headers: &str, body: &[u8]) -> Answer {
        let host = if headers.contains("Host:") { String::new() } else { format!("Host: {}\r\n", self.host) };
        let someone = headers.contains("X-Gioconda-Session:") || headers.contains("gioconda-session=");
        let session = if someone { String::new() } else { format!("X-Gioconda-Session: {ADA}\r\n") };
        let length = body.len();
        let mut request = format!(
            "{line} HTTP/1.1\r\n{host}{session}{headers}Content-Length: {length}\r\nConnection: close\r\n\r\n"
        )
        .into_bytes();
        request.extend(body);
        Answer::parse(&self.raw(&request, false))
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        self.request(&format!("GET {path}"), "", b"")
    }

    pub(crate) fn post(&self, path: &str, body: &Value) -> Answer {
        self.request(&format!("POST {path}"), JSON, body.to_string().as_bytes())
    }

    pub(crate) fn delete(&self, path: &str) -> Answer {
        self.request(&format!("DELETE {path}"), OWN, b"")
    }

    /// Uploads the Mona Lisa and returns her id.
    pub(crate) fn mona(&self) -> String {
        let bytes = fs::read(self.scratch.path("mona.jpg")).expect("the Mona Lisa");
        let answer = self.request("POST /api/photos", OWN, &bytes).expect(201);
        assert_eq!(answer["faces"].as_array().map(Vec::len), Some(1), "{answer}");
        answer["id"].as_str().expect("an id").to_owned()
    }

    /// Waits for the end of a job.
    pub(crate) fn wait(&self, job: &str) -> Value {
        self.follow(job, |view| view["state"] != "queued" && view["state"] != "running")
    }

    /// Waits until a job looks as is asked.
    pub(crate) fn follow(&self, job: &str, arrived: impl Fn(&Value) -> bool) -> Value {
        let until = Instant::now() + Duration::from_mins(4);
        while Instant::now() < until {
            let view = self.get(&format!("/api/jobs/{job}")).expect(200);
            if arrived(&view) {
                return view;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        panic!("the job did not come so far");
    }

    /// Presses Ctrl-C and returns what is left in the folder for temporary files.
    pub(crate) fn close(mut self) -> Vec<String> {
        let pid = self.program.id().to_string();
        assert!(Command::new("kill").args(["-INT", &pid]).status().expect("kill runs").success());
        assert!(self.program.wait().expect("the studio ends").success());
        self.scratch.names("temporary")
    }
}

impl Drop for Studio {
    fn drop(&mut self) {
        let _ = self.program.kill();
        let _ = self.program.wait();
    }
}

impl Answer {
    pub(crate) fn parse(bytes: &[u8]) -> Self {
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").unwrap_or(bytes.len());
        let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
        Self { status, head: head.to_lowercase(), body: bytes.get(end + 4..).unwrap_or_default().to_vec() }
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    /// The JSON of an answer that must have this status.
    pub(crate) fn expect(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}\n{}", self.head, String::from_utf8_lossy(&self.body));
        self.json()
    }
}
