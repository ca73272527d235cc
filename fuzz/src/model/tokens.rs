//! Access tokens and their refusals: TOK-4.

use super::window::Choice;
use super::{Model, Out, Phase, SECOND, Time, Timer};

#[derive(Clone, Copy, Debug)]
struct Held {
    issued: Time,
    /// A server took it.
    accepted: bool,
}

/// How often in a row access tokens were refused, as far as it matters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Refused {
    #[default]
    Never,
    Once,
    /// The one after the first, and it is tried again.
    Twice,
    /// The same once more, and another was asked for.
    Thrice,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Access {
    held: Option<Held>,
    refused: Refused,
    /// When one in good use was refused soon after its issue.
    evictions: Vec<Time>,
}

impl Access {
    pub(super) fn is_held(&self) -> bool {
        self.held.is_some()
    }
}

impl Model {
    pub(super) fn authorized(&mut self) {
        self.timers.remove(&Timer::Login);
        self.access.held = Some(Held { issued: self.now, accepted: false });
        self.pursue_token();
    }

    pub(super) fn token_came(&mut self, token: String) {
        self.timers.remove(&Timer::TokenCall);
        self.access.refused = Refused::Never;
        if let Some(held) = &mut self.access.held {
            held.accepted = true;
        }
        self.token = Some((token, self.asked + 55 * SECOND));
        self.open();
    }

    /// Another is asked for; if that one is refused too it may not be known everywhere yet, so it has time.
    pub(super) fn token_refused(&mut self) {
        self.timers.remove(&Timer::TokenCall);
        // The call is over: there is nothing to abort.
        self.phase = Phase::Waiting;
        let Some(held) = self.access.held else { return };
        if held.accepted && self.now <= held.issued + 300 * SECOND {
            self.access.evictions.retain(|at| *at + 600 * SECOND >= self.now);
            self.access.evictions.push(self.now);
            if self.access.evictions.len() == 3 {
                return self.end("evicted");
            }
        }
        let young = self.now < held.issued + 60 * SECOND;
        match self.access.refused {
            Refused::Once if young => {
                self.access.refused = Refused::Twice;
                self.wait_for_token(2 * SECOND);
            }
            Refused::Twice if young => {
                self.access.refused = Refused::Thrice;
                self.access.held = None;
                self.wait_for_token(10 * SECOND);
            }
            Refused::Thrice => self.end("unauthorized"),
            _ => {
                self.access.refused = Refused::Once;
                self.access.held = None;
                self.pursue_token();
            }
        }
    }

    /// No chance in this.
    fn wait_for_token(&mut self, wait: Time) {
        self.attempt += 1;
        let at = self.now + wait;
        self.leave_to_chance(Timer::Retry, Choice::fixed(at, "token_spread"));
        self.put(Out::Retry(self.attempt));
    }
}
