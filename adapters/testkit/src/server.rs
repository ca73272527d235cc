//! The gateway stand-in behind streams in memory.

use std::collections::{BTreeMap, VecDeque};
use std::fmt::Write as _;
use std::time::Duration;

use ringcentral_ws_gateway::{
    FrameKind, Gateway, GatewayConfig, GatewayOutput, HttpRequest, HttpResponse, MessageKind, Receipt, Upgrade,
};
use tungstenite::handshake::derive_accept_key;

use crate::frames::{self, FromClient};
use crate::machine::Machine;
use crate::pipe::Link;

/// What all notifications here are about.
const EVENT: &str = "/restapi/v1.0/account/~/extension/~/message-store/instant?type=SMS";

/// A server that reads and writes only when it has to.
#[derive(Debug)]
pub struct Server {
    machine: Machine,
    gateway: Gateway,
    peers: BTreeMap<u64, Peer>,
    notified: u64,
    /// Sent in place of the next answer to an HTTP call or upgrade.
    raw_answer: Option<Vec<u8>>,
    /// Sent in place of the next answer to an upgrade that is granted.
    raw_upgrade: Option<Vec<u8>>,
    /// Requests are read and not answered.
    mute: bool,
}

/// How the server treats a stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stall {
    /// What the client sends is not read, and little of it has room.
    pub deaf: bool,
    /// The rest.
    pub link: Link,
}

/// One stream as the server sees it.
#[derive(Debug, Default)]
struct Peer {
    unread: Vec<u8>,
    /// Not in the stream yet.
    unsent: VecDeque<u8>,
    /// Bytes ever written, and the notifications among them by where they end.
    written: u64,
    marks: VecDeque<(u64, u64)>,
    upgraded: bool,
    /// To be closed once all is sent.
    closing: bool,
}

impl Server {
    pub(crate) fn new(machine: Machine, config: GatewayConfig) -> Self {
        let gateway = Gateway::new(config);
        Self { machine, gateway, peers: BTreeMap::new(), notified: 0, raw_answer: None, raw_upgrade: None, mute: false }
    }

    /// The stand-in itself, and the time to give it.
    pub fn gateway(&mut self) -> (&mut Gateway, u64) {
        let now = self.machine.state().now;
        (&mut self.gateway, now)
    }

    /// Makes the next notification. They are numbered from 1; the number is the body.
    pub fn notify(&mut self) -> (u64, Vec<Receipt>) {
        self.notify_of(EVENT)
    }

    /// The same for any event.
    pub fn notify_of(&mut self, event: &str) -> (u64, Vec<Receipt>) {
        self.notified += 1;
        let (body, now) = (format!("{{\"n\":{}}}", self.notified), self.machine.state().now);
        let receipts = self.gateway.notify(event, &body, now);
        self.send_all();
        (self.notified, receipts)
    }

    /// An SMS arrives for user 0: it is stored, and makes its notification. Its id.
    pub fn receive_sms(&mut self, text: &str) -> u64 {
        let now = self.machine.state().now;
        let (id, _) = self.gateway.receive(0, MessageKind::Sms, "+16505550100", text, now);
        self.send_all();
        id
    }

    /// Answers the next HTTP call or upgrade with these bytes.
    pub fn answer_raw(&mut self, bytes: Vec<u8>) {
        self.raw_answer = Some(bytes);
    }

    /// Answers the next upgrade that is granted with these bytes, in which `{accept}` becomes what proves it. They may
    /// go on behind the answer; what the server sends by itself follows.
    pub fn answer_upgrade(&mut self, bytes: Vec<u8>) {
        self.raw_upgrade = Some(bytes);
    }

    /// Upgrades are answered as they should be again.
    pub fn answer_no_upgrade(&mut self) {
        self.raw_upgrade = None;
    }

    /// How the newest WebSocket behaves from now on.
    pub fn stall(&mut self, stall: Stall) {
        let Some(id) = self.newest() else { return };
        if let Some(pipe) = self.machine.state().pipes.get_mut(&id) {
            (pipe.deaf, pipe.link) = (stall.deaf, stall.link);
            pipe.wake();
        }
    }

    /// From now on the client's writes on the newest WebSocket fail, and what it reads still comes.
    pub fn break_writes(&mut self) {
        let Some(id) = self.newest() else { return };
        if let Some(pipe) = self.machine.state().pipes.get_mut(&id) {
            pipe.unwritable = true;
            pipe.wake();
        }
    }

    /// On the newest WebSocket these bytes come again and again, without a pause, whenever nothing else does; with none,
    /// that ends.
    pub fn flood(&mut self, pattern: Option<Vec<u8>>) {
        let Some(id) = self.newest() else { return };
        let mut state = self.machine.state();
        let (Some(pipe), Some(peer)) = (state.pipes.get_mut(&id), self.peers.get_mut(&id)) else { return };
        // They come before what has not left yet.
        let left = pipe.end_flood() as u64;
        peer.written += left;
        peer.marks.iter_mut().filter(|(end, _)| *end > pipe.taken).for_each(|(end, _)| *end += left);
        pipe.flood = pattern.map(|pattern| (pattern, 0));
        pipe.wake();
    }

