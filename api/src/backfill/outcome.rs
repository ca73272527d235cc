//! How calls end, and what follows.

use std::time::{Duration, SystemTime};

use http::HeaderMap;
use ringcentral_ws_core::classify::retry_after;
use ringcentral_ws_core::{ApiError, ClockReading, RateLimit, Timestamp, Unfilled, UnixMillis};

use super::filler::GapFiller;
use super::plan::Source;
use super::task::{Brought, Task};
use super::window::signed;

/// The pause after a 429 without `Retry-After`: the guide's penalty.
pub(super) const PENALTY: Duration = Duration::from_secs(60);
/// First and longest pause after a failure.
const PAUSE: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(60));
/// What remains of the minute before a gap suffices for clocks that differ by less.
const CLOCKS: Duration = Duration::from_secs(30);
/// How unsure a date is, beside the time that the answer took.
const DATE: Duration = Duration::from_secs(2);
/// What a failure counts, in tenths.
const WHOLE: u32 = 10;
/// What a 429 counts that asks for a few minutes: others use up the limit, which says nothing about this call.
const LIMITED: u32 = 3;
/// A few minutes.
const SHORT: Duration = Duration::from_secs(300);

/// How a call ended.
#[derive(Debug)]
pub(super) enum Outcome {
    Answered {
        limit: Option<RateLimit>,
        /// What the server's clock shows, in whole seconds.
        date: Option<UnixMillis>,
    },
    /// The rate limit: no calls of the group for so long.
    Limited { pause: Duration, limit: Option<RateLimit> },
    /// An error that may pass.
    Unable { pause: Option<Duration> },
    /// An error that stays.
    Refused { status: u16, code: Option<Box<str>> },
    /// There was no answer.
    Lost { sent: bool },
}

fn date_of(headers: &HeaderMap) -> Option<UnixMillis> {
    let date = httpdate::parse_http_date(headers.get(http::header::DATE)?.to_str().ok()?).ok()?;
    let since = date.duration_since(SystemTime::UNIX_EPOCH).ok()?;
    Some(UnixMillis(u64::try_from(since.as_millis()).ok()?))
}

impl Outcome {
    pub(super) fn of(status: u16, headers: &HeaderMap, body: &[u8], clock: ClockReading) -> Self {
        let limit = RateLimit::from_headers(headers);
        let pause = retry_after(headers, clock.unix.0);
        match status {
            200..=299 => Self::Answered { limit, date: date_of(headers) },
            429 => Self::Limited { pause: pause.unwrap_or(PENALTY), limit },
            503 if pause.is_some() => Self::Limited { pause: pause.unwrap_or(PENALTY), limit },
            // The session logs in anew after a 401, and a 408 is a server's time-out.
            401 | 408 | 500..=599 => Self::Unable { pause },
            _ => {
                let error = ApiError::from_reply(status, headers, body);
                Self::Refused { status, code: error.code }
            }
        }
    }
}

impl GapFiller {
    /// The call of this id ended.
    pub(super) fn ended(&mut self, id: u64, outcome: Outcome, body: Option<&[u8]>, clock: ClockReading) {
        let Some(work) = &mut self.work else { return };
        let Some(under_way) = work.under_way.take_if(|one| one.id == id) else { return };
        let Some(task) = work.tasks.front().cloned() else { return };
        let (now, group) = (clock.now, task.group(&work.plan.sources));
        let share = if let Outcome::Limited { .. } = outcome { self.below(1000) } else { 0 };
        let budget = self.budgets.get_mut(&group);
        match outcome {
            Outcome::Answered { limit, date } => {
                if let Some(budget) = budget {
                    budget.has_passed();
                    if let Some(limit) = limit {
                        budget.believe(&limit, now);
                    }
                }
                let latency = now.since(under_way.sent.now);
                let date = date.filter(|date| self.is_news(*date, latency, clock));
                match self.brought(&task, body.unwrap_or_default(), date, latency, clock) {
                    Some(brought) => {
                        self.take(&task, brought, clock);
                        self.ask_from_earlier(&task, under_way.from, clock);
                    }
                    None => self.failed(&task, WHOLE, None, now),
                }
            }
            Outcome::Limited { pause, limit } => {
                if let Some(budget) = budget {
                    budget.limited(pause, share, now);
                    if let Some(limit) = limit {
                        budget.believe(&limit, now);
                    }
                }
                self.failed(&task, if pause <= SHORT { LIMITED } else { WHOLE }, None, now);
            }
            Outcome::Unable { pause } => self.failed(&task, WHOLE, pause, now),
            Outcome::Lost { sent } => self.failed(&task, if sent { WHOLE } else { 1 }, None, now),
            Outcome::Refused { status, code } => self.refused(task, status, code),
        }
    }

