//! Faxes: sent over HTTP as a body of several parts, `Queued` first and `Sent` after a while.

use serde_json::{Value, json};

use crate::config::micros;
use crate::gateway::Gateway;
use crate::http::Reply;
use crate::multipart::{self, Part};
use crate::rest::Call;
use crate::store::{Document, Fax, MessageKind, Party};
use crate::text;
use crate::timers::Timer;

/// What a call asks to be faxed.
struct Order {
    to: Vec<String>,
    resolution: String,
    documents: Vec<Document>,
}

impl Gateway {
    pub(crate) fn send_fax(&mut self, call: &Call<'_>) -> Reply {
        let parts = call.header("Content-Type").and_then(|kind| multipart::parse(kind, call.body));
        let Some(parts) = parts else {
            return Reply::error(415, "CMN-104", "The fax call takes a body of multipart/form-data, over HTTPS");
        };
        let order = match Order::of(&parts) {
            Ok(order) => order,
            Err(parameter) => {
                let message = format!("Parameter [{parameter}] is invalid");
                return Reply::error_with(400, "CMN-101", &message, Some(parameter));
            }
        };
        let from = self.config.users.get(call.user).map_or_else(String::new, |user| user.phone_number.clone());
        let to = order.to.into_iter().map(Party::Phone).collect();
        let mut message = self.message(MessageKind::Fax, "Queued", Party::Phone(from), to, "");
        message.fax = Some(Fax { resolution: order.resolution, pages: 0, documents: order.documents });
        let id = self.messages.insert(call.user, message, self.config.message_store_size);
        self.store_changed(call.user, MessageKind::Fax, 1, &mut Vec::new());
        let reply = self.message_reply(call, id);
        let at = self.now.saturating_add(micros(self.config.fax_delay));
        self.timers.set(at, Timer::Fax(call.user, id));
        reply
    }

    /// A queued fax is sent, and arrives where its receivers are users here.
    pub(crate) fn fax_left(&mut self, user: usize, id: u64) {
        let now = self.unix_ms();
        let Some(message) = self.messages.get_mut(user, id) else { return };
        (message.status, message.modified_ms) = ("Sent", now);
        if let Some(fax) = &mut message.fax {
            fax.pages = u32::try_from(fax.documents.len()).unwrap_or(u32::MAX);
        }
        let pages = message.fax.as_ref().map_or(1, |fax| fax.pages);
        let from = message.from.number().to_owned();
        let to: Vec<String> = message.to.iter().map(|to| to.number().to_owned()).collect();
        let event = self.expand("/restapi/v1.0/account/~/extension/~/fax?direction=Outbound", user);
        let mut receipts = Vec::new();
        self.deliver_made(&event, |gateway| gateway.message_text(user, id), &mut receipts);
        self.store_changed(user, MessageKind::Fax, 0, &mut receipts);
        for to in to {
            if let Some(receiver) = self.config.users.iter().position(|user| user.phone_number == to) {
                self.take_in(receiver, MessageKind::Fax, &from, &to, pages, &mut receipts);
            }
        }
    }
}

impl Order {
    /// Reads the parts: one of JSON, or fields named as its members, and the files. An error names the parameter.
    fn of(parts: &[Part<'_>]) -> Result<Self, &'static str> {
        let mut order = Self { to: Vec::new(), resolution: "High".to_owned(), documents: Vec::new() };
        let mut request = json!({});
        for part in parts {
            let name = part.name.as_deref().unwrap_or_default();
            if part.is_request() {
                request = serde_json::from_slice(part.body).ok().filter(Value::is_object).ok_or("json")?;
                continue;
            }
            let value = std::str::from_utf8(part.body).unwrap_or_default().trim();
            match name {
                "to" => order.to.push(value.to_owned()),
                "faxResolution" => order.resolution = value.to_owned(),
                "coverIndex" | "coverPageText" | "sendTime" | "isoCode" => {}
                _ => order.documents.push(Document::of(part)),
            }
        }
        let members = request.get("to").and_then(Value::as_array).into_iter().flatten();
        let numbers = members.map(|to| to.get("phoneNumber").or(Some(to)).and_then(Value::as_str).map(str::to_owned));
        order.to.extend(numbers.collect::<Option<Vec<_>>>().ok_or("to")?);
        if let Some(resolution) = request.get("faxResolution") {
            order.resolution = resolution.as_str().ok_or("faxResolution")?.to_owned();
        }
        let has_text = request.get("coverPageText").is_some();
        if order.to.is_empty() || order.to.iter().any(String::is_empty) {
            return Err("to");
        }
        if !matches!(order.resolution.as_str(), "High" | "Low") {
            return Err("faxResolution");
        }
        if order.documents.is_empty() && !has_text {
            return Err("attachment");
        }
        Ok(order)
    }
}

impl Document {
    fn of(part: &Part<'_>) -> Self {
        let content_type = part.content_type.clone().filter(|kind| text::is_plain(kind));
        let content_type = content_type.unwrap_or_else(|| "application/octet-stream".to_owned());
        Self { content_type, len: part.body.len() as u64 }
    }
}
