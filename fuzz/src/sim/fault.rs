//! What is wrong at the moment, apart from single connections.

use super::plan::Plan;
use crate::rng::Rng;

#[derive(Clone, Debug, Default)]
pub(crate) struct FaultState {
    /// When the next fault comes.
    pub(super) next: u64,
    pub(super) offline_until: u64,
    pub(super) no_credentials_until: u64,
    /// So many of the next connects fail, each at some phase.
    pub(super) refuse: u32,
    pub(super) lose_upgrade: u32,
    pub(super) http_fails: u32,
    pub(super) http_hangs: u32,
    /// Scripted answers that the gateway has not given yet, as far as is known: what is left must not outlast the heal.
    pub(super) scripted: u32,
    /// Tokens were refused: a session may end for it.
    pub(super) tokens_fail: bool,
    /// When valid access tokens were ended.
    pub(super) tokens_ended: Vec<u64>,
}

impl FaultState {
    pub(super) fn new(plan: &Plan, rng: &mut Rng) -> Self {
        let next = if plan.faults.is_empty() { u64::MAX } else { rng.wait(plan.fault_every) };
        Self { next, ..Self::default() }
    }
}
