//! What is compiled into the program beside the face models, and the list of all of it.

use gioconda_face::ModelCard;
use gioconda_model::portrait_network;

/// The directions in which faces move.
pub(crate) static EXPRESSION_BASIS: ModelCard = ModelCard {
    name: "expression_basis",
    file: "expression_basis.safetensors",
    bytes: include_bytes!("../../../models/expression_basis.safetensors"),
    sha256: "3dcb930c6c7908ecd195a144c36b1a549321334913bb06fe0aab025851f1d42a",
    licence: "MIT OR Apache-2.0",
    source: "this project, from research clips; see models/expression_basis.md",
    input: "468 displacements from a face's neutral shape, canonical centimetres",
    output: "48 coefficients",
};

/// Everything that is compiled into the program: the face models, the expression basis and the portrait network, where
/// there is one.
pub fn model_cards() -> impl Iterator<Item = &'static ModelCard> {
    gioconda_face::models().iter().chain([&EXPRESSION_BASIS]).chain(portrait_network())
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;
    use std::path::Path;

    use sha2::{Digest as _, Sha256};

    use super::*;

    #[test]
    fn every_row_tells_the_truth_about_its_file() {
        let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../models"));
        for card in [&EXPRESSION_BASIS].into_iter().chain(portrait_network()) {
            let checksum = Sha256::digest(card.bytes).iter().fold(String::new(), |mut text, byte| {
                write!(text, "{byte:02x}").unwrap();
                text
            });
            assert_eq!(checksum, card.sha256, "{}", card.file);
            assert_eq!(Path::new(card.file).file_stem().unwrap(), card.name);
            let text = std::fs::read_to_string(folder.join(format!("{}.md", card.name))).unwrap();
            assert!(text.contains(&checksum), "the card of {} has another checksum", card.name);
            assert!(text.contains(card.licence), "the card of {} names another licence", card.name);
        }
    }
}
