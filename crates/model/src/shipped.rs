//! The network that is compiled into the program, and what is known of those before it.

use gioconda_face::ModelCard;

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

/// The [composition formula](crate::COMPOSITION_VERSION) that the network inside the program was trained with: its runs
/// ended with portrait-12's.
pub(crate) const PORTRAIT_COMPOSITION: u32 = 2;

/// SHA-256 and composition formula of the portrait networks that were shipped before weight files named it.
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

#[cfg(all(test, feature = "portrait-network"))]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::PortraitWeights;

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
    fn the_network_inside_the_program_can_be_read_and_says_what_it_was_trained_on() {
        let weights = PortraitWeights::built_in();
        assert!(weights.header().training_data.contains("samples for research"));
        assert!(weights.header().licence.contains("research use"));
        assert!(PORTRAIT_NETWORK.bytes.len() <= 12 << 20);
    }
}
