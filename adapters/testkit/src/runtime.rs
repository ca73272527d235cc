//! The machine as the driver's runtime.

use std::future::{Future, poll_fn};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use ringcentral_ws_driver::{BoxFuture, ClockTimes, Runtime};

use crate::machine::{Flag, Machine, Reach, Task};
use crate::stream::Stream;

/// When the wall clock of a new machine stands, since 1970.
const WALL: Duration = Duration::from_secs(1_755_728_635);

impl Runtime for Machine {
    type Stream = Stream;

    async fn resolve(&self, _host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        pause().await;
        if self.state().unresolved {
            std::future::pending::<()>().await;
        }
        let known: Vec<_> = self.state().addresses.iter().map(|(ip, _)| SocketAddr::new(*ip, port)).collect();
        Ok(if known.is_empty() { vec![SocketAddr::from(([127, 0, 0, 1], port))] } else { known })
    }

    async fn connect(&self, address: SocketAddr) -> io::Result<Stream> {
        let _attempt = Attempt::new(self, address.ip());
        pause().await;
        let reach = self.state().addresses.iter().find(|(ip, _)| *ip == address.ip()).map(|(_, reach)| *reach);
        match reach {
            None => {}
            Some(Reach::After(time)) => self.sleep(time).await,
            Some(Reach::Refuses) => return Err(io::ErrorKind::ConnectionRefused.into()),
            Some(Reach::Silent) => std::future::pending().await,
        }
        if self.state().unreachable {
            std::future::pending::<()>().await;
        }
        if self.state().refusing {
            return Err(io::ErrorKind::ConnectionRefused.into());
        }
        Ok(Stream::new(self.clone()))
    }

    fn keep_alive(&self, _stream: &Stream, after: Duration) -> io::Result<()> {
        self.state().keepalive.push(after);
        // Not taken notice of: it is no reason to do without the connection.
        Err(io::ErrorKind::Unsupported.into())
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        let mut state = self.state();
        let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX >> 2);
        // Never early: what is shorter than a microsecond lasts one.
        let least = u64::from(micros == 0 && !duration.is_zero());
        let key = (state.awake() + micros + least, state.new_id());
        state.sleeps += 1;
        drop(state);
        Box::pin(Sleep { machine: self.clone(), key })
    }

    fn spawn(&self, task: BoxFuture<'static, ()>) -> io::Result<()> {
        let mut state = self.state();
        let id = state.new_id();
        state.tasks.insert(id, Task { work: Some(task), woken: Flag::raised() });
        Ok(())
    }

    fn clocks(&self) -> ClockTimes {
        let state = self.state();
        let (boot, mono) = (Duration::from_micros(state.now), Duration::from_micros(state.awake()));
        ClockTimes { boot, mono, wall: WALL + boot }
    }

    fn seed(&self) -> io::Result<u64> {
        Ok(self.state().seed)
    }
}

/// Waits for one poll, as what asks the system does.
async fn pause() {
    let mut waited = false;
    poll_fn(|cx| {
        if waited {
            return Poll::Ready(());
        }
        waited = true;
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// An attempt to connect that has neither ended nor been dropped.
struct Attempt(Machine);

impl Attempt {
    fn new(machine: &Machine, to: IpAddr) -> Self {
        let mut state = machine.state();
        let now = Duration::from_micros(state.now);
        state.attempts.push((now, to));
        state.connecting += 1;
        drop(state);
        Self(machine.clone())
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        self.0.state().connecting -= 1;
    }
}

struct Sleep {
    machine: Machine,
    key: (u64, u64),
}

impl Future for Sleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut state = self.machine.state();
        if state.awake() >= self.key.0 {
            return Poll::Ready(());
        }
        state.timers.insert(self.key, cx.waker().clone());
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        let mut state = self.machine.state();
        state.timers.remove(&self.key);
        state.sleeps -= 1;
    }
}
