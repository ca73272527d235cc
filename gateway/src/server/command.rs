//! What the stand-in can be commanded to do: the same names and members for the control resources and for scripts.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::server::refusals::{Refusals, Refuse};
use crate::server::shared::Shared;
use crate::{CallPlan, ConnectionTimeout, Fate, Gateway, HttpResponse, MessageKind, Receipt};

/// Why a command for a user cannot be carried out.
const NOBODY: &str = "there is no such user";
/// Who writes posts unless it is said: an extension that nobody logs in with.
const COLLEAGUE: &str = "62264420101";

/// What a member of a command holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Number,
    /// Milliseconds; in a script a time with its unit.
    Ms,
    Flag,
    Json,
}

use Kind::{Flag, Json, Ms, Number, Text};

type Members = &'static [(&'static str, Kind)];

const MESSAGE: Members = &[("text", Text), ("from", Text), ("user", Number)];

/// All commands with their members, in the order in which a script may leave their names out.
pub(super) const COMMANDS: [(&str, Members); 23] = [
    ("notify", &[("event", Text), ("body", Json)]),
    ("sms", MESSAGE),
    ("voicemail", MESSAGE),
    ("fax", &[("text", Text), ("from", Text), ("user", Number), ("pages", Number)]),
    ("pager", MESSAGE),
    ("post", &[("text", Text), ("chat", Text), ("from", Text), ("user", Number)]),
    (
        "call",
        &[
            ("from", Text),
            ("ring_ms", Ms),
            ("talk_ms", Ms),
            ("user", Number),
            ("outbound", Flag),
            ("answered", Flag),
            ("recorded", Flag),
            ("voicemail", Text),
        ],
    ),
    ("drop", &[]),
    ("halfopen", &[]),
    ("restart", &[]),
    ("refuse", &[("ms", Ms)]),
    ("stall", &[("ms", Ms)]),
    ("close", &[("code", Number), ("reason", Text)]),
    ("timeout", &[("kind", Text)]),
    ("overload", &[("status", Number), ("ms", Ms), ("retry_after", Flag)]),
    ("fail", &[("path", Text), ("status", Number), ("body", Json), ("headers", Json)]),
    ("lose", &[("path", Text)]),
    ("delay", &[("ms", Ms)]),
    ("split", &[("bytes", Number)]),
    ("duplicate", &[("count", Number)]),
    ("raw", &[("text", Text)]),
    ("expire-tokens", &[]),
    ("logout", &[("user", Number)]),
];

/// The members of a command; `None` if there is no such command.
pub(super) fn members_of(name: &str) -> Option<Members> {
    COMMANDS.iter().find(|(known, _)| *known == name).map(|(_, members)| *members)
}

/// Something to do, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Command {
    Notify { event: String, body: String },
    Receive { kind: MessageKind, user: usize, from: String, text: String },
    Post { user: usize, chat: String, from: String, text: String },
    Fax { user: usize, from: String, text: String, pages: u32 },
    Call { user: usize, plan: CallPlan },
    Drop,
    HalfOpen,
    Restart,
    Refuse(Duration),
    Stall(Duration),
    Close { code: u16, reason: String },
    Timeout(ConnectionTimeout),
    Overload { status: u16, time: Duration, retry_after: bool },
    Fail { path: String, response: HttpResponse },
    Lose(String),
    Delay(Duration),
    Split(usize),
    Duplicate(u32),
    Raw(String),
    ExpireTokens,
    LogOut(usize),
}

impl Command {
    /// Checks a command and its members. The error says what is wrong with them.
    pub(super) fn new(name: &str, members: &Map<String, Value>) -> Result<Self, String> {
        let known = members_of(name).ok_or_else(|| format!("there is no command {name}"))?;
        for (member, value) in members {
            let (_, kind) = known.iter().find(|(known, _)| known == member).ok_or_else(|| {
                let names: Vec<&str> = known.iter().map(|(name, _)| *name).collect();
                format!("{name} has no member {member}, it has: {}", names.join(", "))
            })?;
            kind.check(value).map_err(|expected| format!("{member} must be {expected}"))?;
        }
        let given = Given(members);
        let user = given.number("user", 0)?;
        let from = given.text("from").unwrap_or(if name == "pager" { "101" } else { "+16505550100" });
        let message = |kind| {
            let text = given.text("text").unwrap_or("Hello").to_owned();
            Self::Receive { kind, user, from: from.to_owned(), text }
        };
        Ok(match name {
            "notify" => Self::Notify {
                event: given.required("event")?,
                body: members.get("body").map_or_else(|| "{}".to_owned(), Value::to_string),
            },
            "sms" => message(MessageKind::Sms),
            "voicemail" => message(MessageKind::VoiceMail),
            "fax" => Self::Fax {
                user,
                from: from.to_owned(),
                text: given.text("text").unwrap_or("Hello").to_owned(),
                pages: given.number("pages", 1)?,
            },
            "pager" => message(MessageKind::Pager),
            "post" => Self::Post {
                user,
                chat: given.text("chat").unwrap_or("General").to_owned(),
                from: given.text("from").unwrap_or(COLLEAGUE).to_owned(),
                text: given.text("text").unwrap_or("Hello").to_owned(),
            },
            "call" => Self::Call { user, plan: given.plan(from)? },
            _ => return Self::fault(name, &given),
        })
    }

