//! Which models take part in a picture, for the statement that it is signed with.

use gioconda_avatar::{RendererKind, model_cards, portrait_network};
use gioconda_provenance::{Input, Model};

/// Where the network comes from that renders a portrait.
#[derive(Clone, Debug)]
pub enum NetworkSource {
    /// The avatar file itself, which a statement lists as the portrait already.
    AvatarFile,
    /// The weights inside the program.
    BuiltIn,
    /// A weight file.
    WeightFile(Input),
}

/// The models that take part where `renderer` renders with a network of `source`: those inside the program, of which the
/// portrait network only where it renders, or the weight file in its stead.
pub(crate) fn models(renderer: RendererKind, source: &NetworkSource) -> Vec<Model> {
    let network = match renderer {
        RendererKind::Mesh => None,
        RendererKind::Neural => Some(source),
    };
    let is_network = |name: &str| portrait_network().is_some_and(|network| network.name == name);
    let inside = model_cards()
        .filter(|card| !is_network(card.name) || matches!(network, Some(NetworkSource::BuiltIn)))
        .map(|card| Model { name: card.name.to_owned(), sha256: card.sha256.to_owned() });
    let file = match network {
        Some(NetworkSource::WeightFile(file)) => {
            Some(Model { name: "portrait network".to_owned(), sha256: file.sha256_hex() })
        }
        _ => None,
    };
    inside.chain(file).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_statement_names_the_network_that_paints_and_no_other() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("weights.safetensors");
        std::fs::write(&path, "weights").expect("written");
        let file = Input::read("weights", &path, None, false).expect("an input");
        let (mesh, neural) = (RendererKind::Mesh, RendererKind::Neural);
        let inside = portrait_network().map(|network| network.sha256.to_owned());
        for (renderer, source, named) in [
            (mesh, NetworkSource::BuiltIn, None),
            (mesh, NetworkSource::WeightFile(file.clone()), None),
            (mesh, NetworkSource::AvatarFile, None),
            (neural, NetworkSource::BuiltIn, inside),
            (neural, NetworkSource::WeightFile(file.clone()), Some(file.sha256_hex())),
            (neural, NetworkSource::AvatarFile, None),
        ] {
            let models = models(renderer, &source);
            let network = models.iter().find(|model| model.name.starts_with("portrait"));
            assert_eq!(network.map(|model| model.sha256.clone()), named, "{renderer:?}, {source:?}");
            let others = model_cards().count() - 1;
            assert_eq!(models.len(), others + usize::from(network.is_some()));
        }
    }
}
