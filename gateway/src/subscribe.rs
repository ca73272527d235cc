//! Subscriptions: create or replace, change, renew, read, delete.

use serde_json::Value;

use crate::config::micros;
use crate::gateway::Gateway;
use crate::http::Reply;
use crate::known::is_known;
use crate::output::GatewayEvent;
use crate::rest::{Call, no_such_uri};
use crate::session::{Filter, Subscription};
use crate::text;

/// Event filters in one subscription; above it the request is refused. The real limit is not known, more
/// than 2000 have been seen to work.
const MAX_FILTERS: usize = 10_000;

fn expired() -> Reply {
    Reply::error_with(404, "SUB-507", "Subscription is not found or expired", Some("subscriptionId"))
}

/// What a subscription request asks for.
struct Wanted {
    filters: Vec<Filter>,
    disabled: Vec<String>,
}

impl Gateway {
    pub(crate) fn subscription_resource(&mut self, call: &Call<'_>, rest: &[&str]) -> Reply {
        match (rest, call.method) {
            ([], "POST") => self.create_subscription(call),
            ([], "GET") => self.list_subscriptions(call),
            ([id], "GET") => match self.owned_subscription(call, id) {
                Some(key) => Reply::json(self.subscription_info(call, key)),
                None => expired(),
            },
            ([id], "PUT") => self.change_subscription(call, id),
            ([id], "DELETE") => self.delete_subscription(call, id),
            ([id, "renew"], "POST") => match self.owned_subscription(call, id) {
                Some(key) => Reply::json(self.subscription_info(call, key)),
                None => expired(),
            },
            ([] | [_], _) => Reply::error(405, "CMN-105", "HTTP method is not supported for this resource"),
            _ => no_such_uri(),
        }
    }

    fn create_subscription(&mut self, call: &Call<'_>) -> Reply {
        let wanted = match self.wanted(call, true) {
            Ok(wanted) => wanted,
            Err(reply) => return reply,
        };
        let Some(session) = call.conn.and_then(|conn| self.session_of(conn)) else {
            return Reply::error_with(
                400,
                "CMN-101",
                "Parameter [deliveryMode.transportType] is invalid: WebSocket needs a WebSocket connection",
                Some("deliveryMode.transportType"),
            );
        };
        let replaced = self.sessions.get(&session).and_then(|s| s.subscription);
        let others = self.subscriptions.count_of_user(call.user) - usize::from(replaced.is_some());
        if others >= self.config.max_subscriptions {
            return Reply::error(403, "SUB-505", "Subscriptions limit exceeded");
        }
        if let Some(old) = replaced {
            self.drop_subscription(old);
        }
        let subscription = Subscription {
            id: self.rng.uuid(),
            user: call.user,
            session: Some(session),
            filters: wanted.filters,
            disabled: wanted.disabled,
            created_ms: self.unix_ms(),
            expires: 0,
        };
        let key = self.subscriptions.insert(subscription);
        if let Some(session) = self.sessions.get_mut(&session) {
            session.subscription = Some(key);
        }
        self.subscribed(call, key)
    }

    fn change_subscription(&mut self, call: &Call<'_>, id: &str) -> Reply {
        let Some(conn) = call.conn else {
            return Reply::error(400, "CMN-101", "A WebSocket subscription cannot be updated over HTTP");
        };
        let session = self.session_of(conn);
        let own = self
            .owned_subscription(call, id)
            .filter(|key| self.subscriptions.all.get(key).is_some_and(|s| s.session.is_some() && s.session == session));
        let Some(key) = own else { return expired() };
        match self.wanted(call, false) {
            Ok(wanted) => self.subscriptions.replace_filters(key, wanted.filters, wanted.disabled),
            Err(reply) => return reply,
        }
        self.subscribed(call, key)
    }

    fn subscribed(&mut self, call: &Call<'_>, key: u64) -> Reply {
        let reply = Reply::json(self.subscription_info(call, key));
        let Some(subscription) = self.subscriptions.all.get(&key) else { return reply };
        let id = subscription.id.clone();
        let filters = subscription.filters.iter().map(|filter| filter.expanded.clone()).collect();
        if let Some(session) = subscription.session {
            self.event(GatewayEvent::Subscribed { session, id: id.clone(), filters });
        }
        if self.config.subscription_id_header { reply.with("WSG-SubscriptionId", id) } else { reply }
    }

    fn delete_subscription(&mut self, call: &Call<'_>, id: &str) -> Reply {
        match self.owned_subscription(call, id) {
            Some(key) => {
                self.drop_subscription(key);
                Reply::no_content()
            }
            None => expired(),
        }
    }

    fn drop_subscription(&mut self, key: u64) {
        let Some(subscription) = self.subscriptions.remove(key) else { return };
        if let Some(session) = subscription.session.and_then(|id| self.sessions.get_mut(&id)) {
            session.subscription = None;
        }
        self.event(GatewayEvent::Unsubscribed { id: subscription.id });
    }

