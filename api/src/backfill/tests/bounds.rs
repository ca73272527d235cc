//! Failures, rate limits, waits, memory and restarts: one rule after the other.

use std::time::Duration;

use ringcentral_ws_core::{RecordKind, Unfilled};

use super::*;

const DAY: u64 = 86_400_000;

#[test]
fn failures_are_tried_again_and_then_named() {
    let mut lab = Lab::primed(quick().attempts(3), &[Filter::sms(), Filter::presence()]);
    lab.gap(DAY - 5000, DAY);
    let begin = lab.ms;
    for n in 0..3 {
        let call = lab.next_call().unwrap();
        match n {
            0 => lab.answer_with(&call, 502, &[], "<html>"),
            1 => lab.filler.on_failure(call.id, true, clock(lab.ms)),
            _ => lab.answer(&call, "no JSON"),
        }
        // An answer that comes late changes nothing.
        lab.answer(&call, &synced(&[sms(1, DAY - 1)], "late", false));
    }
    assert!((3000..=6000).contains(&(lab.ms - begin)), "{}", lab.ms - begin);
    let call = lab.next_call().unwrap();
    assert!(call.path.ends_with("/presence"));
    lab.answer_with(&call, 403, &[], r#"{"errorCode":"CMN-401"}"#);
    let filled = lab.filled();
    assert!(!filled.complete && filled.records.is_empty());
    assert!(filled.unfilled.contains(&Unfilled::Failed { what: RecordKind::Message, attempts: 3 }));
    let code = Some("CMN-401".into());
    assert!(filled.unfilled.contains(&Unfilled::Refused { what: RecordKind::Presence, status: 403, code }));
    // The token is as it was.
    lab.gap(lab.ms - 1, lab.ms);
    assert!(lab.path().contains("syncToken=first"));
}

#[test]
fn a_call_that_was_never_sent_counts_a_tenth() {
    let mut lab = Lab::primed(quick().attempts(1), &[Filter::sms()]);
    lab.gap(DAY - 5000, DAY);
    for _ in 0..9 {
        let call = lab.next_call().unwrap();
        lab.filler.on_failure(call.id, false, clock(lab.ms));
    }
    lab.answered(&synced(&[sms(1, DAY - 1)], "b", false));
    assert!(lab.filled().complete);
}

#[test]
fn limits_are_kept_and_believed() {
    // Four calls a minute, whatever waits.
    let settings = quick().calls_per_minute(CallGroup::Light, 4);
    let mut lab = Lab::primed(settings.clone(), &[Filter::presence()]);
    let begin = lab.ms;
    for n in 0..8 {
        lab.gap(lab.ms - 1, lab.ms);
        lab.answered(r#"{"extension":{"id":2}}"#);
        lab.filled();
        assert_eq!(lab.ms - begin, u64::from(n >= 4) * 61_000, "call {n}");
    }
    // A penalty is for its group.
    for (status, header, wait) in [
        (429, Some("30"), 30_000),
        (429, Some("0"), 60_000),
        (429, None, 60_000),
        (503, Some("7"), 7000),
        (429, Some("999999"), 3_600_000 - 20_000),
    ] {
        let mut lab = Lab::primed(settings.clone(), &[Filter::presence()]);
        lab.gap(lab.ms - 1, lab.ms);
        let (begin, call) = (lab.ms, lab.next_call().unwrap());
        let pair = header.map(|seconds| ("Retry-After", seconds));
        lab.answer_with(&call, status, pair.as_slice(), "{}");
        lab.answered("{}");
        // Others may wait for the same.
        assert!((wait..=wait + 20_000).contains(&(lab.ms - begin)), "{status} {header:?}: {}", lab.ms - begin);
        lab.filled();
    }
    // What an answer says is left.
    let mut lab = Lab::primed(settings, &[Filter::presence()]);
    lab.gap(lab.ms - 1, lab.ms);
    let (begin, call) = (lab.ms, lab.next_call().unwrap());
    lab.answer_with(&call, 200, &[("X-Rate-Limit-Remaining", "0"), ("X-Rate-Limit-Window", "20")], "{}");
    lab.filled();
    lab.gap(lab.ms - 1, lab.ms);
    lab.next_call().unwrap();
    assert_eq!(lab.ms - begin, 20_000);
}

#[test]
fn gaps_wait_for_their_turn_and_none_is_lost() {
    let mut lab = Lab::primed(quick(), &[Filter::sms()]);
    for n in 0..20 {
        lab.gap(DAY + n * 1000, DAY + n * 1000 + 500);
        assert_eq!(lab.filler.waiting() as u64, (n + 1).min(8));
    }
    lab.ms += 20_000;
    let mut covered = Vec::new();
    for _ in 0..8 {
        lab.answered(&synced(&[], "b", false));
        let filled = lab.filled();
        covered.push((filled.gap.since.0 - EPOCH - DAY, filled.gap.until.0 - EPOCH - DAY));
    }
    assert_eq!((covered[0], covered[6], covered[7]), ((0, 500), (6000, 6500), (7000, 19_500)));
    assert!(lab.next_call().is_none());
}

#[test]
fn nothing_is_asked_before_it_is_time_or_without_a_connection() {
    let settings = Backfill::new().settle(Duration::from_secs(10)).spread(Duration::from_secs(5));
    let mut lab = Lab::primed(settings, &[Filter::sms()]);
    lab.gap(DAY - 1, DAY);
    lab.filler.set_online(false);
    assert!(matches!(lab.step(), FillStep::Wait(None)));
    lab.filler.set_online(true);
    lab.next_call().unwrap();
    assert!((10_000..=15_000).contains(&(lab.ms - DAY)), "{}", lab.ms - DAY);
}

#[test]
fn a_gap_without_a_beginning_is_a_day_and_says_so() {
    let mut lab = Lab::primed(quick(), &[Filter::sms()]);
    let mut unknown = gap(0, DAY);
    unknown.since = UnixMillis(0);
    lab.filler.on_gap(unknown, Timestamp::from_millis(lab.ms));
    let full = lab.answered(&synced(&[sms(1, 10)], "b", false));
    assert!(full.contains(&format!("FSync&dateFrom={}", iso(0))), "{full}");
    let filled = lab.filled();
    assert!(!filled.complete && filled.unfilled.contains(&Unfilled::UnknownBegin(UnixMillis(EPOCH))));
    assert_eq!(ids(&filled), ["1"]);
}

#[test]
fn memory_is_bounded_and_says_when_it_does_not_suffice() {
    let mut lab = Lab::primed(quick().remember(3), &[Filter::sms()]);
    lab.gap(DAY - 5000, DAY);
    for n in 1..=5 {
        lab.filler.on_notification(&notified("message-store/instant", &sms(n, DAY - 6000 + n)), clock(lab.ms));
    }
    lab.answered(&synced(&[sms(1, DAY - 5999), sms(5, DAY - 5995)], "b", false));
    let filled = lab.filled();
    assert_eq!((ids(&filled), filled.may_repeat), (vec!["1"], true));
    // Records, by number and by bytes.
    for settings in [quick().most(2, usize::MAX), quick().most(usize::MAX, 2 * sms(1, DAY).len() + 10)] {
        let mut lab = Lab::primed(settings, &[Filter::sms()]);
        lab.gap(DAY - 5000, DAY);
        let records: Vec<_> = (1..=9).map(|n| sms(n, DAY - n)).collect();
        lab.answered(&synced(&records, "b", true));
        let filled = lab.filled();
        assert_eq!((filled.records.len(), filled.complete), (2, false));
        assert!(filled.unfilled.contains(&Unfilled::TooMany(RecordKind::Message)));
    }
    // What nobody will ask about is forgotten.
    let mut lab = Lab::primed(quick(), &[Filter::sms()]);
    for n in 0..200 {
        lab.filler.on_notification(&notified("message-store/instant", &sms(n, n * 60_000)), clock(n * 60_000));
    }
    assert_eq!(lab.filler.known.len(), 61);
}

#[test]
fn a_restart_goes_on_with_the_gap_and_the_limits() {
    let mut lab = Lab::primed(quick().calls_per_minute(CallGroup::Light, 1), &[Filter::sms()]);
    lab.filler.on_notification(&notified("message-store/instant", &sms(2, DAY - 100)), clock(lab.ms));
    lab.gap(DAY - 5000, DAY);
    let lost = lab.next_call().unwrap();
    let state = lab.filler.state(clock(lab.ms)).to_json();
    let state = BackfillState::from_json(&state).unwrap();
    let mut next = Lab { filler: GapFiller::restore(quick(), state.clone(), 1, clock(lab.ms)), ms: lab.ms };
    next.filler.set_online(true);
    assert_eq!(next.filler.state(clock(lab.ms)), state);
    next.answer(&lost, &synced(&[sms(9, DAY - 1)], "lost", false));
    let sync = next.answered(&synced(&[sms(1, DAY - 200), sms(2, DAY - 100)], "b", false));
    assert!(sync.contains("syncToken=first"));
    assert_eq!(ids(&next.filled()), ["1"]);
    let mut next = Lab {
        filler: GapFiller::restore(quick().calls_per_minute(CallGroup::Light, 1), state, 1, clock(lab.ms)),
        ms: lab.ms,
    };
    next.filler.set_online(true);
    next.next_call().unwrap();
    assert_eq!(next.ms - lab.ms, 61_000, "the call before counts still");
}

#[test]
fn other_filters_are_another_plan() {
    let mut lab = Lab::primed(quick(), &[Filter::sms()]);
    lab.gap(DAY - 5000, DAY);
    lab.filler.set_filters([Filter::fax().as_str()]);
    let full = lab.answered(&synced(&[sms(2, DAY - 1).replace("SMS", "Fax")], "c", false));
    assert!(full.contains("FSync") && full.contains("messageType=Fax"), "{full}");
    assert_eq!(ids(&lab.filled()), ["2"]);
    // Without filters nothing is known to be missing, and nothing waits.
    lab.filler.set_filters([]);
    lab.gap(DAY - 5000, DAY);
    let filled = lab.filled();
    assert!(filled.complete && filled.unfilled.is_empty());
    // As long as it is not known what they are, a gap waits.
    let mut filler = GapFiller::new(quick(), 1);
    filler.set_online(true);
    filler.on_gap(gap(DAY - 5000, DAY), Timestamp::from_millis(DAY));
    assert!(matches!(filler.poll(clock(DAY)), FillStep::Wait(None)) && !filler.knows_filters());
    let mut filler = GapFiller::restore(quick(), filler.state(clock(DAY)), 1, clock(DAY));
    filler.set_online(true);
    assert!(matches!(filler.poll(clock(DAY)), FillStep::Wait(None)));
    filler.set_filters([Filter::sms().as_str()]);
    assert!(matches!(filler.poll(clock(DAY)), FillStep::Call(_)));
}

// CLAUSE SEC-1
#[test]
fn what_is_printed_has_no_token() {
    let mut lab = Lab::primed(quick(), &[Filter::sms()]);
    lab.gap(DAY - 5000, DAY);
    let call = lab.next_call().unwrap();
    assert!(!format!("{call:?}").contains("first"), "{call:?}");
}
