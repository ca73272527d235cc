#![doc = include_str!("../../../../core/PORTING.md")]

mod dial;
mod link;

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use http::{Request, Response};
use mio::{Events, Poll, Token, Waker};
use ringcentral_ws_adapter::{Incoming, MessageLimits};
use ringcentral_ws_api::{ClientApp, TokenSet};
use ringcentral_ws_core::{
    AccessToken, Action, AuthFailure, AuthId, ClockReading, Config, ConnId, Event, Frame, HttpFailure, HttpId, Input,
    Masker, Output, Phase, Secret, Session, TimerKind, Timestamp, UnixMillis, Wait,
};

use crate::link::{Arrival, Link};

const WAKE: Token = Token(0);
const SOCKET: Token = Token(1);
/// Largest answer to an HTTP call, in bytes.
const MAX_ANSWER: u64 = 16 << 20;

/// What a helping thread brings back.
enum Done {
    Auth(AuthId, Result<AccessToken, AuthFailure>),
    Http(HttpId, Result<Response<Bytes>, HttpFailure>),
}

/// A Session on a mio loop, in the thread that calls [`turn`](Port::turn).
pub struct Port {
    /// For commands: `port.session.subscribe(filters, port.now())`. The next turn carries them out.
    pub session: Session,
    began: Instant,
    poll: Poll,
    ready: Events,
    link: Link,
    /// What a message may cost.
    message: MessageLimits,
    app: ClientApp,
    jwt: Secret,
    waker: Arc<Waker>,
    done: Receiver<Done>,
    completions: Sender<Done>,
}

impl Port {
    /// A session that logs in to `app` with `jwt`; it has not begun to connect.
    ///
    /// # Errors
    ///
    /// When the system has no poller to give.
    pub fn new(app: ClientApp, jwt: Secret, config: Config, seed: u64) -> io::Result<Self> {
        let poll = Poll::new()?;
        let waker = Arc::new(Waker::new(poll.registry(), WAKE)?);
        let (completions, done) = channel();
        let wall = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let unix = UnixMillis(u64::try_from(wall.as_millis()).unwrap_or(u64::MAX));
        let identity = config.identity.or_else(|| Some(app.jwt_identity(&jwt)));
        let config = Config { server: app.server.clone(), identity, ..config };
        let message = MessageLimits::of(&config);
        let session = Session::new(config, seed, ClockReading { now: Timestamp::ZERO, unix });
        let ready = Events::with_capacity(8);
        Ok(Self {
            session,
            began: Instant::now(),
            poll,
            ready,
            link: Link::None,
            message,
            app,
            jwt,
            waker,
            done,
            completions,
        })
    }

