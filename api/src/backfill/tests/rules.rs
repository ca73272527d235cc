//! What is asked for, and what is handed out: one rule after the other.

use std::time::{Duration, SystemTime};

use ringcentral_ws_core::{RecordKind, Unfilled};

use super::*;

const DAY: u64 = 86_400_000;
const EMPTY: &str = r#"{"records":[]}"#;

#[test]
fn a_token_is_asked_for_at_the_start_and_used_after_a_gap() {
    let mut lab = Lab::new(quick(), &[Filter::sms()]);
    let first = lab.answered(&synced(&[sms(1, 0)], "a/b", false));
    assert!(first.contains("/message-sync?syncType=FSync&dateFrom="), "{first}");
    assert!(first.ends_with("&messageType=SMS&direction=Inbound"), "{first}");
    assert!(lab.next_call().is_none() && lab.filler.take_changed());
    lab.ms = DAY;
    lab.gap(DAY - 5000, DAY);
    assert_eq!(lab.filler.waiting(), 1);
    let sync = lab.answered(&synced(&[sms(2, DAY - 1000)], "c", false));
    assert!(sync.ends_with("?syncType=ISync&syncToken=a%2Fb"), "{sync}");
    let filled = lab.filled();
    assert_eq!((ids(&filled), filled.complete, lab.filler.waiting()), (vec!["2"], true, 0));
    assert_eq!((missing(&filled), filled.may_repeat), (vec!["deleted_messages"], false));
    assert!(matches!(lab.filler.poll(clock(lab.ms)), FillStep::Wait(None)));
}

#[test]
fn a_token_that_was_made_within_the_gap_is_not_used() {
    let mut lab = Lab::primed(quick(), &[Filter::sms()]);
    lab.gap(DAY - 5000, DAY);
    assert!(lab.answered(&synced(&[], "second", false)).contains("ISync&syncToken=first"));
    lab.filled();
    // What the first answer left to the notifications may be lost in the second gap.
    lab.ms += 1000;
    lab.gap(DAY + 500, DAY + 900);
    assert!(lab.answered(&synced(&[], "third", false)).contains("syncToken=first"));
    lab.filled();
    lab.ms += 300_000;
    lab.gap(lab.ms - 5000, lab.ms);
    assert!(lab.path().contains("syncToken=second"), "the third came right after it");
}

#[test]
fn a_token_that_was_on_its_way_when_a_gap_came_is_kept() {
    let mut lab = Lab::new(quick(), &[Filter::sms()]);
    let first = lab.next_call().unwrap();
    // Its answer knows of the gap's time, so the gap itself is asked about as a whole.
    lab.ms = 1000;
    lab.gap(500, 900);
    lab.answer(&first, &synced(&[], "first", false));
    let call = lab.next_call().unwrap();
    assert!(call.path.contains("FSync"), "{}", call.path);
    lab.answer_with(&call, 403, &[], "{}");
    lab.filled();
    lab.ms = DAY;
    lab.gap(DAY - 5000, DAY);
    assert!(lab.path().contains("ISync&syncToken=first"));
}

#[test]
fn filters_that_change_do_not_put_a_token_off() {
    let mut filler = GapFiller::new(Backfill::new().spread(Duration::from_secs(5)), 1);
    filler.set_online(true);
    let mut at = None;
    for n in 0..100 {
        let one = if n % 2 == 0 { Filter::sms() } else { Filter::voicemail() };
        filler.set_filters([&*one.to_string()]);
        let FillStep::Wait(Some(wait)) = filler.poll(clock(n)) else { panic!("no wait") };
        assert_eq!(*at.get_or_insert(wait), wait, "change {n}");
    }
    let now = clock(at.unwrap().as_micros().div_ceil(1000));
    let FillStep::Call(call) = filler.poll(now) else { panic!("no call") };
    // Nor does one that comes while it is on its way make its answer worthless.
    filler.set_filters([&*Filter::voicemail().to_string(), "/restapi/v1.0/account/~/presence"]);
    filler.on_answer(call.id, 200, &HeaderMap::new(), synced(&[], "first", false).as_bytes(), now);
    assert!(matches!(filler.poll(now), FillStep::Wait(None)));
    assert!(filler.state(now).to_json().contains("first"));
}

