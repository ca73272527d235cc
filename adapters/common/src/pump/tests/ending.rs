//! The end of a client.

use super::*;

// CLAUSE CLS-1 PST-4
#[test]
fn the_end_comes_in_order_and_answers_everybody() {
    let mut driver = Driver::ready(&IoLimits::default());
    let closed = driver.close();
    driver.turns();
    assert_eq!(driver.desk.done.pop().as_deref(), Some("close 1000"));
    driver.desk.incoming.push_back(Incoming::Closed(CloseInfo { code: Some(1000), reason: "".into() }));
    assert_eq!(driver.turns(), Turn::Ended);
    assert!(driver.desk.done.iter().any(|done| done == "release") && closed.borrow().is_some());
    let events: Vec<Event> = std::iter::from_fn(|| driver.take()).collect();
    let [.., Event::SnapshotChanged, Event::Closed { .. }] = &events[..] else { panic!("{events:?}") };
    assert!(driver.view.snapshot().is_some_and(|snapshot| snapshot.is_detached()));
}

// CLAUSE CLS-1
#[test]
fn the_end_waits_for_a_login_and_no_longer_than_closing_may_take() {
    for comes in [true, false] {
        let mut driver = Driver::new(Config::default(), &IoLimits::default());
        driver.turns();
        let first = driver.close();
        driver.turns();
        let second = driver.close();
        let (_, refused) = driver.request();
        let until = driver.until();
        assert_eq!(until, Timestamp::from_secs(5));
        assert!(first.borrow().is_none() && driver.desk.done.iter().any(|done| done == "release"));
        if comes {
            driver.desk.completions.push_back(Completion::Authorized(1.into(), token()));
        } else {
            driver.set_clock(until);
        }
        assert_eq!(driver.turn(), Turn::Ended);
        assert!(first.borrow().is_some() && second.borrow().is_some());
        assert!(matches!(refused.take().unwrap().answer, Err(CommandError::Closed(_))));
    }
}

#[test]
fn without_handles_it_ends_at_once() {
    let mut driver = Driver::ready(&IoLimits::default());
    driver.desk.abandoned = true;
    assert_eq!(driver.turn(), Turn::Ended);
}
