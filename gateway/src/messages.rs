//! SMS and voicemails: how they arrive, and the REST resources that read, change and delete them.

use serde_json::{Value, json};

use crate::gateway::Gateway;
use crate::http::{Body, Reply};
use crate::output::Receipt;
use crate::rest::{Call, not_found};
use crate::store::{Message, MessageKind};
use crate::text;

const BOUNDARY: &str = "Boundary_20_32057915_1351669531796";

impl Gateway {
    /// A message arrives for a user: it is stored and makes the notifications a real one makes. Returns its
    /// id and what became of the notifications.
    pub fn receive(&mut self, user: usize, kind: MessageKind, from: &str, text: &str, now: u64) -> (u64, Vec<Receipt>) {
        self.advance(now);
        let mut receipts = Vec::new();
        let to = self.config.users.get(user).map_or_else(String::new, |u| u.phone_number.clone());
        let id = self.store(user, kind, true, [from, &to], text);
        let Some(body) = self.message_json(user, id, "") else { return (id, receipts) };
        let extension = self.expand("/restapi/v1.0/account/~/extension/~", user);
        let event = match kind {
            MessageKind::Sms => format!("{extension}/message-store/instant?type=SMS"),
            MessageKind::VoiceMail => format!("{extension}/voicemail"),
        };
        self.deliver(&event, &body.to_string(), &mut receipts);
        self.store_changed(user, kind, 1, &mut receipts);
        (id, receipts)
    }

    fn store(&mut self, user: usize, kind: MessageKind, inbound: bool, [from, to]: [&str; 2], text: &str) -> u64 {
        let ms = self.unix_ms();
        let message = Message {
            kind,
            inbound,
            from: from.to_owned(),
            to: to.to_owned(),
            text: text.to_owned(),
            created_ms: ms,
            modified_ms: ms,
            read: !inbound,
        };
        self.messages.insert(user, message, self.config.message_store_size)
    }

    /// The `message-store` event: counts, no content.
    fn store_changed(&mut self, user: usize, kind: MessageKind, new: u32, receipts: &mut Vec<Receipt>) {
        let Some(config) = self.config.users.get(user) else { return };
        let body = json!({
            "accountId": config.account_id,
            "extensionId": config.extension_id,
            "lastUpdated": text::iso(self.unix_ms()),
            "changes": [{"type": kind.name(), "newCount": new, "updatedCount": u32::from(new == 0)}],
        });
        let event = self.expand("/restapi/v1.0/account/~/extension/~/message-store", user);
        self.deliver(&event, &body.to_string(), receipts);
    }

    pub(crate) fn send_sms(&mut self, call: &Call<'_>) -> Reply {
        let body = match call.object() {
            Ok(body) => body,
            Err(reply) => return reply,
        };
        let string = |pointer: &str| body.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
        let (Some(from), Some(to), Some(text)) =
            (string("/from/phoneNumber"), string("/to/0/phoneNumber"), string("/text"))
        else {
            return Reply::error(400, "CMN-101", "Parameters [from], [to] and [text] are required");
        };
        let id = self.store(call.user, MessageKind::Sms, false, [&from, &to], &text);
        if self.config.sms_notifies {
            let mut receipts = Vec::new();
            self.store_changed(call.user, MessageKind::Sms, 1, &mut receipts);
            if let Some(receiver) = self.config.users.iter().position(|user| user.phone_number == to) {
                self.receive(receiver, MessageKind::Sms, &from, &text, self.now);
            }
        }
        self.message_reply(call, id)
    }

    pub(crate) fn list_messages(&self, call: &Call<'_>) -> Reply {
        let (page, per_page) = (call.number("page", 1).max(1), call.number("perPage", 100).clamp(1, 1000));
        let kind = text::lookup(&call.query, "messageType");
        let direction = text::lookup(&call.query, "direction");
        let base = self.link_base(call);
        let found: Vec<u64> = self
            .messages
            .users
            .get(&call.user)
            .into_iter()
            .flatten()
            .rev()
            .filter(|(_, message)| kind.is_none_or(|kind| kind == message.kind.name()))
            .filter(|(_, message)| direction.is_none_or(|wanted| wanted == direction_of(message)))
            .map(|(id, _)| *id)
            .collect();
        let records: Vec<Value> = found
            .iter()
            .skip((page - 1).saturating_mul(per_page))
            .take(per_page)
            .filter_map(|id| self.message_json(call.user, *id, &base))
            .collect();
        let paging = json!({
            "page": page,
            "perPage": per_page,
            "totalElements": found.len(),
            "totalPages": found.len().div_ceil(per_page),
        });
        let uri = format!("{base}{}", self.expand("/restapi/v1.0/account/~/extension/~/message-store", call.user));
        Reply::json(json!({"uri": uri, "records": records, "paging": paging}).to_string())
    }

    /// One message, or a batch of up to 30 as a multipart body with status 207.
    pub(crate) fn read_messages(&self, call: &Call<'_>, ids: &str) -> Reply {
        let ids: Vec<&str> = ids.split(',').collect();
        match ids.as_slice() {
            [id] => id.parse().map_or_else(|_| not_found("messageId"), |id| self.message_reply(call, id)),
            ids if ids.len() > 30 => Reply::error(400, "CMN-106", "Batch size exceeds the limit of 30"),
            ids => self.message_batch(call, ids),
        }
    }

