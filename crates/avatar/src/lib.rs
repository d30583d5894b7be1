//! What `animate` runs: an avatar built from a photo, motion transfer, and the per-frame renderer.
