#![doc = include_str!("../README.md")]

mod answer;
pub mod connections;
mod error;
mod extract;
mod id;
mod interrupt;
pub mod sockets;
mod token;

pub use answer::{ApiError, ErrorBody};
pub use error::Error;
pub use extract::{Asked, Json, Part, slowly};
pub use id::Id;
pub use interrupt::interrupted;
pub use token::{Once, Token, link};
