//! What goes wrong in a run: cut connections, a server without memory, servers that are away.

use std::sync::atomic::Ordering::Relaxed;
use std::time::Instant;

use super::Failure;
use super::process::StandIn;
use super::run::{Run, share};

/// Cuts after which a session has all that it keeps of its past: the last 16 secrets, among them a token of each
/// connection.
const FIRST_CUTS: usize = 40;

/// The connections are cut; the servers keep everything. All sessions continue, and nothing is lost.
pub(super) fn cut(run: &mut Run<'_>) -> Result<(), Failure> {
    run.arrivals()?;
    let (all, gaps, recovered) = (run.all(), run.seen.gaps.load(Relaxed), run.seen.recovered.load(Relaxed));
    let began = Instant::now();
    cut_once(run, true)?;
    let time = began.elapsed();
    run.show_causes("cut");
    run.report.add("cut_s", "cut, until all are back (s)", time.as_secs_f64(), 1);
    let arrivals = run.arrivals()?;
    let worst = share(arrivals.worst(|counts| counts.connections), all);
    run.report.limited("cut_worst", "cut, connections in the worst 100 ms (%)", (worst, 10.0), 1);
    let recovered = run.seen.recovered.load(Relaxed) - recovered;
    run.report.add("cut_recovered", "cut, sessions continued", recovered as f64, 0);
    let gaps = run.seen.gaps.load(Relaxed) - gaps;
    run.report.add("cut_gaps", "cut, gaps", gaps as f64, 0);
    if recovered < all {
        run.report.wrong(format!("after a cut {recovered} of {all} sessions continued"));
    }
    let names = ["heap, 2 s after a reconnect (B)", "RSS, 2 s after a reconnect (B)"];
    run.memory(["heap_reconnect", "rss_reconnect"], names)
}

/// All connections are cut and come back. `notify`: something is sent meanwhile.
fn cut_once(run: &mut Run<'_>, notify: bool) -> Result<(), Failure> {
    let (all, lost, connected) = (run.all(), run.seen.lost.load(Relaxed), run.seen.connected.load(Relaxed));
    run.ask("cut")?;
    if notify {
        run.notify_and_await("cut")?;
    }
    run.until("cut", |seen| {
        let are_back = seen.connected.load(Relaxed) >= connected + all && seen.ready.load(Relaxed) >= all;
        are_back && seen.lost.load(Relaxed) >= lost + all
    })?;
    Ok(())
}

/// The servers forget the WebSocket sessions; logins stay good.
pub(super) fn forget(run: &mut Run<'_>) -> Result<(), Failure> {
    run.pause(run.options.pause, "pause")?;
    run.arrivals()?;
    let (all, gaps, lost) = (run.all(), run.seen.gaps.load(Relaxed), run.seen.lost.load(Relaxed));
    let began = Instant::now();
    run.ask("forget")?;
    run.notify(1)?;
    run.until("forgotten", |seen| seen.lost.load(Relaxed) >= lost + all && seen.ready.load(Relaxed) >= all)?;
    let time = began.elapsed();
    run.show_causes("forgotten");
    run.report.limited("forget_s", "sessions forgotten, until all are back (s)", (time.as_secs_f64(), 30.0), 1);
    let worst = share(run.arrivals()?.worst(|counts| counts.connections), all);
    run.report.limited("forget_worst", "sessions forgotten, connections in the worst 100 ms (%)", (worst, 10.0), 1);
    run.notify_and_await("forgotten")?;
    let gaps = run.seen.gaps.load(Relaxed) - gaps;
    run.report.add("forget_gaps", "sessions forgotten, gaps", gaps as f64, 0);
    if gaps < all {
        run.report.wrong(format!("{all} sessions were forgotten, and {gaps} gaps came"));
    }
    Ok(())
}

/// The processes of the servers are killed and start again without any memory: sessions and logins are gone.
pub(super) fn restart(run: &mut Run<'_>) -> Result<(), Failure> {
    run.pause(run.options.pause, "pause")?;
    let (all, gaps, lost) = (run.all(), run.seen.gaps.load(Relaxed), run.seen.lost.load(Relaxed));
    run.stand_ins.iter_mut().for_each(StandIn::kill);
    run.pause(run.options.down, "away")?;
    for number in 0..run.stand_ins.len() {
        run.seed += 1;
        let again = run.stand_ins[number].start_again(run.seed)?;
        run.report.stand_in(again.id());
        run.stand_ins[number] = again;
    }
    let began = Instant::now();
    run.until("restart", |seen| seen.lost.load(Relaxed) >= lost + all && seen.ready.load(Relaxed) >= all)?;
    let time = began.elapsed();
    run.show_causes("restart");
    run.report.limited("restart_s", "restart, from the return until all are back (s)", (time.as_secs_f64(), 30.0), 1);
    let arrivals = run.arrivals()?;
    let worst = share(arrivals.worst(|counts| counts.connections), all);
    run.report.limited("restart_worst", "restart, connections in the worst 100 ms (%)", (worst, 10.0), 1);
    let calls = share(arrivals.worst(|counts| counts.calls), all);
    run.report.add("restart_calls", "restart, calls for tokens in the worst 100 ms (% of the sessions)", calls, 1);
    run.notify_and_await("restart")?;
    let gaps = run.seen.gaps.load(Relaxed) - gaps;
    run.report.add("restart_gaps", "restart, gaps", gaps as f64, 0);
    if gaps < all {
        run.report.wrong(format!("{all} sessions were lost with the servers, and {gaps} gaps came"));
    }
    let names = ["heap, 2 s after the restart (B)", "RSS, 2 s after the restart (B)"];
    run.memory(["heap_restart", "rss_restart"], names)
}

/// All connections are cut again and again; memory and descriptors do not grow.
pub(super) fn reconnects(run: &mut Run<'_>) -> Result<(), Failure> {
    let (all, wanted) = (run.all(), run.options.reconnects);
    if wanted == 0 {
        return Ok(());
    }
    for _ in 0..if run.options.is_quick { 2 } else { FIRST_CUTS } {
        cut_once(run, true)?;
    }
    let names = ["heap, 2 s after the first 40 reconnects (B)", "RSS, 2 s after the first 40 reconnects (B)"];
    run.memory(["heap_reconnects", "rss_reconnects"], names)?;
    let before = run.usage()?;
    let (connected, began) = (run.seen.connected.load(Relaxed), Instant::now());
    while run.seen.connected.load(Relaxed) - connected < wanted {
        cut_once(run, true)?;
    }
    let (time, done) = (began.elapsed().as_secs_f64(), run.seen.connected.load(Relaxed) - connected);
    run.pause(run.options.settle, "reconnects")?;
    let after = run.usage()?;
    let growth = |before: usize, after: usize| 100.0 * (after as f64 - before as f64) / before as f64;
    run.report.add("reconnects", "reconnects in a row", done as f64, 0);
    run.report.add("reconnects_s", "reconnects per second", done as f64 / time, 0);
    let heap = growth(before.heap, after.heap);
    run.report.limited("reconnects_heap", "reconnects, growth of the heap of the process (%)", (heap, 5.0), 2);
    run.report.add("reconnects_rss", "reconnects, growth of its RSS (%)", growth(before.rss, after.rss), 2);
    let (before, after) = (before.descriptors, after.descriptors);
    run.report.add("reconnects_descriptors", "reconnects, more descriptors", after as f64 - before as f64, 0);
    if after > before + all / 20 {
        run.report.wrong(format!("{before} descriptors became {after} over the reconnects"));
    }
    Ok(())
}
