//! One FIFO of outputs with one way in.

use std::collections::VecDeque;

use crate::ids::ConnId;
use crate::output::{Action, Event, Output, RequestOutcome};

#[derive(Clone, Debug, Default)]
pub(crate) struct Outbox {
    queue: VecDeque<Output>,
    snapshot_changed: bool,
}

impl Outbox {
    pub(crate) fn act(&mut self, action: Action) {
        self.queue.push_back(Output::Action(action));
    }

    pub(crate) fn emit(&mut self, event: Event) {
        self.queue.push_back(Output::Event(event));
    }

    /// `SnapshotChanged` is due at the end of this drain, once.
    pub(crate) fn snapshot_changed(&mut self) {
        self.snapshot_changed = true;
    }

    pub(crate) fn pop(&mut self) -> Option<Output> {
        // Where it lies, an output is large: it is moved once.
        if self.queue.is_empty() {
            let changed = std::mem::take(&mut self.snapshot_changed);
            return if changed { Some(Output::Event(Event::SnapshotChanged)) } else { None };
        }
        self.queue.pop_front()
    }

    /// The change comes out now, because nothing may follow the next event.
    pub(crate) fn emit_snapshot_change(&mut self) {
        if std::mem::take(&mut self.snapshot_changed) {
            self.emit(Event::SnapshotChanged);
        }
    }

    /// What has not left yet never will: the connection is gone (C5).
    pub(crate) fn forget(&mut self, conn: ConnId) {
        self.queue.retain(|output| match output {
            Output::Action(
                Action::Send { conn: of, .. } | Action::Resubscribe { conn: of, .. } | Action::Close { conn: of, .. },
            ) => *of != conn,
            Output::Action(_) | Output::Event(_) | Output::Wait(_) => true,
        });
    }

    pub(crate) fn len(&self) -> usize {
        self.queue.len()
    }

    /// What waits, in bytes, where the server chose the size; what else an output takes is little.
    pub(crate) fn bytes(&self) -> usize {
        self.queue.iter().map(bytes).sum()
    }

    /// Lets go of the room of what has left.
    pub(crate) fn rest(&mut self) {
        if self.queue.is_empty() {
            self.queue = VecDeque::new();
        }
    }

    pub(crate) fn is_drained(&self) -> bool {
        self.queue.is_empty() && !self.snapshot_changed
    }
}

fn bytes(output: &Output) -> usize {
    let Output::Event(event) = output else { return 0 };
    match event {
        Event::Notification(n) => n.held_bytes(),
        Event::Connected { details, .. } => details.other.len(),
        Event::Subscribed(info) => info.filters.iter().map(|filter| filter.len()).sum(),
        Event::Response { outcome: RequestOutcome::Response { response, .. }, .. } => {
            let headers = response.headers().iter().map(|(name, value)| name.as_str().len() + value.len());
            response.body().len() + headers.sum::<usize>()
        }
        Event::Backfill(fetched) => fetched.bytes(),
        // Little, or cut to a limit.
        Event::Response { .. }
        | Event::SubscriptionFailed { .. }
        | Event::Unsubscribed { .. }
        | Event::Recovered { .. }
        | Event::RecoveryFailed { .. }
        | Event::Retry { .. }
        | Event::Waiting { .. }
        | Event::Gap(_)
        | Event::Disconnected { .. }
        | Event::ProtocolError { .. }
        | Event::SnapshotChanged
        | Event::Closed { .. } => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::Purpose;

    fn names(out: &mut Outbox) -> Vec<Output> {
        std::iter::from_fn(|| out.pop()).collect()
    }

    // CLAUSE C5
    #[test]
    fn what_waits_for_a_lost_connection_is_forgotten() {
        let send = |conn| Action::Send { conn, text: String::new(), purpose: Purpose::Heartbeat };
        let resubscribe = |conn| Action::Resubscribe { conn, text: String::new() };
        let close = |conn| Action::Close { conn, code: 1000, reason: "" };
        let mut out = Outbox::default();
        for conn in [ConnId(1), ConnId(2)] {
            [send(conn), resubscribe(conn), close(conn), Action::Drop { conn }].into_iter().for_each(|a| out.act(a));
        }
        out.forget(ConnId(1));
        let kept = [Action::Drop { conn: ConnId(1) }, send(ConnId(2)), resubscribe(ConnId(2)), close(ConnId(2))];
        let kept = kept.into_iter().chain([Action::Drop { conn: ConnId(2) }]);
        assert_eq!(names(&mut out), kept.map(Output::Action).collect::<Vec<_>>());
    }

    // CLAUSE SEC-3
    #[test]
    fn what_the_server_sized_is_counted() {
        use crate::ids::RequestId;
        use crate::notification::{ITEM, Notification};
        use crate::output::Via;
        use crate::wire::NotificationFields;
        let mut out = Outbox::default();
        out.act(Action::Drop { conn: ConnId(1) });
        assert_eq!(out.bytes(), 0);
        let fields = NotificationFields { uuid: Some("12".into()), body: Some("345"), ..Default::default() };
        out.emit(Event::Notification(Notification::new(None, &fields)));
        assert_eq!(out.bytes(), 5 + ITEM);
        let response = http::Response::builder().header("ab", "cde").body("fghi".into()).unwrap();
        let outcome = RequestOutcome::Response { response: Box::new(response), via: Via::Https };
        out.emit(Event::Response { id: RequestId(1), outcome });
        assert_eq!(out.bytes(), 5 + ITEM + 9);
        while out.pop().is_some() {}
        assert_eq!(out.bytes(), 0);
    }

    // CLAUSE WSC-3
    #[test]
    fn a_change_is_emitted_last_and_once() {
        let mut out = Outbox::default();
        assert!(out.is_drained());
        out.snapshot_changed();
        out.snapshot_changed();
        assert!(!out.is_drained());
        out.act(Action::Drop { conn: ConnId(1) });
        let stated = [Output::Action(Action::Drop { conn: ConnId(1) }), Output::Event(Event::SnapshotChanged)];
        assert_eq!(names(&mut out), stated);
        out.act(Action::Drop { conn: ConnId(1) });
        assert!(!out.is_drained());
    }

    #[test]
    fn at_rest_it_has_no_room_and_loses_nothing() {
        let mut out = Outbox::default();
        out.act(Action::Drop { conn: ConnId(1) });
        out.snapshot_changed();
        out.rest();
        assert_eq!(out.pop(), Some(Output::Action(Action::Drop { conn: ConnId(1) })));
        assert!(out.queue.capacity() > 0);
        out.rest();
        assert_eq!(out.queue.capacity(), 0);
        assert_eq!(out.pop(), Some(Output::Event(Event::SnapshotChanged)));
    }
}
