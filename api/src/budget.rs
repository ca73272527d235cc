//! The token endpoint's limits, for all logins of a process together.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::num::NonZeroU32;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ringcentral_ws_core::Timestamp;

use crate::limiter::{LoginCall, LoginKey, LoginLimiter, LoginWait};
use crate::line::{Line, Place};

/// Calls of the token endpoint that RingCentral allows a user of an app in any rolling window …
const CALLS: usize = 5;
/// … of a minute. One call may be a little longer on its way than another, so a second more is kept.
const WINDOW: Duration = Duration::from_secs(61);
/// A call exactly as old as the window is still within it.
const OVER: Duration = Duration::from_micros(1);

/// Server and client id.
type AppKey = (String, String);

/// How often the token endpoint may be called: the built-in limiter. Keep one in a process and hand it to every
/// [`Login`](crate::Login).
///
/// - 5 calls in any 61 s for a login;
/// - [`LoginLimits::app_ceiling`](crate::LoginLimits::app_ceiling) calls in any 61 s for all logins of an app (server
///   and client id): 60, unless set. Refreshes come before new logins, and who came first before who came later. Each
///   that has to wait gets a time of its own to come back at, and its place is kept free until 30 s after that time;
///   for 10 minutes it still comes before those who came later. 10,000 logins of an app have a place; any more get a
///   time after those;
/// - none of an app before the end of a `Retry-After`. While others wait, the login that met it comes a minute later than
///   they: a login that is refused again and again would keep all others out.
///
/// It holds the calls of the last 61 s, at most five for a login, and the line. It has no clock, and no chance plays a
/// part in it. Each call of it takes a lock for a few microseconds.
#[derive(Default)]
pub struct TokenBudget {
    apps: Mutex<BTreeMap<AppKey, App>>,
}

#[derive(Default)]
struct App {
    /// The calls of the last minute, oldest first.
    calls: VecDeque<Call>,
    /// The times of those that count against the ceiling.
    counted: VecDeque<Timestamp>,
    /// The times of each login, at most [`CALLS`].
    logins: BTreeMap<LoginKey, VecDeque<Timestamp>>,
    /// The server asked for quiet until then.
    not_before: Timestamp,
    /// Whose calls it refused in the last minute: until when others go first.
    refused: BTreeMap<LoginKey, Timestamp>,
    line: Line,
}

#[derive(Clone, Copy)]
struct Call {
    at: Timestamp,
    login: LoginKey,
    /// Its place in line, if it counts against the ceiling.
    place: Option<Place>,
}

impl TokenBudget {
    /// A budget of which nothing is used.
    #[must_use]
    pub const fn new() -> Self {
        Self { apps: Mutex::new(BTreeMap::new()) }
    }

    fn apps(&self) -> MutexGuard<'_, BTreeMap<AppKey, App>> {
        self.apps.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for TokenBudget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenBudget").finish_non_exhaustive()
    }
}

impl LoginLimiter for TokenBudget {
    fn acquire(&self, call: &LoginCall<'_>, now: Timestamp) -> Result<(), LoginWait> {
        if !call.limits.hold_for(call.server) {
            return Ok(());
        }
        let mut apps = self.apps();
        apps.retain(|_, app| {
            app.pass_time(now);
            app.is_worth_keeping(now)
        });
        apps.entry(key(call)).or_default().acquire(call, now)
    }

    fn give_back(&self, call: &LoginCall<'_>, acquired: Timestamp, now: Timestamp) {
        if let Some(app) = self.apps().get_mut(&key(call)) {
            app.give_back(call.login, acquired, now);
        }
    }

    /// Pauses before that make it longer.
    fn pause(&self, call: &LoginCall<'_>, pause: Duration, now: Timestamp) {
        if call.limits.hold_for(call.server) {
            let mut apps = self.apps();
            let app = apps.entry(key(call)).or_default();
            app.not_before = app.not_before.max(now.after(pause));
            app.refused.insert(call.login, app.not_before.after(WINDOW));
        }
    }
}

impl App {
    fn pass_time(&mut self, now: Timestamp) {
        let is_over = |at: Timestamp| now > at.after(WINDOW);
        while let Some(call) = self.calls.front().copied().filter(|call| is_over(call.at)) {
            self.calls.pop_front();
            if let Some(times) = self.logins.get_mut(&call.login) {
                times.pop_front();
                if times.is_empty() {
                    self.logins.remove(&call.login);
                }
            }
        }
        while self.counted.front().is_some_and(|at| is_over(*at)) {
            self.counted.pop_front();
        }
        self.refused.retain(|_, until| now < *until);
        self.line.pass_time(now);
    }

    fn is_worth_keeping(&self, now: Timestamp) -> bool {
        !self.calls.is_empty() || now < self.not_before || !self.line.is_empty()
    }

