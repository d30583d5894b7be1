//! The studio under attack: files that break decoders, clients that are slow or leave, clients that ask for what belongs
//! to others, and other users of the machine.

#![cfg(unix)]

mod program;
mod served;

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use gioconda_media::{ClipReader, Frame, ReadOptions};
use image::GrayImage;
use program::{Scratch, workspace};
use serde_json::{Value, json};
use served::{Answer, GRACE, JSON, OWN, Studio};

/// The headers of another client than the one whose requests are made otherwise.
fn as_grace(headers: &str) -> String {
    format!("X-Gioconda-Session: {GRACE}\r\n{headers}")
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("text, not {value}")).to_owned()
}

/// A connection that has sent `request` and reads nothing.
fn slow(host: &str, request: &str) -> Option<TcpStream> {
    let mut stream = TcpStream::connect(host).ok()?;
    stream.write_all(request.as_bytes()).ok()?;
    Some(stream)
}

/// What the decoder writes for `arguments`, and whether it ended well.
fn decoder(scratch: &Scratch, arguments: &str) -> (bool, Vec<u8>) {
    let output = scratch.command(&format!("decode-upload {arguments}")).output().expect("it starts");
    (output.status.success(), output.stdout)
}

/// The messages of a decoder: tag, bytes, and the pixels behind them where they are a picture.
fn messages(mut bytes: &[u8]) -> Vec<(u8, Vec<u8>, Vec<u8>)> {
    let mut messages = Vec::new();
    while let Some((head, rest)) = bytes.split_first_chunk::<5>() {
        let length = u32::from_le_bytes([head[1], head[2], head[3], head[4]]) as usize;
        let (said, rest) = rest.split_at(length);
        let pixels = match head[0] {
            3 => {
                let side = |at: usize| u32::from_le_bytes(said[at..at + 4].try_into().expect("four bytes"));
                side(0) as usize * side(4) as usize * 3
            }
            _ => 0,
        };
        let (pixels, rest) = rest.split_at(pixels);
        messages.push((head[0], said.to_vec(), pixels.to_vec()));
        bytes = rest;
    }
    messages
}

#[test]
fn the_decoder_shows_the_frames_that_the_reader_shows() {
    let scratch = Scratch::new();
    scratch.film("clip.mp4", 15, 15);
    let options = ReadOptions {
        start: Duration::from_millis(80),
        duration: Some(Duration::from_millis(300)),
        fps: Some(12.5),
        ..ReadOptions::default()
    };
    let mut reader = ClipReader::open(&scratch.path("clip.mp4"), &options).expect("a clip");
    let (ended_well, said) = decoder(&scratch, "clip clip.mp4 80000000 300000000 12.5");
    let messages = messages(&said);
    assert!(ended_well && messages.len() > 4, "{} messages", messages.len());
    let (header, frames) = messages.split_first().expect("a header");
    let header: Value = serde_json::from_slice(&header.1).expect("JSON");
    assert_eq!((&header["codec"], &header["decoder"]), (&json!("h264"), &json!("openh264")), "{header}");
    let (end, frames) = frames.split_last().expect("an end");
    assert_eq!(end.0, 4);
    let mut frame = Frame::default();
    for (tag, _, pixels) in frames {
        assert!(reader.read(&mut frame).expect("a frame") && *tag == 3);
        assert_eq!(frame.image.as_raw(), pixels);
    }
    assert!(!reader.read(&mut frame).expect("the end"));
}

