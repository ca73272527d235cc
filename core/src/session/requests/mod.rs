//! REST requests: waiting, in flight, ended (REQ).

pub(crate) mod rest;
mod routes;

use std::collections::{BTreeMap, VecDeque};
use std::fmt;

use crate::body::Body;
use crate::classify::Cause;
use crate::ids::{HttpId, RequestId};
use crate::output::{RequestOutcome, Via};
use crate::time::Timestamp;

/// A request that has not ended.
#[derive(Clone)]
#[cfg_attr(feature = "recorder", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Entry {
    pub(crate) deadline: Timestamp,
    /// Kept as long as it may have to be sent (again).
    #[cfg_attr(feature = "recorder", serde(skip))]
    pub(crate) request: Option<http::Request<Body>>,
    pub(crate) stage: Stage,
    /// The caller allows a repetition after a drop, and the method is safe (REQ-8).
    pub(crate) repeat: bool,
    /// It left over a connection that was lost, and may have run there.
    pub(crate) left: bool,
    /// It was repeated with a new access token already.
    pub(crate) reauthorized: bool,
    /// Which access token its HTTPS call carries.
    pub(crate) token: u64,
    /// The way it must go; the other one is only for what fits through the socket.
    pub(crate) https_only: bool,
}

impl fmt::Debug for Entry {
    /// Without the request: its headers are the caller's.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { deadline, stage, left, .. } = self;
        f.debug_struct("Entry")
            .field("deadline", deadline)
            .field("stage", stage)
            .field("left", left)
            .finish_non_exhaustive()
    }
}

impl Entry {
    /// Whether it may have run.
    pub(crate) const fn is_sent(&self) -> bool {
        self.left || !matches!(self.stage, Stage::Queued)
    }

    /// How it ends if it goes no further from the queue.
    pub(crate) fn unsent(&self, cause: Cause) -> RequestOutcome {
        if self.left { RequestOutcome::Unknown(cause) } else { RequestOutcome::NotSent(cause) }
    }
}

/// How far it came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "recorder", derive(serde::Serialize, serde::Deserialize))]
pub(crate) enum Stage {
    /// In the queue.
    Queued,
    /// Sent over the socket under this message number.
    Socket(u64),
    /// Sent over HTTPS.
    Https(HttpId),
}

/// A place on the socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "recorder", derive(serde::Serialize, serde::Deserialize))]
enum Slot {
    Awaited(RequestId),
    /// The request ended here. The server may still work on it, and is given until then to answer.
    Abandoned {
        free_at: Timestamp,
    },
}

#[derive(Clone, Debug, Default)]
#[cfg_attr(feature = "recorder", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Requests {
    next: u64,
    entries: BTreeMap<RequestId, Entry>,
    queue: VecDeque<RequestId>,
    /// Message numbers in flight on the socket.
    socket: BTreeMap<u64, Slot>,
    https: BTreeMap<HttpId, RequestId>,
    /// The send buffer is full.
    pub(crate) blocked: bool,
}

impl Requests {
    /// The last number given.
    #[cfg(feature = "recorder")]
    pub(crate) const fn last_id(&self) -> u64 {
        self.next
    }

    /// Whether a request is kept whole.
    #[cfg(feature = "recorder")]
    pub(crate) fn holds_any(&self) -> bool {
        self.entries.values().any(|entry| entry.request.is_some())
    }

