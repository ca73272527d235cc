//! Calls: made on command, with a notification of each step, and kept in a log.

use std::cell::OnceCell;
use std::time::Duration;

use crate::call_plan::{CallPlan, CallRecord, FIRST, LiveCall, MAX_LIVE, Stage, recording_id};
use crate::config::micros;
use crate::gateway::Gateway;
use crate::output::Receipt;
use crate::session::Filter;
use crate::shapes::{
    ActiveCallShape, OriginShape, PartyShape, RecordingShape, SipShape, StatusShape, TelephonyShape, print,
};
use crate::store::MessageKind;
use crate::text;
use crate::timers::Timer;

impl Gateway {
    /// A call of a user begins: notifications of the telephony session (`Setup`, `Proceeding`, then `Answered`, or
    /// `VoiceMail`, then `Disconnected`), changes of presence, a record in the call log, and the voicemail. Steps that
    /// take no time are taken at once, later ones in [`handle_timeout`](Self::handle_timeout).
    ///
    /// Returns the `sessionId` of the call and what became of the first notifications; `None` if there is no such user.
    pub fn call(&mut self, user: usize, plan: &CallPlan, now: u64) -> Option<(u64, Vec<Receipt>)> {
        self.advance(now);
        self.config.users.get(user)?;
        self.calls.next += 1;
        let number = FIRST + self.calls.next;
        let mut plan = plan.clone();
        if self.calls.live.len() >= MAX_LIVE {
            (plan.ringing, plan.talking) = (Duration::ZERO, Duration::ZERO);
        }
        let ringing = plan.ringing;
        let call = LiveCall { user, plan, stage: Stage::Ringing, started_ms: self.unix_ms(), sequence: 0 };
        self.calls.live.insert(number, call);
        let mut receipts = Vec::new();
        self.telephony(number, "Setup", &mut receipts);
        self.telephony(number, "Proceeding", &mut receipts);
        self.presence_changed(user, &mut receipts);
        self.go_on(number, ringing, &mut receipts);
        Some((number, receipts))
    }

    /// The time of the present stage is over.
    pub(crate) fn step_call(&mut self, number: u64) {
        self.go_on(number, Duration::ZERO, &mut Vec::new());
    }

    fn go_on(&mut self, number: u64, mut pause: Duration, receipts: &mut Vec<Receipt>) {
        while pause.is_zero() {
            let Some(call) = self.calls.live.get_mut(&number) else { return };
            let (user, stage) = (call.user, call.stage);
            let leaves_message = call.plan.is_inbound && call.plan.voicemail.is_some();
            let status = match stage {
                Stage::Ringing if call.plan.is_answered => {
                    call.stage = Stage::Talking;
                    "Answered"
                }
                Stage::Ringing if leaves_message => {
                    call.stage = Stage::LeavingMessage;
                    "VoiceMail"
                }
                _ => return self.hang_up(number, receipts),
            };
            pause = call.plan.talking;
            self.telephony(number, status, receipts);
            self.presence_changed(user, receipts);
        }
        self.timers.set(self.now.saturating_add(micros(pause)), Timer::Call(number));
    }

    fn hang_up(&mut self, number: u64, receipts: &mut Vec<Receipt>) {
        self.telephony(number, "Disconnected", receipts);
        let Some(call) = self.calls.live.remove(&number) else { return };
        let user = call.user;
        // Presence has shown it already when the caller was sent to the mailbox.
        if call.stage != Stage::LeavingMessage {
            self.presence_changed(user, receipts);
        }
        let voicemail = match &call.plan.voicemail {
            Some(text) if call.stage == Stage::LeavingMessage => {
                let from = call.plan.other.clone();
                Some(self.take_in(user, MessageKind::VoiceMail, &from, text, 1, receipts))
            }
            _ => None,
        };
        let duration_ms = self.unix_ms().saturating_sub(call.started_ms);
        let record = CallRecord { number, plan: call.plan, started_ms: call.started_ms, duration_ms, voicemail };
        let log = self.calls.log.entry(user).or_default();
        log.push_back(record);
        if log.len() > self.config.call_log_size {
            log.pop_front();
        }
    }

