//! Every rule of PROTOCOL.md has tests, and names them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

type Tests = BTreeMap<String, BTreeSet<String>>;

fn files(dir: &Path, found: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(dir) else { return };
    for path in entries.map(|entry| entry.unwrap().path()) {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() && !matches!(&*name, "target" | "node_modules" | ".git") {
            files(&path, found);
        } else if path.extension().is_some_and(|e| e == "rs" || e == "txt") {
            found.push(path);
        }
    }
}

/// `CLAUSE REC-1, REC-2` and what stands after it that looks like more of them.
fn clauses(line: &str) -> Vec<String> {
    let Some((_, rest)) = line.split_once("CLAUSE ") else { return Vec::new() };
    let names = rest.split([',', ' ']).map(|word| word.trim_matches(|c: char| !c.is_ascii_alphanumeric()));
    names.filter(|word| is_clause(word)).map(str::to_owned).collect()
}

fn is_clause(word: &str) -> bool {
    word.split_once('-').is_some_and(|(group, n)| {
        (2..=3).contains(&group.len())
            && group.bytes().all(|b| b.is_ascii_uppercase())
            && !n.is_empty()
            && n.bytes().all(|b| b.is_ascii_digit())
    })
}

/// All markers of the workspace: rule to the names of its tests.
fn traced(root: &Path) -> Tests {
    let mut found = Vec::new();
    for dir in ["core", "api", "adapters", "benches", "fuzz", "gateway"] {
        files(&root.join(dir), &mut found);
    }
    let mut tests = Tests::new();
    for path in found {
        let Ok(text) = fs::read_to_string(&path) else { continue };
        let name = path.strip_prefix(root).unwrap().to_string_lossy().replace('\\', "/");
        let mut open: Vec<String> = Vec::new();
        for line in text.lines() {
            let line = line.trim_start();
            if line.starts_with("// ") || line.starts_with("# ") {
                open.extend(clauses(line));
            }
            let function = line.strip_prefix("fn ").or_else(|| line.strip_prefix("async fn "));
            if let Some(function) = function.filter(|_| !open.is_empty() && name.ends_with(".rs")) {
                let function = function.split(['(', '<']).next().unwrap();
                for clause in open.drain(..) {
                    tests.entry(clause).or_default().insert(format!("{name}: {function}"));
                }
            }
        }
        if name.ends_with(".txt") {
            for clause in open {
                tests.entry(clause).or_default().insert(name.clone());
            }
        }
    }
    tests
}

/// The document with its lists of tests written anew.
fn listed(document: &str, tests: &Tests) -> (String, Vec<String>) {
    let (mut text, mut rules) = (String::new(), Vec::new());
    let mut rule: Option<String> = None;
    let mut flush = |rule: &mut Option<String>, text: &mut String| {
        if let Some(name) = rule.take() {
            let all: Vec<String> = tests.get(&name).into_iter().flatten().map(|t| format!("`{t}`")).collect();
            text.push_str(&format!("  \u{25b8} {}\n", all.join(", ")));
            rules.push(name);
        }
    };
    for line in document.lines() {
        let start = line.strip_prefix("- **").and_then(|rest| rest.split_once("**")).map(|(name, _)| name);
        if start.is_some() || line.is_empty() {
            flush(&mut rule, &mut text);
        }
        rule = start.filter(|name| is_clause(name)).map(str::to_owned).or(rule);
        if !line.starts_with("  \u{25b8}") {
            text.push_str(line);
            text.push('\n');
        }
    }
    flush(&mut rule, &mut text);
    (text, rules)
}

#[test]
fn every_rule_names_its_tests() {
    let core = Path::new(env!("CARGO_MANIFEST_DIR"));
    let tests = traced(core.parent().unwrap());
    let path = core.join("PROTOCOL.md");
    let document = fs::read_to_string(&path).unwrap();
    let (written, rules) = listed(&document, &tests);
    if std::env::var_os("UPDATE_PROTOCOL").is_some() {
        fs::write(&path, &written).unwrap();
    }
    assert!(rules.len() >= 69, "only {} rules found", rules.len());
    let bare: Vec<_> = rules.iter().filter(|rule| !tests.contains_key(*rule)).collect();
    assert!(bare.is_empty(), "{} of {} rules have no test: {bare:?}", bare.len(), rules.len());
    let unknown: Vec<_> = tests.keys().filter(|name| !rules.contains(name)).collect();
    assert!(unknown.is_empty(), "tests name rules that do not exist: {unknown:?}");
    assert!(
        document == written || std::env::var_os("UPDATE_PROTOCOL").is_some(),
        "the lists of tests are not up to date: UPDATE_PROTOCOL=1 writes them anew"
    );
}
