//! The loop: one call of the page is one input or command, and what comes of it.

use std::fmt::Display;
use std::time::Duration;

use ringcentral_ws_core::Identity;
use ringcentral_ws_core::{
    AccessToken, Action, AuthFailure, AuthFailureKind, AuthId, Body, ClockReading, Close, CloseInfo, Config, ConnId,
    Event, Filters, Frame, HttpFailure, HttpId, Input, OpenFailure, Output, Phase, ProtocolError, RequestId, Session,
    Snapshot, Timestamp, UnixMillis, Wait,
};
use serde_json::{Map, Value, json};

use crate::call::{Call, Mode, Request, Start, What};
use crate::output;

/// A Session that a page talks to in JSON. It knows nothing of browsers, so it is tested without one.
#[derive(Default)]
pub struct Port {
    session: Option<Session>,
}

/// Members of an answer, or why there is none.
type Answer = Result<Map<String, Value>, String>;

impl Port {
    /// Carries out one call. The answer holds `out`, all actions and events in order, and `wait`: `until` with the time
    /// `at`, `for_input` or `finished`. A command that makes something also gets its `id`. Or the answer holds only
    /// `error`: then nothing has changed.
    pub fn call(&mut self, call: &str) -> String {
        // Not the parser's own words: they may quote a token.
        let call = serde_json::from_str::<Call>(call)
            .map_err(|error| format!("not a call, line {} column {}", error.line(), error.column()));
        match call.and_then(|call| self.run(call)) {
            Ok(answer) => Value::Object(answer).to_string(),
            Err(error) => json!({ "error": error }).to_string(),
        }
    }

    fn run(&mut self, call: Call) -> Answer {
        // Saturates, and what is no number is zero.
        let now = Timestamp::from_micros((call.now * 1000.0) as u64);
        let mut answer = Map::new();
        if let What::Start(start) = call.what {
            answer.insert("restored".to_owned(), self.start(start, now)?);
        } else {
            let session = self.session.as_mut().ok_or("the session has not been started")?;
            if let What::Snapshot = call.what {
                let snapshot = session.snapshot().map(|snapshot| snapshot.to_json());
                return Ok(Map::from_iter([("snapshot".to_owned(), json!(snapshot))]));
            }
            if let Some(id) = perform(session, call.what, now)? {
                answer.insert("id".to_owned(), json!(id));
            }
        }
        let session = self.session.as_mut().ok_or("the session has not been started")?;
        drain(session, now, &mut answer);
        Ok(answer)
    }

    /// Begins with the snapshot if it can be used. Returns whether it was: `true`, or `false`, or the reason why not.
    fn start(&mut self, start: Start, now: Timestamp) -> Result<Value, String> {
        if self.session.is_some() {
            return Err("the session has been started before".to_owned());
        }
        let mut config = Config {
            server: start.server.parse().map_err(|error| format!("`server` is not a URL: {error}"))?,
            rest_over_websocket: start.rest_over_websocket,
            allow_insecure: start.allow_insecure,
            websocket_hosts: start.websocket_hosts,
            ..Config::default()
        };
        config.identity = start.user.map(|user| Identity::named(&config.server, "", &user));
        config.retry.auth_calls_per_minute = start.auth_calls_per_minute.unwrap_or(config.retry.auth_calls_per_minute);
        let clock = ClockReading { now, unix: UnixMillis(start.unix) };
        let restored = start.snapshot.map(|text| {
            Snapshot::from_json(&text)
                .and_then(|snapshot| Session::restore(config.clone(), snapshot, start.seed, clock))
        });
        let (session, used) = match restored {
            Some(Ok(session)) => (session, json!(true)),
            Some(Err(why)) => {
                // There was a session, and what it missed is not known: that is reported as a gap.
                let lost = Snapshot::lost(&config.server, UnixMillis(0));
                (Session::restore(config, lost, start.seed, clock).map_err(text)?, json!(why.to_string()))
            }
            None => (Session::new(config, start.seed, clock), json!(false)),
        };
        let session = self.session.insert(session);
        session.connect(now).map_err(text)?;
        Ok(used)
    }
}

/// A command or an input. The number is that of what a command made.
fn perform(session: &mut Session, what: What, now: Timestamp) -> Result<Option<u64>, String> {
    match what {
        What::Subscribe { filters } => {
            let filters = Filters::new(filters).map_err(text)?;
            return Ok(Some(session.subscribe(filters, now).map_err(text)?.get()));
        }
        What::Request(request) => {
            let request = build(request)?;
            return Ok(Some(session.request(request, now).map_err(text)?.get()));
        }
        What::Unsubscribe => session.unsubscribe(now).map_err(text)?,
        What::Cancel { id } => session.cancel(RequestId::from(id), now).map_err(text)?,
        What::SnapshotStored => session.snapshot_stored(now).map_err(text)?,
        What::Recover => session.recover(now).map_err(text)?,
        What::Close { mode: Mode::Revoke } => session.close(Close::Revoke, now).map_err(text)?,
        What::Close { mode: Mode::Detach } => session.close(Close::Detach, now).map_err(text)?,
        What::Text { conn, text: frame } => {
            let frame = Frame::Text(&frame);
            session.handle_input(Input::Frame { conn: ConnId::from(conn), frame }, now).map_err(text)?;
        }
        other => session.handle_input(input(other)?, now).map_err(text)?,
    }
    Ok(None)
}

