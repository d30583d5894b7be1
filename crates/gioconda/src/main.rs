//! The `gioconda` command line: parse, dispatch, report once, exit with the right code.
//!
//! Exit codes: 0 done; 1 something could not be done, and a line on standard error says what; 2 wrong usage.
//! `verify` adds two: 3 for a file without marks, 4 for one that was changed.

mod cli;
mod commands;
mod interrupt;
mod log;
mod report;

use std::process::ExitCode;

use clap::Parser as _;

use crate::cli::{Cli, Command};
use crate::report::Terminal;

fn main() -> ExitCode {
    let cli = Cli::parse();
    log::start(cli.output.verbose);
    let terminal = Terminal::new(cli.output.quiet);
    let done = match cli.command {
        Command::Animate(arguments) => commands::animate::run(&arguments, &terminal),
        Command::Record(arguments) => commands::record::run(&arguments, &terminal),
        Command::Learn(arguments) => commands::learn::run(&arguments, &terminal),
        Command::Studio(arguments) => commands::studio::run(&arguments, &terminal),
        Command::Relay(arguments) => commands::relay::run(&arguments, &terminal),
        Command::Train(arguments) => commands::train::run(&arguments, &terminal),
        Command::Export(arguments) => commands::export::run(&arguments, &terminal),
        Command::Eval(arguments) => commands::eval::run(&arguments, &terminal),
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
