//! Sessions with a defect each: what the oracle must find.

use std::collections::VecDeque;

use ringcentral_ws_core::{
    Action, Certainty, ClockReading, Config, Event, Frame, Gap, GapCause, Input, NotDrained, OpenFailure, Output,
    Purpose, RestoreError, Session, SessionState, Snapshot, Stats, Timestamp,
};

use crate::commands;
use crate::subject::{Maker, Subject, delegate};

macro_rules! defects {
    ($($name:ident $text:literal,)*) => {
        /// The defects.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[allow(missing_docs, reason = "each says what it is by its name and as_str")]
        pub enum Defect { $($name,)* }

        impl Defect {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// In words.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }
        }
    };
}

defects! {
    DropNotification "every 20th notification is dropped",
    DeliverTwice "every 20th notification is delivered twice",
    Swap "two notifications change places",
    SwallowGap "gaps are not emitted",
    LateGap "a gap is emitted after the next notification",
    WrongGap "a gap does not say after which notification",
    LoseOutcome "every third request never ends",
    DoubleOutcome "every third request ends twice",
    SendEarly "a heartbeat is sent before ConnectionDetails",
    ReuseToken "the first WebSocket token is presented again",
    NoReconnect "a lost connection is not replaced",
    StaleWsc "the first wsc is presented for ever",
    IgnoreFailed "a failed recovery is taken for a good one",
    NeverHeartbeat "no heartbeat is sent",
    ImpatientToken "every call for a WebSocket token is made three times",
    RepeatRequest "requests are sent twice on the socket",
    ForeignDelivered "the subscription is confirmed under another id",
    EndlessWait "timers are ignored",
    FreshBudget "a restart begins with a fresh budget",
    HandleForever "a handle that never works is never given up",
    NoInFlight "gaps for what was lost in flight are not emitted",
    NoContended "gaps for what another client got are not emitted",
    EagerReset "ConnectionDetails reset the number of attempts",
    DetachSnapshot "there are snapshots while the session detaches",
    SilentWait "waits are not announced",
    SureGap "all gaps are called certain",
}

/// Makes sessions with a defect.
#[derive(Clone, Copy, Debug)]
pub struct Defective(pub Defect);

impl Maker for Defective {
    type Subject = Mutant;

    fn create(&self, config: Config, seed: u64, clock: ClockReading) -> Mutant {
        Mutant::new(Some(self.0), Session::new(config, seed, clock))
    }

    fn restore(&self, c: Config, s: Snapshot, seed: u64, clock: ClockReading) -> Result<Mutant, RestoreError> {
        let snapshot = if self.0 == Defect::FreshBudget { without_calls(&s)? } else { s };
        Ok(Mutant::new(Some(self.0), Session::restore(c, snapshot, seed, clock)?))
    }
}

/// What the process before used is forgotten.
fn without_calls(snapshot: &Snapshot) -> Result<Snapshot, RestoreError> {
    let mut value: serde_json::Value = serde_json::from_str(&snapshot.to_json()).unwrap_or_default();
    if let Some(fields) = value.as_object_mut() {
        fields.remove("auth");
    }
    Snapshot::from_json(&value.to_string())
}

/// A session between whose outputs and the driver something goes wrong.
#[derive(Clone, Debug)]
pub struct Mutant {
    /// `None`: it does what the session does.
    defect: Option<Defect>,
    session: Session,
    /// What is put out before anything else.
    next: VecDeque<Output>,
    kept: Option<Output>,
    count: u64,
    first: Option<ringcentral_ws_core::SecretUrl>,
    first_wsc: Option<String>,
    /// The first heartbeat of a connection, and the attempts that had failed before it.
    heartbeat: Option<String>,
    failed: u32,
    forgotten: u32,
    /// The last snapshot before the end began.
    snapshot: Option<Box<Snapshot>>,
}

