//! The REST resources, the same over HTTP and over the socket.

use serde_json::Value;

use crate::gateway::Gateway;
use crate::http::{Body, Reply};
use crate::text;

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

impl Call<'_> {
    /// The body as a JSON object, or the answer to its not being one.
    pub(crate) fn object(&self) -> Result<Value, Reply> {
        match serde_json::from_slice(self.body) {
            Ok(value @ Value::Object(_)) => Ok(value),
            _ => Err(Reply::error(400, "CMN-103", "Request body cannot be parsed as a JSON object")),
        }
    }

    pub(crate) fn number(&self, name: &str, default: usize) -> usize {
        text::lookup(&self.query, name).and_then(|value| value.parse().ok()).unwrap_or(default)
    }
}

pub(crate) fn no_such_uri() -> Reply {
    Reply::error(404, "CMN-120", "Invalid URI")
}

pub(crate) fn not_found(parameter: &str) -> Reply {
    let message = format!("Resource for parameter [{parameter}] is not found");
    Reply::error_with(404, "CMN-102", &message, Some(parameter))
}

fn bad_method() -> Reply {
    Reply::error(405, "CMN-105", "HTTP method is not supported for this resource")
}

impl Gateway {
    pub(crate) fn route(&mut self, call: &Call<'_>) -> Reply {
        let segments: Vec<&str> = call.path.split('/').filter(|segment| !segment.is_empty()).collect();
        let ["restapi", "v1.0", rest @ ..] = segments.as_slice() else { return no_such_uri() };
        match rest {
            [] => Reply::json(r#"{"uri":"/restapi/v1.0","versionString":"1.0","serverRevision":"gateway"}"#.into()),
            ["subscription", rest @ ..] => self.subscription_resource(call, rest),
            ["account", account, rest @ ..] => {
                if !self.own(call.user, account, |user| user.account_id) {
                    return not_found("accountId");
                }
                match rest {
                    [] => self.account_info(call),
                    ["extension", extension, rest @ ..] => {
                        if !self.own(call.user, extension, |user| user.extension_id) {
                            return not_found("extensionId");
                        }
                        self.extension_resource(call, rest)
                    }
                    _ => no_such_uri(),
                }
            }
            _ => self.test_resource(call, rest),
        }
    }

    fn own(&self, user: usize, segment: &str, id: impl Fn(&crate::UserConfig) -> u64) -> bool {
        segment == "~" || self.config.users.get(user).is_some_and(|user| segment.parse() == Ok(id(user)))
    }

    fn extension_resource(&mut self, call: &Call<'_>, rest: &[&str]) -> Reply {
        match (rest, call.method) {
            ([], "GET") => self.extension_info(call),
            (["sms"], "POST") => self.send_sms(call),
            (["message-store"], "GET") => self.list_messages(call),
            (["message-store", ids], "GET") => self.read_messages(call, ids),
            (["message-store", id], "PUT") => self.update_message(call, id),
            (["message-store", id], "DELETE") => self.delete_message(call, id),
            (["message-store", id, "content", _], "GET") => self.message_content(call, id),
            ([] | ["sms"] | ["message-store", ..], _) => bad_method(),
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
                Ok(len) => Reply::new(200, Body::Binary { content_type: "application/octet-stream", len }),
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
        serde_json::json!({
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
