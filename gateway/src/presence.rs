//! Presence: what a user set, what calls make of it, and who hears of changes.

use std::cell::OnceCell;

use serde_json::json;

use crate::gateway::Gateway;
use crate::http::Reply;
use crate::output::Receipt;
use crate::presence_settings::Presence;
use crate::rest::{Call, Page, not_found};
use crate::session::Filter;
use crate::shapes::{ExtensionShape, PresenceShape, print};

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
        let set = Presence::default();
        match self.presence_resource(call, call.user, &set, detail) {
            Some(presence) => Reply::json(print(&presence)),
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
        let set = Presence::default();
        let records: Vec<_> =
            shown.iter().filter_map(|user| self.presence_resource(call, *user, &set, detail)).collect();
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
        let set = Presence::default();
        let set = self.presence.get(&user).unwrap_or(&set);
        print(&PresenceShape {
            sequence: Some(set.sequence),
            extension_id: Some(self.config.users.get(user).map_or(0, |user| user.extension_id).to_string()),
            meeting_status: Some("Disconnected"),
            ..self.presence_state(user, set, detail)
        })
    }

    fn dnd_changed(&mut self, user: usize, receipts: &mut Vec<Receipt>) {
        let Some(owner) = self.config.users.get(user) else { return };
        let status = self.presence.get(&user).map_or("TakeAllCalls", |presence| &presence.dnd_status);
        let body = json!({"extensionId": owner.extension_id.to_string(), "dndStatus": status}).to_string();
        let event = self.expand("/restapi/v1.0/account/~/extension/~/presence/dnd", user);
        self.deliver(&event, &body, receipts);
    }

    /// `default`: of a user who has set nothing.
    fn presence_resource<'a>(
        &'a self,
        call: &Call<'_>,
        user: usize,
        default: &'a Presence,
        detail: Detail,
    ) -> Option<PresenceShape<'a>> {
        let owner = self.config.users.get(user)?;
        let uri = self.uri(call, &self.expand("/restapi/v1.0/account/~/extension/~", user));
        Some(PresenceShape {
            uri: Some(format!("{uri}/presence")),
            extension: Some(ExtensionShape {
                extension_number: Some(&owner.extension_number),
                id: owner.extension_id,
                uri,
            }),
            ..self.presence_state(user, self.presence.get(&user).unwrap_or(default), detail)
        })
    }

    /// What the resource and the notification have in common.
    fn presence_state<'a>(&'a self, user: usize, set: &'a Presence, detail: Detail) -> PresenceShape<'a> {
        let telephony = self.calls.telephony_status(user);
        let busy = telephony == "CallConnected" || set.user_status == "Busy" || set.dnd_status == "DoNotAcceptAnyCalls";
        let aggregated = match set.user_status.as_str() {
            "Offline" => "Offline",
            _ if busy => "Busy",
            _ => "Available",
        };
        let calls = (detail != Detail::None).then(|| self.active_calls(user, detail == Detail::Sip));
        PresenceShape {
            total_active_calls: calls.as_ref().map(Vec::len),
            active_calls: calls,
            allow_see_my_presence: set.allow_see,
            dnd_status: &set.dnd_status,
            extension: None,
            extension_id: None,
            meeting_status: None,
            message: set.message.as_deref(),
            pick_up_calls_on_hold: set.pick_up_on_hold,
            presence_status: aggregated,
            ring_on_monitored_call: set.ring_on_monitored,
            sequence: None,
            telephony_status: telephony,
            uri: None,
            user_status: &set.user_status,
        }
    }
}
