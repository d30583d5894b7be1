//! What the person who starts the studio decides.

use std::net::SocketAddr;
use std::path::PathBuf;

use gioconda_media::isolation::Isolation;
use gioconda_relay::Address;

/// How the studio is run.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where to listen; port 0 takes any free one.
    pub listen: SocketAddr,
    /// Whether to open the browser.
    pub open_browser: bool,
    /// Whether to show only the gallery, for children and museums.
    pub kiosk: bool,
    /// A folder of figures instead of the built-in ones.
    pub gallery: Option<PathBuf>,
    /// The folder avatars are kept in; `None` is the user's data folder.
    pub avatars: Option<PathBuf>,
    /// What visitors must know when the studio listens beyond this machine; `None` makes one up there.
    pub token: Option<String>,
    /// Trained weights instead of those inside the program.
    pub weights: Option<PathBuf>,
    /// A v4l2loopback device that shows the live portrait to other programs.
    pub virtual_camera: Option<PathBuf>,
    /// A relay elsewhere for calls; `None` relays in this process.
    pub relay: Option<Address>,
    /// How to start the child processes that decode what clients upload; `None` decodes in this process. Only
    /// [`run`](crate::run) heeds it: it holds for the whole process.
    pub isolation: Option<Isolation>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8787)),
            open_browser: true,
            kiosk: false,
            gallery: None,
            avatars: None,
            token: None,
            weights: None,
            virtual_camera: None,
            relay: None,
            isolation: None,
        }
    }
}
