//! Event filters: what a subscription is for.

use std::borrow::Cow;
use std::fmt;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// What an id or a parameter keeps as it is.
const ESCAPED: AsciiSet = NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// An event filter: which events a subscription is for. Each constructor's documentation names the
/// [`Payload`](crate::Payload) that its notifications have.
///
/// Filters are for the account and the extension of the login, which the service calls `~`;
/// [`of_extension`](Self::of_extension) and [`of_account`](Self::of_account) name others. What has no constructor is
/// [`raw`](Self::raw). The service decides whether the app and the user may listen, and to what.
///
/// ```
/// use ringcentral_ws_api::Filter;
/// use ringcentral_ws_core::Filters;
///
/// let filters = Filters::new([
///     Filter::sms(),
///     Filter::presence().detailed().of_extension("62264425016"),
///     Filter::message_store().direction("Inbound"),
///     Filter::raw("/restapi/v1.0/account/~/directory/contacts"),
/// ])?;
/// assert_eq!(
///     filters.iter().nth(1),
///     Some("/restapi/v1.0/account/~/extension/62264425016/presence?detailedTelephonyState=true")
/// );
/// # Ok::<(), ringcentral_ws_core::FilterError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Filter(Cow<'static, str>);

impl Filter {
    /// Incoming SMS, with their text, as they arrive: [`Payload::InstantMessage`](crate::Payload::InstantMessage).
    #[must_use]
    pub const fn sms() -> Self {
        Self::fixed("/restapi/v1.0/account/~/extension/~/message-store/instant?type=SMS")
    }

    /// Every change in the message store, be it of SMS, faxes, voicemail or pager messages. It says how many messages
    /// changed, not which: [`Payload::MessageStore`](crate::Payload::MessageStore).
    #[must_use]
    pub const fn message_store() -> Self {
        Self::fixed("/restapi/v1.0/account/~/extension/~/message-store")
    }

    /// New voicemail: [`Payload::Voicemail`](crate::Payload::Voicemail).
    #[must_use]
    pub const fn voicemail() -> Self {
        Self::fixed("/restapi/v1.0/account/~/extension/~/voicemail")
    }

    /// Incoming faxes: [`Payload::Fax`](crate::Payload::Fax).
    #[must_use]
    pub const fn fax() -> Self {
        Self::fixed("/restapi/v1.0/account/~/extension/~/fax?direction=Inbound")
    }

    /// The presence of the extension: [`Payload::Presence`](crate::Payload::Presence), with its calls if it is
    /// [`detailed`](Self::detailed).
    #[must_use]
    pub const fn presence() -> Self {
        Self::fixed("/restapi/v1.0/account/~/extension/~/presence")
    }

    /// The presence of every extension of the account: [`Payload::Presence`](crate::Payload::Presence).
    #[must_use]
    pub const fn account_presence() -> Self {
        Self::fixed("/restapi/v1.0/account/~/presence")
    }

    /// Changes of do-not-disturb: [`Payload::Dnd`](crate::Payload::Dnd).
    #[must_use]
    pub const fn dnd() -> Self {
        Self::fixed("/restapi/v1.0/account/~/extension/~/presence/dnd")
    }

    /// Calls of the extension: [`Payload::TelephonySession`](crate::Payload::TelephonySession).
    #[must_use]
    pub const fn telephony_sessions() -> Self {
        Self::fixed("/restapi/v1.0/account/~/extension/~/telephony/sessions")
    }

    /// Calls of the whole account: [`Payload::TelephonySession`](crate::Payload::TelephonySession).
    #[must_use]
    pub const fn account_telephony_sessions() -> Self {
        Self::fixed("/restapi/v1.0/account/~/telephony/sessions")
    }

    /// Posts of team messaging: [`Payload::TeamPost`](crate::Payload::TeamPost).
    #[must_use]
    pub const fn team_posts() -> Self {
        Self::fixed("/team-messaging/v1/posts")
    }

    /// Any other filter, as the service's documentation writes it. It begins with `/`, has no host, and is checked when
    /// it is subscribed to.
    #[must_use]
    pub fn raw(filter: impl Into<String>) -> Self {
        Self(Cow::Owned(filter.into()))
    }

    const fn fixed(filter: &'static str) -> Self {
        Self(Cow::Borrowed(filter))
    }

    /// The same for another extension, by its id. A filter for no extension stays as it is.
    #[must_use]
    pub fn of_extension(self, id: impl fmt::Display) -> Self {
        self.naming("/extension/", &id.to_string())
    }

    /// The same for another account, by its id. A filter for no account stays as it is.
    #[must_use]
    pub fn of_account(self, id: impl fmt::Display) -> Self {
        self.naming("/account/", &id.to_string())
    }

    /// With the calls behind the presence (`detailedTelephonyState=true`): for [`presence`](Self::presence) and
    /// [`account_presence`](Self::account_presence).
    #[must_use]
    pub fn detailed(self) -> Self {
        self.with("detailedTelephonyState", "true")
    }

    /// With the SIP data of calls (`sipData=true`): for telephony sessions and detailed presence.
    #[must_use]
    pub fn sip_data(self) -> Self {
        self.with("sipData", "true")
    }

    /// Only calls that are recorded, with the ids of the recordings
    /// ([`Party::recordings`](crate::payloads::Party::recordings), `withRecordings=true`): for telephony sessions.
    #[must_use]
    pub fn with_recordings(self) -> Self {
        self.with("withRecordings", "true")
    }

