//! REST resources, over HTTP and over the socket.

use crate::support;

use ringcentral_ws_gateway::{HttpRequest, HttpResponse, MessageKind};
use serde_json::{Value, json};
use support::{Bench, EXT, json, status};

const ME: &str = "/restapi/v1.0/account/~/extension/~";

fn connected() -> (Bench, u64) {
    let mut bench = Bench::new(|_| {});
    let conn = bench.open(None);
    bench.outputs();
    (bench, conn)
}

#[test]
fn the_extension_is_the_same_both_ways_but_for_links() {
    let (mut bench, conn) = connected();
    let over_socket = bench.call(conn, "GET", ME, None);
    let over_http = bench.get(EXT);
    assert_eq!((status(&over_socket), over_http.status), (200, 200));
    assert_eq!(over_socket[1]["uri"], EXT);
    let over_http = json(&over_http);
    assert_eq!(over_http["uri"], format!("https://platform.ringcentral.com{EXT}"));
    assert_eq!((&over_http["id"], &over_http["extensionNumber"]), (&json!(62_264_425_016_u64), &json!("101")));
}

#[test]
fn what_is_not_there_is_distinguished() {
    let (mut bench, conn) = connected();
    for (method, path, expected) in [
        ("GET", "/restapi/v1.0/account/1", (404, "CMN-102")),
        ("GET", "/restapi/v1.0/account/~/extension/1", (404, "CMN-102")),
        ("GET", "/restapi/v1.0/nothing", (404, "CMN-120")),
        ("GET", "/elsewhere", (404, "CMN-120")),
        ("POST", "/restapi/oauth/token", (404, "CMN-120")),
        ("GET", "/restapi/v1.0/account/~/extension/~/message-store/1", (404, "CMN-102")),
        ("PATCH", ME, (405, "CMN-105")),
        ("GET", "/restapi/v1.0/_error/503", (503, "CMN-201")),
        ("GET", "/restapi/v1.0/_error/403/InsufficientPermissions", (403, "InsufficientPermissions")),
    ] {
        let reply = bench.call(conn, method, path, None);
        assert_eq!((status(&reply), reply[1]["errorCode"].as_str().unwrap()), expected, "{path}");
        assert_eq!(reply[0]["type"], "ClientRequest");
        assert_eq!(reply[1]["errors"][0]["errorCode"], reply[1]["errorCode"]);
    }
}

#[test]
fn the_echo_shows_what_arrived() {
    let (mut bench, conn) = connected();
    let meta = json!({"type": "ClientRequest", "messageId": "m", "method": "POST", "path": "/restapi/v1.0/_echo/x?p=0",
        "query": {"a": ["1", 2], "b": true}, "headers": {"X-User-Agent": "test"}});
    bench.g.ws_text(conn, json!([meta, {"k": "v"}]).to_string(), 0);
    let echo = bench.frames(conn).pop().unwrap();
    assert_eq!(echo[1]["query"], json!([["p", "0"], ["a", "1"], ["a", "2"], ["b", "true"]]));
    assert_eq!((&echo[1]["method"], &echo[1]["path"]), (&json!("POST"), &json!("/restapi/v1.0/_echo/x")));
    assert_eq!(echo[1]["headers"], json!([["X-User-Agent", "test"]]));
    assert_eq!(echo[1]["body"], "{\"k\":\"v\"}");
    let over_http = json(&bench.post("/restapi/v1.0/_echo?q=%20", "text"));
    assert_eq!((&over_http["query"], &over_http["body"]), (&json!([["q", " "]]), &json!("text")));
    assert_eq!(over_http["headers"], json!([]), "no credentials");
}

#[test]
fn a_delayed_reply_does_not_hold_others_back() {
    let (mut bench, conn) = connected();
    let slow = bench.send_request(conn, "GET", "/restapi/v1.0/_delay/1500", None);
    let fast = bench.send_request(conn, "GET", "/restapi/v1.0/_empty", None);
    assert_eq!(bench.frames(conn)[0][0]["messageId"], fast);
    bench.at(1_499_999);
    assert_eq!(bench.outputs(), []);
    bench.at(1_500_000);
    assert_eq!(bench.frames(conn)[0][0]["messageId"], slow);
}

