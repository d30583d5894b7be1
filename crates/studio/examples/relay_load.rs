//! How many speakers one relay carries on one core:
//! `cargo run --release -p gioconda-studio --example relay_load [-- SPEAKERS [SECONDS]]`.
//!
//! A relay in a process of its own, on one thread; 500 speakers in rooms of two, each sending a packet of motion 25 times
//! a second over loopback. Prints what arrived, how late, and how much of its core the relay used.

use std::error::Error;
use std::io::BufRead;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use futures_util::{SinkExt, StreamExt};
use gioconda_avatar::{MotionFrame, PackedFrame};
use gioconda_relay::{self as relay, room::Limits, wire};
use gioconda_studio::call::packet::Packet;
use tokio_tungstenite::tungstenite::Message;

const BEAT: Duration = Duration::from_millis(40);
/// Speakers come one after the other: a thousand connections at once are another test.
const BETWEEN_JOINS: Duration = Duration::from_millis(2);

fn main() -> Result<(), Box<dyn Error>> {
    let mut named = std::env::args().skip(1);
    match named.next().as_deref() {
        Some("serve") => serve(),
        speakers => {
            let speakers = speakers.map_or(Ok(500), str::parse)?;
            let seconds = named.next().map_or(Ok(10), |seconds| seconds.parse())?;
            measure(speakers, Duration::from_secs(seconds))
        }
    }
}

/// The relay, on this thread alone, until standard input ends.
fn serve() -> Result<(), Box<dyn Error>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let settings = relay::Settings { listen: "127.0.0.1:0".parse()?, limits: Limits::default(), token: None };
    let ready = |link: &str| println!("{link}");
    runtime.block_on(relay::serve(settings, ready, std::future::pending()))?;
    Ok(())
}

/// What came of it.
#[derive(Default)]
struct Tally {
    sent: AtomicU64,
    received: AtomicU64,
    bytes: AtomicU64,
    /// Deliveries by milliseconds; the last counts all that took longer.
    delays: Vec<AtomicU64>,
}

fn measure(speakers: usize, length: Duration) -> Result<(), Box<dyn Error>> {
    let mut child = Command::new(std::env::current_exe()?).arg("serve").stdout(Stdio::piped()).spawn()?;
    let mut address = String::new();
    std::io::BufReader::new(child.stdout.take().ok_or("no output")?).read_line(&mut address)?;
    let tally = Tally { delays: (0..1000).map(|_| AtomicU64::new(0)).collect(), ..Tally::default() };
    let tally = Arc::new(tally);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (seconds, cpu) = runtime.block_on(async {
        let began = Instant::now();
        let mut tasks = Vec::new();
        for index in 0..speakers {
            let url = format!("{}/relay/room-{}", address.trim(), index / 2);
            tasks.push(tokio::spawn(speak(url, began, Arc::clone(&tally))));
            tokio::time::sleep(BETWEEN_JOINS).await;
        }
        // Everybody is there.
        tokio::time::sleep(Duration::from_secs(1)).await;
        let (before, from) = (cpu_seconds(child.id()), Instant::now());
        for counter in tally.delays.iter().chain([&tally.sent, &tally.received, &tally.bytes]) {
            counter.store(0, Ordering::Relaxed);
        }
        tokio::time::sleep(length).await;
        let measured = (from.elapsed().as_secs_f64(), cpu_seconds(child.id()) - before);
        let failed = tasks.iter().filter(|task| task.is_finished()).count();
        println!("{failed} connections failed");
        measured
    });
    report(speakers, &tally, seconds, cpu);
    child.kill()?;
    child.wait()?;
    Ok(())
}

fn report(speakers: usize, tally: &Tally, seconds: f64, cpu: f64) {
    let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    let (sent, received) = (read(&tally.sent), read(&tally.received));
    let delay_at = |share: f64| {
        let mut left = (received as f64 * share) as u64;
        tally.delays.iter().position(|count| {
            let count = read(count);
            let found = count > left;
            left = left.saturating_sub(count);
            found
        })
    };
    let rate = |count: u64| count as f64 / seconds;
    println!("{speakers} speakers in rooms of 2, {seconds:.1} s");
    println!(
        "sent {:.0} packets a second, received {:.0}, {:.2} %",
        rate(sent),
        rate(received),
        100.0 * received as f64 / sent as f64
    );
    println!(
        "{:.1} kbit/s for each speaker, WebSocket payload",
        rate(read(&tally.bytes)) * 8e-3 / speakers as f64
    );
    println!("delay in ms: median {:?}, 99 % {:?}", delay_at(0.5), delay_at(0.99));
    println!("the relay used {:.0} % of one core", 100.0 * cpu / seconds);
}

/// One speaker: sends a packet every 40 ms and takes what comes.
async fn speak(
    url: String,
    began: Instant,
    tally: Arc<Tally>,
) -> Result<(), tokio_tungstenite::tungstenite::Error> {
    let (socket, _) = tokio_tungstenite::connect_async(url).await?;
    let (mut sink, mut stream) = socket.split();
    sink.send(Message::text(r#"{"type":"join","name":"speaker"}"#)).await?;
    let mut packet = Packet { sequence: 0, milliseconds: 0, frame: PackedFrame::pack(&MotionFrame::rest()) };
    let mut clock = tokio::time::interval(BEAT);
    loop {
        tokio::select! {
            _ = clock.tick() => {
                packet.sequence = packet.sequence.wrapping_add(1);
                packet.milliseconds = began.elapsed().as_millis() as u16;
                let frame = wire::frame(wire::Kind::Motion, &packet.encode());
                tally.bytes.fetch_add(frame.len() as u64, Ordering::Relaxed);
                sink.send(Message::Binary(frame)).await?;
                tally.sent.fetch_add(1, Ordering::Relaxed);
            }
            message = stream.next() => {
                let Some(message) = message.transpose()? else { return Ok(()) };
                let Message::Binary(bytes) = message else { continue };
                let Some((_, wire::Kind::Motion, payload)) = wire::parse_relayed(&bytes) else { continue };
                let Some(packet) = Packet::decode(payload) else { continue };
                let delay = (began.elapsed().as_millis() as u16).wrapping_sub(packet.milliseconds);
                let last = tally.delays.len() - 1;
                tally.delays[usize::from(delay).min(last)].fetch_add(1, Ordering::Relaxed);
                tally.received.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}

/// Seconds of processor time that a process has used, from `/proc`; 0 elsewhere than on Linux.
fn cpu_seconds(process: u32) -> f64 {
    // Clock ticks are a hundredth of a second on every Linux.
    const TICKS: f64 = 100.0;
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    let after_name = stat.rsplit_once(") ").map_or("", |(_, rest)| rest);
    let fields: Vec<f64> =
        after_name.split(' ').skip(11).take(2).filter_map(|field| field.parse().ok()).collect();
    fields.iter().sum::<f64>() / TICKS
}
