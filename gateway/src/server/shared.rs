//! What the tasks of a server share: the gateway, the way to each socket, and faults of the network.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, Semaphore, mpsc, watch};
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::Utf8Bytes;

use crate::server::frames::{FrameLog, Way};
use crate::{FrameKind, Gateway, GatewayOutput, Upgrade};

/// Frames that may wait for one socket. A client that reads so slowly is cut.
const MAX_QUEUED: usize = 4096;

/// Pages that follow the status at most.
const MAX_FOLLOWERS: usize = 16;
/// Scripts started over HTTP that run at the same time.
const MAX_SCRIPTS: usize = 16;

#[derive(Debug)]
pub(super) struct Shared {
    inner: Mutex<Inner>,
    started: Instant,
    /// Notified after every call: deadlines may have moved.
    pub(super) moved: Notify,
    /// The same for threads.
    changed: Condvar,
    delay_us: AtomicU64,
    pub(super) split: Arc<AtomicUsize>,
    pub(super) loopback: bool,
    /// While true, new connections are accepted and then nothing.
    pub(super) stall: watch::Sender<bool>,
    /// Whether nobody listens.
    pub(super) refusing: AtomicBool,
    /// The next call whose path begins so has no answer.
    lost_answers: Mutex<Vec<String>>,
    /// Counts changes, for whoever looks now and then.
    version: AtomicU64,
    /// Who follows the status.
    pub(super) followers: Arc<Semaphore>,
    /// Scripts started over HTTP.
    pub(super) scripts: Arc<Semaphore>,
}

#[derive(Debug)]
struct Inner {
    gateway: Gateway,
    links: BTreeMap<u64, Link>,
    next_conn: u64,
    frames: FrameLog,
}

/// The way to the task of a socket.
#[derive(Debug)]
struct Link {
    orders: mpsc::Sender<Order>,
    cut: Arc<Notify>,
    half_open: bool,
    /// Notifications that went to a half-open socket.
    undelivered: Vec<u64>,
}

/// An order to the task of a socket, not to be carried out before its time.
#[derive(Debug)]
pub(super) struct Order {
    pub(super) at: Instant,
    pub(super) what: What,
}

#[derive(Debug)]
pub(super) enum What {
    /// The number is the uuid of a notification.
    Text(Utf8Bytes, Option<u64>),
    Ping,
    Close(u16, String),
    /// Stop reading and writing.
    Silence,
}

/// The other end of a [`Link`].
#[derive(Debug)]
pub(super) struct Orders {
    pub(super) conn: u64,
    pub(super) queue: mpsc::Receiver<Order>,
    pub(super) cut: Arc<Notify>,
}

impl Shared {
    pub(super) fn new(gateway: Gateway, loopback: bool) -> Self {
        Self {
            inner: Mutex::new(Inner { gateway, links: BTreeMap::new(), next_conn: 0, frames: FrameLog::default() }),
            started: Instant::now(),
            moved: Notify::new(),
            changed: Condvar::new(),
            delay_us: AtomicU64::new(0),
            split: Arc::new(AtomicUsize::new(0)),
            loopback,
            stall: watch::Sender::new(false),
            refusing: AtomicBool::new(false),
            lost_answers: Mutex::default(),
            version: AtomicU64::new(0),
            followers: Arc::new(Semaphore::new(MAX_FOLLOWERS)),
            scripts: Arc::new(Semaphore::new(MAX_SCRIPTS)),
        }
    }

    /// Looks at the gateway and the last frames, and changes nothing.
    pub(super) fn look<R>(&self, work: impl FnOnce(&Gateway, &FrameLog, u64) -> R) -> R {
        let inner = self.lock();
        work(&inner.gateway, &inner.frames, self.now())
    }

    /// Half-open sockets.
    pub(super) fn half_open_count(&self) -> usize {
        self.lock().links.values().filter(|link| link.half_open).count()
    }

    /// The number of changes so far.
    pub(super) fn version(&self) -> u64 {
        self.version.load(Ordering::Relaxed)
    }

