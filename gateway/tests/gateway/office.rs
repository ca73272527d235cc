//! Faxes, calls with their log and recordings, messages between extensions, and presence.

use crate::support;

use std::time::Duration;

use ringcentral_ws_gateway::{CallPlan, HttpRequest, HttpResponse, MessageKind, UserConfig};
use serde_json::{Value, json};
use support::{Bench, EXT, S, json, status};

const ME: &str = "/restapi/v1.0/account/~/extension/~";
const ACCOUNT: &str = "/restapi/v1.0/account/~";
const FORM: &str = "multipart/form-data; boundary=b";

fn two_users() -> Bench {
    Bench::new(|config| config.users = (0..2).map(UserConfig::numbered).collect())
}

fn post(bench: &mut Bench, path: &str, content_type: &str, body: &str) -> HttpResponse {
    let request = HttpRequest::new("POST", path).header("content-type", content_type).with_body(body);
    bench.g.http(&request.bearer(&bench.access), bench.now)
}

/// The event's path below the extension, and the inner body, of each notification since the last look.
fn notifications(bench: &mut Bench, conn: u64) -> Vec<(String, Value)> {
    let frames = bench.frames(conn).into_iter().filter(|frame| frame[0]["type"] == "ServerNotification");
    frames
        .map(|frame| {
            let event = frame[1]["event"].as_str().unwrap();
            (event.strip_prefix(EXT).unwrap_or(event).to_owned(), frame[1]["body"].clone())
        })
        .collect()
}

fn fax(json: &str) -> String {
    format!(
        "--b\r\nContent-Disposition: form-data; name=\"json\"\r\nContent-Type: application/json\r\n\r\n{json}\r\n\
         --b\r\nContent-Disposition: form-data; name=\"attachment\"; filename=\"a.pdf\"\r\n\
         Content-Type: application/pdf\r\n\r\n%PDF-\r\n--b--\r\n"
    )
}

#[test]
fn an_sms_is_taken_as_a_form_as_the_javascript_sdk_sends_it() {
    let mut bench = Bench::new(|_| {});
    let own = bench.g.config().users[0].phone_number.clone();
    let order = json!({"from": {"phoneNumber": own}, "to": [{"phoneNumber": own}], "text": "Hello"});
    let form = |order: &Value| {
        format!(
            "--b\r\nContent-Type: application/json\r\n\
             Content-Disposition: form-data; name=\"request.json\"; filename=\"request.json\"\r\n\r\n{order}\r\n--b--\r\n"
        )
    };
    let answer = post(&mut bench, &format!("{ME}/sms"), FORM, &form(&order));
    assert_eq!((answer.status, &json(&answer)["subject"]), (200, &json!("Hello")));
    assert_eq!(post(&mut bench, &format!("{ME}/sms"), FORM, &form(&json!([]))).status, 400);
    assert_eq!(post(&mut bench, &format!("{ME}/sms"), FORM, "--b--\r\n").status, 400);
    let fax = fax(&json!({"to": ["+1"]}).to_string()).replace("name=\"json\"", "name=\"request.json\"; filename=\"x\"");
    let answer = post(&mut bench, &format!("{ME}/fax"), FORM, &fax);
    assert_eq!((answer.status, &json(&answer)["to"][0]["phoneNumber"]), (200, &json!("+1")));
}

