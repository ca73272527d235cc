//! The RingCentral WebSocket client on smol: every notification once and in order, or a gap report says so first.
//!
//! ```no_run
//! use ringcentral_ws_smol::{Client, CloseReason, Event, Filter};
//!
//! fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     smol::block_on(async {
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

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

pub use ringcentral_ws_driver::*;
use smol::net::{TcpStream, resolve};
use smol::{Executor, Timer};

/// A client on smol. See [`ringcentral_ws_driver::Client`].
pub type Client = ringcentral_ws_driver::Client<Smol>;
/// Settings of a client on smol. See [`ringcentral_ws_driver::Builder`].
pub type Builder = ringcentral_ws_driver::Builder<Smol>;

/// smol: sockets and timers of async-io, tasks on smol's global executor or on one of yours.
#[derive(Clone, Default)]
pub struct Smol {
    executor: Option<Arc<Executor<'static>>>,
}

impl Smol {
    /// Runs the client's task on `executor`, which somebody must run. [`Smol::default`] uses the global one, which
    /// runs by itself.
    #[must_use]
    pub const fn on(executor: Arc<Executor<'static>>) -> Self {
        Self { executor: Some(executor) }
    }
}

impl fmt::Debug for Smol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.executor.is_some() { "Smol(an executor of its own)" } else { "Smol(global)" })
    }
}

impl Runtime for Smol {
    type Stream = TcpStream;

    async fn resolve(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        resolve((host, port)).await
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
        // Made here, not at the first poll: the time runs from now.
        let timer = Timer::after(duration);
        Box::pin(async move {
            timer.await;
        })
    }

    fn spawn(&self, task: BoxFuture<'static, ()>) -> io::Result<()> {
        match &self.executor {
            Some(executor) => executor.spawn(task).detach(),
            None => smol::spawn(task).detach(),
        }
        Ok(())
    }
}
