//! The RingCentral WebSocket client on async-std: every notification once and in order, or a gap report says so first.
//!
//! async-std is discontinued (RUSTSEC-2025-0052). This crate is for programs that still run on it; new ones take
//! `ringcentral-ws-smol`, which has the same API, or `ringcentral-ws-tokio`.
//!
//! ```no_run
//! use ringcentral_ws_async_std::{Client, CloseReason, Event, Filter};
//!
//! fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     async_std::task::block_on(async {
//!         let (_client, mut events) = Client::from_env()?.filters([Filter::sms()]).start()?;
//!         while let Some(event) = events.next().await {
//!             match event {
//!                 Event::Notification(n) => println!("{} {}", n.event(), n.body()),
//!                 Event::Gap(gap) => println!("{gap}"),
//!                 Event::SnapshotChanged => {} // for programs that continue after a restart
//!                 Event::Closed { reason: CloseReason::Permanent(cause) } => return Err(cause.to_string().into()),
//!                 other => eprintln!("{other}"),
//!             }
//!         }
//!         Ok(())
//!     })
//! }
//! ```
#![cfg_attr(docsrs, feature(doc_cfg))]

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use async_std::net::{TcpStream, ToSocketAddrs};
use async_std::task;
pub use ringcentral_ws_driver::*;

/// A client on async-std. See [`ringcentral_ws_driver::Client`].
pub type Client = ringcentral_ws_driver::Client<AsyncStd>;
/// Settings of a client on async-std. See [`ringcentral_ws_driver::Builder`].
pub type Builder = ringcentral_ws_driver::Builder<AsyncStd>;

/// async-std's global runtime, which runs by itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AsyncStd;

impl Runtime for AsyncStd {
    type Stream = TcpStream;

    async fn resolve(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        Ok((host, port).to_socket_addrs().await?.collect())
    }

    async fn connect(&self, address: SocketAddr) -> io::Result<TcpStream> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }

    fn keep_alive(&self, stream: &TcpStream, after: Duration) -> io::Result<()> {
        keep_alive(stream, after)
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        Box::pin(task::sleep(duration))
    }

    fn spawn(&self, work: BoxFuture<'static, ()>) -> io::Result<()> {
        drop(task::spawn(work));
        Ok(())
    }
}
