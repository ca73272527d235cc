//! One run: the world, what is done to it, and what must hold after each step.

use std::future::Future;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use ringcentral_ws_core::{Body, Close, Event};
use ringcentral_ws_driver::{Client, Events, Filter};
use ringcentral_ws_gateway::GatewayConfig;
use ringcentral_ws_testkit::{Call, Held, Link, Machine, Stall, World};

use super::Run;
use super::limits::{CLOSE, POLL, REQUEST, SLACK, config, io};
use super::oracle::{Oracle, Received};
use super::script::{FORGED, HALF, RUBBISH, UNKNOWN, any_frame, flood, frame, notification, upgrade};
use crate::targets::driver::Bytes;

/// Calls of the application at once.
const MAX_CALLS: usize = 12;
/// Steps at one moment. While the peer never pauses they take time, else it runs in circles.
const STEPS: usize = 3_000;
const SECOND: Duration = Duration::from_secs(1);

pub(super) struct Play<'p> {
    run: Run<'p>,
    world: World,
    client: Client<Machine>,
    events: Option<Events>,
    /// Since when the application takes events.
    listens: Option<Duration>,
    oracle: Option<Oracle>,
    calls: Vec<(Call<'static, ()>, Duration)>,
    /// The subscription that stands, and on which stream it does.
    subscription: Option<String>,
    confirmed: Option<u64>,
    /// The second half of a notification whose first was sent.
    half: Option<String>,
    forged: u64,
    stall: Stall,
    flooding: bool,
    /// Something was done to this stream.
    touched: bool,
    closing: bool,
}

impl<'p> Play<'p> {
    pub(super) fn new(style: u8, oracle: bool, run: Run<'p>) -> Self {
        let mut world = World::new(1, GatewayConfig::default());
        let link = link_of(style);
        world.machine.set_link(link);
        if oracle {
            world.machine.watch_streams();
        }
        let started = world.builder().filters([Filter::sms()]).config(config()).limits(io(style & 0x20 != 0)).start();
        let Ok((client, events)) = started else { panic!("it does not start") };
        let mut play = Self {
            run,
            world,
            client,
            events: Some(events),
            listens: Some(Duration::ZERO),
            oracle: oracle.then(|| Oracle::new(style & 0x20 != 0)),
            calls: Vec::new(),
            subscription: None,
            confirmed: None,
            half: None,
            forged: FORGED,
            stall: Stall { link, deaf: false },
            flooding: false,
            touched: false,
            closing: false,
        };
        play.pass(SECOND);
        play
    }

    pub(super) fn one(&mut self, bytes: &mut Bytes<'_>) {
        match bytes.next() % 32 {
            0..4 => self.frame(bytes),
            4 | 5 => self.inject(bytes.part()),
            6..9 => self.notify(1 + usize::from(bytes.next() % 4), 0),
            9 => self.notify(8 * usize::from(1 + bytes.next() % 16), 16 * usize::from(bytes.next())),
            10 => self.pass(Duration::from_millis(u64::from(bytes.next()) * 20)),
            11 => self.pass(SECOND * u32::from(bytes.next() % 64)),
            12 => self.listen(bytes.next() & 1 != 0),
            13 => self.stall.deaf = bytes.next() & 1 != 0,
            14 => self.break_writes(),
            15 => self.stall.link.silent = bytes.next() & 1 != 0,
            16 => self.stall.link = link_of(bytes.next()),
            17 => self.world.server.finish(),
            18 => self.world.server.reset(),
            19 | 20 => self.flood(bytes.next(), bytes.next()),
            21 => self.ask(),
            22 => self.world.server.answer_upgrade(upgrade(bytes)),
            23 => self.fragments(bytes.next(), bytes.next()),
            24 => self.repeat(),
            25 => self.large(bytes.next()),
            26 => self.inject(&frame(0x81, RUBBISH.as_bytes())),
            27 => self.close_frame(bytes),
            28 => self.heal(bytes.next()),
            29 => self.pings(bytes.next(), bytes.next()),
            _ => self.steps(usize::from(bytes.next())),
        }
        self.world.server.stall(self.stall);
        self.observe();
    }