#[test]
fn a_fax_is_queued_then_sent_and_arrives() {
    let mut bench = two_users();
    let (conn, _, _) = bench.subscribed(&[&format!("{ME}/message-store"), &format!("{ME}/fax")]);
    let to = bench.g.config().users[1].phone_number.clone();
    let order = json!({"to": [{"phoneNumber": to}], "faxResolution": "Low"}).to_string();
    let answer = post(&mut bench, &format!("{ME}/fax"), FORM, &fax(&order));
    let message = json(&answer);
    assert_eq!((answer.status, &message["messageStatus"], &message["type"]), (200, &json!("Queued"), &json!("Fax")));
    assert_eq!((&message["faxResolution"], &message["faxPageCount"]), (&json!("Low"), &json!(0)));
    assert_eq!((&message["direction"], &message["to"][0]["phoneNumber"]), (&json!("Outbound"), &json!(to)));
    let path = format!("{ME}/message-store/{}", message["id"]);
    bench.at(2 * S - 1);
    assert_eq!(json(&bench.get(&path))["messageStatus"], "Queued");
    let seen = notifications(&mut bench, conn);
    assert_eq!((seen.len(), &seen[0].1["changes"][0]["newCount"]), (1, &json!(1)));
    bench.at(2 * S);
    let seen = notifications(&mut bench, conn);
    assert_eq!((&*seen[0].0, &seen[0].1["messageStatus"]), ("/fax", &json!("Sent")));
    let change = json!({"type": "Fax", "newCount": 0, "updatedCount": 1});
    assert_eq!((&*seen[1].0, &seen[1].1["changes"][0]), ("/message-store", &change));
    let sent = json(&bench.get(&path));
    assert_eq!((&sent["messageStatus"], &sent["faxPageCount"]), (&json!("Sent"), &json!(1)));
    let link = sent["attachments"][0]["uri"].as_str().unwrap();
    let document = bench.get(link.strip_prefix("https://platform.ringcentral.com").unwrap());
    assert_eq!((document.get("Content-Type"), document.filler_len), (Some("application/pdf"), 5));
    assert_eq!(bench.get(&format!("{path}/content/1")).status, 404);
    bench.access = bench.g.login(1, bench.now).unwrap().access_token;
    let arrived = json(&bench.get(&format!("{ME}/message-store?messageType=Fax&direction=Inbound")));
    assert_eq!((arrived["records"].as_array().unwrap().len(), &arrived["records"][0]["faxPageCount"]), (1, &json!(1)));
}

#[test]
fn fields_in_place_of_json_order_a_fax_too() {
    let mut bench = Bench::new(|_| {});
    let part =
        |name: &str, value: &str| format!("--b\r\nContent-Disposition: form-data; name={name}\r\n\r\n{value}\r\n");
    let body = part("to", "+16505550111") + &part("to", "+16505550112") + &part("attachment", "page") + "--b--";
    let answer = json(&post(&mut bench, &format!("{ME}/fax"), FORM, &body));
    assert_eq!(answer["to"][1]["phoneNumber"], "+16505550112");
    assert_eq!((&answer["faxResolution"], &answer["attachments"][0]["size"]), (&json!("High"), &json!(4)));
}

#[test]
fn what_is_no_fax_is_refused() {
    let mut bench = Bench::new(|_| {});
    let conn = bench.open(None);
    bench.outputs();
    let whole = fax("{\"to\":[{\"phoneNumber\":\"+1\"}]}");
    for (content_type, body, expected) in [
        ("application/json", "{}", 415),
        (FORM, "no parts", 415),
        (FORM, &*fax("{}"), 400),
        (FORM, &fax("[]"), 400),
        (FORM, &fax("{\"to\":[{}]}"), 400),
        (FORM, &fax("{\"to\":[{\"phoneNumber\":\"+1\"}],\"faxResolution\":\"Best\"}"), 400),
        (FORM, &whole.replace("name=\"attachment\"; filename=\"a.pdf\"", "name=\"isoCode\""), 400),
        (FORM, &whole, 200),
    ] {
        assert_eq!(post(&mut bench, &format!("{ME}/fax"), content_type, body).status, expected, "{body}");
    }
    assert_eq!(status(&bench.call(conn, "POST", &format!("{ME}/fax"), Some(json!({})))), 415);
    assert_eq!(bench.get(&format!("{ME}/fax")).status, 405);
}

