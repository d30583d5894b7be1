#![doc = include_str!("../README.md")]

mod address;
pub mod room;
mod server;
pub mod wire;

pub use address::{Address, NoAddress};
pub use gioconda_http::Error;
pub use server::{Settings, room_name, routes, run, serve};