    /// Whether there is none, and no place on the socket is taken.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty() && self.socket.is_empty()
    }

    pub(crate) fn queued(&self) -> usize {
        self.queue.len()
    }

    /// How many the server works on, as far as is known here.
    pub(crate) fn active(&self) -> usize {
        self.socket.len()
    }

    /// Whether an answer on the socket is awaited.
    pub(crate) fn is_awaiting(&self) -> bool {
        self.socket.values().any(|slot| matches!(slot, Slot::Awaited(_)))
    }

    pub(crate) fn has_message(&self, message: u64) -> bool {
        self.socket.contains_key(&message)
    }

    pub(crate) fn active_https(&self) -> usize {
        self.https.len()
    }

    pub(crate) fn accept(&mut self, entry: Entry) -> RequestId {
        self.next += 1;
        let id = RequestId(self.next);
        self.entries.insert(id, entry);
        self.queue.push_back(id);
        id
    }

    pub(crate) fn get(&self, id: RequestId) -> Option<&Entry> {
        self.entries.get(&id)
    }

    pub(crate) fn get_mut(&mut self, id: RequestId) -> Option<&mut Entry> {
        self.entries.get_mut(&id)
    }

    /// The queue in order.
    pub(crate) fn waiting(&self) -> Vec<RequestId> {
        self.queue.iter().copied().collect()
    }

    /// The one at this place of the queue, from 0.
    pub(crate) fn waiting_at(&self, place: usize) -> Option<RequestId> {
        self.queue.get(place).copied()
    }

    pub(crate) fn sent_on_socket(&mut self, id: RequestId, message: u64) {
        self.queue.retain(|q| *q != id);
        self.socket.insert(message, Slot::Awaited(id));
        if let Some(entry) = self.entries.get_mut(&id) {
            entry.stage = Stage::Socket(message);
        }
    }

    pub(crate) fn sent_by_https(&mut self, id: RequestId, call: HttpId, token: u64) {
        self.queue.retain(|q| *q != id);
        self.https.insert(call, id);
        if let Some(entry) = self.entries.get_mut(&id) {
            entry.stage = Stage::Https(call);
            entry.token = token;
        }
    }

    /// Back to where it waited, in the order of acceptance.
    pub(crate) fn requeue(&mut self, id: RequestId) {
        if let Some(entry) = self.entries.get_mut(&id) {
            entry.stage = Stage::Queued;
            let at = self.queue.partition_point(|q| *q < id);
            self.queue.insert(at, id);
        }
    }

    /// An answer on the socket. `None`: nobody waits for it.
    pub(crate) fn answered_on_socket(&mut self, message: u64) -> Option<RequestId> {
        match self.socket.remove(&message)? {
            Slot::Awaited(id) => Some(id),
            Slot::Abandoned { .. } => None,
        }
    }

    pub(crate) fn answered_by_https(&mut self, call: HttpId) -> Option<RequestId> {
        self.https.remove(&call)
    }

    /// Everything that was in flight on the socket.
    pub(crate) fn socket_lost(&mut self) -> Vec<RequestId> {
        let lost = std::mem::take(&mut self.socket).into_values();
        lost.filter_map(|slot| if let Slot::Awaited(id) = slot { Some(id) } else { None }).collect()
    }

    /// Takes a request out. Its place on the socket stays taken until the server answers, or until `free_at`.
    pub(crate) fn end(&mut self, id: RequestId, free_at: Timestamp) -> Option<Entry> {
        let entry = self.entries.remove(&id)?;
        match entry.stage {
            Stage::Queued => self.queue.retain(|q| *q != id),
            Stage::Socket(message) => {
                if let Some(slot) = self.socket.get_mut(&message) {
                    *slot = Slot::Abandoned { free_at };
                }
            }
            Stage::Https(call) => {
                self.https.remove(&call);
            }
        }
        Some(entry)
    }

    /// The next moment at which something is due.
    pub(crate) fn deadline(&self) -> Option<Timestamp> {
        let freed = self.socket.values().filter_map(|slot| match slot {
            Slot::Awaited(_) => None,
            Slot::Abandoned { free_at } => Some(*free_at),
        });
        self.entries.values().map(|entry| entry.deadline).chain(freed).min()
    }

    /// Gives up places on the socket that were never answered; returns the requests that are due.
    pub(crate) fn due(&mut self, now: Timestamp) -> Vec<RequestId> {
        self.socket.retain(|_, slot| !matches!(slot, Slot::Abandoned { free_at } if *free_at <= now));
        self.entries.iter().filter(|(_, entry)| entry.deadline <= now).map(|(id, _)| *id).collect()
    }

    pub(crate) fn all(&self) -> Vec<RequestId> {
        self.entries.keys().copied().collect()
    }
}

impl Stage {
    pub(crate) const fn via(self) -> Via {
        match self {
            Self::Socket(_) => Via::WebSocket,
            Self::Queued | Self::Https(_) => Via::Https,
        }
    }
}