#[test]
fn an_sms_is_stored_and_makes_notifications() {
    let mut bench = Bench::new(|_| {});
    let filters = [&*format!("{ME}/message-store/instant?type=SMS"), &*format!("{ME}/message-store")];
    let (conn, _, _) = bench.subscribed(&filters);
    let own = bench.g.config().users[0].phone_number.clone();
    let body = json!({"from": {"phoneNumber": own}, "to": [{"phoneNumber": own}], "text": "hi, \"--Boundary\""});
    bench.send_request(conn, "POST", &format!("{ME}/sms"), Some(body));
    let frames = bench.frames(conn);
    let kinds: Vec<&str> = frames.iter().map(|frame| frame[0]["type"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["ServerNotification", "ServerNotification", "ServerNotification", "ClientRequest"]);
    let reply = &frames[3][1];
    assert_eq!((&reply["direction"], &reply["messageStatus"]), (&json!("Outbound"), &json!("Sent")));
    let instant = &frames[1][1]["body"];
    assert_eq!((&instant["direction"], &instant["subject"]), (&json!("Inbound"), &json!("hi, \"--Boundary\"")));
    assert_eq!(frames[2][1]["body"]["changes"][0]["newCount"], 1);
    bench.g.config_mut().sms_notifies = false;
    let strange = json!({"from": {"phoneNumber": "+16505550199"}, "to": [{"phoneNumber": own}], "text": "hi"});
    let refused = bench.call(conn, "POST", &format!("{ME}/sms"), Some(strange));
    assert_eq!((status(&refused), &refused[1]["errors"][0]["errorCode"]), (403, &json!("MSG-304")));
    let incomplete = bench.call(conn, "POST", &format!("{ME}/sms"), Some(json!({"text": "no one"})));
    assert_eq!(status(&incomplete), 400);
}

#[test]
fn messages_are_listed_read_changed_and_deleted() {
    let (mut bench, conn) = connected();
    let ids: Vec<u64> = (0..3).map(|n| bench.g.receive(0, MessageKind::Sms, "+1650", &format!("m{n}"), 0).0).collect();
    bench.g.receive(0, MessageKind::VoiceMail, "+1650", "", 0);
    let list = |bench: &mut Bench, query: &str| {
        let reply = bench.call(conn, "GET", &format!("{ME}/message-store{query}"), None);
        let subjects: Vec<String> =
            reply[1]["records"].as_array().unwrap().iter().map(|r| r["subject"].as_str().unwrap().to_owned()).collect();
        (subjects, reply[1]["paging"]["totalElements"].as_u64().unwrap())
    };
    assert_eq!(list(&mut bench, "?messageType=SMS").0, ["m2", "m1", "m0"]);
    assert_eq!(list(&mut bench, "?messageType=SMS&perPage=2&page=2"), (vec!["m0".to_owned()], 3));
    assert_eq!(list(&mut bench, "?direction=Outbound").0, [] as [&str; 0]);
    let path = format!("{ME}/message-store/{}", ids[0]);
    assert_eq!(bench.call(conn, "GET", &path, None)[1]["readStatus"], "Unread");
    let read = bench.call(conn, "PUT", &path, Some(json!({"readStatus": "Read"})));
    assert_eq!(read[1]["readStatus"], "Read");
    assert_eq!(status(&bench.call(conn, "PUT", &path, Some(json!({})))), 400);
    assert_eq!(status(&bench.call(conn, "DELETE", &path, None)), 204);
    assert_eq!(list(&mut bench, "?messageType=SMS").0, ["m2", "m1"]);
    assert_eq!(list(&mut bench, "?availability=Deleted").0, ["m0"]);
    assert_eq!(list(&mut bench, "?messageType=SMS&availability=Deleted&availability=Alive").0, ["m2", "m1", "m0"]);
}

#[test]
fn a_message_is_deleted_restored_and_purged() {
    let mut bench = Bench::new(|_| {});
    let filters = [&*format!("{ME}/message-store"), &*format!("{ME}/voicemail")];
    let (conn, _, _) = bench.subscribed(&filters);
    let id = bench.g.receive(0, MessageKind::VoiceMail, "+1650", "", 0).0;
    bench.frames(conn);
    let path = format!("{ME}/message-store/{id}");
    let content = format!("{path}/content/{id}");
    // What the filter of the store says, and the message after it.
    let after = |bench: &mut Bench, method: &str, query: &str, body: Option<Value>| {
        bench.send_request(conn, method, &format!("{path}{query}"), body);
        let frames = bench.frames(conn);
        let kinds: Vec<&str> = frames.iter().map(|frame| frame[0]["type"].as_str().unwrap()).collect();
        assert_eq!(kinds, ["ServerNotification", "ClientRequest"], "{frames:?}");
        let change = &frames[0][1]["body"]["changes"][0];
        assert_eq!(
            (&change["type"], &change["newCount"], &change["updatedCount"]),
            (&json!("VoiceMail"), &json!(0), &json!(1))
        );
        let message = bench.call(conn, "GET", &path, None);
        let files = message[1]["attachments"].as_array().unwrap().len();
        (status(&frames[1]), message[1]["availability"].as_str().unwrap().to_owned(), files)
    };
    assert_eq!(after(&mut bench, "DELETE", "", None), (204, "Deleted".to_owned(), 1));
    assert_eq!(bench.get(&content).status, 200);
    let alive = || Some(json!({"availability": "Alive"}));
    assert_eq!(after(&mut bench, "PUT", "", alive()), (200, "Alive".to_owned(), 1));
    assert_eq!(after(&mut bench, "DELETE", "", None), (204, "Deleted".to_owned(), 1));
    assert_eq!(after(&mut bench, "DELETE", "", None), (204, "Purged".to_owned(), 0));
    for (method, target, body) in [("DELETE", &path, None), ("PUT", &path, alive()), ("GET", &content, None)] {
        let refused = bench.call(conn, method, target, body);
        assert!([400, 404].contains(&status(&refused)), "{method}: {refused}");
    }
    assert_eq!(bench.get(&content).status, 404);
    let other = bench.g.receive(0, MessageKind::VoiceMail, "+1650", "", 0).0;
    bench.frames(conn);
    assert_eq!(
        status(&bench.call(
            conn,
            "PUT",
            &format!("{ME}/message-store/{other}"),
            Some(json!({"availability": "Deleted"}))
        )),
        400
    );
    bench.send_request(conn, "DELETE", &format!("{ME}/message-store/{other}?purge=true"), None);
    bench.frames(conn);
    assert_eq!(bench.g.messages(0).map(|one| one["availability"].clone()).collect::<Vec<_>>(), ["Purged", "Purged"]);
}

#[test]
fn a_fault_may_be_for_one_method() {
    let (mut bench, conn) = connected();
    let id = bench.g.receive(0, MessageKind::Sms, "+1650", "a", 0).0;
    let path = format!("{ME}/message-store/{id}");
    bench.g.fail_next(&format!("DELETE {ME}/message-store"), HttpResponse::new(403, ""));
    assert_eq!(bench.get(&path).status, 200);
    assert_eq!(status(&bench.call(conn, "DELETE", &path, None)), 403);
    assert_eq!(bench.g.messages(0).next().unwrap()["availability"], "Alive");
    assert_eq!(status(&bench.call(conn, "DELETE", &path, None)), 204);
}

#[test]
fn a_fax_has_the_pages_it_is_given() {
    let mut bench = Bench::new(|_| {});
    let (conn, _, _) = bench.subscribed(&[&format!("{ME}/fax?direction=Inbound")]);
    let id = bench.g.receive_fax(0, "+1650", "three", 3, 0).0;
    let frames = bench.frames(conn);
    let sent = &frames[0][1]["body"];
    assert_eq!((&sent["faxPageCount"], &sent["subject"], &sent["id"]), (&json!(3), &json!("three"), &json!(id)));
    let stored = json(&bench.get(&format!("{ME}/message-store/{id}")));
    assert_eq!((&stored["faxPageCount"], stored["attachments"].as_array().unwrap().len()), (&json!(3), 1));
}

#[test]
fn a_batch_read_is_multipart_text_in_a_frame_that_is_not_json() {
    let (mut bench, conn) = connected();
    let id = bench.g.receive(0, MessageKind::Sms, "+1650", "one", 0).0;
    let path = format!("{ME}/message-store/{id},1");
    bench.send_request(conn, "GET", &path, None);
    let text = bench.texts(conn).pop().unwrap();
    assert!(serde_json::from_str::<Value>(&text).is_err());
    let (meta, body) = text.strip_prefix('[').unwrap().split_once(",--Boundary").unwrap();
    let meta: Value = serde_json::from_str(meta).unwrap();
    let content_type = meta["headers"]["Content-Type"].as_str().unwrap();
    let boundary = content_type.strip_prefix("multipart/mixed; boundary=").unwrap();
    assert_eq!(meta["status"], 207);
    assert!(format!("--Boundary{body}").ends_with(&format!("--{boundary}--]")));
    let over_http = bench.get(&path);
    assert_eq!((over_http.status, over_http.get("Content-Type")), (207, Some(content_type)));
    let parts: Vec<Value> = over_http
        .text()
        .split(&format!("--{boundary}"))
        .filter_map(|part| part.split_once("\r\n\r\n"))
        .map(|(_, body)| serde_json::from_str(body).unwrap())
        .collect();
    assert_eq!(parts[0]["response"][1]["status"], 404);
    assert_eq!((&parts[1]["id"], &parts[2]["errorCode"]), (&json!(id), &json!("CMN-102")));
    let many = vec!["1"; 31].join(",");
    assert_eq!(bench.get(&format!("{ME}/message-store/{many}")).status, 400);
}

#[test]
fn binary_content_comes_over_http_only() {
    let (mut bench, conn) = connected();
    let id = bench.g.receive(0, MessageKind::VoiceMail, "+1650", "", 0).0;
    let path = format!("{ME}/message-store/{id}/content/{id}");
    let recording = bench.get(&path);
    assert_eq!((recording.status, recording.filler_len), (200, 65_536));
    assert_eq!(recording.get("Content-Type"), Some("audio/x-wav"));
    assert_eq!([0, 250, 251].map(HttpResponse::filler), [0, 250, 0]);
    let refused = bench.call(conn, "GET", &path, None);
    assert_eq!((status(&refused), &refused[1]["errorCode"]), (400, &json!("CMN-101")));
    assert_eq!(bench.get("/restapi/v1.0/_large/10000000000").filler_len, 10_000_000_000);
    let text = bench.g.receive(0, MessageKind::Sms, "+1650", "plain", 0).0;
    assert_eq!(bench.get(&format!("{ME}/message-store/{text}/content/{text}")).text(), "plain");
}

#[test]
fn the_store_keeps_the_newest() {
    let mut bench = Bench::new(|config| config.message_store_size = 2);
    let ids: Vec<u64> = (0..3).map(|_| bench.g.receive(0, MessageKind::Sms, "+1650", "", 0).0).collect();
    let found = ids.iter().map(|id| bench.get(&format!("{ME}/message-store/{id}")).status).collect::<Vec<_>>();
    assert_eq!(found, [404, 200, 200]);
}

#[test]
fn scripted_answers_are_used_once_and_in_order() {
    let (mut bench, conn) = connected();
    for status in [500, 429] {
        bench.g.fail_next("/restapi/v1.0/account", HttpResponse::new(status, "{\"a\":1}").header("Retry-After", "3"));
    }
    let reply = bench.call(conn, "GET", ME, None);
    assert_eq!((status(&reply), &reply[0]["headers"]["Retry-After"]), (500, &json!("3")));
    assert_eq!(reply[1], json!({"a": 1}));
    assert_eq!(bench.get(ME).status, 429);
    assert_eq!(bench.get(ME).status, 200);
    let request = HttpRequest::new("GET", "/restapi/v1.0/_empty").bearer(&bench.access);
    assert_eq!(bench.g.http(&request, 0).status, 204);
}
