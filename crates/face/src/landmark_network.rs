//! The landmark model's network, read from its ONNX file for [`gioconda_kernels::landmarks`] to run.
//!
//! Every frame that is tracked runs this network once, and nothing else in the pipeline costs as much;
//! `cargo bench -p gioconda-face --bench landmarks` compares our kernels with a general runtime. A test holds the answers
//! against the runtime's.

mod onnx;

use gioconda_kernels::landmarks::{Bottleneck, Entry, Expansion, INPUT, LandmarkNetwork, Network, Stage};
use onnx::{Graph, Layers};

/// Reads the network from the ONNX file; the reason if it is another network than the one that the kernels run.
pub(super) fn read(file: &[u8]) -> Result<LandmarkNetwork, String> {
    LandmarkNetwork::new(network(&Graph::parse(file)?)?)
}

fn network(graph: &Graph) -> Result<Network, String> {
    let mut layers = graph.layers();
    layers.expect("Transpose")?;
    let mut stages = vec![Stage {
        side: INPUT / 2,
        entry: Entry::Stem { convolution: layers.convolution(3, 2)?, slope: layers.slope()? },
        blocks: Vec::new(),
    }];
    loop {
        let stage = stages.last_mut().expect("the stem's stage is there from the start");
        if layers.next_kernel() == Some(1) {
            stage.blocks.push(Bottleneck {
                squeeze: layers.convolution(1, 1)?,
                slope: layers.slope()?,
                rest: expansion(&mut layers)?,
            });
        } else if stage.side > 2 {
            let side = stage.side / 2;
            let convolution = layers.convolution(2, 2)?;
            layers.expect("MaxPool")?;
            layers.skip("Pad");
            let (slope, rest) = (layers.slope()?, expansion(&mut layers)?);
            let entry = Entry::Halved { convolution, slope, rest };
            stages.push(Stage { side, entry, blocks: Vec::new() });
        } else {
            break;
        }
    }
    // The first head is a flag that nothing here uses.
    layers.convolution(2, 1)?;
    let (presence, landmarks) = (layers.convolution(2, 1)?, layers.convolution(2, 1)?);
    Ok(Network { stages, landmarks, presence })
}

fn expansion(layers: &mut Layers) -> Result<Expansion, String> {
    let depthwise = layers.depthwise()?;
    let expand = layers.convolution(1, 1)?;
    layers.expect("Add")?;
    Ok(Expansion { depthwise, expand, slope: layers.slope()? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::{Session, card};

    /// What the general runtime answers to the same picture.
    #[test]
    fn answers_as_the_runtime_does() {
        let session = Session::load("face_landmarks_478", None).unwrap();
        let mut network = read(card("face_landmarks_478").bytes).unwrap();
        for seed in 0..3_u32 {
            let picture: Vec<f32> = (0..(INPUT * INPUT * 3) as u32)
                .map(|i| {
                    let (x, y) = ((i / 3) % 256, i / 768);
                    let noise = (i.wrapping_mul(2_654_435_761).wrapping_add(seed) >> 16) % 64;
                    (x * (seed + 1) % 192 + y % (64 + seed)).wrapping_add(noise) as f32 / 320.0
                })
                .collect();
            let [points, presence] = session.run(&[1, INPUT, INPUT, 3], &picture).unwrap();
            for _again in 0..2 {
                let (ours, our_presence) = network.run(&picture);
                assert_eq!(ours.len(), points.len());
                let worst = ours.iter().zip(&points).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
                assert!(worst < 5e-3, "{worst} pixels apart");
                assert!((our_presence - presence[0]).abs() < 1e-3, "{our_presence} {}", presence[0]);
            }
        }
    }

    #[test]
    fn other_files_are_refused() {
        assert!(read(b"not a model").is_err());
        let reason = read(card("face_detector_short_range").bytes).err().unwrap();
        assert!(
            reason.contains("Conv") || reason.contains("Transpose") || reason.contains("PRelu"),
            "{reason}"
        );
    }
}
