//! Team messaging: posts that arrive, the chats they are in, and the pages they are listed on.

use crate::support;

use ringcentral_ws_gateway::{GatewayConfig, RestLimits, UserConfig};
use serde_json::Value;
use support::{Bench, S, json};

const CHATS: &str = "/team-messaging/v1/recent/chats";
const POSTS: &str = "/team-messaging/v1/posts";

fn post(bench: &mut Bench, chat: &str) -> String {
    bench.g.post(0, chat, "62264420101", "Hi", bench.now).unwrap().0.to_string()
}

fn ids(answer: &Value) -> Vec<String> {
    answer["records"].as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap().to_owned()).collect()
}

fn list(bench: &mut Bench, path: &str) -> Value {
    let answer = bench.get(path);
    assert_eq!(answer.status, 200, "{path}: {}", answer.text());
    json(&answer)
}

/// The path of the posts of the chat with the last post.
fn newest_chat(bench: &mut Bench) -> String {
    let chats = list(bench, CHATS);
    format!("/team-messaging/v1/chats/{}/posts", chats["records"][0]["id"].as_str().unwrap())
}

fn users(accounts: &[u64]) -> impl FnOnce(&mut GatewayConfig) {
    let user =
        |(n, account_id): (usize, &u64)| UserConfig { account_id: *account_id, ..UserConfig::numbered(n as u32) };
    let users: Vec<UserConfig> = accounts.iter().enumerate().map(user).collect();
    |config| config.users = users
}

#[test]
fn a_post_is_a_notification_and_a_record_of_its_chat() {
    let mut bench = Bench::new(|_| ());
    let (conn, ..) = bench.subscribed(&[POSTS]);
    bench.at(10 * S);
    let (id, receipts) = bench.g.post(0, "Sales", "62264420101", "Hello, World!", bench.now).unwrap();
    assert_eq!(receipts.len(), 1);
    let n = &bench.frames(conn)[0][1];
    assert_eq!((n["event"].as_str(), n["ownerId"].as_str()), (Some(POSTS), Some("62264425016")));
    let mut body = n["body"].clone();
    assert_eq!(body.as_object_mut().unwrap().remove("eventType"), Some("PostAdded".into()));
    for (field, value) in [
        ("id", id.to_string().as_str()),
        ("type", "TextMessage"),
        ("text", "Hello, World!"),
        ("creatorId", "62264420101"),
        ("creationTime", "2025-08-20T22:24:05.169Z"),
        ("lastModifiedTime", "2025-08-20T22:24:05.169Z"),
    ] {
        assert_eq!(body[field], value, "{field}");
    }
    let chats = list(&mut bench, CHATS);
    assert_eq!((&chats["records"][0]["id"], &chats["records"][0]["name"]), (&body["groupId"], &"Sales".into()));
    assert!(chats.get("navigation").is_none());
    let path = newest_chat(&mut bench);
    assert_eq!(list(&mut bench, &path)["records"], Value::Array(vec![body]));
    assert!(bench.g.post(1, "Sales", "7", "Nobody", bench.now).is_none());
}

#[test]
fn posts_are_for_the_users_of_the_account() {
    let mut bench = Bench::new(users(&[1, 1, 2]));
    let mut conns = Vec::new();
    for user in 0..3 {
        bench.access = bench.g.login(user, bench.now).unwrap().access_token;
        conns.push(bench.subscribed(&[POSTS]).0);
    }
    let (_, receipts) = bench.g.post(1, "Sales", "7", "Hi", bench.now).unwrap();
    assert_eq!(receipts.iter().map(|one| one.conn.unwrap()).collect::<Vec<_>>(), conns[..2]);
    for (user, count) in [(0, 1), (1, 1), (2, 0)] {
        bench.access = bench.g.login(user, bench.now).unwrap().access_token;
        let chats = list(&mut bench, CHATS);
        assert_eq!(ids(&chats).len(), count);
        assert!(count == 0 || chats["records"][0]["members"].as_array().unwrap().len() == 2);
    }
    bench.access = bench.g.login(0, bench.now).unwrap().access_token;
    let path = newest_chat(&mut bench);
    bench.access = bench.g.login(2, bench.now).unwrap().access_token;
    assert_eq!(bench.get(&path).status, 404);
}

