//! The motions inside the program. `assets/motions/README.md` says which clip each was recorded from and how.

use std::sync::Arc;

use crate::file::motion_file::Motion;

macro_rules! builtin {
    ($name:literal) => {
        BuiltinMotion {
            name: $name,
            bytes: include_bytes!(concat!("../../../../assets/motions/", $name, ".motion")),
        }
    };
}

/// A motion inside the program.
#[derive(Clone, Copy, Debug)]
pub struct BuiltinMotion {
    /// What the user types.
    pub name: &'static str,
    bytes: &'static [u8],
}

/// The motion that plays when none is named.
pub const DEFAULT: &str = "talk";

/// Every built-in motion.
pub const ALL: [BuiltinMotion; 5] =
    [builtin!("talk"), builtin!("smile"), builtin!("look-around"), builtin!("nod"), builtin!("idle")];

impl BuiltinMotion {
    /// The motion called `name`.
    pub fn find(name: &str) -> Option<Self> {
        ALL.into_iter().find(|motion| motion.name == name)
    }

    /// Size of its file.
    pub fn bytes(&self) -> usize {
        self.bytes.len()
    }

    /// The motion itself.
    ///
    /// # Panics
    /// Never in a build whose tests pass: they read every built-in motion.
    pub fn load(&self) -> Arc<Motion> {
        let motion = Motion::parse(self.bytes);
        Arc::new(motion.unwrap_or_else(|what| panic!("built-in motion {}: {what}", self.name)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_motion_is_small_short_and_loops_without_a_jump() {
        for builtin in ALL {
            let motion = builtin.load();
            assert!(builtin.bytes() < 60_000, "{}: {} bytes", builtin.name, builtin.bytes());
            assert!((4.0..=8.0).contains(&motion.seconds()), "{}: {} s", builtin.name, motion.seconds());
            assert!(motion.loops && !motion.title.is_empty(), "{}", builtin.name);
            let step = |i: usize| {
                let (a, b) = (motion.frame(i), motion.frame(i + 1));
                let expression: f32 =
                    a.expression.iter().zip(&b.expression).map(|(a, b)| (a - b).norm()).sum::<f32>() / 478.0;
                gioconda_face::rotation_vector(&(a.rotation.inverse() * b.rotation)).norm()
                    + (a.translation - b.translation).norm()
                    + expression
            };
            let largest_inside = (0..motion.len() - 1).map(step).fold(0.0, f32::max);
            let seam = step(motion.len() - 1);
            assert!(seam <= largest_inside.max(0.02), "{}: {seam} > {largest_inside}", builtin.name);
        }
    }

    #[test]
    fn the_default_exists() {
        assert!(BuiltinMotion::find(DEFAULT).is_some() && BuiltinMotion::find("no such motion").is_none());
    }
}
