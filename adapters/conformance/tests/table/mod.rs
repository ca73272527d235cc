//! What a hostile server does, each way on its own line.

mod calls;
mod control;
mod details;
mod frames;
mod json;
mod messages;
mod recovery;
pub(crate) mod report;
pub(crate) mod run;
mod upgrade;

use std::io;
use std::time::Duration;

use ringcentral_ws_conformance::peer::{Link, RawFrame};

/// Where the attack begins. Up to there the server is a good one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// The call for a WebSocket token.
    Token,
    /// The request for a WebSocket.
    Upgrade,
    /// The WebSocket is open, and ConnectionDetails is awaited.
    Open,
    /// ConnectionDetails was sent, and a subscription will be asked for.
    Connected,
    /// The subscription was confirmed.
    Live,
    /// A second connection presents the handle of the first one, and is open.
    Recovery,
}

/// What the application does meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum App {
    /// It takes its events.
    Listens,
    /// It makes a request over the socket, and waits for its end.
    Asks,
    /// The same, with a request of so many bytes.
    Sends(usize),
    /// It takes no event for so many milliseconds.
    Sleeps(u64),
}

/// What is left when the attack is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Then {
    /// The client works on: a notification comes through.
    Recovers,
    /// The client waits as long as the server asked it to.
    Waits,
    /// The session has ended for good.
    Ends,
}

/// One way to be hostile.
pub(crate) struct Behaviour {
    pub(crate) name: &'static str,
    pub(crate) stage: Stage,
    pub(crate) app: App,
    pub(crate) attack: fn(&mut Link<'_>) -> io::Result<()>,
    /// The beginnings of the lines that report it; one of them must come in time.
    pub(crate) expect: &'static [&'static str],
    pub(crate) then: Then,
}

/// Every function of a stage takes the name of a behaviour, the lines that are expected, and the attack.
macro_rules! stages {
    ($($function:ident: $stage:ident,)*) => {$(
        const fn $function(
            name: &'static str,
            expect: &'static [&'static str],
            attack: fn(&mut Link<'_>) -> io::Result<()>,
        ) -> Behaviour {
            Behaviour { name, stage: Stage::$stage, app: App::Listens, attack, expect, then: Then::Recovers }
        }
    )*};
}

stages! {
    token: Token,
    upgrade_asked: Upgrade,
    open: Open,
    connected: Connected,
    live: Live,
    again: Recovery,
}

impl Behaviour {
    pub(crate) const fn while_it(mut self, app: App) -> Self {
        self.app = app;
        self
    }

    pub(crate) const fn then(mut self, then: Then) -> Self {
        self.then = then;
        self
    }
}

/// All of them, by group.
pub(crate) fn all() -> Vec<(&'static str, Vec<Behaviour>)> {
    vec![
        ("The call for a token: HTTP", calls::all()),
        ("The call for a token: what it says", json::all()),
        ("The upgrade", upgrade::all()),
        ("Before the connection is confirmed", details::all()),
        ("Live: control frames", control::all()),
        ("Live: frames and TCP", frames::all()),
        ("Live: messages", messages::all()),
        ("Recovery", recovery::all()),
    ]
}

/// The pause of those who dribble.
const SLOWLY: Duration = Duration::from_millis(100);

/// A lost message, which may have been a notification.
const GAP: &[&str] = &["gap unreadable_frame"];

/// The end of the connection.
const GONE: &[&str] = &["disconnected"];

/// A failed attempt, with the time of the next one.
const RETRY: &[&str] = &["retry "];

/// A notification that came on the attacked connection itself: the attack changed nothing.
const HARMLESS: &[&str] = &["notification uuid-after"];

/// Shows that the connection goes on, and serves it.
fn go_on(link: &mut Link<'_>) -> io::Result<()> {
    let bytes = link.notification("after");
    link.send(bytes)?;
    link.serve()
}

/// This frame, and then nothing.
fn only(link: &mut Link<'_>, frame: &RawFrame) -> io::Result<()> {
    link.frame(frame)?;
    link.hold()
}

/// A message with so many bytes between two texts, written in pieces, so that the server itself holds little.
fn filled(link: &mut Link<'_>, start: &str, size: usize, end: &str) -> io::Result<()> {
    link.send(RawFrame::text("").claiming((start.len() + size + end.len()) as u64).bytes())?;
    link.send(start)?;
    link.fill(b'x', size)?;
    link.send(end)
}