#[test]
fn a_fax_and_a_pager_message_arrive_with_their_notifications() {
    let mut bench = Bench::new(|_| {});
    let filters = [format!("{ME}/fax?direction=Inbound"), format!("{ME}/message-store")];
    let (conn, _, _) = bench.subscribed(&filters.each_ref().map(String::as_str));
    bench.g.receive(0, MessageKind::Fax, "+16505550100", "+16502240000", 0);
    let id = bench.g.receive(0, MessageKind::Pager, "102", "Lunch?", 0).0;
    let seen = notifications(&mut bench, conn);
    assert_eq!((&*seen[0].0, &seen[0].1["faxPageCount"]), ("/fax?direction=Inbound", &json!(1)));
    let kinds: Vec<&Value> = seen[1..].iter().map(|(_, body)| &body["changes"][0]["type"]).collect();
    assert_eq!(kinds, ["Fax", "Pager"]);
    let pager = json(&bench.get(&format!("{ME}/message-store/{id}")));
    assert_eq!(
        (&pager["from"], &pager["to"][0]),
        (&json!({"extensionNumber": "102"}), &json!({"extensionNumber": "101"}))
    );
}

#[test]
fn a_pager_message_goes_from_extension_to_extension_both_ways() {
    let mut bench = two_users();
    let (conn, _, _) = bench.subscribed(&[&format!("{ME}/message-store")]);
    let body = json!({"from": {"extensionNumber": "101"}, "to": [{"extensionNumber": "102"}, {"extensionId": "62264425016"}],
        "text": "Lunch?"});
    let path = format!("{ME}/company-pager");
    bench.send_request(conn, "POST", &path, Some(body.clone()));
    let mut frames = bench.frames(conn);
    let sent = frames.pop().unwrap();
    assert_eq!((status(&sent), &sent[1]["type"], &sent[1]["subject"]), (200, &json!("Pager"), &json!("Lunch?")));
    assert_eq!(sent[1]["to"], json!([{"extensionNumber": "102"}, {"extensionNumber": "101"}]));
    assert_eq!(frames.len(), 2, "sent, and received by the sender");
    let over_http = post(&mut bench, &path, "application/json", &body.to_string());
    assert_eq!(json(&over_http)["messageStatus"], "Sent");
    for (bad, parameter) in [
        (json!({"to": [{"extensionNumber": "102"}]}), "text"),
        (json!({"to": [], "text": "x"}), "to"),
        (json!({"to": [{"extensionNumber": "999"}], "text": "x"}), "to"),
        (json!({"to": [{}], "text": "x"}), "to"),
        (json!({"to": [{"extensionNumber": "102"}], "text": "x", "from": {"extensionNumber": "102"}}), "from"),
    ] {
        let refused = json(&post(&mut bench, &path, "application/json", &bad.to_string()));
        assert_eq!(refused["parameterName"], parameter, "{bad}");
    }
    bench.access = bench.g.login(1, 0).unwrap().access_token;
    let inbox = json(&bench.get(&format!("{ME}/message-store?messageType=Pager")));
    assert_eq!((&inbox["records"][0]["direction"], &inbox["paging"]["totalElements"]), (&json!("Inbound"), &json!(2)));
}

