//! Animates portrait photos: open a photo, drive it with a clip, a motion, a camera or landmarks, get frames or a video.
//! Every frame carries the invisible watermark; videos also carry a signed manifest.
//!
//! ```no_run
//! use gioconda_portrait::{Drive, Portrait, Subject};
//!
//! # fn main() -> Result<(), gioconda_portrait::Error> {
//! let portrait = Portrait::open("mona_lisa.jpg")?;
//! let film = portrait.film(Drive::find("talk")?).subject(Subject::Artwork).write("mona_lisa.mp4")?;
//! println!("{} frames of {:?} pixels", film.frames, film.size);
//! # Ok(())
//! # }
//! ```
//!
//! Live, with frames from your own camera, or with [landmarks](Live::follow_landmarks):
//!
//! ```no_run
//! use gioconda_portrait::{Live, Look, Portrait};
//! use image::RgbImage;
//!
//! # fn main() -> Result<(), gioconda_portrait::Error> {
//! # let camera: Vec<RgbImage> = Vec::new();
//! let portrait = Portrait::open("mona_lisa.jpg")?;
//! let mut live = Live::new(&portrait, Look::default().size(256))?;
//! for picture in camera {
//!     let frame: &RgbImage = live.follow(&picture, 1.0 / 25.0)?;
//! }
//! # Ok(())
//! # }
//! ```
//!
//! The command line and the studio are built on this crate, which knows nothing of arguments, HTTP or pages:
//! [`statement()`](Portrait::statement) returns what an output's manifest says, [`verification`] checks a file.
//!
//! The feature `portrait-network`, on by default, builds the portrait network's weights in; without it photos are painted by the
//! face mesh, or by a weight file ([`Opener::with_weight_file`]).

mod error;
mod film;
pub mod live;
mod painter;
mod portrait;
mod statement;
pub mod verification;

pub use error::{Error, ErrorKind};
pub use film::Film;
pub use gioconda_avatar::{
    Avatar, AvatarFile, Background, Declaration, Drive, FaceState, Finish, Framing, Gains, Motion,
    MotionFrame, MotionMode, PortraitWeights, Progress, RendererKind, Settings, Summary,
};
pub use gioconda_face::{FaceChoice, LANDMARKS};
pub use gioconda_provenance::watermark::Payload;
pub use gioconda_provenance::{Identity, Input, Language, Statement, Subject};
pub use live::{Live, Look};
pub use painter::NetworkSource;
pub use portrait::{Opener, Portrait, WeightsFor};
pub use statement::{Made, driver, finish};
