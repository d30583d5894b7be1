//! Connections: how many there are at a time, and how long one may take to say what it wants.

use std::convert::Infallible;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// How long the listener rests when the system has no more connections to give.
const REST: Duration = Duration::from_secs(1);

/// How many connections there may be, and what is asked of each.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// At a time, `WebSocket`s among them; more wait until one ends.
    pub(crate) connections: usize,
    /// In which the head of a request has come as a whole. A connection that asks for nothing is closed after as long.
    pub(crate) head_within: Duration,
}

/// Answers whoever comes to `listener`, until it is dropped.
pub(crate) async fn serve(listener: TcpListener, app: Router, bounds: Bounds) -> Infallible {
    let places = Arc::new(Semaphore::new(bounds.connections));
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(bounds.head_within);
    loop {
        let place = Arc::clone(&places).acquire_owned().await.expect("the semaphore is never closed");
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) if is_of_one_connection(&error) => continue,
            Err(error) => {
                tracing::error!("no connection can be taken ({error})");
                tokio::time::sleep(REST).await;
                continue;
            }
        };
        // Pictures go out one by one: none waits for the next. A system that cannot is slower, not wrong.
        let _ = stream.set_nodelay(true);
        let connection = TokioIo::new(Connection { stream, _place: place });
        let serving =
            http.serve_connection(connection, TowerToHyperService::new(app.clone())).with_upgrades();
        tokio::spawn(async move {
            // Whoever leaves early, or takes too long, is not worth a line in the log.
            if let Err(error) = serving.await {
                tracing::debug!("a connection ended: {error}");
            }
        });
    }
}

fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

/// A connection with its place among all; a WebSocket takes both with it.
struct Connection {
    stream: TcpStream,
    _place: OwnedSemaphorePermit,
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, parts)
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
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    const PATIENCE: Duration = Duration::from_secs(30);

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

    #[tokio::test]
    async fn who_never_ends_a_request_is_hung_up_on_and_gives_the_place_to_others() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let app = Router::new().route("/", get(|| async { "here" }));
        let bounds = Bounds { connections: 1, head_within: Duration::from_millis(200) };
        tokio::spawn(serve(listener, app, bounds));
        let whole = "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
        // All at once, on one place: those that say nothing, or half of it, do not keep it.
        let (silent, half, asked) =
            tokio::join!(answer(address, ""), answer(address, "GET / HT"), answer(address, whole));
        assert!(!silent.contains("200") && !half.contains("200"), "{silent:?} {half:?}");
        assert!(asked.starts_with("HTTP/1.1 200") && asked.ends_with("here"), "{asked:?}");
        // A connection that is kept without a further request ends by itself.
        let kept = answer(address, "GET / HTTP/1.1\r\nHost: x\r\n\r\n").await;
        assert!(kept.ends_with("here"), "{kept:?}");
    }
}
