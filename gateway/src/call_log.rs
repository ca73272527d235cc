//! The call log and the recordings, as REST resources.

use serde_json::json;

use crate::call_plan::{CallRecord, recording_id};
use crate::gateway::Gateway;
use crate::http::{Body, Reply};
use crate::rest::{Call, Page, not_found};
use crate::shapes::{CallShape, ExtensionShape, LinkShape, print};
use crate::text;

impl Gateway {
    /// The newest first: the user's, or those of all users of the account.
    pub(crate) fn list_calls(&self, call: &Call<'_>, account: bool) -> Reply {
        let page = match Page::of(call) {
            Ok(page) => page,
            Err(reply) => return reply,
        };
        let only_recorded = text::lookup(&call.query, "recordingType").is_some()
            || text::lookup(&call.query, "withRecording") == Some("true");
        let mut found: Vec<(usize, &CallRecord)> = self
            .logged(call.user, account)
            .filter(|(_, record)| call.allows("direction", record.plan.direction()))
            .filter(|(_, record)| call.allows("type", "Voice") && page.covers(record.started_ms))
            .filter(|(_, record)| call.allows("sessionId", &record.number.to_string()))
            .filter(|(_, record)| call.allows("telephonySessionId", &self.telephony_session_id(record.number)))
            .filter(|(_, record)| call.allows("phoneNumber", &record.plan.other))
            .filter(|(_, record)| record.plan.has_recording() || !only_recorded)
            .collect();
        found.sort_by_key(|(_, record)| std::cmp::Reverse((record.started_ms, record.number)));
        let shown = page.cut(&found);
        let records: Vec<_> =
            shown.iter().filter_map(|(user, record)| self.call_shape(call, *user, record, account)).collect();
        let uri = self.uri(call, &self.log_path(call.user, account));
        page.reply(&uri, &records, found.len())
    }

    pub(crate) fn read_call(&self, call: &Call<'_>, id: &str, account: bool) -> Reply {
        let found = self.logged(call.user, account).find(|(_, record)| log_id(record) == id);
        match found.and_then(|(user, record)| self.call_shape(call, user, record, account)) {
            Some(record) => Reply::json(print(&record)),
            None => not_found("callRecordId"),
        }
    }

    pub(crate) fn recording_info(&self, call: &Call<'_>, id: &str) -> Reply {
        let Some((path, record)) = self.recording(call.user, id) else { return not_found("recordingId") };
        let value = json!({
            "uri": self.uri(call, &path),
            "id": id,
            // A file on a host of its own: the link is absolute wherever it stands.
            "contentUri": format!("{}{path}/content", self.config.base_url),
            "contentType": "audio/mpeg",
            "duration": record.duration_ms / 1000,
        });
        Reply::json(value.to_string())
    }

    pub(crate) fn recording_content(&self, call: &Call<'_>, id: &str) -> Reply {
        if self.recording(call.user, id).is_none() {
            return not_found("recordingId");
        }
        Reply::new(200, Body::Binary { content_type: "audio/mpeg".to_owned(), len: self.config.recording_size })
    }

    /// The path of a recording of the account, and its call.
    fn recording(&self, user: usize, id: &str) -> Option<(String, &CallRecord)> {
        let number: u64 = id.parse().ok()?;
        let recorded = |record: &CallRecord| record.plan.has_recording() && recording_id(record.number) == number;
        let (_, record) = self.logged(user, true).find(|(_, record)| recorded(record))?;
        Some((self.expand(&format!("/restapi/v1.0/account/~/recording/{id}"), user), record))
    }

    pub(crate) fn logged(&self, user: usize, account: bool) -> impl Iterator<Item = (usize, &CallRecord)> + '_ {
        let users = if account { self.colleagues(user) } else { vec![user] };
        users.into_iter().flat_map(|user| {
            let log = self.calls.log.get(&user).into_iter().flatten();
            log.map(move |record| (user, record))
        })
    }

    fn log_path(&self, user: usize, account: bool) -> String {
        let path = if account { "" } else { "/extension/~" };
        self.expand(&format!("/restapi/v1.0/account/~{path}/call-log"), user)
    }

    pub(crate) fn call_shape<'a>(
        &'a self,
        call: &Call<'_>,
        user: usize,
        record: &'a CallRecord,
        account: bool,
    ) -> Option<CallShape<'a>> {
        let owner = self.config.users.get(user)?;
        let (id, plan) = (log_id(record), &record.plan);
        let (from, to) = plan.ends(owner);
        let recording = plan.has_recording().then(|| {
            let id = recording_id(record.number).to_string();
            let path = self.expand(&format!("/restapi/v1.0/account/~/recording/{id}"), user);
            let content_uri = Some(format!("{}{path}/content", self.config.base_url));
            LinkShape { content_uri, id, kind: "Automatic", uri: self.uri(call, &path) }
        });
        let message = record.voicemail.map(|message| {
            let path = self.expand(&format!("/restapi/v1.0/account/~/extension/~/message-store/{message}"), user);
            LinkShape { content_uri: None, id: message.to_string(), kind: "VoiceMail", uri: self.uri(call, &path) }
        });
        let leg = CallShape {
            action: plan.action(),
            direction: plan.direction(),
            duration: Some(record.duration_ms / 1000),
            duration_ms: Some(record.duration_ms),
            extension: Some(ExtensionShape {
                extension_number: None,
                id: owner.extension_id,
                uri: self.uri(call, &self.expand("/restapi/v1.0/account/~/extension/~", user)),
            }),
            from,
            id: None,
            last_modified_time: None,
            leg_type: None,
            legs: Vec::new(),
            master: None,
            message,
            recording,
            result: result_of(record),
            session_id: None,
            start_time: text::iso(record.started_ms),
            telephony_session_id: self.telephony_session_id(record.number),
            to,
            transport: Some("PSTN"),
            kind: "Voice",
            uri: None,
        };
        let is_detailed = call.query.iter().any(|(key, value)| key == "view" && value == "Detailed");
        let detail = || CallShape { leg_type: Some("Accept"), master: Some(true), ..leg.clone() };
        Some(CallShape {
            legs: if is_detailed { vec![detail()] } else { Vec::new() },
            uri: Some(self.uri(call, &format!("{}/{id}", self.log_path(user, account)))),
            id: Some(id),
            session_id: Some(record.number.to_string()),
            last_modified_time: Some(text::iso(record.started_ms + record.duration_ms)),
            ..leg
        })
    }
}

fn result_of(record: &CallRecord) -> &'static str {
    match (record.plan.is_answered, record.plan.is_inbound) {
        (true, true) => "Accepted",
        (true, false) => "Call connected",
        (false, true) if record.voicemail.is_some() => "Voicemail",
        (false, true) => "Missed",
        (false, false) => "No Answer",
    }
}

fn log_id(record: &CallRecord) -> String {
    let mut id = "G".to_owned();
    text::push_digits(&mut id, record.number, 12, 16);
    id
}
