//! x
use gioconda_convolution::Convolution;
use std::time::Instant;
fn best(mut f: impl FnMut()) -> f64 {
    f();
    (0..15)
        .map(|_| {
            let s = Instant::now();
            f();
            s.elapsed().as_secs_f64()
        })
        .fold(1e9, f64::min)
}
fn main() {
    let mut tot = [0.0; 4];
    // (in,out,size,k,stride, transposed, count)
    for (i, o, s, k, st, t, n) in [
        (10, 24, 128, 3, 1, 0, 1),
        (24, 48, 128, 3, 2, 0, 1),
        (48, 48, 64, 3, 1, 0, 2),
        (24, 48, 64, 1, 1, 0, 1),
        (48, 96, 64, 3, 2, 0, 1),
        (96, 96, 32, 3, 1, 0, 2),
        (48, 96, 32, 1, 1, 0, 1),
        (96, 192, 32, 3, 2, 0, 1),
        (192, 192, 16, 3, 1, 0, 5),
        (96, 192, 16, 1, 1, 0, 1),
        (96, 192, 32, 4, 2, 1, 1),
        (192, 96, 16, 1, 1, 0, 1),
        (48, 192, 64, 4, 2, 1, 1),
        (192, 48, 32, 1, 1, 0, 1),
        (24, 96, 128, 4, 2, 1, 1),
        (24, 24, 128, 3, 1, 0, 1),
        (96, 24, 64, 1, 1, 0, 1),
        (48, 6, 128, 3, 1, 0, 1),
    ] {
        let c = Convolution {
            batch: 8,
            inputs: i,
            outputs: o,
            size: [s; 2],
            kernel: [k; 2],
            stride: [st; 2],
            padding: [(k - 1) / 2; 2],
        };
        let x = vec![0.5f32; c.input_len()];
        let w = vec![0.1f32; c.weight_len()];
        let dy = vec![0.2f32; c.output_len()];
        let g = c.flops() * 1e-9;
        let f = best(|| {
            std::hint::black_box(c.forward(&x, &w, &[]));
        });
        let xi = best(|| {
            std::hint::black_box(c.input_gradient(&dy, &w));
        });
        let wg = best(|| {
            std::hint::black_box(c.weight_gradient(&x, &dy));
        });
        let m = n as f64 * 1e3;
        tot[0] += g * n as f64;
        tot[1] += f * m;
        tot[2] += xi * m;
        tot[3] += wg * m;
        println!(
            "{n}x {i:3}->{o:3} {s:3} k{k} s{st} {t}: fwd {:6.2} ms {:6.1} GF/s  dx {:6.2} {:6.1}  dw {:6.2} {:6.1}",
            f * 1e3,
            g / f,
            xi * 1e3,
            g / xi,
            wg * 1e3,
            g / wg
        );
    }
    println!("{tot:?} ms per sample {}", (tot[1] + tot[2] + tot[3]) / 8.0);
}
