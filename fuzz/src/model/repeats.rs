//! What happens again and again, and what a loss leaves in doubt: REC-5, REC-9, CON-7, BCK-6.

use super::{Loss, Model, Phase, SECOND, Time};

/// What is known of a connection.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Trial {
    /// Its ConnectionDetails came.
    pub(super) since: Time,
    /// It carried the handle.
    pub(super) handle: bool,
    /// A heartbeat left.
    pub(super) asked: bool,
    /// One came back: it is good.
    pub(super) echoed: bool,
    /// It brought something new.
    pub(super) delivered: bool,
    /// The answer to a call came on it.
    pub(super) answered: bool,
    /// Notifications of another subscription came on it.
    pub(super) foreign: bool,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Repeats {
    futile: u32,
    refused: u32,
    /// When the server ended good connections.
    ended: Vec<Time>,
    /// The last one ended so, and it was not the only one.
    taken: bool,
    /// The last one ended while another client was about.
    suspect: bool,
    /// Another client is about until then.
    contended_until: Time,
}

impl Repeats {
    pub(super) fn handle_is_gone(&mut self) {
        (self.futile, self.refused) = (0, 0);
    }

    /// Nobody else has the session that follows.
    pub(super) fn session_is_gone(&mut self) {
        *self = Self::default();
    }

    fn of_the_last_minute(&mut self, now: Time) -> usize {
        self.ended.retain(|at| *at + 60 * SECOND >= now);
        self.ended.len()
    }
}

impl Model {
    pub(super) fn is_good(&mut self) {
        self.trial.echoed = true;
        self.attempt = 0;
        self.repeats.handle_is_gone();
    }

    /// `away`: the service is, and nothing is said about the handle as long as the server may have the session.
    pub(super) fn handle_refused(&mut self, away: bool) {
        if away && self.is_within_window() {
            return;
        }
        self.repeats.refused += 1;
        if self.repeats.refused == 3 {
            self.session_lost("recovery_abandoned");
        }
    }

    /// What the server sent last may have been lost on the way.
    pub(super) fn note_in_flight(&mut self, loss: Loss) {
        let silent = loss == Loss::Dead || loss == Loss::Silent && self.now > self.last_seen + 30 * SECOND;
        if silent && self.phase == Phase::Ready && self.subs.may_be_active() {
            self.lost("in_flight");
        }
    }

    /// What the end of a connection says about the session. Whether it is to rest.
    pub(super) fn judge(&mut self, loss: Loss) -> bool {
        let trial = self.trial;
        self.repeats.taken = false;
        self.repeats.suspect = self.now < self.repeats.contended_until;
        if trial.delivered {
            self.repeats.handle_is_gone();
        } else if trial.handle && !trial.echoed && self.now <= trial.since + 10 * SECOND {
            self.repeats.futile += 1;
            if self.repeats.futile == 3 {
                self.session_lost("recovery_abandoned");
            }
        }
        let by_server = matches!(loss, Loss::Closed(code) if code != 4400);
        let healthy = trial.echoed || trial.delivered || trial.answered;
        if !(healthy && by_server && self.subs.may_be_active()) {
            return false;
        }
        self.repeats.ended.push(self.now);
        let count = self.repeats.of_the_last_minute(self.now);
        self.repeats.taken = count == 2;
        let contended = count == 3;
        if contended {
            self.session_lost("contended");
        }
        contended
    }

    /// The session was continued: twice within a minute after the server had ended it is no accident, nor is then any
    /// other end of a connection for a minute.
    pub(super) fn came_back(&mut self) {
        let Repeats { taken, suspect, .. } = self.repeats;
        if taken {
            self.repeats.contended_until = self.now + 60 * SECOND;
        }
        if taken || suspect {
            self.lost("contended");
        }
        (self.repeats.taken, self.repeats.suspect) = (false, false);
    }
}
