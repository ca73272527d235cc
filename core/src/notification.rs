//! A notification as the application gets it.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::wire::{NotificationFields, Payload, parse};

/// What a notification that is held counts beside its text, in bytes: its place, and what the allocator adds.
pub(crate) const ITEM: usize = 128;

/// How many pieces the text holds: uuid, event, timestamp, subscription id, owner id, body.
const PIECES: usize = 6;

/// What they are called in JSON.
const NAMES: [&str; PIECES] = ["uuid", "event", "timestamp", "subscriptionId", "ownerId", "body"];

/// One notification of the server: an id, the event filter that it matched, and a body of JSON.
///
/// A session delivers each notification once. Its texts share one allocation. `Debug` shows how long the body is, and
/// never what it says.
///
/// ```
/// # use ringcentral_ws_core::Notification;
/// #[derive(serde::Deserialize)]
/// #[serde(rename_all = "camelCase")]
/// struct Presence<'a> {
///     telephony_status: &'a str,
/// }
///
/// fn on_notification(n: &Notification) -> Result<(), serde_json::Error> {
///     if n.event().ends_with("/presence") {
///         println!("{} at {:?}", n.parse::<Presence>()?.telephony_status, n.timestamp());
///     }
///     Ok(())
/// }
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Notification {
    text: String,
    /// Where each piece ends; it begins where the one before it ends.
    ends: [u32; PIECES],
    /// One bit for each piece the server sent.
    present: u8,
}

impl Notification {
    /// Copies the fields out of the frame. Without a uuid the message id takes its place.
    pub(crate) fn new(message_id: Option<&str>, fields: &NotificationFields<'_>) -> Self {
        let pieces: [Option<&str>; PIECES] = [
            fields.uuid.as_deref().filter(|uuid| !uuid.is_empty()).or(message_id),
            fields.event.as_deref(),
            fields.timestamp.as_deref(),
            fields.subscription_id.as_deref(),
            fields.owner_id.as_deref(),
            fields.body,
        ];
        let mut text = String::with_capacity(pieces.iter().flatten().map(|piece| piece.len()).sum());
        let mut ends = [0; PIECES];
        let mut present = 0;
        for (i, piece) in pieces.iter().enumerate() {
            if let Some(piece) = piece {
                text.push_str(piece);
                present |= 1 << i;
            }
            // A frame is far smaller than 4 GiB; were it not, the pieces beyond would read as empty.
            ends[i] = u32::try_from(text.len()).unwrap_or(u32::MAX);
        }
        Self { text, ends, present }
    }

