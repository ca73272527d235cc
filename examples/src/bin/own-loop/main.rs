//! A loop of its own around `Session`, without a client: one thread, one socket with a time-out, HTTPS calls that block.
//!
//!     cargo run -p ringcentral-ws-examples --bin own-loop
//!
//! It prints incoming SMS. It needs `WebSocket Subscriptions` and `Read Messages`. While a call blocks nothing is read, so
//! a program with much to do makes calls on threads, as adapters/ports/mio does. core/PORTING.md has every rule.

mod socket;

use std::error::Error;
use std::io::ErrorKind;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ringcentral_ws::blocking::{HttpsSender, https_client};
use ringcentral_ws::*;
use tungstenite::{Error as WsError, Message, protocol::CloseFrame};

use crate::socket::{Socket, failure, open};

struct Loop {
    session: Session,
    began: Instant,
    login: Login,
    budget: TokenBudget,
    https: Arc<dyn HttpsSender>,
    socket: Option<(ConnId, Socket)>,
}

impl Loop {
    fn now(&self) -> Timestamp {
        Timestamp::ZERO.after(self.began.elapsed())
    }

    fn feed(&mut self, input: Input<'_>) {
        self.session.handle_input(input, self.now()).expect("drained in every turn");
    }

    /// Does what the session wants, then waits for what it waits for. `false` when it has ended.
    fn turn(&mut self) -> bool {
        let wait = loop {
            match self.session.poll_output() {
                Output::Action(action) => self.act(action),
                Output::Event(Event::Notification(n)) => println!("{} {}", n.event(), n.body()),
                Output::Event(Event::SnapshotChanged) => {}
                Output::Event(event) => eprintln!("{event}"),
                Output::Wait(wait) => break wait,
            }
        };
        let pause = match wait {
            Wait::Finished => return false,
            Wait::ForInput => Duration::from_secs(3600),
            Wait::Until { at, .. } => at.since(self.now()),
        };
        let Some((conn, Socket(socket, tcp))) = &mut self.socket else {
            std::thread::sleep(pause);
            self.feed(Input::Timeout);
            return true;
        };
        let conn = *conn;
        // What has come is read before a timer acts, also when that is due.
        let _ = tcp.set_read_timeout(Some(pause.max(Duration::from_millis(1))));
        match socket.read() {
            Ok(Message::Text(text)) => self.feed(Input::Frame { conn, frame: Frame::Text(text.as_str()) }),
            Ok(Message::Binary(bytes)) => self.feed(Input::Frame { conn, frame: Frame::Binary(&bytes) }),
            Ok(Message::Close(frame)) => self.ended(conn, frame),
            Ok(_) => self.feed(Input::Frame { conn, frame: Frame::Control }),
            Err(WsError::Io(error)) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                self.feed(Input::Timeout);
            }
            Err(error) => {
                if !matches!(error, WsError::ConnectionClosed | WsError::AlreadyClosed) {
                    // It may have been a notification, whole or in part: the session reports a gap.
                    self.feed(Input::Frame { conn, frame: Frame::Unreadable(Unreadable::Other) });
                }
                self.ended(conn, None);
            }
        }
        true
    }

    fn ended(&mut self, conn: ConnId, frame: Option<CloseFrame>) {
        self.socket = None;
        let reason = frame.as_ref().map_or("", |frame| frame.reason.as_str()).into();
        self.feed(Input::Closed { conn, close: CloseInfo { code: frame.map(|frame| frame.code.into()), reason } });
    }

    fn act(&mut self, action: Action) {
        match action {
            Action::Authorize { id, reason, last } => {
                let mut step = self.login.begin(reason, last.as_ref(), &self.budget, self.now());
                while let LoginStep::Call(request) = step {
                    step = self.login.answered(self.https.send(*request), &self.budget, self.now());
                }
                match step {
                    LoginStep::Token { token, .. } => self.feed(Input::Authorized { id, token }),
                    LoginStep::Failed(failure) => self.feed(Input::AuthorizeFailed { id, failure }),
                    LoginStep::Call(_) => unreachable!(),
                }
            }
            Action::Http { id, request, .. } => match self.https.send(*request) {
                Ok(response) => self.feed(Input::HttpResponse { id, response: Box::new(response) }),
                Err(failure) => self.feed(Input::HttpFailed { id, failure }),
            },
            Action::Open { conn, url } => match open(&url) {
                Ok(socket) => {
                    self.socket = Some((conn, socket));
                    self.feed(Input::Opened { conn });
                }
                Err(error) => self.feed(Input::OpenFailed { conn, failure: failure(&*error) }),
            },
            // What cannot be written shows when the socket is read.
            Action::Send { text, .. } | Action::Resubscribe { text, .. } => {
                let _ = self.socket.as_mut().map(|(_, Socket(socket, _))| socket.send(Message::text(text)));
            }
            Action::Close { code, reason, .. } => {
                let frame = CloseFrame { code: code.into(), reason: reason.into() };
                let _ = self.socket.as_mut().map(|(_, Socket(socket, _))| socket.close(Some(frame)));
            }
            Action::Drop { .. } => self.socket = None,
            // Calls block, so none is under way.
            Action::AbortHttp { .. } => {}
        }
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let login = Login::from_vars(|name| std::env::var(name).ok())?;
    let config = Config { server: login.app().server.clone(), ..Config::default() };
    let unix = UnixMillis(u64::try_from(std::time::UNIX_EPOCH.elapsed()?.as_millis())?);
    let session = Session::new(config, fastrand::u64(..), ClockReading { now: Timestamp::ZERO, unix });
    let https = https_client(IoLimits::default(), None)?;
    let began = Instant::now();
    let mut it = Loop { session, began, login, budget: TokenBudget::default(), https, socket: None };
    it.session.subscribe(Filters::new([Filter::sms()])?, it.now())?;
    it.session.connect(it.now())?;
    while it.turn() {}
    Err("the session has ended".into())
}
