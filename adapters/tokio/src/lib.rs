//! The RingCentral WebSocket client on tokio: every notification once and in order, or a gap report says so first.
//!
//! ```no_run
//! use ringcentral_ws_tokio::{Client, CloseReason, Event, Filter};
//!
//! #[tokio::main]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let (_client, mut events) = Client::from_env()?.filters([Filter::sms()]).start()?;
//!     while let Some(event) = events.next().await {
//!         match event {
//!             Event::Notification(n) => println!("{} {}", n.event(), n.body()),
//!             Event::Gap(gap) => println!("{gap}"),
//!             Event::SnapshotChanged => {} // for programs that continue after a restart
//!             Event::Closed { reason: CloseReason::Permanent(cause) } => return Err(cause.to_string().into()),
//!             other => eprintln!("{other}"),
//!         }
//!     }
//!     Ok(())
//! }
//! ```
#![cfg_attr(docsrs, feature(doc_cfg))]

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_io::{AsyncRead, AsyncWrite};
pub use ringcentral_ws_driver::*;
use tokio::io::{AsyncRead as _, AsyncWrite as _, ReadBuf};
use tokio::net::{TcpStream, lookup_host};
use tokio::runtime::Handle;

/// A client on tokio. See [`ringcentral_ws_driver::Client`].
pub type Client = ringcentral_ws_driver::Client<Tokio>;
/// Settings of a client on tokio. See [`ringcentral_ws_driver::Builder`].
pub type Builder = ringcentral_ws_driver::Builder<Tokio>;

/// The tokio runtime that is running here. It needs its network and time drivers (`enable_all`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tokio;

impl Runtime for Tokio {
    type Stream = Stream;

    async fn resolve(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        Ok(lookup_host((host, port)).await?.collect())
    }

    async fn connect(&self, address: SocketAddr) -> io::Result<Stream> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Stream(stream))
    }

    fn keep_alive(&self, stream: &Stream, after: Duration) -> io::Result<()> {
        keep_alive(&stream.0, after)
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        Box::pin(tokio::time::sleep(duration))
    }

    fn spawn(&self, task: BoxFuture<'static, ()>) -> io::Result<()> {
        drop(Handle::try_current().map_err(io::Error::other)?.spawn(task));
        Ok(())
    }
}

/// A tokio TCP stream that speaks futures-io.
#[derive(Debug)]
pub struct Stream(TcpStream);

impl AsRef<TcpStream> for Stream {
    fn as_ref(&self) -> &TcpStream {
        &self.0
    }
}

impl AsyncRead for Stream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut buf = ReadBuf::new(buf);
        let read = Pin::new(&mut self.0).poll_read(cx, &mut buf);
        read.map_ok(|()| buf.filled().len())
    }
}

impl AsyncWrite for Stream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}
