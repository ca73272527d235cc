//! Filling gaps: the filler's calls are requests, and what they bring are events with the snapshot behind them.

use ringcentral_ws_api::{Backfill, BackfillState, FillStep, Filter};
use ringcentral_ws_core::{Backfilled, Filters};

use super::*;
use crate::pump::filling::Filling;

impl Driver {
    /// Connected, subscribed to SMS, and fills gaps at once. Its token call was answered.
    fn filling() -> Self {
        Self::filling_with(false)
    }

    fn filling_with(acknowledge: bool) -> Self {
        Self::filling_within(&IoLimits::default(), acknowledge)
    }

    fn filling_within(limits: &IoLimits, acknowledge: bool) -> Self {
        let config = Config { rest_over_websocket: true, ..Config::default() };
        let mut driver = Self::with(config, limits, acknowledge);
        let settings = Backfill::new().settle(Duration::ZERO).spread(Duration::ZERO);
        driver.pump.filling = Some(Box::new(Filling::new(GapFiller::new(settings, 1))));
        driver.connect();
        let filters = Filters::new([Filter::sms()]).unwrap();
        driver.desk.commands.push_back(Command::Subscribe(filters, Rc::default()));
        driver.turns();
        let filter = Filter::sms();
        driver.answer(&format!(
            r#"{{"id":"s","eventFilters":["{filter}"],"deliveryMode":{{"transportType":"WebSocket"}},"status":"Active"}}"#
        ));
        assert!(driver.sent().contains(r#"/message-sync","query":{"dateFrom":"#), "{}", driver.sent());
        driver.answer(r#"{"records":[],"syncInfo":{"syncToken":"first"}}"#);
        driver
    }

    fn sent(&self) -> &str {
        self.desk.sent.last().expect("a frame was sent")
    }

    /// Answers the request that was sent last.
    fn answer(&mut self, body: &str) {
        let sent: serde_json::Value = serde_json::from_str(self.sent()).unwrap();
        let id = &sent[0]["messageId"];
        let answer = format!(r#"[{{"type":"ClientRequest","messageId":{id},"status":200,"headers":{{}}}},{body}]"#);
        self.desk.incoming.push_back(Incoming::Text(answer.into()));
        self.turns();
    }

    /// Refuses the request that was sent last.
    fn refuse(&mut self, status: u16) {
        let sent: serde_json::Value = serde_json::from_str(self.sent()).unwrap();
        let id = &sent[0]["messageId"];
        let answer = format!(r#"[{{"type":"ClientRequest","messageId":{id},"status":{status},"headers":{{}}}},{{}}]"#);
        self.desk.incoming.push_back(Incoming::Text(answer.into()));
        self.turns();
    }

    fn backfills(&mut self) -> Vec<Backfilled> {
        let events = std::iter::from_fn(|| self.take());
        events.filter_map(|event| if let Event::Backfill(filled) = event { Some(*filled) } else { None }).collect()
    }

    fn stored(&self) -> BackfillState {
        BackfillState::from_json(self.view.snapshot().unwrap().extra().unwrap()).unwrap()
    }
}

// CLAUSE REC-5 PST-4
#[test]
fn a_gap_is_filled_over_the_socket_and_the_snapshot_follows() {
    let mut driver = Driver::filling();
    let calls = driver.desk.sent.len();
    // A frame that nobody can read may have been a notification.
    driver.desk.incoming.push_back(Incoming::TooLarge(1));
    driver.turns();
    assert!(driver.sent().contains("/message-sync"), "{}", driver.sent());
    assert_eq!(driver.desk.sent.len(), calls + 1);
    assert!(driver.backfills().is_empty());
    let waiting = driver.stored().to_json();
    assert!(waiting.contains("unreadable_frame"), "{waiting}");
    driver.answer(r#"{"records":[{"id":7,"type":"SMS","direction":"Inbound"}],"syncInfo":{"syncToken":"second"}}"#);
    let filled = driver.backfills();
    assert_eq!((filled.len(), filled[0].records[0].id()), (1, "7"));
    assert!(!driver.stored().to_json().contains("unreadable_frame"), "it is done with");
    assert!(driver.pump.over_socket.is_empty(), "no answer is awaited any more");
}

fn message(id: u32) -> Incoming {
    let event = "/restapi/v1.0/account/1/extension/2/message-store/instant?type=SMS";
    let body = format!(r#"{{"id":{id},"type":"SMS","direction":"Inbound"}}"#);
    let notification = format!(r#"{{"uuid":"u{id}","event":"{event}","subscriptionId":"s","body":{body}}}"#);
    Incoming::Text(
        format!(r#"[{{"type":"ServerNotification","messageId":"m{id}","status":200}},{notification}]"#).into(),
    )
}

// CLAUSE REC-5 PST-6
#[test]
fn what_was_acknowledged_is_not_fetched_again_by_the_next_process() {
    let mut driver = Driver::filling_with(true);
    while driver.take().is_some() {}
    driver.desk.incoming.extend([message(1), message(2), message(3)]);
    driver.turns();
    for id in [1, 2] {
        let taken = driver.events.wait_delivery(Some(std::time::Instant::now())).flatten().expect("a notification");
        assert!(matches!(&taken.event, Event::Notification(n) if n.uuid() == format!("u{id}")), "{:?}", taken.event);
        taken.acknowledge();
    }
    // The process ends here, before the snapshot that covers all three.
    let settings = Backfill::new().settle(Duration::ZERO).spread(Duration::ZERO);
    let clock = driver.pump.clock.reading();
    let mut next = GapFiller::restore(settings, driver.stored(), 1, clock);
    next.set_online(true);
    next.on_gap(
        ringcentral_ws_core::Gap {
            cause: ringcentral_ws_core::GapCause::Restored,
            certainty: ringcentral_ws_core::Certainty::Possible,
            after: None,
            since: clock.unix,
            until: clock.unix,
        },
        clock.now,
    );
    let FillStep::Call(call) = next.poll(clock) else { panic!("a call") };
    let records: Vec<_> = (1..=3).map(|id| format!(r#"{{"id":{id},"type":"SMS","direction":"Inbound"}}"#)).collect();
    let body = format!(r#"{{"records":[{}],"syncInfo":{{"syncToken":"t"}}}}"#, records.join(","));
    next.on_answer(call.id, 200, &http::HeaderMap::new(), body.as_bytes(), clock);
    let FillStep::Filled(filled) = next.poll(clock) else { panic!("the gap is done with") };
    let ids: Vec<_> = filled.records.iter().map(|record| record.id()).collect();
    assert_eq!(ids, ["3"]);
}

// CLAUSE PST-4 PST-6
#[test]
fn the_snapshot_is_right_behind_what_was_fetched_in_a_flood_too() {
    let mut driver = Driver::filling_with(true);
    driver.desk.incoming.push_back(Incoming::TooLarge(1));
    driver.turns();
    let call = driver.sent().to_owned();
    let id = serde_json::from_str::<serde_json::Value>(&call).unwrap()[0]["messageId"].to_string();
    while driver.take().is_some() {}
    assert!(driver.stored().to_json().contains("unreadable_frame"));
    let answer = format!(
        r#"[{{"type":"ClientRequest","messageId":{id},"status":200,"headers":{{}}}},{{"records":[{{"id":7,"type":"SMS","direction":"Inbound"}}],"syncInfo":{{"syncToken":"second"}}}}]"#
    );
    driver.desk.incoming.push_back(Incoming::Text(answer.into()));
    driver.desk.spent = true;
    driver.turn();
    driver.desk.incoming.push_back(message(1));
    driver.turn();
    let mut take = || driver.events.wait_delivery(Some(std::time::Instant::now())).flatten().expect("an event");
    let fetched = take();
    assert!(matches!(fetched.event, Event::Backfill(_)), "{:?}", fetched.event);
    fetched.acknowledge();
    loop {
        let next = take();
        let is_message = matches!(next.event, Event::Notification(_));
        next.acknowledge();
        if is_message {
            break;
        }
    }
    assert!(!driver.stored().to_json().contains("unreadable_frame"), "it is done with");
}

// CLAUSE REC-5
#[test]
fn nothing_is_fetched_that_nobody_would_get() {
    let mut driver = Driver::filling();
    let (_, other) = event_queue(&IoLimits::default(), None, QueueMeter::default(), false);
    driver.events = other;
    let calls = driver.desk.sent.len();
    driver.desk.incoming.push_back(Incoming::TooLarge(1));
    assert!(matches!(driver.turns(), Turn::Wait { .. }));
    assert_eq!(driver.desk.sent.len(), calls, "{}", driver.sent());
}

// CLAUSE SUB-5 TOK-3
#[test]
fn no_post_is_fetched_while_a_subscription_waits_for_the_rate_limit() {
    let mut driver = Driver::filling();
    driver.desk.commands.push_back(Command::Subscribe(Filters::new([Filter::team_posts()]).unwrap(), Rc::default()));
    driver.turns();
    let posts = Filter::team_posts();
    driver.answer(&format!(
        r#"{{"id":"s","eventFilters":["{posts}"],"deliveryMode":{{"transportType":"WebSocket"}},"status":"Active"}}"#
    ));
    driver.desk.incoming.push_back(Incoming::TooLarge(1));
    driver.turns();
    assert!(driver.sent().contains("/recent/chats"), "{}", driver.sent());
    // Other filters are refused; meanwhile the list of chats comes.
    let chats: serde_json::Value = serde_json::from_str(driver.sent()).unwrap();
    driver.desk.commands.push_back(Command::Subscribe(Filters::new([Filter::sms()]).unwrap(), Rc::default()));
    driver.turns();
    assert!(driver.sent().contains("/subscription"), "{}", driver.sent());
    driver.refuse(429);
    let id = &chats[0]["messageId"];
    let text = format!(
        r#"[{{"type":"ClientRequest","messageId":{id},"status":200,"headers":{{}}}},{{"records":[{{"id":"1"}}]}}]"#
    );
    driver.desk.incoming.push_back(Incoming::Text(text.into()));
    let sent = driver.desk.sent.len();
    driver.turns();
    assert_eq!(driver.desk.sent.len(), sent, "{}", driver.sent());
    let waits = driver.pump.filling.as_ref().unwrap().wait().unwrap().since(driver.pump.now);
    assert!(waits > Duration::from_secs(60), "{waits:?}");
}

// CLAUSE TOK-3
#[test]
fn after_a_429_to_the_application_gaps_are_not_filled_for_a_while() {
    let mut driver = Driver::filling();
    let (_, _) = driver.request();
    driver.turns();
    assert!(!driver.sent().contains("/message-sync"), "{}", driver.sent());
    driver.refuse(429);
    driver.desk.incoming.push_back(Incoming::TooLarge(1));
    driver.turns();
    let waits = driver.pump.filling.as_ref().unwrap().wait().unwrap().since(driver.pump.now);
    assert_eq!(waits, Duration::from_secs(70));
}

// The guide: a gap is acknowledged when its records are there.
// CLAUSE PST-6 REC-5
#[test]
fn a_gap_is_filled_while_its_acknowledgement_holds_reading_back() {
    let limits = IoLimits { unacknowledged: 2, ..IoLimits::default() };
    let mut driver = Driver::filling_within(&limits, true);
    while driver.take().is_some() {}
    driver.desk.incoming.push_back(Incoming::TooLarge(1));
    driver.turns();
    let take = |driver: &mut Driver| driver.events.wait_delivery(Some(std::time::Instant::now())).flatten();
    let mut held = Vec::new();
    while let Some(taken) = take(&mut driver) {
        held.push(taken);
    }
    assert!(held.iter().any(|taken| matches!(taken.event, Event::Gap(_))));
    driver.desk.incoming.extend([message(1), message(2), message(3)]);
    driver.turns();
    while let Some(taken) = take(&mut driver) {
        held.push(taken);
    }
    assert!(held.len() >= 2, "{held:?}");
    driver.answer(r#"{"records":[{"id":7,"type":"SMS","direction":"Inbound"}],"syncInfo":{"syncToken":"second"}}"#);
    let filled = take(&mut driver).expect("an event");
    assert!(matches!(filled.event, Event::Backfill(_)), "{:?}", filled.event);
}