#[test]
fn the_decoder_refuses_with_one_line_and_does_nothing_else() {
    let scratch = Scratch::new();
    fs::write(scratch.path("no.jpg"), "no picture").expect("written");
    for arguments in
        ["photo no.jpg", "photo absent.jpg", "clip no.jpg 0 - -", "clip mona.jpg 0 - -", "avatar mona.jpg"]
    {
        let (_, said) = decoder(&scratch, arguments);
        let messages = messages(&said);
        let (tag, line, _) = messages.first().unwrap_or_else(|| panic!("{arguments} is answered"));
        let line = String::from_utf8_lossy(line);
        assert!(*tag == 2 && !line.contains('\n') && line.len() > 10, "{arguments}: {tag} {line}");
    }
    for arguments in ["", "photo", "format mona.jpg", "clip"] {
        let (ended_well, said) = decoder(&scratch, arguments);
        assert!(!ended_well && said.is_empty(), "{arguments}");
    }
    let help = scratch.succeed("--help").stdout;
    assert!(!help.contains("decode-upload"), "it is not for people");
}

#[test]
fn hostile_files_end_their_decoder_and_not_the_studio() {
    let folder = workspace("../shared/cases/hostile");
    let Ok(entries) = fs::read_dir(&folder) else {
        println!("skipped: no hostile files in ../shared/cases/hostile");
        return;
    };
    let studio = Studio::open("");
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    files.sort();
    for file in files.iter().filter(|file| fs::metadata(file).is_ok_and(|metadata| metadata.len() < 1 << 20))
    {
        let bytes = fs::read(file).expect("a file");
        for address in ["photos", "clips", "verify"] {
            let began = Instant::now();
            let answer = studio.request(&format!("POST /api/{address}"), OWN, &bytes);
            let line = String::from_utf8_lossy(&answer.body).into_owned();
            let name = file.display();
            assert!([200, 201, 422].contains(&answer.status), "{name} {address}: {} {line}", answer.status);
            assert!(began.elapsed() < Duration::from_secs(100), "{name} {address}: {:?}", began.elapsed());
        }
    }
    assert_eq!(studio.get("/healthz").status, 200);
    studio.mona();
    let peak = peak_memory(studio.program.id());
    assert!(peak < 2 << 20, "{peak} KB");
}

/// The most memory that a process has had, KB; 0 where the system does not tell.
fn peak_memory(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.trim().trim_end_matches("kB").trim().parse().ok()).unwrap_or(0)
}

#[test]
fn the_photos_of_those_who_have_gone_take_no_memory() {
    let studio = Studio::open("");
    let large = studio.scratch.path("large.png");
    GrayImage::new(7000, 7000).save(&large).expect("49 megapixels");
    let bytes = fs::read(&large).expect("a photo");
    assert!(bytes.len() < 1 << 20, "{} bytes", bytes.len());
    let before = peak_memory(studio.program.id());
    let request = format!(
        "POST /api/photos HTTP/1.1\r\nHost: {}\r\n{OWN}Content-Length: {}\r\n\r\n",
        studio.host,
        bytes.len()
    );
    for _ in 0..20 {
        let mut stream = TcpStream::connect(&studio.host).expect("the studio listens");
        stream.write_all(request.as_bytes()).and_then(|()| stream.write_all(&bytes)).expect("sent");
        std::thread::sleep(Duration::from_millis(50));
    }
    // Somebody who stays is served soon, and all places are free again.
    studio.mona();
    let peak = peak_memory(studio.program.id());
    println!("peak {before} KB before, {peak} KB after 20 photos of 49 megapixels whose clients left");
    assert!(peak < before + (800 << 10), "{before} KB before, {peak} KB after");
}

#[test]
fn slow_clients_do_not_keep_others_out() {
    let studio = Studio::open("");
    let slow_body = format!(
        "POST /api/animate HTTP/1.1\r\nHost: {}\r\n{JSON}Content-Length: 1000\r\n\r\n{{",
        studio.host
    );
    let kinds = [slow_body.as_str(), "", "GET / HT", "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"];
    let slow: Vec<TcpStream> =
        (0..520).filter_map(|n| slow(&studio.host, kinds[[0, 0, 1, 2, 3][n % 5]])).collect();
    assert!(slow.len() > 400, "{} connections", slow.len());
    let began = Instant::now();
    assert_eq!(studio.get("/healthz").status, 200);
    assert_eq!(studio.get("/api/info").status, 200);
    println!("/healthz and /api/info beside {} slow connections: {:?}", slow.len(), began.elapsed());
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    // The newest of them is still waited for, though not for ever.
    let mut last = self::slow(&studio.host, &slow_body).expect("a connection");
    last.set_read_timeout(Some(Duration::from_mins(1))).expect("a timeout");
    let mut said = Vec::new();
    let _ = last.read_to_end(&mut said);
    assert_eq!(Answer::parse(&said).status, 408, "{}", String::from_utf8_lossy(&said));
}

