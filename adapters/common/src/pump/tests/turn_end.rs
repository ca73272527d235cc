//! Tests of how a turn ends.

use std::sync::Mutex;
use std::task::Wake;

use super::*;
use crate::state::Watcher;

/// An application that looks at the state when it is woken.
struct Look(Watcher, Mutex<Option<ringcentral_ws_core::SessionState>>);

impl Wake for Look {
    fn wake(self: Arc<Self>) {
        *self.1.lock().unwrap() = Some(self.0.get().session());
    }
}

#[test]
fn an_application_that_is_woken_for_an_event_sees_the_state_that_belongs_to_it() {
    let mut driver = Driver::ready(&IoLimits::default());
    let look = Arc::new(Look(driver.pump.states.watch(), Mutex::default()));
    let waker = Waker::from(Arc::clone(&look));
    assert!(driver.events.poll_next(&mut Context::from_waker(&waker)).is_pending());
    driver.desk.incoming.push_back(Incoming::Closed(CloseInfo { code: None, reason: "".into() }));
    driver.turn();
    let seen = *look.1.lock().unwrap();
    assert!(seen.is_some() && seen == Some(driver.pump.session.state()), "{seen:?}");
}

// CLAUSE REQ-10
#[test]
fn reading_goes_on_for_a_request_that_leaves_at_the_end_of_a_turn() {
    let mut driver = Driver::ready(&small(2));
    driver.desk.pressure.push_back(Pressure::Blocked);
    driver.turns();
    driver.request();
    driver.desk.incoming.extend((0..10).map(|_| binary()));
    assert!(matches!(driver.turns(), Turn::Wait { .. }));
    assert_eq!((driver.desk.sent.len(), driver.desk.incoming.len()), (0, 6), "no answer is awaited yet");
    driver.desk.pressure.push_back(Pressure::Ready);
    driver.turns();
    assert_eq!((driver.desk.sent.len(), driver.desk.incoming.len()), (1, 0));
}
