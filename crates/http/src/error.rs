/// Why a server cannot begin or has ended; the message is one line for the user.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The address cannot be listened at.
    #[error("{address}: cannot listen there ({cause}); choose another address")]
    Listen {
        /// What was asked for.
        address: std::net::SocketAddr,
        /// What the system said.
        #[source]
        cause: std::io::Error,
    },
    /// The server or one of its threads ended by itself.
    #[error("the server has stopped: {0}")]
    Stopped(#[source] std::io::Error),
}
