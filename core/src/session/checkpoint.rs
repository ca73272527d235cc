//! A session's state as text, where a recording can be replayed from: what is masked in it, and whether it makes sense.

use serde::{Deserialize, Serialize};

use super::Session;
use super::connection::ConnectionState;
use super::state::State;
use crate::config::Config;
use crate::mask::Names;
use crate::outbox::Outbox;
use crate::stats::Stats;

/// The [`State`] between two calls, without secrets.
#[derive(Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Checkpoint(State);

impl Checkpoint {
    /// `None` while outputs wait, or while it holds what a recording does not keep: whole requests and notifications.
    /// Of the keys of old notifications only the newest `keys` are kept.
    pub(crate) fn of(session: &Session, names: &mut Names, keys: usize) -> Option<Self> {
        let Session { out, state, .. } = session;
        let is_whole = out.is_drained()
            && state.delivery.holds_nothing()
            && state.unconfirmed.is_empty()
            && !state.requests.holds_any()
            && !matches!(state.connection, ConnectionState::Closing { .. });
        is_whole.then(|| {
            let mut checkpoint = Self(state.clone());
            checkpoint.mask(names, keys);
            checkpoint
        })
    }

    fn mask(&mut self, names: &mut Names, keys: usize) {
        self.0.tokens.mask(names);
        self.0.delivery.mask();
        if let Some(code) = self.0.recovery.lost.as_mut().and_then(|lost| lost.code.as_mut()) {
            *code = crate::mask::mask_code(code);
        }
        if let Some(wsc) = &mut self.0.recovery.wsc {
            wsc.token = names.secret(wsc.token.expose()).into();
        }
        if let Some(active) = self.0.subscription.active_mut() {
            active.server_id = names.secret(&active.server_id).into();
        }
        for filters in self.0.subscription.filters_mut() {
            if let Ok(masked) = names.filters(filters) {
                *filters = masked;
            }
        }
        self.0.delivery.keep_newest(keys);
    }

    /// Whether the counters that number things can go on counting.
    pub(crate) fn is_sane(&self) -> bool {
        let bad_frames = u64::try_from(self.0.bad_frames).unwrap_or(u64::MAX);
        [
            self.0.next_id,
            self.0.next_conn,
            self.0.subscription.next,
            self.0.requests.last_id(),
            self.0.tokens.number(),
            self.0.delivery.gaps(),
            bad_frames,
        ]
        .iter()
        .all(|n| *n < 1 << 60)
    }

    /// A Session that goes on from here.
    pub(crate) fn into_session(self, config: Config) -> Session {
        Session { config, out: Outbox::default(), stats: Stats::default(), state: self.0 }
    }
}
