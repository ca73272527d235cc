//! The REST resources, the same over HTTP and over the socket.

use serde::Serialize;
use serde_json::{Value, json};

use crate::gateway::Gateway;
use crate::http::{Body, Reply};
use crate::shapes::{ListShape, PagingShape, print};
use crate::{multipart, text};

/// A REST call, whichever way it came.
#[derive(Debug)]
pub(crate) struct Call<'a> {
    /// The socket it came over; `None` for HTTP.
    pub(crate) conn: Option<u64>,
    pub(crate) user: usize,
    pub(crate) method: &'a str,
    pub(crate) path: &'a str,
    pub(crate) query: Vec<(String, String)>,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: &'a [u8],
}

fn object(body: &[u8]) -> Result<Value, Reply> {
    match serde_json::from_slice(body) {
        Ok(value @ Value::Object(_)) => Ok(value),
        _ => Err(Reply::error(400, "CMN-103", "Request body cannot be parsed as a JSON object")),
    }
}

impl Call<'_> {
    /// The body as a JSON object, or the answer to its not being one.
    pub(crate) fn object(&self) -> Result<Value, Reply> {
        object(self.body)
    }

    /// The same, also of a form whose part of JSON it is.
    pub(crate) fn object_or_form(&self) -> Result<Value, Reply> {
        let parts = self.header("Content-Type").and_then(|kind| multipart::parse(kind, self.body));
        let request = parts.as_ref().and_then(|parts| parts.iter().find(|part| part.is_request()));
        object(request.map_or(self.body, |part| part.body))
    }

    pub(crate) fn number(&self, name: &str, default: usize) -> usize {
        text::lookup(&self.query, name).and_then(|value| value.parse().ok()).unwrap_or(default)
    }

    /// Whether a parameter of the query has this value, or does not narrow the list. It may be there several times.
    pub(crate) fn allows(&self, name: &str, value: &str) -> bool {
        let mut asked = self.query.iter().filter(|(key, _)| key == name).peekable();
        asked.peek().is_none() || asked.any(|(_, other)| other == value)
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter();
        headers.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }
}

/// Which part of a list a call asks for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Page {
    page: usize,
    per_page: usize,
    from_ms: u64,
    to_ms: u64,
}

impl Page {
    /// From `page`, `perPage`, `dateFrom` and `dateTo`; a date that is none is refused. Without dates the list is
    /// whole, where the real service shows a day.
    pub(crate) fn of(call: &Call<'_>) -> Result<Self, Reply> {
        let date = |name: &str, default: u64| match text::lookup(&call.query, name) {
            None => Ok(default),
            Some(date) => text::parse_iso(date).ok_or_else(|| {
                let message = format!("Parameter [{name}] is invalid");
                Reply::error_with(400, "CMN-101", &message, Some(name))
            }),
        };
        Ok(Self {
            page: call.number("page", 1).max(1),
            per_page: call.number("perPage", 100).clamp(1, 1000),
            from_ms: date("dateFrom", 0)?,
            to_ms: date("dateTo", u64::MAX)?,
        })
    }

    pub(crate) fn covers(&self, unix_ms: u64) -> bool {
        (self.from_ms..=self.to_ms).contains(&unix_ms)
    }

    pub(crate) fn cut<T: Copy>(&self, all: &[T]) -> Vec<T> {
        all.iter().skip((self.page - 1).saturating_mul(self.per_page)).take(self.per_page).copied().collect()
    }

    pub(crate) fn reply(&self, uri: &str, records: &[impl Serialize], total: usize) -> Reply {
        let paging = PagingShape {
            page: self.page,
            per_page: self.per_page,
            total_elements: total,
            total_pages: total.div_ceil(self.per_page),
        };
        Reply::json(print(&ListShape { paging: Some(paging), records, sync_info: None, uri }))
    }
}

pub(crate) fn no_such_uri() -> Reply {
    Reply::error(404, "CMN-120", "Invalid URI")
}

pub(crate) fn not_found(parameter: &str) -> Reply {
    let message = format!("Resource for parameter [{parameter}] is not found");
    Reply::error_with(404, "CMN-102", &message, Some(parameter))
}

pub(crate) fn bad_method() -> Reply {
    Reply::error(405, "CMN-105", "HTTP method is not supported for this resource")
}