#[test]
fn the_chat_with_the_last_post_comes_first() {
    let mut bench = Bench::new(|_| ());
    for (n, chat) in ["A", "B", "C", "A"].iter().enumerate() {
        bench.at(n as u64 * 10 * S);
        post(&mut bench, chat);
    }
    let names = |answer: &Value| {
        let records = answer["records"].as_array().unwrap().iter();
        records.map(|one| one["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let all = list(&mut bench, CHATS);
    assert_eq!(names(&all), ["A", "C", "B"]);
    let first = &all["records"][0];
    assert_eq!(first["creationTime"], "2025-08-20T22:23:55.169Z");
    assert_eq!(first["lastModifiedTime"], "2025-08-20T22:24:25.169Z");
    assert_eq!(names(&list(&mut bench, &format!("{CHATS}?recordCount=2"))), ["A", "C"]);
    assert_eq!(names(&list(&mut bench, &format!("{CHATS}?type=Direct&type=Team"))).len(), 3);
    assert!(names(&list(&mut bench, &format!("{CHATS}?type=Direct"))).is_empty());
}

#[test]
fn tokens_lead_to_older_posts_and_back_while_others_come() {
    let mut bench = Bench::new(|_| ());
    let mut all: Vec<String> = (0..7).map(|_| post(&mut bench, "A")).collect();
    post(&mut bench, "B");
    all.reverse();
    bench.at(S);
    // Of another chat nothing is there.
    post(&mut bench, "C");
    let chats = list(&mut bench, CHATS);
    let of_a = chats["records"].as_array().unwrap().iter().find(|one| one["name"] == "A").unwrap();
    let path = format!("/team-messaging/v1/chats/{}/posts", of_a["id"].as_str().unwrap());
    let token = |page: &Value, name: &str| page["navigation"][name].as_str().map(str::to_owned);
    let first = list(&mut bench, &format!("{path}?recordCount=3"));
    assert_eq!((ids(&first), token(&first, "nextPageToken")), (all[..3].to_vec(), None));
    let newer = [post(&mut bench, "A"), post(&mut bench, "A")];
    // The token has the number of records with it.
    let second = list(&mut bench, &format!("{path}?pageToken={}", token(&first, "prevPageToken").unwrap()));
    assert_eq!(ids(&second), all[3..6]);
    let third = list(&mut bench, &format!("{path}?pageToken={}", token(&second, "prevPageToken").unwrap()));
    assert_eq!((ids(&third), token(&third, "prevPageToken")), (all[6..].to_vec(), None));
    let back = list(&mut bench, &format!("{path}?pageToken={}", token(&second, "nextPageToken").unwrap()));
    assert_eq!(ids(&back), all[..3]);
    let back = list(&mut bench, &format!("{path}?pageToken={}", token(&back, "nextPageToken").unwrap()));
    assert_eq!((ids(&back), token(&back, "nextPageToken")), (vec![newer[1].clone(), newer[0].clone()], None));
}

#[test]
fn what_cannot_be_listed_is_refused() {
    let mut bench = Bench::new(|_| ());
    post(&mut bench, "A");
    let path = newest_chat(&mut bench);
    for query in ["recordCount=0", "recordCount=251", "pageToken=x", "pageToken=P.1.0", "pageToken=P.1.251"] {
        let answer = bench.get(&format!("{path}?{query}"));
        assert_eq!((answer.status, json(&answer)["errorCode"].as_str()), (400, Some("CMN-101")), "{query}");
    }
    assert_eq!(bench.get(&format!("{CHATS}?recordCount=251")).status, 400);
    for (path, status) in [("/team-messaging/v1/chats/7/posts", 404), ("/team-messaging/v1/chats/x/posts", 404)] {
        assert_eq!(bench.get(path).status, status, "{path}");
    }
    assert_eq!(bench.get("/team-messaging/v1/nothing").status, 404);
    assert_eq!((bench.post(CHATS, "{}").status, bench.post(&path, "{}").status), (405, 405));
}

#[test]
fn the_books_are_bounded() {
    let mut bench = Bench::new(|config| (config.chat_size, config.post_records) = (5, 2));
    let all: Vec<String> = (0..7).map(|_| post(&mut bench, "A")).collect();
    let path = newest_chat(&mut bench);
    let mut found = Vec::new();
    let mut next = path.clone();
    for _ in 0..3 {
        let page = list(&mut bench, &next);
        found.extend(ids(&page));
        next = format!("{path}?pageToken={}", page["navigation"]["prevPageToken"].as_str().unwrap_or_default());
    }
    found.reverse();
    assert_eq!((found, next.ends_with('=')), (all[2..].to_vec(), true));
    bench.at(S);
    for n in 0..1000 {
        post(&mut bench, &format!("team {n}"));
    }
    assert_eq!(bench.get(&path).status, 404, "the chat that was still the longest is gone");
    // Its name makes another one.
    post(&mut bench, "A");
    let again = newest_chat(&mut bench);
    assert!(again != path && ids(&list(&mut bench, &again)).len() == 1);
}

#[test]
fn the_lists_have_their_limits() {
    let mut bench = Bench::new(|config| config.rest_limits = Some(RestLimits::default()));
    let group = |bench: &mut Bench, path: &str| bench.get(path).get("X-Rate-Limit-Group").map(str::to_owned);
    assert_eq!(group(&mut bench, CHATS).as_deref(), Some("light"));
    assert_eq!(group(&mut bench, "/team-messaging/v1/chats/7/posts").as_deref(), Some("medium"));
}
