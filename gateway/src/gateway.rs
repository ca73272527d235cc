//! The state machine itself: its parts, its clock, its outputs.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt::Write as _;

use crate::call_plan::Calls;
use crate::config::{GatewayConfig, micros};
use crate::faults::Faults;
use crate::limit::Limiter;
use crate::oauth::{OAuthId, OAuthStore};
use crate::output::{FrameKind, GatewayEvent, GatewayOutput, Ledger, LossCause, Observations, SessionStatus};
use crate::presence_settings::Presence;
use crate::session::{Session, Subscriptions};
use crate::store::MessageStore;
use crate::teams::Teams;
use crate::text::{self, SplitMix};
use crate::timers::{Timer, Timers};
use crate::wstoken::WsTokens;

/// A stand-in for RingCentral's servers, without I/O, clock, threads or randomness.
///
/// Every call takes the time in microseconds as its last argument; time that goes back is taken as
/// standing still. Calls with input: [`http`](Self::http), [`ws_open`](Self::ws_open),
/// [`ws_text`](Self::ws_text), [`ws_pong`](Self::ws_pong), [`ws_closed`](Self::ws_closed),
/// [`ws_lost`](Self::ws_lost), [`notify`](Self::notify). After each, drain
/// [`poll`](Self::poll) and carry the orders out in sequence. Call
/// [`handle_timeout`](Self::handle_timeout) when [`next_deadline`](Self::next_deadline) has come; a call
/// that comes early does nothing, and a deadline may turn out to have moved.
///
/// Connection numbers are the caller's, and never used twice.
///
/// The cost of a call does not depend on how many sessions there are, beyond a logarithm.
#[derive(Debug)]
pub struct Gateway {
    pub(crate) config: GatewayConfig,
    pub(crate) rng: SplitMix,
    pub(crate) now: u64,
    pub(crate) oauth: OAuthStore,
    pub(crate) ws_tokens: WsTokens,
    pub(crate) limits: BTreeMap<usize, Limiter>,
    pub(crate) app_limit: Limiter,
    pub(crate) rest_limiters: BTreeMap<(usize, &'static str), Limiter>,
    /// Sync tokens of earlier ones are not known any more.
    pub(crate) sync_generation: u64,
    pub(crate) conns: BTreeMap<u64, Conn>,
    pub(crate) sessions: BTreeMap<u64, Session>,
    pub(crate) by_oauth: BTreeMap<OAuthId, BTreeSet<u64>>,
    pub(crate) subscriptions: Subscriptions,
    pub(crate) messages: MessageStore,
    pub(crate) teams: Teams,
    pub(crate) calls: Calls,
    pub(crate) presence: BTreeMap<usize, Presence>,
    pub(crate) timers: Timers,
    pub(crate) replies: BTreeMap<u64, (u64, String)>,
    pub(crate) faults: Faults,
    pub(crate) stats: Observations,
    out: VecDeque<GatewayOutput>,
    events: VecDeque<GatewayEvent>,
    /// Events no longer kept: polled or given up.
    events_taken: u64,
    pub(crate) next_session: u64,
    pub(crate) next_reply: u64,
    /// Closed connections whose end the network has not reported yet, and their sessions.
    pub(crate) departed: BTreeMap<u64, u64>,
    /// Room for the subscriptions an event goes to.
    pub(crate) scratch: Vec<u64>,
    request_prefix: String,
    next_request: u64,
    next_uuid: u64,
}

/// A socket.
#[derive(Debug, Default)]
pub(crate) struct Conn {
    pub(crate) oauth: OAuthId,
    pub(crate) session: Option<u64>,
    /// The `wsc` it came with, until the session is settled.
    pub(crate) wsc: Option<String>,
    pub(crate) last_data: u64,
    pub(crate) unanswered_ping: Option<u64>,
    /// Requests being worked on: the numbers of their replies.
    pub(crate) active: BTreeSet<u64>,
    /// Ordinary messages sent, for the rotation of `wsc`.
    pub(crate) messages: u32,
    /// Frames that came before the session was settled.
    pub(crate) early: Vec<String>,
    /// The timers of this connection that are set.
    pub(crate) timers: Vec<(u64, Timer)>,
}

/// Frames before `ConnectionDetails` are kept up to this number, then ignored.
pub(crate) const MAX_EARLY: usize = 64;
/// Closed connections are remembered up to this number until the network reports their end.
const MAX_DEPARTED: usize = 10_000;

impl Gateway {
    /// A gateway at time 0.
    #[must_use]
    pub fn new(config: GatewayConfig) -> Self {
        let mut request_prefix = String::new();
        let _ = write!(request_prefix, "{:08x}-9d68-4bc9-8653-", text::mix(config.seed) >> 32);
        Self {
            departed: BTreeMap::new(),
            scratch: Vec::new(),
            request_prefix,
            rng: SplitMix::new(config.seed),
            config,
            now: 0,
            oauth: OAuthStore::default(),
            ws_tokens: WsTokens::default(),
            limits: BTreeMap::new(),
            app_limit: Limiter::default(),
            rest_limiters: BTreeMap::new(),
            sync_generation: 0,
            conns: BTreeMap::new(),
            sessions: BTreeMap::new(),
            by_oauth: BTreeMap::new(),
            subscriptions: Subscriptions::default(),
            messages: MessageStore::default(),
            teams: Teams::default(),
            calls: Calls::default(),
            presence: BTreeMap::new(),
            timers: Timers::default(),
            replies: BTreeMap::new(),
            faults: Faults::default(),
            stats: Observations::default(),
            out: VecDeque::new(),
            events: VecDeque::new(),
            events_taken: 0,
            next_session: 0,
            next_reply: 0,
            next_request: 0,
            next_uuid: 0,
        }
    }

