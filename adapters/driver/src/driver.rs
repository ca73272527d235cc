//! The one task that owns a pump and a socket.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_util::future::BoxFuture;
use ringcentral_ws_adapter::{Pump, Turn};
use ringcentral_ws_core::Timestamp;

use crate::command::Tasks;
use crate::io::{Io, Polled};
use crate::runtime::Runtime;

/// Turns in a row after which other tasks of the same thread get theirs, and the runtime looks at its sockets. Each may
/// take many commands.
const FAIR_TURNS: u32 = 4;

/// Runs a session to its end, or until nobody holds a handle any more. To be spawned.
pub(crate) struct Driver<R: Runtime> {
    pump: Pump<Tasks>,
    io: Io<R>,
    sleep: Option<Sleep>,
}

/// The armed timer. It may be earlier than needed, never later.
struct Sleep {
    at: Timestamp,
    timer: BoxFuture<'static, ()>,
}

impl<R: Runtime> Driver<R> {
    pub(crate) const fn new(pump: Pump<Tasks>, io: Io<R>) -> Self {
        Self { pump, io, sleep: None }
    }

    /// Whether the time has come. The clocks may differ a little; the next turn decides.
    fn poll_sleep(&mut self, cx: &mut Context<'_>, now: Timestamp, until: Option<Timestamp>) -> Poll<()> {
        let Some(until) = until else {
            self.sleep = None;
            return Poll::Pending;
        };
        loop {
            let sleep = match &mut self.sleep {
                Some(sleep) if sleep.at <= until => sleep,
                _ => {
                    let span = until.since(now).min(self.io.https.net.limits.longest_sleep);
                    self.sleep.insert(Sleep { at: now.after(span), timer: self.io.https.runtime.sleep(span) })
                }
            };
            std::task::ready!(sleep.timer.as_mut().poll(cx));
            let reached = sleep.at;
            self.sleep = None;
            if reached >= until {
                return Poll::Ready(());
            }
        }
    }
}

impl<R: Runtime> Future for Driver<R> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        for _ in 0..FAIR_TURNS {
            match this.pump.turn(&mut Polled { io: &mut this.io, cx }) {
                Turn::Ended => return Poll::Ready(()),
                Turn::Flooded => break,
                Turn::Again => {}
                Turn::Wait { now, until } => {
                    if this.poll_sleep(cx, now, until).is_pending() {
                        this.io.https.sweep();
                        return Poll::Pending;
                    }
                }
            }
        }
        this.io.https.runtime.wake_last(cx);
        Poll::Pending
    }
}
