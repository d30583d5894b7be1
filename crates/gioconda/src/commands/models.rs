//! `gioconda models`: what is inside the program, and under which terms.

use gioconda_avatar::model_cards;
use gioconda_face::ModelCard;

use crate::cli::ListArgs;
use crate::report::{Failure, print, print_json, print_text};

/// Prints the list.
pub(crate) fn run(arguments: &ListArgs) -> Result<(), Failure> {
    let models: Vec<&ModelCard> = model_cards().collect();
    if arguments.json {
        return print_json(&models);
    }
    for ModelCard { name, licence, source, sha256, input, output, .. } in models {
        print_text(format_args!(
            "{name}\n  {licence}; {source}\n  in: {input}\n  out: {output}\n  SHA-256 {sha256}\n"
        ))?;
    }
    print("The licences' texts and attributions stand in models/ of the source, a card for each file.")
}
