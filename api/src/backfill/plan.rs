//! Which resources say what the filters of a subscription are about.

use ringcentral_ws_core::{RecordKind, Unfilled};

use super::record::Head;

/// Most resources that are asked for one gap; filters beyond are named as missing.
pub(super) const MAX_SOURCES: usize = 64;

/// A resource, as the filters narrow it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// `…/message-sync` of an extension.
    Messages { base: String, wants: Vec<MessageWant> },
    /// `…/call-log-sync` of an extension or an account.
    CallLog { base: String, wants: Vec<CallWant> },
    /// `…/active-calls` of the same.
    ActiveCalls { base: String },
    /// The presence of an extension, or of all of an account.
    Presence { path: String },
    /// Posts of team messaging.
    Posts,
}

/// Messages that a filter is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct MessageWant {
    /// Such as `SMS`; `None`: all.
    pub(super) kind: Option<String>,
    pub(super) direction: Option<String>,
    /// Changes of old messages too, not new ones only.
    pub(super) changes: bool,
}

/// Calls that a filter is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct CallWant {
    pub(super) direction: Option<String>,
    pub(super) missed: bool,
    pub(super) recorded: bool,
}

/// What is asked for after a gap, and what nobody can ask for.
#[derive(Clone, Debug, Default)]
pub(super) struct Plan {
    pub(super) sources: Vec<Source>,
    pub(super) lost: Vec<Unfilled>,
}

fn fits(wanted: Option<&String>, found: Option<&str>) -> bool {
    wanted.is_none_or(|wanted| found.is_none_or(|found| wanted.eq_ignore_ascii_case(found)))
}

impl MessageWant {
    pub(super) fn is_for(&self, head: &Head) -> bool {
        fits(self.kind.as_ref(), head.kind.as_deref()) && fits(self.direction.as_ref(), head.direction.as_deref())
    }
}

impl CallWant {
    pub(super) fn is_for(&self, head: &Head) -> bool {
        fits(self.direction.as_ref(), head.direction.as_deref())
            && (!self.missed || head.result.as_deref().is_none_or(|result| matches!(result, "Missed" | "Voicemail")))
            && (!self.recorded || head.is_recorded)
    }
}

impl Source {
    pub(super) const fn kind(&self) -> RecordKind {
        match self {
            Self::Messages { .. } => RecordKind::Message,
            Self::CallLog { .. } => RecordKind::Call,
            Self::ActiveCalls { .. } => RecordKind::ActiveCall,
            Self::Presence { .. } => RecordKind::Presence,
            Self::Posts => RecordKind::Post,
        }
    }

    /// The narrowing that the service does: `&messageType=…&direction=…`.
    pub(super) fn narrowed(&self) -> String {
        let Self::Messages { wants, .. } = self else { return String::new() };
        let mut query = String::new();
        let mut kinds: Vec<&String> = wants.iter().filter_map(|want| want.kind.as_ref()).collect();
        kinds.sort();
        kinds.dedup();
        if wants.iter().all(|want| want.kind.is_some()) {
            kinds.iter().for_each(|kind| query += &format!("&messageType={kind}"));
        }
        let first = wants.first().and_then(|want| want.direction.as_ref());
        if let Some(direction) = first.filter(|first| wants.iter().all(|want| want.direction.as_ref() == Some(first))) {
            query += &format!("&direction={direction}");
        }
        query
    }

    /// What a sync token is kept under: it belongs to a resource and to what narrows it.
    pub(super) fn token_key(&self) -> Option<String> {
        match self {
            Self::Messages { base, .. } => Some(format!("messages {base}{}", self.narrowed())),
            Self::CallLog { base, .. } => Some(format!("calls {base}")),
            _ => None,
        }
    }
}