    /// Things that go wrong.
    fn fault(name: &str, given: &Given<'_>) -> Result<Self, String> {
        Ok(match name {
            "drop" => Self::Drop,
            "halfopen" => Self::HalfOpen,
            "restart" => Self::Restart,
            "refuse" => Self::Refuse(given.time("ms", 5000)?),
            "stall" => Self::Stall(given.time("ms", 5000)?),
            "close" => Self::Close {
                code: given.within("code", 1001, 1000..=4999)?,
                reason: given.text("reason").unwrap_or_default().to_owned(),
            },
            "timeout" => match given.text("kind") {
                Some("idle") => Self::Timeout(ConnectionTimeout::Idle),
                Some("absolute") => Self::Timeout(ConnectionTimeout::Absolute),
                _ => return Err("kind must be idle or absolute".to_owned()),
            },
            "overload" => Self::Overload {
                status: given.within("status", 503, 400..=599)?,
                time: given.time("ms", 10_000)?,
                retry_after: given.flag("retry_after", true),
            },
            "fail" => Self::Fail { path: given.required("path")?, response: given.response()? },
            "lose" => Self::Lose(given.required("path")?),
            "delay" => Self::Delay(given.time("ms", 0)?),
            "split" => Self::Split(given.number("bytes", 0)?),
            "duplicate" => Self::Duplicate(given.number("count", 1)?),
            "raw" => Self::Raw(given.required("text")?),
            "expire-tokens" => Self::ExpireTokens,
            "logout" => Self::LogOut(given.number("user", 0)?),
            _ => return Err(format!("there is no command {name}")),
        })
    }

    /// Does it, and says what became of it. To be called within the server's runtime.
    pub(super) fn carry_out(self, refuse: &Refusals, shared: &Arc<Shared>) -> Result<Value, &'static str> {
        let (id, receipts) = match self {
            Self::Notify { event, body } => (None, shared.call(|g, now| g.notify(&event, &body, now))),
            Self::Receive { user, .. } | Self::Fax { user, .. } | Self::LogOut(user) if !has_user(user, shared) => {
                return Err(NOBODY);
            }
            Self::Receive { kind, user, from, text } => {
                let (id, receipts) = shared.call(|g, now| g.receive(user, kind, &from, &text, now));
                (Some(id), receipts)
            }
            Self::Post { user, chat, from, text } => {
                let made = shared.call(|g, now| g.post(user, &chat, &from, &text, now));
                let (id, receipts) = made.ok_or(NOBODY)?;
                (Some(id), receipts)
            }
            Self::Fax { user, from, text, pages } => {
                let (id, receipts) = shared.call(|g, now| g.receive_fax(user, &from, &text, pages, now));
                (Some(id), receipts)
            }
            Self::Call { user, plan } => {
                let started = shared.call(|g, now| g.call(user, &plan, now));
                let (id, receipts) = started.ok_or(NOBODY)?;
                (Some(id), receipts)
            }
            fault => {
                fault.go_wrong(refuse, shared);
                return Ok(json!({"done": true}));
            }
        };
        Ok(json!({"id": id, "receipts": receipts.iter().map(receipt).collect::<Vec<_>>()}))
    }

    fn go_wrong(self, refuse: &Refusals, shared: &Arc<Shared>) {
        match self {
            Self::Drop => shared.drop_connections(),
            Self::HalfOpen => shared.half_open(),
            Self::Refuse(time) => refuse_for(time, refuse),
            Self::Stall(time) => stall_for(time, shared),
            Self::Lose(path) => shared.lose_answer(&path),
            Self::Delay(time) => shared.set_delay(time),
            Self::Split(bytes) => shared.set_split(bytes),
            inside => shared.call(|gateway, now| inside.happen(gateway, now)),
        }
    }

    /// What the gateway itself does.
    fn happen(self, gateway: &mut Gateway, now: u64) {
        match self {
            Self::Restart => gateway.restart(now),
            Self::Close { code, reason } => gateway.close_all(code, &reason, now),
            Self::Timeout(kind) => gateway.force_timeout(None, kind, now),
            Self::Overload { status, time, retry_after } => gateway.overload(status, time, retry_after, now),
            Self::Fail { path, response } => gateway.fail_next(&path, response),
            Self::Duplicate(count) => gateway.duplicate_next(count),
            Self::Raw(text) => gateway.send_raw(None, &text, now),
            Self::ExpireTokens => gateway.expire_access_tokens(now),
            Self::LogOut(user) => gateway.log_out(user, now),
            // Done elsewhere.
            Self::Notify { .. } | Self::Receive { .. } | Self::Post { .. } | Self::Fax { .. } | Self::Call { .. } => {}
            Self::Drop | Self::HalfOpen => {}
            Self::Refuse(_) | Self::Stall(_) | Self::Lose(_) | Self::Delay(_) | Self::Split(_) => {}
        }
    }
}