    fn break_writes(&mut self) {
        self.touched = true;
        self.world.server.break_writes();
        if let (Some(oracle), Some(id)) = (&mut self.oracle, self.world.server.newest()) {
            oracle.set_unwritable(id);
        }
    }

    fn inject(&mut self, bytes: &[u8]) {
        self.touched = true;
        self.world.server.inject(bytes);
    }

    /// A notification's text, if one may be sent now: its subscription must be confirmed on the newest stream.
    fn forge(&mut self, padding: usize) -> Option<String> {
        let live = self.world.server.newest();
        if self.oracle.is_some() && (self.confirmed.is_none() || live != self.confirmed) {
            return None;
        }
        self.forged += 1;
        let text = notification(self.forged, self.subscription.as_deref()?, padding);
        if let Some(oracle) = &mut self.oracle {
            oracle.will_send(&text, self.forged);
        }
        Some(text)
    }

    fn notify(&mut self, count: usize, padding: usize) {
        for _ in 0..count {
            let Some(text) = self.forge(padding) else { return };
            self.inject(&frame(0x81, text.as_bytes()));
            if let (Some(oracle), Some(id)) = (&mut self.oracle, self.world.server.newest()) {
                oracle.was_written(id, self.forged);
            }
        }
    }

    fn frame(&mut self, bytes: &mut Bytes<'_>) {
        let (kind, spoilt, payload) = (bytes.next(), bytes.next(), bytes.next());
        let whole = match payload % 10 {
            0 | 1 => self.forge(0).unwrap_or_default().into_bytes(),
            2 => {
                let Some(text) = self.forge(0) else { return };
                let (first, second) = text.split_at(HALF);
                self.half = Some(second.to_owned());
                first.as_bytes().to_vec()
            }
            3 => self.half.take().unwrap_or_default().into_bytes(),
            4 => RUBBISH.into(),
            5 => vec![b'a', 0xc3, 0x28],
            6 => UNKNOWN.into(),
            7 => Vec::new(),
            8 => vec![b'x'; 4 * usize::from(bytes.next())],
            _ => bytes.part().to_vec(),
        };
        self.inject(&any_frame(kind, spoilt, &whole));
    }

    /// Pings and a notification behind them, in one go.
    fn pings(&mut self, count: u8, size: u8) {
        let ping = frame(0x89, &vec![b'p'; usize::from(size % 126)]);
        self.inject(&ping.repeat(usize::from(count)));
        self.notify(1, 0);
    }

    /// A notification in many pieces, with control frames between, or without its end.
    fn fragments(&mut self, size: u8, how: u8) {
        let Some(text) = self.forge(usize::from(how) * 8) else { return };
        let mut pieces = text.as_bytes().chunks(1 + usize::from(size)).peekable();
        let mut first = 1;
        while let Some(piece) = pieces.next() {
            let last = pieces.peek().is_none();
            if last && how & 1 != 0 {
                return;
            }
            self.inject(&frame(first | if last { 0x80 } else { 0 }, piece));
            if how & 2 != 0 {
                self.inject(&frame(0x89, b"p"));
            }
            first = 0;
        }
    }

    /// The last notification that was emitted comes again.
    fn repeat(&mut self) {
        let Some(oracle) = &self.oracle else { return };
        let last =
            oracle.received.iter().rev().find(|received| matches!(received, Received::Notification(n) if *n > FORGED));
        let (Some(Received::Notification(number)), Some(id)) = (last, &self.subscription) else { return };
        let text = notification(*number, id, 0);
        if self.confirmed == self.world.server.newest() && oracle.was_sent(&text) {
            self.inject(&frame(0x81, text.as_bytes()));
        }
    }

    /// About as large as a message may be.
    fn large(&mut self, more: u8) {
        let Some(short) = self.forge(0) else { return };
        let padding = super::limits::FRAME_BYTES - short.len() + usize::from(more % 4) - 2;
        let Some(text) = self.forge(padding) else { return };
        self.inject(&frame(0x81, text.as_bytes()));
    }

