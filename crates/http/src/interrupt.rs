//! The end of a server.

/// Waits for Ctrl-C or a termination signal.
pub async fn interrupted() {
    let ctrl_c = tokio::signal::ctrl_c();
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminated) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = ctrl_c => {}
                _ = terminated.recv() => {}
            }
            return;
        }
    }
    // An error means that Ctrl-C cannot be listened for; the system's own way of ending remains.
    if ctrl_c.await.is_err() {
        std::future::pending::<()>().await;
    }
}
