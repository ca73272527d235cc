//! A run: the fleet starts, idles, has a burst, loses its connections and its servers, and ends.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

use ringcentral_ws::{Client, Close};
use tokio::runtime::Runtime;

use super::arrivals::Arrivals;
use super::options::Options;
use super::process::{StandIn, Usage, allow_descriptors, cpu};
use super::report::Report;
use super::sessions::{self, Seen, Shared};
use super::{Failure, faults};

/// How long the fleet may take for anything.
const LONGEST: Duration = Duration::from_secs(180);
/// How often it is looked at.
const LOOK: Duration = Duration::from_millis(5);
/// How often progress is reported.
const PROGRESS: Duration = Duration::from_secs(2);
/// Notifications of a session that are under way in the burst.
const WINDOW: u64 = 20;
/// Notifications that are asked for at once.
const CHUNK: u64 = 5;

/// A run under way.
pub(super) struct Run<'a> {
    pub(super) options: &'a Options,
    runtime: Runtime,
    pub(super) stand_ins: Vec<StandIn>,
    clients: Vec<Client>,
    shared: Shared,
    pub(super) seen: Arc<Seen>,
    pub(super) report: Report,
    stop: Arc<AtomicBool>,
    heap: fn() -> usize,
    /// With one session, which makes what all share.
    base: Usage,
    /// The number of the next notification.
    pub(super) round: u64,
    pub(super) seed: u64,
    last_progress: Instant,
}

/// Measures a fleet; `heap` says how many bytes are on it.
///
/// # Errors
///
/// Something does not happen in its time, or it was interrupted. No process is left then either.
pub fn run(options: &Options, heap: fn() -> usize) -> Result<Report, Failure> {
    let per_stand_in = options.sessions.div_ceil(options.stand_ins);
    // Each login has a connection too until the session is ready.
    allow_descriptors(u64::try_from(options.sessions.max(2 * per_stand_in) + options.sessions / 2 + 200)?)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(options.workers).enable_all().build()?;
    let stop = Arc::new(AtomicBool::new(false));
    let stopped = Arc::clone(&stop);
    runtime.spawn(async move {
        if tokio::signal::ctrl_c().await.is_ok() {
            stopped.store(true, Relaxed);
        }
    });
    let shared = Shared::new(options)?;
    let mut run = Run {
        options,
        runtime,
        stand_ins: Vec::new(),
        clients: Vec::new(),
        seen: Arc::clone(&shared.seen),
        shared,
        report: Report::new(options.sessions),
        stop,
        heap,
        base: Usage::default(),
        round: 0,
        seed: 0,
        last_progress: Instant::now(),
    };
    run.start_stand_ins(per_stand_in)?;
    run.start()?;
    run.idle()?;
    run.burst()?;
    if options.faults {
        faults::cut(&mut run)?;
        faults::forget(&mut run)?;
        faults::restart(&mut run)?;
        faults::reconnects(&mut run)?;
    }
    run.close()?;
    Ok(run.report)
}