#[test]
fn those_without_the_token_do_not_keep_out_those_with_it() {
    let studio = Studio::open("--token open-sesame");
    let bearer = "Authorization: Bearer open-sesame\r\n";
    let slow: Vec<TcpStream> =
        (0..200).filter_map(|_| slow(&studio.host, "GET /api/info HTTP/1.1\r\nHost: x\r\nA")).collect();
    let began = Instant::now();
    assert_eq!(studio.request("GET /api/info", bearer, b"").status, 200);
    assert_eq!(studio.get("/healthz").status, 200);
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    // Most of them have been hung up on already.
    let open = slow.iter().filter(|stream| {
        stream.set_nonblocking(true).expect("a socket");
        let mut byte = [0];
        stream.peek(&mut byte).is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock)
    });
    let open = open.count();
    assert!(open <= 64, "{open} of {} are still open", slow.len());
}

#[test]
fn nobody_sees_what_others_brought_or_made() {
    let studio = Studio::open("");
    let photo = studio.mona();
    studio.scratch.film("clip.mp4", 10, 10);
    let clip = fs::read(studio.scratch.path("clip.mp4")).expect("a clip");
    let clip = text(&studio.request("POST /api/clips", OWN, &clip).expect(201)["id"]);
    let options = json!({ "size": 256, "crop": true });
    let wish = json!({ "portrait": { "photo": photo }, "drive": { "clip": clip }, "options": options });
    let job = text(&studio.post("/api/animate", &wish).expect(202)["job"]);
    assert_eq!(studio.wait(&job)["state"], "done");
    let learned = studio.post("/api/learn", &json!({ "photos": [photo], "name": "Lisa" })).expect(202);
    let learned = text(&learned["job"]);
    let avatar = text(&studio.wait(&learned)["result"]["avatar"]);

    let grace = |line: &str, body: &Value| {
        let (headers, body) = match body {
            Value::Null => (OWN, String::new()),
            body => (JSON, body.to_string()),
        };
        studio.request(line, &as_grace(headers), body.as_bytes())
    };
    for list in ["/api/jobs", "/api/avatars"] {
        assert_eq!(grace(&format!("GET {list}"), &Value::Null).expect(200), json!([]), "{list}");
        assert_ne!(studio.get(list).expect(200), json!([]), "{list}");
    }
    let figure = json!({ "figure": "mona-lisa" });
    let smile = json!({ "motion": "smile" });
    let of = |portrait: &Value, drive: &Value| json!({ "portrait": portrait, "drive": drive });
    let requests = [
        (format!("GET /api/jobs/{job}"), Value::Null),
        (format!("GET /api/jobs/{job}/file"), Value::Null),
        (format!("GET /api/jobs/{job}/events"), Value::Null),
        (format!("GET /api/jobs/{job}/credentials"), Value::Null),
        (format!("DELETE /api/jobs/{job}"), Value::Null),
        (format!("POST /api/jobs/{job}/resume"), json!({})),
        (format!("GET /api/photos/{photo}/image"), Value::Null),
        (format!("DELETE /api/photos/{photo}"), Value::Null),
        (format!("DELETE /api/clips/{clip}"), Value::Null),
        (format!("GET /api/avatars/{avatar}/image"), Value::Null),
        (format!("GET /api/avatars/{avatar}/strip"), Value::Null),
        (format!("DELETE /api/avatars/{avatar}"), Value::Null),
        ("POST /api/preview".to_owned(), of(&json!({ "photo": photo }), &smile)),
        ("POST /api/preview".to_owned(), of(&json!({ "avatar": avatar }), &smile)),
        ("POST /api/preview".to_owned(), of(&figure, &json!({ "clip": clip }))),
        ("POST /api/animate".to_owned(), of(&json!({ "photo": photo }), &smile)),
        ("POST /api/animate".to_owned(), of(&json!({ "avatar": avatar }), &smile)),
        ("POST /api/animate".to_owned(), of(&figure, &json!({ "clip": clip }))),
        ("POST /api/learn".to_owned(), json!({ "photos": [photo], "name": "x" })),
    ];
    for (line, body) in &requests {
        let answer = grace(line, body);
        assert_eq!(answer.status, 404, "{line} {body}: {}", String::from_utf8_lossy(&answer.body));
    }
    // All of it is still there for its owner.
    assert_eq!(studio.get(&format!("/api/jobs/{job}/file")).status, 200);
    assert_eq!(studio.get(&format!("/api/photos/{photo}/image")).status, 200);
    assert_eq!(studio.delete(&format!("/api/avatars/{avatar}")).status, 204);
}

