//! Where a server's token comes from: an option, a file, or the environment.
//!
//! Options of a running program can be read by every user of the machine (`ps`); files and the environment cannot.

use std::io::Read as _;
use std::path::Path;

use crate::cli::{TokenArgs, token};
use crate::report::Failure;

/// Holds the token where no option does.
const VARIABLE: &str = "GIOCONDA_TOKEN";
/// Largest file of a token, bytes.
const LARGEST: u64 = 4096;

/// The token that was given, if one was: by `--token`, else by `--token-file`, else by the environment.
pub(crate) fn find(arguments: &TokenArgs) -> Result<Option<String>, Failure> {
    if let Some(given) = &arguments.token {
        return Ok(Some(given.clone()));
    }
    if let Some(file) = &arguments.token_file {
        return read(file).map(Some);
    }
    match std::env::var(VARIABLE) {
        Ok(text) if !text.is_empty() => {
            let checked = token(text.trim());
            checked.map(Some).map_err(|fault| Failure::Failed(format!("{VARIABLE}: {fault}")))
        }
        Ok(_) | Err(std::env::VarError::NotPresent) => Ok(None),
        Err(std::env::VarError::NotUnicode(_)) => Err(Failure::Failed(format!("{VARIABLE}: is not text"))),
    }
}

/// The token in `file`, which should be readable by its owner alone.
pub(crate) fn read(file: &Path) -> Result<String, Failure> {
    let failed = |what: String| Failure::Failed(format!("{}: {what}", file.display()));
    let unreadable = |cause: std::io::Error| failed(format!("the token cannot be read ({cause})"));
    let opened = std::fs::File::open(file).map_err(unreadable)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = opened.metadata().map_err(unreadable)?.permissions().mode();
        if mode & 0o077 != 0 {
            tracing::warn!("{}: others may read this token; run chmod 600 on it", file.display());
        }
    }
    let mut text = String::new();
    opened.take(LARGEST).read_to_string(&mut text).map_err(unreadable)?;
    token(text.trim()).map_err(failed)
}
