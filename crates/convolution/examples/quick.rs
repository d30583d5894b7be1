use gioconda_convolution::Convolution;
use std::time::Instant;
fn med(mut f: impl FnMut()) -> f64 {
    f();
    let mut t: Vec<f64> = (0..25)
        .map(|_| {
            let s = Instant::now();
            f();
            s.elapsed().as_secs_f64()
        })
        .collect();
    t.sort_by(f64::total_cmp);
    t[0]
}
fn main() {
    for (b, i, o, s, k, st) in [
        (4, 128, 128, 32, 3, 1),
        (8, 24, 24, 128, 3, 1),
        (8, 48, 48, 64, 3, 1),
        (8, 96, 96, 32, 3, 1),
        (8, 192, 192, 16, 3, 1),
        (8, 10, 24, 128, 3, 1),
        (8, 24, 48, 128, 3, 2),
        (8, 48, 24, 64, 4, 2),
        (8, 96, 48, 32, 1, 1),
        (8, 24, 6, 128, 3, 1),
        (8, 64, 64, 96, 3, 1),
        (2, 512, 512, 16, 3, 1),
        (8, 512, 512, 4, 3, 1),
        (1, 24, 24, 128, 3, 1),
        (1, 192, 192, 16, 3, 1),
        (1, 64, 64, 256, 3, 1),
    ] {
        let c = Convolution {
            batch: b,
            inputs: i,
            outputs: o,
            size: [s; 2],
            kernel: [k; 2],
            stride: [st; 2],
            padding: [k / 2 - usize::from(k == 4); 2],
        };
        let x = vec![0.5f32; c.input_len()];
        let w = vec![0.1f32; c.weight_len()];
        let dy = vec![0.2f32; c.output_len()];
        let g = c.flops() * 1e-9;
        let f = med(|| {
            std::hint::black_box(c.forward(&x, &w, &[]));
        });
        let xi = med(|| {
            std::hint::black_box(c.input_gradient(&dy, &w));
        });
        let wg = med(|| {
            std::hint::black_box(c.weight_gradient(&x, &dy));
        });
        println!(
            "{b:2} {i:3}->{o:3} {s:3} k{k} s{st}: fwd {:6.2} ms {:6.1} GF/s  dx {:6.1}  dw {:6.1}",
            f * 1e3,
            g / f,
            g / xi,
            g / wg
        );
    }
}