    fn close_frame(&mut self, bytes: &mut Bytes<'_>) {
        let (how, code) = (bytes.next(), u16::from(bytes.next()));
        let code = [1000, 1001, 1006, 4000][usize::from(how & 3)] + code % 16;
        let mut payload = code.to_be_bytes().to_vec();
        payload.extend(if how & 4 == 0 { &[] } else { bytes.part() });
        payload.truncate(match how >> 5 {
            0 => 0,
            1 => 1,
            _ => 125,
        });
        self.inject(&frame(0x88, &payload));
    }

    fn flood(&mut self, kind: u8, time: u8) {
        self.touched = true;
        if kind & 8 != 0 {
            // So that pieces have a beginning.
            self.inject(&frame(0x01, b"y"));
            self.steps(3);
        }
        self.world.server.flood(Some(flood(kind)));
        self.flooding = true;
        self.pass(SECOND * u32::from(time % 64));
        if time & 0x80 == 0 {
            self.world.server.flood(None);
        }
    }

    fn ask(&mut self) {
        if self.calls.len() >= MAX_CALLS {
            return;
        }
        let (client, calls, now) = (&self.client, &mut self.calls, self.world.machine.now());
        (self.run)(&mut || {
            let client = client.clone();
            let request = http::Request::get("/restapi/v1.0/account/~").body(Body::empty()).unwrap_or_default();
            let call = Call::new(async move { drop(client.request(request).await) });
            calls.push((call, now));
            true
        });
    }

    fn listen(&mut self, listens: bool) {
        if !listens {
            self.listens = None;
        } else if self.listens.is_none() {
            self.listens = Some(self.world.machine.now());
        }
    }

    fn steps(&mut self, count: usize) {
        for _ in 0..count {
            if !self.work() {
                self.wait(POLL);
            }
            self.observe();
        }
    }

    fn work(&mut self) -> bool {
        let machine = &self.world.machine;
        let polled = (self.run)(&mut || machine.poll_one());
        // A client that always has something to read must not keep the server from its turn.
        let served = (!polled || self.flooding) && self.world.serve();
        polled || served
    }

    fn wait(&mut self, most: Duration) {
        self.world.wait(most);
    }

    /// Lives for this long. A peer that never pauses lets no time pass, so a poll does.
    fn pass(&mut self, time: Duration) {
        let end = self.world.machine.now() + time;
        loop {
            let mut steps = 0;
            while (!self.flooding || steps < 4) && self.work() {
                steps += 1;
                assert!(steps < STEPS, "it runs in circles: {:?}", self.world.machine);
                self.observe();
            }
            let left = end.saturating_sub(self.world.machine.now());
            if left.is_zero() {
                return;
            }
            self.wait(if self.flooding { POLL.min(left) } else { left });
            self.observe();
        }
    }

    fn observe(&mut self) {
        let now = self.world.machine.now();
        if let Some(oracle) = &mut self.oracle {
            oracle.see(self.world.machine.seen(), now);
            oracle.asks(!self.calls.is_empty());
        }
        if self.listens.is_some() {
            self.take();
        }
        let calls = &mut self.calls;
        (self.run)(&mut || {
            calls.retain_mut(|(call, _)| !call.poll());
            true
        });
        for (_, since) in &self.calls {
            assert!(self.closing || now <= *since + REQUEST + SLACK, "a request of {since:?} has no end at {now:?}");
        }
        if let Some(oracle) = &self.oracle {
            oracle.check(now, self.listens);
        }
    }

    fn take(&mut self) {
        let mut cx = Context::from_waker(Waker::noop());
        while let Some(events) = &mut self.events {
            let mut taken = None;
            if !(self.run)(&mut || match std::pin::pin!(events.next()).poll(&mut cx) {
                Poll::Pending => false,
                Poll::Ready(event) => {
                    taken = event;
                    true
                }
            }) {
                return;
            }
            match &taken {
                None => self.events = None,
                Some(event) => self.note(event),
            }
            (self.run)(&mut || taken.take().is_some());
        }
    }

