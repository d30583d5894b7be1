//! The studio: a page on which anyone makes a portrait speak, and the HTTP interface behind it.
//!
//! ```no_run
//! use gioconda_studio::{Settings, run};
//!
//! let settings = Settings { open_browser: false, ..Settings::default() };
//! run(settings, |server| println!("{}", server.link()))?;
//! # Ok::<(), gioconda_studio::Error>(())
//! ```
//!
//! `Studio` is what all requests share. A request passes `guard`, is taken apart by `gioconda_http` into
//! types that cannot be wrong, and is answered by the module of its address: `library` for what there is to choose
//! from, `intake` for uploads, `jobs` for what takes a while, `preview` for what must not, `live` and `call` for
//! what happens as one looks. Everything that leaves is marked (`marking`). `docs/api.md` describes the interface for its users.

mod avatars;
pub mod call;
mod error;
mod gallery;
mod guard;
mod intake;
mod jobs;
mod jpeg;
mod kiosk;
mod library;
mod limits;
pub mod live;
mod marking;
mod metrics;
mod models;
mod openapi;
mod options;
mod pages;
mod portraits;
mod preview;
mod server;
mod session;
mod settings;
mod storage;
mod studio;
mod turns;
mod uploads;
mod verify;

pub use error::Error;
pub use server::{Server, run};
pub use settings::Settings;
