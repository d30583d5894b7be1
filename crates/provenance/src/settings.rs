//! How the C2PA library is used: without a network, and within bounds.

use std::time::{Duration, Instant};

use c2pa::Context;

/// Most that a compressed manifest may unpack to, megabytes.
const UNPACKED_MEGABYTES: usize = 8;

/// Nothing is fetched: no manifests, no revocation lists, no identities. (The library is also built without a client
/// for HTTP.) No trust list is asked: whether an issuer is trusted is for the reader to decide.
pub(crate) fn context() -> Context {
    let mut context = Context::new();
    let settings = context.settings_mut();
    settings.verify.remote_manifest_fetch = false;
    settings.verify.ocsp_fetch = false;
    settings.core.allowed_network_hosts = Some(Vec::new());
    settings.core.decode_identity_assertions = false;
    settings.core.max_decompressed_manifest_size_in_mb = UNPACKED_MEGABYTES;
    context
}

/// As [`context`], for a file that may be hostile: checking it ends with an error after `most`.
pub(crate) fn bounded_context(most: Duration) -> Context {
    let end = Instant::now() + most;
    context().with_progress_callback(move |_, _, _| Instant::now() < end)
}
