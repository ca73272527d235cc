//! Tests of the pump: no socket, no thread and no runtime is needed for them.

mod ending;
mod filling;
mod health;
mod turn_end;

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use ringcentral_ws_core::{
    AccessToken, AuthReason, Body, Close, CloseInfo, CommandError, Config, HttpId, RequestOutcome, Secret, SecretUrl,
    Session, Stats,
};

use super::reading::BURST;
use super::*;
use crate::clock::ClockTimes;
use crate::events::{EventReceiver, HANDSHAKE_BACKLOG, SessionView, event_queue};
use crate::health::Vitals;
use crate::limits::MAX_LOGINS;
use crate::metrics::{Meter, QueueMeter};
use crate::sending::Pressure;

/// Callers are tests.
enum Local {}

impl Replies for Local {
    type Reply<T> = Rc<RefCell<Option<T>>>;
    type Ticket = Rc<Cell<bool>>;
    type Body = ();

    fn reply<T>(to: Self::Reply<T>, answer: T) {
        assert!(to.borrow_mut().replace(answer).is_none(), "answered twice");
    }

    fn is_cancelled(ticket: &Self::Ticket, _: &Self::Reply<Answered<()>>) -> bool {
        ticket.get()
    }
}

/// What a test gives to the pump, and what the pump has done.
#[derive(Default)]
struct ScriptedIo {
    commands: VecDeque<Command<Local>>,
    abandoned: bool,
    cancelled: bool,
    completions: VecDeque<Completion<()>>,
    incoming: VecDeque<Incoming>,
    pressure: VecDeque<Pressure>,
    spent: bool,
    broken: bool,
    in_message: bool,
    /// In order.
    done: Vec<String>,
    sent: Vec<String>,
    read: usize,
}

impl Io for ScriptedIo {
    type Replies = Local;

    fn next_command(&mut self) -> Result<Option<Command<Local>>, Abandoned> {
        if self.abandoned { Err(Abandoned) } else { Ok(self.commands.pop_front()) }
    }

    fn take_cancelled(&mut self) -> bool {
        std::mem::take(&mut self.cancelled)
    }

    fn last_command(&mut self) -> Option<Command<Local>> {
        self.commands.pop_front()
    }

    fn next_completion(&mut self) -> Option<Completion<()>> {
        self.completions.pop_front()
    }

    fn authorize(&mut self, id: AuthId, _: AuthReason, _: Option<Secret>) {
        self.done.push(format!("authorize {id}"));
    }

    fn call(&mut self, id: HttpId, request: http::Request<Bytes>, streamed: Option<RequestId>) {
        self.done.push(format!("call {id} {} {}", request.uri(), streamed.is_some()));
    }

    fn abort_call(&mut self, id: HttpId) {
        self.done.push(format!("abort {id}"));
    }

    fn close_kept(&mut self) {}

    fn open(&mut self, conn: ConnId, _: SecretUrl) {
        self.done.push(format!("open {conn}"));
    }

    fn disconnect(&mut self) {
        self.done.push("disconnect".to_owned());
    }

    fn release(&mut self) {
        self.done.push("release".to_owned());
    }

    fn send(&mut self, text: String) {
        self.sent.push(text);
    }

    fn close(&mut self, code: u16, _: &'static str) {
        self.done.push(format!("close {code}"));
    }

    fn flush(&mut self) -> Option<Pressure> {
        self.pressure.pop_front()
    }

    fn is_broken(&self) -> bool {
        self.broken
    }

    fn begin_reading(&mut self, _: Timestamp) {
        self.read = 0;
    }

    fn receive(&mut self) -> Option<Incoming> {
        let incoming = self.incoming.pop_front();
        self.read += usize::from(incoming.is_some());
        incoming
    }

    fn is_spent(&mut self) -> bool {
        self.spent
    }

    fn pause_reading(&mut self) {
        self.done.push("pause".to_owned());
    }

    fn gives_up_within_message(&mut self) -> bool {
        self.in_message
    }

    fn waker(&self) -> &Waker {
        Waker::noop()
    }
}

/// A driver whose parts a test moves by hand.
struct Driver {
    pump: Pump<Local>,
    desk: ScriptedIo,
    events: EventReceiver,
    view: SessionView,
    /// In microseconds.
    clock: Arc<AtomicU64>,
}

