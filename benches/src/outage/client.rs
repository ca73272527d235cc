//! One Session with its service, in virtual time.

use std::time::Duration;

use ringcentral_ws_core::{
    AccessToken, Action, AuthFailure, AuthId, ClockReading, Config, ConnId, Event, Filters, Frame, HttpId, Input,
    OpenFailure, Output, Purpose, Resumption, Session, Timestamp, UnixMillis, Wait,
};

use super::LATENCY;
use super::service::{HttpAnswer, Kind, Service};
use crate::message_store;

const MINUTE: Duration = Duration::from_secs(60);
const NEVER: Timestamp = Timestamp::from_micros(u64::MAX);
/// Who has not come back so long after the return never does.
pub(super) const HORIZON: Duration = Duration::from_secs(3_600);
/// When the Session is made: the driver's clock need not begin at zero.
const BIRTH: Timestamp = Timestamp::from_secs(1_000);

/// What the server sends before the loss.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Traffic {
    /// A notification every second.
    Busy,
    /// One notification at a random moment of the first 30 s, then only echoes of heartbeats. So the last frame came at
    /// a random moment of the 30 s before the loss.
    Quiet,
}

impl Traffic {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Busy, Self::Quiet];

    /// The word for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        if let Self::Busy = self { "busy" } else { "quiet" }
    }
}

/// A Session's life up to the loss.
#[derive(Clone, Copy, Debug)]
pub struct Life {
    /// How long it is connected before the loss.
    pub up: Duration,
    /// What it receives meanwhile.
    pub traffic: Traffic,
}

/// An answer under way to the Session.
#[derive(Clone)]
enum Reply {
    Login(AuthId, Result<AccessToken, AuthFailure>),
    Http(HttpId, HttpAnswer),
    Open(ConnId, Result<String, OpenFailure>),
    Frame(ConnId, String),
}

/// What became of one client.
#[derive(Clone, Copy, Debug)]
pub struct Outcome {
    /// Seconds from the return of the service to `Event::Connected`; infinite if there was none.
    pub wait: f64,
    /// Attempts from the loss on: calls for a WebSocket token, and dials with a token that was kept.
    pub attempts: usize,
    /// The most calls of the Auth group in any rolling 60 s that the server may have seen.
    pub auth_calls: usize,
    /// The first new connection continued the session.
    pub recovered: bool,
}

/// One Session with its service.
#[derive(Clone)]
pub struct Client {
    session: Session,
    service: Service,
    now: Timestamp,
    replies: Vec<(Timestamp, Reply)>,
    /// The socket that the server knows.
    live: Option<ConnId>,
    /// Calls of the Auth group that the server may have seen.
    auth_calls: Vec<Timestamp>,
    attempts: Vec<Timestamp>,
    /// A token call was made since the last dial: the two are one attempt.
    called: bool,
    connected: Option<(Timestamp, Resumption)>,
    subscribed: bool,
}

impl Client {
    /// A new Session, which is to connect and subscribe.
    fn new(seed: u64, config: Config) -> Self {
        let clock = ClockReading { now: BIRTH, unix: UnixMillis(1_700_000_000_000) };
        let mut it = Self {
            session: Session::new(config, seed, clock),
            service: Service::healthy(),
            now: BIRTH,
            replies: Vec::new(),
            live: None,
            auth_calls: Vec::new(),
            attempts: Vec::new(),
            called: false,
            connected: None,
            subscribed: false,
        };
        let filters = Filters::new(["/restapi/v1.0/account/~/extension/~/message-store"]).expect("a constant filter");
        it.session.subscribe(filters, BIRTH).expect("drained");
        it.session.connect(BIRTH).expect("drained");
        it
    }

    /// A Session that has just subscribed, as `sub-1`, and is drained; its connection, and the time.
    ///
    /// # Panics
    ///
    /// If the Session does not connect to a service in good health, which would be a defect of it.
    #[must_use]
    pub fn subscribed(config: Config) -> (Session, ConnId, Timestamp) {
        let mut it = Self::new(1, config);
        it.run(BIRTH.after(MINUTE), |it| it.subscribed);
        (it.session, it.live.expect("connected"), it.now)
    }

