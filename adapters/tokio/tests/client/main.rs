//! The client against the stand-in, in one program: what measures or stops its process has a file of its own.

mod bad_input;
#[path = "../common/mod.rs"]
mod common;
mod edges;
mod login;
mod requests;
mod rest;
mod session;
mod watch;
