//! The driver and its client on a machine in memory, against the stand-in, a bad network and a moody application.

use std::time::Duration;

use ringcentral_ws_core::{Body, Close, Config, Filters, OverHttps};
use ringcentral_ws_driver::{Client, Filter, IoLimits};
use ringcentral_ws_gateway::GatewayConfig;
use ringcentral_ws_testkit::{Call, Held, Link, Machine, Received, Step, Watch, World};

/// Operations of one input.
const MAX_OPS: usize = 200;
/// Calls of the application at once.
const MAX_CALLS: usize = 40;
/// Steps in which a closed client must have ended.
const MAX_STEPS: usize = 50_000;

/// Bytes as operations, one byte each and its operands. Nothing panics and nothing runs in circles; notifications come
/// once and in order, or behind a gap report; every call ends once, and within `Config::close_timeout` after `close`;
/// of a client that is dropped nothing is left.
pub fn driver(data: &[u8]) {
    let mut bytes = Bytes(data);
    let mut play = Play::new(bytes.next());
    for _ in 0..MAX_OPS {
        if bytes.is_empty() {
            break;
        }
        play.one(&mut bytes);
    }
    play.end(bytes.next());
}

pub(super) struct Bytes<'a>(pub(super) &'a [u8]);

impl<'a> Bytes<'a> {
    pub(super) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn next(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }

    /// As many as the next byte says, or as are left.
    pub(super) fn part(&mut self) -> &'a [u8] {
        let len = usize::from(self.next()).min(self.0.len());
        let (part, rest) = self.0.split_at(len);
        self.0 = rest;
        part
    }
}

struct Play {
    world: World,
    client: Option<Client<Machine>>,
    watch: Option<Watch>,
    calls: Vec<Call<'static, ()>>,
    /// Notifications up to this number were sent, the first of them with this number.
    sent: Option<(u64, u64)>,
    /// The stream of bytes was meddled with: what is lost then nobody can know.
    meddled: bool,
    /// The application is not subscribed, or was not.
    unsubscribed: bool,
}

impl Play {
    fn new(style: u8) -> Self {
        let mut gateway = GatewayConfig::default();
        gateway.recording_size = 5_000;
        if style & 1 != 0 {
            gateway.ping_interval = Some(Duration::from_secs(20));
        }
        if style & 2 != 0 {
            gateway.reply_delay = Duration::from_secs(2);
        }
        let mut world = World::new(1, gateway);
        let config = Config { rest_over_websocket: style & 4 != 0, ..Config::default() };
        let event_queue = if style & 8 != 0 { 2 } else { 1024 };
        let command_queue = if style & 16 != 0 { 1 } else { 32 };
        let limits = IoLimits { event_queue, command_queue, send_max: 64 << 10, ..IoLimits::default() };
        let started = world.builder().filters([Filter::sms()]).config(config).limits(limits).start();
        let Ok((client, events)) = started else { panic!("it does not start") };
        if style & 32 != 0 {
            world.settle();
        }
        Self {
            world,
            client: Some(client),
            watch: Some(Watch::new(events)),
            calls: Vec::new(),
            sent: None,
            meddled: false,
            unsubscribed: false,
        }
    }

    fn one(&mut self, bytes: &mut Bytes<'_>) {
        match bytes.next() % 32 {
            0 | 1 => self.steps(bytes.next()),
            2 => self.world.settle(),
            3 => self.listen(bytes.next()),
            4 | 5 => self.notify(1 + bytes.next() % 8),
            6 => self.world.pass(Duration::from_millis(u64::from(bytes.next()) * 8)),
            7 => self.world.pass(Duration::from_secs(u64::from(bytes.next()))),
            8 => self.world.suspend(Duration::from_secs(u64::from(bytes.next()) * 2)),
            op @ 9..18 => self.ask(op, bytes.next()),
            18 => self.forget(bytes.next()),
            op => self.network(op, bytes),
        }
        self.poll_calls();
    }

    /// What the application asks.
    fn ask(&mut self, op: u8, how: u8) {
        let Some(client) = self.client.clone().filter(|_| self.calls.len() < MAX_CALLS) else { return };
        let path = if how & 2 == 0 { "/restapi/v1.0/account/~" } else { "/restapi/v1.0/no/such/thing" };
        let mut request = http::Request::get(path).body(Body::empty()).unwrap_or_default();
        if how & 1 != 0 {
            request.extensions_mut().insert(OverHttps);
        }
        self.unsubscribed |= op == 14;
        self.calls.push(match op {
            9..12 => Call::new(async move { drop(client.request(request).await) }),
            12 => Call::new(async move {
                let Ok(response) = client.download(request).await else { return };
                let mut body = response.into_body();
                while let Some(Ok(_)) = body.chunk().await {}
            }),
            13 => Call::new(async move {
                let filters = if how & 1 == 0 {
                    Filters::new([Filter::sms()])
                } else {
                    Filters::new([Filter::sms(), Filter::presence()])
                };
                let Ok(filters) = filters else { return };
                drop(client.subscribe(filters).await);
            }),
            14 => Call::new(async move { drop(client.unsubscribe().await) }),
            15 => Call::new(async move { drop(client.recover().await) }),
            16 => Call::new(async move { client.network_changed(how & 1 != 0).await }),
            _ if how < 200 => Call::new(async move { drop(client.request(request).await) }),
            _ => Call::new(async move { client.close(if how & 1 == 0 { Close::Detach } else { Close::Revoke }).await }),
        });
    }

