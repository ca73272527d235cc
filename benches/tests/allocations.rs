//! Allocations are counted, not timed.

use ringcentral_ws_benches::outage::Client;
use ringcentral_ws_benches::{drain, message_store};
use ringcentral_ws_core::{Body, Config, Frame, Input};

// CLAUSE FRM-5
#[test]
fn a_notification_costs_one_allocation_whatever_is_in_flight() {
    for requests in [0, 10, 100] {
        one_allocation_each(requests);
    }
}

fn one_allocation_each(requests: usize) {
    let (mut session, conn, now) = Client::subscribed(Config { rest_over_websocket: true, ..Config::default() });
    for _ in 0..requests {
        let request = http::Request::get("/restapi/v1.0/account/~").body(Body::empty()).unwrap();
        session.request(request, now).unwrap();
    }
    drain(&mut session);
    let frames: Vec<String> = (0..2_000).map(|n| message_store(1_000_000_000_000_000_000 + n)).collect();
    let mut give = |frame: &str| {
        session.handle_input(Input::Frame { conn, frame: Frame::Text(frame) }, now).unwrap();
        // The notification and the changed snapshot.
        assert_eq!(drain(&mut session), 2);
    };
    // The queues and the ring of known ids grow to their size first.
    frames[..1_000].iter().for_each(|frame| give(frame));
    let counted = allocation_counter::measure(|| frames[1_000..].iter().for_each(|frame| give(frame)));
    assert_eq!(counted.count_total, 1_000);
    assert_eq!(counted.count_current, 0);
}
