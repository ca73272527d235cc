//! What a gap is asked about with: from which tokens, and of which time.

use std::collections::VecDeque;
use std::time::Duration;

use ringcentral_ws_core::{ClockReading, Gap, RecordKind, Unfilled, UnixMillis};

use super::MARGIN;
use super::filler::{GapFiller, Work};
use super::state::Tokens;
use super::task::{Task, Window};

/// Records of later than this after a gap are left to the notifications.
const AFTER: Duration = Duration::from_secs(5);
/// What is added at both ends while it is unknown what time it is for the server.
const UNKNOWN: Duration = Duration::from_secs(600);
/// What is asked for when it is unknown when a gap began.
const DAY: Duration = Duration::from_secs(86_400);
impl GapFiller {
    /// Takes up the next gap, or asks for tokens if there is none.
    pub(super) fn begin(&mut self, clock: ClockReading) {
        let is_for_gap = self.work.as_ref().map(|work| work.gap.is_some());
        if self.filters.is_none() {
            return;
        }
        if is_for_gap == Some(true) || is_for_gap == Some(false) && self.gaps.is_empty() {
            return;
        }
        // A gap does not wait for tokens. Those that have come are good for the next one.
        if let Some(mut tokens_alone) = self.work.take() {
            self.primes_at = None;
            self.keep_tokens(&mut tokens_alone);
        }
        if let Some(first) = self.gaps.front() {
            let gap = first.gap.clone();
            let begun = self.begun(&gap);
            let tasks = self.plan.sources.iter().enumerate().map(|(number, source)| {
                let tokens = source.token_key().and_then(|key| self.tokens.get(&key));
                let token = tokens.filter(|_| gap.since.0 > 0).and_then(|tokens| tokens.before(begun));
                Task::first(number, source, token.map(str::to_owned))
            });
            let mut work = Work::new(self.plan.clone(), tasks.collect(), first.ready_at);
            if gap.since.0 == 0 && !work.tasks.is_empty() {
                work.unfilled.push(Unfilled::UnknownBegin(begun));
            }
            work.gap = Some(gap);
            self.work = Some(work);
        } else if self.is_online && !self.has_primed {
            self.has_primed = true;
            let sources = self.plan.sources.iter().enumerate();
            let tokenless = sources.filter(|(_, source)| {
                source.token_key().is_some_and(|key| self.tokens.get(&key).is_none_or(Tokens::is_empty))
            });
            let tasks: VecDeque<Task> = tokenless.map(|(source, _)| Task::Full { source }).collect();
            if tasks.is_empty() {
                self.primes_at = None;
            } else {
                let spread = u64::try_from(self.settings.spread.as_micros()).unwrap_or(u64::MAX);
                let wait = Duration::from_micros(self.below(spread));
                let at = *self.primes_at.get_or_insert(clock.now.after(wait));
                self.work = Some(Work::new(self.plan.clone(), tasks, at));
            }
        }
    }

    /// From where on a gap is asked about, by this machine's clock.
    pub(super) fn begun(&self, gap: &Gap) -> UnixMillis {
        if gap.since.0 == 0 { gap.until.before(DAY) } else { gap.since.before(MARGIN) }
    }

    /// The time that is asked for, by the server's clock. `latency` is how old the server's time may be.
    pub(super) fn window(
        &self,
        work: &Work,
        server: Option<UnixMillis>,
        latency: Duration,
        clock: ClockReading,
    ) -> Window {
        let measured = server.map(|server| signed(server).saturating_sub(signed(clock.unix)));
        let ahead = measured.or(self.ahead);
        let there = |at: UnixMillis| shifted(at, ahead.unwrap_or(0));
        let now = there(clock.unix);
        let Some(gap) = &work.gap else {
            let wants_changes = work.plan.sources.iter().any(|source| source.kind() == RecordKind::Message);
            let from = now.before(if wants_changes { DAY } else { MARGIN });
            return Window { from, to: now, now, is_for_token: true };
        };
        let unknown = if ahead.is_some() { Duration::ZERO } else { UNKNOWN };
        let to = there(gap.until).after(AFTER).after(latency).after(unknown);
        Window { from: there(self.begun(gap)).before(unknown), to, now, is_for_token: false }
    }
}

pub(super) fn signed(at: UnixMillis) -> i64 {
    i64::try_from(at.0).unwrap_or(i64::MAX)
}

fn shifted(at: UnixMillis, by: i64) -> UnixMillis {
    UnixMillis(u64::try_from(signed(at).saturating_add(by)).unwrap_or(0))
}