    /// What the network and the server do.
    fn network(&mut self, op: u8, bytes: &mut Bytes<'_>) {
        let arg = bytes.next();
        let on = arg & 1 != 0;
        let server = &mut self.world.server;
        match op {
            19 => server.reset(),
            20 => server.silence(on),
            21 => self.world.machine.refuse(on),
            22 => self.world.machine.cut_off(on, arg & 2 != 0),
            23 => server.mute(on),
            24 => {
                let piece = 1 + usize::from(arg) * 4;
                self.world.machine.set_link(Link { piece, capacity: piece.max(256) * 4, silent: false });
            }
            25 => {
                let (gateway, now) = server.gateway();
                gateway.close_all(1000 + u16::from(arg), "bye", now);
            }
            26 => {
                let (gateway, now) = server.gateway();
                gateway.restart(now);
            }
            27 => {
                let (gateway, now) = server.gateway();
                gateway.overload(if on { 429 } else { 503 }, Duration::from_secs(5), arg & 2 != 0, now);
            }
            28 => server.inject_text(&String::from_utf8_lossy(bytes.part())),
            29 => {
                self.meddled = true;
                server.inject(bytes.part());
            }
            30 => server.answer_raw(bytes.part().to_vec()),
            _ => {
                let (gateway, now) = server.gateway();
                gateway.duplicate_next(u32::from(arg % 4));
                gateway.expire_access_tokens(now);
            }
        }
    }

    fn steps(&mut self, count: u8) {
        for _ in 0..count {
            self.world.step();
            self.poll_calls();
        }
    }

    fn poll_calls(&mut self) {
        self.calls.retain_mut(|call| !call.poll());
    }

    fn listen(&mut self, count: u8) {
        let Some(watch) = &mut self.watch else { return };
        for _ in 0..=count {
            watch.take_one();
        }
        let numbers = watch.numbers();
        assert!(numbers.is_sorted_by(|a, b| a < b), "not once and in order: {numbers:?}");
    }

    fn notify(&mut self, count: u8) {
        for _ in 0..count {
            let (number, receipts) = self.world.server.notify();
            // Nothing is promised before the application knows of its subscription.
            let confirmed = self.watch.as_ref().is_some_and(|watch| watch.has_received(&Received::Subscribed));
            if self.sent.is_some() || confirmed && !receipts.is_empty() {
                self.sent = Some((self.sent.map_or(number, |(first, _)| first), number));
            }
        }
    }

    /// Drops a call wherever it is, or a handle.
    fn forget(&mut self, which: u8) {
        match which {
            255 => self.client = None,
            254 => self.watch = None,
            n if self.calls.is_empty() => self.steps(n % 4),
            n => drop(self.calls.swap_remove(usize::from(n) % self.calls.len())),
        }
    }

    fn end(mut self, how: u8) {
        if how & 1 == 0 {
            self.all_is_well();
        }
        if how & 2 == 0 {
            self.close();
        }
        self.calls.clear();
        (self.client, self.watch) = (None, None);
        self.world.settle();
        assert_eq!((self.world.machine.held(), self.world.server.streams()), (Held::default(), 0), "something is left");
    }

    /// No faults any more: what was sent has come, or a gap reports its loss.
    fn all_is_well(&mut self) {
        self.world.machine.refuse(false);
        self.world.machine.cut_off(false, false);
        self.world.machine.set_link(Link::default());
        self.world.server.mute(false);
        self.world.server.silence(false);
        for _ in 0..120 {
            self.listen(255);
            self.world.pass(Duration::from_secs(5));
            self.poll_calls();
        }
        self.listen(255);
        let ended = self.watch.as_ref().is_none_or(|watch| watch.has_received(&Received::Closed));
        assert!(ended || self.calls.is_empty(), "{} calls have no end", self.calls.len());
        if let (Some(watch), Some((first, last))) = (&self.watch, self.sent)
            && !(ended || self.meddled || self.unsubscribed)
        {
            watch.check(first, last);
        }
    }

    fn close(&mut self) {
        let (Some(client), Some(mut watch)) = (self.client.take(), self.watch.take()) else { return };
        let mut close = Call::new(async move { client.close(Close::Revoke).await });
        let began = self.world.machine.now();
        for _ in 0..MAX_STEPS {
            self.poll_calls();
            if close.poll() || self.world.step() == Step::Stuck {
                break;
            }
        }
        assert!(close.poll(), "close has no end");
        assert!(self.world.machine.now() - began <= Config::default().close_timeout, "close came late");
        for _ in 0..MAX_STEPS {
            watch.take();
            self.poll_calls();
            if watch.has_ended() || self.world.work().is_none() {
                break;
            }
        }
        watch.take();
        self.poll_calls();
        assert!(watch.has_ended(), "the events have no end");
        assert_eq!(watch.received().iter().filter(|event| **event == Received::Closed).count(), 1);
        // A body that is being read is the reader's own.
        self.world.pass(Duration::from_secs(100));
        self.poll_calls();
        assert!(self.calls.is_empty(), "{} calls have no end", self.calls.len());
    }
}
