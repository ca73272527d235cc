//! What all adapters do over real sockets, in one program: what changes or measures its process has a file of its own.

mod acknowledge;
mod alpn;
mod backfill;
mod broken_replay;
mod crash;
mod dependencies;
mod dialling;
#[path = "../harness/mod.rs"]
mod harness;
mod health;
mod listeners;
mod ops;
mod providers;
mod reference;
mod states;
mod together;
mod unreadable;
mod wire;