    /// Works on the gateway at the present time and passes on what it orders.
    pub(super) fn call<R>(&self, work: impl FnOnce(&mut Gateway, u64) -> R) -> R {
        let mut inner = self.lock();
        let result = work(&mut inner.gateway, self.now());
        self.pass_on(&mut inner);
        drop(inner);
        self.note_change();
        result
    }

    /// The next such call has no answer.
    pub(super) fn lose_answer(&self, calls: &str) {
        self.lost_answers.lock().unwrap_or_else(PoisonError::into_inner).push(calls.to_owned());
    }

    /// Whether the answer to this call is lost.
    pub(super) fn loses_answer(&self, method: &str, target: &str) -> bool {
        let mut lost = self.lost_answers.lock().unwrap_or_else(PoisonError::into_inner);
        let found = lost.iter().position(|calls| crate::faults::is_for(calls, method, target));
        found.is_some_and(|at| {
            lost.remove(at);
            true
        })
    }

    /// Waits until something holds of the gateway, which is looked at after each change; `false` after the time.
    pub(super) fn wait_until(&self, time: Duration, mut holds: impl FnMut(&Gateway) -> bool) -> bool {
        let (_inner, waited) = self
            .changed
            .wait_timeout_while(self.lock(), time, |inner| !holds(&inner.gateway))
            .unwrap_or_else(PoisonError::into_inner);
        !waited.timed_out()
    }

    /// Deadlines may have moved, and what somebody waits for may have come.
    fn note_change(&self) {
        self.version.fetch_add(1, Ordering::Relaxed);
        self.moved.notify_one();
        self.changed.notify_all();
    }

    /// A text frame arrived. On a half-open socket it was never read.
    pub(super) fn received(&self, conn: u64, text: &str) {
        let half_open = |inner: &Inner| inner.links.get(&conn).is_none_or(|link| link.half_open);
        let mut inner = self.lock();
        if !half_open(&inner) {
            inner.frames.add(self.now(), conn, Way::In, text);
            inner.gateway.ws_text(conn, text, self.now());
            self.pass_on(&mut inner);
        }
        drop(inner);
        self.note_change();
    }

    /// An upgrade request: the gateway's answer, and the orders that follow from it.
    pub(super) fn open(&self, target: &str, authorization: Option<&str>) -> (Upgrade, Orders) {
        let mut inner = self.lock();
        let now = self.now();
        inner.give_up_half_open(now);
        inner.next_conn += 1;
        let conn = inner.next_conn;
        let (orders, queue) = mpsc::channel(MAX_QUEUED);
        let cut = Arc::new(Notify::new());
        let link = Link { orders, cut: Arc::clone(&cut), half_open: false, undelivered: Vec::new() };
        inner.links.insert(conn, link);
        let upgrade = inner.gateway.ws_open(conn, target, authorization, now);
        if upgrade != Upgrade::Accepted {
            inner.links.remove(&conn);
        }
        self.pass_on(&mut inner);
        drop(inner);
        self.note_change();
        (upgrade, Orders { conn, queue, cut })
    }

    /// A socket ended. What was ordered and not written was not delivered.
    pub(super) fn ended(&self, mut orders: Orders, unwritten: Option<Order>) {
        let mut inner = self.lock();
        let now = self.now();
        // Once the way is gone nothing more is ordered: what is in the queue now is all there was.
        let link = inner.links.remove(&orders.conn);
        let rest = std::iter::from_fn(|| orders.queue.try_recv().ok());
        let uuid = |order: Order| if let What::Text(_, uuid) = order.what { uuid } else { None };
        let mut undelivered: Vec<u64> = unwritten.into_iter().chain(rest).filter_map(uuid).collect();
        undelivered.extend(link.into_iter().flat_map(|link| link.undelivered));
        inner.gateway.ws_lost(orders.conn, &undelivered, now);
        drop(inner);
        self.note_change();
    }

