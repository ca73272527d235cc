//! A loop of its own around `Session`, without a client: one thread, one socket with a time-out, HTTPS calls that block.
//!
//!     cargo run -p ringcentral-ws-examples --bin own-loop
//!
//! It prints incoming SMS, with the app permission Read Messages. While a call blocks nothing is read: a program with much
//! to do makes calls on threads, as adapters/ports/mio does. core/PORTING.md has every rule.

use std::io::ErrorKind::{TimedOut, WouldBlock};
use std::time::{Duration, Instant, UNIX_EPOCH};
use std::{net::TcpStream, sync::Arc};

use ringcentral_ws::blocking::{HttpsSender, Jwt, carry_out, connect_tcp, https_client};
use ringcentral_ws::*;
use tungstenite::{Connector, Error as WsError, HandshakeError, Message, WebSocket, client_tls_with_config};
use tungstenite::{protocol::CloseFrame, stream::MaybeTlsStream};

struct Loop {
    session: Session,
    began: Instant,
    jwt: Jwt,
    https: Arc<dyn HttpsSender>,
    tls: Arc<rustls::ClientConfig>,
    socket: Option<(ConnId, WebSocket<MaybeTlsStream<TcpStream>>, TcpStream)>, // The last for the time-out of reads.
}

impl Loop {
    fn now(&self) -> Timestamp {
        Timestamp::ZERO.after(self.began.elapsed())
    }

    fn feed(&mut self, input: Input<'_>) {
        self.session.handle_input(input, self.now()).expect("drained in every turn");
    }

    /// Does what the session wants, then waits for what it waits for. `false` when it has ended.
    fn turn(&mut self) -> Result<bool, Error> {
        let wait = loop {
            match self.session.poll_output() {
                Output::Action(action) => self.act(action),
                Output::Event(Event::Notification(n)) => println!("{} {}", n.event(), n.body()),
                Output::Event(Event::SnapshotChanged) => {}
                Output::Event(Event::Closed { reason }) => return Ok(reason.into_result().map(|()| false)?),
                Output::Event(event) => eprintln!("{event}"),
                Output::Wait(wait) => break wait,
            }
        };
        let pause = if let Wait::Until { at, .. } = wait { at.since(self.now()) } else { Duration::from_secs(3600) };
        let Some(&mut (conn, ref mut socket, ref tcp)) = self.socket.as_mut() else {
            std::thread::sleep(pause);
            self.feed(Input::Timeout);
            return Ok(true);
        };
        // What has come is read before a timer acts, also when that is due.
        tcp.set_read_timeout(Some(pause.max(Duration::from_millis(1))))?;
        match socket.read() {
            Ok(Message::Text(text)) => self.feed(Input::Frame { conn, frame: Frame::Text(text.as_str()) }),
            Ok(Message::Binary(bytes)) => self.feed(Input::Frame { conn, frame: Frame::Binary(&bytes) }),
            Ok(Message::Close(frame)) => self.ended(conn, frame),
            Ok(_) => self.feed(Input::Frame { conn, frame: Frame::Control }),
            Err(WsError::Io(error)) if matches!(error.kind(), TimedOut | WouldBlock) => self.feed(Input::Timeout),
            Err(WsError::ConnectionClosed | WsError::AlreadyClosed) => self.ended(conn, None),
            Err(_) => {
                // It may have been a notification, whole or in part: the session reports a gap.
                self.feed(Input::Frame { conn, frame: Frame::Unreadable(Unreadable::Other) });
                self.ended(conn, None);
            }
        }
        Ok(true)
    }

    fn ended(&mut self, conn: ConnId, frame: Option<CloseFrame>) {
        self.socket = None;
        let reason = frame.as_ref().map_or("", |frame| frame.reason.as_str()).into();
        self.feed(Input::Closed { conn, close: CloseInfo { code: frame.map(|frame| frame.code.into()), reason } });
    }

    fn act(&mut self, action: Action) {
        let action = match carry_out(action, &self.jwt, &*self.https) {
            Ok(answer) => return self.feed(answer),
            Err(action) => *action,
        };
        // What cannot be written shows when the socket is read.
        let _ = match (action, &mut self.socket) {
            (Action::Open { conn, url }, _) => match self.open(conn, url.expose()) {
                Ok(()) => return self.feed(Input::Opened { conn }),
                Err(failure) => return self.feed(Input::OpenFailed { conn, failure }),
            },
            (Action::Drop { .. }, _) => return self.socket = None,
            (Action::Send { text, .. } | Action::Resubscribe { text, .. }, Some((_, s, _))) => s.send(text.into()),
            (Action::Close { code, reason, .. }, Some((_, socket, _))) => {
                socket.close(Some(CloseFrame { code: code.into(), reason: reason.into() }))
            }
            _ => Ok(()), // For a socket that has gone, or for a call: those block, so none is under way.
        };
    }

    fn open(&mut self, conn: ConnId, url: &url::Url) -> Result<(), OpenFailure> {
        let (tcp, tls) = (connect_tcp(url, &IoLimits::default())?, Connector::Rustls(Arc::clone(&self.tls)));
        let clone = tcp.try_clone().map_err(|error| OpenFailure::unknown(None, error))?;
        let failed = |error| match error {
            HandshakeError::Failure(WsError::Http(answer)) => OpenFailure::unknown(answer.status().as_u16(), "refused"),
            error => OpenFailure::unknown(None, error),
        };
        let (socket, _) = client_tls_with_config(url.as_str(), clone, None, Some(tls)).map_err(failed)?;
        self.socket = Some((conn, socket, tcp));
        Ok(())
    }
}

fn main() -> Result<(), Error> {
    let (jwt, https, tls) = (Jwt::from_env()?, https_client(IoLimits::default(), None)?, default_tls()?);
    let config = Config { server: jwt.app().server.clone(), ..Config::default() };
    let unix = UnixMillis(UNIX_EPOCH.elapsed()?.as_millis() as u64);
    let mut session = Session::new(config, fastrand::u64(..), ClockReading { now: Timestamp::ZERO, unix });
    session.subscribe(Filters::new([Filter::sms()])?, Timestamp::ZERO)?;
    session.connect(Timestamp::ZERO)?;
    let mut it = Loop { session, began: Instant::now(), jwt, https, tls, socket: None };
    while it.turn()? {}
    Ok(())
}
