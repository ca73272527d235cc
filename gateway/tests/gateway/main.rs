//! The stand-in without a socket.

mod connection;
mod ledger;
mod oauth;
mod office;
mod recovery;
mod rest;
mod subscription;
#[path = "../support/mod.rs"]
mod support;
mod sync;
mod teams;