    /// Reads a notification as the server writes it: for tests of code that handles notifications, and for what was
    /// stored elsewhere. `json` is the object with `uuid`, `event`, `timestamp`, `subscriptionId`, `ownerId` and `body`,
    /// or the whole frame around it. It is read as a session reads it: what is missing, or has the wrong type, is left
    /// out.
    ///
    /// ```
    /// use ringcentral_ws_core::Notification;
    ///
    /// let n = Notification::from_json(
    ///     r#"{
    ///         "uuid": "6242343638330007102",
    ///         "event": "/restapi/v1.0/account/809646016/extension/62264425016/presence",
    ///         "timestamp": "2025-07-30T18:12:45.034Z",
    ///         "subscriptionId": "7e4a7486-8df9-4195-8aef-b8d81d3345f6",
    ///         "ownerId": "62264425016",
    ///         "body": {"telephonyStatus": "Ringing"}
    ///     }"#,
    /// )?;
    /// assert!(n.event().ends_with("/presence"));
    /// assert_eq!(n.body(), r#"{"telephonyStatus": "Ringing"}"#);
    /// # Ok::<(), ringcentral_ws_core::NotANotification>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`NotANotification`]: the text is no JSON, no object, or a frame of another kind.
    pub fn from_json(json: &str) -> Result<Self, NotANotification> {
        let raw: &RawValue = serde_json::from_str(json).map_err(|error| NotANotification(error.to_string().into()))?;
        let frame = match raw.get().as_bytes().first() {
            Some(b'{') => Cow::Owned(format!(r#"[{{"type":"ServerNotification"}},{}]"#, raw.get())),
            Some(b'[') => Cow::Borrowed(raw.get()),
            _ => return Err(NotANotification("it is neither an object nor a frame".into())),
        };
        let message = parse(&frame).map_err(|_| NotANotification("it is no frame of the server".into()))?;
        let Payload::Notification(fields) = &message.payload else {
            return Err(NotANotification("it is a frame without a notification".into()));
        };
        Ok(Self::new(message.meta.message_id.as_deref(), fields))
    }

    /// The notification as the object that [`from_json`](Self::from_json) reads, to store it or to send it on. What the
    /// server left out is left out, and the body is as the server wrote it.
    ///
    /// ```
    /// use ringcentral_ws_core::Notification;
    ///
    /// let json = r#"{"uuid":"7","event":"/presence","body":{"telephonyStatus": "Ringing"}}"#;
    /// assert_eq!(Notification::from_json(json)?.to_json(), json);
    /// # Ok::<(), ringcentral_ws_core::NotANotification>(())
    /// ```
    #[must_use]
    pub fn to_json(&self) -> String {
        let mut json = String::with_capacity(self.text.len() + ITEM);
        for (i, name) in NAMES.iter().enumerate() {
            let Some(piece) = self.piece(i) else { continue };
            json.push_str(if json.is_empty() { "{\"" } else { ",\"" });
            json.push_str(name);
            json.push_str("\":");
            // The body is JSON already; a text always has a form in JSON.
            match serde_json::to_string(piece) {
                Ok(text) if i < PIECES - 1 => json.push_str(&text),
                _ => json.push_str(piece),
            }
        }
        json.push_str(if json.is_empty() { "{}" } else { "}" });
        json
    }

    fn piece(&self, i: usize) -> Option<&str> {
        let start = if i == 0 { 0 } else { self.ends[i - 1] as usize };
        let range = start..self.ends[i] as usize;
        (self.present & (1 << i) != 0).then(|| self.text.get(range).unwrap_or_default())
    }

    /// The id of the notification, by which a repeated one is recognised. Without a `uuid` the message id takes its
    /// place; empty if the server sent neither.
    #[must_use]
    pub fn uuid(&self) -> &str {
        self.piece(0).unwrap_or_default()
    }

    /// The event filter that it matched, as the server writes it, with ids in place of `~`. Empty if the server sent
    /// none.
    #[must_use]
    pub fn event(&self) -> &str {
        self.piece(1).unwrap_or_default()
    }

    /// When it happened, as the server writes it.
    #[must_use]
    pub fn timestamp(&self) -> Option<&str> {
        self.piece(2)
    }

    /// The server's id of the subscription.
    #[must_use]
    pub fn subscription_id(&self) -> Option<&str> {
        self.piece(3)
    }

    /// The extension that owns the subscription.
    #[must_use]
    pub fn owner_id(&self) -> Option<&str> {
        self.piece(4)
    }

    /// The body as JSON; `null` if there is none.
    #[must_use]
    pub fn body(&self) -> &str {
        self.piece(5).unwrap_or("null")
    }

    /// Reads the body into a type, which may borrow from this notification.
    ///
    /// # Errors
    ///
    /// The body does not fit the type.
    pub fn parse<'a, T: Deserialize<'a>>(&'a self) -> Result<T, serde_json::Error> {
        serde_json::from_str(self.body())
    }

    /// What it counts while it is held, in bytes (SEC-3). All its text came with one frame.
    pub(crate) fn held_bytes(&self) -> usize {
        self.text.len() + ITEM
    }

    /// The key by which it is known again.
    pub(crate) fn dedupe_key(&self) -> u128 {
        dedupe_key(self.uuid())
    }
}

/// The uuid as a number: decimal ids fill the lower half only, RFC 4122 ids have something in the upper half, and any
/// other text is hashed with the top bit set.
pub(crate) fn dedupe_key(uuid: &str) -> u128 {
    decimal(uuid).or_else(|| rfc4122(uuid)).unwrap_or_else(|| fnv1a(uuid) | (1 << 127))
}

/// A `u64` written the only way it is written without padding.
fn decimal(text: &str) -> Option<u128> {
    let canonical = text == "0" || text.starts_with(|c: char| matches!(c, '1'..='9'));
    if canonical { text.parse::<u64>().ok().map(u128::from) } else { None }
}

/// `8-4-4-4-12` hex digits whose upper half is not zero.
fn rfc4122(text: &str) -> Option<u128> {
    if text.len() != 36 {
        return None;
    }
    let mut value: u128 = 0;
    for (i, byte) in text.bytes().enumerate() {
        if matches!(i, 8 | 13 | 18 | 23) {
            if byte != b'-' {
                return None;
            }
        } else {
            value = value << 4 | u128::from(char::from(byte).to_digit(16)?);
        }
    }
    (value >> 64 != 0).then_some(value)
}

/// 128-bit FNV-1a.
fn fnv1a(text: &str) -> u128 {
    const BASIS: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
    const PRIME: u128 = 0x0000_0000_0100_0000_0000_0000_0000_013b;
    text.bytes().fold(BASIS, |hash, byte| (hash ^ u128::from(byte)).wrapping_mul(PRIME))
}

/// The text is no notification: see [`Notification::from_json`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotANotification(Box<str>);

impl fmt::Display for NotANotification {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the text is no notification ({}): give the object that the server sends, with uuid, event, timestamp, \
             subscriptionId, ownerId and body",
            self.0
        )
    }
}

impl std::error::Error for NotANotification {}