impl Driver {
    fn new(config: Config, limits: &IoLimits) -> Self {
        Self::with(config, limits, false)
    }

    fn with(config: Config, limits: &IoLimits, acknowledge: bool) -> Self {
        let clock = Arc::new(AtomicU64::new(0));
        let shown = Arc::clone(&clock);
        let look = move || {
            let now = Duration::from_micros(shown.load(Ordering::SeqCst));
            ClockTimes { boot: now, mono: now, wall: now }
        };
        let clocks = Clock::new(limits.clock_slack, look);
        let session = Session::new(config, 1, clocks.reading());
        let (sender, events) = event_queue(limits, None, QueueMeter::default(), acknowledge);
        let parts = PumpParts {
            session: Recorded::maybe(session, None),
            clock: clocks,
            filters: None,
            events: sender,
            states: StateSender::new(),
            debug: Debug::default(),
            tracer: Tracer::new(&Config::default().server, false),
            meter: Meter::new(None),
            limits: Arc::new(limits.clone()),
            close_timeout: Duration::from_secs(5),
            calls_only: false,
            filler: None,
            restart: None,
        };
        let view = parts.events.view(Vitals::new(&parts.clock, &Config::default(), limits.clock_slack));
        Self { pump: Pump::new(parts), desk: ScriptedIo::default(), events, view, clock }
    }

    /// Connected, and nothing waits.
    fn ready(limits: &IoLimits) -> Self {
        let mut driver = Self::new(Config { rest_over_websocket: true, ..Config::default() }, limits);
        driver.connect();
        while driver.take().is_some() {}
        driver.turns();
        driver.desk.done.clear();
        driver
    }

    fn connect(&mut self) {
        self.turns();
        assert_eq!(self.desk.done.pop().as_deref(), Some("authorize 1"));
        self.desk.completions.push_back(Completion::Authorized(1.into(), token()));
        self.turns();
        assert!(self.desk.done.pop().is_some_and(|call| call.starts_with("call 2 ")), "{:?}", self.desk.done);
        let body = r#"{"ws_access_token":"t","uri":"wss://h.ringcentral.com/ws","expires_in":600}"#;
        let response = http::Response::new(Bytes::from_static(body.as_bytes()));
        self.desk.completions.push_back(Completion::Answered(2.into(), Ok(Box::new(response))));
        self.turns();
        assert_eq!(self.desk.done.pop().as_deref(), Some("open 1"));
        self.desk.completions.push_back(Completion::Opened(1.into(), Ok(())));
        let details = r#"[{"type":"ConnectionDetails","wsc":{"token":"w","sequence":1}},{}]"#;
        self.desk.incoming.push_back(Incoming::Text(details.into()));
        self.turns();
        assert!(matches!(self.pump.session.state(), ringcentral_ws_core::SessionState::Ready { .. }));
    }

    fn turn(&mut self) -> Turn {
        self.pump.turn(&mut self.desk)
    }

    /// Turns until there is nothing more to do.
    fn turns(&mut self) -> Turn {
        for _ in 0..100 {
            match self.turn() {
                Turn::Again | Turn::Flooded => {}
                turn => return turn,
            }
        }
        panic!("it never waits");
    }

    fn until(&mut self) -> Timestamp {
        let Turn::Wait { until: Some(until), .. } = self.turns() else { panic!("it waits for nothing") };
        until
    }

    fn set_clock(&self, at: Timestamp) {
        self.clock.store(at.as_micros(), Ordering::SeqCst);
    }

    fn take(&mut self) -> Option<Event> {
        match self.events.poll_next(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(event) => event,
            Poll::Pending => None,
        }
    }

    fn stats(&self) -> Stats {
        self.view.stats()
    }

    fn close(&mut self) -> Rc<RefCell<Option<()>>> {
        let reply = Rc::default();
        self.desk.commands.push_back(Command::Close(Close::Detach, Rc::clone(&reply)));
        reply
    }

    fn request(&mut self) -> (Rc<Cell<bool>>, <Local as Replies>::Reply<Answered<()>>) {
        let (ticket, reply) = (Rc::new(Cell::new(false)), Rc::default());
        let request = http::Request::get("/restapi/v1.0/account/~").body(Body::empty()).unwrap();
        let (request, of, to) = (Box::new(request), Rc::clone(&ticket), Rc::clone(&reply));
        self.desk.commands.push_back(Command::Request(Request { request, streamed: None, ticket: of, reply: to }));
        (ticket, reply)
    }
}

