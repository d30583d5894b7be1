//! Live sessions, broadcasts and calls over real web sockets, a clip for a camera.

use std::collections::HashSet;
use std::path::Path;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use gioconda_media::{ClipReader, Frame, ReadOptions};
use gioconda_relay as relay;
use gioconda_studio::{Server, Settings};
use image::codecs::jpeg::JpegEncoder;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

const CLIP: &str = "../../../shared/data/val/edtalk_mouth_source/mouth_source.mp4";
/// Machines that test may be busy; nobody waits for less.
const PATIENCE: Duration = Duration::from_mins(1);
const SOUND: u32 = u32::MAX;

type Socket = tokio_tungstenite::WebSocketStream<tokio_tungstenite::MaybeTlsStream<tokio::net::TcpStream>>;

/// A studio on a free port that disturbs nobody.
fn quiet() -> Settings {
    let folder = std::env::temp_dir().join(format!("gioconda-live-test-{}", std::process::id()));
    Settings {
        listen: ([127, 0, 0, 1], 0).into(),
        open_browser: false,
        avatars: Some(folder),
        ..Settings::default()
    }
}

/// A studio on a free port, until the test's runtime ends.
async fn studio() -> String {
    let server = Server::bind(quiet()).await.expect("a studio");
    let address = server.address().to_string();
    tokio::spawn(server.serve(std::future::pending()));
    address
}

async fn connect(address: &str, path: &str, protocol: &'static str) -> Socket {
    let mut request = format!("ws://{address}{path}").into_client_request().expect("an address");
    request.headers_mut().insert("sec-websocket-protocol", protocol.parse().expect("a header"));
    tokio_tungstenite::connect_async(request).await.expect("a connection").0
}

async fn say(socket: &mut Socket, value: Value) {
    socket.send(Message::text(value.to_string())).await.expect("sent");
}

/// What comes next but pings; `None` is the end.
async fn next(socket: &mut Socket) -> Option<Message> {
    loop {
        match tokio::time::timeout(PATIENCE, socket.next()).await.expect("an answer in time")? {
            Ok(Message::Ping(_) | Message::Pong(_)) => {}
            Ok(message) => return Some(message),
            Err(_) => return None,
        }
    }
}

/// The next text of this type, pictures and other texts left out.
async fn news(socket: &mut Socket, wanted: &str) -> Value {
    loop {
        let message = next(socket).await.unwrap_or_else(|| panic!("the connection ended before {wanted:?}"));
        if let Message::Text(text) = message {
            let value: Value = serde_json::from_str(&text).expect("JSON");
            assert!(wanted == "error" || value["type"] != "error", "{value}");
            if value["type"] == wanted {
                return value;
            }
        }
    }
}

/// The next binary frame: its leading numbers and the rest.
async fn frame<const NUMBERS: usize>(socket: &mut Socket) -> ([u32; NUMBERS], Vec<u8>) {
    loop {
        match next(socket).await.expect("a frame") {
            Message::Binary(bytes) => {
                let number = |i: usize| u32::from_le_bytes([0, 1, 2, 3].map(|b| bytes[4 * i + b]));
                return (std::array::from_fn(number), bytes[4 * NUMBERS..].to_vec());
            }
            Message::Text(text) => assert!(!text.contains("\"error\""), "{text}"),
            other => panic!("{other:?}"),
        }
    }
}

async fn send(socket: &mut Socket, sequence: u32, payload: &[u8]) {
    let frame = [&sequence.to_le_bytes(), &(sequence.wrapping_mul(40)).to_le_bytes(), payload].concat();
    socket.send(Message::binary(frame)).await.expect("sent");
}

/// Pictures of somebody who speaks; `None` where there is no clip.
fn camera() -> Option<Vec<Vec<u8>>> {
    let clip = Path::new(env!("CARGO_MANIFEST_DIR")).join(CLIP);
    if !clip.exists() {
        println!("skipped: {} is not there", clip.display());
        return None;
    }
    let mut reader = ClipReader::open(&clip, &ReadOptions::default()).expect("a clip");
    let (mut frame, mut pictures) = (Frame::default(), Vec::new());
    while pictures.len() < 60 && reader.read(&mut frame).expect("a frame") {
        let mut jpeg = Vec::new();
        let small = gioconda_media::resize(&frame.image, 320, 320);
        small.write_with_encoder(JpegEncoder::new_with_quality(&mut jpeg, 80)).expect("a JPEG");
        pictures.push(jpeg);
    }
    Some(pictures)
}

fn start() -> Value {
    json!({"type": "start", "portrait": {"figure": "mona-lisa"}, "options": {}, "size": 256, "name": "Ada"})
}

