//! The `gioconda` command line: parse, dispatch, report once, exit with the right code.
//!
//! Exit codes: 0 done; 1 something could not be done, and a line on standard error says what; 2 wrong usage.
//! `verify` adds three: 3 for a file that does not say that it is made by AI, 4 for one that was changed, 5 for one whose
//! manifest cannot be read or judged.

#![deny(clippy::print_stdout, clippy::print_stderr, reason = "report.rs prints, and escapes what files say")]

mod cli;
mod commands;
mod interrupt;
mod log;
mod report;

use std::process::ExitCode;

use clap::Parser as _;

use gioconda_media::OneLine;

use crate::cli::{Cli, Command};
use crate::report::Terminal;

fn main() -> ExitCode {
    #[cfg(feature = "studio")]
    if let Some(ended) = commands::decode_upload::run_if_asked() {
        return ended;
    }
    let cli = arguments();
    log::start(cli.output.verbose);
    let terminal = Terminal::new(cli.output.quiet);
    let done = match cli.command {
        Command::Animate(arguments) => commands::animate::run(&arguments, &terminal),
        Command::Record(arguments) => commands::record::run(&arguments, &terminal),
        Command::Learn(arguments) => commands::learn::run(&arguments, &terminal),
        #[cfg(feature = "studio")]
        Command::Studio(arguments) => commands::studio::run(&arguments, &terminal),
        #[cfg(feature = "studio")]
        Command::Relay(arguments) => commands::relay::run(&arguments, &terminal),
        #[cfg(feature = "train")]
        Command::Train(arguments) => commands::train::run(&arguments, &terminal),
        #[cfg(feature = "train")]
        Command::Export(arguments) => commands::export::run(&arguments, &terminal),
        #[cfg(feature = "train")]
        Command::Eval(arguments) => commands::eval::run(&arguments, &terminal),
        #[cfg(feature = "train")]
        Command::Prepare(arguments) => commands::prepare::run(&arguments, &terminal),
        Command::Verify(arguments) => commands::verify::run(&arguments),
        Command::Motions(arguments) => commands::motions::run(&arguments),
        Command::Inspect(arguments) => commands::inspect::run(&arguments),
        Command::Models(arguments) => commands::models::run(&arguments),
        Command::Completions { shell } => commands::generate::completions(shell),
        Command::Man => commands::generate::manual(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            failure.report();
            failure.exit_code()
        }
    }
}

/// The arguments; help and complaints about them are printed here, and end the program.
fn arguments() -> Cli {
    Cli::try_parse().unwrap_or_else(|error| {
        // A complaint quotes what it complains about, which may be the name of a file that a shell put in.
        let shown = std::env::args_os().map(|argument| OneLine(argument.to_string_lossy()).to_string());
        Cli::try_parse_from(shown).err().unwrap_or(error).exit()
    })
}
