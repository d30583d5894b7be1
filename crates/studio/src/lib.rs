//! The studio: a page on which anyone makes a portrait speak, and the HTTP interface behind it.
//!
//! `Studio` is what all requests share. A request passes `guard`, is taken apart by `extract` into
//! types that cannot be wrong, and is answered by the module of its address: `library` for what there is to choose
//! from, `intake` for uploads, `jobs` for what takes a while, `preview` for what must not, `live` and `call` for
//! what happens as one looks. Everything that leaves is marked (`marking`). `docs/api.md` describes the interface for its users.

mod avatars;
pub mod call;
mod connections;
mod error;
mod extract;
mod gallery;
mod guard;
mod id;
mod intake;
mod jobs;
mod kiosk;
mod library;
mod limits;
pub mod live;
mod marking;
mod metrics;
mod openapi;
mod options;
mod pages;
mod portraits;
mod preview;
pub mod relay;
mod server;
mod session;
mod settings;
mod storage;
mod studio;
mod token;
mod uploads;
mod verify;

pub use error::Error;
pub use server::{Server, run};
pub use settings::Settings;
