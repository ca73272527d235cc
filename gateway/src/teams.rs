//! Team messaging: the chats of an account and their posts.
//!
//! A chat is a team of an account here, named by a text, and all users of the account are its members.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::gateway::Gateway;
use crate::http::Reply;
use crate::output::Receipt;
use crate::rest::{Call, bad_method, no_such_uri, not_found};
use crate::sync::{count, invalid};
use crate::text;

/// Records of one list, unless `recordCount` says otherwise; and at most.
const RECORDS: (usize, usize) = (30, 250);
/// Chats of an account. When there are more, the one that was still the longest goes, with its posts.
const MAX_CHATS: usize = 1000;
/// Members that a list of chats names.
const MAX_MEMBERS: usize = 100;
/// Ids begin here, to look like real ones.
const FIRST_CHAT: u64 = 995_723_345_000;
const FIRST_POST: u64 = 26_848_769_679_000;
const EVENT: &str = "/team-messaging/v1/posts";

#[derive(Debug)]
struct Post {
    creator: String,
    text: String,
    created_ms: u64,
}

#[derive(Debug)]
struct Chat {
    name: String,
    created_ms: u64,
    /// When the last post was made.
    modified_ms: u64,
    posts: BTreeMap<u64, Post>,
}

/// The chats of an account.
#[derive(Debug, Default)]
struct Account {
    chats: BTreeMap<u64, Chat>,
    by_name: BTreeMap<String, u64>,
}

impl Account {
    fn forget_the_stillest(&mut self) {
        if self.chats.len() <= MAX_CHATS {
            return;
        }
        let stillest = self.chats.iter().min_by_key(|(id, chat)| (chat.modified_ms, **id)).map(|(id, _)| *id);
        if let Some(chat) = stillest.and_then(|id| self.chats.remove(&id)) {
            self.by_name.remove(&chat.name);
        }
    }
}

/// The chats of all accounts.
#[derive(Debug, Default)]
pub(crate) struct Teams {
    accounts: BTreeMap<u64, Account>,
    chats_made: u64,
    posts_made: u64,
}

impl Teams {
    /// A post of now, in a chat that is made if it is not there. Returns its id and the post as lists show it.
    fn insert(&mut self, account: u64, chat: &str, post: Post, capacity: usize) -> (u64, Value) {
        let account = self.accounts.entry(account).or_default();
        let now = post.created_ms;
        let chat_id = account.by_name.get(chat).copied().unwrap_or_else(|| {
            self.chats_made += 1;
            let id = FIRST_CHAT + self.chats_made;
            account.by_name.insert(chat.to_owned(), id);
            let posts = BTreeMap::new();
            account.chats.insert(id, Chat { name: chat.to_owned(), created_ms: now, modified_ms: now, posts });
            id
        });
        self.posts_made += 1;
        let id = FIRST_POST + self.posts_made;
        let shown = post.json(chat_id, id);
        if let Some(chat) = account.chats.get_mut(&chat_id) {
            chat.modified_ms = now;
            chat.posts.insert(id, post);
            if chat.posts.len() > capacity {
                chat.posts.pop_first();
            }
        }
        account.forget_the_stillest();
        (id, shown)
    }

    fn chat(&self, account: u64, id: &str) -> Option<(u64, &Chat)> {
        let id = id.parse().ok()?;
        Some((id, self.accounts.get(&account)?.chats.get(&id)?))
    }
}

/// Which posts of a chat a page has. The real token is opaque.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cursor {
    Newest,
    /// The newest of those before this one.
    Before(u64),
    /// The oldest of those after this one.
    After(u64),
}

impl Cursor {
    /// The cursor with the number of records that goes with it.
    fn token(self, count: usize) -> String {
        match self {
            Self::Newest => String::new(),
            Self::Before(id) => format!("P.{id}.{count}"),
            Self::After(id) => format!("N.{id}.{count}"),
        }
    }

    fn read(token: &str) -> Option<(Self, usize)> {
        let parts: Vec<&str> = token.split('.').collect();
        let [way, id, count] = *parts.as_slice() else { return None };
        let (id, count) = (id.parse().ok()?, count.parse().ok().filter(|count| (1..=RECORDS.1).contains(count))?);
        match way {
            "P" => Some((Self::Before(id), count)),
            "N" => Some((Self::After(id), count)),
            _ => None,
        }
    }

    /// The posts of the page, the newest first.
    fn cut(self, chat: &Chat, count: usize) -> Vec<(u64, &Post)> {
        let posts = chat.posts.iter().map(|(id, post)| (*id, post));
        match self {
            Self::Newest => posts.rev().take(count).collect(),
            Self::Before(before) => posts.rev().skip_while(|(id, _)| *id >= before).take(count).collect(),
            Self::After(after) => {
                let mut page: Vec<_> = posts.skip_while(|(id, _)| *id <= after).take(count).collect();
                page.reverse();
                page
            }
        }
    }
}

