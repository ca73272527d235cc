//! The parser's unit tests read the samples; this makes sure that they read all of them.

use std::fs;
use std::path::Path;

// CLAUSE FRM-2
#[test]
fn every_fixture_is_tested() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let tests = fs::read_to_string(root.join("src/wire/mod.rs")).unwrap();
    let names: Vec<String> = fs::read_dir(root.join("tests/fixtures"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert!(!names.is_empty());
    for name in names {
        assert!(tests.contains(&format!("\"{name}\",")), "{name} is not in SAMPLES");
    }
}