    /// The next order to the network, if any.
    pub fn poll(&mut self) -> Option<GatewayOutput> {
        self.out.pop_front()
    }

    /// The next thing that happened, if any. Optional: unpolled events are bounded.
    pub fn poll_event(&mut self) -> Option<GatewayEvent> {
        let event = self.events.pop_front()?;
        self.events_taken += 1;
        Some(event)
    }

    /// The events from number `first` on that are still kept, without taking them away. Events are numbered
    /// from 0.
    pub fn events_since(&self, first: u64) -> impl Iterator<Item = (u64, &GatewayEvent)> + '_ {
        let start = self.events_taken;
        let skip = usize::try_from(first.saturating_sub(start)).unwrap_or(usize::MAX);
        (start..).zip(&self.events).skip(skip)
    }

    /// When to call [`handle_timeout`](Self::handle_timeout).
    #[must_use]
    pub fn next_deadline(&self) -> Option<u64> {
        self.timers.next()
    }

    /// Does what is due. Every other call that takes a time does it as well, first.
    pub fn handle_timeout(&mut self, now: u64) {
        self.advance(now);
    }

    /// What the server saw so far.
    #[must_use]
    pub fn observations(&self) -> Observations {
        let mut stats = self.stats.clone();
        stats.ws_tokens_presented_again = self.ws_tokens.presented_again;
        stats.ws_tokens_presented_expired = self.ws_tokens.presented_expired;
        stats
    }

    /// The settings.
    #[must_use]
    pub fn config(&self) -> &GatewayConfig {
        &self.config
    }

    /// The settings, to be changed on the run. Deadlines that are set already stay.
    pub fn config_mut(&mut self) -> &mut GatewayConfig {
        &mut self.config
    }

