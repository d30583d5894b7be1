//! What is compiled into the program beside the face models, and the list of all of it.

use gioconda_face::ModelCard;

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

/// The network that paints what a warp cannot. Its weights are for research only; builds without the feature
/// `portrait-network` leave them out.
#[cfg(feature = "portrait-network")]
pub(crate) static PORTRAIT_NETWORK: ModelCard = ModelCard {
    name: "portrait",
    file: "portrait.safetensors",
    bytes: include_bytes!("../../../models/portrait.safetensors"),
    sha256: "dd5875080fc1d283861734eb7cf86d3a20d4cf90614bd6fcd20bd5ed74df461d",
    licence: "research use",
    source: "this project, from research clips; see models/portrait.md",
    input: "embedder: [1, K, 3, 128, 128] photos and their landmark pictures in -1..1; generator: [1, 10, 256, 256] warped \
            photo, landmark picture, masks",
    output: "[1, 6, 256, 256] residual flow, blend mask, colour",
};

/// The [composition formula](gioconda_networks::COMPOSITION_VERSION) that the network inside the program was trained with:
/// its runs ended with portrait-12's.
#[cfg(feature = "network")]
pub(crate) const PORTRAIT_COMPOSITION: u32 = 2;

/// SHA-256 and composition formula of the portrait networks that were shipped before weight files named it.
#[cfg(feature = "network")]
pub(crate) const SHIPPED: [(&str, u32); 4] = [
    ("dd5875080fc1d283861734eb7cf86d3a20d4cf90614bd6fcd20bd5ed74df461d", PORTRAIT_COMPOSITION),
    ("0ca071737ae35ec66107c9d9204e46cf50340b6fa70bc322d762351ce15982d3", 1),
    ("e2cbedb7bfb5ace4bb8bd55ed5f24ab499f3f478210e3e83ec87ccd1883aa14b", 1),
    ("fdf49703d1df1d6c62e22925ea02349ca746cb262e74bf46fe896ca8ee5fde0f", 1),
];

#[cfg(feature = "portrait-network")]
static INSIDE: Option<&ModelCard> = Some(&PORTRAIT_NETWORK);
#[cfg(not(feature = "portrait-network"))]
static INSIDE: Option<&ModelCard> = None;

/// The portrait network that is compiled into the program; `None` in a build without the feature `portrait-network`.
pub fn portrait_network() -> Option<&'static ModelCard> {
    INSIDE
}

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
    #[cfg(feature = "portrait-network")]
    use crate::PortraitWeights;

    #[cfg(feature = "portrait-network")]
    #[test]
    fn the_shipped_network_is_known_by_its_formula() {
        assert_eq!(SHIPPED[0].0, PORTRAIT_NETWORK.sha256);
        let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../models"));
        let from_file = PortraitWeights::open(&folder.join(PORTRAIT_NETWORK.file)).unwrap();
        for weights in [PortraitWeights::built_in(), from_file] {
            assert_eq!(weights.header().composition, Some(PORTRAIT_COMPOSITION));
        }
    }

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

    #[cfg(feature = "portrait-network")]
    #[test]
    fn the_network_inside_the_program_can_be_read_and_says_what_it_was_trained_on() {
        let weights = PortraitWeights::built_in();
        assert!(weights.header().training_data.contains("samples for research"));
        assert!(weights.header().licence.contains("research use"));
        assert!(PORTRAIT_NETWORK.bytes.len() <= 12 << 20);
    }
}
