//! The subscription, and what is delivered: SUB, REC-2 to REC-5.

use super::window::{Choice, grown};
use super::{BUFFER, Model, Out, Phase, Replay, SECOND, TIMEOUT, Timer};
use crate::oracle::certainty;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Call {
    /// Makes or changes it, for the desired set of this number.
    Create(u64),
    Update(u64),
    Delete,
}

/// What is desired, and what the server has.
#[derive(Clone, Debug, Default)]
pub(crate) struct Subs {
    last_number: u64,
    pub(crate) desired: Option<u64>,
    active: Option<(u64, String)>,
    /// The one that is being removed.
    removing: Option<u64>,
    /// A call left, and no answer says what came of it: the server may have what is not known here.
    unsure: bool,
    /// Such a call was for what is not desired any more.
    leftover: bool,
    lost: bool,
    /// An update may have run.
    verify: bool,
    call: Option<Call>,
    failures: u32,
    /// `None`: something that could not be read.
    held: Vec<Option<(u8, Option<String>)>>,
}

impl Subs {
    pub(super) fn may_be_active(&self) -> bool {
        self.active.is_some() || self.is_creating() || self.desired.is_some() && self.unsure
    }

    /// What comes may belong to what is desired.
    pub(super) fn may_be_owed(&self, same_session: bool) -> bool {
        self.may_be_active() || same_session && self.leftover && self.desired.is_some()
    }

    /// Something waits for an answer.
    pub(super) fn is_holding(&self) -> bool {
        !self.held.is_empty()
    }

    pub(super) fn is_active(&self) -> bool {
        self.active.is_some()
    }

    pub(crate) fn is_calling(&self) -> bool {
        self.call.is_some()
    }

    fn is_creating(&self) -> bool {
        matches!(self.call, Some(Call::Create(_)))
    }

    /// A new session: what an unconfirmed call made is not in it. Whether that matters.
    pub(super) fn leave_behind(&mut self) -> bool {
        self.leftover = false;
        std::mem::take(&mut self.unsure) && self.desired.is_some()
    }

    /// Whether a notification, with none known, may belong to one that the server made.
    fn may_be_ours(&self) -> bool {
        self.desired.is_some() || self.is_creating() || self.unsure || self.is_holding()
    }

    /// Whether an answer may say that there is no such subscription.
    pub(crate) fn has_target(&self) -> bool {
        matches!(self.call, Some(Call::Update(_) | Call::Delete))
    }

    pub(crate) fn is_deleting(&self) -> bool {
        self.call == Some(Call::Delete)
    }

    pub(super) fn are_lost(&mut self) {
        self.active = None;
        (self.unsure, self.leftover, self.verify, self.lost) = (false, false, false, true);
    }

    /// Nobody knows whether the server carried it out.
    fn leave_open(&mut self, call: Option<Call>) {
        self.unsure |= matches!(call, Some(Call::Create(_)));
        self.verify |= matches!(call, Some(Call::Update(_)));
    }
}

impl Model {
    pub(super) fn subscribe(&mut self) {
        self.subs.last_number += 1;
        self.subs.desired = Some(self.subs.last_number);
        self.subs.removing = None;
        self.subs.failures = 0;
        self.wait_no_longer();
        self.step();
    }

    pub(super) fn unsubscribe(&mut self) {
        let Some(number) = self.subs.desired.take() else { return };
        self.subs.removing = Some(number);
        self.wait_no_longer();
        if self.phase == Phase::Ready {
            self.step();
        } else if !self.subs.may_be_active() && !self.subs.is_calling() {
            self.removed();
        }
    }

    pub(super) fn revoke(&mut self) {
        self.subs.desired = None;
        self.wait_no_longer();
        self.step();
    }

    /// What is desired has changed: what was refused before is not waited for.
    fn wait_no_longer(&mut self) {
        if !self.subs.is_calling() {
            self.timers.remove(&Timer::Subscribe);
        }
    }

    pub(super) fn forget_call_timer(&mut self) {
        if self.subs.is_calling() {
            self.timers.remove(&Timer::Subscribe);
        }
    }

    /// One call nearer to what is desired.
    pub(super) fn step(&mut self) {
        if self.phase != Phase::Ready || self.subs.is_calling() || self.timers.contains_key(&Timer::Subscribe) {
            return;
        }
        let active = self.subs.active.clone();
        match (self.subs.desired, active) {
            (None, Some((_, id))) => self.call(Call::Delete, Out::Delete(id)),
            (None, None) => {
                self.removed();
                if self.ending.is_some() {
                    self.start_close();
                }
            }
            (Some(number), None) => {
                let out = if self.subs.lost { Out::Resubscribe } else { Out::Post };
                self.call(Call::Create(number), out);
            }
            (Some(number), Some((other, id))) if number != other || self.subs.verify => {
                self.call(Call::Update(number), Out::Put(id));
            }
            (Some(_), Some(_)) => {}
        }
    }

