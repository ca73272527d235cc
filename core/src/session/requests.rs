//! REST requests: waiting, in flight, ended (REQ).

use std::collections::{BTreeMap, VecDeque};

use crate::body::Body;
use crate::ids::{HttpId, RequestId};
use crate::output::Via;
use crate::time::Timestamp;

/// A request that has not ended.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) deadline: Timestamp,
    /// Kept as long as it may have to be sent (again).
    pub(super) request: Option<http::Request<Body>>,
    pub(super) stage: Stage,
    /// The caller allows a repetition after a drop, and the method is safe (REQ-8).
    pub(super) repeat: bool,
    /// It was repeated with a new access token already.
    pub(super) reauthorized: bool,
    /// The way it must go; the other one is only for what fits through the socket.
    pub(super) https_only: bool,
}

/// How far it came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// In the queue.
    Queued,
    /// Sent over the socket under this message number.
    Socket(u64),
    /// Sent over HTTPS.
    Https(HttpId),
}

#[derive(Clone, Debug, Default)]
pub(super) struct Requests {
    next: u64,
    entries: BTreeMap<RequestId, Entry>,
    queue: VecDeque<RequestId>,
    /// Message numbers in flight on the socket. Without a request: it ended here, but the server still counts it.
    socket: BTreeMap<u64, Option<RequestId>>,
    https: BTreeMap<HttpId, RequestId>,
    /// The send buffer is full.
    pub(super) blocked: bool,
}

impl Requests {
    pub(super) fn queued(&self) -> usize {
        self.queue.len()
    }

    /// How many the server works on, as far as is known here.
    pub(super) fn active(&self) -> usize {
        self.socket.len()
    }

    pub(super) fn has_message(&self, message: u64) -> bool {
        self.socket.contains_key(&message)
    }

    pub(super) fn active_https(&self) -> usize {
        self.https.len()
    }

    pub(super) fn accept(&mut self, entry: Entry) -> RequestId {
        self.next += 1;
        let id = RequestId(self.next);
        self.entries.insert(id, entry);
        self.queue.push_back(id);
        id
    }

    pub(super) fn get(&self, id: RequestId) -> Option<&Entry> {
        self.entries.get(&id)
    }

    pub(super) fn get_mut(&mut self, id: RequestId) -> Option<&mut Entry> {
        self.entries.get_mut(&id)
    }

    /// The queue in order.
    pub(super) fn waiting(&self) -> Vec<RequestId> {
        self.queue.iter().copied().collect()
    }

    pub(super) fn sent_on_socket(&mut self, id: RequestId, message: u64) {
        self.queue.retain(|q| *q != id);
        self.socket.insert(message, Some(id));
        if let Some(entry) = self.entries.get_mut(&id) {
            entry.stage = Stage::Socket(message);
        }
    }

    pub(super) fn sent_by_https(&mut self, id: RequestId, call: HttpId) {
        self.queue.retain(|q| *q != id);
        self.https.insert(call, id);
        if let Some(entry) = self.entries.get_mut(&id) {
            entry.stage = Stage::Https(call);
        }
    }

    /// Back to where it waited, in the order of acceptance.
    pub(super) fn requeue(&mut self, id: RequestId) {
        if let Some(entry) = self.entries.get_mut(&id) {
            entry.stage = Stage::Queued;
            let at = self.queue.partition_point(|q| *q < id);
            self.queue.insert(at, id);
        }
    }

    /// An answer on the socket. `None`: nothing is known of the message. `Some(None)`: its request ended before.
    pub(super) fn answered_on_socket(&mut self, message: u64) -> Option<Option<RequestId>> {
        self.socket.remove(&message)
    }

    pub(super) fn answered_by_https(&mut self, call: HttpId) -> Option<RequestId> {
        self.https.remove(&call)
    }

    /// Everything that was in flight on the socket.
    pub(super) fn socket_lost(&mut self) -> Vec<RequestId> {
        std::mem::take(&mut self.socket).into_values().flatten().collect()
    }

    /// Takes a request out. Its place on the socket stays taken until the server answers.
    pub(super) fn end(&mut self, id: RequestId) -> Option<Entry> {
        let entry = self.entries.remove(&id)?;
        match entry.stage {
            Stage::Queued => self.queue.retain(|q| *q != id),
            Stage::Socket(message) => {
                if let Some(slot) = self.socket.get_mut(&message) {
                    *slot = None;
                }
            }
            Stage::Https(call) => {
                self.https.remove(&call);
            }
        }
        Some(entry)
    }

    pub(super) fn deadline(&self) -> Option<Timestamp> {
        self.entries.values().map(|entry| entry.deadline).min()
    }

    pub(super) fn due(&self, now: Timestamp) -> Vec<RequestId> {
        self.entries.iter().filter(|(_, entry)| entry.deadline <= now).map(|(id, _)| *id).collect()
    }

    pub(super) fn all(&self) -> Vec<RequestId> {
        self.entries.keys().copied().collect()
    }
}

impl Stage {
    pub(super) const fn is_sent(self) -> bool {
        !matches!(self, Self::Queued)
    }

    pub(super) const fn via(self) -> Via {
        match self {
            Self::Socket(_) => Via::WebSocket,
            Self::Queued | Self::Https(_) => Via::Https,
        }
    }
}