fn input(what: What) -> Result<Input<'static>, String> {
    Ok(match what {
        What::Authorized { id, token, expires_in } => {
            let token =
                AccessToken { secret: token.into(), expires_in: expires_in.map(Duration::from_secs), cached: false };
            Input::Authorized { id: AuthId::from(id), token }
        }
        What::AuthorizeFailed { id, permanent, message } => {
            let kind = if permanent { AuthFailureKind::Permanent } else { AuthFailureKind::Other };
            let failure = AuthFailure::new(kind, message);
            Input::AuthorizeFailed { id: AuthId::from(id), failure }
        }
        What::HttpResponse { id, status, headers, body } => {
            let mut response = http::Response::builder().status(status);
            for (name, value) in headers {
                response = response.header(name, value);
            }
            let response = response.body(body.into()).map_err(|_| "not an HTTP response".to_owned())?;
            Input::HttpResponse { id: HttpId::from(id), response: Box::new(response) }
        }
        What::HttpFailed { id, not_sent, message } => {
            let failure = HttpFailure { phase: phase(not_sent), not_sent, message: message.into() };
            Input::HttpFailed { id: HttpId::from(id), failure }
        }
        What::Opened { conn } => Input::Opened { conn: ConnId::from(conn) },
        What::OpenFailed { conn, not_sent, message } => {
            let failure =
                OpenFailure { phase: phase(not_sent), status: None, retry_after: None, message: message.into() };
            Input::OpenFailed { conn: ConnId::from(conn), failure }
        }
        What::Binary { conn } => Input::Frame { conn: ConnId::from(conn), frame: Frame::Binary(&[]) },
        What::Deaf { conn } => deaf(ConnId::from(conn)),
        What::Closed { conn, code, reason } => {
            Input::Closed { conn: ConnId::from(conn), close: CloseInfo { code, reason: reason.into() } }
        }
        What::SendBlocked { conn } => Input::SendBlocked { conn: ConnId::from(conn) },
        What::SendReady { conn } => Input::SendReady { conn: ConnId::from(conn) },
        What::Network { online } => Input::NetworkChanged { online },
        What::Resumed => Input::Resumed,
        What::Timeout => Input::Timeout,
        _ => return Err("not an input".to_owned()),
    })
}

/// Messages may have been lost between the socket and the page. That counts as one that could not be read, reported
/// as a `Gap` if the session goes on.
fn deaf(conn: ConnId) -> Input<'static> {
    Input::Frame { conn, frame: Frame::TooLarge(0) }
}

/// A page does not learn how far a failed attempt came: unless it did not begin, the server may have seen it.
fn phase(not_sent: bool) -> Phase {
    if not_sent { Phase::Dns } else { Phase::Request }
}

fn build(request: Request) -> Result<http::Request<Body>, String> {
    let mut built = http::Request::builder().method(request.method.as_str()).uri(request.path);
    for (name, value) in request.headers {
        built = built.header(name, value);
    }
    built.body(Body::from(request.body)).map_err(|error| format!("the request cannot be written: {error}"))
}

/// Everything up to `Wait`.
fn drain(session: &mut Session, now: Timestamp, answer: &mut Map<String, Value>) {
    let mut out = Vec::new();
    let wait = loop {
        match session.poll_output() {
            Output::Action(action) => {
                let closing = if let Action::Close { conn, .. } = action { Some(conn) } else { None };
                out.push(output::action(action));
                if let Some(conn) = closing {
                    // A browser discards what arrives after `close()`. At most one such input for each `Close`, so
                    // there is room for it.
                    let _ = session.handle_input(deaf(conn), now);
                }
            }
            // That of `deaf`.
            Output::Event(Event::ProtocolError { error: ProtocolError::TooLarge(0), .. }) => {}
            Output::Event(event) => out.push(output::event(&event)),
            Output::Wait(wait) => break wait,
        }
    };
    answer.insert("out".to_owned(), Value::Array(out));
    answer.insert("wait".to_owned(), wait_word(wait));
    if let Wait::Until { at, .. } = wait {
        answer.insert("at".to_owned(), json!(output::millis(at)));
    }
}

fn wait_word(wait: Wait) -> Value {
    json!(match wait {
        Wait::Until { .. } => "until",
        Wait::ForInput => "for_input",
        Wait::Finished => "finished",
    })
}

fn text(error: impl Display) -> String {
    error.to_string()
}