#[test]
fn presence_is_read_changed_and_told() {
    let mut bench = Bench::new(|_| {});
    let filters = [format!("{ME}/presence"), format!("{ME}/presence/dnd"), format!("{ACCOUNT}/presence")];
    let (conn, _, _) = bench.subscribed(&filters.each_ref().map(String::as_str));
    let path = format!("{ME}/presence");
    let before = bench.call(conn, "GET", &path, None);
    assert_eq!((&before[1]["presenceStatus"], &before[1]["telephonyStatus"]), (&json!("Available"), &json!("NoCall")));
    let change = json!({"dndStatus": "DoNotAcceptAnyCalls", "message": "At lunch", "ringOnMonitoredCall": true});
    bench.send_request(conn, "PUT", &path, Some(change));
    let frames = bench.frames(conn);
    let reply = &frames.last().unwrap()[1];
    assert_eq!((&reply["presenceStatus"], &reply["message"]), (&json!("Busy"), &json!("At lunch")));
    let bodies: Vec<&Value> = frames.iter().map(|frame| &frame[1]["body"]).collect();
    assert_eq!((&bodies[0]["dndStatus"], &bodies[0]["sequence"]), (&json!("DoNotAcceptAnyCalls"), &json!(1)));
    assert_eq!(bodies[0]["ringOnMonitoredCall"], true);
    assert!(frames[1][1]["event"].as_str().unwrap().ends_with("account/809646016/presence"));
    assert_eq!(*bodies[2], json!({"extensionId": "62264425016", "dndStatus": "DoNotAcceptAnyCalls"}));
    assert_eq!(frames.len(), 4);
    bench.send_request(conn, "PUT", &path, Some(json!({"userStatus": "Offline"})));
    assert_eq!(bench.frames(conn).len(), 3, "what did not change is not reported");
    assert_eq!(json(&bench.get(&path))["presenceStatus"], "Offline");
    for bad in [
        json!({"userStatus": "Away"}),
        json!({"dndStatus": 1}),
        json!({"message": 1}),
        json!({"allowSeeMyPresence": "yes", "userStatus": "Available"}),
    ] {
        assert_eq!(status(&bench.call(conn, "PUT", &path, Some(bad))), 400);
    }
    assert_eq!(json(&bench.get(&path))["userStatus"], "Offline", "a refused change changes nothing");
    let all = json(&bench.get(&format!("{ACCOUNT}/presence?detailedTelephonyState=true")));
    assert_eq!(
        (&all["records"][0]["userStatus"], &all["records"][0]["totalActiveCalls"]),
        (&json!("Offline"), &json!(0))
    );
}

#[test]
fn a_call_is_told_step_by_step_and_logged_with_its_recording() {
    let mut bench = Bench::new(|_| {});
    let filters = [
        format!("{ME}/telephony/sessions?withRecordings=true"),
        format!("{ME}/telephony/sessions"),
        format!("{ME}/presence?detailedTelephonyState=true&sipData=true"),
    ];
    let (conn, _, _) = bench.subscribed(&filters.each_ref().map(String::as_str));
    let plan = CallPlan::inbound("+16505550100").ringing(Duration::from_secs(4)).talking(Duration::from_secs(60));
    let (session, receipts) = bench.g.call(0, &plan.recorded(), 0).unwrap();
    assert_eq!(receipts.len(), 3);
    let code = |(_, body): &(String, Value)| body["parties"][0]["status"]["code"].as_str().unwrap_or("").to_owned();
    let seen = notifications(&mut bench, conn);
    assert_eq!(seen.iter().map(code).collect::<Vec<_>>(), ["Setup", "Proceeding", ""]);
    assert_eq!((&seen[2].1["telephonyStatus"], &seen[2].1["totalActiveCalls"]), (&json!("Ringing"), &json!(1)));
    assert_eq!(seen[2].1["activeCalls"][0]["sessionId"], session.to_string());
    assert!(seen[2].1["activeCalls"][0]["sipData"].is_object());
    bench.at(4 * S - 1);
    assert_eq!(notifications(&mut bench, conn), []);
    bench.at(4 * S);
    let seen = notifications(&mut bench, conn);
    assert_eq!((code(&seen[0]), &seen[1].1["presenceStatus"]), ("Answered".to_owned(), &json!("Busy")));
    let recording = seen[0].1["parties"][0]["recordings"][0]["id"].as_str().unwrap().to_owned();
    assert_eq!(json(&bench.get(&format!("{ME}/call-log")))["records"], json!([]), "it goes on");
    bench.at(64 * S);
    let seen = notifications(&mut bench, conn);
    assert_eq!((code(&seen[0]), &seen[1].1["telephonyStatus"]), ("Disconnected".to_owned(), &json!("NoCall")));
    assert_eq!((&seen[0].1["sequence"], &seen[0].1["parties"][0]["missedCall"]), (&json!(4), &json!(false)));
    let log = json(&bench.get(&format!("{ME}/call-log?view=Detailed")));
    let record = &log["records"][0];
    assert_eq!((&record["result"], &record["duration"]), (&json!("Accepted"), &json!(64)));
    assert_eq!(record["telephonySessionId"], seen[0].1["telephonySessionId"]);
    assert_eq!((&record["recording"]["id"], &record["legs"][0]["result"]), (&json!(recording), &json!("Accepted")));
    let one = bench.call(conn, "GET", &format!("{ME}/call-log/{}", record["id"].as_str().unwrap()), None);
    assert_eq!((status(&one), &one[1]["sessionId"]), (200, &json!(session.to_string())));
    let path = format!("{ACCOUNT}/recording/{recording}");
    let info = bench.call(conn, "GET", &path, None);
    let link = info[1]["contentUri"].as_str().unwrap();
    let content = bench.get(link.strip_prefix("https://platform.ringcentral.com").unwrap());
    assert_eq!((content.status, content.filler_len, content.get("Content-Type")), (200, 65_536, Some("audio/mpeg")));
    assert_eq!(status(&bench.call(conn, "GET", &format!("{path}/content"), None)), 400, "over HTTPS only");
    assert_eq!(bench.get(&format!("{ACCOUNT}/recording/1")).status, 404);
}

