//! Notifications: who receives one, and as what text.

use std::cell::OnceCell;
use std::sync::Arc;

use crate::gateway::Gateway;
use crate::output::{Fate, FrameKind, GatewayEvent, LossCause, Receipt};
use crate::session::{Filter, Stored};
use crate::text;

impl Gateway {
    /// Something happened. `event` is the path of the event, with numeric ids and optionally a query; `~` in
    /// place of the ids means each configured user in turn. `body` is the inner body, as JSON text.
    ///
    /// Every live session whose filters match receives it once: in its socket, or in its recovery buffer.
    /// The receipts say which.
    pub fn notify(&mut self, event: &str, body: &str, now: u64) -> Vec<Receipt> {
        self.advance(now);
        let mut receipts = Vec::new();
        if event.contains("/~") {
            for user in 0..self.config.users.len() {
                let expanded = self.expand(event, user);
                self.deliver(&expanded, body, &mut receipts);
            }
        } else {
            self.deliver(event, body, &mut receipts);
        }
        receipts
    }

    /// Replaces `~` by the numeric ids of a user.
    pub(crate) fn expand(&self, path: &str, user: usize) -> String {
        let Some(user) = self.config.users.get(user) else { return path.to_owned() };
        let mut expanded = String::with_capacity(path.len() + 2 * 20);
        let mut rest = path;
        while let Some(at) = rest.bytes().position(|byte| byte == b'~') {
            let before = &rest[..at];
            expanded.push_str(before);
            if before.ends_with("/account/") {
                text::push_number(&mut expanded, user.account_id);
            } else if before.ends_with("/extension/") {
                text::push_number(&mut expanded, user.extension_id);
            } else {
                expanded.push('~');
            }
            rest = &rest[at + 1..];
        }
        expanded.push_str(rest);
        expanded
    }

    pub(crate) fn deliver(&mut self, event: &str, body: &str, receipts: &mut Vec<Receipt>) {
        self.deliver_each(event, &|_, _| body, receipts);
    }

    /// A notification whose body is made when the first subscription takes it.
    pub(crate) fn deliver_made(&mut self, event: &str, make: impl Fn(&Self) -> String, receipts: &mut Vec<Receipt>) {
        let made = OnceCell::new();
        self.deliver_each(event, &|gateway, _| made.get_or_init(|| make(gateway)), receipts);
    }

    /// A notification whose body depends on what the filter asks for. It is asked for only where a filter matches, as
    /// nobody hears of most of what happens.
    pub(crate) fn deliver_each<'b>(
        &mut self,
        event: &str,
        body: &dyn Fn(&Self, &Filter) -> &'b str,
        receipts: &mut Vec<Receipt>,
    ) {
        // Byte by byte: most events are short and have no query.
        let end = event.bytes().position(|byte| byte == b'?').unwrap_or(event.len());
        let (path, query) = (&event[..end], event.get(end + 1..).unwrap_or_default());
        let mut keys = std::mem::take(&mut self.scratch);
        keys.clear();
        keys.extend(self.subscriptions.on_path(path));
        for key in &keys {
            if let Some((session, stored)) = self.stored_for(*key, path, query, body) {
                receipts.push(self.hand_over(session, stored));
            }
        }
        self.scratch = keys;
    }

    /// A notification whose event does not say whom it is for: the users of this account.
    pub(crate) fn deliver_in(&mut self, account: u64, event: &str, body: &str, receipts: &mut Vec<Receipt>) {
        let users = &self.config.users;
        let is_of_account = |user: usize| users.get(user).is_some_and(|user| user.account_id == account);
        let subscriptions = &self.subscriptions;
        let keys = subscriptions.on_path(event);
        let keys = keys.filter(|key| subscriptions.all.get(key).is_some_and(|one| is_of_account(one.user)));
        for key in keys.collect::<Vec<u64>>() {
            if let Some((session, stored)) = self.stored_for(key, event, "", &|_, _| body) {
                receipts.push(self.hand_over(session, stored));
            }
        }
    }

    /// The notification as the session of this subscription sees it, if one of its filters matches.
    fn stored_for<'b>(
        &mut self,
        key: u64,
        path: &str,
        query: &str,
        body: &dyn Fn(&Self, &Filter) -> &'b str,
    ) -> Option<(u64, Stored)> {
        let uuid = self.next_uuid();
        let ms = self.unix_ms();
        let subscription = self.subscriptions.all.get(&key)?;
        let session = subscription.session?;
        let filter = subscription.filters.iter().find(|filter| filter.accepts(path, query))?;
        let owner = self.config.users.get(subscription.user)?.extension_id;
        let body = body(self, filter);
        let mut text = String::with_capacity(180 + filter.json.len() + body.len());
        text.push_str("{\"uuid\":\"");
        text::push_number(&mut text, uuid);
        text.push_str("\",\"event\":");
        text.push_str(&filter.json);
        text.push_str(",\"timestamp\":\"");
        text::push_iso(&mut text, ms, "Z");
        text.push_str("\",\"subscriptionId\":\"");
        text.push_str(&subscription.id);
        text.push_str("\",\"ownerId\":\"");
        text::push_number(&mut text, owner);
        text.push_str("\",\"body\":");
        text.push_str(body);
        text.push('}');
        Some((session, Stored { uuid, number: 0, body: Arc::from(text) }))
    }

    fn hand_over(&mut self, id: u64, mut stored: Stored) -> Receipt {
        self.stats.notifications += 1;
        if let Some(session) = self.sessions.get_mut(&id) {
            session.made += 1;
            stored.number = session.made;
        }
        let uuid = stored.uuid;
        let conn = self.connection_of(id);
        let fate = match conn {
            Some(conn) => {
                let mut copies = 1;
                if self.faults.duplicate() {
                    copies = 2;
                    self.put_notification(id, conn, stored.clone(), false);
                }
                self.put_notification(id, conn, stored, false);
                Fate::Sent { copies }
            }
            None => {
                let capacity = self.config.recovery_buffer_size;
                let dropped = self.sessions.get_mut(&id).and_then(|session| {
                    session.ledger.buffered += 1;
                    session.buffer(stored, capacity)
                });
                self.event(GatewayEvent::Buffered { session: id, uuid });
                self.lost(id, dropped.into_iter().collect(), LossCause::Overflow);
                Fate::Buffered { dropped }
            }
        };
        Receipt { session: id, conn, uuid, fate }
    }

    /// Puts a notification into a socket, and remembers it in case the socket turns out to be dead.
    pub(crate) fn put_notification(&mut self, session: u64, conn: u64, stored: Stored, replay: bool) {
        let request = self.request_id();
        let wsc = self.rotated_wsc(conn).unwrap_or_default();
        let mut frame = String::with_capacity(150 + wsc.len() + stored.body.len());
        frame.push_str("[{\"type\":\"ServerNotification\",\"messageId\":\"");
        text::push_number(&mut frame, stored.uuid);
        frame.push_str("\",\"status\":200,");
        frame.push_str(&wsc);
        frame.push_str("\"headers\":{\"RCRequestId\":\"");
        frame.push_str(&request);
        frame.push_str("\"}},");
        frame.push_str(&stored.body);
        frame.push(']');
        let uuid = stored.uuid;
        if let Some(session) = self.sessions.get_mut(&session) {
            let count = if replay { &mut session.ledger.replayed } else { &mut session.ledger.sent };
            *count += 1;
            session.remember_sent(stored, self.config.sent_history);
        }
        self.send(conn, FrameKind::Notification { uuid }, frame);
        self.event(GatewayEvent::Sent { session, conn, uuid, replay });
    }
}
