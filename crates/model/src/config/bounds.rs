//! Limits of what a configuration may ask for, held before sizes are multiplied or memory is allocated.

use crate::{Error, Result};

/// Most widths, and so halvings, of a network: 12 halve 4096 pixels to one.
const MOST_LEVELS: usize = 12;
/// Most channels of a layer; the paper has 512.
pub(super) const MOST_CHANNELS: usize = 4096;
/// Largest side of the pictures a network is trained on, pixels.
const LARGEST_SIDE: usize = 4096;

/// Refuses sizes that are out of range.
pub(super) fn check_bounds(network: &'static str, widths: &[usize], resolution: usize) -> Result<()> {
    let fail = |reason: String| Err(Error::Config { network, reason });
    if widths.len() > MOST_LEVELS || widths.iter().any(|width| *width > MOST_CHANNELS) {
        return fail(format!("widths must be at most {MOST_LEVELS} numbers up to {MOST_CHANNELS}"));
    }
    if resolution > LARGEST_SIDE {
        return fail(format!("resolution {resolution} must be at most {LARGEST_SIDE}"));
    }
    Ok(())
}