    /// Only `Inbound` or only `Outbound`: for the message store, for faxes and for telephony sessions.
    #[must_use]
    pub fn direction(self, direction: &str) -> Self {
        self.with("direction", direction)
    }

    /// With a parameter of the service's documentation, such as `missedCall`. It takes the place of one with this name;
    /// name and value are percent-encoded.
    #[must_use]
    pub fn with(self, name: &str, value: &str) -> Self {
        let (path, query) = self.0.split_once('?').unwrap_or((&self.0, ""));
        let name = utf8_percent_encode(name, &ESCAPED).to_string();
        let is_it = |pair: &str| pair.split('=').next() == Some(&*name);
        let mut text = path.to_owned();
        let value = format!("{name}={}", utf8_percent_encode(value, &ESCAPED));
        let kept = query.split('&').filter(|pair| !pair.is_empty() && !is_it(pair));
        for (n, pair) in kept.chain([&*value]).enumerate() {
            text.push(if n == 0 { '?' } else { '&' });
            text.push_str(pair);
        }
        Self(Cow::Owned(text))
    }

    /// The text, as the service reads it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Puts `id` into the place after `marker`, if the path has one.
    fn naming(self, marker: &str, id: &str) -> Self {
        let path = self.0.split('?').next().unwrap_or_default().len();
        let Some(start) = self.0[..path].find(marker).map(|at| at + marker.len()) else { return self };
        let end = self.0[start..path].find('/').map_or(path, |length| start + length);
        let id = utf8_percent_encode(id, &ESCAPED);
        Self(Cow::Owned(format!("{}{id}{}", &self.0[..start], &self.0[end..])))
    }
}

impl AsRef<str> for Filter {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<Filter> for String {
    fn from(filter: Filter) -> Self {
        filter.0.into_owned()
    }
}

#[cfg(test)]
mod tests {
    use ringcentral_ws_core::{Filters, Notification};

    use super::*;
    use crate::{NotificationExt, Payload};

    #[test]
    fn each_filter_has_the_payload_that_it_names() {
        for (filter, name) in [
            (Filter::sms(), "InstantMessage"),
            (Filter::message_store(), "MessageStore"),
            (Filter::voicemail(), "Voicemail"),
            (Filter::fax(), "Fax"),
            (Filter::presence(), "Presence"),
            (Filter::presence().detailed().sip_data(), "Presence"),
            (Filter::account_presence(), "Presence"),
            (Filter::dnd(), "Dnd"),
            (Filter::telephony_sessions(), "TelephonySession"),
            (Filter::account_telephony_sessions(), "TelephonySession"),
            (Filter::team_posts(), "TeamPost"),
            (Filter::raw("/restapi/v1.0/subscription/~?threshold=60&interval=15"), "Subscription"),
            (Filter::raw("/restapi/v1.0/account/~/device/7/emergency-address"), "Other"),
        ] {
            let event = filter.clone().of_account(1).of_extension("2");
            assert!(event == filter || !event.as_str().contains("account/~"), "{event}");
            let n = Notification::from_json(&format!(r#"{{"event":"{event}","body":{{"id":1}}}}"#)).unwrap();
            let shown = format!("{:?}", n.payload());
            assert!(shown.starts_with(name), "{filter}: {shown}");
            assert!(name == "Other" || !matches!(n.payload(), Payload::Other { .. }), "{filter}");
        }
    }

    #[test]
    fn others_and_parameters_are_named() {
        let shown = |filter: Filter| filter.to_string();
        assert_eq!(
            shown(Filter::presence().of_extension("7/8").detailed().of_account(9).detailed()),
            "/restapi/v1.0/account/9/extension/7%2F8/presence?detailedTelephonyState=true"
        );
        assert_eq!(
            shown(Filter::fax().direction("Outbound").of_extension("~").with("a b", "+1&é")),
            "/restapi/v1.0/account/~/extension/~/fax?direction=Outbound&a%20b=%2B1%26%C3%A9"
        );
        assert_eq!(
            shown(Filter::sms().direction("Inbound").of_extension(5).of_extension(6)),
            "/restapi/v1.0/account/~/extension/6/message-store/instant?type=SMS&direction=Inbound"
        );
        assert_eq!(
            shown(Filter::telephony_sessions().with_recordings()),
            "/restapi/v1.0/account/~/extension/~/telephony/sessions?withRecordings=true"
        );
        assert_eq!(Filter::team_posts().of_extension(5).of_account(6), Filter::team_posts());
        // A parameter is no path, and a path may end with the id.
        assert_eq!(shown(Filter::raw("/a?x=/extension/~").of_extension(5)), "/a?x=/extension/~");
        assert_eq!(shown(Filter::raw("/extension/~?x").of_extension(5)), "/extension/5?x");
        assert_eq!(shown(Filter::raw("/extension/").of_extension(5)), "/extension/5");
        assert_eq!(String::from(Filter::dnd()), Filter::dnd().as_ref());
    }

    #[test]
    fn a_list_of_filters_is_made_of_them() {
        let filters = Filters::new([Filter::sms(), Filter::raw("/b"), Filter::sms()]).unwrap();
        assert_eq!(filters.iter().collect::<Vec<_>>(), [Filter::sms().as_str(), "/b"]);
        assert!(Filters::new([Filter::raw("b")]).is_err());
        assert!(Filters::new([Filter::raw("/b").with("odd name", "odd value")]).is_ok(), "encoded");
    }
}