    /// The notification of the telephony session, to the user and to the account.
    fn telephony(&mut self, number: u64, status: &str, receipts: &mut Vec<Receipt>) {
        let Some(call) = self.calls.live.get_mut(&number) else { return };
        if self.config.users.get(call.user).is_none() {
            return;
        }
        call.sequence += 1;
        let (user, missed) = (call.user, call.missed(status));
        let is_recorded = call.plan.has_recording() && call.stage == Stage::Talking;
        let mut query = form_urlencoded::Serializer::new(String::new());
        query
            .append_pair("direction", call.plan.direction())
            .append_pair("missedCall", if missed { "true" } else { "false" })
            .append_pair("statusCode", status)
            .append_pair("phoneNumber", &call.plan.other);
        // `true` asks for sessions with recordings only, and `false` for nothing.
        if !is_recorded {
            query.append_pair("withRecordings", "false");
        }
        let query = query.finish();
        let bodies: [OnceCell<String>; 2] = Default::default();
        let body = |gateway: &Self, filter: &Filter| {
            let recordings = is_recorded && filter.asks("withRecordings", "true");
            let made = || gateway.telephony_body(number, status, recordings).unwrap_or_default();
            bodies[usize::from(recordings)].get_or_init(made).as_str()
        };
        for path in ["/restapi/v1.0/account/~/extension/~", "/restapi/v1.0/account/~"] {
            let event = format!("{}/telephony/sessions?{query}", self.expand(path, user));
            self.deliver_each(&event, &body, receipts);
        }
    }

    fn telephony_body(&self, number: u64, status: &str, recordings: bool) -> Option<String> {
        let id = self.telephony_session_id(number);
        let (time, seed) = (text::iso(self.unix_ms()), self.config.seed);
        let call = self.calls.live.get(&number)?;
        let user = self.config.users.get(call.user)?;
        let (from, to) = call.plan.ends(user);
        let recording = RecordingShape { active: status == "Answered", id: recording_id(number).to_string() };
        let party = PartyShape {
            account_id: user.account_id.to_string(),
            direction: call.plan.direction(),
            extension_id: user.extension_id.to_string(),
            from,
            id: format!("p-{}-1", &id[2..]),
            missed_call: call.missed(status),
            muted: false,
            recordings: recordings.then_some([recording]),
            stand_alone: false,
            status: StatusShape { code: status },
            to,
        };
        Some(print(&TelephonyShape {
            account_id: user.account_id.to_string(),
            event_time: time,
            origin: OriginShape { kind: "Call" },
            parties: [party],
            sequence: call.sequence,
            server_id: format!("10.62.25.{}.GATEWAY", seed % 250 + 1),
            session_id: number.to_string(),
            telephony_session_id: &id,
        }))
    }

    pub(crate) fn telephony_session_id(&self, number: u64) -> String {
        let mut id = "s-".to_owned();
        for value in [text::mix(self.config.seed ^ number), number] {
            text::push_digits(&mut id, value, 16, 16);
        }
        id
    }

    /// The calls that detailed presence shows.
    pub(crate) fn active_calls(&self, user: usize, sip: bool) -> Vec<ActiveCallShape<'_>> {
        let Some(own) = self.config.users.get(user).map(|user| &user.phone_number) else { return Vec::new() };
        let calls = self.calls.live.iter();
        let shown = calls.filter(|(_, call)| call.user == user && call.stage != Stage::LeavingMessage);
        shown
            .map(|(number, call)| {
                let id = self.telephony_session_id(*number);
                let (from, to) = if call.plan.is_inbound { (&call.plan.other, own) } else { (own, &call.plan.other) };
                let tag = id[2..].to_owned();
                ActiveCallShape {
                    direction: call.plan.direction(),
                    from,
                    party_id: format!("p-{tag}-1"),
                    queue_call: false,
                    session_id: number.to_string(),
                    sip_data: sip.then(|| SipShape {
                        from_tag: tag.clone(),
                        local_uri: "-",
                        remote_uri: "-",
                        to_tag: "gateway",
                    }),
                    start_time: text::iso(call.started_ms),
                    telephony_session_id: id,
                    telephony_status: if call.stage == Stage::Talking { "CallConnected" } else { "Ringing" },
                    to,
                    id: tag,
                }
            })
            .collect()
    }
}