    fn acquire(&mut self, call: &LoginCall<'_>, now: Timestamp) -> Result<(), LoginWait> {
        let own = self.own_turn(call.login).max(now);
        if now < self.not_before {
            let at = own.max(self.not_before);
            return Err(match call.limits.ceiling() {
                None => wait(PAUSED, 0, at, now),
                Some(ceiling) => self.wait_in_line(call, ceiling, PAUSED, at, now),
            });
        }
        if own > now {
            return Err(wait(OWN_LIMIT, 0, own, now));
        }
        if let Some(until) = self.refused.get(&call.login).filter(|_| self.line.has_others(call.login)) {
            let until = *until;
            // Its place would hold up those who go first.
            self.line.leave(call.login);
            return Err(wait(OTHERS_FIRST, 0, until, now));
        }
        let place = match call.limits.ceiling() {
            None => None,
            Some(ceiling) => {
                let free = (ceiling.get() as usize).saturating_sub(self.counted.len());
                if self.line.ahead(call.login, call.kind) >= free {
                    let limit = ceiling_limit(ceiling);
                    return Err(self.wait_in_line(call, ceiling, &limit, now, now));
                }
                insert(&mut self.counted, now, |at| *at, now);
                Some(self.line.leave_or_pass(call.login, call.kind))
            }
        };
        insert(&mut self.calls, Call { at: now, login: call.login, place }, |call| call.at, now);
        insert(self.logins.entry(call.login).or_default(), now, |at| *at, now);
        Ok(())
    }

    /// When this login may make a call, as far as it alone counts.
    fn own_turn(&self, login: LoginKey) -> Timestamp {
        let times = self.logins.get(&login).filter(|times| times.len() >= CALLS);
        times.and_then(|times| times.front()).map_or(Timestamp::ZERO, |oldest| oldest.after(WINDOW).after(OVER))
    }

    /// Gives it a place in line, and the time when its turn comes if all before it come on time.
    fn wait_in_line(
        &mut self,
        call: &LoginCall<'_>,
        ceiling: NonZeroU32,
        limit: &str,
        floor: Timestamp,
        now: Timestamp,
    ) -> LoginWait {
        let mut ahead = self.line.ahead(call.login, call.kind);
        let mut at = self.turn(ceiling.get() as usize, ahead, floor);
        if !self.line.wait(call.login, call.kind, at) {
            ahead += self.line.turn_away();
            at = self.turn(ceiling.get() as usize, ahead, floor);
        }
        wait(limit, ahead, at, now)
    }

    /// When there is room for a call that has so many before it: one after the other, so that not all come at once.
    fn turn(&self, ceiling: usize, ahead: usize, floor: Timestamp) -> Timestamp {
        let spacing = WINDOW / u32::try_from(ceiling).unwrap_or(u32::MAX) + OVER;
        let mut first = floor;
        for n in 0..=ahead.min(ceiling - 1) {
            // The n-th call from now on needs the n-th place that becomes free.
            let taken = (self.counted.len() + n).checked_sub(ceiling).and_then(|i| self.counted.get(i));
            if let Some(taken) = taken {
                first = first.max(taken.after(WINDOW).after(OVER).before(times(spacing, n)));
            }
        }
        first.after(times(spacing, ahead))
    }

    fn give_back(&mut self, login: LoginKey, acquired: Timestamp, now: Timestamp) {
        let made = self.calls.iter().position(|call| call.login == login && call.at == acquired);
        let Some(call) = made.and_then(|i| self.calls.remove(i)) else { return };
        if let Some(times) = self.logins.get_mut(&login) {
            remove(times, acquired);
            if times.is_empty() {
                self.logins.remove(&login);
            }
        }
        if let Some(place) = call.place {
            remove(&mut self.counted, acquired);
            self.line.come_back(login, place, now);
        }
    }
}

const PAUSED: &str = "the token service asked for a pause (Retry-After), which holds for all logins of the app";
const OTHERS_FIRST: &str =
    "the token service refused the last call of this login and asked for a pause, so other logins go first";
const OWN_LIMIT: &str =
    "5 token calls a minute for one login, which is RingCentral's limit for a user and app; no setting changes it";

fn ceiling_limit(ceiling: NonZeroU32) -> String {
    let plural = if ceiling.get() == 1 { "" } else { "s" };
    format!(
        "{} token call{plural} a minute for one app, all logins of this process together \
         (LoginLimits::app_ceiling changes it)",
        thousands(ceiling.get() as usize)
    )
}

fn wait(limit: &str, ahead: usize, at: Timestamp, now: Timestamp) -> LoginWait {
    let before = match ahead {
        0 => String::new(),
        1 => "; 1 waits before this one".to_owned(),
        _ => format!("; {} wait before this one", thousands(ahead)),
    };
    LoginWait { retry_after: at.since(now), message: format!("{limit}{before}").into() }
}

/// A number for people.
fn thousands(number: usize) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() * 4 / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

fn key(call: &LoginCall<'_>) -> AppKey {
    (call.server.origin().ascii_serialization(), call.client_id.to_owned())
}

fn times(length: Duration, count: usize) -> Duration {
    length.saturating_mul(u32::try_from(count).unwrap_or(u32::MAX))
}

/// Threads read the clock before they are let in, so the newest may not be the last.
fn insert<T>(list: &mut VecDeque<T>, item: T, time: impl Fn(&T) -> Timestamp, at: Timestamp) {
    let index = list.partition_point(|other| time(other) <= at);
    list.insert(index, item);
}

fn remove(list: &mut VecDeque<Timestamp>, at: Timestamp) {
    if let Ok(index) = list.binary_search(&at) {
        list.remove(index);
    }
}

#[cfg(test)]
#[path = "budget_tests.rs"]
mod tests;
