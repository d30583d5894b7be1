//! Arbitrary bytes as a motion file; what is accepted must play without a panic or a number that is not finite.
//!
//! `RUSTC_BOOTSTRAP=1 cargo fuzz run --no-default-features --features motion --sanitizer none motion seeds/motion -- -max_total_time=240`

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(motion) = gioconda_avatar::Motion::parse(bytes) else { return };
    for index in [0, motion.len() / 2, motion.len() - 1] {
        let frame = motion.frame(index);
        assert!(frame.expression.iter().all(|point| point.iter().all(|x| x.is_finite())));
    }
});
