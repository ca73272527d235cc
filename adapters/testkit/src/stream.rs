//! The client's end of a stream in memory.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_io::{AsyncRead, AsyncWrite};

use crate::machine::Machine;
use crate::pipe::Pipe;
use crate::seen::Seen;

/// Most bytes that wait for a server that does not read.
const DEAF: usize = 512;

/// The client's end of a stream.
#[derive(Debug)]
pub struct Stream {
    machine: Machine,
    id: u64,
}

impl Stream {
    pub(crate) fn new(machine: Machine) -> Self {
        let mut state = machine.state();
        let id = state.new_id();
        let pipe = Pipe { link: state.link, client_holds: true, ..Pipe::default() };
        state.pipes.insert(id, pipe);
        drop(state);
        Self { machine, id }
    }

    fn with<T>(&self, work: impl FnOnce(&mut Pipe) -> Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        match self.machine.state().pipes.get_mut(&self.id) {
            Some(pipe) if !pipe.reset => work(pipe),
            _ => Poll::Ready(Err(io::ErrorKind::ConnectionReset.into())),
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        self.with(|pipe| {
            if pipe.link.silent || pipe.to_client.is_empty() && pipe.flood.is_none() && !pipe.server_closed {
                pipe.reader = Some(cx.waker().clone());
                return Poll::Pending;
            }
            Poll::Ready(Ok(pipe.read(buf)))
        })
        .map(|read| self.machine.state().seen.note_read(self.id, read, buf))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.with(|pipe| {
            if pipe.unwritable {
                return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
            }
            let capacity = if pipe.deaf { pipe.link.capacity.min(DEAF) } else { pipe.link.capacity };
            let room = capacity.saturating_sub(pipe.to_server.len());
            let count = buf.len().min(room).min(pipe.link.piece);
            if count == 0 && !buf.is_empty() {
                pipe.writer = Some(cx.waker().clone());
                return Poll::Pending;
            }
            pipe.to_server.extend(&buf[..count]);
            Poll::Ready(Ok(count))
        })
        .map_ok(|count| self.machine.state().seen.note_written(self.id, count))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.machine.state().seen.note(Seen::Flushed(self.id));
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.with(|pipe| {
            pipe.client_closed = true;
            Poll::Ready(Ok(()))
        })
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        let mut state = self.machine.state();
        if let Some(pipe) = state.pipes.get_mut(&self.id) {
            pipe.client_holds = false;
            pipe.client_closed = true;
        }
        state.seen.note(Seen::Dropped(self.id));
    }
}
