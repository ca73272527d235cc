//! Replays the corpus of every fuzz target, on stable.

use std::fs;
use std::path::Path;

use ringcentral_ws_fuzz::targets;

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
    let mut state = 1u64;
    for round in 0..1_500u64 {
        let bytes: Vec<u8> = (0..round % 400)
            .map(|_| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                (state >> 56) as u8
            })
            .collect();
        targets::session(&bytes);
        targets::heal(&bytes);
        targets::metamorphic(&bytes);
        targets::recording(&bytes);
    }
}

#[test]
fn random_lives_of_the_driver_are_clean() {
    let mut state = 7u64;
    for round in 0..300u64 {
        let bytes: Vec<u8> = (0..round % 150)
            .map(|_| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                (state >> 56) as u8
            })
            .collect();
        targets::driver(&bytes);
    }
}