#[test]
fn a_filter_that_asks_for_recordings_gets_no_calls_without() {
    let mut bench = Bench::new(|_| {});
    let sessions = format!("{ME}/telephony/sessions");
    let (all, recorded) = (sessions.clone(), format!("{sessions}?withRecordings=true"));
    let codes = |bench: &mut Bench, conn| -> Vec<String> {
        let seen = notifications(bench, conn);
        let code = |(_, body): &(String, Value)| body["parties"][0]["status"]["code"].as_str().unwrap().to_owned();
        seen.iter().map(code).collect()
    };
    let whole = ["Setup", "Proceeding", "Answered", "Disconnected"];
    let talk = |bench: &mut Bench| {
        bench.g.call(0, &CallPlan::inbound("+1"), 0);
        bench.g.call(0, &CallPlan::inbound("+2").missed().recorded(), 0);
        bench.g.call(0, &CallPlan::inbound("+3").recorded(), 0);
    };
    let (conn, _, _) = bench.subscribed(&[&recorded]);
    talk(&mut bench);
    // Before the conversation there is no recording yet.
    assert_eq!(codes(&mut bench, conn), ["Answered", "Disconnected"]);
    for filters in [vec![&*all], vec![&*recorded, &*all], vec![&*recorded.replace("true", "false")]] {
        let (conn, _, _) = bench.subscribed(&filters);
        talk(&mut bench);
        let seen = codes(&mut bench, conn);
        assert_eq!(
            (&seen[..4], seen.len(), &seen[7..]),
            (&whole.map(str::to_owned)[..], 11, &whole.map(str::to_owned)[..])
        );
    }
    let ended = format!("{recorded}&statusCode=Disconnected");
    let (conn, _, _) = bench.subscribed(&[&ended]);
    talk(&mut bench);
    let seen = notifications(&mut bench, conn);
    assert_eq!((seen.len(), &seen[0].1["parties"][0]["recordings"][0]["active"]), (1, &json!(false)));
}