impl Run<'_> {
    /// All sessions.
    pub(super) fn all(&self) -> usize {
        self.clients.len()
    }

    /// Waits until something holds, and says how long that took.
    pub(super) fn until(&mut self, what: &str, mut holds: impl FnMut(&Seen) -> bool) -> Result<Duration, Failure> {
        let began = Instant::now();
        loop {
            if holds(&self.seen) {
                return Ok(began.elapsed());
            }
            if began.elapsed() > LONGEST {
                return Err(format!("{what}: not within {} s; {}", LONGEST.as_secs(), self.shown()).into());
            }
            self.pause(LOOK, what)?;
        }
    }

    /// Lets time pass.
    pub(super) fn pause(&mut self, time: Duration, what: &str) -> Result<(), Failure> {
        let began = Instant::now();
        loop {
            if self.stop.load(Relaxed) {
                return Err("interrupted".into());
            }
            if self.last_progress.elapsed() > PROGRESS {
                self.last_progress = Instant::now();
                eprintln!("{what}: {}", self.shown());
            }
            let left = time.saturating_sub(began.elapsed());
            if left.is_zero() {
                return Ok(());
            }
            std::thread::sleep(left.min(Duration::from_millis(250)));
        }
    }

    fn shown(&self) -> String {
        let (seen, all) = (&self.seen, self.clients.len());
        let of = |count: &AtomicUsize| count.load(Relaxed);
        let (ready, lost, retries) = (of(&seen.ready), of(&seen.lost), of(&seen.retries));
        let notifications = seen.notifications.load(Relaxed);
        format!("{ready} of {all} ready, {lost} connections lost, {retries} retries, {notifications} notifications")
    }

    /// Why connections ended and attempts failed.
    pub(super) fn show_causes(&self, what: &str) {
        let mut causes: Vec<_> = self.seen.take_causes().into_iter().collect();
        causes.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        for (cause, count) in causes.into_iter().take(5) {
            eprintln!("{what}: {count} times: {cause}");
        }
    }

    /// Asks all stand-ins for something and waits until it is done.
    pub(super) fn ask(&mut self, command: &str) -> Result<(), Failure> {
        self.stand_ins.iter_mut().try_for_each(|stand_in| stand_in.ask(command))?;
        self.stand_ins.iter().try_for_each(StandIn::done)
    }

    /// What arrived at all of them since the last time.
    pub(super) fn arrivals(&mut self) -> Result<Arrivals, Failure> {
        let mut all = Arrivals::default();
        for stand_in in &mut self.stand_ins {
            all.join(&stand_in.arrivals()?);
        }
        Ok(all)
    }

    /// Each session is sent so many notifications.
    pub(super) fn notify(&mut self, count: u64) -> Result<(), Failure> {
        let command = format!("notify {} {count} {}", self.round, self.options.size);
        self.round += count;
        self.ask(&command)
    }

    /// One more notification for each session: all of them get it.
    pub(super) fn notify_and_await(&mut self, what: &str) -> Result<(), Failure> {
        let all = self.all();
        self.seen.awaited.1.store(0, Relaxed);
        self.seen.awaited.0.store(self.round, Relaxed);
        self.notify(1)?;
        self.until(what, |seen| seen.awaited.1.load(Relaxed) >= all)?;
        Ok(())
    }

    fn start_stand_ins(&mut self, users: usize) -> Result<(), Failure> {
        for number in 0..self.options.stand_ins {
            self.seed += 1;
            // One more for the session that comes first.
            let stand_in = StandIn::start(number, users + 1, self.seed)?;
            self.report.stand_in(stand_in.id());
            self.stand_ins.push(stand_in);
        }
        Ok(())
    }

    fn start_one(&mut self, number: usize) -> Result<(), Failure> {
        let _inside = self.runtime.enter();
        let stand_in = &self.stand_ins[number % self.stand_ins.len()];
        let client = sessions::start(stand_in, number / self.stand_ins.len(), self.options, &self.shared)?;
        self.clients.push(client);
        Ok(())
    }

    fn start(&mut self) -> Result<(), Failure> {
        self.start_one(0)?;
        self.until("the first session", |seen| seen.ready.load(Relaxed) == 1)?;
        self.pause(self.options.settle, "the first session")?;
        self.base = Usage::now(self.heap)?;
        let (began, used, mut most) = (Instant::now(), cpu(), 0);
        let mut looked = Instant::now();
        for number in 1..=self.options.sessions {
            self.start_one(number)?;
        }
        let all = self.all();
        self.until("start", |seen| {
            if looked.elapsed() > Duration::from_millis(500) {
                most = most.max(std::fs::read_dir("/proc/self/fd").map_or(0, Iterator::count));
                looked = Instant::now();
            }
            seen.ready.load(Relaxed) >= all
        })?;
        let (time, used) = (began.elapsed(), cpu() - used);
        self.report.limited("start_s", "start, until all are subscribed (s)", (time.as_secs_f64(), 60.0), 1);
        let each = used.as_secs_f64() * 1e6 / self.options.sessions as f64;
        self.report.add("start_cpu_us", "start, of the processor for each (us)", each, 0);
        self.show_causes("start");
        let retries = self.seen.retries.load(Relaxed);
        self.report.add("start_retries", "start, failed attempts", retries as f64, 0);
        self.report.add("start_descriptors", "start, most descriptors seen", most as f64, 0);
        let arrivals = self.arrivals()?;
        let worst = share(arrivals.worst(|counts| counts.connections), all);
        self.report.add("start_worst", "start, connections in the worst 100 ms (%)", worst, 1);
        self.memory(["heap_ready", "rss_ready"], ["heap, 2 s after the start (B)", "RSS, 2 s after the start (B)"])
    }

    /// Bytes of each session, some time after what happened.
    pub(super) fn memory(&mut self, keys: [&'static str; 2], names: [&'static str; 2]) -> Result<(), Failure> {
        self.pause(self.options.settle, "memory")?;
        let now = Usage::now(self.heap)?;
        let each = |now: usize, base: usize| (now as f64 - base as f64) / self.options.sessions as f64;
        self.report.add(keys[0], names[0], each(now.heap, self.base.heap), 0);
        self.report.add(keys[1], names[1], each(now.rss, self.base.rss), 0);
        Ok(())
    }

    fn idle(&mut self) -> Result<(), Failure> {
        self.arrivals()?;
        let (began, used) = (Instant::now(), cpu());
        self.pause(self.options.idle, "idle")?;
        let (time, used) = (began.elapsed().as_secs_f64(), (cpu() - used).as_secs_f64());
        let arrivals = self.arrivals()?;
        let heartbeats = arrivals.sum().heartbeats;
        self.report.add("heartbeats", "idle, heartbeats", heartbeats as f64, 0);
        let each = used * 1e6 / heartbeats.max(1) as f64;
        self.report.limited("heartbeat_us", "idle, of the processor for each heartbeat (us)", (each, 40.0), 1);
        self.report.limited("idle_core", "idle, of a core (%)", (100.0 * used / time, 3.0), 2);
        let worst = share(arrivals.worst(|counts| counts.heartbeats), self.all());
        self.report.add("heartbeats_worst", "idle, sessions with a heartbeat in the worst 100 ms (%)", worst, 2);
        if heartbeats == 0 {
            self.report.wrong("no heartbeat came".to_owned());
        }
        Ok(())
    }

    fn burst(&mut self) -> Result<(), Failure> {
        let (all, rounds) = (self.all(), self.options.rounds);
        let lost = self.seen.lost.load(Relaxed);
        let (began, used, mut sent) = (Instant::now(), cpu(), 0);
        while sent < rounds {
            let count = CHUNK.min(rounds - sent);
            // Connections that are lost meanwhile, on a machine that has no time for the fleet, may lose some of them.
            let mut quiet = Quiet::default();
            self.until("burst", |seen| {
                let came = seen.notifications.load(Relaxed);
                sent < WINDOW + came / all as u64 || quiet.is_over(came)
            })?;
            self.notify(count)?;
            sent += count;
        }
        self.seen.awaited.1.store(0, Relaxed);
        self.seen.awaited.0.store(self.round, Relaxed);
        self.notify(1)?;
        let mut quiet = Quiet::default();
        self.until("burst", |seen| {
            seen.awaited.1.load(Relaxed) >= all || quiet.is_over(seen.notifications.load(Relaxed))
        })?;
        self.until("burst", |seen| seen.ready.load(Relaxed) >= all)?;
        let (time, used) = (began.elapsed().as_secs_f64(), (cpu() - used).as_secs_f64());
        let notifications = self.seen.notifications.load(Relaxed) as f64;
        self.report.add("notifications", "burst, notifications in all", notifications, 0);
        self.report.add("notifications_s", "burst, notifications per second", notifications / time, 0);
        self.report.add("notification_us", "burst, of the processor for each (us)", used * 1e6 / notifications, 2);
        self.show_causes("burst");
        let lost = self.seen.lost.load(Relaxed) - lost;
        self.report.add("burst_lost", "burst, connections lost", lost as f64, 0);
        self.memory(["heap_burst", "rss_burst"], ["heap, 2 s after the burst (B)", "RSS, 2 s after the burst (B)"])
    }

    /// What the process uses now, in all.
    pub(super) fn usage(&self) -> Result<Usage, Failure> {
        Usage::now(self.heap)
    }

    fn close(&mut self) -> Result<(), Failure> {
        self.seen.is_closing.store(true, Relaxed);
        let all = self.all();
        for client in self.clients.drain(..) {
            self.runtime.spawn(async move { client.close(Close::Detach).await });
        }
        self.until("end", |seen| seen.closed.load(Relaxed) >= all)?;
        self.pause(self.options.settle, "end")?;
        let (now, seen) = (self.usage()?, Arc::clone(&self.seen));
        self.report.add("end_heap", "heap of the process after the end (B)", now.heap as f64, 0);
        self.report.add("end_descriptors", "descriptors after the end", now.descriptors as f64, 0);
        self.report.limited("missing", "lost without a gap", (seen.missing.load(Relaxed) as f64, 0.0), 0);
        self.report.limited("repeated", "delivered twice", (seen.repeated.load(Relaxed) as f64, 0.0), 0);
        let (missing, repeated) = (seen.missing.load(Relaxed), seen.repeated.load(Relaxed));
        if missing + repeated > 0 {
            self.report.wrong(format!("{missing} notifications were lost without a gap, {repeated} came twice"));
        }
        Ok(())
    }
}

/// Whether something goes on.
#[derive(Default)]
struct Quiet {
    last: Option<(u64, Instant)>,
}

impl Quiet {
    /// Whether the count has not changed for 5 s.
    fn is_over(&mut self, count: u64) -> bool {
        match self.last {
            Some((last, since)) if last == count => since.elapsed() > Duration::from_secs(5),
            _ => {
                self.last = Some((count, Instant::now()));
                false
            }
        }
    }
}

/// So many of all sessions, in percent.
pub(super) fn share(count: u64, all: usize) -> f64 {
    100.0 * count as f64 / all as f64
}