#[test]
fn browsers_are_known_by_a_cookie_that_scripts_and_other_sites_do_not_get() {
    let studio = Studio::open("");
    let raw = |line: &str, headers: &str| {
        let host = &studio.host;
        let request = format!("{line} HTTP/1.1\r\nHost: {host}\r\n{headers}Connection: close\r\n\r\n");
        Answer::parse(&studio.raw(request.as_bytes(), false))
    };
    let cookie = |answer: &Answer| {
        let line = answer.head.lines().find_map(|line| line.strip_prefix("set-cookie: ")).map(str::to_owned);
        line.inspect(|line| assert!(line.contains("httponly") && line.contains("samesite=strict"), "{line}"))
    };
    let first = cookie(&raw("GET /", "")).expect("a cookie on the first visit");
    let pair = first.split(';').next().expect("a pair").to_owned();
    assert!(pair.len() >= "gioconda-session=".len() + 32, "{pair}");
    assert_ne!(cookie(&raw("GET /", "")), Some(first), "each client has its own");
    assert_eq!(cookie(&raw("GET /", &format!("Cookie: {pair}\r\n"))), None, "it is kept");
    assert_eq!(cookie(&raw("GET /", "Sec-Fetch-Site: cross-site\r\n")), None, "it is not replaced");
    // What was made with the cookie is had with the cookie, and in no other way.
    let wish = json!({ "portrait": { "figure": "mona-lisa" }, "drive": { "motion": "nod" }, "options": { "size": 256, "crop": true } });
    let with = |headers: &str| format!("Cookie: theme=dark; {pair}\r\n{headers}");
    let job = studio.request("POST /api/animate", &with(JSON), wish.to_string().as_bytes()).expect(202);
    let job = text(&job["job"]);
    let events = studio.request(&format!("GET /api/jobs/{job}/events"), &with(""), b"");
    assert!(String::from_utf8_lossy(&events.body).contains("\"done\""));
    assert_eq!(studio.request(&format!("GET /api/jobs/{job}/file"), &with(""), b"").status, 200);
    assert_eq!(raw(&format!("GET /api/jobs/{job}/file"), "").status, 404);
    assert_eq!(studio.get(&format!("/api/jobs/{job}/file")).status, 404);
    assert_eq!(studio.request("GET /api/jobs", "X-Gioconda-Session: guess\r\n", b"").status, 400);
}

