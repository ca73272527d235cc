//! What the server does: it notifies, accepts sockets, takes up calls and answers them.

use serde_json::Value;

use super::DenseRun;
use super::server::{Call, LIMITS, Note, Packet, REFUSALS, WINDOW, request_number};
use crate::oracle::violated;
use crate::subject::Maker;
use crate::trace::trace;

impl<M: Maker> DenseRun<M> {
    /// Something happens that the client has subscribed to.
    pub(super) fn notify(&mut self) {
        let Some(subscription) = self.server.subscription else { return };
        let note = Note { number: self.oracle.send(subscription), subscription };
        trace!(self, "server: notification {} of {subscription}, connected: {}", note.number, self.server.up);
        if self.server.up { self.server.wire.push_back(Packet::Note(note)) } else { self.server.keep(note) }
    }

    /// A socket opened, with this token and perhaps a `wsc`.
    pub(super) fn accept(&mut self, token: String, wsc: Option<&str>) {
        if !self.server.presented.insert(token) {
            self.judge(violated("token-reuse", "a WebSocket token was presented again".to_owned()));
        }
        if self.rough && self.chance(10) {
            self.fault("subscription forgotten");
            self.server.subscription = None;
        }
        let without_handle = self.rough && self.chance(10);
        let server = &mut self.server;
        let is_own = wsc.is_some_and(|wsc| wsc == format!("w{}", server.session));
        let recovers = is_own && server.subscription.is_some() && self.now - server.gone_at < WINDOW;
        server.up = true;
        server.wire.clear();
        server.inbox.clear();
        server.asked.clear();
        if !recovers {
            server.session += 1;
            server.nameless = without_handle;
            server.subscription = None;
            server.buffer.clear();
        }
        let recovery = match (recovers, wsc) {
            (true, _) => r#","recoveryState":"Successful""#,
            (false, Some(_)) => r#","recoveryState":"Failed","recoveryErrorCode":"WSG-1005""#,
            (false, None) => "",
        };
        let session = server.session;
        let handle = format!(r#","wsc":{{"token":"w{session}","sequence":1}}"#);
        // A session that goes on keeps the one that it was presented.
        let handle = if without_handle { "" } else { &handle };
        let text = format!(r#"[{{"type":"ConnectionDetails"{handle}}},{{{LIMITS}{recovery}}}]"#);
        server.wire.push_back(Packet::Details { session, recovered: recovers, text });
        let replay = std::mem::take(&mut server.buffer);
        trace!(self, "server: session {}, recovered: {recovers}, {} to replay", server.session, replay.len());
        server.wire.extend(replay.into_iter().map(Packet::Note));
        if without_handle {
            self.fault("no handle");
        }
    }

    /// The socket is gone. What was not read goes back into the buffer; what had been sent may be done or not.
    pub(super) fn cut(&mut self) {
        self.live = None;
        self.opening = None;
        self.greeted = false;
        let unread = std::mem::take(&mut self.server.wire);
        let calls = std::mem::take(&mut self.server.inbox);
        if !self.server.up {
            return;
        }
        self.server.up = false;
        self.server.gone_at = self.now;
        for call in calls {
            if self.chance(50) {
                self.take_up(call);
            }
        }
        // The answers go nowhere.
        self.server.wire.clear();
        for packet in unread {
            if let Packet::Note(note) = packet {
                self.server.keep(note);
            }
        }
    }

    /// The client sends.
    pub(super) fn receive(&mut self, text: &str) {
        let value: Value = serde_json::from_str(text).unwrap_or_default();
        let field = |name: &str| value[0][name].as_str().unwrap_or_default().to_owned();
        if field("type") == "Heartbeat" {
            self.report.heartbeats += 1;
            return self.server.inbox.push_back(Call::Heartbeat(text.to_owned()));
        }
        let (message, method, path) = (field("messageId"), field("method"), field("path"));
        trace!(self, "client: {method} {path}");
        if let Some(number) = request_number(&path) {
            let verdict = self.open.may_run(number);
            self.judge(verdict);
            if !self.server.asked.insert(number) {
                self.judge(violated("request-twice", format!("request {number} came twice over one connection")));
            }
        }
        self.server.inbox.push_back(Call::Rest { message, method, path });
    }

    /// Does what it was asked, and answers. It may do it and say that it failed.
    pub(super) fn take_up(&mut self, call: Call) {
        let (message, method, path) = match call {
            Call::Heartbeat(text) => return self.server.wire.push_back(Packet::Reply(text)),
            Call::Rest { message, method, path } => (message, method, path),
            Call::Close => return,
        };
        if method == "GET" {
            return self.server.reply(&message, 200, "{}");
        }
        if let Some((status, code)) = self.refusal(&method) {
            trace!(self, "server: refuses {method} with {status} {code}");
            return self.server.reply(&message, status, &format!(r#"{{"errorCode":"{code}"}}"#));
        }
        let fails = !self.calm && self.chance(15);
        let done = self.change(&method, path.rsplit('/').next().and_then(|id| id.parse().ok()));
        trace!(self, "server: {method}, done: {done}, said: {}, now {:?}", !fails, self.server.subscription);
        if fails {
            self.fault("done, but answered 503");
            return self.server.reply(&message, 503, r#"{"errorCode":"CMN-211"}"#);
        }
        match self.server.subscription {
            _ if !done => self.server.reply(&message, 404, r#"{"errorCode":"CMN-102"}"#),
            Some(id) => self.server.reply(&message, 200, &format!(r#"{{"id":"{id}"}}"#)),
            None => self.server.reply(&message, 204, "null"),
        }
    }

    fn refusal(&mut self, method: &str) -> Option<(u16, &'static str)> {
        if self.calm {
            return None;
        }
        if self.chance(8) {
            let refusal = *self.rng.pick(&REFUSALS);
            // For a removal 401 means that it is done.
            if method != "DELETE" || refusal.0 != 401 {
                self.fault("call refused");
                return Some(refusal);
            }
        }
        self.chance(10).then(|| {
            self.fault("call answered 503");
            (503, "CMN-211")
        })
    }

    /// `false`: there is no such subscription.
    fn change(&mut self, method: &str, id: Option<u64>) -> bool {
        let stands = self.server.subscription.is_some() && self.server.subscription == id;
        match method {
            "POST" => {
                // The answer may have the same id once more.
                if self.server.subscription.is_none() || self.chance(70) {
                    self.server.ids += 1;
                }
                self.server.subscription = Some(self.server.ids);
                true
            }
            "PUT" => {
                if stands && self.rough && self.chance(10) {
                    self.fault("subscription replaced");
                    self.server.ids += 1;
                    self.server.subscription = Some(self.server.ids);
                }
                stands
            }
            _ => {
                if stands {
                    self.server.subscription = None;
                }
                stands
            }
        }
    }
}
