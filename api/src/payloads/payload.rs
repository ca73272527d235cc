//! The content of a notification, by the event it is for.

use ringcentral_ws_core::Notification;
use serde::de::DeserializeOwned;

use super::{
    Dnd, Fax, InstantMessage, MessageStoreChange, Presence, SubscriptionInfo, TeamPost, TelephonySession, Voicemail,
};

/// The content of a notification as a type, chosen by its [`event`](Notification::event).
///
/// Ids in place of `~`, and parameters of the filter, make no difference. What has no type here, and what does not fit
/// its type, is [`Other`](Self::Other): no notification is without a payload.
///
/// ```
/// use ringcentral_ws_api::{NotificationExt, Payload};
/// use ringcentral_ws_core::Notification;
///
/// fn line(notification: &Notification) -> Option<String> {
///     match notification.payload() {
///         Payload::InstantMessage(sms) => {
///             let from = sms.from.and_then(|from| from.phone_number).unwrap_or_default();
///             Some(format!("{from}: {}", sms.subject.unwrap_or_default()))
///         }
///         Payload::Other { raw, why: Some(why), .. } => Some(format!("{} bytes not understood: {why}", raw.len())),
///         _ => None,
///     }
/// }
///
/// let sms = Notification::from_json(
///     r#"{
///         "event": "/restapi/v1.0/account/1/extension/2/message-store/instant?type=SMS",
///         "body": {"id": "3062", "from": {"phoneNumber": "+16505550100"}, "type": "SMS", "subject": "Hello"}
///     }"#,
/// )?;
/// assert_eq!(line(&sms).as_deref(), Some("+16505550100: Hello"));
/// # Ok::<(), ringcentral_ws_core::NotANotification>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Payload {
    /// An SMS or pager message came: [`Filter::sms`](crate::Filter::sms).
    InstantMessage(InstantMessage),
    /// Something changed in a message store: [`Filter::message_store`](crate::Filter::message_store).
    MessageStore(MessageStoreChange),
    /// A voicemail came: [`Filter::voicemail`](crate::Filter::voicemail).
    Voicemail(Voicemail),
    /// A fax came: [`Filter::fax`](crate::Filter::fax).
    Fax(Fax),
    /// The presence of an extension, with its calls if the filter was detailed: [`Filter::presence`](crate::Filter::presence).
    Presence(Presence),
    /// A call of the extension or of the account: [`Filter::telephony_sessions`](crate::Filter::telephony_sessions).
    TelephonySession(TelephonySession),
    /// A post of team messaging: [`Filter::team_posts`](crate::Filter::team_posts).
    TeamPost(TeamPost),
    /// Do-not-disturb was changed: [`Filter::dnd`](crate::Filter::dnd).
    Dnd(Dnd),
    /// News of a subscription, such as a reminder before its end: a filter below `/restapi/v1.0/subscription`.
    Subscription(SubscriptionInfo),
    /// Anything else.
    #[non_exhaustive]
    Other {
        /// The body as the server wrote it; `null` if there is none.
        raw: Box<str>,
        /// Why it is not of the type that the event has: what was expected, and where. It quotes nothing of the body.
        /// `None` for an event without a type here.
        why: Option<Box<str>>,
    },
}

impl Payload {
    /// Reads the body of `notification` as the type of its event. It is copied out, so the notification may go.
    #[must_use]
    pub fn of(notification: &Notification) -> Self {
        let body = notification.body();
        let read = match Kind::of(notification.event()) {
            Some(Kind::InstantMessage) => read(body, "message").map(Self::InstantMessage),
            Some(Kind::MessageStore) => read(body, "change of a message store").map(Self::MessageStore),
            Some(Kind::Voicemail) => read(body, "voicemail").map(Self::Voicemail),
            Some(Kind::Fax) => read(body, "fax").map(Self::Fax),
            Some(Kind::Presence) => read(body, "presence").map(Self::Presence),
            Some(Kind::TelephonySession) => read(body, "telephony session").map(Self::TelephonySession),
            Some(Kind::TeamPost) => read(body, "team post").map(Self::TeamPost),
            Some(Kind::Dnd) => read(body, "do-not-disturb status").map(Self::Dnd),
            Some(Kind::Subscription) => read(body, "subscription").map(Self::Subscription),
            None => return Self::Other { raw: body.into(), why: None },
        };
        read.unwrap_or_else(|why| Self::Other { raw: body.into(), why: Some(why) })
    }
}

/// [`Payload::of`] as a method of the notification.
pub trait NotificationExt {
    /// The content as a type, chosen by the event: see [`Payload`].
    #[must_use]
    fn payload(&self) -> Payload;

    /// The SMS or pager message, if it is one ([`Payload::InstantMessage`]).
    #[must_use]
    fn sms(&self) -> Option<InstantMessage> {
        match self.payload() {
            Payload::InstantMessage(sms) => Some(sms),
            _ => None,
        }
    }
}

impl NotificationExt for Notification {
    fn payload(&self) -> Payload {
        Payload::of(self)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    InstantMessage,
    MessageStore,
    Voicemail,
    Fax,
    Presence,
    TelephonySession,
    TeamPost,
    Dnd,
    Subscription,
}

impl Kind {
    fn of(event: &str) -> Option<Self> {
        let path = event.split(['?', '#']).next().unwrap_or_default();
        let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
        let below = match *parts {
            ["restapi", _, "account", _, "extension", _, ref below @ ..] => below,
            ["restapi", _, "account", _, "telephony", "sessions"] => return Some(Self::TelephonySession),
            ["restapi", _, "account", _, "presence"] => return Some(Self::Presence),
            ["restapi", _, "subscription", ..] => return Some(Self::Subscription),
            // The second is the name it had before.
            ["team-messaging", _, "posts"] | ["restapi", _, "glip", "posts"] => return Some(Self::TeamPost),
            _ => return None,
        };
        Some(match *below {
            ["message-store"] => Self::MessageStore,
            ["message-store", "instant"] => Self::InstantMessage,
            ["voicemail"] => Self::Voicemail,
            ["fax"] => Self::Fax,
            ["presence"] => Self::Presence,
            ["presence", "dnd"] => Self::Dnd,
            ["telephony", "sessions"] => Self::TelephonySession,
            _ => return None,
        })
    }
}

/// Reads the body, or says why it does not fit.
fn read<T: DeserializeOwned>(body: &str, name: &str) -> Result<T, Box<str>> {
    // A derived reader would take a list for the fields in their order.
    if !body.trim_start().starts_with('{') {
        let what = if body == "null" { "there is no body" } else { "the body is no JSON object" };
        return Err(format!("{what}, which a {name} needs").into());
    }
    serde_json::from_str(body).map_err(|error| {
        let error = error.to_string();
        // What stands before may be a piece of the body, which is nobody's to log.
        let expected = error.rfind("expected ").map_or(&*error, |at| error.get(at..).unwrap_or_default());
        format!("the body does not fit a {name}: {expected}").into()
    })
}

#[cfg(test)]
#[path = "payload_tests.rs"]
mod tests;