    /// Open sockets, in order of their numbers.
    pub fn connections(&self) -> impl Iterator<Item = u64> + '_ {
        self.conns.keys().copied()
    }

    /// Sessions alive, connected or recoverable.
    #[must_use]
    pub fn session_count(&self) -> usize {
        self.sessions.len()
    }

    /// Sessions alive, the newest first.
    pub fn sessions(&self) -> impl Iterator<Item = SessionStatus> + '_ {
        self.sessions.iter().rev().map(|(id, session)| {
            let subscription = session.subscription.and_then(|key| self.subscriptions.all.get(&key));
            let filters = subscription.map_or(&[][..], |subscription| &subscription.filters);
            let window = micros(self.config.recovery_timeout);
            SessionStatus {
                session: *id,
                user: self.oauth.get(session.oauth).map_or(0, |oauth| oauth.user),
                conn: session.conn,
                recoverable_until: session.conn.is_none().then(|| session.detached_at.saturating_add(window)),
                filters: filters.iter().map(|filter| filter.expanded.clone()).collect(),
                buffered: session.buffer.len(),
                ledger: session.ledger,
            }
        })
    }

    /// OAuth sessions alive.
    #[must_use]
    pub fn oauth_session_count(&self) -> usize {
        self.oauth.len()
    }

    /// Subscriptions alive, those of ended sessions included: id and filters.
    pub fn subscriptions(&self) -> impl Iterator<Item = (&str, Vec<&str>)> + '_ {
        self.subscriptions
            .all
            .values()
            .map(|s| (s.id.as_str(), s.filters.iter().map(|f| f.expanded.as_str()).collect()))
    }

    /// The session of a connection.
    #[must_use]
    pub fn session_of(&self, conn: u64) -> Option<u64> {
        self.conns.get(&conn)?.session
    }

    /// The connection a session has now.
    #[must_use]
    pub fn connection_of(&self, session: u64) -> Option<u64> {
        self.sessions.get(&session)?.conn
    }

    /// What a session was sent so far; `None` once it has ended.
    #[must_use]
    pub fn ledger(&self, session: u64) -> Option<Ledger> {
        self.sessions.get(&session).map(|s| s.ledger)
    }

    /// Number of notifications that wait in the recovery buffer of a session.
    #[must_use]
    pub fn buffered(&self, session: u64) -> usize {
        self.sessions.get(&session).map_or(0, |s| s.buffer.len())
    }

    pub(crate) fn advance(&mut self, now: u64) {
        let now = now.max(self.now);
        if self.timers.next().is_some_and(|at| at <= now) {
            self.run_timers(now);
        }
        self.now = now;
    }

    fn run_timers(&mut self, now: u64) {
        while let Some(at) = self.timers.next().filter(|at| *at <= now) {
            self.now = self.now.max(at);
            if let Some(timer) = self.timers.due(now) {
                self.expire(timer);
            }
        }
    }

    pub(crate) fn unix_ms(&self) -> u64 {
        self.config.unix_ms_at_start + self.now / 1000
    }

    pub(crate) fn request_id(&mut self) -> String {
        self.next_request += 1;
        let mut id = String::with_capacity(36);
        id.push_str(&self.request_prefix);
        text::push_digits(&mut id, self.next_request, 12, 16);
        id
    }

    /// The next uuid of a notification: unique, and in no visible order.
    pub(crate) fn next_uuid(&mut self) -> u64 {
        const MASK: u64 = (1 << 62) - 1;
        self.next_uuid += 1;
        let scrambled = self.next_uuid.wrapping_mul(0x9e37_79b9_7f4a_7c15) & MASK;
        scrambled ^ (text::mix(self.config.seed) & MASK)
    }

    pub(crate) fn order(&mut self, output: GatewayOutput) {
        self.out.push_back(output);
    }

    #[inline]
    pub(crate) fn send(&mut self, conn: u64, kind: FrameKind, text: String) {
        self.stats.frames_out += 1;
        if self.config.idle_counts_outbound {
            let now = self.now;
            if let Some(conn) = self.conns.get_mut(&conn) {
                conn.last_data = now;
            }
        }
        self.out.push_back(GatewayOutput::Send { conn, text, kind });
    }

    pub(crate) fn event(&mut self, event: GatewayEvent) {
        if self.config.event_log_size == 0 {
            return;
        }
        if self.events.len() >= self.config.event_log_size {
            self.events.pop_front();
            self.events_taken += 1;
            self.stats.events_given_up += 1;
        }
        self.events.push_back(event);
    }

    pub(crate) fn lost(&mut self, session: u64, uuids: Vec<u64>, cause: LossCause) {
        if !uuids.is_empty() {
            self.stats.lost += uuids.len() as u64;
            if let Some(session) = self.sessions.get_mut(&session) {
                session.ledger.lost += uuids.len() as u64;
            }
            self.event(GatewayEvent::Lost { session, uuids, cause });
        }
    }

    /// Sets a timer of a connection, in place of the one of its kind, until the connection ends.
    pub(crate) fn arm(&mut self, conn: u64, timer: Timer, at: u64) {
        let Some(socket) = self.conns.get_mut(&conn) else { return };
        if let Some(old) = socket.timers.iter().position(|(_, other)| *other == timer) {
            let (old, _) = socket.timers.swap_remove(old);
            self.timers.cancel(old, timer);
        }
        socket.timers.push((at, timer));
        self.timers.set(at, timer);
    }

    /// Closes a socket; its session stays recoverable.
    pub(crate) fn close(&mut self, conn: u64, code: u16, reason: &str) {
        if self.detach(conn, Some(code)) {
            self.order(GatewayOutput::Close { conn, code, reason: reason.to_owned() });
        }
    }

    /// Forgets a socket. Its session, if any, waits for recovery from now on.
    pub(crate) fn detach(&mut self, conn: u64, code: Option<u16>) -> bool {
        let Some(socket) = self.conns.remove(&conn) else { return false };
        for reply in &socket.active {
            self.replies.remove(reply);
        }
        for (at, timer) in socket.timers {
            self.timers.cancel(at, timer);
        }
        if let Some(id) = socket.session
            && let Some(session) = self.sessions.get_mut(&id)
        {
            session.conn = None;
            session.detached_at = self.now;
            if code.is_some() {
                self.departed.insert(conn, id);
                if self.departed.len() > MAX_DEPARTED {
                    self.departed.pop_first();
                }
            }
            // One past the window: its last instant still recovers.
            let end = self.now.saturating_add(micros(self.config.recovery_timeout)).saturating_add(1);
            self.timers.set(end, Timer::Window(id));
        }
        self.event(GatewayEvent::Disconnected { conn, session: socket.session, code });
        true
    }

    /// Ends a session: what waits in its buffer is lost, its subscription is left to its end.
    pub(crate) fn end_session(&mut self, id: u64) {
        let Some(session) = self.sessions.remove(&id) else { return };
        if let Some(set) = self.by_oauth.get_mut(&session.oauth) {
            set.remove(&id);
            if set.is_empty() {
                self.by_oauth.remove(&session.oauth);
            }
        }
        if let Some(key) = session.subscription {
            let expires = self.now.saturating_add(micros(self.config.subscription_ttl));
            self.subscriptions.orphan(key, expires);
            self.timers.set(expires, Timer::Subscription(key));
        }
        self.lost(id, session.buffer.iter().map(|s| s.uuid).collect(), LossCause::SessionEnded);
        self.event(GatewayEvent::SessionEnded { session: id });
    }

    /// Ends an OAuth session with all its tokens, sockets and WebSocket sessions.
    pub(crate) fn end_oauth(&mut self, oauth: OAuthId) {
        if self.oauth.get(oauth).is_none() {
            return;
        }
        self.oauth.end(oauth);
        let code = self.config.auth_close_code;
        for conn in self.sockets_of(oauth) {
            self.close(conn, code, "OAuth session ended");
        }
        for session in self.by_oauth.remove(&oauth).unwrap_or_default() {
            self.end_session(session);
        }
        self.event(GatewayEvent::LoggedOut { oauth });
    }

    /// The connections of an OAuth session, those that wait for their details included.
    pub(crate) fn sockets_of(&self, oauth: OAuthId) -> Vec<u64> {
        let sessions = self.by_oauth.get(&oauth).into_iter().flatten();
        let with_session = sessions.filter_map(|id| self.sessions.get(id)?.conn);
        let waiting = self.conns.iter().filter(|(_, conn)| conn.oauth == oauth && conn.session.is_none());
        with_session.chain(waiting.map(|(id, _)| *id)).collect()
    }
}
