//! A machine and a server in memory: what the driver does can be watched poll by poll, and hours pass at once.
//!
//! A [`World`] is a [`Machine`], which is a [`Runtime`](ringcentral_ws_driver::Runtime) with virtual time and streams
//! in memory, and a [`Server`], which is the gateway stand-in behind those streams. [`World::step`] does one thing at a
//! time: polls one task, lets the server read, or moves the time. Nothing runs between the steps.

mod frames;
mod machine;
mod pipe;
mod runtime;
mod seen;
mod server;
mod stream;
mod user;
mod world;

pub use machine::{Held, Machine, Reach};
pub use pipe::Link;
pub use seen::Seen;
pub use server::{Server, Stall};
pub use stream::Stream;
pub use user::{Call, Received, Watch};
pub use world::{Step, World};
