//! Pictures, video and sound, in and out. Knows nothing of faces or networks.