    /// Ends the newest WebSocket behind what was sent, without a close frame; the client may still write.
    pub fn finish(&mut self) {
        let newest = self.newest();
        if let Some(peer) = newest.and_then(|id| self.peers.get_mut(&id)) {
            peer.closing = true;
        }
    }

    /// The stream of the newest WebSocket, if the server has not let go of it.
    #[must_use]
    pub fn newest(&self) -> Option<u64> {
        self.peers.iter().rev().find(|(_, peer)| peer.upgraded).map(|(id, _)| *id)
    }

    /// Whether requests are read and not answered from now on.
    pub fn mute(&mut self, mute: bool) {
        self.mute = mute;
    }

    /// Sends bytes on the newest WebSocket as they are.
    pub fn inject(&mut self, bytes: &[u8]) {
        if let Some(peer) = self.peers.values_mut().rev().find(|peer| peer.upgraded) {
            peer.write(bytes);
        }
    }

    /// Sends this text on the newest WebSocket.
    pub fn inject_text(&mut self, text: &str) {
        self.inject(&frames::frame(1, text.as_bytes()));
    }

    /// Cuts every stream; what was under way is lost.
    pub fn reset(&mut self) {
        for pipe in self.machine.state().pipes.values_mut() {
            pipe.reset = true;
            pipe.wake();
        }
    }

    /// From now on nothing comes through the streams that are open, or it does again.
    pub fn silence(&mut self, silent: bool) {
        for pipe in self.machine.state().pipes.values_mut() {
            pipe.link.silent = silent;
            pipe.wake();
        }
    }

    /// Streams the server has not let go of.
    #[must_use]
    pub fn streams(&self) -> usize {
        self.peers.len()
    }

    pub(crate) fn next_deadline(&self) -> Option<Duration> {
        let now = self.machine.state().now;
        self.gateway.next_deadline().map(|at| Duration::from_micros(at.saturating_sub(now)))
    }

    pub(crate) fn time_passed(&mut self) {
        let now = self.machine.state().now;
        self.gateway.handle_timeout(now);
        self.send_all();
    }

    /// Serves one stream that has something new; `false` when none has.
    pub(crate) fn serve_one(&mut self) -> bool {
        let mut state = self.machine.state();
        let found = state.pipes.iter().find(|(id, pipe)| {
            let peer = self.peers.get(id);
            let unsent = peer.is_some_and(|peer| !peer.unsent.is_empty() && pipe.room() > 0 && !pipe.reset);
            let closes =
                peer.is_some_and(|peer| peer.closing && peer.unsent.is_empty() && !pipe.server_closed && !pipe.reset);
            let arrived = !pipe.to_server.is_empty() && !pipe.link.silent && !pipe.deaf;
            let leaves = !pipe.client_holds || pipe.reset && peer.is_some();
            peer.is_none() && !pipe.reset || unsent || closes || arrived && !pipe.reset || leaves
        });
        let Some(id) = found.map(|(id, _)| *id) else { return false };
        let Some(pipe) = state.pipes.get_mut(&id) else { return false };
        let peer = self.peers.entry(id).or_default();
        if !pipe.link.silent && !pipe.reset && !pipe.deaf {
            peer.unread.extend(pipe.to_server.drain(..));
        }
        let (leaves, taken) = (!pipe.client_holds || pipe.reset, pipe.taken);
        if leaves && !pipe.client_holds {
            state.pipes.remove(&id);
        } else if leaves {
            // The client will see it by itself.
            pipe.to_server.clear();
        } else {
            pipe.wake();
        }
        drop(state);
        self.read(id);
        self.send_all();
        self.flush(id);
        if leaves {
            self.leave(id, taken);
        }
        true
    }

    fn read(&mut self, id: u64) {
        while let Some(peer) = self.peers.get_mut(&id) {
            let now = self.machine.state().now;
            if !peer.upgraded {
                let Some(request) = take_request(&mut peer.unread) else { return };
                self.answer(id, &request, now);
                continue;
            }
            match frames::take(&mut peer.unread) {
                None => return,
                Some(FromClient::Text(text)) => self.gateway.ws_text(id, text, now),
                Some(FromClient::Pong) => self.gateway.ws_pong(id, now),
                Some(FromClient::Close) => {
                    peer.write(&frames::close(1000, ""));
                    peer.closing = true;
                }
                Some(FromClient::Other) => {}
            }
        }
    }

