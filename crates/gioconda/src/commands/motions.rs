//! `gioconda motions`: the built-in motions.

use gioconda_avatar::builtin_motions::{ALL, DEFAULT};
use serde::Serialize;

use crate::cli::ListArgs;
use crate::report::{Failure, print, print_json, print_text};

#[derive(Serialize)]
struct Row {
    name: &'static str,
    title: String,
    seconds: f64,
    frames: usize,
    fps: f64,
    bytes: usize,
    default: bool,
}

/// Prints the list.
pub(crate) fn run(arguments: &ListArgs) -> Result<(), Failure> {
    let rows: Vec<Row> = ALL
        .iter()
        .map(|builtin| {
            let motion = builtin.load();
            Row {
                name: builtin.name,
                title: motion.title.clone(),
                seconds: motion.seconds(),
                frames: motion.len(),
                fps: motion.fps,
                bytes: builtin.bytes(),
                default: builtin.name == DEFAULT,
            }
        })
        .collect();
    if arguments.json {
        return print_json(&rows);
    }
    for row in &rows {
        let default = if row.default { " (default)" } else { "" };
        print(format_args!("{:<12} {:>4.1} s  {}{default}", row.name, row.seconds, row.title))?;
    }
    print_text(
        "\nPlay one with `gioconda animate PHOTO --drive NAME`; record your own with `gioconda record`.",
    )
}