    /// A Session that has lived as `life` says. It is right before its loss, and subscribed.
    ///
    /// # Panics
    ///
    /// If the Session does not connect to a service in good health, which would be a defect of it.
    #[must_use]
    pub fn grown(seed: u64, life: Life) -> Self {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut up_to = |most: Duration| most.mul_f64(random.f64());
        let mut it = Self::new(seed, Config::default());
        it.run(BIRTH.after(MINUTE), |it| it.connected.is_some());
        let since = it.now;
        // The heartbeat has its own rhythm from the connection on: the loss comes at any moment of it.
        let loss = since.after(life.up).after(up_to(Duration::from_secs(30)));
        it.run(loss, |it| it.subscribed);
        let mut next = match life.traffic {
            Traffic::Busy => it.now.after(up_to(Duration::from_secs(1))),
            Traffic::Quiet => since.after(up_to(life.up.min(Duration::from_secs(30)))),
        };
        let mut uuid = 1_000_000_000_000_000_000;
        while next < loss {
            it.run(next, |_| false);
            it.notify(uuid);
            uuid += 1;
            next = if let Traffic::Busy = life.traffic { next.after(Duration::from_secs(1)) } else { NEVER };
        }
        it.run(loss, |_| false);
        assert!(it.live.is_some() && it.subscribed, "seed {seed} lost its connection to a service in good health");
        it.attempts.clear();
        it.auth_calls.retain(|at| loss.since(*at) <= MINUTE);
        it
    }

    /// Virtual time.
    #[must_use]
    pub const fn now(&self) -> Timestamp {
        self.now
    }

    /// The moments of its attempts from the loss on.
    #[must_use]
    pub fn attempts(&self) -> &[Timestamp] {
        &self.attempts
    }

    /// Goes on in good health until `at`.
    pub fn run_until(&mut self, at: Timestamp) {
        self.run(at, |_| false);
    }

    /// Loses the socket now, as `kind` says, and runs to the first connection after the service is back.
    pub fn lose(&mut self, kind: Kind, outage: Duration, retry_after: Duration) -> Outcome {
        let (loss, conn) = (self.now, self.live.take());
        let back = loss.after(outage);
        self.service = Service::with_outage(kind, loss, back, retry_after);
        self.replies.retain(|(_, reply)| !matches!(reply, Reply::Frame(..)));
        self.connected = None;
        if let (Some(close), Some(conn)) = (kind.end_of_socket(), conn) {
            self.give(Input::Closed { conn, close });
        }
        self.run(back.after(HORIZON), |it| it.connected.is_some());
        Outcome {
            wait: self.connected.map_or(f64::INFINITY, |(at, _)| at.since(back).as_secs_f64()),
            attempts: self.attempts.len(),
            auth_calls: most_in_a_minute(&self.auth_calls),
            recovered: matches!(self.connected, Some((_, Resumption::Recovered))),
        }
    }

    fn give(&mut self, input: Input<'_>) {
        self.session.handle_input(input, self.now).expect("drained");
    }

    fn notify(&mut self, uuid: u64) {
        if let Some(conn) = self.live {
            self.give(Input::Frame { conn, frame: Frame::Text(&message_store(uuid)) });
        }
    }

    /// Until `end`, or until `done` says so.
    fn run(&mut self, end: Timestamp, done: impl Fn(&Self) -> bool) {
        loop {
            let timer = self.drain();
            if done(self) {
                return;
            }
            let next = self.replies.iter().enumerate().map(|(i, (at, _))| (*at, i)).min();
            let at = next.map_or(timer, |(at, _)| at.min(timer));
            if at > end {
                self.now = end;
                return;
            }
            self.now = at;
            // What is there is read before a timer runs out.
            match next.filter(|(due, _)| *due <= at) {
                Some((_, i)) => {
                    let (_, reply) = self.replies.remove(i);
                    self.deliver(reply);
                }
                None => self.give(Input::Timeout),
            }
        }
    }