    fn answer(&mut self, id: u64, request: &HttpRequest, now: u64) {
        let raw = self.raw_answer.take();
        let (mute, peer) = (self.mute, self.peers.entry(id).or_default());
        if mute {
            return;
        }
        if let Some(raw) = raw {
            peer.write(&raw);
            peer.closing = true;
            return;
        }
        let Some(key) = request.get("Sec-WebSocket-Key").map(str::to_owned) else {
            let response = self.gateway.http(request, now);
            self.peers.entry(id).or_default().write(&response_bytes(&response));
            return;
        };
        let authorization = request.get("Authorization").map(str::to_owned);
        match self.gateway.ws_open(id, &request.target, authorization.as_deref(), now) {
            Upgrade::Accepted => {
                let accept = derive_accept_key(key.as_bytes());
                let head = format!(
                    "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                     Sec-WebSocket-Accept: {accept}\r\n\r\n"
                );
                match self.raw_upgrade.take() {
                    None => peer.write(head.as_bytes()),
                    Some(raw) => peer.write(&filled(&raw, accept.as_bytes())),
                }
                peer.upgraded = true;
            }
            Upgrade::Refused(response) => {
                peer.write(&response_bytes(&response));
                peer.closing = true;
            }
        }
    }

    /// Puts what the gateway sends behind what waits.
    fn send_all(&mut self) {
        while let Some(output) = self.gateway.poll() {
            let (GatewayOutput::Send { conn, .. }
            | GatewayOutput::Ping { conn }
            | GatewayOutput::Close { conn, .. }
            | GatewayOutput::Reset { conn }) = &output;
            let id = *conn;
            let Some(peer) = self.peers.get_mut(&id) else { continue };
            match output {
                GatewayOutput::Send { text, kind, .. } => {
                    peer.write(&frames::frame(1, text.as_bytes()));
                    if let FrameKind::Notification { uuid } = kind {
                        peer.marks.push_back((peer.written, uuid));
                    }
                }
                GatewayOutput::Ping { .. } => peer.write(&frames::frame(9, b"")),
                GatewayOutput::Close { code, reason, .. } => {
                    peer.write(&frames::close(code, &reason));
                    peer.closing = true;
                }
                GatewayOutput::Reset { .. } => {
                    if let Some(pipe) = self.machine.state().pipes.get_mut(&id) {
                        pipe.reset = true;
                        pipe.wake();
                    }
                }
            }
        }
    }

    /// Moves as much as there is room for.
    fn flush(&mut self, id: u64) {
        let mut state = self.machine.state();
        let (Some(peer), Some(pipe)) = (self.peers.get_mut(&id), state.pipes.get_mut(&id)) else { return };
        let count = peer.unsent.len().min(pipe.room());
        pipe.to_client.extend(peer.unsent.drain(..count));
        if peer.closing && peer.unsent.is_empty() {
            pipe.server_closed = true;
        }
        pipe.wake();
    }

    /// The stream has ended; what the client had not read goes back.
    fn leave(&mut self, id: u64, taken: u64) {
        let Some(peer) = self.peers.remove(&id) else { return };
        if peer.upgraded {
            let now = self.machine.state().now;
            let lost: Vec<u64> = peer.marks.iter().filter(|(end, _)| *end > taken).map(|(_, uuid)| *uuid).collect();
            if lost.is_empty() {
                self.gateway.ws_closed(id, now);
            } else {
                self.gateway.ws_lost(id, &lost, now);
            }
            self.send_all();
        }
    }
}

impl Peer {
    fn write(&mut self, bytes: &[u8]) {
        self.unsent.extend(bytes);
        self.written += bytes.len() as u64;
    }
}

/// Takes a whole request off the front.
fn take_request(buffer: &mut Vec<u8>) -> Option<HttpRequest> {
    let end = buffer.windows(4).position(|part| part == b"\r\n\r\n")? + 4;
    let head = String::from_utf8_lossy(&buffer[..end]).into_owned();
    let mut lines = head.lines();
    let mut words = lines.next().unwrap_or_default().split(' ');
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let mut request = HttpRequest::new(method, target);
    for line in lines {
        if let Some((name, value)) = line.split_once(':') {
            request = request.header(name, value.trim());
        }
    }
    let length = request.get("Content-Length").and_then(|text| text.parse().ok()).unwrap_or(0);
    let body = buffer.get(end..end + length)?.to_vec();
    buffer.drain(..end + length);
    Some(request.with_body(body))
}

/// The bytes with this in the place that is left for it.
fn filled(bytes: &[u8], accept: &[u8]) -> Vec<u8> {
    const PLACE: &[u8] = b"{accept}";
    match bytes.windows(PLACE.len()).position(|part| part == PLACE) {
        None => bytes.to_vec(),
        Some(at) => [&bytes[..at], accept, &bytes[at + PLACE.len()..]].concat(),
    }
}

fn response_bytes(response: &HttpResponse) -> Vec<u8> {
    let mut head = format!("HTTP/1.1 {} X\r\n", response.status);
    for (name, value) in &response.headers {
        let _ = write!(head, "{name}: {value}\r\n");
    }
    let length = response.body.len() as u64 + response.filler_len;
    // A 204 has none.
    if response.status != 204 && response.get("Content-Length").is_none() {
        let _ = write!(head, "Content-Length: {length}\r\n");
    }
    let mut bytes = (head + "\r\n").into_bytes();
    bytes.extend(&response.body);
    bytes.extend((0..response.filler_len).map(HttpResponse::filler));
    bytes
}