fn token() -> Result<AccessToken, ringcentral_ws_core::AuthFailure> {
    Ok(AccessToken { secret: "a".into(), expires_in: None, cached: false })
}

/// A message that becomes an event each.
fn binary() -> Incoming {
    Incoming::Binary(Bytes::from_static(b"x"))
}

fn small(event_queue: usize) -> IoLimits {
    IoLimits { event_queue, ..IoLimits::default() }
}

#[test]
fn what_a_message_causes_is_with_the_application_after_the_same_turn() {
    let mut driver = Driver::ready(&IoLimits::default());
    driver.desk.incoming.push_back(binary());
    assert!(matches!(driver.turn(), Turn::Wait { .. }), "nothing is left for another turn");
    assert!(matches!(driver.take(), Some(Event::ProtocolError { .. })));
}

// CLAUSE FRM-4
#[test]
fn a_turn_reads_a_burst_and_no_more() {
    let mut driver = Driver::ready(&IoLimits::default());
    driver.desk.incoming.extend((0..BURST + 1).map(|_| Incoming::Control));
    assert_eq!((driver.turn(), driver.desk.read), (Turn::Flooded, BURST));
    assert!(matches!(driver.turn(), Turn::Wait { .. }));
    assert_eq!(driver.desk.read, 1);
    // The bounds below are in bytes and frames, in the middle of a message too.
    driver.desk.spent = true;
    assert_eq!(driver.turn(), Turn::Flooded);
}

// CLAUSE HB-1 FRM-4
#[test]
fn a_flood_holds_up_neither_timers_nor_commands_nor_completions() {
    let mut driver = Driver::ready(&IoLimits::default());
    let due = driver.until();
    driver.set_clock(due);
    // An hour's worth of bytes that are no message: nothing ends the turn but its bounds.
    driver.desk.spent = true;
    let reply = Rc::default();
    driver.desk.commands.push_back(Command::Recover(Rc::clone(&reply)));
    driver.desk.completions.push_back(Completion::Authorized(99.into(), token()));
    assert_eq!(driver.turn(), Turn::Flooded);
    assert!(reply.borrow().is_some() && driver.desk.completions.is_empty());
    assert_eq!(driver.desk.sent.len(), 1, "the heartbeat: {:?}", driver.desk.sent);
}

// CLAUSE HB-4
#[test]
fn what_is_readable_comes_before_a_timer_that_is_due() {
    let mut driver = Driver::ready(&IoLimits::default());
    let due = driver.until();
    driver.set_clock(due);
    driver.turns();
    let answer_by = driver.until();
    driver.set_clock(answer_by);
    driver.desk.incoming.push_back(Incoming::Control);
    driver.turns();
    assert!(!driver.desk.done.iter().any(|done| done == "disconnect"), "{:?}", driver.desk.done);
}

// CLAUSE HB-3
#[test]
fn reading_pauses_while_the_queue_is_full_and_heartbeats_go_on() {
    let mut driver = Driver::ready(&small(2));
    driver.desk.incoming.extend((0..10).map(|_| binary()));
    driver.turns();
    assert_eq!(driver.desk.incoming.len(), 6, "three events, and a parked message");
    assert!(driver.desk.done.iter().all(|done| done == "pause"));
    for _ in 0..3 {
        let due = driver.until();
        driver.set_clock(due);
        driver.turns();
    }
    assert!(driver.stats().heartbeats >= 1 && driver.desk.done.iter().all(|done| done == "pause"));
    let mut read = 0;
    while let Some(event) = driver.take() {
        read += usize::from(matches!(event, Event::ProtocolError { .. }));
        driver.turns();
    }
    assert_eq!(read, 10);
}

