//! Replays the corpus of every fuzz target, on stable.

use std::fs;
use std::path::Path;

use ringcentral_ws_fuzz::{Rng, targets};

type Target = fn(&[u8]);

#[test]
fn the_corpus_is_clean() {
    let targets: [(&str, Target); 9] = [
        ("frame", targets::frame),
        ("session", targets::session),
        ("heal", targets::heal),
        ("metamorphic", targets::metamorphic),
        ("snapshot", targets::snapshot),
        ("differential", targets::differential),
        ("driver", targets::driver),
        ("recording", targets::recording),
        ("below", targets::below),
    ];
    for (name, target) in targets {
        let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(name);
        let mut files: Vec<_> = fs::read_dir(&dir).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.sort();
        assert!(!files.is_empty(), "{name} has no corpus");
        for file in files {
            println!("{}", file.display());
            target(&fs::read(&file).unwrap());
        }
    }
}

/// Random bytes are poor fuzzing, but they cost nothing and need no nightly.
#[test]
fn random_operations_are_clean() {
    let mut rng = Rng::new(1);
    for round in 0..1_500 {
        let bytes = rng.bytes(round % 400);
        targets::session(&bytes);
        targets::heal(&bytes);
        targets::metamorphic(&bytes);
        targets::recording(&bytes);
    }
}

#[test]
fn random_lives_of_the_driver_are_clean() {
    let mut rng = Rng::new(7);
    for round in 0..300 {
        let bytes = rng.bytes(round % 150);
        targets::driver(&bytes);
    }
}