impl Gateway {
    pub(crate) fn route(&mut self, call: &Call<'_>) -> Reply {
        let segments: Vec<&str> = call.path.split('/').filter(|segment| !segment.is_empty()).collect();
        let rest = match segments.as_slice() {
            ["restapi", "v1.0", rest @ ..] => rest,
            ["team-messaging", "v1", rest @ ..] => return self.team_resource(call, rest),
            _ => return no_such_uri(),
        };
        match rest {
            [] => Reply::json(r#"{"uri":"/restapi/v1.0","versionString":"1.0","serverRevision":"gateway"}"#.into()),
            ["subscription", rest @ ..] => self.subscription_resource(call, rest),
            ["account", account, rest @ ..] => {
                if !self.own(call.user, account, |user| user.account_id) {
                    return not_found("accountId");
                }
                match rest {
                    ["extension", extension, rest @ ..] => {
                        if !self.own(call.user, extension, |user| user.extension_id) {
                            return not_found("extensionId");
                        }
                        self.extension_resource(call, rest)
                    }
                    _ => self.account_resource(call, rest),
                }
            }
            _ => self.test_resource(call, rest),
        }
    }

    fn own(&self, user: usize, segment: &str, id: impl Fn(&crate::UserConfig) -> u64) -> bool {
        segment == "~" || self.config.users.get(user).is_some_and(|user| segment.parse() == Ok(id(user)))
    }

    fn account_resource(&mut self, call: &Call<'_>, rest: &[&str]) -> Reply {
        match (rest, call.method) {
            ([], "GET") => self.account_info(call),
            (["presence"], "GET") => self.list_presence(call),
            (["call-log"], "GET") => self.list_calls(call, true),
            (["call-log", id], "GET") => self.read_call(call, id, true),
            (["call-log-sync"], "GET") => self.sync_calls(call, true),
            (["active-calls"], "GET") => self.list_active_calls(call, true),
            (["recording", id], "GET") => self.recording_info(call, id),
            (["recording", id, "content"], "GET") => self.recording_content(call, id),
            (["call-log-sync" | "active-calls"], _) => bad_method(),
            ([] | ["presence"] | ["call-log"] | ["call-log" | "recording", _] | ["recording", _, "content"], _) => {
                bad_method()
            }
            _ => no_such_uri(),
        }
    }

    fn extension_resource(&mut self, call: &Call<'_>, rest: &[&str]) -> Reply {
        match (rest, call.method) {
            ([], "GET") => self.extension_info(call),
            (["sms"], "POST") => self.send_sms(call),
            (["fax"], "POST") => self.send_fax(call),
            (["company-pager"], "POST") => self.send_pager(call),
            (["presence"], "GET") => self.read_presence(call),
            (["presence"], "PUT") => self.update_presence(call),
            (["call-log"], "GET") => self.list_calls(call, false),
            (["call-log", id], "GET") => self.read_call(call, id, false),
            (["call-log-sync"], "GET") => self.sync_calls(call, false),
            (["active-calls"], "GET") => self.list_active_calls(call, false),
            (["message-sync"], "GET") => self.sync_messages(call),
            (["message-store"], "GET") => self.list_messages(call),
            (["message-store", ids], "GET") => self.read_messages(call, ids),
            (["message-store", id], "PUT") => self.update_message(call, id),
            (["message-store", id], "DELETE") => self.delete_message(call, id),
            (["message-store", id, "content", attachment], "GET") => self.message_content(call, id, attachment),
            ([] | ["sms" | "fax" | "company-pager" | "presence" | "call-log"] | ["call-log", _], _) => bad_method(),
            (["message-store", ..] | ["message-sync" | "call-log-sync" | "active-calls"], _) => bad_method(),
            _ => no_such_uri(),
        }
    }

    fn account_info(&self, call: &Call<'_>) -> Reply {
        let Some(user) = self.config.users.get(call.user) else { return not_found("accountId") };
        let id = user.account_id;
        let uri = self.uri(call, &format!("/restapi/v1.0/account/{id}"));
        Reply::json(format!(
            "{{\"uri\":{},\"id\":{id},\"mainNumber\":{},\"status\":\"Confirmed\",\"setupWizardState\":\"Completed\"}}",
            text::json(&uri),
            text::json(user.phone_number.trim_start_matches('+'))
        ))
    }

    fn extension_info(&self, call: &Call<'_>) -> Reply {
        let Some(user) = self.config.users.get(call.user) else { return not_found("extensionId") };
        let (account, id) = (user.account_id, user.extension_id);
        let uri = self.uri(call, &format!("/restapi/v1.0/account/{account}/extension/{id}"));
        let name = text::json(&user.name);
        Reply::json(format!(
            "{{\"uri\":{},\"id\":{id},\"extensionNumber\":{},\"account\":{{\"id\":\"{account}\"}},\
             \"contact\":{{\"firstName\":{name},\"businessPhone\":{}}},\"name\":{name},\"type\":\"User\",\
             \"status\":\"Enabled\",\"setupWizardState\":\"Completed\"}}",
            text::json(&uri),
            text::json(&user.extension_number),
            text::json(&user.phone_number)
        ))
    }

    /// A link: relative over the socket, absolute over HTTP.
    pub(crate) fn uri(&self, call: &Call<'_>, path: &str) -> String {
        if call.conn.is_some() { path.to_owned() } else { format!("{}{path}", self.config.base_url) }
    }

    /// Resources of our own, for tests: `_echo`, `_error/{status}[/{code}]`, `_delay/{ms}`, `_empty`,
    /// `_large/{bytes}`.
    fn test_resource(&mut self, call: &Call<'_>, rest: &[&str]) -> Reply {
        match rest {
            ["_echo", ..] => echo(call),
            ["_empty"] => Reply::no_content(),
            ["_error", status] => scripted_error(status, "CMN-201"),
            ["_error", status, code] => scripted_error(status, code),
            ["_delay", ms] => {
                let Ok(ms) = ms.parse::<u64>() else { return no_such_uri() };
                let mut reply = echo(call);
                reply.delay = ms.saturating_mul(1000);
                reply
            }
            ["_large", len] => match len.parse() {
                Ok(len) => Reply::new(200, Body::Binary { content_type: "application/octet-stream".to_owned(), len }),
                Err(_) => no_such_uri(),
            },
            _ => no_such_uri(),
        }
    }
}

/// Shows what arrived: `{method, path, query: [[k, v]…], headers: [[k, v]…], body}`. The body is a string.
/// Credentials are left out.
fn echo(call: &Call<'_>) -> Reply {
    let headers: Vec<_> = call.headers.iter().filter(|(name, _)| !name.eq_ignore_ascii_case("authorization")).collect();
    Reply::json(
        json!({
            "method": call.method,
            "path": call.path,
            "query": call.query,
            "headers": headers,
            "body": String::from_utf8_lossy(call.body),
        })
        .to_string(),
    )
}

fn scripted_error(status: &str, code: &str) -> Reply {
    match status.parse() {
        Ok(status @ 400..=599) => Reply::error(status, code, "Error made on request"),
        _ => no_such_uri(),
    }
}
