//! The end of a driver.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;

use futures_util::{FutureExt, Stream};
use ringcentral_ws_core::CommandError;

use super::{Done, Driver, Link};
use crate::command::{Answered, Command};
use crate::driver::turn::Turn;
use crate::runtime::Runtime;

impl<R: Runtime> Driver<R> {
    /// Waits, within the time that closing may take, for logins under way: a server that answers a refresh has replaced
    /// the refresh token, and the application keeps the new one only if it comes. `false` when meanwhile the last
    /// handle has gone.
    pub(super) async fn await_logins(&mut self) -> bool {
        // Nothing else of the session is left.
        self.link = Link::None;
        self.calls.clear();
        self.alive.close();
        if self.logins.is_empty() {
            return true;
        }
        let now = self.clock.read().now;
        let until = self.closing_since.unwrap_or(now).after(self.close_timeout);
        let mut limit = self.https.runtime.sleep(until.since(now));
        poll_fn(|cx| {
            while let Poll::Ready(turn) = self.poll_commands(cx) {
                match turn {
                    // The session refuses it.
                    Turn::Command(command) => self.command(command, now),
                    Turn::Abandoned => return Poll::Ready(false),
                    _ => {}
                }
            }
            while let Poll::Ready(Some(done)) = Pin::new(&mut self.logins).poll_next(cx) {
                if let Done::Auth(_, result) = done {
                    self.tracer.authorized(result.as_ref().map(|token| token.expires_in));
                }
            }
            if self.logins.is_empty() { Poll::Ready(true) } else { limit.poll_unpin(cx).map(|()| true) }
        })
        .await
    }

    /// Lets go of everything. The events that wait stay with the application.
    pub(super) fn finish(mut self) {
        self.logins.clear();
        self.publish();
        if let Some(event) = self.last.take() {
            self.events.push(event, None);
        }
        self.commands.close();
        while let Ok(command) = self.commands.try_recv() {
            match command {
                Command::Close(_, reply) => self.closers.push(reply),
                Command::Request { request, reply, .. } => {
                    let answer = Err(CommandError::Closed(*request));
                    let _ = reply.try_send(Answered { answer, body: None });
                }
                // Their askers see the closed channel.
                Command::Subscribe(..) | Command::Unsubscribe(_) | Command::Recover(_) | Command::Network(_) => {}
            }
        }
        for reply in self.closers.drain(..) {
            let _ = reply.try_send(());
        }
    }
}