impl fmt::Debug for Notification {
    /// Shows how long the content is, never what it says.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Notification")
            .field("uuid", &self.uuid())
            .field("event", &self.event())
            .field("timestamp", &self.timestamp())
            .field("subscription_id", &self.subscription_id())
            .field("owner_id", &self.owner_id())
            .field("body_bytes", &self.body().len())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_uuid(uuid: &str) -> Notification {
        Notification::new(None, &NotificationFields { uuid: Some(uuid.into()), ..Default::default() })
    }

    #[test]
    fn missing_pieces_differ_from_empty_ones() {
        let fields =
            NotificationFields { timestamp: Some("".into()), owner_id: Some("7".into()), ..Default::default() };
        let n = Notification::new(Some("m"), &fields);
        assert_eq!((n.uuid(), n.event(), n.body()), ("m", "", "null"));
        assert_eq!((n.timestamp(), n.subscription_id(), n.owner_id()), (Some(""), None, Some("7")));
        assert_eq!(n.parse::<Option<u8>>().unwrap(), None);
        let fields = NotificationFields { timestamp: Some("2025".into()), ..Default::default() };
        assert_eq!(Notification::new(None, &fields).timestamp(), Some("2025"));
    }

    #[test]
    fn it_is_read_as_a_session_reads_it() {
        let n = Notification::from_json(
            r#" {"uuid":7,"event":"/e?a=\u00e9","timestamp":[],"ownerId":"5","new":{},"body":{"a": 1.50}} "#,
        )
        .unwrap();
        assert_eq!((n.uuid(), n.event(), n.body()), ("7", "/e?a=é", r#"{"a": 1.50}"#));
        assert_eq!((n.timestamp(), n.subscription_id(), n.owner_id()), (None, None, Some("5")));
        let frame = r#"[{"type":"ServerNotification","messageId":"m"},{"event":"/e"}]"#;
        let n = Notification::from_json(frame).unwrap();
        assert_eq!((n.uuid(), n.event(), n.body()), ("m", "/e", "null"));
        let pushed = include_str!("../tests/fixtures/event-telephony-account-apns.json");
        assert!(Notification::from_json(pushed).unwrap().event().ends_with("/telephony/sessions"));
        assert_eq!(Notification::from_json("{}").unwrap().uuid(), "");
    }

    #[test]
    fn what_is_written_is_read_as_the_same() {
        for json in [
            r#"{"uuid":"a\"b\n","event":"/e","timestamp":"t","subscriptionId":"s","ownerId":"7","body":{"a": "\u00e9"}}"#,
            r#"{"timestamp":"","ownerId":""}"#,
            r#"{"body":[1]}"#,
            "{}",
        ] {
            let n = Notification::from_json(json).unwrap();
            assert_eq!(n.to_json(), json);
            assert_eq!(Notification::from_json(&n.to_json()), Ok(n));
        }
        let n = Notification::from_json(r#"[{"type":"ServerNotification","messageId":"m"},{"event":"/e"}]"#).unwrap();
        assert_eq!(n.to_json(), r#"{"uuid":"m","event":"/e"}"#);
    }

    #[test]
    fn what_is_no_notification_is_refused_with_words() {
        for (text, why) in [
            ("", "EOF"),
            ("{} x", "trailing"),
            (r#"{},{"event":"/e"}"#, "trailing"),
            ("7", "neither an object nor a frame"),
            ("[]", "no frame of the server"),
            (r#"[{"type":"Heartbeat","messageId":"m"}]"#, "without a notification"),
            (r#"[{"type":"ServerNotification"},[1]]"#, "without a notification"),
        ] {
            let error = Notification::from_json(text).unwrap_err().to_string();
            assert!(error.contains(why) && error.contains("subscriptionId"), "{text}: {error}");
        }
    }

    #[test]
    fn debug_hides_the_body() {
        let body = r#"{"text":"hunter2"}"#;
        let n = Notification::new(None, &NotificationFields { body: Some(body), ..Default::default() });
        assert!(!format!("{n:?}").contains("hunter2"));
        assert!(format!("{n:?}").contains("body_bytes: 18"));
    }

    #[test]
    fn dedupe_keys_live_in_separate_ranges() {
        assert_eq!(with_uuid("2661273919712564939").dedupe_key(), 2_661_273_919_712_564_939);
        assert_eq!(
            with_uuid("045b81dc-9f73-4864-84de-08aa6324a7f5").dedupe_key(),
            0x045b_81dc_9f73_4864_84de_08aa_6324_a7f5
        );
        for odd in ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m", "n", "o", "p"] {
            assert_eq!(with_uuid(odd).dedupe_key() >> 127, 1, "{odd}");
        }
        for odd in ["", "07", "+7", "99999999999999999999", "00000000-0000-0000-84de-08aa6324a7f5", "é"] {
            assert_eq!(with_uuid(odd).dedupe_key() >> 127, 1, "{odd}");
        }
        assert_ne!(with_uuid("07").dedupe_key(), with_uuid("007").dedupe_key());
    }
}
