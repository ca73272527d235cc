//! What a session must do, written from the clauses in the smallest way: plain states, a table of timers, lists. It
//! knows nothing of frames, ids or encodings, and shares no code with core.
//!
//! Two things a session decides by chance, and the model only bounds: when a lost connection and a refused
//! subscription are tried again.
//!
//! Not modelled: the budgets (the settings make them endless; the simulator watches them), pauses that a server asks
//! for, the age of connections and access tokens, sleeps and changes of the network, snapshots and what is made of
//! them.

mod link;
mod repeats;
mod subs;
mod tokens;
mod window;

use std::collections::{BTreeMap, BTreeSet};

use self::repeats::{Repeats, Trial};
use self::subs::Subs;
use self::tokens::Access;
use self::window::Choice;
pub(crate) use self::window::Cost;

/// Microseconds.
pub(crate) type Time = u64;

const SECOND: Time = 1_000_000;
/// Settings that differ from the defaults, for the session as well.
pub(crate) const RECOVERY_WINDOW: Time = 40 * SECOND;
pub(crate) const BUFFER: usize = 3;
pub(crate) const BAD_FRAMES: usize = 3;
const TIMEOUT: Time = 60 * SECOND;

/// What the session is given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum In {
    Connect,
    Subscribe,
    Unsubscribe,
    Request,
    Cancel(u64),
    Recover,
    /// `true`: revoke.
    Close(bool),
    Tick,
    Authorized,
    LoginFailed(Cost),
    Token(String),
    TokenFailed(Cost),
    /// 401 to the call for a token.
    TokenRefused,
    Opened,
    /// The status of a server that had seen the token.
    OpenFailed(Option<u16>),
    /// The socket is gone: with a close code, or without a word.
    Gone(Option<u16>),
    /// ConnectionDetails: what it says of a recovery, and the handle it brings.
    Details(Option<bool>, Option<String>),
    /// `WSG-400` in its place.
    Malformed,
    /// `WSG-902`.
    Idle,
    Notification(u8, Option<String>),
    /// The answer to the so-manieth heartbeat.
    Echo(u64),
    /// The answer to the subscription call: an id where there is one, or a status.
    Answer(Result<Option<String>, u16>),
    /// The answer to a request.
    Reply(u64),
    Garbage,
}

