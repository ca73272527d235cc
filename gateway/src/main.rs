//! Runs the stand-in as a program.
fn main() {}
