//! The stand-in's server and its program. What counts descriptors has a file of its own.

#[path = "../support/net.rs"]
mod net;
mod numbers;
mod program;
mod server;
mod status;
