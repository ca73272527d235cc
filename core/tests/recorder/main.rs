//! The flight recorder: what it writes, what it reads, and what it plays back.

#[path = "../support/taped.rs"]
mod taped;

mod checkpoints;
mod dumps;
mod numbers;
mod parsing;
mod replay;
