use super::*;

fn at(s: u64) -> Timestamp {
    Timestamp::from_secs(s)
}

fn context(policy: &RetryPolicy) -> RetryContext<'_> {
    RetryContext {
        policy,
        attempt: 0,
        cost: Cost::None,
        recent: true,
        window: None,
        held: Planned { at: Timestamp::ZERO, reason: WaitReason::RetryAfter },
        attempts: None,
        calls: None,
    }
}

/// The least and the most delay in milliseconds, of many draws.
fn range(context: RetryContext<'_>, cause: &Cause, now: Timestamp) -> (u64, u64) {
    let mut rng = Rng::new(1);
    let delays: Vec<u64> = (0..4_000)
        .map(|_| context.next_attempt(cause, &mut rng, now).at.since(now).as_micros() as u64 / 1_000)
        .collect();
    (*delays.iter().min().unwrap(), *delays.iter().max().unwrap())
}

#[track_caller]
fn within(found: (u64, u64), least: u64, most: u64) {
    let slack = (most - least) / 50;
    let fits = found.0 >= least && found.1 <= most && found.0 <= least + slack && found.1 + slack >= most;
    assert!(fits, "{found:?} is not all of {least} to {most}");
}

// CLAUSE BCK-1
#[test]
fn the_first_delay_depends_on_the_cause() {
    let policy = RetryPolicy::default();
    within(range(context(&policy), &Cause::SocketLost, at(0)), 0, 2_000);
    within(range(context(&policy), &Cause::ServerClosed { code: None }, at(0)), 0, 5_000);
}

// CLAUSE BCK-1 BCK-2
#[test]
fn what_never_left_is_tried_again_soon_and_later_less_often() {
    let policy = RetryPolicy::default();
    let local = RetryContext { attempt: 7, cost: Cost::Local, ..context(&policy) };
    within(range(local, &Cause::SocketLost, at(0)), 1_800, 4_500);
    within(range(RetryContext { recent: false, ..local }, &Cause::SocketLost, at(0)), 8_000, 16_000);
}

// CLAUSE BCK-1
#[test]
fn what_costs_calls_is_tried_less_and_less_often_up_to_a_limit() {
    let policy = RetryPolicy::default();
    let after = |attempt| {
        let context = RetryContext { attempt, cost: Cost::Call, ..context(&policy) };
        range(context, &Cause::SocketLost, at(0))
    };
    within(after(1), 3_500, 4_500);
    within(after(2), 7_000, 9_000);
    within(after(3), 10_500, 13_500);
    within(after(u32::MAX), 10_500, 13_500);
}

// CLAUSE BCK-2 TOK-2
#[test]
fn the_calls_left_are_spread_over_the_minute() {
    let policy = RetryPolicy::default();
    let mut calls = Budget::new(5);
    [1, 5, 13].into_iter().for_each(|s| calls.take(at(s)));
    let context = RetryContext { attempt: 3, cost: Cost::Call, calls: Some(&calls), ..context(&policy) };
    // Two more, and the first is free again at 61 s.
    within(range(context, &Cause::SocketLost, at(13)), 15_360, 16_640);
}

// CLAUSE BCK-1
#[test]
fn who_waits_for_the_same_moment_does_not_leave_it_together() {
    let policy = RetryPolicy::default();
    let context = RetryContext { held: Planned { at: at(30), reason: WaitReason::RetryAfter }, ..context(&policy) };
    within(range(context, &Cause::SocketLost, at(0)), 30_000, 31_500);
    let mut rng = Rng::new(3);
    assert_eq!(context.next_attempt(&Cause::SocketLost, &mut rng, at(0)).reason, WaitReason::RetryAfter);
}

// CLAUSE BCK-2
#[test]
fn a_try_falls_before_each_end_of_the_window() {
    let policy = RetryPolicy::default();
    let window = Some(Window { first: at(160), last: at(180) });
    let base = RetryContext { attempt: 9, cost: Cost::Local, recent: false, window, ..context(&policy) };
    for (now, least, most) in [(152, 155, 160), (174, 175, 180)] {
        let mut rng = Rng::new(now);
        let mut last = at(0);
        for _ in 0..2_000 {
            let next = base.next_attempt(&Cause::SocketLost, &mut rng, at(now));
            assert!(next.at > at(least) && next.at < at(most), "{next:?}");
            last = last.max(next.at);
        }
        assert!(last > at(most).before(Duration::from_secs(1)) && last <= at(most).before(policy.last_chance / 8));
    }
}

