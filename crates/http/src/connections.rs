//! Connections: how many there are at a time, how long one may be slow, and which one goes when there are too many.
//!
//! A connection is *at work* while the server does what it asked for, and *waits for its client* otherwise: for the
//! rest of a request, for the next one, or until an answer is read. When there are as many as there may be, a new one
//! takes the place of the one that has waited longest, so that slow clients cannot keep others out. The address with
//! the most connections loses one first, and those that have not shown the token have fewer places among them.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::convert::Infallible;
use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use axum::Router;
use futures_util::task::AtomicWaker;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Sleep;

/// How long the listener rests when the system has no more connections to give.
const REST: Duration = Duration::from_secs(1);
/// Most bytes of a request's head, and of what is read ahead of a body.
const BUFFER: usize = 64 << 10;
/// Most headers of a request.
const HEADERS: usize = 64;
/// What a connection is told for which there is no place.
const NO_PLACE: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\n\
    Retry-After: 5\r\nConnection: close\r\nContent-Length: 56\r\n\r\n\
    {\"error\": \"too many connections; try again in a moment\"}\n";

/// How many connections may not have shown the token yet, where there is one.
const UNPROVEN_CONNECTIONS: usize = 64;
/// Connections from one address at a time, this machine's own apart.
const CONNECTIONS_OF_ONE_ADDRESS: usize = 128;
/// How long a connection may take to say what it wants.
const HEAD_WITHIN: Duration = Duration::from_secs(15);
/// How long an answer may wait without any of it being read.
const READ_WITHIN: Duration = Duration::from_secs(30);

/// How many connections there may be, and what is asked of each.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// At a time, `WebSocket`s among them.
    pub connections: usize,
    /// Of those, how many may not have shown the token yet; `None` where there is none to show.
    pub unproven: Option<usize>,
    /// From one address; a proxy or program on this machine may have all.
    pub of_one_address: usize,
    /// In which the head of a request has come as a whole. A connection that asks for nothing is closed after as long.
    pub head_within: Duration,
    /// How long an answer may wait without the client reading any of it.
    pub read_within: Duration,
}

impl Bounds {
    /// For so many connections; `token`: whether clients must show one.
    pub fn new(connections: usize, token: bool) -> Self {
        Self {
            connections,
            unproven: token.then_some(UNPROVEN_CONNECTIONS),
            of_one_address: CONNECTIONS_OF_ONE_ADDRESS,
            head_within: HEAD_WITHIN,
            read_within: READ_WITHIN,
        }
    }
}

/// One connection, as those know it who answer its requests.
pub struct Client {
    address: IpAddr,
    opened: Instant,
    /// Milliseconds after it was opened at which bytes went either way last.
    moved: AtomicU64,
    at_work: AtomicBool,
    proven: AtomicBool,
    put_out: AtomicBool,
    reading: AtomicWaker,
    writing: AtomicWaker,
}

impl Client {
    fn new(address: IpAddr, proven: bool) -> Self {
        Self {
            address,
            opened: Instant::now(),
            moved: AtomicU64::new(0),
            at_work: AtomicBool::new(false),
            proven: AtomicBool::new(proven),
            put_out: AtomicBool::new(false),
            reading: AtomicWaker::new(),
            writing: AtomicWaker::new(),
        }
    }

    /// The server does something for it: it keeps its place.
    pub fn works(&self) {
        self.at_work.store(true, Ordering::Relaxed);
    }

    /// The client is waited for: its place may go to somebody else.
    pub fn waits(&self) {
        self.at_work.store(false, Ordering::Relaxed);
    }

    /// It has shown the token.
    pub fn is_proven(&self) {
        self.proven.store(true, Ordering::Relaxed);
    }

    fn moves(&self) {
        self.moved.store(self.opened.elapsed().as_millis() as u64, Ordering::Relaxed);
    }

    /// Since when it has been quiet.
    fn quiet_since(&self) -> Instant {
        self.opened + Duration::from_millis(self.moved.load(Ordering::Relaxed))
    }

    fn may_go(&self) -> bool {
        !self.at_work.load(Ordering::Relaxed)
    }

    fn put_out(&self) {
        self.put_out.store(true, Ordering::Relaxed);
        self.reading.wake();
        self.writing.wake();
    }