// CLAUSE REQ-10
#[test]
fn reading_goes_on_for_an_answer_that_is_awaited() {
    let mut driver = Driver::ready(&small(2));
    let (_, reply) = driver.request();
    driver.turns();
    assert_eq!(driver.desk.sent.len(), 1);
    driver.desk.incoming.extend((0..10).map(|_| binary()));
    driver.turns();
    assert!(driver.desk.incoming.is_empty() && reply.borrow().is_none());
    let id = driver.desk.sent[0].split("\"messageId\":\"").nth(1).unwrap().split('"').next().unwrap();
    let answer = format!(r#"[{{"type":"ClientRequest","messageId":"{id}","status":200}},{{}}]"#);
    driver.desk.incoming.push_back(Incoming::Text(answer.into()));
    driver.turns();
    assert!(matches!(reply.take().unwrap().answer, Ok(RequestOutcome::Response { .. })));
    // No answer is awaited any more.
    driver.desk.incoming.extend((0..10).map(|_| binary()));
    driver.turns();
    assert_eq!(driver.desk.incoming.len(), 9);
}

#[test]
fn while_a_connection_is_made_more_events_may_wait() {
    let mut driver = Driver::new(Config::default(), &small(1));
    driver.turns();
    let load = crate::Load { is_full: true, backlog: HANDSHAKE_BACKLOG - 1, ..crate::Load::default() };
    let idle = driver.pump.session.state();
    let pauses = |load| super::reading::must_pause(load, idle, false);
    assert!(!pauses(load) && pauses(crate::Load { backlog: HANDSHAKE_BACKLOG, ..load }));
    assert!(pauses(crate::Load { is_heavy: true, ..load }));
}

#[test]
fn a_request_whose_caller_is_gone_is_not_sent_or_is_cancelled() {
    let mut driver = Driver::ready(&IoLimits::default());
    let (ticket, _) = driver.request();
    ticket.set(true);
    driver.turns();
    assert!(driver.desk.sent.is_empty());
    let (ticket, reply) = driver.request();
    driver.turns();
    assert_eq!((driver.desk.sent.len(), driver.pump.requests.len()), (1, 1));
    ticket.set(true);
    driver.desk.cancelled = true;
    driver.turns();
    assert!(driver.pump.requests.is_empty() && driver.pump.over_socket.is_empty() && reply.borrow().is_none());
}

// CLAUSE HB-3
#[test]
fn pressure_and_a_broken_socket_reach_the_session() {
    let mut driver = Driver::ready(&IoLimits::default());
    driver.desk.pressure.extend([Pressure::Blocked, Pressure::Ready]);
    assert!(matches!(driver.turn(), Turn::Wait { .. }));
    assert!(driver.desk.pressure.is_empty());
    driver.desk.broken = true;
    assert_eq!(driver.turn(), Turn::Again, "its end is to be read");
    let close = CloseInfo { code: None, reason: "broken pipe".into() };
    driver.desk.incoming.push_back(Incoming::Closed(close));
    driver.turns();
    assert_eq!(driver.desk.done.first().map(String::as_str), Some("disconnect"));
    assert!(std::iter::from_fn(|| driver.take()).any(|event| matches!(event, Event::Disconnected { .. })));
}

#[test]
fn a_silent_peer_within_a_message_is_given_up_by_reading() {
    let mut driver = Driver::ready(&IoLimits::default());
    for _ in 0..2 {
        let due = driver.until();
        driver.set_clock(due);
        driver.desk.in_message = true;
    }
    assert_eq!(driver.turn(), Turn::Again);
    assert!(driver.desk.done.is_empty(), "the next read reports it: {:?}", driver.desk.done);
}

// CLAUSE SEC-3
#[test]
fn no_more_logins_wait_than_may() {
    let config = Config { token_timeout: Duration::from_secs(10), ..Config::default() };
    let mut driver = Driver::new(config, &IoLimits::default());
    for _ in 0..200 {
        let until = driver.until();
        driver.set_clock(until);
    }
    let asked = driver.desk.done.iter().filter(|done| done.starts_with("authorize")).count();
    assert_eq!(asked, MAX_LOGINS, "{:?}", driver.desk.done);
    // Each that comes back makes room for another one.
    driver.desk.completions.push_back(Completion::Authorized(1.into(), token()));
    assert!(driver.pump.logins == MAX_LOGINS);
    driver.turns();
    assert!(driver.pump.logins <= MAX_LOGINS);
}

// CLAUSE HB-4
#[test]
fn a_late_timer_means_that_the_process_was_away() {
    let mut driver = Driver::ready(&IoLimits::default());
    let due = driver.until();
    driver.set_clock(due.after(Duration::from_secs(60)));
    driver.turn();
    assert_eq!(driver.desk.done.first().map(String::as_str), Some("pause"));
    assert_eq!(driver.desk.sent.len(), 1, "one probe");
}