impl Kind {
    fn check(self, value: &Value) -> Result<(), &'static str> {
        match self {
            Text if !value.is_string() => Err("text"),
            Number if !value.is_u64() => Err("a whole number"),
            Ms if !value.is_u64() => Err("a number of milliseconds"),
            Flag if !value.is_boolean() => Err("true or false"),
            _ => Ok(()),
        }
    }
}

/// Members whose kinds have been checked.
struct Given<'a>(&'a Map<String, Value>);

impl Given<'_> {
    fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).and_then(Value::as_str)
    }

    fn required(&self, name: &str) -> Result<String, String> {
        self.text(name).map(str::to_owned).ok_or_else(|| format!("{name} is missing"))
    }

    fn number<T: TryFrom<u64>>(&self, name: &str, default: T) -> Result<T, String> {
        match self.0.get(name).and_then(Value::as_u64) {
            Some(number) => T::try_from(number).map_err(|_| format!("{name} is too large")),
            None => Ok(default),
        }
    }

    fn within(&self, name: &str, default: u16, range: std::ops::RangeInclusive<u16>) -> Result<u16, String> {
        let number = self.number(name, default).ok().filter(|number| range.contains(number));
        number.ok_or_else(|| format!("{name} must be {} to {}", range.start(), range.end()))
    }

    fn flag(&self, name: &str, default: bool) -> bool {
        self.0.get(name).and_then(Value::as_bool).unwrap_or(default)
    }

    fn time(&self, name: &str, default: u64) -> Result<Duration, String> {
        /// A week: nobody means more.
        const MAX: u64 = 604_800_000;
        match self.number(name, default)? {
            ms if ms <= MAX => Ok(Duration::from_millis(ms)),
            _ => Err(format!("{name} must be at most {MAX}, a week")),
        }
    }

    fn plan(&self, other: &str) -> Result<CallPlan, String> {
        let plan = if self.flag("outbound", false) { CallPlan::outbound(other) } else { CallPlan::inbound(other) };
        let mut plan = plan.ringing(self.time("ring_ms", 0)?).talking(self.time("talk_ms", 0)?);
        if self.flag("recorded", false) {
            plan = plan.recorded();
        }
        Ok(match self.text("voicemail") {
            Some(text) => plan.voicemail(text),
            None if self.flag("answered", true) => plan,
            None => plan.missed(),
        })
    }

    fn response(&self) -> Result<HttpResponse, String> {
        let body = match self.0.get("body") {
            None => String::new(),
            Some(Value::String(text)) => text.clone(),
            Some(other) => other.to_string(),
        };
        let mut response = HttpResponse::new(self.within("status", 500, 200..=599)?, body);
        let headers = self.0.get("headers").map(|headers| headers.as_object().ok_or("headers must be an object"));
        for (name, value) in headers.transpose()?.into_iter().flatten() {
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            response = response.header(name, &value);
        }
        Ok(response)
    }
}

fn has_user(user: usize, shared: &Shared) -> bool {
    shared.call(|gateway, _| gateway.config().users.len() > user)
}

