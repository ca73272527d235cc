//! Synchronization: messages and calls since a token, and the calls that go on.
//!
//! A token is text that says what it is about; the real one is opaque. A full sync has no deleted messages; an incremental
//! one has them as a change.

use serde::Serialize;

use crate::call_plan::CallRecord;
use crate::gateway::Gateway;
use crate::http::Reply;
use crate::rest::{Call, Page};
use crate::shapes::{CallShape, ListShape, SyncShape, print};
use crate::store::{Availability, Message};
use crate::text;

/// An incremental sync overlaps the one before by so much.
const OVERLAP_MS: u64 = 5000;
/// Without `dateFrom` a full sync of messages begins so long ago.
const DAY_MS: u64 = 86_400_000;
/// The call log goes back so far.
const LOG_MS: u64 = 30 * DAY_MS;
/// Records of one sync of the call log at most.
const MAX_CALLS: usize = 250;
/// Records of one sync of messages, unless `recordCount` says otherwise; and at most.
const MESSAGES: (usize, usize) = (250, 1000);

/// What a token is about.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Frame {
    user: usize,
    made_ms: u64,
    from_ms: u64,
    to_ms: u64,
    count: usize,
    types: Vec<String>,
    directions: Vec<String>,
}

impl Frame {
    fn text(&self, what: &str, generation: u64) -> String {
        let Self { user, made_ms, from_ms, to_ms, count, .. } = self;
        let (types, directions) = (self.types.join(","), self.directions.join(","));
        format!("{what}|{generation}|{user}|{made_ms}|{from_ms}|{to_ms}|{count}|{types}|{directions}")
    }

    fn read(token: &str, what: &str, generation: u64, user: usize) -> Option<Self> {
        let parts: Vec<&str> = token.split('|').collect();
        let [kind, of, owner, made, from, to, count, types, directions] = *parts.as_slice() else { return None };
        if kind != what || of.parse() != Ok(generation) || owner.parse() != Ok(user) {
            return None;
        }
        let words = |text: &str| text.split(',').filter(|word| !word.is_empty()).map(str::to_owned).collect();
        Some(Self {
            user,
            made_ms: made.parse().ok()?,
            from_ms: from.parse().ok()?,
            to_ms: to.parse().ok()?,
            count: count.parse().ok()?,
            types: words(types),
            directions: words(directions),
        })
    }

    fn allows(&self, message: &Message) -> bool {
        let has = |words: &[String], word: &str| words.is_empty() || words.iter().any(|one| one == word);
        let direction = if message.inbound { "Inbound" } else { "Outbound" };
        has(&self.types, message.kind.name())
            && has(&self.directions, direction)
            && (self.from_ms..=self.to_ms).contains(&message.created_ms)
    }
}

pub(crate) fn invalid(parameter: &str, why: &str) -> Reply {
    let message = format!("Parameter [{parameter}] is invalid{why}");
    Reply::error_with(400, "CMN-101", &message, Some(parameter))
}

fn date(call: &Call<'_>, name: &str) -> Result<Option<u64>, Reply> {
    let Some(date) = text::lookup(&call.query, name) else { return Ok(None) };
    text::parse_iso(date).map(Some).ok_or_else(|| invalid(name, ""))
}

/// Whether an incremental sync is asked for.
fn is_incremental(call: &Call<'_>) -> Result<bool, Reply> {
    match text::lookup(&call.query, "syncType") {
        Some("FSync") | None => Ok(false),
        Some("ISync") => Ok(true),
        Some(_) => Err(invalid("syncType", "")),
    }
}

pub(crate) fn count(call: &Call<'_>, most: usize) -> Result<Option<usize>, Reply> {
    let Some(text) = text::lookup(&call.query, "recordCount") else { return Ok(None) };
    let count = text.parse().ok().filter(|count| (1..=most).contains(count));
    count.map(Some).ok_or_else(|| invalid("recordCount", ""))
}

fn values(call: &Call<'_>, name: &str) -> Vec<String> {
    call.query.iter().filter(|(key, _)| key == name).map(|(_, value)| value.clone()).collect()
}

impl Gateway {
    /// Sync tokens that were handed out so far are not known any more: they are answered with `MSG-333` for messages and
    /// with `CMN-101` for the call log, and the client has to make a full sync.
    pub const fn expire_sync_tokens(&mut self) {
        self.sync_generation += 1;
    }

    fn synced(
        &self,
        call: &Call<'_>,
        what: &str,
        frame: &Frame,
        records: &[impl Serialize],
        older: Option<bool>,
    ) -> Reply {
        let info = SyncShape {
            older_records_exist: older,
            sync_time: text::iso(frame.made_ms),
            sync_token: frame.text(what, self.sync_generation),
            sync_type: text::lookup(&call.query, "syncType").unwrap_or("FSync"),
        };
        let uri = self.uri(call, call.path);
        Reply::json(print(&ListShape { paging: None, records, sync_info: Some(info), uri: &uri }))
    }

