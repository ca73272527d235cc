//! Tests of how a turn ends.

use super::*;

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