    /// The time as the Session counts it.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        Timestamp::ZERO.after(self.began.elapsed())
    }

    /// One turn of the loop: carry out what the Session wants, wait, tell it what happened. The events go to `tell`,
    /// which may give commands. `false` when the session has ended.
    ///
    /// # Errors
    ///
    /// When the poller fails.
    pub fn turn(&mut self, tell: &mut dyn FnMut(&mut Self, Event)) -> io::Result<bool> {
        let wait = loop {
            match self.session.poll_output() {
                Output::Action(action) => self.act(action),
                Output::Event(event) => tell(self, event),
                Output::Wait(wait) => break wait,
            }
        };
        let limit = match wait {
            Wait::Finished => return Ok(false),
            Wait::ForInput => None,
            Wait::Until { at, .. } => Some(at.since(self.now())),
        };
        // What was written to the socket's queue leaves now, and what came with it is looked at before any timer.
        let mut happened = self.look();
        if !happened {
            let limit = limit.into_iter().chain(self.link.wait()).min();
            match self.poll.poll(&mut self.ready, limit) {
                Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error),
                _ => happened = self.look(),
            }
        }
        if !happened {
            self.due(wait);
        }
        Ok(true)
    }

    /// What came of a message is lost with a connection that has fallen silent, and the next look reports that first.
    fn due(&mut self, wait: Wait) {
        let silent = matches!(wait, Wait::Until { at, reason: TimerKind::Liveness } if at <= self.now());
        if !silent || !self.link.gives_up_within_message() {
            self.feed(Input::Timeout);
        }
    }

    /// Starts what takes time, does what does not.
    fn act(&mut self, action: Action) {
        match action {
            Action::Authorize { id, .. } => {
                let (request, masker) = (self.app.jwt_request(&self.jwt), self.app.masker());
                self.help(move || Done::Auth(id, login(request, masker)));
            }
            Action::Http { id, request, .. } => self.help(move || Done::Http(id, call(*request))),
            // The call's thread ends by itself; its answer names an id that is no longer awaited.
            Action::AbortHttp { .. } => {}
            Action::Open { conn, url } => {
                if let Err(failure) = self.link.open(conn, &url, self.poll.registry(), SOCKET) {
                    self.feed(Input::OpenFailed { conn, failure });
                }
            }
            Action::Send { conn, text, .. } | Action::Resubscribe { conn, text } => {
                if let Some(socket) = self.link.socket(conn) {
                    socket.queue_text(text);
                }
            }
            Action::Close { conn, code, reason } => {
                if let Some(socket) = self.link.socket(conn) {
                    socket.queue_close(code, reason);
                }
            }
            Action::Drop { conn } => self.link.drop_if(conn),
        }
    }

    /// Gives the Session everything that has happened. Whether anything had.
    fn look(&mut self) -> bool {
        let mut happened = false;
        while let Ok(done) = self.done.try_recv() {
            happened = true;
            match done {
                Done::Auth(id, Ok(token)) => self.feed(Input::Authorized { id, token }),
                Done::Auth(id, Err(failure)) => self.feed(Input::AuthorizeFailed { id, failure }),
                Done::Http(id, Ok(response)) => self.feed(Input::HttpResponse { id, response: Box::new(response) }),
                Done::Http(id, Err(failure)) => self.feed(Input::HttpFailed { id, failure }),
            }
        }
        // One arrival a turn: what it causes goes out before the next is read.
        if let Some((conn, arrival)) = self.link.look(self.now(), self.message) {
            happened = true;
            match arrival {
                Arrival::Opened => self.feed(Input::Opened { conn }),
                Arrival::OpenFailed(failure) => self.feed(Input::OpenFailed { conn, failure }),
                // Timers have their turn, however long the peer goes on without finishing one.
                Arrival::Part => self.feed(Input::Timeout),
                Arrival::Incoming(incoming) => self.incoming(conn, incoming),
            }
        }
        happened
    }

    fn incoming(&mut self, conn: ConnId, incoming: Incoming) {
        let frame = match &incoming {
            Incoming::Text(text) => Frame::Text(text),
            Incoming::Binary(bytes) => Frame::Binary(bytes),
            Incoming::Control => Frame::Control,
            Incoming::TooLarge(size) => Frame::TooLarge(*size),
            Incoming::Unreadable(what) => Frame::Unreadable(*what),
            Incoming::Closed(close) => return self.feed(Input::Closed { conn, close: close.clone() }),
        };
        self.feed(Input::Frame { conn, frame });
    }

    /// The Session refuses only when more outputs wait than any turn here can cause.
    fn feed(&mut self, input: Input<'_>) {
        let now = self.now();
        self.session.handle_input(input, now).expect("drained in every turn");
    }

    /// HTTP may block, so it has a thread, which wakes the loop when it is done.
    fn help(&self, work: impl FnOnce() -> Done + Send + 'static) {
        let (completions, waker) = (self.completions.clone(), Arc::clone(&self.waker));
        thread::spawn(move || {
            let _ = completions.send(work());
            let _ = waker.wake();
        });
    }
}

fn login(request: Request<Bytes>, mut masker: Masker) -> Result<AccessToken, AuthFailure> {
    // A server may quote what it was sent.
    masker.learn_request(&request);
    let tokens = TokenSet::parse_masked(&call(request).map_err(AuthFailure::from)?, &masker)?;
    Ok(AccessToken { secret: tokens.access_token, expires_in: Some(tokens.expires_in), cached: false })
}

fn call(request: Request<Bytes>) -> Result<Response<Bytes>, HttpFailure> {
    // One cannot tell from outside how far it came, so it may have been sent.
    let failed =
        |error: ureq::Error| HttpFailure { phase: Phase::Request, not_sent: false, message: error.to_string().into() };
    let config = ureq::Agent::config_builder().http_status_as_error(false).max_redirects(0);
    let agent =
        config.max_redirects_will_error(false).timeout_global(Some(Duration::from_secs(60))).build().new_agent();
    let (head, body) = request.into_parts();
    let answer = if body.is_empty() {
        agent.run(Request::from_parts(head, ()))
    } else {
        agent.run(Request::from_parts(head, &body[..]))
    };
    let (head, mut body) = answer.map_err(failed)?.into_parts();
    let body = body.with_config().limit(MAX_ANSWER).read_to_vec().map_err(failed)?;
    Ok(Response::from_parts(head, body.into()))
}
