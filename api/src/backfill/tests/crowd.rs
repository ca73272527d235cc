//! Several clients of one user fill their gaps behind one rate limit.

use ringcentral_ws_core::Unfilled;

use super::*;

/// A limit that somebody else has used up: a minute of refusals, which each call within it begins anew.
struct Penalty {
    until: u64,
}

impl Penalty {
    fn admits(&mut self, ms: u64) -> bool {
        let admits = ms >= self.until;
        if !admits {
            self.until = ms + 60_000;
        }
        admits
    }
}

/// What these clients, whose gaps begin one after the other within a minute, could not fetch; and how long it took, in
/// seconds.
fn fill_all(clients: u64, seed: u64) -> (usize, u64) {
    let day = 86_400_000;
    let mut penalty = Penalty { until: day + 60_000 };
    let mut crowd: Vec<(Lab, bool)> = (0..clients)
        .map(|n| {
            let mut lab = Lab::primed_with(quick(), &[Filter::sms()], seed * 100 + n);
            lab.ms = day + 60_000 / clients * n;
            lab.filler.on_gap(gap(lab.ms - 600_000, lab.ms), clock(lab.ms).now);
            (lab, false)
        })
        .collect();
    let mut missing = 0;
    while let Some((lab, is_done)) = crowd.iter_mut().filter(|(_, is_done)| !is_done).min_by_key(|(lab, _)| lab.ms) {
        match lab.step() {
            FillStep::Wait(Some(at)) => lab.ms = at.as_micros().div_ceil(1000).max(lab.ms + 1),
            FillStep::Wait(None) => panic!("it waits for nothing"),
            FillStep::Filled(filled) => {
                missing += filled.unfilled.iter().filter(|what| matches!(what, Unfilled::Failed { .. })).count();
                *is_done = true;
            }
            FillStep::Call(call) if penalty.admits(lab.ms) => {
                let time = iso(lab.ms);
                lab.answer(
                    &call,
                    &format!(r#"{{"records":[],"syncInfo":{{"syncToken":"next","syncTime":"{time}"}}}}"#),
                );
            }
            FillStep::Call(call) => lab.answer_with(&call, 429, &[], "{}"),
        }
    }
    (missing, crowd.iter().map(|(lab, _)| lab.ms - day).max().unwrap_or(0) / 1000)
}

#[test]
fn clients_of_one_user_fill_their_gaps_though_they_share_a_penalty() {
    for (clients, half, most) in [(1, 90, 90), (2, 400, 1800), (3, 700, 3000)] {
        let mut times: Vec<u64> = (0..40)
            .map(|seed| {
                let (missing, seconds) = fill_all(clients, seed);
                assert_eq!(missing, 0, "{clients} clients, seed {seed}");
                seconds
            })
            .collect();
        times.sort_unstable();
        assert!(times[20] <= half && times[39] <= most, "{clients} clients: {times:?}");
    }
}
