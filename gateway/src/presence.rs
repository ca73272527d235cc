//! Presence: what a user set, what calls make of it, and who hears of changes.

use std::cell::OnceCell;

use serde_json::{Value, json};

use crate::gateway::Gateway;
use crate::http::Reply;
use crate::output::Receipt;
use crate::rest::{Call, Page, not_found};
use crate::session::Filter;

/// How much of a user's calls is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Detail {
    None,
    Calls,
    Sip,
}

impl Detail {
    fn of(asks: impl Fn(&str, &str) -> bool) -> Self {
        match (asks("detailedTelephonyState", "true"), asks("sipData", "true")) {
            (true, true) => Self::Sip,
            (true, false) => Self::Calls,
            (false, _) => Self::None,
        }
    }
}

impl Gateway {
    pub(crate) fn read_presence(&self, call: &Call<'_>) -> Reply {
        let detail = Detail::of(|name, value| call.query.iter().any(|(k, v)| k == name && v == value));
        match self.presence_resource(call, call.user, detail) {
            Some(value) => Reply::json(value.to_string()),
            None => not_found("extensionId"),
        }
    }

    pub(crate) fn update_presence(&mut self, call: &Call<'_>) -> Reply {
        let body = match call.object() {
            Ok(body) => body,
            Err(reply) => return reply,
        };
        let presence = self.presence.entry(call.user).or_default();
        let dnd_before = presence.dnd_status.clone();
        if let Err(parameter) = presence.update(&body) {
            let message = format!("Parameter [{parameter}] is invalid");
            return Reply::error_with(400, "CMN-101", &message, Some(parameter));
        }
        let dnd_changed = dnd_before != presence.dnd_status;
        let mut receipts = Vec::new();
        self.presence_changed(call.user, &mut receipts);
        if dnd_changed {
            self.dnd_changed(call.user, &mut receipts);
        }
        self.read_presence(call)
    }

    /// The presence of every user of the account.
    pub(crate) fn list_presence(&self, call: &Call<'_>) -> Reply {
        let page = match Page::of(call) {
            Ok(page) => page,
            Err(reply) => return reply,
        };
        let detail = Detail::of(|name, value| call.query.iter().any(|(k, v)| k == name && v == value));
        let users = self.colleagues(call.user);
        let shown = page.cut(&users);
        let records: Vec<Value> = shown.iter().filter_map(|user| self.presence_resource(call, *user, detail)).collect();
        let uri = self.uri(call, &self.expand("/restapi/v1.0/account/~/presence", call.user));
        page.reply(&uri, &records, users.len())
    }

    /// The users of the account of this one.
    pub(crate) fn colleagues(&self, user: usize) -> Vec<usize> {
        let account = self.config.users.get(user).map(|user| user.account_id);
        let users = self.config.users.iter().enumerate();
        users.filter(|(_, user)| Some(user.account_id) == account).map(|(index, _)| index).collect()
    }

    /// Something that presence shows has changed.
    pub(crate) fn presence_changed(&mut self, user: usize, receipts: &mut Vec<Receipt>) {
        self.presence.entry(user).or_default().sequence += 1;
        let paths = ["/restapi/v1.0/account/~/extension/~/presence", "/restapi/v1.0/account/~/presence"];
        let paths = paths.map(|path| self.expand(path, user));
        let bodies: [OnceCell<String>; 3] = Default::default();
        let body = |gateway: &Self, filter: &Filter| {
            let detail = Detail::of(|name, value| filter.asks(name, value));
            bodies[detail as usize].get_or_init(|| gateway.presence_body(user, detail)).as_str()
        };
        for event in paths {
            self.deliver_each(&event, &body, receipts);
        }
    }

    fn presence_body(&self, user: usize, detail: Detail) -> String {
        let mut body = self.presence_state(user, detail);
        body["sequence"] = json!(self.presence.get(&user).map_or(0, |presence| presence.sequence));
        body["extensionId"] = json!(self.config.users.get(user).map_or(0, |user| user.extension_id).to_string());
        body["meetingStatus"] = json!("Disconnected");
        body.to_string()
    }

    fn dnd_changed(&mut self, user: usize, receipts: &mut Vec<Receipt>) {
        let Some(owner) = self.config.users.get(user) else { return };
        let status = self.presence.get(&user).map_or("TakeAllCalls", |presence| &presence.dnd_status);
        let body = json!({"extensionId": owner.extension_id.to_string(), "dndStatus": status}).to_string();
        let event = self.expand("/restapi/v1.0/account/~/extension/~/presence/dnd", user);
        self.deliver(&event, &body, receipts);
    }

    fn presence_resource(&self, call: &Call<'_>, user: usize, detail: Detail) -> Option<Value> {
        let owner = self.config.users.get(user)?;
        let extension = self.uri(call, &self.expand("/restapi/v1.0/account/~/extension/~", user));
        let mut value = self.presence_state(user, detail);
        value["uri"] = json!(format!("{extension}/presence"));
        value["extension"] =
            json!({"uri": extension, "id": owner.extension_id, "extensionNumber": owner.extension_number});
        Some(value)
    }

    /// What the resource and the notification have in common.
    fn presence_state(&self, user: usize, detail: Detail) -> Value {
        let presence = self.presence.get(&user).cloned().unwrap_or_default();
        let telephony = self.calls.telephony_status(user);
        let busy = telephony == "CallConnected"
            || presence.user_status == "Busy"
            || presence.dnd_status == "DoNotAcceptAnyCalls";
        let aggregated = match presence.user_status.as_str() {
            "Offline" => "Offline",
            _ if busy => "Busy",
            _ => "Available",
        };
        let mut value = json!({
            "presenceStatus": aggregated,
            "telephonyStatus": telephony,
            "userStatus": presence.user_status,
            "dndStatus": presence.dnd_status,
            "allowSeeMyPresence": presence.allow_see,
            "ringOnMonitoredCall": presence.ring_on_monitored,
            "pickUpCallsOnHold": presence.pick_up_on_hold,
        });
        if let Some(message) = presence.message {
            value["message"] = json!(message);
        }
        if detail != Detail::None {
            let calls = self.active_calls(user, detail == Detail::Sip);
            value["totalActiveCalls"] = json!(calls.len());
            value["activeCalls"] = json!(calls);
        }
        value
    }
}