    fn deliver(&mut self, reply: Reply) {
        match reply {
            Reply::Login(id, Ok(token)) => self.give(Input::Authorized { id, token }),
            Reply::Login(id, Err(failure)) => self.give(Input::AuthorizeFailed { id, failure }),
            Reply::Http(id, HttpAnswer::Response { status, retry_after, body }) => {
                let response = Box::new(HttpAnswer::response(status, retry_after, body));
                self.give(Input::HttpResponse { id, response });
            }
            Reply::Http(id, HttpAnswer::Failure(failure)) => self.give(Input::HttpFailed { id, failure }),
            Reply::Open(conn, Err(failure)) => self.give(Input::OpenFailed { conn, failure }),
            Reply::Open(conn, Ok(details)) => {
                self.live = Some(conn);
                self.give(Input::Opened { conn });
                self.give(Input::Frame { conn, frame: Frame::Text(&details) });
            }
            Reply::Frame(conn, text) => self.give(Input::Frame { conn, frame: Frame::Text(&text) }),
        }
    }

    /// Carries out what the Session asks for, and says when it is to be woken.
    fn drain(&mut self) -> Timestamp {
        loop {
            match self.session.poll_output() {
                Output::Action(action) => self.act(action),
                Output::Event(Event::Connected { resumption, .. }) => {
                    self.connected = Some((self.now, resumption));
                }
                Output::Event(Event::Subscribed(_)) => self.subscribed = true,
                Output::Event(_) => {}
                Output::Wait(Wait::Until { at, .. }) => return at,
                Output::Wait(Wait::ForInput | Wait::Finished) => return NEVER,
            }
        }
    }

    fn act(&mut self, action: Action) {
        match action {
            Action::Authorize { id, reason, .. } => {
                self.count_auth_call();
                let answer = self.service.login(self.now, reason);
                self.answer(answer, |result| Reply::Login(id, result));
            }
            Action::Http { id, .. } => {
                self.count_auth_call();
                self.attempts.push(self.now);
                self.called = true;
                let answer = self.service.token_call(self.now);
                self.answer(answer, |answer| Reply::Http(id, answer));
            }
            Action::Open { conn, url } => {
                if !std::mem::take(&mut self.called) {
                    self.attempts.push(self.now);
                }
                let answer = self.service.upgrade(self.now, &url);
                self.answer(answer, |result| Reply::Open(conn, result));
            }
            Action::Send { conn, text, purpose } if self.live == Some(conn) => {
                let reply = if purpose == Purpose::Heartbeat { text } else { confirmation(&text) };
                self.answer(Some((LATENCY, reply)), |text| Reply::Frame(conn, text));
            }
            Action::Resubscribe { conn, text } if self.live == Some(conn) => {
                self.answer(Some((LATENCY, confirmation(&text))), |text| Reply::Frame(conn, text));
            }
            Action::Drop { conn } => {
                self.live = self.live.filter(|live| *live != conn);
                self.replies
                    .retain(|(_, reply)| !matches!(reply, Reply::Open(of, _) | Reply::Frame(of, _) if *of == conn));
            }
            Action::AbortHttp { id } => {
                self.replies.retain(|(_, reply)| !matches!(reply, Reply::Http(of, _) if *of == id));
            }
            _ => {}
        }
    }

    fn count_auth_call(&mut self) {
        if self.service.may_see_calls(self.now) {
            self.auth_calls.push(self.now);
        }
    }

    fn answer<T>(&mut self, answer: Option<(Duration, T)>, reply: impl FnOnce(T) -> Reply) {
        if let Some((after, answer)) = answer {
            self.replies.push((self.now.after(after), reply(answer)));
        }
    }
}

/// The server's answer to a call about the subscription.
fn confirmation(text: &str) -> String {
    let id = text.split('"').skip_while(|part| *part != "messageId").nth(2).unwrap_or_default();
    format!(r#"[{{"type":"ClientRequest","messageId":"{id}","status":200}},{{"id":"sub-1","eventFilters":["/e"]}}]"#)
}

/// The most of these, which are in order, in any rolling 60 s.
fn most_in_a_minute(times: &[Timestamp]) -> usize {
    let counts = times
        .iter()
        .enumerate()
        .map(|(i, first)| times[i..].iter().take_while(|later| later.since(*first) <= MINUTE).count());
    counts.max().unwrap_or_default()
}