    fn call(&mut self, call: Call, out: Out) {
        self.subs.call = Some(call);
        self.last_sent = self.now;
        self.arm(Timer::Subscribe, TIMEOUT);
        self.put(out);
    }

    pub(super) fn answer(&mut self, answer: Result<Option<String>, u16>) {
        let Some(call) = self.subs.call.take() else { return };
        self.trial.answered = true;
        self.timers.remove(&Timer::Subscribe);
        match (call, answer) {
            (Call::Create(number) | Call::Update(number), Ok(Some(id))) => self.subscribed(number, id),
            (Call::Delete, Err(404)) if self.subs.desired.is_some() => self.subscription_gone(),
            (Call::Delete, Ok(_) | Err(404)) => self.removed(),
            (Call::Update(_), Err(404)) => self.subscription_gone(),
            (call, Err(403)) => self.refused_for_good(call),
            // It is desired no more, and removed before the end.
            (call @ Call::Update(_), _) if self.ending == Some(true) => self.refused_for_good(call),
            // It is desired no more.
            (call, _) if self.subs.desired.is_none() && self.subs.active.is_none() => self.refused_for_good(call),
            _ => {
                self.subs.leave_open(Some(call));
                let (earliest, latest) = grown(self.subs.failures);
                let choice = Choice::between(self.now + earliest, self.now + latest);
                self.leave_to_chance(Timer::Subscribe, choice);
                self.subs.failures += 1;
                self.put(Out::Refused(true));
            }
        }
        self.step();
    }

    fn subscription_gone(&mut self) {
        self.subs.are_lost();
        self.subs.unsure = true;
        self.lost("subscription_lost");
    }

    fn subscribed(&mut self, number: u64, id: String) {
        if self.subs.active.as_ref().is_some_and(|(_, old)| *old != id) {
            self.subscription_gone();
        }
        let unsure = std::mem::take(&mut self.subs.unsure);
        let perhaps_replayed = (std::mem::take(&mut self.subs.leftover) || unsure) && self.trial.handle;
        (self.subs.lost, self.subs.verify, self.subs.failures) = (false, false, 0);
        let held = std::mem::take(&mut self.subs.held);
        let belongs = |of: &Option<String>| of.as_ref().is_none_or(|of| *of == id);
        if unsure && held.iter().flatten().any(|(_, of)| !belongs(of)) {
            self.lost("subscription_lost");
        } else if perhaps_replayed && held.len() >= BUFFER {
            self.lost("replay_overflow");
        }
        self.continuous();
        self.put(Out::Subscribed(id.clone()));
        let own = |item: &Option<(u8, Option<String>)>| item.as_ref().is_none_or(|(_, of)| belongs(of));
        let own: Vec<_> = held.into_iter().filter(own).collect();
        self.subs.active = Some((number, id));
        for item in own {
            match item {
                Some((n, _)) => self.deliver(n),
                None => self.lost("unreadable_frame"),
            }
        }
        self.continuous();
    }

    fn refused_for_good(&mut self, call: Call) {
        self.subs.failures = 0;
        let refused = match call {
            Call::Create(number) | Call::Update(number) => Some(number),
            Call::Delete => self.subs.removing,
        };
        // To ask again for what is refused would be no use.
        self.subs.verify &= refused.is_some() && self.subs.active.as_ref().map(|(number, _)| *number) != refused;
        let revoking = call == Call::Delete && self.ending == Some(true);
        if revoking {
            self.subs.active = None;
        } else {
            let still_desired = match call {
                Call::Delete => self.subs.desired.is_none(),
                Call::Create(number) | Call::Update(number) => self.subs.desired == Some(number),
            };
            if still_desired {
                self.subs.desired = self.subs.active.as_ref().map(|(number, _)| *number);
                self.subs.removing = None;
            }
            if self.subs.active.is_none() {
                self.subs.lost = false;
                self.continuous();
            }
        }
        self.put(Out::Refused(false));
    }

    fn removed(&mut self) {
        self.subs.leftover |= self.subs.verify || self.subs.unsure && self.subs.active.is_none();
        self.subs.active = None;
        (self.subs.unsure, self.subs.verify, self.subs.lost, self.subs.failures) = (false, false, false, 0);
        self.subs.held.clear();
        if self.subs.desired.is_none() {
            self.end_replay();
            self.continuous();
        }
        if self.subs.removing.take().is_some() {
            self.put(Out::Unsubscribed);
        }
    }

    /// SUB-8: what is desired stays.
    pub(super) fn subs_are_disconnected(&mut self) {
        let call = self.subs.call.take();
        self.subs.leave_open(call);
        if !std::mem::take(&mut self.subs.held).is_empty() {
            self.lost("subscription_lost");
        }
    }