    fn brought(
        &self,
        task: &Task,
        body: &[u8],
        date: Option<UnixMillis>,
        latency: Duration,
        clock: ClockReading,
    ) -> Option<Brought> {
        let work = self.work.as_ref()?;
        let window = |server: Option<UnixMillis>| self.window(work, server.or(date), latency, clock);
        let brought = task.read(&work.plan.sources, window, body)?;
        Some(Brought { server_time: brought.server_time.or(date), ..brought })
    }

    /// Whether a date says more of the server's clock than is known. Lists have no `syncTime`: where nothing else is
    /// asked for, a date is all there is.
    fn is_news(&self, date: UnixMillis, latency: Duration, clock: ClockReading) -> bool {
        let measured = signed(date).saturating_sub(signed(clock.unix));
        let unsure = u64::try_from(DATE.saturating_add(latency).as_millis()).unwrap_or(u64::MAX);
        self.ahead.is_none_or(|ahead| measured.abs_diff(ahead) > unsure)
    }

    fn take(&mut self, task: &Task, brought: Brought, clock: ClockReading) {
        if let Some(server) = brought.server_time {
            self.ahead = Some(signed(server).saturating_sub(signed(clock.unix)));
        }
        let (most, most_bytes) = (self.settings.records, self.settings.bytes);
        let known = &self.known;
        let Some(work) = &mut self.work else { return };
        let key = task.source().and_then(|source| work.plan.sources.get(source)?.token_key());
        work.failures = 0;
        work.tasks.pop_front();
        brought.next.into_iter().rev().for_each(|next| work.tasks.push_front(next));
        if let (Some(key), Some(token)) = (key, brought.token) {
            work.tokens.push((key, clock.unix, token));
        }
        work.unfilled.extend(brought.unfilled);
        for one in brought.records {
            if one.is_remembered && known.contains(one.key, one.changed) {
                continue;
            }
            if work.records.len() >= most || work.bytes.saturating_add(one.record.bytes()) > most_bytes {
                work.unfilled.push(Unfilled::TooMany(one.record.kind()));
                // What is left of this list would not fit either.
                work.tasks.retain(|left| !matches!(left, Task::Older { source, .. } if Some(*source) == task.source()));
                break;
            }
            work.bytes += one.record.bytes();
            work.records.push(one);
        }
    }

    /// The answer shows that the server's clock is so far behind that not all of the time was asked for. Then its token
    /// is not kept either: it knows only of what comes from the asked time on.
    fn ask_from_earlier(&mut self, task: &Task, asked: UnixMillis, clock: ClockReading) {
        let Some(work) = self.work.as_ref() else { return };
        let from = self.window(work, None, Duration::ZERO, clock).from;
        let Task::Full { source } = task else { return };
        if from.after(CLOCKS) >= asked {
            return;
        }
        if let Some(work) = &mut self.work {
            let key = work.plan.sources.get(*source).and_then(Source::token_key);
            work.tokens.retain(|(of, ..)| Some(of) != key.as_ref());
            work.tasks.push_front(task.clone());
        }
    }

    /// It is tried again after a pause, or given up.
    fn failed(&mut self, task: &Task, tenths: u32, pause: Option<Duration>, now: Timestamp) {
        let half = self.below(1000);
        let attempts = self.settings.attempts;
        let Some(work) = &mut self.work else { return };
        let kind = task.kind(&work.plan.sources);
        work.failures += tenths;
        if work.failures >= attempts.saturating_mul(WHOLE) {
            let attempts = work.failures.div_ceil(tenths);
            work.unfilled.push(Unfilled::Failed { what: kind, attempts });
            work.failures = 0;
            work.tasks.pop_front();
            return;
        }
        let longest = PAUSE.0.saturating_mul(1 << (work.failures / WHOLE).saturating_sub(1).min(6)).min(PAUSE.1);
        // From half of it to all of it.
        let spread = longest / 2 + longest.mul_f64(half as f64 / 2000.0);
        work.not_before = now.after(pause.unwrap_or_default().min(PAUSE.1.saturating_mul(60)).max(spread));
    }

    /// A sync token that is not known any more is replaced by a full sync; anything else is over.
    fn refused(&mut self, task: Task, status: u16, code: Option<Box<str>>) {
        let Some(work) = &mut self.work else { return };
        let kind = task.kind(&work.plan.sources);
        work.tasks.pop_front();
        work.failures = 0;
        if let Task::Sync { source, token } = task
            && matches!(status, 400 | 404 | 410)
        {
            let key = work.plan.sources.get(source).and_then(|source| source.token_key());
            if let Some(tokens) = key.and_then(|key| self.tokens.get_mut(&key)) {
                tokens.remove(&token);
            }
            work.tasks.push_front(Task::Full { source });
        } else {
            work.unfilled.push(Unfilled::Refused { what: kind, status, code });
        }
    }
}