fn receipt(receipt: &Receipt) -> Value {
    let (fate, dropped) = match receipt.fate {
        Fate::Sent { .. } => ("sent", None),
        Fate::Buffered { dropped } => ("buffered", dropped),
    };
    json!({
        "session": receipt.session,
        "conn": receipt.conn,
        "uuid": receipt.uuid.to_string(),
        "fate": fate,
        "dropped": dropped.map(|uuid| uuid.to_string()),
    })
}

/// Nobody could call it back through a listener that is gone, so it ends by itself.
fn refuse_for(time: Duration, refuse: &Refusals) {
    let _ = refuse.send(Refuse { on: true, done: None });
    let refuse = refuse.clone();
    tokio::spawn(async move {
        tokio::time::sleep(time).await;
        let _ = refuse.send(Refuse { on: false, done: None });
    });
}

fn stall_for(time: Duration, shared: &Arc<Shared>) {
    shared.stall.send_replace(true);
    let shared = Arc::clone(shared);
    tokio::spawn(async move {
        tokio::time::sleep(time).await;
        shared.stall.send_replace(false);
    });
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn command(name: &str, members: &Value) -> Result<Command, String> {
        Command::new(name, members.as_object().unwrap())
    }

    #[test]
    fn every_command_can_be_made() {
        for (name, members) in COMMANDS {
            let mut given = json!({});
            for (member, kind) in members {
                given[*member] = match kind {
                    Text if *member == "kind" => json!("idle"),
                    Text => json!("x"),
                    Number if *member == "code" => json!(1001),
                    Number if *member == "status" => json!(500),
                    Number | Ms => json!(1),
                    Flag => json!(true),
                    Json => json!({"a": 1}),
                };
            }
            command(name, &given).unwrap();
        }
    }

    #[test]
    fn the_readme_has_every_command_with_its_members_in_order() {
        let readme = include_str!("../../README.md");
        for (name, members) in COMMANDS {
            let row = readme.lines().find(|line| line.starts_with("| `POST") && line.contains(&format!("/{name}`")));
            let row = row.unwrap_or_else(|| panic!("{name} has no row"));
            let places: Option<Vec<usize>> = members.iter().map(|(name, _)| row.find(&format!("`{name}`"))).collect();
            let places = places.unwrap_or_else(|| panic!("{name} lacks a member: {row}"));
            assert!(places.is_sorted(), "{name}: {row}");
        }
    }

    #[test]
    fn the_schema_has_every_command_with_its_members() {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/schema/stand-in.schema.json");
        let schema: Value = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
        let posts = schema["x-resources"].as_object().unwrap().keys();
        let posts: BTreeSet<&str> = posts.filter_map(|key| key.strip_prefix("POST /_gateway/")).collect();
        let commands: BTreeSet<&str> = COMMANDS.iter().map(|(name, _)| *name).chain(["script"]).collect();
        assert_eq!(posts, commands);
        for (name, members) in COMMANDS {
            let of_schema = schema["$defs"][format!("post_{name}")]["properties"].as_object().unwrap();
            let of_schema: BTreeSet<&str> = of_schema.keys().map(String::as_str).collect();
            let members: BTreeSet<&str> = members.iter().map(|(member, _)| *member).collect();
            assert_eq!(of_schema, members, "{name}");
        }
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (name, members, error) in [
            ("explode", json!({}), "there is no command explode"),
            ("overload", json!({"stauts": 1}), "overload has no member stauts, it has: status, ms, retry_after"),
            ("overload", json!({"status": "503"}), "status must be a whole number"),
            ("overload", json!({"status": 200}), "status must be 400 to 599"),
            ("overload", json!({"ms": -1}), "ms must be a number of milliseconds"),
            ("refuse", json!({"ms": 604_800_001}), "ms must be at most 604800000, a week"),
            ("close", json!({"code": 999}), "code must be 1000 to 4999"),
            ("duplicate", json!({"count": 4_294_967_296_u64}), "count is too large"),
            ("call", json!({"recorded": 1}), "recorded must be true or false"),
            ("raw", json!({}), "text is missing"),
            ("lose", json!({}), "path is missing"),
            ("fail", json!({"path": "/p", "headers": "a: b"}), "headers must be an object"),
            ("timeout", json!({}), "kind must be idle or absolute"),
        ] {
            assert_eq!(command(name, &members).unwrap_err(), error);
        }
    }
}