impl Plan {
    pub(super) fn of<'a>(filters: impl Iterator<Item = &'a str>, without: impl Fn(RecordKind) -> bool) -> Self {
        let mut plan = Self::default();
        for filter in filters {
            plan.filter(filter);
        }
        plan.sources.retain(|source| !without(source.kind()));
        if plan.sources.iter().any(Source::wants_changes) {
            plan.lost.push(Unfilled::MessageStates);
        }
        let has = |plan: &Self, kinds: &[RecordKind]| plan.sources.iter().any(|one| kinds.contains(&one.kind()));
        for (kinds, lost) in [
            (&[RecordKind::Message][..], Unfilled::DeletedMessages),
            (&[RecordKind::Call, RecordKind::ActiveCall], Unfilled::CallTransitions),
            (&[RecordKind::Presence], Unfilled::PresenceTransitions),
            (&[RecordKind::Post], Unfilled::PostChanges),
        ] {
            if has(&plan, kinds) {
                plan.lost.push(lost);
            }
        }
        // What costs little is asked for first, and nothing waits behind the calls of the group Heavy.
        plan.sources.sort_by_key(|source| match source {
            Source::Messages { .. } => 0,
            Source::Presence { path } if path.contains("/extension/") => 1,
            Source::Posts => 2,
            Source::ActiveCalls { .. } => 3,
            Source::CallLog { .. } => 4,
            Source::Presence { .. } => 5,
        });
        plan
    }

    fn filter(&mut self, filter: &str) {
        let (path, query) = filter.split_once('?').unwrap_or((filter, ""));
        let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
        let (base, below) = match *parts {
            ["restapi", version, "account", account, "extension", extension, ref below @ ..] => {
                (format!("/restapi/{version}/account/{account}/extension/{extension}"), below)
            }
            ["restapi", version, "account", account, ref below @ ..] => {
                (format!("/restapi/{version}/account/{account}"), below)
            }
            ["team-messaging", _, "posts"] | ["restapi", _, "glip", "posts"] => return self.add(Source::Posts),
            // The subscription's own life is the session's business.
            ["restapi", _, "subscription", ..] => return,
            _ => return self.lost(filter),
        };
        if !base.contains("/extension/") && !matches!(below, ["presence" | "call-log"] | ["telephony", "sessions"]) {
            return self.lost(filter);
        }
        match *below {
            ["message-store"] => self.messages(base, None, value(query, "direction"), true),
            ["message-store", "instant"] => match value(query, "type") {
                Some(kind) => self.messages(base, Some(kind), inbound(), false),
                None => ["SMS", "Pager"].iter().for_each(|kind| {
                    self.messages(base.clone(), Some((*kind).to_owned()), inbound(), false);
                }),
            },
            ["voicemail"] => self.messages(base, Some("VoiceMail".to_owned()), inbound(), false),
            ["fax"] => self.messages(base, Some("Fax".to_owned()), value(query, "direction"), false),
            ["presence"] | ["presence", "dnd"] => {
                let detailed = value(query, "detailedTelephonyState").is_some_and(|value| value == "true");
                let detailed = if detailed { "?detailedTelephonyState=true" } else { "" };
                self.add(Source::Presence { path: format!("{base}/presence{detailed}") });
            }
            ["telephony", "sessions"] | ["call-log"] => self.calls(base, query),
            _ => self.lost(filter),
        }
    }

    fn messages(&mut self, base: String, kind: Option<String>, direction: Option<String>, changes: bool) {
        let want = MessageWant { kind, direction, changes };
        for source in &mut self.sources {
            if let Source::Messages { base: other, wants } = source
                && *other == base
            {
                if !wants.contains(&want) {
                    wants.push(want);
                }
                return;
            }
        }
        self.add(Source::Messages { base, wants: vec![want] });
    }

    fn calls(&mut self, base: String, query: &str) {
        let is = |name: &str| value(query, name).is_some_and(|value| value == "true");
        let want =
            CallWant { direction: value(query, "direction"), missed: is("missedCall"), recorded: is("withRecordings") };
        for source in &mut self.sources {
            if let Source::CallLog { base: other, wants } = source
                && *other == base
            {
                wants.push(want);
                return;
            }
        }
        self.add(Source::ActiveCalls { base: base.clone() });
        self.add(Source::CallLog { base, wants: vec![want] });
    }

    fn add(&mut self, source: Source) {
        if self.sources.contains(&source) {
            return;
        }
        if self.sources.len() < MAX_SOURCES {
            self.sources.push(source);
        } else {
            self.lost.push(Unfilled::TooMany(source.kind()));
        }
    }

    fn lost(&mut self, filter: &str) {
        if self.lost.len() < MAX_SOURCES {
            self.lost.push(Unfilled::NoList(filter.into()));
        }
    }
}

