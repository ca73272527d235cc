//! Frames from clients: heartbeats, requests, and everything else.

use std::borrow::Cow;

use crate::config::micros;
use crate::frame::{self, ClientFrame};
use crate::gateway::{Gateway, MAX_EARLY};
use crate::http::{Body, Reply};
use crate::output::{FrameKind, GatewayEvent};
use crate::rest::Call;
use crate::text;
use crate::timers::Timer;

const HEARTBEAT: &str = "[{\"type\":\"Heartbeat\",\"messageId\":\"";
const BAD_BODY: &str =
    "Expected either '{' opening an object body or '\"' opening a string body but was another character";

impl Gateway {
    /// A text frame came from the client. Frames that come before `ConnectionDetails` has been sent wait
    /// for it. The text of a heartbeat that is handed over as a `String` becomes its echo.
    pub fn ws_text<'a>(&mut self, conn: u64, text: impl Into<Cow<'a, str>>, now: u64) {
        self.text_frame(conn, text.into(), now);
    }

    fn text_frame(&mut self, conn: u64, text: Cow<'_, str>, now: u64) {
        self.advance(now);
        let Some(socket) = self.conns.get_mut(&conn) else { return };
        self.stats.frames_in += 1;
        socket.last_data = self.now;
        if socket.session.is_some() {
            return self.frame(conn, text);
        }
        self.stats.frames_before_details += 1;
        if socket.early.len() < MAX_EARLY {
            socket.early.push(text.into_owned());
        }
    }

    #[inline(always)]
    pub(crate) fn frame(&mut self, conn: u64, text: Cow<'_, str>) {
        // By far the most frequent frame, in the form most clients write, is its own echo.
        if !self.config.escape_slashes_in_echo
            && let Some(id) = text.strip_prefix(HEARTBEAT).and_then(|rest| rest.strip_suffix("\"}]"))
            && text::is_plain(id)
        {
            self.stats.heartbeats += 1;
            return self.send(conn, FrameKind::Heartbeat, text.into_owned());
        }
        let Some(frame) = ClientFrame::parse(&text) else {
            self.stats.malformed_frames += 1;
            return self.send_error(conn, None, 400, "CMN-103", "JSON cannot be parsed");
        };
        match &*frame.meta.kind {
            "Heartbeat" => self.heartbeat(conn, &frame),
            "ClientRequest" => self.client_request(conn, &frame),
            _ => {
                self.stats.malformed_frames += 1;
                self.send_error(conn, frame.id(), 400, "CMN-104", "Message type is not supported");
            }
        }
    }

    fn heartbeat(&mut self, conn: u64, frame: &ClientFrame<'_>) {
        self.stats.heartbeats += 1;
        let echo = match frame.id() {
            None => "[{\"type\":\"Heartbeat\"}]".to_owned(),
            Some(id) if self.config.escape_slashes_in_echo => {
                let id = id.replace("\\/", "/").replace('/', "\\/");
                format!("[{{\"type\":\"Heartbeat\",\"messageId\":{id}}}]")
            }
            Some(id) => format!("[{{\"type\":\"Heartbeat\",\"messageId\":{id}}}]"),
        };
        self.send(conn, FrameKind::Heartbeat, echo);
    }

    fn client_request(&mut self, conn: u64, frame: &ClientFrame<'_>) {
        self.stats.requests += 1;
        let body = match frame.body.map(|raw| raw.get()) {
            None => Cow::Borrowed(""),
            Some(raw) if raw.starts_with('{') => Cow::Borrowed(raw),
            Some(raw) if raw.starts_with('"') => Cow::Owned(serde_json::from_str(raw).unwrap_or_default()),
            Some(_) => return self.send_error(conn, frame.id(), 400, "WSG-808", BAD_BODY),
        };
        let Some(socket) = self.conns.get(&conn) else { return };
        let active = u32::try_from(socket.active.len()).unwrap_or(u32::MAX).saturating_add(1);
        self.stats.max_active_requests = self.stats.max_active_requests.max(active);
        let (reply, delay) = if active > self.config.max_active_requests {
            self.stats.active_requests_exceeded += 1;
            (Reply::error(429, "CMN-301", "Too many active requests"), 0)
        } else {
            let reply = self.answer_over_socket(conn, frame, &body);
            let delay = micros(self.config.reply_delay).saturating_add(reply.delay);
            (reply, delay)
        };
        let text = self.reply_frame(conn, frame.id().unwrap_or("null"), reply);
        if delay == 0 {
            return self.send(conn, FrameKind::Reply, text);
        }
        self.next_reply += 1;
        let number = self.next_reply;
        self.replies.insert(number, (conn, text));
        if let Some(socket) = self.conns.get_mut(&conn) {
            socket.active.insert(number);
            self.timers.set(self.now.saturating_add(delay), Timer::Reply(number));
        }
    }

    fn answer_over_socket(&mut self, conn: u64, frame: &ClientFrame<'_>, body: &str) -> Reply {
        let target = frame.meta.path.as_deref().unwrap_or_default();
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let mut pairs = text::pairs(query);
        pairs.extend(frame::object_pairs(frame.meta.query.as_ref()));
        let Some(socket) = self.conns.get(&conn) else { return Reply::no_content() };
        let user = self.oauth.get(socket.oauth).map_or(0, |session| session.user);
        let call = Call {
            conn: Some(conn),
            user,
            method: frame.meta.method.as_deref().unwrap_or_default(),
            path,
            query: pairs,
            headers: frame::object_pairs(frame.meta.headers.as_ref()),
            body: body.as_bytes(),
        };
        self.answer(&call)
    }

    /// A reply as a frame. What cannot travel over a socket becomes an error here.
    fn reply_frame(&mut self, conn: u64, id: &str, reply: Reply) -> String {
        let reply = match reply.body {
            Body::Binary { .. } => Reply::error(400, "CMN-101", "Binary content is not available over WebSocket"),
            _ => reply,
        };
        let request = self.request_id();
        let wsc = self.rotated_wsc(conn).unwrap_or_default();
        let mut headers = format!("\"Server\":\"nginx\",\"Date\":\"{}\",", text::http_date(self.unix_ms()));
        let rate = self.config.rate_limit_headers.then(rate_limit_headers).into_iter().flatten();
        let content_type = reply.content_type().map(|value| ("Content-Type".to_owned(), value));
        for (name, value) in content_type.into_iter().chain(reply.headers.clone()).chain(rate) {
            text::push_json(&mut headers, &name);
            headers.push(':');
            text::push_json(&mut headers, &value);
            headers.push(',');
        }
        let meta = format!(
            "{{\"type\":\"ClientRequest\",\"messageId\":{id},\"status\":{},{wsc}\
             \"headers\":{{{headers}\"RoutingKey\":\"SJC01P07\",\"RCRequestId\":\"{request}\"}}}}",
            reply.status
        );
        match reply.body {
            Body::Empty | Body::Binary { .. } => format!("[{meta}]"),
            Body::Json(text) | Body::Multipart { text, .. } => format!("[{meta},{text}]"),
            Body::Text { content_type, text } if content_type.starts_with("application/json") => {
                format!("[{meta},{text}]")
            }
            Body::Text { text, .. } => format!("[{meta},{}]", text::json(&text)),
        }
    }

    pub(crate) fn release_reply(&mut self, number: u64) {
        let Some((conn, text)) = self.replies.remove(&number) else { return };
        if let Some(socket) = self.conns.get_mut(&conn) {
            socket.active.remove(&number);
            self.send(conn, FrameKind::Reply, text);
        }
    }

    /// Answers a call and records it.
    pub(crate) fn answer(&mut self, call: &Call<'_>) -> Reply {
        let reply = match self.faults.strike(call.method, call.path, self.now) {
            Some(reply) => reply,
            None => match self.rest_limited(call) {
                Ok(headers) => {
                    let reply = self.route(call);
                    headers.into_iter().fold(reply, |reply, (name, value)| reply.with(name, value))
                }
                Err(refused) => refused,
            },
        };
        self.event(GatewayEvent::Answered {
            conn: call.conn,
            method: call.method.to_owned(),
            path: call.path.to_owned(),
            status: reply.status,
        });
        reply
    }
}

fn rate_limit_headers() -> [(String, String); 4] {
    [("Group", "medium"), ("Limit", "40"), ("Remaining", "39"), ("Window", "60")]
        .map(|(name, value)| (format!("X-Rate-Limit-{name}"), value.to_owned()))
}