    /// The newest first, by the time they were made.
    pub(crate) fn sync_messages(&self, call: &Call<'_>) -> Reply {
        let now = self.unix_ms();
        let frame = match self.message_frame(call, now) {
            Ok(frame) => frame,
            Err(reply) => return reply,
        };
        let incremental = is_incremental(call).unwrap_or(false);
        let changed = |message: &Message| match incremental {
            true => message.modified_ms + OVERLAP_MS >= frame.made_ms,
            false => message.availability == Availability::Alive,
        };
        let store = self.messages.users.get(&call.user).into_iter().flatten().rev();
        let found: Vec<u64> =
            store.filter(|(_, message)| frame.allows(message) && changed(message)).map(|(id, _)| *id).collect();
        let base = self.link_base(call);
        let records: Vec<_> =
            found.iter().take(frame.count).filter_map(|id| self.message_shape(call.user, *id, &base)).collect();
        let older = found.len() > frame.count;
        self.synced(call, "messages", &Frame { made_ms: now, ..frame }, &records, Some(older))
    }

    fn message_frame(&self, call: &Call<'_>, now: u64) -> Result<Frame, Reply> {
        let (count, most) = (count(call, MESSAGES.1)?, self.config.sync_records);
        if is_incremental(call)? {
            let token = text::lookup(&call.query, "syncToken").ok_or_else(|| invalid("syncToken", ""))?;
            let frame = Frame::read(token, "messages", self.sync_generation, call.user);
            let unknown = || {
                let message = "Parameter [syncToken] value is invalid";
                Reply::error_with(400, "MSG-333", message, Some("syncToken"))
            };
            return frame
                .map(|frame| Frame { count: count.unwrap_or(frame.count).min(most), ..frame })
                .ok_or_else(unknown);
        }
        let to_ms = date(call, "dateTo")?;
        let from_ms = date(call, "dateFrom")?.unwrap_or_else(|| to_ms.unwrap_or(now).saturating_sub(DAY_MS));
        Ok(Frame {
            user: call.user,
            made_ms: now,
            from_ms,
            to_ms: to_ms.unwrap_or(u64::MAX),
            count: count.unwrap_or(MESSAGES.0).min(most),
            types: values(call, "messageType"),
            directions: values(call, "direction"),
        })
    }

    /// The newest first, by the time they began.
    pub(crate) fn sync_calls(&self, call: &Call<'_>, account: bool) -> Reply {
        let now = self.unix_ms();
        let frame = match self.call_frame(call, now) {
            Ok(frame) => frame,
            Err(reply) => return reply,
        };
        let incremental = is_incremental(call).unwrap_or(false);
        let changed =
            |record: &CallRecord| !incremental || record.started_ms + record.duration_ms + OVERLAP_MS >= frame.made_ms;
        let mut found: Vec<(usize, &CallRecord)> = self
            .logged(call.user, account)
            .filter(|(_, record)| record.started_ms >= frame.from_ms && changed(record))
            .collect();
        if incremental && found.len() > MAX_CALLS {
            return invalid("syncToken", " [max sync record number limit is exceeded]");
        }
        found.sort_by_key(|(_, record)| std::cmp::Reverse((record.started_ms, record.number)));
        let records = found.iter().take(frame.count);
        let records: Vec<_> =
            records.filter_map(|(user, record)| self.call_shape(call, *user, record, account)).collect();
        self.synced(call, "calls", &Frame { made_ms: now, ..frame }, &records, None)
    }

    fn call_frame(&self, call: &Call<'_>, now: u64) -> Result<Frame, Reply> {
        let count = count(call, MAX_CALLS)?;
        if is_incremental(call)? {
            let token = text::lookup(&call.query, "syncToken").ok_or_else(|| invalid("syncToken", ""))?;
            let frame = Frame::read(token, "calls", self.sync_generation, call.user);
            return frame.map(|frame| Frame { count: MAX_CALLS, ..frame }).ok_or_else(|| invalid("syncToken", ""));
        }
        let count = count.ok_or_else(|| invalid("recordCount", ""))?;
        let from_ms = date(call, "dateFrom")?.unwrap_or(now);
        if from_ms.saturating_add(LOG_MS) < now {
            return Err(invalid("dateFrom", " [30 days at most]"));
        }
        let (types, directions) = (Vec::new(), Vec::new());
        Ok(Frame { user: call.user, made_ms: now, from_ms, to_ms: u64::MAX, count, types, directions })
    }

    /// The calls that go on, the newest first: the user's, or those of all users of the account.
    pub(crate) fn list_active_calls(&self, call: &Call<'_>, account: bool) -> Reply {
        let page = match Page::of(call) {
            Ok(page) => page,
            Err(reply) => return reply,
        };
        let users = if account { self.colleagues(call.user) } else { vec![call.user] };
        let live = self.calls.live.iter().rev();
        let found: Vec<u64> = live.filter(|(_, one)| users.contains(&one.user)).map(|(number, _)| *number).collect();
        let records: Vec<_> = page.cut(&found).iter().filter_map(|number| self.active_call_shape(*number)).collect();
        page.reply(&self.uri(call, call.path), &records, found.len())
    }

    fn active_call_shape(&self, number: u64) -> Option<CallShape<'_>> {
        let live = self.calls.live.get(&number)?;
        let (from, to) = live.plan.ends(self.config.users.get(live.user)?);
        Some(CallShape {
            action: live.plan.action(),
            direction: live.plan.direction(),
            duration: None,
            duration_ms: None,
            extension: None,
            from,
            id: Some(number.to_string()),
            last_modified_time: None,
            leg_type: None,
            legs: Vec::new(),
            master: None,
            message: None,
            recording: None,
            result: "In Progress",
            session_id: Some(number.to_string()),
            start_time: text::iso(live.started_ms),
            telephony_session_id: self.telephony_session_id(number),
            to,
            transport: None,
            kind: "Voice",
            uri: None,
        })
    }
}