    fn note(&mut self, event: &Event) {
        let live = match &self.oracle {
            Some(oracle) => oracle.live(),
            None => self.world.server.newest(),
        };
        match event {
            Event::Notification(notification) => {
                let digits = notification.body().bytes().filter(u8::is_ascii_digit);
                let number = digits.fold(0_u64, |n, digit| n.wrapping_mul(10).wrapping_add(u64::from(digit - b'0')));
                let uuid = notification.uuid();
                assert!(number < FORGED || uuid == format!("forged-{number}"), "{uuid} is {number}");
                if let Some(oracle) = &mut self.oracle {
                    oracle.notified(number);
                }
            }
            Event::Gap(gap) => {
                if let Some(oracle) = &mut self.oracle {
                    oracle.received.push(Received::Gap(gap.cause.as_str()));
                }
            }
            Event::Subscribed(info) => {
                self.subscription = Some(info.server_id.to_string());
                self.confirmed = live;
            }
            Event::Recovered { .. } if self.subscription.is_some() => self.confirmed = live,
            Event::Disconnected { cause, .. } => {
                self.confirmed = None;
                if let Some(oracle) = &mut self.oracle {
                    oracle.received.push(Received::Disconnected(format!("{cause:?}")));
                }
            }
            Event::Closed { reason } => assert!(self.closing, "bytes have ended the session: {reason:?}"),
            _ => {}
        }
    }

    /// A good connection, on which a notification comes.
    fn heal(&mut self, how: u8) {
        self.world.server.flood(None);
        self.flooding = false;
        self.stall = Stall::default();
        self.world.machine.set_link(self.stall.link);
        self.world.server.stall(self.stall);
        self.world.server.answer_no_upgrade();
        if self.touched {
            if how & 1 == 0 {
                self.world.server.reset()
            } else {
                self.world.server.finish()
            }
            (self.touched, self.half) = (false, None);
        }
        self.listen(true);
        self.pass(SECOND);
        let client = self.client.clone();
        let mut recover = Call::new(async move { drop(client.recover().await) });
        recover.poll();
        // Another look if what was finished is half a message that nobody ended.
        for _ in 0..120 {
            if self.confirmed.is_some() && self.confirmed == self.world.server.newest() {
                break;
            }
            self.pass(10 * SECOND);
            recover.poll();
        }
        assert!(self.confirmed.is_some(), "it is not subscribed after twenty minutes: {:?}", self.client.state());
        let (number, receipts) = self.world.server.notify();
        self.pass(2 * SECOND);
        let received = Received::Notification(number);
        let came = self.oracle.as_ref().is_none_or(|oracle| oracle.received.contains(&received));
        assert!(came, "{receipts:?} was not received: {:?}", self.client.state());
    }

    pub(super) fn end(mut self, how: u8) {
        if how & 1 == 0 {
            self.heal(how >> 4);
            if let Some(oracle) = &self.oracle {
                oracle.settle();
            }
        }
        self.close(how & 2 != 0);
        self.calls.clear();
        (self.events, self.listens) = (None, None);
        let Self { client, mut world, .. } = self;
        drop(client);
        world.server.flood(None);
        world.settle();
        assert_eq!((world.machine.held(), world.server.streams()), (Held::default(), 0), "something is left");
    }

    fn close(&mut self, detach: bool) {
        self.closing = true;
        let (client, began) = (self.client.clone(), self.world.machine.now());
        let mode = if detach { Close::Detach } else { Close::Revoke };
        let mut close = Call::new(async move { client.close(mode).await });
        while !close.poll() {
            if !self.work() || self.flooding {
                self.wait(POLL);
            }
            self.observe();
            assert!(self.world.machine.now() <= began + CLOSE + 2 * POLL, "close has no end");
        }
        self.listen(true);
        self.flooding = false;
        self.pass(SECOND);
        assert!(self.events.is_none(), "the events have no end");
        assert!(self.calls.is_empty(), "{} calls have no end", self.calls.len());
    }
}

fn link_of(style: u8) -> Link {
    let piece = [usize::MAX, 1, 2, 7, 100, 4096, 5000, usize::MAX][usize::from(style & 7)];
    Link { capacity: [64 << 10, 512, 4096, 1 << 20][usize::from(style >> 3 & 3)], piece, silent: false }
}