    fn owned_subscription(&self, call: &Call<'_>, id: &str) -> Option<u64> {
        let key = self.subscriptions.find(id)?;
        (self.subscriptions.all.get(&key)?.user == call.user).then_some(key)
    }

    fn list_subscriptions(&self, call: &Call<'_>) -> Reply {
        let records: Vec<String> =
            self.subscriptions.of_user(call.user).map(|key| self.subscription_info(call, key)).collect();
        let uri = text::json(&self.uri(call, "/restapi/v1.0/subscription"));
        Reply::json(format!("{{\"uri\":{uri},\"records\":[{}]}}", records.join(",")))
    }

    /// Reads and judges a subscription request.
    fn wanted(&self, call: &Call<'_>, create: bool) -> Result<Wanted, Reply> {
        let body = call.object()?;
        if !self.config.app.subscription_permission {
            let message = "[SubscriptionWebSocket] application permission is required for [WebSocket] transport";
            return Err(Reply::error(403, "SUB-528", message));
        }
        let transport = body.pointer("/deliveryMode/transportType").and_then(Value::as_str);
        let transport_fits = transport.map_or(!create, |transport| transport == "WebSocket");
        if !transport_fits {
            let parameter = "deliveryMode.transportType";
            let message = "Parameter [deliveryMode.transportType] is invalid";
            return Err(Reply::error_with(400, "CMN-101", message, Some(parameter)));
        }
        let filters: Option<Vec<&str>> =
            body.get("eventFilters").and_then(Value::as_array).and_then(|f| f.iter().map(Value::as_str).collect());
        let Some(filters) = filters.filter(|filters| !filters.is_empty() && filters.len() <= MAX_FILTERS) else {
            let message = "Parameter [eventFilters] is invalid";
            return Err(Reply::error_with(400, "CMN-101", message, Some("eventFilters")));
        };
        self.sort_filters(call.user, &filters)
    }

    /// Invalid filters refuse the request; disabled ones are set aside.
    fn sort_filters(&self, user: usize, filters: &[&str]) -> Result<Wanted, Reply> {
        let names = |list: &[String], filter: &str| list.iter().any(|part| filter.contains(part.as_str()));
        let invalid: Vec<&str> = filters
            .iter()
            .copied()
            .filter(|f| {
                !f.starts_with('/')
                    || f.contains(char::is_whitespace)
                    || names(&self.config.invalid_filters, f)
                    || (self.config.known_filters_only && !is_known(f))
            })
            .collect();
        if !invalid.is_empty() {
            let message = format!("Invalid event filters: [{}]", invalid.join(", "));
            return Err(Reply::error_with(400, "SUB-508", &message, Some("eventFilters")));
        }
        let mut wanted = Wanted { filters: Vec::new(), disabled: Vec::new() };
        for filter in filters {
            let expanded = self.expand(filter, user);
            if names(&self.config.disabled_filters, filter) {
                wanted.disabled.push(expanded);
            } else {
                wanted.filters.push(Filter::new(expanded));
            }
        }
        Ok(wanted)
    }

    fn subscription_info(&self, call: &Call<'_>, key: u64) -> String {
        let Some(subscription) = self.subscriptions.all.get(&key) else { return "{}".to_owned() };
        let id = &subscription.id;
        let uri = text::json(&self.uri(call, &format!("/restapi/v1.0/subscription/{id}")));
        let filters: Vec<&str> = subscription.filters.iter().map(|filter| filter.json.as_str()).collect();
        let left_us = match subscription.session {
            Some(_) => micros(self.config.subscription_ttl),
            None => subscription.expires.saturating_sub(self.now),
        };
        let expiration = text::iso(self.unix_ms() + left_us / 1000);
        let seconds = (left_us / 1_000_000).saturating_sub(1);
        let disabled: Vec<String> = subscription
            .disabled
            .iter()
            .map(|filter| {
                let message = "Event filter is not available to this user";
                format!("{{\"filter\":{},\"reason\":\"SUB-405\",\"message\":\"{message}\"}}", text::json(filter))
            })
            .collect();
        let disabled = match disabled.as_slice() {
            [] => String::new(),
            some => format!("\"disabledFilters\":[{}],", some.join(",")),
        };
        format!(
            "{{\"uri\":{uri},\"id\":\"{id}\",\"creationTime\":\"{}\",\"status\":\"Active\",\
             \"eventFilters\":[{}],{disabled}\"expirationTime\":\"{expiration}\",\"expiresIn\":{seconds},\
             \"deliveryMode\":{{\"transportType\":\"WebSocket\",\"encryption\":false}}}}",
            text::iso(subscription.created_ms),
            filters.join(",")
        )
    }
}