    /// Where it came, among what waits for an answer or in what is delivered.
    pub(super) fn unreadable(&mut self) {
        if self.subs.held.is_empty() {
            self.lost("unreadable_frame");
        } else {
            self.subs.held.push(None);
        }
    }

    /// SUB-3, SUB-4.
    pub(super) fn notification(&mut self, n: u8, of: Option<&str>) {
        match (&self.subs.active, of) {
            (Some((_, id)), Some(of)) if id != of => {
                self.fill_replay(true);
                self.mark_unverified();
            }
            (Some(_), _) => self.deliver(n),
            (None, _) if self.subs.may_be_ours() => {
                self.subs.held.push(Some((n, of.map(str::to_owned))));
            }
            (None, _) => self.fill_replay(true),
        }
    }

    /// CON-7: on a session that continued another client may have put its subscription in place of this one.
    fn mark_unverified(&mut self) {
        if self.trial.handle && !self.trial.foreign && !self.subs.is_calling() {
            self.trial.foreign = true;
            self.subs.verify = true;
            self.step();
        }
    }

    /// REC-4: once. What a replay brings is held until it is known whether the server's buffer had overflowed.
    fn deliver(&mut self, n: u8) {
        let new = self.seen.insert(n);
        self.trial.delivered |= new;
        match &mut self.replay {
            Some(replay) => {
                if new {
                    replay.held.push(n);
                }
                self.fill_replay(false);
            }
            None => {
                self.emit_gap();
                if new {
                    self.emit(n);
                }
            }
        }
        if self.replay.is_none() {
            self.timers.remove(&Timer::Replay);
            self.emit_gap();
        }
    }

    fn emit(&mut self, n: u8) {
        self.last = Some(n);
        self.put(Out::Notification(n));
    }

    pub(super) fn start_replay(&mut self) {
        self.replay = Some(Replay { left: BUFFER, ..Replay::default() });
    }

    /// One place of the server's buffer is accounted for. As many as it holds: older ones may have fallen out.
    /// What came before alone lacks nothing.
    pub(super) fn fill_replay(&mut self, not_ours: bool) {
        let Some(replay) = &mut self.replay else { return };
        replay.left = replay.left.saturating_sub(1);
        if replay.left == 0 && (not_ours || !replay.held.is_empty()) {
            self.note_replay_loss("replay_overflow");
            self.end_replay();
        }
    }

    pub(super) fn replay_is_cut(&mut self, cause: &'static str) {
        if self.replay.as_ref().is_some_and(|replay| !replay.held.is_empty()) {
            self.note_replay_loss(cause);
        }
        self.end_replay();
    }

    /// Something is wrong with what was replayed, from its beginning on.
    ///
    /// The surest cause stands, of those the first.
    fn note_replay_loss(&mut self, cause: &'static str) {
        if self.gap.is_none_or(|noted| sureness(noted) < sureness(cause)) {
            self.gap = Some(cause);
        }
    }

    fn end_replay(&mut self) {
        let Some(replay) = self.replay.take() else { return };
        self.emit_gap();
        let mut losses = replay.losses.into_iter().peekable();
        for (i, n) in replay.held.into_iter().enumerate() {
            if let Some((_, cause)) = losses.next_if(|(before, _)| *before == i) {
                self.gap = Some(cause);
                self.emit_gap();
            }
            self.emit(n);
        }
        self.gap = losses.next().map(|(_, cause)| cause);
    }

    pub(super) fn replay_is_late(&mut self) {
        if self.replay.as_ref().is_some_and(|replay| replay.held.is_empty()) {
            return self.arm(Timer::Replay, 10 * SECOND);
        }
        self.replay_is_cut("replay_interrupted");
        if self.subs.is_active() {
            self.emit_gap();
        }
    }

    pub(super) fn echo(&mut self, number: u64) {
        if self.fence == Some(number) {
            self.fence = None;
            self.timers.remove(&Timer::Replay);
            self.end_replay();
            if self.subs.is_active() {
                self.continuous();
            }
        }
    }

    /// REC-5: to be emitted before the next notification. The surest cause stands, and of those the first.
    pub(super) fn lost(&mut self, cause: &'static str) {
        if let Some(replay) = self.replay.as_mut().filter(|replay| !replay.held.is_empty()) {
            let at = replay.held.len();
            if replay.losses.last().is_none_or(|(before, _)| *before != at) {
                replay.losses.push((at, cause));
            }
        } else if self.gap.is_none_or(|noted| sureness(noted) < sureness(cause)) {
            self.gap = Some(cause);
        }
    }

    fn continuous(&mut self) {
        if self.replay.is_none() {
            self.emit_gap();
        }
    }

    pub(super) fn emit_gap(&mut self) {
        if let Some(cause) = self.gap.take() {
            self.put(Out::Gap(cause, self.last));
        }
    }
}

fn sureness(cause: &str) -> u8 {
    match certainty(cause) {
        "possible" => 0,
        "probable" => 1,
        _ => 2,
    }
}