impl Post {
    fn json(&self, chat: u64, id: u64) -> Value {
        let time = text::iso(self.created_ms);
        json!({
            "id": id.to_string(),
            "groupId": chat.to_string(),
            "type": "TextMessage",
            "text": self.text,
            "creatorId": self.creator,
            "addedPersonIds": null,
            "creationTime": time,
            "lastModifiedTime": time,
            "attachments": null,
            "activity": null,
            "title": null,
            "iconUri": null,
            "iconEmoji": null,
            "mentions": null,
        })
    }
}

impl Gateway {
    /// Somebody writes a post in a team of a user's account, of which all users of the account are members: it is
    /// stored, and those who subscribed to posts are notified (`PostAdded`), its author too. `chat` is the name of the
    /// team, which is made if it is not there. `from` is the id of the author: that of an extension.
    ///
    /// Returns the id of the post and what became of the notifications; `None` if there is no such user.
    pub fn post(&mut self, user: usize, chat: &str, from: &str, text: &str, now: u64) -> Option<(u64, Vec<Receipt>)> {
        self.advance(now);
        let account = self.config.users.get(user)?.account_id;
        let post = Post { creator: from.to_owned(), text: text.to_owned(), created_ms: self.unix_ms() };
        let (id, mut body) = self.teams.insert(account, chat, post, self.config.chat_size);
        body["eventType"] = json!("PostAdded");
        let mut receipts = Vec::new();
        self.deliver_in(account, EVENT, &body.to_string(), &mut receipts);
        Some((id, receipts))
    }

    /// Below `/team-messaging/v1/`.
    pub(crate) fn team_resource(&self, call: &Call<'_>, rest: &[&str]) -> Reply {
        let reply = match (rest, call.method) {
            (["recent", "chats"], "GET") => self.list_recent_chats(call),
            (["chats", chat, "posts"], "GET") => self.list_posts(call, chat),
            (["recent", "chats"] | ["chats", _, "posts"], _) => return bad_method(),
            _ => return no_such_uri(),
        };
        reply.unwrap_or_else(|refusal| refusal)
    }

    fn account_of(&self, user: usize) -> u64 {
        self.config.users.get(user).map_or(0, |user| user.account_id)
    }

    /// The chats with the last posts first. This list has no pages.
    fn list_recent_chats(&self, call: &Call<'_>) -> Result<Reply, Reply> {
        let count = count(call, RECORDS.1)?.unwrap_or(RECORDS.0);
        let account = self.teams.accounts.get(&self.account_of(call.user)).filter(|_| call.allows("type", "Team"));
        let mut chats: Vec<(&u64, &Chat)> = account.into_iter().flat_map(|account| &account.chats).collect();
        chats.sort_by_key(|(id, chat)| std::cmp::Reverse((chat.modified_ms, **id)));
        let members = self.colleagues(call.user).into_iter().take(MAX_MEMBERS);
        let members: Vec<Value> =
            members.map(|user| json!({"id": self.config.users[user].extension_id.to_string()})).collect();
        let chats = chats.into_iter().take(count).map(|(id, chat)| {
            json!({
                "id": id.to_string(),
                "type": "Team",
                "public": true,
                "name": chat.name,
                "description": null,
                "status": "Active",
                "creationTime": text::iso(chat.created_ms),
                "lastModifiedTime": text::iso(chat.modified_ms),
                "members": members,
            })
        });
        Ok(Reply::json(json!({"records": chats.collect::<Vec<_>>()}).to_string()))
    }

    /// The newest first. `prevPageToken` leads to older posts, and `nextPageToken` to newer ones.
    fn list_posts(&self, call: &Call<'_>, chat: &str) -> Result<Reply, Reply> {
        let asked = count(call, RECORDS.1)?;
        let (cursor, of_token) = match text::lookup(&call.query, "pageToken") {
            Some(token) => Cursor::read(token).ok_or_else(|| invalid("pageToken", ""))?,
            None => (Cursor::Newest, RECORDS.0),
        };
        let account = self.account_of(call.user);
        let (id, chat) = self.teams.chat(account, chat).ok_or_else(|| not_found("chatId"))?;
        let asked = asked.unwrap_or(of_token);
        let page = cursor.cut(chat, asked.min(self.config.post_records.max(1)));
        let ends = [chat.posts.first_key_value(), chat.posts.last_key_value()].map(|end| end.map(|(id, _)| *id));
        let mut navigation = json!({});
        if let (Some((newest, _)), Some((oldest, _)), [Some(first), Some(last)]) = (page.first(), page.last(), ends) {
            if first < *oldest {
                navigation["prevPageToken"] = json!(Cursor::Before(*oldest).token(asked));
            }
            if *newest < last {
                navigation["nextPageToken"] = json!(Cursor::After(*newest).token(asked));
            }
        }
        let records: Vec<Value> = page.into_iter().map(|(post, content)| content.json(id, post)).collect();
        Ok(Reply::json(json!({"records": records, "navigation": navigation}).to_string()))
    }
}