    /// Whether it was put out; `waker` hears of it.
    fn check(&self, waker: &AtomicWaker, cx: &Context<'_>) -> io::Result<()> {
        waker.register(cx.waker());
        if self.put_out.load(Ordering::Relaxed) {
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        Ok(())
    }
}

type Clients = HashMap<u64, Arc<Client>>;

/// All connections.
struct Table {
    bounds: Bounds,
    /// By a number that is counted on.
    clients: Mutex<(u64, Clients)>,
}

impl Table {
    fn lock(&self) -> MutexGuard<'_, (u64, Clients)> {
        self.clients.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place for a connection from `address`, if need be that of another; `None` when all others are at work.
    fn enter(self: &Arc<Self>, address: IpAddr) -> Option<Place> {
        let mut table = self.lock();
        let (next, clients) = &mut *table;
        let Bounds { connections, unproven, of_one_address, .. } = self.bounds;
        if let Some(most) = unproven {
            make_room(clients, most, |client| !client.proven.load(Ordering::Relaxed))?;
        }
        if !address.is_loopback() {
            make_room(clients, of_one_address, |client| client.address == address)?;
        }
        make_room(clients, connections, |_| true)?;
        let number = *next;
        *next += 1;
        let client = Arc::new(Client::new(address, unproven.is_none()));
        clients.insert(number, Arc::clone(&client));
        drop(table);
        Some(Place { table: Arc::clone(self), number, client })
    }
}

/// Puts one out of `those` when there are `most` of them: of the address with the most connections, the one that has
/// been quiet the longest. `None` when none of them may go.
fn make_room(clients: &mut Clients, most: usize, those: impl Fn(&Client) -> bool) -> Option<()> {
    let mut of_address = HashMap::<IpAddr, usize>::new();
    let mut count = 0;
    for client in clients.values().filter(|client| those(client)) {
        *of_address.entry(client.address).or_default() += 1;
        count += 1;
    }
    if count < most {
        return Some(());
    }
    let may_go = clients.iter().filter(|(_, client)| those(client) && client.may_go());
    let worth = |client: &Client| (of_address.get(&client.address), Reverse(client.quiet_since()));
    let number = may_go.max_by_key(|(_, client)| worth(client)).map(|(number, _)| *number)?;
    clients.remove(&number)?.put_out();
    Some(())
}

/// A connection's place among all.
struct Place {
    table: Arc<Table>,
    number: u64,
    client: Arc<Client>,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.table.lock().1.remove(&self.number);
    }
}

/// Answers whoever comes to `listener`, until it is dropped. Requests carry their [`Client`] as an extension.
pub async fn serve(listener: TcpListener, app: Router, bounds: Bounds) -> Infallible {
    let table = Arc::new(Table { bounds, clients: Mutex::default() });
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(bounds.head_within);
    http.max_headers(HEADERS).max_buf_size(BUFFER);
    loop {
        let (stream, address) = match listener.accept().await {
            Ok((stream, peer)) => (stream, peer.ip().to_canonical()),
            Err(error) if is_of_one_connection(&error) => continue,
            Err(error) => {
                tracing::error!("no connection can be taken ({error})");
                tokio::time::sleep(REST).await;
                continue;
            }
        };
        // Pictures go out one by one: none waits for the next. A system that cannot is slower, not wrong.
        let _ = stream.set_nodelay(true);
        let Some(place) = table.enter(address) else {
            tokio::spawn(refuse(stream));
            continue;
        };
        let client = Arc::clone(&place.client);
        let app = TowerToHyperService::new(app.clone());
        let service = service_fn(move |mut request: hyper::Request<Incoming>| {
            let client = Arc::clone(&client);
            request.extensions_mut().insert(Arc::clone(&client));
            client.works();
            let answered = app.call(request);
            async move {
                let answer = answered.await;
                client.waits();
                answer
            }
        });
        let connection = Connection { stream, place, patience: bounds.read_within, stalled: None };
        let serving = http.serve_connection(TokioIo::new(connection), service).with_upgrades();
        tokio::spawn(async move {
            // Whoever leaves early, or takes too long, is not worth a line in the log.
            if let Err(error) = serving.await {
                tracing::debug!("a connection ended: {error}");
            }
        });
    }
}

/// Tells a client that there is no place for it, if it listens at once.
async fn refuse(mut stream: TcpStream) {
    let told = async {
        let _ = stream.write_all(NO_PLACE).await;
        let _ = stream.shutdown().await;
    };
    let _ = tokio::time::timeout(REST, told).await;
}

fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

/// A connection with its place among all; a WebSocket takes both with it.
struct Connection {
    stream: TcpStream,
    place: Place,
    /// How long the client may leave unread what is sent to it.
    patience: Duration,
    /// Until when it has to read, while it does not.
    stalled: Option<Pin<Box<Sleep>>>,
}

