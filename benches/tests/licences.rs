//! Every dependency may be used under MIT OR Apache-2.0, comes from a registry, and core stays small.

use std::collections::BTreeSet;
use std::process::Command;

use serde_json::Value;

const ALLOWED: &[&str] = &[
    "MIT",
    "MIT-0",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "ISC",
    "Unicode-3.0",
    "Zlib",
    "CDLA-Permissive-2.0",
    "Unlicense",
    "0BSD",
];

fn metadata() -> Value {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".into());
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.toml");
    let args = ["metadata", "--format-version", "1", "--locked", "--all-features", "--manifest-path", manifest];
    let output = Command::new(cargo).args(args).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// `A AND (B OR C)`: every part of an `AND` has one allowed choice.
fn is_allowed(expression: &str) -> bool {
    let expression = expression.replace('/', " OR ");
    expression
        .split(" AND ")
        .all(|part| part.split(" OR ").any(|choice| ALLOWED.contains(&choice.trim().trim_matches(['(', ')']).trim())))
}

#[test]
fn licences_are_compatible() {
    let metadata = metadata();
    let packages = metadata["packages"].as_array().unwrap();
    assert!(packages.len() > 50);
    for package in packages {
        let name = package["name"].as_str().unwrap();
        let licence = package["license"].as_str().unwrap_or("none");
        assert!(is_allowed(licence), "{name}: {licence}");
        let source = package["source"].as_str().unwrap_or("path");
        assert!(source == "path" || source.starts_with("registry+"), "{name} comes from {source}");
    }
}

#[test]
fn core_depends_on_little_and_nothing_asynchronous() {
    let metadata = metadata();
    let packages = metadata["packages"].as_array().unwrap();
    let core = packages.iter().find(|p| p["name"] == "ringcentral-ws-core").unwrap();
    let normal = core["dependencies"].as_array().unwrap().iter().filter(|d| d["kind"].is_null());
    let names: BTreeSet<&str> = normal.map(|d| d["name"].as_str().unwrap()).collect();
    assert_eq!(
        names,
        BTreeSet::from(["bytes", "data-encoding", "http", "httpdate", "serde", "serde_json", "sha2", "url"])
    );
}

#[test]
fn licence_expressions_are_read_as_written() {
    assert!(is_allowed("MIT/Apache-2.0") && is_allowed("(MIT OR GPL-3.0) AND Unicode-3.0"));
    assert!(!is_allowed("GPL-3.0") && !is_allowed("MIT AND GPL-3.0") && !is_allowed("none"));
}
