//! `-v`: what happens inside, on standard error.

use std::io::{self, Write};

use gioconda_media::OneLine;
use tracing_subscriber::filter::LevelFilter;

/// Starts logging: warnings only, `-v` for what is done, `-vv` for everything.
pub(crate) fn start(verbosity: u8) {
    let level = match verbosity {
        0 => LevelFilter::WARN,
        1 => LevelFilter::INFO,
        _ => LevelFilter::DEBUG,
    };
    // Colours are escape sequences, and those are escaped below: untrusted text may hold them.
    let events = tracing_subscriber::fmt().with_max_level(level).with_ansi(false).without_time();
    events.with_writer(|| OneLineEach(io::stderr())).init();
}

/// Writes events, each of which comes in one piece that ends its line, as one line each.
struct OneLineEach<W>(W);

impl<W: Write> Write for OneLineEach<W> {
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        self.write_all(event)?;
        Ok(event.len())
    }

    fn write_all(&mut self, event: &[u8]) -> io::Result<()> {
        let text = String::from_utf8_lossy(event);
        let line = text.strip_suffix('\n').unwrap_or(&text);
        // In one piece, so that threads do not write into each other's lines.
        self.0.write_all(format!("{}\n", OneLine(line)).as_bytes())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_one_line_without_escape_sequences() {
        let mut out = OneLineEach(Vec::new());
        out.write_all("WARN a\u{1b}[31m\nWARN forged\u{202e}\n".as_bytes()).expect("memory takes it");
        assert_eq!(String::from_utf8_lossy(&out.0), "WARN a\\u{1b}[31m\\nWARN forged\\u{202e}\n");
    }
}