#[test]
fn a_kiosk_serves_what_it_needs_and_nothing_else() {
    let open = Studio::open("");
    let document = open.get("/api/openapi.json").expect(200);
    drop(open);
    let kiosk = Studio::open("--kiosk");
    let needed = [
        "get /healthz",
        "get /api/info",
        "get /api/motions",
        "get /api/figures",
        "get /api/figures/{id}/image",
        "post /api/preview",
        "post /api/animate",
        "get /api/jobs/{id}",
        "get /api/jobs/{id}/events",
        "get /api/jobs/{id}/file",
        "delete /api/jobs/{id}",
    ];
    let mut served = Vec::new();
    for (path, operations) in document["paths"].as_object().expect("paths") {
        for method in operations.as_object().expect("operations").keys() {
            let line = format!("{} {}", method.to_uppercase(), path.replace("{id}", "x"));
            let answer = kiosk.request(&line, OWN, b"");
            let said = String::from_utf8_lossy(&answer.body).into_owned();
            if !said.contains("a kiosk shows the gallery") {
                served.push(format!("{method} {path}"));
                continue;
            }
            assert_eq!(answer.status, 404, "{line}");
        }
    }
    served.sort();
    let mut needed = needed.to_vec();
    needed.sort_unstable();
    assert_eq!(served, needed);
    for path in [
        "/personalise",
        "/call",
        "/call/x",
        "/verify",
        "/api/docs",
        "/api/openapi.json",
        "/api/call/x",
        "/relay/x",
        "/broadcast/x",
        "/api/broadcast/x",
    ] {
        assert_eq!(kiosk.get(path).status, 404, "{path}");
    }
    for path in ["/", "/kiosk", "/api/figures", "/api/figures/mona-lisa/image"] {
        assert_eq!(kiosk.get(path).status, 200, "{path}");
    }
    let wish = |portrait: Value| json!({ "portrait": portrait, "drive": { "motion": "smile" }, "options": { "size": 256, "crop": true } });
    assert_eq!(kiosk.post("/api/animate", &wish(json!({ "avatar": "x" }))).status, 404);
    let job = text(&kiosk.post("/api/animate", &wish(json!({ "figure": "mona-lisa" }))).expect(202)["job"]);
    assert_eq!(kiosk.wait(&job)["state"], "done");
    let theirs = kiosk.request(&format!("DELETE /api/jobs/{job}"), &as_grace(OWN), b"");
    assert_eq!(theirs.status, 404);
    assert_eq!(kiosk.get(&format!("/api/jobs/{job}/file")).status, 200);
}

/// All files and folders in `folder`, with their permissions.
fn modes(folder: &Path) -> Vec<(PathBuf, u32)> {
    let mut modes = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        let Ok(metadata) = fs::symlink_metadata(&path) else { continue };
        modes.push((path.clone(), metadata.permissions().mode() & 0o777));
        if metadata.is_dir() {
            modes.extend(self::modes(&path));
        }
    }
    modes
}

#[test]
fn films_are_for_nobody_else_and_those_of_a_killed_studio_go_when_the_next_one_starts() {
    let mut studio = Studio::open("");
    let wish = json!({ "portrait": { "photo": studio.mona() }, "drive": { "motion": "nod" }, "options": { "size": 256, "crop": true } });
    let job = text(&studio.post("/api/animate", &wish).expect(202)["job"]);
    assert_eq!(studio.wait(&job)["state"], "done");
    let learned =
        studio.post("/api/learn", &json!({ "photos": [studio.mona()], "name": "Lisa" })).expect(202);
    assert_eq!(studio.wait(&text(&learned["job"]))["state"], "done");
    for folder in ["temporary", "avatars"] {
        let modes = modes(&studio.scratch.path(folder));
        assert!(modes.len() > 2, "{modes:?}");
        let open: Vec<_> = modes.iter().filter(|(_, mode)| mode & 0o077 != 0).collect();
        assert!(open.is_empty(), "others can read {open:?}");
    }
    // As `kill -9` and a power failure do.
    studio.program.kill().expect("killed");
    studio.program.wait().expect("dead");
    let left = studio.scratch.names("temporary");
    assert!(!left.is_empty());
    let scratch = std::mem::replace(&mut studio.scratch, Scratch::new());
    fs::create_dir(scratch.path("temporary/gioconda-studio-of-another-program")).expect("a folder");
    let next = Studio::open_in(scratch, "", &[]);
    let names = next.scratch.names("temporary");
    assert!(left.iter().all(|left| !names.contains(left)), "{left:?} in {names:?}");
    assert_eq!(names.len(), 2, "{names:?}");
    // A third one leaves the second alone.
    let temporary = next.scratch.path("temporary");
    let third = Studio::open_in(Scratch::new(), "", &[("TMPDIR", temporary.to_str().expect("text"))]);
    assert_eq!(next.get(&format!("/api/jobs/{job}")).status, 404);
    next.mona();
    assert_eq!(next.scratch.names("temporary").len(), 3);
    drop(third);
    // The third was killed; what it has left is the next one's business.
    assert_eq!(next.close().len(), 2);
}