impl Connection {
    /// What became of an attempt to send: progress, or an error once the client has read nothing for too long.
    fn sent(&mut self, cx: &mut Context<'_>, sent: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if sent.is_ready() {
            self.stalled = None;
            self.place.client.moves();
            return sent;
        }
        let patience = self.patience;
        let stalled = self.stalled.get_or_insert_with(|| Box::pin(tokio::time::sleep(patience)));
        ready!(stalled.as_mut().poll(cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let client = Arc::clone(&self.place.client);
        client.check(&client.reading, cx)?;
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buffer))?;
        if buffer.filled().len() > before {
            client.moves();
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.place.client.check(&self.place.client.writing, cx)?;
        let sent = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.sent(cx, sent)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.place.client.check(&self.place.client.writing, cx)?;
        let sent = Pin::new(&mut self.stream).poll_write_vectored(cx, parts);
        self.sent(cx, sent)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::routing::get;
    use tokio::io::AsyncReadExt as _;

    const PATIENCE: Duration = Duration::from_secs(30);

    const BOUNDS: Bounds = Bounds {
        connections: 16,
        unproven: None,
        of_one_address: 8,
        head_within: Duration::from_millis(200),
        read_within: Duration::from_millis(500),
    };

    /// What comes back for `sent`, until the other side hangs up.
    async fn answer(address: std::net::SocketAddr, sent: &str) -> String {
        let mut stream = TcpStream::connect(address).await.expect("a connection");
        stream.write_all(sent.as_bytes()).await.expect("sent");
        let mut answer = String::new();
        let read = tokio::time::timeout(PATIENCE, stream.read_to_string(&mut answer)).await;
        // A connection that is cut with bytes unread says so.
        let _ = read.expect("the other side hangs up in time");
        answer
    }

    async fn server(app: Router, bounds: Bounds) -> std::net::SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        tokio::spawn(serve(listener, app, bounds));
        address
    }

    #[tokio::test]
    async fn who_never_ends_a_request_is_hung_up_on() {
        let address = server(Router::new().route("/", get(|| async { "here" })), BOUNDS).await;
        let whole = "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
        let (silent, half, asked) =
            tokio::join!(answer(address, ""), answer(address, "GET / HT"), answer(address, whole));
        assert!(!silent.contains("200") && !half.contains("200"), "{silent:?} {half:?}");
        assert!(asked.starts_with("HTTP/1.1 200") && asked.ends_with("here"), "{asked:?}");
        // A connection that is kept without a further request ends by itself.
        let kept = answer(address, "GET / HTTP/1.1\r\nHost: x\r\n\r\n").await;
        assert!(kept.ends_with("here"), "{kept:?}");
    }

    #[tokio::test]
    async fn a_client_that_does_not_read_its_answer_is_hung_up_on() {
        let endless = || async {
            let chunk = axum::body::Bytes::from(vec![0; 1 << 20]);
            let chunks = futures_util::stream::repeat(Ok::<_, Infallible>(chunk));
            axum::body::Body::from_stream(chunks)
        };
        let address = server(Router::new().route("/", get(endless)), BOUNDS).await;
        let mut stream = TcpStream::connect(address).await.expect("a connection");
        stream.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.expect("sent");
        // Twice the patience, unread; then what was on the way, and no more.
        tokio::time::sleep(2 * BOUNDS.read_within).await;
        let mut unread = tokio::io::sink();
        let read = tokio::time::timeout(PATIENCE, tokio::io::copy(&mut stream, &mut unread));
        let _ = read.await.expect("the answer ends");
    }

    #[test]
    fn the_quietest_of_the_most_crowded_address_gives_way_and_those_at_work_do_not() {
        let address = |last: u8| IpAddr::from([10, 0, 0, last]);
        let table = Arc::new(Table {
            bounds: Bounds { connections: 4, of_one_address: 3, ..BOUNDS },
            clients: Mutex::default(),
        });
        let enter = |last: u8| table.enter(address(last));
        let is_out = |place: &Place| place.client.put_out.load(Ordering::Relaxed);
        let alone = enter(1).expect("a place");
        let crowd: Vec<Place> = (0..3).map(|_| enter(2).expect("a place")).collect();
        crowd[0].client.works();
        // Full: of the crowd the one that is not at work, although the lonely one has been quiet for longer.
        let third = enter(3).expect("a place");
        let out: Vec<bool> = crowd.iter().map(is_out).collect();
        assert_eq!((is_out(&alone), out), (false, vec![false, true, false]));
        // The address has its own limit.
        drop(third);
        let more: Vec<_> = (0..2).map(|_| enter(2)).collect();
        assert!(is_out(&crowd[2]) && more.iter().all(Option::is_some));
        for place in more.iter().flatten().chain([&alone]) {
            place.client.works();
        }
        assert!(enter(2).is_none() && enter(9).is_none(), "all are at work");
        drop(more);
        assert!(enter(9).is_some());
        assert_eq!(table.lock().1.len(), 2, "those that were put out hold no places");
    }

    #[test]
    fn those_that_have_not_shown_the_token_have_fewer_places() {
        let table =
            Arc::new(Table { bounds: Bounds { unproven: Some(2), ..BOUNDS }, clients: Mutex::default() });
        let places: Vec<Place> = (0..5).filter_map(|_| table.enter(IpAddr::from([127, 0, 0, 1]))).collect();
        assert_eq!((places.len(), table.lock().1.len()), (5, 2), "newer ones take the places of older ones");
        for place in &places {
            place.client.is_proven();
        }
        assert!(table.enter(IpAddr::from([127, 0, 0, 1])).is_some());
        assert_eq!(table.lock().1.len(), 2);
    }
}
