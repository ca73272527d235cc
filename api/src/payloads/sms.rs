//! What programs that answer messages need of them.

use serde::Deserialize;
use serde_json::{Value, json};

use super::field::list;
use super::message::InstantMessage;

/// A page of a list of messages, as `GET …/message-store` answers it: of SMS, or of any kind
/// ([`Message`](super::Message)).
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, bound = "M: Deserialize<'de>")]
#[non_exhaustive]
pub struct MessageList<M = InstantMessage> {
    /// The messages, the newest first.
    #[serde(deserialize_with = "list")]
    pub records: Vec<M>,
    navigation: Option<Navigation>,
    paging: Option<Paging>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Navigation {
    next_page: Option<Value>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Paging {
    page: Option<u32>,
    total_pages: Option<u32>,
}

impl<M> Default for MessageList<M> {
    fn default() -> Self {
        Self { records: Vec::new(), navigation: None, paging: None }
    }
}

impl<M> MessageList<M> {
    /// Whether another page follows: the same path with the next number as its parameter `page`, counted from 1.
    #[must_use]
    pub fn has_more(&self) -> bool {
        let counted = |paging: &Paging| paging.page.zip(paging.total_pages).is_some_and(|(page, last)| page < last);
        self.navigation.as_ref().is_some_and(|to| to.next_page.is_some()) || self.paging.as_ref().is_some_and(counted)
    }
}

impl InstantMessage {
    /// The number that sent it, in E.164. `None` for a message between extensions.
    #[must_use]
    pub fn sender(&self) -> Option<&str> {
        self.from.as_ref()?.phone_number.as_deref()
    }

    /// Its text, which the service calls `subject`. Empty if there is none.
    ///
    /// ```
    /// # use ringcentral_ws_api::payloads::InstantMessage;
    /// let sms: InstantMessage = serde_json::from_str(r#"{"from":{"phoneNumber":"+16505550100"},"subject":"Hello"}"#)?;
    /// assert_eq!((sms.sender(), sms.text()), (Some("+16505550100"), "Hello"));
    /// # Ok::<(), serde_json::Error>(())
    /// ```
    #[must_use]
    pub fn text(&self) -> &str {
        self.subject.as_deref().unwrap_or_default()
    }

    /// The number of its first recipient, in E.164: of an incoming SMS the user's own.
    #[must_use]
    pub fn recipient(&self) -> Option<&str> {
        self.to.first()?.phone_number.as_deref()
    }

    /// Whether the user sent it: an outgoing message, or one to the number that it came from.
    #[must_use]
    pub fn is_own(&self) -> bool {
        self.direction.as_deref() == Some("Outbound") || (self.sender().is_some() && self.sender() == self.recipient())
    }

    /// The body that answers it with `POST …/sms`. `None` if it has no number to answer, or none to answer from.
    ///
    /// ```
    /// # use ringcentral_ws_api::payloads::InstantMessage;
    /// let sms = r#"{"from":{"phoneNumber":"+16505550100"},"to":[{"phoneNumber":"+16505550111"}],"subject":"Hello"}"#;
    /// let sms: InstantMessage = serde_json::from_str(sms)?;
    /// let body = sms.answer("Thank you").unwrap();
    /// assert_eq!(body["to"][0]["phoneNumber"], "+16505550100");
    /// // client.post("/restapi/v1.0/account/~/extension/~/sms", &body).await?.error_for_status()?;
    /// # Ok::<(), serde_json::Error>(())
    /// ```
    #[must_use]
    pub fn answer(&self, text: impl AsRef<str>) -> Option<Value> {
        let (from, to) = (self.recipient()?, self.sender()?);
        Some(json!({ "from": { "phoneNumber": from }, "to": [{ "phoneNumber": to }], "text": text.as_ref() }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_goes_back_and_own_messages_are_known() {
        let read = |text: &str| serde_json::from_str::<InstantMessage>(text).unwrap();
        let sms = read(r#"{"direction":"Inbound","from":{"phoneNumber":"+1"},"to":[{"phoneNumber":"+2"}]}"#);
        assert_eq!((sms.sender(), sms.recipient(), sms.is_own()), (Some("+1"), Some("+2"), false));
        let answer = sms.answer("a").unwrap();
        assert_eq!(answer.to_string(), r#"{"from":{"phoneNumber":"+2"},"text":"a","to":[{"phoneNumber":"+1"}]}"#);
        assert!(read(r#"{"direction":"Outbound"}"#).is_own() && !read("{}").is_own());
        assert_eq!((read(r#"{"subject":"a"}"#).text(), read("{}").text()), ("a", ""));
        assert!(read(r#"{"from":{"phoneNumber":"+1"},"to":[{"phoneNumber":"+1"}]}"#).is_own());
        assert_eq!(read(r#"{"from":{"extensionNumber":"101"},"to":[{"phoneNumber":"+2"}]}"#).answer("a"), None);
    }

    #[test]
    fn a_list_is_read() {
        let list: MessageList = serde_json::from_str(r#"{"records":[{"id":7,"subject":"a"}],"paging":{}}"#).unwrap();
        assert!(list.records[0].subject.as_deref() == Some("a") && !list.has_more());
        let first = r#"{"records":[],"navigation":{"firstPage":{"uri":"u"},"nextPage":{"uri":"u"}}}"#;
        assert!(serde_json::from_str::<MessageList>(first).unwrap().has_more());
        let page = |n: u32| format!(r#"{{"records":[],"paging":{{"page":{n},"perPage":100,"totalPages":2}}}}"#);
        let has_more = |n| serde_json::from_str::<MessageList>(&page(n)).unwrap().has_more();
        assert!(has_more(1) && !has_more(2));
        assert_eq!(
            serde_json::from_str::<MessageList>(r#"{"records":null,"paging":null}"#).unwrap(),
            MessageList::default()
        );
    }
}
