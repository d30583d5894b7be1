//! Says what a picture is: a signed statement in the file, an invisible mark in the pixels, and the reading of both.
//!
//! [`Statement`] becomes C2PA Content Credentials, signed by an [`Identity`]; [`Credentials`] reads those of any file.
//! [`watermark`] is for what happens to pictures on their way: it outlives scaling, cropping and compression, which
//! statements do not. Knows nothing of faces, videos or networks.

mod certificates;
mod credentials;
mod error;
mod label;
mod statement;
mod subject;
pub mod watermark;

pub use certificates::Identity;
pub use credentials::{Claims, Credentials};
pub use error::Error;
pub use label::{Label, Language};
pub use statement::{Input, Model, Source, Statement};
pub use subject::Subject;
