//! What an adapter brings into a program: one runtime at most, and the right one.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

/// The packages that a package's library depends on, with the features that are on.
fn tree(package: &str) -> BTreeSet<(String, String)> {
    tree_with(&[package])
}

/// The same with more arguments behind the package's name.
fn tree_with(package: &[&str]) -> BTreeSet<(String, String)> {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/../../Cargo.toml");
    let args = ["tree", "--locked", "-e", "normal", "--prefix", "none", "-f", "{p}|{f}", "--manifest-path", manifest];
    let output = Command::new(cargo).args(args).arg("-p").args(package).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let line = |line: &str| {
        let (package, features) = line.split_once('|')?;
        let features = features.split(' ').next().unwrap_or_default();
        Some((package.split(' ').next()?.to_owned(), features.to_owned()))
    };
    text.lines().filter_map(line).collect()
}

fn names(tree: &BTreeSet<(String, String)>) -> BTreeSet<&str> {
    tree.iter().map(|(name, _)| name.as_str()).collect()
}

#[test]
fn smol_and_async_std_bring_no_tokio_but_what_hyper_locks_with() {
    for package in ["ringcentral-ws-smol", "ringcentral-ws-async-std", "ringcentral-ws-driver"] {
        let tree = tree(package);
        for (name, features) in &tree {
            assert!(!name.starts_with("tokio-"), "{package} brings {name}");
            if name == "tokio" {
                let on: BTreeSet<&str> = features.split(',').filter(|feature| !feature.is_empty()).collect();
                assert!(on.is_subset(&BTreeSet::from(["default", "sync"])), "{package} brings tokio with {features}");
            }
        }
        assert!(package != "ringcentral-ws-smol" || !names(&tree).contains("async-std"));
    }
}

#[test]
fn blocking_and_core_bring_nothing_asynchronous() {
    let asynchronous = |name: &&str| {
        let known = ["tokio", "smol", "hyper", "async-std", "polling"];
        name.starts_with("futures") || name.starts_with("async-") || name.starts_with("tokio-") || known.contains(name)
    };
    for package in [
        &["ringcentral-ws-blocking"][..],
        &["ringcentral-ws-adapter"],
        &["ringcentral-ws-core"],
        &["ringcentral-ws", "--no-default-features", "--features", "blocking"],
    ] {
        let tree = tree_with(package);
        let found: Vec<&str> = names(&tree).into_iter().filter(asynchronous).collect();
        assert!(tree.len() > 5 && found.is_empty(), "{package:?} brings {found:?}");
    }
}

#[test]
fn nothing_but_its_adapter_brings_async_std() {
    for package in ["-core", "-adapter", "-driver", "-tokio", "-smol", "-blocking", "-gateway", ""] {
        assert!(!names(&tree(&format!("ringcentral-ws{package}"))).contains("async-std"), "{package}");
    }
}

/// What is not said in a manifest: the driver's code asks for no runtime, and a runtime is little code.
#[test]
fn the_driver_knows_no_runtime_and_a_runtime_is_small() {
    let adapters = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut folders = vec![adapters.join("driver/src"), adapters.join("common/src")];
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { folders.push(path) } else { files.push(path) }
        }
    }
    assert!(files.len() > 20);
    for file in files {
        for line in std::fs::read_to_string(&file).unwrap().lines().filter(|line| line.contains("cfg(")) {
            for runtime in ["tokio", "smol", "async-std", "async_std"] {
                assert!(!line.contains(runtime), "{}: {line}", file.display());
            }
        }
    }
    for runtime in ["tokio", "smol", "async-std"] {
        let sources: Vec<_> = std::fs::read_dir(adapters.join(runtime).join("src")).unwrap().collect();
        assert_eq!(sources.len(), 1, "{runtime}");
        let source = std::fs::read_to_string(sources[0].as_ref().unwrap().path()).unwrap();
        let is_code = |line: &&str| !line.trim().is_empty() && !line.trim().starts_with("//");
        let lines = source.lines().filter(is_code).count();
        assert!(lines <= 100, "{runtime} has {lines} lines of code");
    }
}
