//! H.264 sequence parameter sets with numbers that no encoder writes.

/// The NAL unit of a Baseline sequence parameter set with this many reference pictures, macroblocks across and down, and
/// a crop in units of two pixels: left, right, top, bottom (ITU-T H.264, 7.3.2.1.1).
pub fn baseline_sps(references: u32, macroblocks: (u32, u32), crop: Option<[u32; 4]>) -> Vec<u8> {
    let mut bits = String::new();
    // Number of the set, frame numbers, picture order type 2, references, no gaps.
    for value in [0, 0, 2, references] {
        golomb(&mut bits, value);
    }
    bits.push('0');
    golomb(&mut bits, macroblocks.0 - 1);
    golomb(&mut bits, macroblocks.1 - 1);
    // Progressive, direct 8x8 inference.
    bits.push_str("11");
    bits.push(if crop.is_some() { '1' } else { '0' });
    crop.into_iter().flatten().for_each(|side| golomb(&mut bits, side));
    // No usability information; the stop bit.
    bits.push_str("01");
    while !bits.len().is_multiple_of(8) {
        bits.push('0');
    }
    let mut nal = vec![0x67, 66, 0, 30];
    for bits in bits.as_bytes().chunks(8) {
        let byte = bits.iter().fold(0, |byte, bit| byte << 1 | u8::from(*bit == b'1'));
        // Emulation prevention.
        if nal.ends_with(&[0, 0]) && byte <= 3 {
            nal.push(3);
        }
        nal.push(byte);
    }
    nal
}

/// ue(v): as many zeros as there are bits behind the first one.
fn golomb(bits: &mut String, value: u32) {
    let code = format!("{:b}", u64::from(value) + 1);
    bits.push_str(&"0".repeat(code.len() - 1));
    bits.push_str(&code);
}
