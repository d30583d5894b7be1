//! The commands that serve: the studio, and the relay for its calls.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, ValueHint};

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  gioconda studio                                            opens the studio in the browser
  gioconda studio --kiosk --gallery figures/                 a museum's own figures, for children
  gioconda studio --listen 0.0.0.0:8787                      for others in the house; prints the address with its token

Photos, clips and films are deleted after half an hour without use, and when the studio ends; what a studio that was
killed has left is deleted when the next one starts. Avatars stay until you delete them. Everything the studio makes is
marked as made by AI.")]
pub(crate) struct StudioArgs {
    /// Where to listen; other machines reach the studio only when this says so, and then need its token
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8787")]
    pub(crate) listen: SocketAddr,

    /// Do not open the browser
    #[arg(long)]
    pub(crate) no_open: bool,

    /// Show only the gallery, with large buttons and without typing
    #[arg(long)]
    pub(crate) kiosk: bool,

    /// A folder of figures instead of the built-in ones: for each a card, ID.toml, and a picture, ID.jpg or ID.png
    #[arg(long, value_name = "FOLDER", value_hint = ValueHint::DirPath)]
    pub(crate) gallery: Option<PathBuf>,

    /// The folder avatars are kept in [default: gioconda/avatars in the user's data folder]
    #[arg(long, value_name = "FOLDER", value_hint = ValueHint::DirPath)]
    pub(crate) avatars: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) token: TokenArgs,

    /// Weights of the portrait preset instead of those inside the program
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) weights: Option<PathBuf>,

    /// Show the live portrait to other programs on this v4l2loopback device
    #[arg(long, value_name = "/dev/videoN", value_hint = ValueHint::FilePath)]
    pub(crate) virtual_camera: Option<PathBuf>,

    /// A relay elsewhere for calls [default: the studio relays itself]
    #[arg(long, value_name = "ws://HOST:PORT")]
    pub(crate) relay: Option<gioconda_relay::Address>,

    /// Read the relay's token from this file, instead of writing it into the relay's address
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, requires = "relay")]
    pub(crate) relay_token_file: Option<PathBuf>,
}

/// The token that clients must know.
#[derive(Debug, Args)]
#[expect(clippy::doc_markdown, reason = "what stands here is shown as help, where backticks are noise")]
pub(crate) struct TokenArgs {
    /// The token that clients must know; other users of this machine can see it in the list of processes, so rather use
    /// --token-file or the variable GIOCONDA_TOKEN [default: none on this machine alone, else a random one]
    #[arg(long, value_name = "TOKEN", value_parser = token, conflicts_with = "token_file")]
    pub(crate) token: Option<String>,

    /// Read the token from this file, which only you should be able to read
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) token_file: Option<PathBuf>,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  gioconda relay                                             on this machine alone, to try it
  gioconda relay --listen 0.0.0.0:8788                       for studios elsewhere; prints the address with its token
  gioconda studio --relay 'ws://HOST:8788/?token=TOKEN'      what they do with it, HOST being this machine

Whoever knows the token and a room's name can join it. The connection is not encrypted: outside a house, put the relay
behind a VPN.")]
pub(crate) struct RelayArgs {
    /// Where to listen; other machines reach the relay only when this says so, and then need its token
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8788")]
    pub(crate) listen: SocketAddr,

    #[command(flatten)]
    pub(crate) token: TokenArgs,

    /// Most rooms at a time
    #[arg(long, value_name = "N", default_value_t = 1000)]
    pub(crate) rooms: usize,
}

/// A word that can stand in an address and in a cookie.
pub(crate) fn token(text: &str) -> Result<String, String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    if text.len() >= 8 && text.chars().all(plain) {
        Ok(text.to_owned())
    } else {
        Err("a token has 8 or more letters, digits, `-`, `_` or `.`".to_owned())
    }
}
