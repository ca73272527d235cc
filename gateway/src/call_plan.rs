//! What is known of calls: how each is to go, those going on, and those that are over.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use crate::config::UserConfig;
use crate::shapes::EndShape;

/// The course of a call: who calls, how long it rings, what comes of it. See [`Gateway::call`](crate::Gateway::call).
///
/// Without more it is answered and ends at once.
///
/// ```
/// use std::time::Duration;
/// use ringcentral_ws_gateway::CallPlan;
///
/// let plan = CallPlan::inbound("+16505550100").ringing(Duration::from_secs(4)).talking(Duration::from_secs(60)).recorded();
/// let missed = CallPlan::inbound("+16505550100").voicemail("Please call back");
/// assert_ne!(plan, missed);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallPlan {
    pub(crate) other: String,
    pub(crate) is_inbound: bool,
    pub(crate) is_answered: bool,
    pub(crate) is_recorded: bool,
    pub(crate) voicemail: Option<String>,
    pub(crate) ringing: Duration,
    pub(crate) talking: Duration,
}

impl CallPlan {
    /// This number calls the user.
    #[must_use]
    pub fn inbound(from: &str) -> Self {
        Self {
            other: from.to_owned(),
            is_inbound: true,
            is_answered: true,
            is_recorded: false,
            voicemail: None,
            ringing: Duration::ZERO,
            talking: Duration::ZERO,
        }
    }

    /// The user calls this number.
    #[must_use]
    pub fn outbound(to: &str) -> Self {
        Self { is_inbound: false, ..Self::inbound(to) }
    }

    /// It rings so long (0).
    #[must_use]
    pub fn ringing(mut self, time: Duration) -> Self {
        self.ringing = time;
        self
    }

    /// The call, or the message left, lasts so long (0).
    #[must_use]
    pub fn talking(mut self, time: Duration) -> Self {
        self.talking = time;
        self
    }

    /// Nobody answers.
    #[must_use]
    pub fn missed(mut self) -> Self {
        self.is_answered = false;
        self
    }

    /// Nobody answers an inbound call, and the caller leaves a message.
    #[must_use]
    pub fn voicemail(mut self, text: &str) -> Self {
        self.is_answered = false;
        self.voicemail = Some(text.to_owned());
        self
    }

    /// The conversation is recorded, if there is one.
    #[must_use]
    pub fn recorded(mut self) -> Self {
        self.is_recorded = true;
        self
    }

    pub(crate) fn direction(&self) -> &'static str {
        if self.is_inbound { "Inbound" } else { "Outbound" }
    }

    /// From whom, and to whom.
    pub(crate) fn ends<'a>(&'a self, user: &'a UserConfig) -> (EndShape<'a>, EndShape<'a>) {
        let (own, other) = (EndShape::own(user), EndShape::other(&self.other));
        if self.is_inbound { (other, own) } else { (own, other) }
    }

    pub(crate) fn action(&self) -> &'static str {
        if self.is_inbound { "Phone Call" } else { "VoIP Call" }
    }

    pub(crate) fn has_recording(&self) -> bool {
        self.is_recorded && self.is_answered
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    Ringing,
    Talking,
    LeavingMessage,
}

/// A call that goes on.
#[derive(Debug)]
pub(crate) struct LiveCall {
    pub(crate) user: usize,
    pub(crate) plan: CallPlan,
    pub(crate) stage: Stage,
    pub(crate) started_ms: u64,
    pub(crate) sequence: u64,
}

impl LiveCall {
    /// Whether this status ends a call to the user that nobody took.
    pub(crate) fn missed(&self, status: &str) -> bool {
        status == "Disconnected" && self.stage == Stage::Ringing && self.plan.is_inbound
    }
}

/// A call that is over.
#[derive(Debug, Clone)]
pub(crate) struct CallRecord {
    pub(crate) number: u64,
    pub(crate) plan: CallPlan,
    pub(crate) started_ms: u64,
    pub(crate) duration_ms: u64,
    pub(crate) voicemail: Option<u64>,
}

/// The calls of all users.
#[derive(Debug, Default)]
pub(crate) struct Calls {
    pub(crate) live: BTreeMap<u64, LiveCall>,
    /// The newest of each user last.
    pub(crate) log: BTreeMap<usize, VecDeque<CallRecord>>,
    pub(crate) next: u64,
}

/// Calls are numbered from here, to look like real ones.
pub(crate) const FIRST: u64 = 402_936_341_000;
/// Calls going on at most; the steps of further ones are taken at once.
pub(crate) const MAX_LIVE: usize = 100;

impl Calls {
    pub(crate) fn telephony_status(&self, user: usize) -> &'static str {
        let stages = || self.live.values().filter(|call| call.user == user).map(|call| call.stage);
        match () {
            () if stages().any(|stage| stage == Stage::Talking) => "CallConnected",
            () if stages().any(|stage| stage == Stage::Ringing) => "Ringing",
            () => "NoCall",
        }
    }
}

/// The id of the recording of a call.
pub(crate) fn recording_id(number: u64) -> u64 {
    number + 1_000_000_000
}