impl Mutant {
    /// Around this session; without a defect nothing goes wrong.
    #[must_use]
    pub const fn new(defect: Option<Defect>, session: Session) -> Self {
        Self {
            defect,
            session,
            next: VecDeque::new(),
            kept: None,
            count: 0,
            first: None,
            first_wsc: None,
            heartbeat: None,
            failed: 0,
            forgotten: 0,
            snapshot: None,
        }
    }

    /// The session's counters.
    #[must_use]
    pub const fn stats(&self) -> Stats {
        self.session.stats()
    }

    /// `true` once in `n` calls.
    fn every(&mut self, n: u64) -> bool {
        self.count += 1;
        self.count.is_multiple_of(n)
    }

    /// What becomes of an output; `None`: it is swallowed.
    fn spoil(&mut self, output: Output) -> Option<Output> {
        let Some(defect) = self.defect else { return Some(output) };
        match output {
            Output::Event(event) => self.spoil_event(defect, event),
            Output::Action(action) => self.spoil_action(defect, action),
            Output::Wait(_) => {
                if defect == Defect::DetachSnapshot && self.session.state() != SessionState::Closing {
                    self.snapshot = self.session.snapshot().map(Box::new);
                }
                Some(output)
            }
        }
    }

    fn spoil_event(&mut self, defect: Defect, event: Event) -> Option<Output> {
        use Defect as D;
        let output = Output::Event(event);
        let Output::Event(event) = &output else { return None };
        match (defect, event) {
            (D::DropNotification, Event::Notification(_)) if self.every(20) => return None,
            (D::DeliverTwice, Event::Notification(_)) if self.every(20) => self.next.push_back(output.clone()),
            (D::Swap, Event::Notification(_)) => {
                if self.kept.is_none() && self.every(20) {
                    self.kept = Some(output);
                    return None;
                }
                self.next.extend(self.kept.take());
            }
            (D::SwallowGap, Event::Gap(_)) => return None,
            (D::LateGap, Event::Gap(_)) => {
                self.kept = Some(output);
                return None;
            }
            (D::LateGap, Event::Notification(_)) => self.next.extend(self.kept.take()),
            (D::WrongGap, Event::Gap(gap)) => {
                let mut gap = gap.clone();
                gap.after = None;
                return Some(Output::Event(Event::Gap(gap)));
            }
            (D::LoseOutcome, Event::Response { .. }) if self.every(3) => return None,
            (D::DoubleOutcome, Event::Response { .. }) if self.every(3) => self.next.push_back(output.clone()),
            (D::NoInFlight, Event::Gap(gap)) if gap.cause == GapCause::InFlight => return None,
            (D::NoContended, Event::Gap(gap)) if gap.cause == GapCause::Contended => return None,
            (D::SureGap, Event::Gap(gap)) => {
                let gap = Gap { certainty: Certainty::Certain, ..gap.clone() };
                return Some(Output::Event(Event::Gap(gap)));
            }
            (D::SilentWait, Event::Waiting { .. }) => return None,
            (D::EagerReset, Event::Connected { .. }) => self.forgotten = self.failed,
            (D::EagerReset, Event::Retry { attempt, cause, at, delay, reason }) => {
                self.failed = *attempt;
                if *attempt <= self.forgotten {
                    self.forgotten = 0;
                }
                let attempt = attempt - self.forgotten;
                let (cause, at, delay, reason) = (cause.clone(), *at, *delay, *reason);
                return Some(Output::Event(Event::Retry { attempt, cause, at, delay, reason }));
            }
            (D::ForeignDelivered, Event::Subscribed(info)) => {
                let mut info = info.clone();
                info.server_id = "another".into();
                return Some(Output::Event(Event::Subscribed(info)));
            }
            _ => {}
        }
        Some(output)
    }