    fn message_batch(&self, call: &Call<'_>, ids: &[&str]) -> Reply {
        let base = self.link_base(call);
        let mut statuses = Vec::new();
        let mut parts = Vec::new();
        for id in ids {
            let found = id.parse().ok().and_then(|id| self.message_json(call.user, id, &base));
            let (status, description) = if found.is_some() { (200, "OK") } else { (404, "Not Found") };
            let path = format!("/restapi/v1.0/account/~/extension/~/message-store/{id}");
            let href = format!("{base}{}", self.expand(&path, call.user));
            statuses.push(json!({"href": href, "status": status, "responseDescription": description}));
            parts.push(match found {
                Some(message) => message.to_string(),
                None => match not_found("messageId").body {
                    Body::Json(text) => text,
                    _ => String::new(),
                },
            });
        }
        parts.insert(0, json!({"response": statuses}).to_string());
        let mut text = String::new();
        for part in &parts {
            text.push_str(&format!("--{BOUNDARY}\r\nContent-Type: application/json\r\n\r\n{part}\r\n"));
        }
        text.push_str(&format!("--{BOUNDARY}--"));
        Reply::new(207, Body::Multipart { boundary: BOUNDARY.to_owned(), text })
    }

    pub(crate) fn update_message(&mut self, call: &Call<'_>, id: &str) -> Reply {
        let body = match call.object() {
            Ok(body) => body,
            Err(reply) => return reply,
        };
        let read = match body.get("readStatus").and_then(Value::as_str) {
            Some("Read") => true,
            Some("Unread") => false,
            _ => return Reply::error_with(400, "CMN-101", "Parameter [readStatus] is invalid", Some("readStatus")),
        };
        let (id, now) = (id.parse().unwrap_or(0), self.unix_ms());
        let message = self.messages.users.get_mut(&call.user).and_then(|store| store.get_mut(&id));
        let Some(message) = message else { return not_found("messageId") };
        (message.read, message.modified_ms) = (read, now);
        let kind = message.kind;
        self.store_changed(call.user, kind, 0, &mut Vec::new());
        self.message_reply(call, id)
    }

    pub(crate) fn delete_message(&mut self, call: &Call<'_>, id: &str) -> Reply {
        let id = id.parse().unwrap_or(0);
        let removed = self.messages.users.get_mut(&call.user).and_then(|store| store.remove(&id));
        let Some(message) = removed else { return not_found("messageId") };
        self.store_changed(call.user, message.kind, 0, &mut Vec::new());
        Reply::no_content()
    }

    pub(crate) fn message_content(&self, call: &Call<'_>, id: &str) -> Reply {
        let id = id.parse().unwrap_or(0);
        match self.messages.get(call.user, id) {
            None => not_found("messageId"),
            Some(message) if message.kind == MessageKind::Sms => {
                let content_type = "text/plain;charset=utf-8".to_owned();
                Reply::new(200, Body::Text { content_type, text: message.text.clone() })
            }
            Some(_) => {
                let len = self.config.recording_size;
                Reply::new(200, Body::Binary { content_type: "audio/x-wav", len })
            }
        }
    }

    fn message_reply(&self, call: &Call<'_>, id: u64) -> Reply {
        match self.message_json(call.user, id, &self.link_base(call)) {
            Some(message) => Reply::json(message.to_string()),
            None => not_found("messageId"),
        }
    }

    /// What goes before the path of a link in an answer to this call.
    fn link_base(&self, call: &Call<'_>) -> String {
        self.uri(call, "")
    }

    fn message_json(&self, user: usize, id: u64, base: &str) -> Option<Value> {
        let message = self.messages.get(user, id)?;
        let owner = self.config.users.get(user)?;
        let path = self.expand(&format!("/restapi/v1.0/account/~/extension/~/message-store/{id}"), user);
        let attachment = match message.kind {
            MessageKind::Sms => json!({
                "id": id, "uri": format!("{base}{path}/content/{id}"), "type": "Text", "contentType": "text/plain",
            }),
            MessageKind::VoiceMail => json!({
                // A recording is a file on a host of its own: its link is absolute wherever it stands.
                "id": id, "uri": format!("{}{path}/content/{id}", self.config.base_url),
                "type": "AudioRecording", "contentType": "audio/x-wav", "size": self.config.recording_size,
            }),
        };
        Some(json!({
            "uri": format!("{base}{path}"),
            "id": id,
            "to": [{"phoneNumber": message.to}],
            "from": {"phoneNumber": message.from},
            "type": message.kind.name(),
            "creationTime": text::iso(message.created_ms),
            "lastModifiedTime": text::iso(message.modified_ms),
            "readStatus": if message.read { "Read" } else { "Unread" },
            "priority": "Normal",
            "attachments": [attachment],
            "direction": direction_of(message),
            "availability": "Alive",
            "subject": message.text,
            "messageStatus": if message.inbound { "Received" } else { "Sent" },
            "eventType": "Create",
            "owner": {"extensionId": owner.extension_id.to_string(), "extensionType": "User", "name": owner.name},
        }))
    }
}

fn direction_of(message: &Message) -> &'static str {
    if message.inbound { "Inbound" } else { "Outbound" }
}
