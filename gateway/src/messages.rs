//! Messages of all kinds: how they arrive, and the REST resources that read, change and delete them.

use serde_json::{Value, json};

use crate::gateway::Gateway;
use crate::http::{Body, Reply};
use crate::output::Receipt;
use crate::rest::{Call, Page, not_found};
use crate::shapes::{AttachmentShape, MessageShape, OwnerShape, print};
use crate::store::{Availability, Document, Fax, Message, MessageKind, Party};
use crate::text;

const BOUNDARY: &str = "Boundary_20_32057915_1351669531796";

impl Gateway {
    /// The stored messages of a user, sent and received, deleted ones too, oldest first, as the REST resource shows them.
    pub fn messages(&self, user: usize) -> impl Iterator<Item = Value> + '_ {
        let ids = self.messages.users.get(&user).into_iter().flatten();
        ids.filter_map(move |(id, _)| {
            let message = self.message_shape(user, *id, "")?;
            serde_json::to_value(message).ok()
        })
    }

    /// A message arrives for a user: it is stored and makes the notifications a real one makes. Returns its
    /// id and what became of the notifications. `from` is a phone number, or the extension number for a
    /// [`Pager`](MessageKind::Pager).
    pub fn receive(&mut self, user: usize, kind: MessageKind, from: &str, text: &str, now: u64) -> (u64, Vec<Receipt>) {
        self.advance(now);
        let mut receipts = Vec::new();
        let id = self.take_in(user, kind, from, text, 1, &mut receipts);
        (id, receipts)
    }

    /// A fax of so many pages arrives for a user, as by [`receive`](Self::receive), which makes one of one page. Its
    /// pages are one document, and `text` is its subject.
    pub fn receive_fax(&mut self, user: usize, from: &str, text: &str, pages: u32, now: u64) -> (u64, Vec<Receipt>) {
        self.advance(now);
        let mut receipts = Vec::new();
        let id = self.take_in(user, MessageKind::Fax, from, text, pages, &mut receipts);
        (id, receipts)
    }

    /// [`receive`](Self::receive) at the present time, from within timers too.
    pub(crate) fn take_in(
        &mut self,
        user: usize,
        kind: MessageKind,
        from: &str,
        text: &str,
        pages: u32,
        receipts: &mut Vec<Receipt>,
    ) -> u64 {
        let to = self.config.users.get(user).map_or("", |user| match kind {
            MessageKind::Pager => &user.extension_number,
            MessageKind::Sms | MessageKind::VoiceMail | MessageKind::Fax => &user.phone_number,
        });
        let to = vec![Party::of(kind, to)];
        let mut message = self.message(kind, "Received", Party::of(kind, from), to, text);
        if kind == MessageKind::Fax {
            let document = Document { content_type: "application/pdf".to_owned(), len: self.config.recording_size };
            message.fax = Some(Fax { resolution: "High".to_owned(), pages, documents: vec![document] });
        }
        let id = self.messages.insert(user, message, self.config.message_store_size);
        let event = match kind {
            MessageKind::Sms => Some("message-store/instant?type=SMS"),
            MessageKind::VoiceMail => Some("voicemail"),
            MessageKind::Fax => Some("fax?direction=Inbound"),
            MessageKind::Pager => None,
        };
        if let Some(event) = event {
            let event = self.expand(&format!("/restapi/v1.0/account/~/extension/~/{event}"), user);
            let body = |gateway: &Self| gateway.message_text(user, id);
            self.deliver_made(&event, body, receipts);
        }
        self.store_changed(user, kind, 1, receipts);
        id
    }

    /// A message of now; whether it came in or goes out is seen from its status.
    pub(crate) fn message(
        &self,
        kind: MessageKind,
        status: &'static str,
        from: Party,
        to: Vec<Party>,
        text: &str,
    ) -> Message {
        let (ms, inbound) = (self.unix_ms(), status == "Received");
        Message {
            kind,
            inbound,
            status,
            from,
            to,
            text: text.to_owned(),
            fax: None,
            created_ms: ms,
            modified_ms: ms,
            read: !inbound,
            availability: Availability::Alive,
        }
    }

    /// The `message-store` event: counts, no content.
    pub(crate) fn store_changed(&mut self, user: usize, kind: MessageKind, new: u32, receipts: &mut Vec<Receipt>) {
        let Some(config) = self.config.users.get(user) else { return };
        let (account, extension) = (config.account_id, config.extension_id);
        let body = |gateway: &Self| {
            let body = json!({
                "accountId": account,
                "extensionId": extension,
                "lastUpdated": text::iso(gateway.unix_ms()),
                "changes": [{"type": kind.name(), "newCount": new, "updatedCount": u32::from(new == 0)}],
            });
            body.to_string()
        };
        let event = self.expand("/restapi/v1.0/account/~/extension/~/message-store", user);
        self.deliver_made(&event, body, receipts);
    }

    pub(crate) fn send_sms(&mut self, call: &Call<'_>) -> Reply {
        let body = match call.object_or_form() {
            Ok(body) => body,
            Err(reply) => return reply,
        };
        let string = |pointer: &str| body.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
        let (Some(from), Some(to), Some(text)) =
            (string("/from/phoneNumber"), string("/to/0/phoneNumber"), string("/text"))
        else {
            return Reply::error(400, "CMN-101", "Parameters [from], [to] and [text] are required");
        };
        if self.config.users.get(call.user).is_none_or(|user| digits(&user.phone_number) != digits(&from)) {
            let one = r#""message":"Phone number doesn't belong to extension""#;
            let errors = format!(r#"[{{"errorCode":"MSG-304",{one}}}]"#);
            let body = format!(r#"{{"errorCode":"FeatureNotAvailable",{one},"errors":{errors}}}"#);
            return Reply::new(403, Body::Json(body));
        }
        let message =
            self.message(MessageKind::Sms, "Sent", Party::Phone(from.clone()), vec![Party::Phone(to.clone())], &text);
        let id = self.messages.insert(call.user, message, self.config.message_store_size);
        if self.config.sms_notifies {
            let mut receipts = Vec::new();
            self.store_changed(call.user, MessageKind::Sms, 1, &mut receipts);
            if let Some(receiver) = self.config.users.iter().position(|user| user.phone_number == to) {
                self.take_in(receiver, MessageKind::Sms, &from, &text, 1, &mut receipts);
            }
        }
        self.message_reply(call, id)
    }

    /// The newest first, of the kinds, the direction and the time that the query names; deleted ones only if it asks for
    /// them.
    pub(crate) fn list_messages(&self, call: &Call<'_>) -> Reply {
        let page = match Page::of(call) {
            Ok(page) => page,
            Err(reply) => return reply,
        };
        let base = self.link_base(call);
        let found: Vec<u64> = self
            .messages
            .users
            .get(&call.user)
            .into_iter()
            .flatten()
            .rev()
            .filter(|(_, message)| call.allows("messageType", message.kind.name()))
            .filter(|(_, message)| call.allows("direction", direction_of(message)))
            .filter(|(_, message)| call.allows("readStatus", read_status(message)))
            .filter(|(_, message)| match text::lookup(&call.query, "availability") {
                Some(_) => call.allows("availability", message.availability.name()),
                None => message.availability == Availability::Alive,
            })
            .filter(|(_, message)| page.covers(message.created_ms))
            .map(|(id, _)| *id)
            .collect();
        let records: Vec<_> =
            page.cut(&found).iter().filter_map(|id| self.message_shape(call.user, *id, &base)).collect();
        let uri = format!("{base}{}", self.expand("/restapi/v1.0/account/~/extension/~/message-store", call.user));
        page.reply(&uri, &records, found.len())
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
            let found = id.parse().ok().and_then(|id| self.message_shape(call.user, id, &base));
            let (status, description) = if found.is_some() { (200, "OK") } else { (404, "Not Found") };
            let path = format!("/restapi/v1.0/account/~/extension/~/message-store/{id}");
            let href = format!("{base}{}", self.expand(&path, call.user));
            statuses.push(json!({"href": href, "status": status, "responseDescription": description}));
            parts.push(match found {
                Some(message) => print(&message),
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
        let invalid = |parameter: &str| {
            let message = format!("Parameter [{parameter}] is invalid");
            Reply::error_with(400, "CMN-101", &message, Some(parameter))
        };
        let member = |name: &str| body.get(name).map(|value| value.as_str().unwrap_or_default());
        let restored = match member("availability") {
            None => false,
            Some("Alive") => true,
            Some(_) => return invalid("availability"),
        };
        let read = match member("readStatus") {
            Some("Read") => Some(true),
            Some("Unread") => Some(false),
            None if restored => None,
            _ => return invalid("readStatus"),
        };
        let (id, now) = (id.parse().unwrap_or(0), self.unix_ms());
        let Some(message) = self.messages.get_mut(call.user, id) else { return not_found("messageId") };
        if message.availability == Availability::Purged {
            return invalid("availability");
        }
        if restored {
            message.availability = Availability::Alive;
        }
        (message.read, message.modified_ms) = (read.unwrap_or(message.read), now);
        let kind = message.kind;
        self.store_changed(call.user, kind, 0, &mut Vec::new());
        self.message_reply(call, id)
    }

    /// The first call deletes, the second one purges; with `purge=true` the first one does.
    pub(crate) fn delete_message(&mut self, call: &Call<'_>, id: &str) -> Reply {
        let purge = text::lookup(&call.query, "purge").is_some_and(|value| value.eq_ignore_ascii_case("true"));
        let (id, now) = (id.parse().unwrap_or(0), self.unix_ms());
        let Some(message) = self.messages.get_mut(call.user, id) else { return not_found("messageId") };
        message.availability = match message.availability {
            Availability::Alive if !purge => Availability::Deleted,
            Availability::Alive | Availability::Deleted => Availability::Purged,
            Availability::Purged => return not_found("messageId"),
        };
        message.modified_ms = now;
        let kind = message.kind;
        self.store_changed(call.user, kind, 0, &mut Vec::new());
        Reply::no_content()
    }

    pub(crate) fn message_content(&self, call: &Call<'_>, id: &str, attachment: &str) -> Reply {
        let id = id.parse().unwrap_or(0);
        let stored = self.messages.get(call.user, id).filter(|one| one.availability != Availability::Purged);
        let Some(message) = stored else { return not_found("messageId") };
        if message.kind.is_text() {
            let content_type = "text/plain;charset=utf-8".to_owned();
            return Reply::new(200, Body::Text { content_type, text: message.text.clone() });
        }
        let Some(fax) = &message.fax else {
            let content_type = "audio/x-wav".to_owned();
            return Reply::new(200, Body::Binary { content_type, len: self.config.recording_size });
        };
        let number = attachment.parse::<u64>().ok().and_then(|number| usize::try_from(number.checked_sub(id)?).ok());
        match number.and_then(|number| fax.documents.get(number)) {
            Some(Document { content_type, len }) => {
                Reply::new(200, Body::Binary { content_type: content_type.clone(), len: *len })
            }
            None => not_found("attachmentId"),
        }
    }

    pub(crate) fn message_reply(&self, call: &Call<'_>, id: u64) -> Reply {
        match self.message_shape(call.user, id, &self.link_base(call)) {
            Some(message) => Reply::json(print(&message)),
            None => not_found("messageId"),
        }
    }

    /// What goes before the path of a link in an answer to this call.
    pub(crate) fn link_base(&self, call: &Call<'_>) -> String {
        self.uri(call, "")
    }

    /// The body of the notification of a message.
    pub(crate) fn message_text(&self, user: usize, id: u64) -> String {
        self.message_shape(user, id, "").map(|message| print(&message)).unwrap_or_default()
    }

    pub(crate) fn message_shape(&self, user: usize, id: u64, base: &str) -> Option<MessageShape<'_>> {
        let message = self.messages.get(user, id)?;
        let owner = self.config.users.get(user)?;
        let path = self.expand(&format!("/restapi/v1.0/account/~/extension/~/message-store/{id}"), user);
        let is_pager = message.kind == MessageKind::Pager;
        Some(MessageShape {
            attachments: self.attachments(id, message, &path, base),
            availability: message.availability.name(),
            conversation_id: is_pager.then_some(id),
            creation_time: text::iso(message.created_ms),
            direction: direction_of(message),
            event_type: "Create",
            fax_page_count: message.fax.as_ref().map(|fax| fax.pages),
            fax_resolution: message.fax.as_ref().map(|fax| fax.resolution.as_str()),
            from: &message.from,
            id,
            last_modified_time: text::iso(message.modified_ms),
            message_status: message.status,
            owner: OwnerShape {
                extension_id: owner.extension_id.to_string(),
                extension_type: "User",
                name: &owner.name,
            },
            pg_to_department: is_pager.then_some(false),
            priority: "Normal",
            read_status: read_status(message),
            subject: &message.text,
            to: &message.to,
            kind: message.kind.name(),
            uri: format!("{base}{path}"),
        })
    }

    fn attachments<'a>(&'a self, id: u64, message: &'a Message, path: &str, base: &str) -> Vec<AttachmentShape<'a>> {
        // A recording or a document is a file on a host of its own: its link is absolute wherever it stands.
        let host = &self.config.base_url;
        if message.availability == Availability::Purged {
            return Vec::new();
        }
        if message.kind.is_text() {
            let uri = format!("{base}{path}/content/{id}");
            return vec![AttachmentShape { content_type: "text/plain", id, size: None, kind: "Text", uri }];
        }
        let file = |id: u64, kind, content_type, size| {
            let uri = format!("{host}{path}/content/{id}");
            AttachmentShape { content_type, id, size: Some(size), kind, uri }
        };
        match &message.fax {
            None => vec![file(id, "AudioRecording", "audio/x-wav", self.config.recording_size)],
            Some(fax) => (id..)
                .zip(&fax.documents)
                .map(|(id, document)| file(id, "RenderedDocument", &document.content_type, document.len))
                .collect(),
        }
    }
}

/// A phone number without what people put between its digits.
fn digits(number: &str) -> String {
    number.chars().filter(char::is_ascii_digit).collect()
}

fn direction_of(message: &Message) -> &'static str {
    if message.inbound { "Inbound" } else { "Outbound" }
}

fn read_status(message: &Message) -> &'static str {
    if message.read { "Read" } else { "Unread" }
}
