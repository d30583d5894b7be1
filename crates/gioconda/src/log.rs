//! `-v`: what happens inside, on standard error.

use tracing_subscriber::filter::LevelFilter;

/// Starts logging: warnings only, `-v` for what is done, `-vv` for everything.
pub(crate) fn start(verbosity: u8) {
    let level = match verbosity {
        0 => LevelFilter::WARN,
        1 => LevelFilter::INFO,
        _ => LevelFilter::DEBUG,
    };
    tracing_subscriber::fmt().with_max_level(level).with_writer(std::io::stderr).without_time().init();
}
