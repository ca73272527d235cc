//! Who goes first when a call met the rate limit.

use super::*;

// Both are of the group Medium, and each call during a penalty prolongs it: two that try again after a minute each, in
// turns, would never end it.
#[test]
fn a_subscription_that_was_refused_because_of_the_rate_limit_comes_first() {
    let mut lab = Lab::primed(quick(), &[Filter::team_posts()]);
    lab.gap(lab.ms - 1000, lab.ms);
    lab.answered(r#"{"records":[{"id":"1"}]}"#);
    let posts = lab.next_call().unwrap();
    assert_eq!(posts.group, CallGroup::Medium);
    lab.answer_with(&posts, 429, &[], "{}");
    lab.ms += 30_000;
    lab.filler.yield_to_subscription(Timestamp::from_millis(lab.ms + 60_000));
    let begin = lab.ms;
    assert!(lab.path().contains("/posts"));
    assert_eq!(lab.ms - begin, 70_000);
}

// The same with a call of the application, over the socket without headers that name its group.
#[test]
fn a_call_of_the_application_that_met_the_rate_limit_comes_first() {
    for (pairs, wait) in [
        (vec![("Retry-After", "30"), ("X-Rate-Limit-Group", "medium")], 40_000),
        (vec![("Retry-After", "7200")], 3_610_000),
        (vec![("Retry-After", "0")], 70_000),
        (vec![], 70_000),
        (vec![("X-Rate-Limit-Group", "light")], 0),
        (vec![("X-Rate-Limit-Group", "auth")], 0),
    ] {
        let mut lab = Lab::primed(quick(), &[Filter::team_posts()]);
        lab.gap(lab.ms - 1000, lab.ms);
        lab.answered(r#"{"records":[{"id":"1"}]}"#);
        let begin = lab.ms;
        lab.filler.yield_to_call(&headers(&pairs), clock(lab.ms));
        assert!(lab.path().contains("/posts"));
        assert_eq!(lab.ms - begin, wait, "{pairs:?}");
    }
}

#[test]
fn an_application_that_is_refused_all_the_time_does_not_keep_a_gap_open() {
    let mut lab = Lab::primed(quick(), &[Filter::sms()]);
    lab.gap(lab.ms - 1000, lab.ms);
    let begin = lab.ms;
    let called = loop {
        lab.filler.yield_to_call(&HeaderMap::new(), clock(lab.ms));
        lab.ms += 60_000;
        if let FillStep::Call(_) = lab.step() {
            break lab.ms - begin;
        }
    };
    assert!((3_600_000..3_700_000).contains(&called), "{called}");
}
