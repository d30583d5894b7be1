//! The `gioconda` command line.
fn main() {}
