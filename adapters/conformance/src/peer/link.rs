//! One connection: its steps, and what the client asks meanwhile.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use socket2::SockRef;

use super::frame::{self, RawFrame, Received, opcode};
use super::http::Opening;
use super::{Answer, Recovery, Shared, Step};

/// How often it is looked whether a wait is over.
pub(super) const TICK: Duration = Duration::from_millis(5);

/// A text message of the client.
#[derive(Clone, Debug)]
pub struct Asked {
    /// As it came.
    pub text: String,
    /// Its first element.
    pub meta: Value,
    /// Its second one, or null.
    pub body: Value,
}

impl Asked {
    pub(super) fn read(payload: Vec<u8>) -> Result<Self, String> {
        let text = String::from_utf8(payload).map_err(|_| "a text message that is not UTF-8".to_owned())?;
        let parsed: Vec<Value> = serde_json::from_str(&text).map_err(|_| format!("no JSON array: {text}"))?;
        let mut elements = parsed.into_iter();
        let (meta, body) = (elements.next().unwrap_or_default(), elements.next().unwrap_or_default());
        Ok(Self { text, meta, body })
    }

    /// A reply to it with this status and body.
    #[must_use]
    pub fn reply(&self, status: u16, body: Option<&Value>) -> Vec<u8> {
        let meta = json!({
            "type": "ClientRequest", "messageId": self.meta["messageId"], "status": status,
            "headers": {"Content-Type": "application/json", "RCRequestId": "r"},
        });
        let elements: Vec<&Value> = std::iter::once(&meta).chain(body).collect();
        RawFrame::text(json!(elements).to_string()).bytes()
    }
}

/// One connection.
pub struct Link<'a> {
    pub(super) stream: &'a TcpStream,
    pub(super) shared: &'a Shared,
    pub(super) opening: &'a Opening,
    /// What the client sent and is not read yet.
    pub(super) incoming: Vec<u8>,
    /// What goes out with the next wait.
    outgoing: Vec<u8>,
    answer: Option<Answer>,
    pub(super) is_upgraded: bool,
    subscribed: bool,
    echoed: bool,
}

impl<'a> Link<'a> {
    pub(super) const fn new(stream: &'a TcpStream, shared: &'a Shared, opening: &'a Opening) -> Self {
        Self {
            stream,
            shared,
            opening,
            incoming: Vec::new(),
            outgoing: Vec::new(),
            answer: None,
            is_upgraded: false,
            subscribed: false,
            echoed: false,
        }
    }

    /// Takes all steps; after the last one a WebSocket is served until the client goes, and a call has its answer.
    pub(super) fn play(mut self, steps: Vec<Step>) -> io::Result<()> {
        self.stream.set_nodelay(true)?;
        self.stream.set_read_timeout(Some(TICK))?;
        for step in steps {
            match step {
                Step::Upgrade => {
                    self.outgoing.extend(self.opening.upgraded());
                    self.is_upgraded = true;
                }
                Step::Details(recovery) => self.outgoing.extend(self.details(recovery)),
                Step::Notify(text) => self.outgoing.extend(RawFrame::text(self.shared.notification(&text)).bytes()),
                Step::Write(bytes) => self.outgoing.extend(bytes),
                Step::Hands(hands) => {
                    self.flush()?;
                    self.shared.lock().first_hands.get_or_insert_with(Instant::now);
                    hands(&mut self)?;
                }
                Step::Answer(answer) => self.answer = Some(answer),
                Step::Subscribed => self.serve_until(|link| link.subscribed)?,
                Step::Echoed => self.serve_until(|link| link.echoed)?,
                Step::Signal(name) => self.serve_until(|link| link.shared.lock().signals.contains(name))?,
                Step::Serve(time) => {
                    let began = Instant::now();
                    self.serve_until(|_| began.elapsed() >= time)?;
                }
                Step::End => return self.end(),
                Step::Reset => {
                    self.flush()?;
                    return SockRef::from(self.stream).set_linger(Some(Duration::ZERO));
                }
            }
        }
        if self.is_upgraded { self.serve_until(|_| false) } else { self.end() }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.write_all(&std::mem::take(&mut self.outgoing))
    }

    /// The end of what is sent; then all is read, so that the system does not make a reset of it.
    pub(super) fn end(&mut self) -> io::Result<()> {
        self.flush()?;
        self.stream.shutdown(Shutdown::Write)?;
        self.stream.set_read_timeout(None)?;
        io::copy(&mut &*self.stream, &mut io::sink()).map(drop)
    }

