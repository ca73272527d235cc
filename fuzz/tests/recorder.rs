//! What a flight recorder kept of simulated sessions is replayed: each output and each state must come again.

use ringcentral_ws_core::recorder::{Options, Recording, Replayed};
use ringcentral_ws_fuzz::{DAY, Recordings, simulate};

/// Runs sessions through faults and replays all that was recorded.
fn replay(seeds: std::ops::Range<u64>, options: Options, length: u64) -> (usize, Replayed) {
    let maker = Recordings::new(options);
    let (mut dumps, mut total) = (0, Replayed::default());
    for seed in seeds {
        let result = simulate(&maker, seed, length);
        assert!(result.is_ok(), "{result:?}");
        for dump in maker.take() {
            assert!(dump.len() <= options.limit);
            let recording = Recording::parse(&dump).unwrap_or_else(|error| panic!("seed {seed}: {error}\n{dump}"));
            let replayed = recording.replay().unwrap_or_else(|error| panic!("seed {seed}: {error}\n{dump}"));
            dumps += 1;
            total.inputs += replayed.inputs;
            total.outputs += replayed.outputs;
            total.checkpoints += replayed.checkpoints;
            total.skipped += replayed.skipped;
        }
    }
    println!("{dumps} recordings: {total:?}");
    (dumps, total)
}

#[test]
fn what_a_full_ring_holds_is_replayed() {
    let (dumps, total) = replay(0..240, Options::default(), DAY / 12);
    assert!(dumps > 400 && total.outputs > 50_000 && total.checkpoints > 300);
    assert_eq!(total.skipped, 0);
}

#[test]
fn a_whole_run_is_replayed_from_its_first_moment() {
    let options = Options { limit: 16 << 20, keep_bodies: true };
    let (_, total) = replay(1_000..1_060, options, DAY / 12);
    assert!(total.outputs > 50_000 && total.skipped == 0);
}

#[test]
fn the_smallest_ring_still_holds_something_to_replay() {
    let (_, total) = replay(2_000..2_060, Options::from(16 << 10), DAY / 8);
    assert!(total.outputs > 10_000);
}
