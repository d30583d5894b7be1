//! Weight files: safetensors whose header says what the weights are for.
//!
//! Tensor names are a network's and the tensor's own: `generator.down.1.conv1.weight`. The header's
//! entries are `format`, `preset`, `config` (sizes of all networks, JSON), `landmark_picture_version`, `composition` (the
//! version of the formula that a composing generator was trained with), `training_data` and `licence`. Loading checks the
//! header and every tensor of the network, and names the first thing that does not fit.

mod header;
mod read;
mod write;

pub use header::WeightHeader;
pub use read::{WeightFile, fuzz_weights};
pub use write::WeightWriter;

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use safetensors::tensor::TensorView;

    use super::*;
    use crate::testing::random_weights;
    use crate::{
        COMPOSITION_VERSION, EmbedderConfig, Error, GeneratorConfig, NetworkConfig as _, Preset, Weights,
    };

    fn header() -> WeightHeader {
        let mut config = Preset::Paper.config();
        config.embedder = EmbedderConfig { widths: vec![2, 4], resolution: 8, self_attention: false };
        WeightHeader {
            preset: Preset::Paper,
            config,
            picture_version: 1,
            composition: None,
            training_data: "random numbers".to_owned(),
            licence: "CC0-1.0".to_owned(),
        }
    }

    fn embedder() -> Weights<EmbedderConfig> {
        random_weights(&header().config.embedder, 1)
    }

    fn writer() -> WeightWriter {
        WeightWriter::new(header()).with(EmbedderConfig::NAME, embedder().parameters())
    }

    #[test]
    fn what_is_saved_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("weights.safetensors");
        fs::write(&path, writer().to_bytes(&path).unwrap()).unwrap();

        let file = WeightFile::open(&path).unwrap().require(Preset::Paper, 1).unwrap();
        assert_eq!(*file.header(), header());
        assert_eq!(file.embedder().unwrap(), embedder());
        assert!(file.network("generator").is_none() && file.discriminator().unwrap().is_none());
        let message = file.generator().unwrap_err().to_string();
        assert!(message.contains("it holds no generator"), "{message}");
    }

    #[test]
    fn half_precision_is_half_as_large_and_nearly_the_same() {
        let path = Path::new("half.safetensors");
        let whole = writer().to_bytes(path).unwrap().len();
        let bytes = writer().half_precision().to_bytes(path).unwrap();
        assert!(bytes.len() < whole);
        let found = WeightFile::parse(path, &bytes).unwrap().embedder().unwrap();
        let expected = embedder();
        for ((name, found), (_, expected)) in found.parameters().iter().zip(expected.parameters().iter()) {
            for (found, expected) in found.values.iter().zip(&expected.values) {
                assert!((found - expected).abs() < 1e-3, "{name}: {found}, expected {expected}");
            }
        }
    }

    #[test]
    fn the_first_mismatch_is_named() {
        let bytes = writer().to_bytes(Path::new("FILE")).unwrap();
        let open = || WeightFile::parse(Path::new("FILE"), &bytes).unwrap();
        assert_eq!(
            open().require(Preset::Portrait, 1).unwrap_err().to_string(),
            "FILE: made for preset paper, but portrait is needed; use weights made for it"
        );
        assert_eq!(
            open().require(Preset::Paper, 2).unwrap_err().to_string(),
            "FILE: made for landmark picture version 1, but 2 is needed; use weights made for it"
        );
        let message = open().require_config(&Preset::Paper.config()).unwrap_err().to_string();
        assert!(message.contains("embedder"), "{message}");
        let wider = EmbedderConfig { widths: vec![2, 5], ..header().config.embedder };
        let error = open().weights(&wider).unwrap_err();
        assert!(matches!(error, Error::Tensor { .. }));
        assert_eq!(
            error.to_string(),
            "FILE: tensor `embedder.blocks.1.conv1.bias` has shape [4], but the network needs [5]"
        );
    }

    #[test]
    fn hostile_files_are_refused() {
        let good = writer().to_bytes(Path::new("w")).unwrap();
        let mut with_nan = good.clone();
        let end = with_nan.len();
        with_nan[end - 4..].copy_from_slice(&f32::NAN.to_le_bytes());
        let plain = safetensors::serialize(Vec::<(String, TensorView<'_>)>::new(), None).unwrap();
        let cases: [(&[u8], &str); 6] = [
            (b"", "not a usable weight file"),
            (b"not weights at all", "not a usable weight file"),
            (&[0xff; 64], "not a usable weight file"),
            (&good[..good.len() - 1], "not a usable weight file"),
            (&with_nan, "holds NaN or infinity"),
            (&plain, "its header has no `format`"),
        ];
        for (bytes, expected) in cases {
            let message = WeightFile::parse(Path::new("w"), bytes).unwrap_err().to_string();
            assert!(message.contains(expected), "{message}");
        }
        let missing = WeightFile::open(Path::new("no/such/file")).unwrap_err().to_string();
        assert!(missing.starts_with("cannot access no/such/file: "), "{missing}");
    }

    /// Narrow networks of the `portrait` preset, all three.
    fn portrait() -> (WeightHeader, Vec<u8>) {
        let mut config = Preset::Portrait.config();
        config.embedder = EmbedderConfig { widths: vec![2, 4], resolution: 8, self_attention: false };
        config.generator =
            GeneratorConfig { widths: vec![2, 4], embedding: 4, residual_blocks: 1, ..config.generator };
        let header = WeightHeader {
            preset: Preset::Portrait,
            config,
            composition: Some(COMPOSITION_VERSION),
            ..header()
        };
        let writer = WeightWriter::new(header.clone())
            .with("embedder", random_weights(&header.config.embedder, 1).parameters())
            .with("generator", random_weights(&header.config.generator, 2).parameters());
        (header, writer.to_bytes(Path::new("w")).unwrap())
    }

    /// The file with another text in its header, whose length is noted anew.
    fn with_header(bytes: &[u8], from: &str, to: &str) -> Vec<u8> {
        let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
        let text = std::str::from_utf8(&bytes[8..8 + length]).unwrap();
        assert!(text.contains(from), "{from} is not in {text}");
        let text = text.replacen(from, to, 1);
        [&(text.len() as u64).to_le_bytes(), text.as_bytes(), &bytes[8 + length..]].concat()
    }

    #[test]
    fn the_composition_formula_is_written_and_checked() {
        let (header, bytes) = portrait();
        let parse = |bytes: &[u8]| WeightFile::parse(Path::new("w"), bytes).unwrap();
        assert_eq!(*parse(&bytes).header(), header);
        let entry = format!("\"composition\":\"{COMPOSITION_VERSION}\"");
        let named = |version: &str| {
            let changed = with_header(&bytes, &entry, &format!("\"composition\":\"{version}\""));
            WeightFile::parse(Path::new("w"), &changed)
        };
        for (version, told) in
            [("1", "made for composition formula 1, but 2 or 3 is needed"), ("4", "formula 4")]
        {
            let message = named(version).unwrap().require_composition().unwrap_err().to_string();
            assert!(message.contains(told), "{message}");
        }
        assert!(named("2").unwrap().require_composition().is_ok());
        assert!(named("two").unwrap_err().to_string().contains("`composition`"));
        let unnamed = parse(&with_header(&bytes, &entry, "\"other\":\"\""));
        assert!(unnamed.lacks_composition() && !parse(&bytes).lacks_composition());
        assert_eq!(unnamed.with_composition(2).require_composition().unwrap().header().composition, Some(2));
    }

    #[test]
    fn sizes_that_the_file_does_not_hold_are_refused() {
        let (_, bytes) = portrait();
        for (from, to, told) in [
            (
                r#"\"widths\":[2,4],\"resolution\":8"#,
                r#"\"widths\":[1000000000,4],\"resolution\":8"#,
                "`config`",
            ),
            (
                r#"\"widths\":[2,4],\"resolution\":8"#,
                r#"\"widths\":[4096,4096],\"resolution\":8"#,
                "has shape",
            ),
            (r#"\"resolution\":8"#, r#"\"resolution\":18446744073709551608"#, "`config`"),
            (r#"\"resolution\":8"#, r#"\"resolution\":0"#, "`config`"),
            (r#"\"residual_blocks\":1"#, r#"\"residual_blocks\":9999999999"#, "`config`"),
            (r#"\"residual_blocks\":1"#, r#"\"residual_blocks\":64,\"input\":1"#, "`config`"),
            (r#"\"embedding\":4"#, r#"\"embedding\":4096"#, "has shape"),
            (r#"\"pixel_shuffle\":2"#, r#"\"pixel_shuffle\":0"#, "`config`"),
            (r#""config":""#, r#""config":"nonsense"#, "config"),
        ] {
            let message = WeightFile::parse(Path::new("w"), &with_header(&bytes, from, to))
                .and_then(|file| {
                    file.embedder()?;
                    file.generator()
                })
                .unwrap_err()
                .to_string();
            assert!(message.contains(told) && !message.contains('\n'), "{from} -> {to}: {message}");
        }
    }

    #[test]
    fn mutated_files_neither_panic_nor_pass_unnoticed() {
        let (_, bytes) = portrait();
        gioconda_testkit::mutations::each(&bytes, 1000, fuzz_weights);
    }
}