    pub(super) fn serve_until(&mut self, is_over: impl Fn(&Self) -> bool) -> io::Result<()> {
        let mut buffer = [0; 16 << 10];
        loop {
            while self.is_upgraded
                && let Some(received) = frame::take(&mut self.incoming).map_err(broken)?
            {
                self.take(received)?;
            }
            self.flush()?;
            if is_over(self) {
                return Ok(());
            }
            match (&*self.stream).read(&mut buffer) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(count) => self.incoming.extend(&buffer[..count]),
                Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {}
                Err(error) => return Err(error),
            }
        }
    }

    fn take(&mut self, Received { opcode, payload }: Received) -> io::Result<()> {
        match opcode {
            opcode::TEXT => {
                let asked = Asked::read(payload).map_err(broken)?;
                let given = self.answer.as_ref().and_then(|answer| answer(&asked));
                let answer = given.map_or_else(|| self.usual_answer(&asked), Ok)?;
                self.outgoing.extend(answer);
                Ok(())
            }
            opcode::PING => {
                self.outgoing.extend(RawFrame::new(opcode::PONG, payload).bytes());
                Ok(())
            }
            opcode::PONG => Ok(()),
            opcode::CLOSE => {
                self.outgoing.extend(RawFrame::new(opcode::CLOSE, payload).bytes());
                self.end()?;
                Err(io::ErrorKind::UnexpectedEof.into())
            }
            _ => Err(broken("a binary message".to_owned())),
        }
    }

    fn usual_answer(&mut self, asked: &Asked) -> io::Result<Vec<u8>> {
        let word = |name: &str| asked.meta[name].as_str().unwrap_or_default();
        if word("type") == "Heartbeat" {
            self.echoed = true;
            return Ok(RawFrame::text(asked.text.as_str()).bytes());
        }
        let path = word("path").trim_end_matches('/');
        Ok(match (word("method"), path.split_once("/subscription")) {
            ("POST", Some((_, ""))) => {
                let id = self.shared.subscribe();
                self.subscription(asked, &id)
            }
            ("PUT", Some((_, id))) => self.subscription(asked, id.trim_start_matches('/')),
            ("DELETE", Some(_)) => asked.reply(204, None),
            ("GET" | "POST" | "PUT" | "PATCH" | "DELETE", _) => asked.reply(200, Some(&json!({}))),
            _ => return Err(broken(format!("neither a heartbeat nor a request: {}", asked.text))),
        })
    }

    fn subscription(&mut self, asked: &Asked, id: &str) -> Vec<u8> {
        self.subscribed = true;
        let body = json!({
            "uri": format!("/restapi/v1.0/subscription/{id}"), "id": id, "status": "Active",
            "creationTime": "2025-01-01T00:00:00.000Z", "expirationTime": "2025-01-02T00:00:00.000Z",
            "expiresIn": 86399, "eventFilters": asked.body["eventFilters"],
            "deliveryMode": {"transportType": "WebSocket", "encryption": false},
        });
        asked.reply(200, Some(&body))
    }

    pub(super) fn details(&self, recovery: Recovery) -> Vec<u8> {
        let id = format!("details-{}", self.opening.number);
        let wsc = json!({"token": format!("handle-{}", self.opening.number), "sequence": 1});
        let mut body = json!({
            "creationTime": "2025-01-01T00:00:00.000+0000", "maxConnectionsPerSession": 50, "recoveryBufferSize": 100,
            "recoveryTimeout": 180, "idleTimeout": 1800, "absoluteTimeout": 86400, "maxActiveRequests": 10,
        });
        match recovery {
            Recovery::Fresh => {}
            Recovery::Successful => body["recoveryState"] = "Successful".into(),
            Recovery::Failed => {
                body["recoveryState"] = "Failed".into();
                body["recoveryErrorCode"] = "WSG-1005".into();
            }
        }
        let meta = json!({
            "type": "ConnectionDetails", "messageId": id, "status": 200, "wsc": wsc, "headers": {"RCRequestId": id},
        });
        RawFrame::text(json!([meta, body]).to_string()).bytes()
    }
}

/// The client broke a rule: [`Peer::faults`](super::Peer::faults) has it.
pub(super) fn broken(why: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}

/// Serves a connection to its end.
pub(super) fn serve(stream: &Arc<TcpStream>, shared: &Shared) -> io::Result<()> {
    let Some(opening) = Opening::read(stream) else { return Ok(()) };
    let opening = shared.opened(opening);
    let steps = (shared.script)(&opening);
    let link = Link::new(stream, shared, &opening);
    match steps {
        Some(steps) => link.play(steps),
        None if opening.is_upgrade() => link.play(vec![Step::Upgrade, Step::Details(Recovery::Fresh)]),
        None => {
            super::http::answer(&opening, shared.address, stream)?;
            link.play(Vec::new())
        }
    }
}