#[test]
fn redirects_stay_here_and_strange_hosts_are_refused() {
    let studio = Studio::open("--token open-sesame");
    for (path, place) in [
        ("/live", "/live"),
        ("/call/salon-1", "/call/salon-1"),
        ("//evil.example", "/"),
        ("/\\evil.example", "/"),
        ("/\\/evil.example", "/"),
        ("/%5cevil.example", "/"),
        ("/%2f%2fevil.example", "/"),
        ("/./\\evil.example", "/"),
        ("/call//evil.example", "/"),
        ("/call/\\evil.example", "/"),
    ] {
        let answer = studio.get(&format!("{path}?token=open-sesame"));
        let place = format!("location: {place}");
        // An address that HTTP does not allow is not redirected at all.
        let refused = answer.status == 400 && answer.head.lines().all(|line| !line.starts_with("location"));
        let stays = answer.status == 303 && answer.head.lines().any(|line| line == place);
        assert!(refused || stays, "{path}: {}", answer.head);
    }
    let studio = Studio::open("");
    for (host, status) in [
        ("localhost", 200),
        ("[::1]", 200),
        ("[::1]:80", 200),
        ("[::1]evil.example", 403),
        ("[::1].evil.example", 403),
        ("localhost:evil.example", 403),
        ("localhost@evil.example", 403),
        ("127.0.0.1.evil.example", 403),
        ("localhost\r\nHost: evil.example", 400),
    ] {
        let answer = studio.request("GET /api/info", &format!("Host: {host}\r\n"), b"");
        assert_eq!(answer.status, status, "{host}: {}", answer.head);
    }
    assert_eq!(studio.request("GET http://evil.example/api/info", "", b"").status, 400, "absolute form");
    for (line, status) in [("TRACE /api/info", 405), ("OPTIONS /api/animate", 403), ("HEAD /api/info", 200)] {
        let headers = if line.starts_with("TRACE") { OWN } else { "" };
        assert_eq!(studio.request(line, headers, b"").status, status, "{line}");
    }
    let many = "X-Filler: 1\r\n".repeat(200);
    assert_eq!(studio.request("GET /api/info", &many, b"").status, 431, "too many headers");
    let deep = "[".repeat(60_000);
    assert_eq!(studio.request("POST /api/animate", JSON, deep.as_bytes()).status, 400, "too deep");
    for at in ["1e308", "-1", "1e999", "null", "18446744073709551616"] {
        let wish = format!(
            r#"{{"portrait":{{"figure":"mona-lisa"}},"drive":{{"motion":"nod"}},"options":{{"size":256,"crop":true}},"at":{at}}}"#
        );
        let status = studio.request("POST /api/preview", JSON, wish.as_bytes()).status;
        assert!([200, 400, 422].contains(&status), "{at}: {status}");
    }
}