#[test]
fn calls_that_nobody_answers_are_missed_or_leave_a_message() {
    let mut bench = two_users();
    let filters = [format!("{ME}/telephony/sessions?missedCall=true"), format!("{ME}/voicemail")];
    let (conn, _, _) = bench.subscribed(&filters.each_ref().map(String::as_str));
    bench.g.call(0, &CallPlan::inbound("+1").missed().recorded(), 0);
    bench.g.call(0, &CallPlan::inbound("+2").voicemail("Call back"), 0);
    bench.g.call(0, &CallPlan::outbound("+3").missed(), 0);
    bench.g.call(1, &CallPlan::outbound("+4"), 0);
    assert!(bench.g.call(2, &CallPlan::inbound("+5"), 0).is_none());
    let seen = notifications(&mut bench, conn);
    assert_eq!(seen.len(), 2, "{seen:?}");
    assert_eq!(seen[0].1["parties"][0]["from"]["phoneNumber"], "+1");
    assert_eq!((&*seen[1].0, &seen[1].1["subject"]), ("/voicemail", &json!("Call back")));
    let results = |bench: &mut Bench, path: &str| -> Vec<String> {
        let records = json(&bench.get(path))["records"].as_array().unwrap().clone();
        records.iter().map(|record| record["result"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(results(&mut bench, &format!("{ME}/call-log")), ["No Answer", "Voicemail", "Missed"]);
    assert_eq!(results(&mut bench, &format!("{ACCOUNT}/call-log?perPage=1")), ["Call connected"]);
    assert_eq!(results(&mut bench, &format!("{ME}/call-log?direction=Outbound")), ["No Answer"]);
    assert_eq!(results(&mut bench, &format!("{ME}/call-log?withRecording=true")), [""; 0]);
    let message = json(&bench.get(&format!("{ME}/call-log")))["records"][1]["message"]["id"].clone();
    let message = bench.get(&format!("{ME}/message-store/{}", message.as_str().unwrap()));
    assert_eq!(json(&message)["from"]["phoneNumber"], "+2");
}

#[test]
fn the_log_keeps_the_newest_and_many_calls_at_once_are_bounded() {
    let mut bench = Bench::new(|config| config.call_log_size = 2);
    for number in ["+1", "+2", "+3"] {
        bench.g.call(0, &CallPlan::inbound(number), 0);
    }
    let log = json(&bench.get(&format!("{ME}/call-log")));
    assert_eq!((&log["paging"]["totalElements"], &log["records"][1]["from"]["phoneNumber"]), (&json!(2), &json!("+2")));
    let long = CallPlan::inbound("+4").ringing(Duration::from_secs(9));
    for _ in 0..101 {
        bench.g.call(0, &long, 0);
    }
    let detailed = json(&bench.get(&format!("{ME}/presence?detailedTelephonyState=true")));
    assert_eq!(detailed["totalActiveCalls"], 100);
    let log = json(&bench.get(&format!("{ME}/call-log")));
    assert_eq!(log["records"][0]["from"]["phoneNumber"], "+4", "the one too many was over at once");
}

#[test]
fn lists_can_be_cut_by_time() {
    let mut bench = Bench::new(|_| {});
    let start = bench.g.config().unix_ms_at_start;
    for second in 0..3 {
        bench.g.receive(0, MessageKind::Sms, "+1650", &format!("m{second}"), second * S);
    }
    bench.now = 5 * S;
    // The clock starts at 22:23:55.169.
    assert_eq!(start, 1_755_728_635_169);
    let subjects = |bench: &mut Bench, query: &str| -> Vec<String> {
        let records = json(&bench.get(&format!("{ME}/message-store?{query}")))["records"].as_array().unwrap().clone();
        records.iter().map(|record| record["subject"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(subjects(&mut bench, "dateFrom=2025-08-20T22:23:56.169Z"), ["m2", "m1"]);
    assert_eq!(subjects(&mut bench, "dateTo=2025-08-20T22:23:56.168Z"), ["m0"]);
    let both = "dateFrom=2025-08-20T22:23:56Z&dateTo=2025-08-20T22%3A23%3A57%2B00%3A00&messageType=Fax&messageType=SMS";
    assert_eq!(subjects(&mut bench, both), ["m1"]);
    let refused = bench.get(&format!("{ME}/message-store?dateFrom=yesterday"));
    assert_eq!((refused.status, &json(&refused)["parameterName"]), (400, &json!("dateFrom")));
}
