//! `gioconda completions` and `gioconda man`: made from the command line's own definitions.

use clap::CommandFactory as _;
use clap_complete::Shell;

use crate::cli::Cli;
use crate::report::{Failure, print_text};

/// Prints the completion script for `shell`.
pub(crate) fn completions(shell: Shell) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "gioconda", &mut script);
    print_text(String::from_utf8_lossy(&script).trim_end())
}

/// Prints the manual page: the program's, followed by one for each command.
pub(crate) fn manual() -> Result<(), Failure> {
    let mut command = Cli::command();
    command.build();
    let mut page = Vec::new();
    clap_mangen::Man::new(command.clone()).render(&mut page)?;
    for command in command.get_subcommands().filter(|command| command.get_name() != "help") {
        clap_mangen::Man::new(command.clone()).render(&mut page)?;
    }
    print_text(String::from_utf8_lossy(&page).trim_end())
}
