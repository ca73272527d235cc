//! Tests of the health that the handles see.

use ringcentral_ws_core::Filters;

use super::*;
use crate::health::NotReady;

// CLAUSE HB-4
#[test]
fn after_a_sleep_life_is_proven_by_a_new_answer_and_not_by_what_waited_in_the_socket() {
    let mut driver = Driver::ready(&IoLimits::default());
    assert!(driver.view.health().is_ready());
    // Nothing runs for an hour.
    let (hour, later) = (Timestamp::from_secs(3600), Timestamp::from_secs(3601));
    driver.set_clock(hour);
    let asleep = driver.view.health();
    assert_eq!(asleep.reason, Some(NotReady::DriverLate));
    assert_eq!(asleep.last_proof_of_life, Some(Duration::from_secs(3600)));
    driver.desk.incoming.push_back(Incoming::Control);
    driver.turns();
    let awake = driver.view.health();
    assert_eq!((awake.driver_late, awake.reason), (None, Some(NotReady::Silent)), "it may have waited: {awake}");
    assert_eq!(awake.last_proof_of_life, Some(Duration::from_secs(3600)));
    let probe = driver.desk.sent.pop().expect("a probe");
    driver.set_clock(later);
    driver.desk.incoming.push_back(Incoming::Text(probe.as_str().into()));
    driver.turns();
    let proven = driver.view.health();
    assert!(proven.is_ready() && proven.last_proof_of_life == Some(Duration::ZERO), "{proven}");
}

#[test]
fn whoever_has_the_answer_to_a_subscribe_never_sees_the_subscription_before() {
    /// Looks at the health in the moment in which the reply is there: the turn is not over then.
    fn pending(driver: &mut Driver) -> Option<bool> {
        let reply: <Local as Replies>::Reply<_> = Rc::default();
        driver.pump.command(Command::Subscribe(Filters::new(["/b"]).unwrap(), Rc::clone(&reply)), &mut driver.desk);
        assert!(reply.borrow().as_ref().is_some_and(Result::is_ok));
        driver.view.health().subscribed_as_wanted
    }
    let mut driver = Driver::ready(&IoLimits::default());
    assert_eq!(driver.view.health().subscribed_as_wanted, None);
    assert_eq!(pending(&mut driver), Some(false));
    let sent = driver.desk.sent.pop().unwrap();
    let id = sent.split("messageId\":\"").nth(1).unwrap().split('"').next().unwrap();
    let answer = format!(r#"[{{"type":"ClientRequest","messageId":"{id}","status":200}},{{"id":"s"}}]"#);
    driver.desk.incoming.push_back(Incoming::Text(answer.as_str().into()));
    driver.turns();
    assert_eq!(driver.view.health().subscribed_as_wanted, Some(true));
    assert_eq!(pending(&mut driver), Some(false));
}
