//! The end of a driver.

use std::sync::atomic::Ordering;
use std::sync::mpsc::sync_channel;

use ringcentral_ws_core::CommandError;

use super::{Done, Driver};
use crate::abort::{Abort, WeakAbort};
use crate::command::{Answered, Command};
use crate::driver::turn::Turn;

impl Driver {
    /// Waits, within the time that closing may take, for logins under way: a server that answers a refresh has replaced
    /// the refresh token, and the application keeps the new one only if it comes. `false` when meanwhile the last
    /// handle has gone.
    pub(super) fn await_logins(&mut self) -> bool {
        // Nothing else of the session is left.
        self.unlink();
        self.calls.values().for_each(Abort::fire);
        self.downloads.iter().for_each(WeakAbort::fire);
        let mut now = self.parts.clock.read().now;
        let until = self.closing_since.unwrap_or(now).after(self.parts.close_timeout);
        while !self.logins.is_empty() {
            if self.parts.signals.abandoned.load(Ordering::SeqCst) {
                return false;
            }
            while let Some(turn) = self.look_at_commands() {
                match turn {
                    // The session refuses it.
                    Turn::Command(command) => self.command(command, now),
                    Turn::Abandoned => return false,
                    _ => {}
                }
            }
            while let Ok(done) = self.done.try_recv() {
                if let Done::Auth(id, result) = done {
                    self.logins.remove(&id);
                    self.parts.tracer.authorized(result.as_ref().map(|token| token.expires_in));
                }
            }
            now = self.parts.clock.read().now;
            if now >= until {
                return true;
            }
            if !self.logins.is_empty() {
                let span = until.since(now).min(self.parts.https.net.limits.longest_sleep);
                // An interrupted wait is only an early look.
                let _ = self.parts.poll.poll(&mut self.poll_events, Some(span));
            }
        }
        true
    }

    /// Lets go of everything. The events that wait stay with the application.
    pub(super) fn finish(&mut self) {
        self.publish();
        self.parts.signals.finished.store(true, Ordering::SeqCst);
        while let Ok(command) = self.parts.inbox.try_recv() {
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
        // Who asks after this, or was not seen, learns from the closed channel that nothing was sent.
        self.parts.inbox = sync_channel(0).1;
        if let Some(event) = self.last.take() {
            self.parts.events.push(event, None);
        }
        for reply in self.closers.drain(..) {
            let _ = reply.try_send(());
        }
    }
}

/// However the thread ends, nobody waits for it in vain; the end of the queue of events goes with it.
impl Drop for Driver {
    fn drop(&mut self) {
        self.unlink();
        self.calls.values().chain(self.logins.values()).for_each(Abort::fire);
        self.downloads.iter().for_each(WeakAbort::fire);
    }
}