/// What it puts out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Out {
    Login,
    TokenCall,
    Abort,
    Open {
        token: String,
        wsc: Option<String>,
    },
    Heartbeat,
    Post,
    Resubscribe,
    Put(String),
    Delete(String),
    Request(u64),
    Close,
    Drop,
    Connected(&'static str),
    Subscribed(String),
    /// `true`: it will be tried again.
    Refused(bool),
    Unsubscribed,
    Notification(u8),
    Gap(&'static str, Option<u8>),
    Recovered,
    RecoveryFailed,
    Retry(u32),
    Ended(u64, &'static str),
    Disconnected,
    Bad,
    Closed(&'static str),
}

/// In the order in which those due at the same time act.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Timer {
    Retry,
    TokenCall,
    Login,
    Handshake,
    Heartbeat,
    Liveness,
    Replay,
    Close,
    Subscribe,
    Request,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    Idle,
    Waiting,
    Login,
    Fetching,
    /// `true`: with a handle to recover by.
    Opening(bool),
    Handshaking(bool),
    Ready,
    Closing,
    Closed,
}

/// How a connection that was ready ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Loss {
    /// No word of the server, neither then nor before.
    Silent,
    /// A heartbeat was not answered.
    Dead,
    /// A close frame with this code.
    Closed(u16),
    /// Given up here.
    Own,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Slot {
    Awaited(Time),
    /// It ended here; the server may answer until then.
    Abandoned(Time),
}

/// A replay under way: room left in the server's buffer, and what came of it, with losses in between.
#[derive(Clone, Debug, Default)]
struct Replay {
    left: usize,
    held: Vec<u8>,
    /// Before so many of them.
    losses: Vec<(usize, &'static str)>,
}

/// The model.
#[derive(Clone, Debug)]
pub(crate) struct Model {
    pub(crate) now: Time,
    pub(crate) phase: Phase,
    pub(crate) timers: BTreeMap<Timer, Time>,
    /// Chosen by chance, within this.
    pub(crate) chance: BTreeMap<Timer, Choice>,
    out: Vec<Out>,
    /// `true`: revoke.
    pub(crate) ending: Option<bool>,
    access: Access,
    /// A token that nobody has seen, and when it gets too old.
    token: Option<(String, Time)>,
    /// The one in the opening socket.
    carried: Option<(String, Time)>,
    asked: Time,
    wsc: Option<String>,
    last_seen: Time,
    /// When the server closed the connection with a code.
    closed_at: Option<Time>,
    /// When the loss was noticed, or the first connection asked for.
    lost_at: Time,
    last_sent: Time,
    pub(crate) attempt: u32,
    trial: Trial,
    repeats: Repeats,
    /// The session was lost before this connection.
    was_lost: bool,
    bad: usize,
    heartbeats: u64,
    fence: Option<u64>,
    pub(crate) subs: Subs,
    slots: BTreeMap<u64, Slot>,
    requests: u64,
    seen: BTreeSet<u8>,
    last: Option<u8>,
    gap: Option<&'static str>,
    replay: Option<Replay>,
}

impl Model {
    pub(crate) fn new(now: Time) -> Self {
        Self {
            now,
            phase: Phase::Idle,
            timers: BTreeMap::new(),
            chance: BTreeMap::new(),
            out: Vec::new(),
            ending: None,
            access: Access::default(),
            token: None,
            carried: None,
            asked: 0,
            wsc: None,
            last_seen: now,
            closed_at: None,
            lost_at: now,
            last_sent: now,
            attempt: 0,
            trial: Trial::default(),
            repeats: Repeats::default(),
            was_lost: false,
            bad: 0,
            heartbeats: 0,
            fence: None,
            subs: Subs::default(),
            slots: BTreeMap::new(),
            requests: 0,
            seen: BTreeSet::new(),
            last: None,
            gap: None,
            replay: None,
        }
    }

    /// What the session must put out.
    pub(crate) fn apply(&mut self, now: Time, input: In) -> Vec<Out> {
        self.now = now;
        let is_frame = matches!(
            input,
            In::Details(..)
                | In::Malformed
                | In::Idle
                | In::Notification(..)
                | In::Echo(_)
                | In::Answer(_)
                | In::Reply(_)
                | In::Garbage
        );
        if is_frame {
            self.sign_of_life();
        }
        // What has ended needs no end by a timer, and what is there is read before one drops its connection.
        let ended = matches!(
            input,
            In::Authorized
                | In::LoginFailed(_)
                | In::Token(_)
                | In::TokenFailed(_)
                | In::TokenRefused
                | In::OpenFailed(_)
                | In::Gone(_)
        );
        let first = is_frame || ended;
        if !first {
            self.run_timers();
        }
        self.take(input);
        if first {
            self.run_timers();
        }
        std::mem::take(&mut self.out)
    }

    fn take(&mut self, input: In) {
        match input {
            _ if self.phase == Phase::Closed => {}
            In::Tick => {}
            In::Connect | In::Recover => {
                if self.phase == Phase::Idle {
                    self.lost_at = self.now;
                }
                if matches!(self.phase, Phase::Idle | Phase::Waiting) {
                    self.attempt_now();
                }
            }
            In::Subscribe => self.subscribe(),
            In::Unsubscribe => self.unsubscribe(),
            In::Request => self.request(),
            In::Cancel(request) => self.abandon(request, "cancelled"),
            In::Close(revoke) => self.close(revoke),
            In::Authorized => self.authorized(),
            In::LoginFailed(cost) => {
                self.timers.remove(&Timer::Login);
                self.failed(cost);
            }
            In::Token(token) => self.token_came(token),
            In::TokenFailed(cost) => {
                self.timers.remove(&Timer::TokenCall);
                self.failed(cost);
            }
            In::TokenRefused => self.token_refused(),
            In::Opened => self.opened(),
            In::OpenFailed(status) => self.open_failed(status),
            In::Gone(code) => self.gone(code),
            frame => self.frame(frame),
        }
    }

    fn run_timers(&mut self) {
        loop {
            let due = self.timers.iter().map(|(timer, at)| (*at, *timer)).min().filter(|(at, _)| *at <= self.now);
            let Some((_, timer)) = due else { return };
            self.timers.remove(&timer);
            match timer {
                Timer::Retry => self.attempt_now(),
                Timer::TokenCall => {
                    self.put(Out::Abort);
                    self.failed(Cost::Call);
                }
                Timer::Login => self.failed(Cost::Call),
                Timer::Handshake => {
                    if self.phase == Phase::Handshaking(true) && self.subs.may_be_active() {
                        self.lost("in_flight");
                    }
                    self.drop_socket();
                    self.failed(Cost::Call);
                }
                Timer::Heartbeat => {
                    self.heartbeat();
                    self.arm(Timer::Liveness, 10 * SECOND);
                }
                Timer::Liveness => self.lose(Loss::Dead, true),
                Timer::Replay => self.replay_is_late(),
                Timer::Close => self.close_is_late(),
                Timer::Subscribe if self.subs.is_calling() => self.lose(Loss::Silent, true),
                Timer::Subscribe => self.step(),
                Timer::Request => self.requests_are_late(),
            }
        }
    }

    fn put(&mut self, out: Out) {
        self.out.push(out);
    }

    fn arm(&mut self, timer: Timer, after: Time) {
        self.timers.insert(timer, self.now + after);
    }

    /// The time of this timer is the session's choice.
    fn leave_to_chance(&mut self, timer: Timer, choice: Choice) {
        self.timers.insert(timer, Time::MAX);
        self.chance.insert(timer, choice);
    }

    /// The session chose.
    pub(crate) fn chosen(&mut self, timer: Timer, at: Time, reason: &str) -> Result<(), String> {
        let Some(choice) = self.chance.remove(&timer) else { return Err(format!("{timer:?} was not to be chosen")) };
        if !choice.allows(at, reason) {
            return Err(format!("{timer:?} at {at} for {reason}, now is {}, and it may be {choice:?}", self.now));
        }
        self.timers.insert(timer, at.max(self.now + 1));
        Ok(())
    }

    /// The session chose not to wait at all, and goes on.
    pub(crate) fn retry_at_once(&mut self) -> Vec<Out> {
        if self.chance.remove(&Timer::Retry).is_some() {
            self.attempt_now();
        }
        std::mem::take(&mut self.out)
    }

    /// The next time something happens by itself.
    pub(crate) fn next(&self) -> Option<Time> {
        self.timers.values().min().copied()
    }

    /// Whether there is no snapshot, because the final one is being made (PST-5).
    pub(crate) fn is_detaching(&self) -> bool {
        self.phase == Phase::Closing && self.ending == Some(false)
    }

    /// Requests that have a place on the socket.
    pub(crate) fn open_requests(&self) -> Vec<u64> {
        self.slots.keys().copied().collect()
    }
}

// REST over the socket (REQ).
impl Model {
    fn request(&mut self) {
        self.requests += 1;
        self.slots.insert(self.requests, Slot::Awaited(self.now + TIMEOUT));
        self.last_sent = self.now;
        self.put(Out::Request(self.requests));
        self.plan_requests();
    }

    fn abandon(&mut self, request: u64, how: &'static str) {
        if let Some(slot @ Slot::Awaited(_)) = self.slots.get_mut(&request) {
            *slot = Slot::Abandoned(self.now + TIMEOUT);
            self.put(Out::Ended(request, how));
        }
        self.plan_requests();
    }

    fn reply(&mut self, request: u64) {
        if let Some(Slot::Awaited(_)) = self.slots.remove(&request) {
            self.put(Out::Ended(request, "response"));
        }
        self.step();
        self.plan_requests();
    }

    fn requests_are_late(&mut self) {
        let now = self.now;
        self.slots.retain(|_, slot| !matches!(slot, Slot::Abandoned(until) if *until <= now));
        let late = self.slots.iter().filter(|(_, slot)| matches!(slot, Slot::Awaited(until) if *until <= now));
        for request in late.map(|(request, _)| *request).collect::<Vec<_>>() {
            self.abandon(request, "timed_out");
        }
        self.step();
        self.plan_requests();
    }

    /// What was in flight may have run.
    fn requests_are_lost(&mut self) {
        for (request, slot) in std::mem::take(&mut self.slots) {
            if let Slot::Awaited(_) = slot {
                self.put(Out::Ended(request, "unknown"));
            }
        }
        self.plan_requests();
    }

    fn plan_requests(&mut self) {
        let times = self.slots.values().map(|slot| match slot {
            Slot::Awaited(at) | Slot::Abandoned(at) => *at,
        });
        match times.min() {
            Some(at) => self.timers.insert(Timer::Request, at.max(self.now + 1)),
            None => self.timers.remove(&Timer::Request),
        };
    }
}