/// Mean difference of two pictures, 0..255.
fn apart(a: &[u8], b: &[u8]) -> f64 {
    let [a, b] = [a, b].map(|jpeg| image::load_from_memory(jpeg).expect("a JPEG").into_rgb8());
    assert_eq!(a.dimensions(), (256, 256));
    let sum: f64 = a.as_raw().iter().zip(b.as_raw()).map(|(a, b)| f64::from(a.abs_diff(*b))).sum();
    sum / a.as_raw().len() as f64
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_portrait_follows_the_camera_and_a_broadcast_shows_it() {
    let Some(camera) = camera() else { return };
    let address = studio().await;
    let mut page = connect(&address, "/api/live", "gioconda-live").await;
    say(&mut page, start()).await;
    let ready = news(&mut page, "ready").await;
    let session = ready["session"].as_str().expect("a session");
    let mut watcher = connect(&address, &format!("/api/broadcast/{session}"), "gioconda-live").await;

    let (mut first, mut moved) = (None, 0.0_f64);
    for (sequence, picture) in camera.iter().enumerate() {
        send(&mut page, sequence as u32, picture).await;
        let ([answered, milliseconds], portrait) = frame::<2>(&mut page).await;
        assert_eq!((answered, milliseconds), (sequence as u32, sequence as u32 * 40));
        let first = first.get_or_insert_with(|| portrait.clone());
        moved = moved.max(apart(first, &portrait));
    }
    assert!(moved > 1.0, "the portrait moves: {moved}");
    let ([_, _], seen) = frame::<2>(&mut watcher).await;
    apart(&seen, &seen);

    say(&mut page, json!({"type": "calibrate"})).await;
    let calibrating = async {
        for sequence in 60..70 {
            send(&mut page, sequence, &camera[59]).await;
            frame::<2>(&mut page).await;
        }
    };
    calibrating.await;
    say(&mut page, json!({"type": "options", "options": {"pose": 9}})).await;
    assert!(news(&mut page, "error").await["error"].as_str().is_some_and(|line| line.contains("pose")));

    // Sound goes to those who watch, unheard.
    send(&mut page, SOUND, b"opus").await;
    loop {
        let ([sequence, _], payload) = frame::<2>(&mut watcher).await;
        if sequence == SOUND {
            assert_eq!(payload, b"opus");
            break;
        }
    }
    page.close(None).await.expect("closed");
    while let Some(message) = next(&mut watcher).await {
        if matches!(message, Message::Close(_)) {
            return;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_in_a_call_see_each_other_move() {
    let Some(camera) = camera() else { return };
    let address = studio().await;
    let mut ada = connect(&address, "/api/call/salon", "gioconda-live").await;
    say(&mut ada, start()).await;
    let own = news(&mut ada, "ready").await["participant"].as_u64().expect("a number") as u32;
    let mut grace = connect(&address, "/api/call/salon", "gioconda-live").await;
    say(&mut grace, start()).await;
    let other = news(&mut grace, "ready").await["participant"].as_u64().expect("a number") as u32;
    assert_eq!(news(&mut grace, "joined").await["participant"], own);
    assert_eq!(
        news(&mut ada, "joined").await,
        json!({"type": "joined", "participant": other, "name": "Ada"})
    );

    let mut seen: Vec<Vec<u8>> = Vec::new();
    let mut answers = 0;
    for (sequence, picture) in camera.iter().enumerate() {
        send(&mut ada, sequence as u32, picture).await;
        loop {
            let ([whose, answered, _], _) = frame::<3>(&mut ada).await;
            if whose == own {
                assert_eq!(answered, sequence as u32);
                answers += 1;
                break;
            }
        }
        let ([whose, _, _], portrait) = frame::<3>(&mut grace).await;
        assert_eq!(whose, own, "Grace has no camera: only Ada's portrait comes");
        seen.push(portrait);
    }
    assert_eq!(answers, camera.len());
    let moved = seen.iter().map(|portrait| apart(&seen[0], portrait)).fold(0.0, f64::max);
    let distinct = seen.iter().collect::<HashSet<_>>().len();
    assert!(moved > 1.0 && distinct > camera.len() / 2, "moved {moved}, {distinct} different pictures");

    send(&mut ada, SOUND, b"opus").await;
    loop {
        let ([whose, sequence, _], payload) = frame::<3>(&mut grace).await;
        if sequence == SOUND {
            assert_eq!((whose, payload.as_slice()), (own, b"opus".as_slice()));
            break;
        }
    }
    ada.close(None).await.expect("closed");
    assert_eq!(news(&mut grace, "left").await["participant"], own);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hostile_frames_end_a_session_politely_and_hurt_nobody() {
    let address = studio().await;
    let text = |text: &str| Message::text(text);
    let binary = |length: usize| Message::binary(vec![0_u8; length]);
    let start = start().to_string();
    let unknown = r#"{"type":"start","portrait":{"photo":"../../etc/passwd"}}"#;
    let cases: Vec<(&str, Vec<Message>)> = vec![
        ("/api/live", vec![text("hello")]),
        ("/api/live", vec![text("{\"type\":\"calibrate\"}")]),
        ("/api/live", vec![binary(100)]),
        ("/api/live", vec![binary(2 << 20)]),
        ("/api/live", vec![text(unknown)]),
        ("/api/live", vec![text(&start), binary(3)]),
        ("/api/live", vec![text(&start), text(&start)]),
        ("/api/call/room", vec![text(&"[".repeat(100_000))]),
        ("/api/call/room", vec![text(&start), text("null")]),
        ("/relay/room", vec![text("{}")]),
        ("/relay/room", vec![binary(10)]),
        ("/relay/room", vec![text(r#"{"type":"join","name":"x"}"#), binary(10)]),
        ("/relay/room", vec![text(r#"{"type":"join","name":"x"}"#), text("again")]),
    ];
    for (path, messages) in cases {
        let protocol = if path.starts_with("/relay") { "gioconda-relay" } else { "gioconda-live" };
        let mut socket = connect(&address, path, protocol).await;
        for message in &messages {
            // It may have been closed already.
            let _ = socket.send(message.clone()).await;
        }
        let mut close = None;
        while let Some(message) = next(&mut socket).await {
            if let Message::Close(frame) = message {
                close = frame;
            }
        }
        if messages.iter().all(|message| message.len() < 1 << 20) {
            let close = close.unwrap_or_else(|| panic!("{path} {messages:?}: not closed politely"));
            assert!(u16::from(close.code) >= 1008, "{path} {messages:?}: {close:?}");
        }
    }
    // Pictures that are none are told of and answered with the portrait, so that nobody waits for ever.
    let mut socket = connect(&address, "/api/live", "gioconda-live").await;
    say(&mut socket, self::start()).await;
    news(&mut socket, "ready").await;
    for sequence in 0..4 {
        send(&mut socket, sequence, b"no JPEG at all").await;
        news(&mut socket, "error").await;
        let ([answered, _], portrait) = frame::<2>(&mut socket).await;
        assert_eq!(answered, sequence);
        apart(&portrait, &portrait);
    }
}

#[tokio::test]
async fn a_relay_with_a_token_lets_in_who_knows_it() {
    let (tell, told) = tokio::sync::oneshot::channel();
    let settings = relay::Settings {
        listen: ([127, 0, 0, 1], 0).into(),
        limits: relay::room::Limits::default(),
        token: Some("open-sesame".to_owned()),
    };
    let ready = |link: &str| drop(tell.send(link.to_owned()));
    tokio::spawn(async move { relay::serve(settings, ready, std::future::pending()).await });
    let link = told.await.expect("the relay listens");
    let host = link.trim_start_matches("ws://").trim_end_matches("/?token=open-sesame").to_owned();
    assert_eq!(link, format!("ws://{host}/?token=open-sesame"));

    let stranger = tokio_tungstenite::connect_async(format!("ws://{host}/relay/salon")).await;
    assert!(stranger.expect_err("refused").to_string().contains("403"));

    // A studio that was given the printed address is let in, and says who it is in its room.
    let settings = Settings { relay: Some(link.parse().expect("the relay's own address")), ..quiet() };
    let server = Server::bind(settings).await.expect("a studio");
    let address = server.address().to_string();
    tokio::spawn(server.serve(std::future::pending()));
    let mut page = connect(&address, "/api/call/salon", "gioconda-live").await;
    say(&mut page, start()).await;
    assert!(news(&mut page, "ready").await["participant"].is_u64());
}

#[tokio::test]
async fn other_pages_and_plain_requests_are_refused() {
    let address = studio().await;
    for path in ["/api/live", "/api/call/room", "/relay/room"] {
        let mut request = format!("ws://{address}{path}").into_client_request().expect("an address");
        request.headers_mut().insert("origin", "http://evil.example".parse().expect("a header"));
        let error = tokio_tungstenite::connect_async(request).await.expect_err("refused");
        assert!(error.to_string().contains("403"), "{path}: {error}");
    }
    let unknown = tokio_tungstenite::connect_async(format!("ws://{address}/api/broadcast/none")).await;
    assert!(unknown.expect_err("refused").to_string().contains("404"));
}