    pub(super) fn half_open(&self) {
        let at = Instant::now();
        for link in self.lock().links.values_mut() {
            // A full queue stays unwritten anyway once the task has to be silent.
            if link.orders.try_send(Order { at, what: What::Silence }).is_err() {
                link.cut.notify_one();
            }
            link.half_open = true;
        }
    }

    pub(super) fn drop_connections(&self) {
        let mut inner = self.lock();
        let now = self.now();
        inner.give_up_half_open(now);
        for link in inner.links.values() {
            link.cut.notify_one();
        }
        inner.gateway.reset(None, now);
        self.pass_on(&mut inner);
        drop(inner);
        self.note_change();
    }

    pub(super) fn set_delay(&self, delay: Duration) {
        self.delay_us.store(crate::config::micros(delay), Ordering::Relaxed);
    }

    pub(super) fn delay(&self) -> Duration {
        Duration::from_micros(self.delay_us.load(Ordering::Relaxed))
    }

    pub(super) fn set_split(&self, bytes: usize) {
        self.split.store(bytes, Ordering::Relaxed);
    }

    /// Carries the gateway's timers out, for ever.
    pub(super) async fn keep_time(&self) {
        loop {
            let deadline = self.lock().gateway.next_deadline();
            let moved = self.moved.notified();
            match deadline {
                None => moved.await,
                Some(at) => tokio::select! {
                    () = moved => {}
                    () = tokio::time::sleep_until(self.started + Duration::from_micros(at)) => {
                        self.call(|gateway, now| gateway.handle_timeout(now));
                    }
                },
            }
        }
    }

    fn now(&self) -> u64 {
        crate::config::micros(self.started.elapsed())
    }

    fn due(&self) -> Instant {
        Instant::now() + self.delay()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn pass_on(&self, inner: &mut Inner) {
        let at = self.due();
        let now = self.now();
        while let Some(output) = inner.gateway.poll() {
            if let GatewayOutput::Send { conn, text, .. } = &output {
                inner.frames.add(now, *conn, Way::Out, text);
            }
            let (conn, what) = match output {
                GatewayOutput::Send { conn, text, kind: FrameKind::Notification { uuid } } => {
                    (conn, What::Text(text.into(), Some(uuid)))
                }
                GatewayOutput::Send { conn, text, .. } => (conn, What::Text(text.into(), None)),
                GatewayOutput::Ping { conn } => (conn, What::Ping),
                GatewayOutput::Close { conn, code, reason } => (conn, What::Close(code, reason)),
                GatewayOutput::Reset { conn } => {
                    if let Some(link) = inner.links.get(&conn) {
                        link.cut.notify_one();
                    }
                    continue;
                }
            };
            inner.order(conn, Order { at, what }, now);
        }
    }
}

impl Inner {
    fn order(&mut self, conn: u64, order: Order, now: u64) {
        let Some(link) = self.links.get_mut(&conn) else { return };
        if link.half_open {
            match order.what {
                What::Text(_, uuid) => link.undelivered.extend(uuid),
                What::Close(..) => {
                    let undelivered = std::mem::take(&mut link.undelivered);
                    self.gateway.ws_lost(conn, &undelivered, now);
                }
                What::Ping | What::Silence => {}
            }
        } else if let Err(error) = link.orders.try_send(order) {
            let order = match error {
                mpsc::error::TrySendError::Full(order) | mpsc::error::TrySendError::Closed(order) => order,
            };
            if let What::Text(_, uuid) = order.what {
                link.undelivered.extend(uuid);
            }
            // Its task reports the end, and with it what was not delivered.
            link.cut.notify_one();
        }
    }

    /// A client came back: what half-open sockets swallowed is known to be lost now.
    fn give_up_half_open(&mut self, now: u64) {
        for (conn, link) in &mut self.links {
            if link.half_open {
                let undelivered = std::mem::take(&mut link.undelivered);
                self.gateway.ws_lost(*conn, &undelivered, now);
            }
        }
    }
}
