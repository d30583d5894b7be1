//! The mesh renderer against leaving the photo as it is, on every tenth frame of the validation clips. The program
//! `examples/self_reenactment` measures all of them.

mod clips;
#[path = "../examples/self_reenactment/measure.rs"]
mod measure;

use std::path::Path;

#[test]
fn the_mesh_comes_nearer_to_the_truth_than_the_photo() {
    let clips = clips::clips_in(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/val"));
    if clips.is_empty() {
        println!("skipped: no clips in ../shared/data/val");
        return;
    }
    let scores = clips::for_each(&clips, |clip| measure::measure(clip, 10)).expect("readable clips");
    let scores: Vec<_> = scores.into_iter().flatten().collect();
    measure::print(&scores);
    assert_eq!(scores.len(), clips.len(), "a clip shows no face");
    let (copy, mesh) = (measure::mean(&scores, |clip| clip.copy), measure::mean(&scores, |clip| clip.mesh));
    assert!(mesh.whole.psnr >= copy.whole.psnr + 1.0, "whole crop: {mesh:?} {copy:?}");
    assert!(mesh.face.psnr >= copy.face.psnr + 4.0, "face: {mesh:?} {copy:?}");
}
