//! What the tests sign.

use gioconda_provenance::watermark::{AvatarId, Payload};
use gioconda_provenance::{Source, Statement, Subject};

/// A statement about a composite of nothing.
pub(crate) fn statement() -> Statement {
    Statement {
        source: Source::Composite,
        inputs: Vec::new(),
        models: Vec::new(),
        subject: Subject::Artwork,
        consent: None,
        watermark: Payload::today(AvatarId::of(b"her")),
    }
}
