//! Many sessions in virtual time: nothing may be violated.

use ringcentral_ws_fuzz::{DAY, Maker, Plain, Report, WithContract, simulate};

fn run<M: Maker + Clone>(maker: &M, seeds: std::ops::Range<u64>, length: u64) -> Report {
    let mut total = Report::default();
    for seed in seeds {
        match simulate(maker, seed, length) {
            Ok(report) => total += &report,
            Err(failure) => panic!("{failure}"),
        }
    }
    println!("{total}");
    total
}

#[test]
fn days_of_faults_break_no_promise() {
    let total = run(&Plain, 0..120, DAY);
    // The run is worth something only if all this happened.
    assert!(total.days() >= 120.0 && total.recoveries > 100 && total.recoveries_failed > 50);
    assert!(total.notifications.delivered > 10_000 && total.notifications.covered > 50);
}

#[test]
fn the_contract_holds_meanwhile() {
    run(&WithContract, 100_000..100_080, DAY / 4);
}

// A gap in the time of a clock that had gone back was held against true time.
#[test]
fn a_clock_that_went_back_dates_a_gap_in_its_own_time() {
    for seed in [8_002_505, 8_007_611, 9_001_767, 40_288_927] {
        run(&Plain, seed..seed + 1, DAY);
    }
}

// The application hears of a refusal some moments after it was decided: what was made between them is not owed.
#[test]
fn what_is_made_while_a_refusal_waits_to_be_drained_is_not_owed() {
    run(&Plain, 9_001_704..9_001_705, DAY);
}

// The access tokens expired again while a request was repeated with a new one.
#[test]
fn a_request_that_was_unauthorized_twice_never_counted_as_arrived() {
    run(&Plain, 9_310_445..9_310_446, DAY);
}

// A session whose outputs waited refused to recover, and the application never asked again.
#[test]
fn an_application_repeats_what_was_refused_for_now() {
    run(&Plain, 20_096_188..20_096_189, DAY);
}

// What a life before the crash had got and not written down came again behind newer ones, in a longer replay.
#[test]
fn what_was_not_written_down_may_come_again_behind_newer_ones() {
    run(&Plain, 20_180_438..20_180_439, DAY);
}

// A process went on with what an orderly end had written down, received, and crashed before it wrote anything itself.
#[test]
fn what_an_orderly_end_wrote_down_is_replaced_at_once() {
    run(&Plain, 20_203_624..20_203_625, DAY);
}

// Two endings were a minute apart by a clock that had gone back between them: for the session they were no series.
#[test]
fn endings_are_counted_by_the_clock_of_the_session() {
    for seed in [50_007_173, 50_011_492] {
        run(&Plain, seed..seed + 1, DAY);
    }
}

// What a life before the crash had to know of another client, the next one cannot know; and a driver that drains late
// got refusals when the session had dropped the connection already.
#[test]
fn a_process_answers_for_what_it_received() {
    for seed in [50_013_834, 51_015_778] {
        run(&Plain, seed..seed + 1, DAY);
    }
}

// Another client was said to take a session whose connection the server had ended already. It would have got all that
// waited there, and not only what came later.
#[test]
fn only_sessions_with_a_live_connection_are_taken() {
    run(&Plain, 91_020_795..91_020_796, DAY);
}

// A process was suspended before it carried out what its session had decided. The session counts a call when it decides it,
// which may also have been after the sleep.
#[test]
fn a_call_counts_when_it_is_decided() {
    for seed in [93_111_009, 94_159_974] {
        run(&Plain, seed..seed + 1, DAY);
    }
}

// The call of a renewal was answered 401 after its connection was gone. It was repeated with another login during the wait
// that the session had announced, and that was no end of this wait.
#[test]
fn a_wait_stays_announced_while_a_call_is_repeated() {
    run(&Plain, 93_112_752..93_112_753, DAY);
}

// A busy day: each of its 351,737 notifications was a step, and it was taken for one that goes in circles.
#[test]
fn a_busy_day_is_no_circle() {
    run(&Plain, 95_117_153..95_117_154, DAY);
}
