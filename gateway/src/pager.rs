//! Messages between extensions of the account.

use serde_json::Value;

use crate::gateway::Gateway;
use crate::http::Reply;
use crate::rest::Call;
use crate::store::{MessageKind, Party};

/// Receivers of one message at most.
const MAX_RECEIVERS: usize = 100;

impl Gateway {
    pub(crate) fn send_pager(&mut self, call: &Call<'_>) -> Reply {
        let body = match call.object() {
            Ok(body) => body,
            Err(reply) => return reply,
        };
        let invalid = |name: &str| {
            let message = format!("Parameter [{name}] is invalid");
            Reply::error_with(400, "CMN-101", &message, Some(name))
        };
        let Some(text) = body.get("text").and_then(Value::as_str) else { return invalid("text") };
        let to = body.get("to").and_then(Value::as_array).filter(|to| (1..=MAX_RECEIVERS).contains(&to.len()));
        let receivers: Option<Vec<usize>> = to.and_then(|to| to.iter().map(|to| self.colleague(to)).collect());
        let Some(receivers) = receivers else { return invalid("to") };
        let from = body.get("from").map_or(Some(call.user), |from| self.colleague(from));
        if from != Some(call.user) {
            return invalid("from");
        }
        let number = |user: usize| self.config.users.get(user).map_or("", |user| &user.extension_number).to_owned();
        let from = number(call.user);
        let to = receivers.iter().map(|user| Party::Extension(number(*user))).collect();
        let message = self.message(MessageKind::Pager, "Sent", Party::Extension(from.clone()), to, text);
        let id = self.messages.insert(call.user, message, self.config.message_store_size);
        self.store_changed(call.user, MessageKind::Pager, 1, &mut Vec::new());
        for receiver in receivers {
            self.take_in(receiver, MessageKind::Pager, &from, text, 1, &mut Vec::new());
        }
        self.message_reply(call, id)
    }

    /// The user whom `{"extensionNumber": …}` or `{"extensionId": …}` means.
    fn colleague(&self, value: &Value) -> Option<usize> {
        let text = |name: &str| match value.get(name)? {
            Value::String(text) => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        };
        let (number, id) = (text("extensionNumber"), text("extensionId"));
        self.config.users.iter().position(|user| {
            number.as_ref() == Some(&user.extension_number) || id.as_ref() == Some(&user.extension_id.to_string())
        })
    }
}