// CLAUSE BCK-2 BCK-3 TOK-2
#[test]
fn a_call_is_kept_for_the_end_of_the_window() {
    let policy = RetryPolicy::default();
    for seed in 0..500 {
        let (mut rng, mut calls, mut now) = (Rng::new(seed), Budget::new(5), at(0));
        let first = at(150 + seed % 30).after(rng.up_to(Duration::from_secs(1)));
        let window = Window { first, last: at(180) };
        let (mut tries, mut attempt) = (vec![], 1);
        while now < at(180) {
            let context = RetryContext {
                attempt,
                cost: Cost::Call,
                window: Some(window),
                calls: Some(&calls),
                ..context(&policy)
            };
            now = context.next_attempt(&Cause::SocketLost, &mut rng, now).at;
            assert_eq!(calls.earliest(now), now, "seed {seed}: {tries:?}");
            calls.take(now);
            tries.push(now);
            attempt += 1;
        }
        for end in [first, at(180)] {
            let stretch = end.before(policy.last_chance)..end.before(Duration::from_millis(500));
            assert!(tries.iter().any(|at| stretch.contains(at)), "seed {seed}, end {end}: {tries:?}");
        }
        let longest = tries.windows(2).map(|pair| pair[1].since(pair[0])).max().unwrap();
        assert!(longest < Duration::from_secs(20), "seed {seed}: {longest:?} in {tries:?}");
    }
}

// CLAUSE BCK-2 BCK-3
#[test]
fn the_last_stretch_does_not_eat_the_attempts() {
    let policy = RetryPolicy::default();
    let window = Some(Window { first: at(180), last: at(180) });
    for seed in 0..2_000 {
        let (mut rng, mut now) = (Rng::new(seed), at(175));
        let mut tries = 0;
        while now < at(180) {
            let context = RetryContext { attempt: 9, cost: Cost::Local, window, ..context(&policy) };
            now = context.next_attempt(&Cause::SocketLost, &mut rng, now).at;
            tries += 1;
        }
        assert!(tries <= 3, "{tries}");
    }
}

#[test]
fn no_setting_makes_a_plan_panic() {
    for length in [Duration::ZERO, Duration::from_nanos(1), Duration::MAX] {
        let policy = RetryPolicy {
            socket_lost: length,
            server_closed: length,
            unsent: length,
            unsent_later: length,
            base: length,
            max: length,
            last_chance: length,
            ..RetryPolicy::default()
        };
        let calls = Budget::new(1);
        for cost in [Cost::None, Cost::Local, Cost::Call] {
            for attempt in [0, 1, 31, 32, u32::MAX] {
                let window = Some(Window { first: at(1), last: at(2) });
                let context = RetryContext { attempt, cost, window, calls: Some(&calls), ..context(&policy) };
                let _ = context.next_attempt(&Cause::SocketLost, &mut Rng::new(1), at(1));
                let _ = context.attempt_deadline(at(9), at(0));
            }
        }
    }
}

// CLAUSE BCK-1 BCK-2
#[test]
fn only_the_first_try_after_a_loss_goes_before_the_call_that_is_kept() {
    let policy = RetryPolicy::default();
    let calls = Budget::new(1);
    let window = Some(Window { first: at(60), last: at(60) });
    for (cost, attempt, kept) in
        [(Cost::None, 0, false), (Cost::None, 1, true), (Cost::Call, 0, true), (Cost::Local, 1, false)]
    {
        let context = RetryContext { cost, attempt, window, calls: Some(&calls), ..context(&policy) };
        let next = context.next_attempt(&Cause::SocketLost, &mut Rng::new(1), at(10));
        assert_eq!(next.reason == WaitReason::LastChance, kept, "{cost:?} {attempt}: {next:?}");
    }
}
