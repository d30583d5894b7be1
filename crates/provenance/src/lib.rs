//! Says what a picture is: a signed statement in the file, an invisible mark in the pixels, and the reading of both.
//!
//! [`Statement`] becomes C2PA Content Credentials, signed by an [`Identity`]; [`Credentials`] reads those of any file.
//! [`watermark`] is for what happens to pictures on their way: it outlives scaling, cropping and compression, which
//! statements do not. Knows nothing of faces, videos or networks.
//!
//! Live frames are marked one by one, in place; a file is signed once it is complete:
//!
//! ```no_run
//! use std::path::Path;
//!
//! use gioconda_provenance::watermark::{AvatarId, Payload};
//! use gioconda_provenance::{Error, Finisher, Identity, Input, Source, Statement, Subject};
//!
//! # fn main() -> Result<(), Error> {
//! let portrait = Input::read("portrait", Path::new("mona.jpg"), None, false)?;
//! let watermark = Payload::today(AvatarId::from_hash(portrait.sha256));
//! let mut finisher = Finisher::new(None, Some(&watermark));
//! let mut frame = image::RgbImage::new(512, 512);
//! finisher.finish(&mut frame);
//!
//! let statement = Statement {
//!     source: Source::Composite,
//!     inputs: vec![portrait],
//!     models: Vec::new(),
//!     subject: Subject::Artwork,
//!     consent: None,
//!     watermark,
//! };
//! statement.sign(Path::new("recording.mp4"), &Identity::of_user()?)
//! # }
//! ```

mod certificates;
mod container_parts;
mod credentials;
mod error;
mod fault;
mod finisher;
mod identity_file;
mod label;
mod manifest_store;
mod pair;
mod probe;
mod settings;
mod statement;
mod subject;
pub mod watermark;

pub use certificates::Identity;
pub use credentials::{Claims, Credentials, Sidecar, SidecarOutcome};
pub use error::Error;
pub use finisher::Finisher;
pub use label::{Label, Language};
pub use statement::{Input, Model, Source, Statement};
pub use subject::Subject;