#[test]
fn without_a_usable_token_all_of_the_time_is_asked_for() {
    for (status, body) in [
        (400, r#"{"errorCode":"CMN-101","message":"Parameter [syncToken] is invalid"}"#),
        (400, r#"{"errorCode":"MSG-333","message":"Parameter [syncToken] value is invalid"}"#),
        (410, "{}"),
    ] {
        let mut lab = Lab::primed(quick(), &[Filter::sms()]);
        lab.gap(DAY - 5000, DAY);
        let call = lab.next_call().unwrap();
        lab.answer_with(&call, status, &[], body);
        let full = lab.answered(&synced(&[sms(2, DAY - 1000)], "c", false));
        // A minute before the gap.
        assert!(full.contains(&format!("syncType=FSync&dateFrom={}", iso(DAY - 65_000))), "{full}");
        assert_eq!(ids(&lab.filled()), ["2"]);
        lab.ms += 300_000;
        lab.gap(lab.ms - 5000, lab.ms);
        assert!(lab.path().contains("syncToken=c"));
    }
}

#[test]
fn what_was_delivered_is_known_whatever_the_filters_become() {
    for (before, after) in [(Filter::sms(), Filter::message_store()), (Filter::message_store(), Filter::sms())] {
        let mut lab = Lab::primed(quick(), &[before, Filter::sms()]);
        lab.filler.on_notification(&notified("message-store/instant", &sms(1, DAY - 1000)), clock(lab.ms));
        lab.filler.set_filters([after.as_str()]);
        lab.gap(DAY - 5000, DAY);
        lab.answered(&synced(&[sms(1, DAY - 1000), sms(2, DAY - 500)], "b", false));
        assert_eq!(ids(&lab.filled()), ["2"]);
    }
}

// The server has more filters than the last process knew of: what it sends is delivered before it confirms them.
#[test]
fn what_was_delivered_before_its_filter_was_confirmed_is_known() {
    let mut lab = Lab::primed(quick(), &[Filter::telephony_sessions()]);
    lab.filler.on_notification(&notified("message-store/instant", &sms(1, DAY - 1000)), clock(lab.ms));
    lab.gap(DAY - 5000, DAY);
    lab.filler.set_filters([Filter::sms().as_str()]);
    let asked = lab.answered(&synced(&[sms(1, DAY - 1000), sms(2, DAY - 500)], "b", false));
    assert!(asked.contains("FSync"), "{asked}: no token is there");
    assert_eq!(ids(&lab.filled()), ["2"]);
}

#[test]
fn a_server_whose_clock_is_behind_is_asked_again() {
    let mut lab = Lab::new(quick(), &[Filter::sms()]);
    lab.ms = DAY;
    lab.gap(DAY - 5000, DAY);
    let time = format!(r#""syncTime":"{}","syncToken""#, iso(DAY - 1_000_000));
    let body = synced(&[sms(1, DAY - 1_001_000)], "b", false).replace("\"syncToken\"", &time);
    assert!(lab.answered(&body).contains(&format!("dateFrom={}", iso(DAY - 665_000))));
    assert!(lab.answered(&body).contains(&format!("dateFrom={}", iso(DAY - 1_065_000))));
    assert_eq!(ids(&lab.filled()), ["1"]);
}

#[test]
fn a_token_that_knows_nothing_of_today_is_not_kept() {
    let behind = |token: &str, ms: u64| {
        let time = format!(r#""syncTime":"{}","syncToken""#, iso(ms));
        synced(&[], token, false).replace("\"syncToken\"", &time)
    };
    // The server's clock is two days behind, and each token is for what comes from the asked time on.
    for is_gap in [false, true] {
        let mut lab = Lab::new(quick(), &[Filter::sms()]);
        lab.ms = 3 * DAY;
        if is_gap {
            lab.gap(lab.ms - 5000, lab.ms);
        }
        assert!(lab.answered(&behind("of-tomorrow", DAY)).contains("FSync"));
        assert!(lab.answered(&behind("right", DAY)).contains("FSync"));
        if is_gap {
            lab.filled();
        }
        assert!(lab.next_call().is_none());
        lab.ms += 300_000;
        lab.gap(lab.ms - 5000, lab.ms);
        let next = lab.path();
        assert!(next.contains("syncToken=right"), "{next}");
    }
}

#[test]
fn what_is_older_than_an_answer_is_asked_for_by_its_time() {
    let mut lab = Lab::primed(quick(), &[Filter::sms()]);
    lab.gap(DAY - 50_000, DAY);
    lab.answered(&synced(&[sms(4, DAY - 1000), sms(3, DAY - 2000)], "b", true));
    let older = lab.answered(&synced(&[sms(3, DAY - 2000), sms(2, DAY - 3000)], "not this one", true));
    assert!(older.contains(&format!("FSync&dateFrom={}&dateTo={}", iso(DAY - 110_000), iso(DAY - 1999))), "{older}");
    lab.answered(&synced(&[sms(2, DAY - 3000)], "nor this", false));
    let filled = lab.filled();
    assert_eq!((ids(&filled), filled.complete), (vec!["2", "3", "4"], true));
    lab.ms += 300_000;
    lab.gap(lab.ms - 5000, lab.ms);
    assert!(lab.path().contains("syncToken=b"));
}

#[test]
fn a_walk_back_ends_and_says_what_is_missing() {
    // The service gives the same again and again.
    let mut lab = Lab::primed(quick(), &[Filter::sms()]);
    lab.gap(DAY - 50_000, DAY);
    lab.answered(&synced(&[sms(4, DAY - 1000)], "b", true));
    lab.answered(&synced(&[sms(4, DAY - 1000)], "b", true));
    let filled = lab.filled();
    let than = Some(UnixMillis(EPOCH + DAY - 1000));
    assert!(!filled.complete && filled.unfilled.contains(&Unfilled::Older { what: RecordKind::Message, than }));
    // It says that there is more, and gives nothing.
    lab.gap(lab.ms - 5000, lab.ms);
    lab.answered(&synced(&[], "b", true));
    assert_eq!(missing(&lab.filled()), ["deleted_messages", "older"]);
    // It always has more.
    let mut lab = Lab::primed(quick(), &[Filter::sms()]);
    lab.gap(DAY - 500_000, DAY);
    let mut calls = 0;
    while let FillStep::Call(call) = lab.step_or_wait() {
        calls += 1;
        lab.answer(&call, &synced(&[sms(calls, DAY - calls * 1000)], "b", true));
    }
    assert_eq!(calls, 41);
    // What is older than the gap is nobody's.
    let mut lab = Lab::primed(quick(), &[Filter::sms()]);
    lab.gap(DAY - 5000, DAY);
    lab.answered(&synced(&[sms(4, DAY - 1000), sms(1, DAY - 70_000)], "b", true));
    assert!(lab.filled().complete);
}

#[test]
fn what_was_delivered_is_left_out() {
    let filters = [Filter::sms(), Filter::voicemail(), Filter::fax()];
    let mut lab = Lab::primed(quick(), &filters);
    let voicemail = sms(3, DAY - 900).replace("SMS", "VoiceMail");
    let fax = sms(4, DAY - 800).replace("SMS", "Fax");
    for (event, body) in
        [("message-store/instant?type=SMS", sms(2, DAY - 1000)), ("voicemail", voicemail.clone()), ("fax", fax.clone())]
    {
        lab.filler.on_notification(&notified(event, &body), clock(lab.ms));
    }
    lab.filler.on_notification(&notified("message-store", r#"{"changes":[{"type":"SMS"}]}"#), clock(lab.ms));
    lab.gap(DAY - 5000, DAY);
    // One has changed meanwhile: these filters are for new messages only.
    let changed = changed_sms(2, DAY - 1000, DAY - 10);
    lab.answered(&synced(&[changed, voicemail, fax, sms(5, DAY - 700)], "b", false));
    assert_eq!(ids(&lab.filled()), ["5"]);
    // Not by a second gap either, and not what arrived while the answer was on its way.
    lab.ms += 1000;
    lab.gap(DAY - 2000, DAY + 500);
    let call = lab.next_call().unwrap();
    lab.filler.on_notification(&notified("message-store/instant", &sms(6, DAY)), clock(lab.ms));
    lab.answer(&call, &synced(&[sms(5, DAY - 700), sms(6, DAY), sms(7, DAY + 100)], "c", false));
    assert_eq!(ids(&lab.filled()), ["7"]);
}

#[test]
fn the_message_store_counts_each_change() {
    let mut lab = Lab::primed(quick(), &[Filter::message_store(), Filter::sms()]);
    lab.filler.on_notification(&notified("message-store/instant?type=SMS", &sms(2, DAY - 1000)), clock(lab.ms));
    lab.gap(DAY - 5000, DAY);
    let deleted = sms(9, DAY - 50).replace("\"subject\"", "\"availability\":\"Deleted\",\"subject\"");
    let records = [sms(2, DAY - 1000), changed_sms(1, 0, DAY - 500), changed_sms(2, DAY - 1000, DAY - 100), deleted];
    lab.answered(&synced(&records, "b", false));
    let filled = lab.filled();
    assert_eq!((ids(&filled), filled.complete), (vec!["1", "2", "9"], true));
    // Without a token, and beyond an answer, changes of old messages are missing.
    lab.ms += 1000;
    lab.gap(lab.ms - 500, lab.ms);
    lab.answered(&synced(&[changed_sms(1, DAY, DAY + 10)], "c", true));
    lab.answered(&synced(&[], "c", false));
    assert_eq!(missing(&lab.filled()), ["message_states", "deleted_messages", "old_message_changes"]);
    let mut lab = Lab::new(quick(), &[Filter::message_store()]);
    lab.gap(100, 200);
    lab.answered(&synced(&[], "c", false));
    assert_eq!(missing(&lab.filled()), ["message_states", "deleted_messages", "old_message_changes"]);
}

#[test]
fn only_what_is_of_the_gap_and_of_the_filters_is_handed_out() {
    let mut lab = Lab::primed(quick(), &[Filter::sms()]);
    lab.gap(DAY - 5000, DAY);
    let outbound = sms(5, DAY - 1).replace("Inbound", "Outbound");
    let deleted = sms(6, DAY - 1).replace("\"subject\"", "\"availability\":\"Purged\",\"subject\"");
    let odd = r#"{"subject":"without anything else"}"#.to_owned();
    let records = [
        sms(1, DAY - 66_000),
        changed_sms(2, DAY - 900_000, DAY - 1),
        sms(3, DAY - 64_000),
        sms(4, DAY + 6000),
        outbound,
        deleted,
        sms(7, DAY - 1).replace("SMS", "Fax"),
        odd,
    ];
    lab.answered(&synced(&records, "b", false));
    assert_eq!(ids(&lab.filled()), ["3", ""]);
    // Without the server's time ten minutes are left for its clock.
    let mut unknown = Lab::new(quick(), &[Filter::sms()]);
    unknown.ms = DAY;
    unknown.gap(DAY - 5000, DAY);
    let records = [666_000, 664_000].map(|ms| sms(ms, DAY - ms));
    let later = [604_000, 606_000].map(|ms| sms(ms, DAY + ms));
    unknown.answered(&synced(&[records, later].concat(), "b", false));
    assert_eq!(ids(&unknown.filled()), ["664000", "604000"]);
    lab.ms += 200_000;
    let at = lab.ms;
    lab.gap(at - 5000, at);
    let ahead = 100_000;
    let records = [
        sms(11, at + ahead - 66_000),
        sms(12, at + ahead - 64_000),
        sms(13, at + ahead + 4900),
        sms(14, at + ahead + 5100),
    ];
    let time = format!(r#""syncTime":"{}","syncToken""#, iso(at + ahead));
    lab.answered(&synced(&records, "c", false).replace("\"syncToken\"", &time));
    assert_eq!(ids(&lab.filled()), ["12", "13"], "by the server's clock");
}

#[test]
fn the_call_log_has_its_limits() {
    let call = |id: u64, ms: u64| {
        format!(r#"{{"id":"{id}","startTime":"{}","duration":1,"direction":"Inbound","result":"Missed"}}"#, iso(ms))
    };
    let filters = [Filter::telephony_sessions()];
    let settings = quick().without(RecordKind::ActiveCall);
    let mut lab = Lab::primed(settings.clone(), &filters);
    lab.gap(DAY - 5000, DAY);
    let refused = lab.next_call().unwrap();
    assert_eq!(refused.group, CallGroup::Heavy);
    assert!(refused.path.ends_with("/call-log-sync?syncType=ISync&syncToken=first"), "{refused:?} {}", refused.path);
    let too_many = "Parameter [syncToken] is invalid [max sync record number limit is exceeded]";
    lab.answer_with(&refused, 400, &[], &format!(r#"{{"errorCode":"CMN-101","message":"{too_many}"}}"#));
    let records: Vec<String> = (0..250).map(|n| call(n, DAY - 1 - n)).collect();
    let full = lab.answered(&synced(&records, "b", false));
    assert!(full.contains(&format!("FSync&dateFrom={}&recordCount=250", iso(DAY - 3_665_000))), "{full}");
    let filled = lab.filled();
    let than = Some(UnixMillis(EPOCH + DAY - 250));
    assert!(!filled.complete && filled.unfilled.contains(&Unfilled::Older { what: RecordKind::Call, than }));
    assert_eq!((filled.records.len(), missing(&filled)), (250, vec!["call_transitions", "older"]));
    // A month is all there is.
    let mut lab = Lab::new(settings, &filters);
    lab.filler.set_online(false);
    lab.ms = 40 * DAY;
    lab.gap(DAY, 40 * DAY);
    lab.filler.set_online(true);
    let full = lab.answered(&synced(&[call(1, 39 * DAY)], "b", false));
    assert!(full.contains(&format!("dateFrom={}", iso(10 * DAY + 3_600_000))), "{full}");
    let filled = lab.filled();
    assert_eq!((ids(&filled), filled.complete), (vec!["1"], false));
    assert!(filled.unfilled.contains(&Unfilled::Older { what: RecordKind::Call, than: None }));
    // Only missed calls, if the filter says so.
    let missed = Filter::telephony_sessions().with("missedCall", "true");
    let mut lab = Lab::primed(quick().without(RecordKind::ActiveCall), &[missed]);
    lab.gap(DAY - 5000, DAY);
    let answered = call(2, DAY - 2000).replace("Missed", "Accepted");
    lab.answered(&synced(&[call(1, DAY - 1000), answered, call(3, DAY + 90_000)], "b", false));
    assert_eq!(ids(&lab.filled()), ["1"]);
}

#[test]
fn presence_and_calls_are_asked_for_as_they_are() {
    let filters = [Filter::presence().detailed(), Filter::account_presence(), Filter::telephony_sessions()];
    let mut lab = Lab::primed(quick().without(RecordKind::Call), &filters);
    lab.gap(DAY - 5000, DAY);
    let one = lab.answered(r#"{"extension":{"id":2},"presenceStatus":"Busy"}"#);
    assert!(one.ends_with("/extension/~/presence?detailedTelephonyState=true"), "{one}");
    let calls = lab.answered(r#"{"records":[{"id":"A"},{"id":"B"}],"paging":{"totalPages":1}}"#);
    assert!(calls.ends_with("/active-calls?perPage=250&page=1"), "{calls}");
    let list = r#"{"records":[{"extension":{"id":3}}],"paging":{"totalPages":2}}"#;
    assert!(lab.answered(list).ends_with("account/~/presence?perPage=250&page=1"));
    assert!(lab.answered(&list.replace(":3}", ":4}")).ends_with("page=2"));
    let filled = lab.filled();
    let kinds: Vec<_> = filled.records.iter().map(|one| format!("{} {}", one.kind().as_str(), one.id())).collect();
    assert_eq!(kinds.len(), 5, "{kinds:?}");
    assert!(kinds.contains(&"presence 4".to_owned()) && kinds.contains(&"active_call B".to_owned()), "{kinds:?}");
    assert_eq!(missing(&filled), ["call_transitions", "presence_transitions"]);
    // It is what is now, so the next gap has it again.
    lab.gap(lab.ms - 1, lab.ms);
    lab.answered(r#"{"extension":{"id":2}}"#);
    lab.answered(EMPTY);
    lab.answered(EMPTY);
    assert_eq!(ids(&lab.filled()), ["2"]);
}

#[test]
fn posts_are_read_chat_by_chat() {
    let post = |id: u64, ms: u64| format!(r#"{{"id":"{id}","creationTime":"{0}","lastModifiedTime":"{0}"}}"#, iso(ms));
    let mut lab = Lab::primed(quick(), &[Filter::team_posts()]);
    lab.gap(DAY - 50_000, DAY);
    let delivered = post(3, DAY - 3000);
    let event = r#"{"event":"/team-messaging/v1/posts","body":"#;
    let n = Notification::from_json(&format!("{event}{delivered}}}")).unwrap();
    lab.filler.on_notification(&n, clock(lab.ms));
    let chat = |id: &str, ms: u64| format!(r#"{{"id":"{id}","lastModifiedTime":"{}"}}"#, iso(ms));
    let chats = format!(r#"{{"records":[{},{}]}}"#, chat("c/1", DAY - 10), chat("c2", DAY - 900_000));
    assert_eq!(lab.answered(&chats), "/team-messaging/v1/recent/chats?recordCount=250");
    let page = format!(r#"{{"records":[{},{delivered}],"navigation":{{"prevPageToken":"p&1"}}}}"#, post(4, DAY - 2000));
    assert_eq!(lab.answered(&page), "/team-messaging/v1/chats/c%2F1/posts?recordCount=250");
    let page = format!(
        r#"{{"records":[{},{}],"navigation":{{"prevPageToken":"p2"}}}}"#,
        post(2, DAY - 40_000),
        post(1, DAY - 800_000)
    );
    assert!(lab.answered(&page).ends_with("posts?recordCount=250&pageToken=p%261"));
    let filled = lab.filled();
    assert_eq!((ids(&filled), missing(&filled)), (vec!["2", "4"], vec!["post_changes"]));
    assert!(filled.complete);
}

// Lists of posts have no `syncTime`: their times were compared with those of this machine's clock, and a gap of a machine
// whose clock was an hour ahead was complete without a record.
#[test]
fn the_server_clock_is_read_from_the_date_of_an_answer() {
    const BEHIND: u64 = 3_600_000;
    let post = |id: u64, ms: u64| format!(r#"{{"id":"{id}","creationTime":"{0}","lastModifiedTime":"{0}"}}"#, iso(ms));
    let mut lab = Lab::new(quick(), &[Filter::team_posts()]);
    lab.ms = DAY;
    lab.gap(DAY - 50_000, DAY);
    let answer = |lab: &mut Lab, body: &str| {
        let call = lab.next_call().expect("a call");
        let date = SystemTime::UNIX_EPOCH + Duration::from_millis(EPOCH + lab.ms - BEHIND);
        lab.answer_with(&call, 200, &[("Date", &httpdate::fmt_http_date(date))], body);
    };
    let changed = iso(DAY - BEHIND - 1000);
    answer(&mut lab, &format!(r#"{{"records":[{{"id":"c","lastModifiedTime":"{changed}"}}]}}"#));
    // By the server's clock: a minute before the gap, within it, and 5 s after it.
    let posts = [DAY - 112_000, DAY - 108_000, DAY - 1000, DAY + 3000, DAY + 7000];
    let posts: Vec<String> = (1..).zip(posts).map(|(id, ms)| post(id, ms - BEHIND)).collect();
    answer(&mut lab, &format!(r#"{{"records":[{}]}}"#, posts.join(",")));
    let filled = lab.filled();
    assert_eq!((ids(&filled), filled.complete), (vec!["2", "3", "4"], true));
    // The seconds of a date say no more than what is known to the millisecond.
    lab.gap(lab.ms - 5000, lab.ms);
    lab.ms += 1500;
    answer(&mut lab, EMPTY);
    lab.filled();
    assert_eq!(lab.filler.ahead, Some(-3_600_000));
}

#[test]
fn a_gap_is_filled_however_often_the_filters_change_meanwhile() {
    let mut lab = Lab::primed(quick(), &[Filter::sms(), Filter::telephony_sessions()]);
    lab.gap(DAY - 50_000, DAY);
    let (mut calls, mut filled) = (0, None);
    for n in 0..20 {
        match lab.step() {
            FillStep::Call(call) => {
                calls += 1;
                // Somebody listens to something else, or does so no more, while the call is under way.
                let other = if n % 2 == 0 { Filter::voicemail() } else { Filter::fax() };
                let filters = [Filter::sms(), Filter::telephony_sessions(), other];
                lab.filler.set_filters(filters.iter().map(Filter::as_str));
                lab.answer(&call, EMPTY);
            }
            FillStep::Wait(at) => lab.ms = at.expect("it goes on by itself").as_micros().div_ceil(1000),
            FillStep::Filled(one) => {
                filled = Some(one);
                break;
            }
        }
    }
    assert!(filled.is_some_and(|one| one.complete), "{calls} calls");
    assert!(calls <= 4, "{calls}");
    // The next gap is asked about with the new ones.
    lab.gap(DAY, DAY + 1000);
    assert!(lab.next_call().is_some());
}