fn inbound() -> Option<String> {
    Some("Inbound".to_owned())
}

/// The value of a parameter, if it is nothing but letters: it goes into a query.
fn value(query: &str, name: &str) -> Option<String> {
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    let mut values = pairs.filter(|(key, _)| *key == name).map(|(_, value)| value);
    values.next().filter(|value| value.bytes().all(|byte| byte.is_ascii_alphabetic())).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Filter;

    const BASE: &str = "/restapi/v1.0/account/~/extension/~";

    fn plan(filters: &[Filter]) -> Plan {
        Plan::of(filters.iter().map(Filter::as_str), |_| false)
    }

    fn messages(filters: &[Filter]) -> String {
        plan(filters).sources[0].narrowed()
    }

    #[test]
    fn messages_of_an_extension_are_one_resource() {
        assert_eq!(messages(&[Filter::sms()]), "&messageType=SMS&direction=Inbound");
        let three = [Filter::voicemail(), Filter::sms(), Filter::fax(), Filter::sms()];
        assert_eq!(plan(&three).sources.len(), 1);
        assert_eq!(messages(&three), "&messageType=Fax&messageType=SMS&messageType=VoiceMail&direction=Inbound");
        assert_eq!(messages(&[Filter::sms(), Filter::message_store()]), "");
        assert_eq!(messages(&[Filter::message_store().direction("Outbound")]), "&direction=Outbound");
        let faxes = Filter::raw(format!("{BASE}/fax"));
        assert_eq!(messages(&[Filter::sms(), faxes]), "&messageType=Fax&messageType=SMS");
        assert_eq!(messages(&[Filter::raw(format!("{BASE}/message-store/instant"))]).matches("Type").count(), 2);
        assert_eq!(plan(&[Filter::sms(), Filter::sms().of_extension(7)]).sources.len(), 2);
        let odd = Filter::message_store().direction("In&x=1");
        assert_eq!(messages(&[odd]), "", "nothing of a filter reaches a query unread");
    }

    #[test]
    fn each_filter_has_its_resource_or_is_named() {
        let all = plan(&[
            Filter::telephony_sessions(),
            Filter::account_telephony_sessions(),
            Filter::presence().detailed(),
            Filter::account_presence(),
            Filter::dnd(),
            Filter::team_posts(),
            Filter::raw("/restapi/v1.0/account/~/directory/contacts"),
            Filter::raw("/restapi/v1.0/subscription/~?threshold=60"),
            Filter::raw("/other"),
        ]);
        let kinds: Vec<_> = all.sources.iter().map(|source| source.kind().as_str()).collect();
        let calls = ["active_call", "active_call", "call", "call"];
        assert_eq!(kinds, [&["presence", "presence", "post"][..], &calls, &["presence"]].concat());
        let named: Vec<_> = all.lost.iter().map(Unfilled::as_str).collect();
        assert_eq!(
            named,
            ["no_list", "no_list", "call_transitions", "presence_transitions", "post_changes"],
            "{:?}",
            all.lost
        );
        let path = |source: &Source| matches!(source, Source::Presence { path } if path.ends_with("=true"));
        assert!(path(&all.sources[0]));
        let none = Plan::of([Filter::team_posts().as_str()].into_iter(), |kind| kind == RecordKind::Post);
        assert!(none.sources.is_empty() && none.lost.is_empty());
    }

    #[test]
    fn there_are_not_endlessly_many() {
        let many: Vec<Filter> = (0..100).map(|n| Filter::presence().of_extension(n)).collect();
        let plan = plan(&many);
        assert_eq!(plan.sources.len(), MAX_SOURCES);
        assert!(plan.lost.contains(&Unfilled::TooMany(RecordKind::Presence)));
        let odd: Vec<Filter> = (0..100).map(|n| Filter::raw(format!("/{n}"))).collect();
        assert_eq!(super::Plan::of(odd.iter().map(Filter::as_str), |_| false).lost.len(), MAX_SOURCES);
    }
}
