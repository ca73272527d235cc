//! The client against the stand-in, in one program: what counts or stops its process has a file of its own.

mod acknowledge;
mod bad_input;
#[path = "../common/mod.rs"]
mod common;
mod flood;
mod login;
mod requests;
mod session;
mod watch;
