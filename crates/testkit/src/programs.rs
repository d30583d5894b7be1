//! Programs that tests need and a machine may lack.

use std::process::Command;

/// Whether `ffmpeg` is on PATH. Where it is not, also a line that begins with `skipped:` on standard output.
pub fn has_ffmpeg() -> bool {
    let found = Command::new("ffmpeg").arg("-version").output().is_ok();
    if !found {
        println!("skipped: ffmpeg is not on PATH");
    }
    found
}
