//! Milliseconds of the landmark network, ours and rten's, on one thread: `cargo bench -p gioconda-face --bench landmarks`.
//!
//! The two take turns, so that whatever else the machine does slows both.

use std::sync::Arc;
use std::time::Instant;

use gioconda_face::{LandmarkModel, Region, models};
use image::RgbImage;
use rten::{ModelOptions, RunOptions, ThreadPool, ValueView};

const RUNS: usize = 100;
const SIDE: u32 = 256;

fn main() {
    let picture = RgbImage::from_fn(SIDE, SIDE, |x, y| image::Rgb([x as u8, y as u8, (x ^ y) as u8]));
    let input: Vec<f32> = picture.as_raw().iter().map(|&value| f32::from(value) / 255.0).collect();
    let region = Region::from_corner(0.0, 0.0, SIDE as f32);
    let mut ours = LandmarkModel::new().expect("the model is compiled in");
    let card = models().iter().find(|card| card.name == "face_landmarks_478").expect("the table has it");
    let model = ModelOptions::with_all_ops()
        .prepack_weights(true)
        .load_static_slice(card.bytes)
        .expect("rten reads the model");
    let options = RunOptions::default().with_thread_pool(Some(Arc::new(ThreadPool::with_num_threads(1))));

    let (mut our_times, mut rten_times) = (Vec::new(), Vec::new());
    for _ in 0..RUNS {
        our_times.push(milliseconds(|| {
            std::hint::black_box(ours.find(&picture, &region));
        }));
        rten_times.push(milliseconds(|| {
            let view = ValueView::from_shape(&[1, SIDE as usize, SIDE as usize, 3][..], &input[..])
                .expect("the input has this shape");
            let inputs = vec![(model.input_ids()[0], view.into())];
            let outputs = model.run(inputs, model.output_ids(), Some(options.clone()));
            std::hint::black_box(outputs.expect("rten runs the model"));
        }));
    }
    let (ours, rten) = (median(our_times), median(rten_times));
    println!(
        "median of {RUNS} runs: ours with sampling {ours:.2} ms, rten {rten:.2} ms, ratio {:.1}",
        rten / ours
    );
}

fn milliseconds(work: impl FnOnce()) -> f64 {
    let start = Instant::now();
    work();
    start.elapsed().as_secs_f64() * 1e3
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_unstable_by(f64::total_cmp);
    times[times.len() / 2]
}