#[test]
fn the_token_comes_from_a_file_or_the_environment_and_stands_in_no_list_of_processes() {
    let scratch = Scratch::new();
    let file = scratch.path("token");
    fs::write(&file, "open-sesame\n").expect("written");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).expect("private");
    let studio = Studio::open_in(scratch, "--token-file token", &[("GIOCONDA_TOKEN", "open-barley")]);
    let listed = fs::read(format!("/proc/{}/cmdline", studio.program.id())).unwrap_or_default();
    assert!(!String::from_utf8_lossy(&listed).contains("sesame"));
    assert_eq!(studio.request("GET /api/info", "Authorization: Bearer open-sesame\r\n", b"").status, 200);
    assert_eq!(studio.request("GET /api/info", "Authorization: Bearer open-barley\r\n", b"").status, 403);
    drop(studio);
    let studio = Studio::open_in(Scratch::new(), "", &[("GIOCONDA_TOKEN", "open-barley")]);
    assert_eq!(studio.request("GET /api/info", "Authorization: Bearer open-barley\r\n", b"").status, 200);

    let scratch = Scratch::new();
    fs::write(scratch.path("short"), "short").expect("written");
    for (arguments, variable, code, said) in [
        ("studio --token-file absent", "", 1, "absent: the token cannot be read"),
        ("studio --token-file short", "", 1, "short: a token has 8 or more"),
        ("relay --token-file short", "", 1, "short: a token has 8 or more"),
        ("relay", "short", 1, "GIOCONDA_TOKEN: a token has 8 or more"),
        ("studio --token open-sesame --token-file short", "", 2, "cannot be used with"),
        ("studio --relay-token-file short", "", 2, "--relay"),
    ] {
        let output = scratch.command(arguments).env("GIOCONDA_TOKEN", variable).output().expect("it starts");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code() == Some(code) && stderr.contains(said), "{arguments}: {stderr}");
    }
    // A file that others may read is used, and said to be.
    fs::write(scratch.path("open"), "open-sesame").expect("written");
    fs::set_permissions(scratch.path("open"), fs::Permissions::from_mode(0o644)).expect("public");
    let mut command = scratch.command("relay --listen 127.0.0.1:0 --token-file open");
    let mut relay = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    let mut first = [0; 5];
    relay.stdout.take().expect("its output").read_exact(&mut first).expect("its address");
    relay.kill().expect("killed");
    let said = relay.wait_with_output().expect("dead").stderr;
    assert!(String::from_utf8_lossy(&said).contains("chmod 600"), "{}", String::from_utf8_lossy(&said));
}

/// A small file system, until this is dropped.
struct SmallDisk(PathBuf);

impl SmallDisk {
    /// `None` for users that may not mount one.
    fn mount(folder: PathBuf) -> Option<Self> {
        fs::create_dir(&folder).expect("a folder");
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=4m", "none"]).arg(&folder).stderr(Stdio::null());
        mount.status().is_ok_and(|status| status.success()).then_some(Self(folder))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0).status();
    }
}

#[test]
fn a_full_disk_is_answered_as_such() {
    let scratch = Scratch::new();
    let Some(disk) = SmallDisk::mount(scratch.path("small")) else {
        println!("skipped: this user cannot mount a small file system to fill");
        return;
    };
    let small = disk.0.to_str().expect("text").to_owned();
    let studio = Studio::open_in(Scratch::new(), "", &[("TMPDIR", &small)]);
    let noise = vec![7; 6 << 20];
    for address in ["photos", "clips", "verify"] {
        let answer = studio.request(&format!("POST /api/{address}"), OWN, &noise).expect(507);
        assert!(text(&answer["error"]).contains("disk is full"), "{address}: {answer}");
    }
    // What was received of them is gone: there is room for somebody else.
    studio.mona();
    let mut studio = studio;
    studio.program.kill().expect("killed");
    studio.program.wait().expect("dead");
}