    fn spoil_action(&mut self, defect: Defect, action: Action) -> Option<Output> {
        use Defect as D;
        match (defect, &action) {
            (D::HandleForever, Action::Send { text, purpose: Purpose::Heartbeat, .. }) => {
                self.heartbeat = Some(text.clone());
            }
            (D::NeverHeartbeat, Action::Send { purpose: Purpose::Heartbeat, .. }) => return None,
            (D::NoReconnect, Action::Open { .. }) if !self.every(1) || self.count > 1 => return None,
            (D::ReuseToken, Action::Open { conn, url }) => {
                let (conn, first) = (*conn, self.first.get_or_insert_with(|| url.clone()).clone());
                return Some(Output::Action(Action::Open { conn, url: first }));
            }
            (D::StaleWsc, Action::Open { conn, url }) => {
                let conn = *conn;
                let mut url = url.expose().clone();
                let pairs: Vec<(String, String)> = url.query_pairs().into_owned().collect();
                if let Some((_, wsc)) = pairs.iter().find(|(name, _)| name == "wsc") {
                    let first = self.first_wsc.get_or_insert_with(|| wsc.clone()).clone();
                    url.query_pairs_mut().clear().extend_pairs(
                        pairs.iter().map(|(name, value)| (name, if name == "wsc" { &first } else { value })),
                    );
                }
                return Some(Output::Action(Action::Open { conn, url: ringcentral_ws_core::SecretUrl::new(url) }));
            }
            (D::ImpatientToken, Action::Http { .. }) => {
                (0..2).for_each(|_| self.next.push_back(Output::Action(action.clone())));
            }
            (D::RepeatRequest, Action::Send { purpose: Purpose::Request(_), .. }) => {
                self.next.push_back(Output::Action(action.clone()));
            }
            (D::SendEarly, Action::Open { conn, .. }) => {
                let (conn, purpose) = (*conn, Purpose::Heartbeat);
                let text = "[{\"type\":\"Heartbeat\",\"messageId\":\"early\"}]".to_owned();
                self.next.push_back(Output::Action(Action::Send { conn, text, purpose }));
            }
            _ => {}
        }
        Some(Output::Action(action))
    }
}

impl Subject for Mutant {
    fn handle_input(&mut self, input: Input<'_>, now: Timestamp) -> Result<(), NotDrained> {
        match (self.defect, &input) {
            (Some(Defect::EndlessWait), Input::Timeout) => Ok(()),
            // What counts against the handle is kept from it.
            (Some(Defect::HandleForever), Input::Closed { conn, .. }) => {
                if let Some(text) = self.heartbeat.take() {
                    self.session.handle_input(Input::Frame { conn: *conn, frame: Frame::Text(&text) }, now)?;
                }
                self.session.handle_input(input, now)
            }
            (Some(Defect::HandleForever), Input::OpenFailed { conn, failure }) => {
                let failure = OpenFailure { status: None, ..failure.clone() };
                self.session.handle_input(Input::OpenFailed { conn: *conn, failure }, now)
            }
            (Some(Defect::IgnoreFailed), Input::Frame { conn, frame: Frame::Text(text) }) => {
                let text = text.replace("\"recoveryState\":\"Failed\"", "\"recoveryState\":\"Successful\"");
                self.session.handle_input(Input::Frame { conn: *conn, frame: Frame::Text(&text) }, now)
            }
            _ => self.session.handle_input(input, now),
        }
    }

    commands!(delegate!(session));

    fn poll_output(&mut self) -> Output {
        loop {
            if let Some(output) = self.next.pop_front() {
                return output;
            }
            let output = self.session.poll_output();
            if let Some(output) = self.spoil(output) {
                return output;
            }
        }
    }

    fn snapshot(&self) -> Option<Snapshot> {
        let held = self.snapshot.as_ref().filter(|_| self.session.state() == SessionState::Closing);
        self.session.snapshot().or_else(|| held.map(|snapshot| Snapshot::clone(snapshot)))
    }

    fn state(&self) -> SessionState {
        self.session.state()
    }
}
