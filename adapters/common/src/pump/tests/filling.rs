//! Filling gaps: the filler's calls are requests, and what they bring are events with the snapshot behind them.

use ringcentral_ws_api::{Backfill, BackfillState, Filter};
use ringcentral_ws_core::{Backfilled, Filters};

use super::*;
use crate::pump::filling::Filling;

impl Driver {
    /// Connected, subscribed to SMS, and fills gaps at once. Its token call was answered.
    fn filling() -> Self {
        let mut driver = Self::new(Config { rest_over_websocket: true, ..Config::default() }, &IoLimits::default());
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
