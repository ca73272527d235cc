//! Every rule of PROTOCOL.md has tests, PROTOCOL_TESTS.md lists them, and comments name no other rules. The paths of
//! CONTRIBUTING.md exist.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

type Tests = BTreeMap<String, BTreeSet<String>>;

const HEAD: &str = "\
# The tests of each rule

A test belongs to a rule of [PROTOCOL.md](PROTOCOL.md) if `CLAUSE` and the rule's name stand in a comment before the test,
or in a transcript. This file is written by

    UPDATE_PROTOCOL=1 cargo test -p ringcentral-ws-core --test protocol

Without the variable that test fails if a list here is out of date, if a rule has no test, or if a test or a comment names
a rule that does not exist.
";

/// The folders of the workspace whose tests and comments count.
const FOLDERS: &[&str] = &["core", "api", "adapters", "benches", "fuzz", "gateway"];

struct Source {
    name: String,
    text: String,
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut found = Vec::new();
    for folder in FOLDERS {
        files(&root.join(folder), &mut found);
    }
    let source = |path: &PathBuf| {
        let name = path.strip_prefix(root).unwrap().to_string_lossy().replace('\\', "/");
        Some(Source { name, text: fs::read_to_string(path).ok()? })
    };
    found.iter().filter_map(source).collect()
}

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

/// The rules in their order: each has a heading of its own, which is what links point to.
fn rules() -> Vec<String> {
    let document = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("PROTOCOL.md")).unwrap();
    document.lines().filter_map(|line| line.strip_prefix("### ")).map(str::to_owned).collect()
}

/// `REC-1`: letters, and a number below 100. Codes of the server have three digits.
fn is_rule(word: &str) -> bool {
    word.split_once('-').is_some_and(|(group, n)| {
        (2..=3).contains(&group.len())
            && group.bytes().all(|b| b.is_ascii_uppercase())
            && (1..=2).contains(&n.len())
            && n.bytes().all(|b| b.is_ascii_digit())
    })
}

/// The rules that a line names.
fn named(line: &str) -> impl Iterator<Item = &str> {
    line.split(|c: char| !c.is_ascii_alphanumeric() && c != '-').filter(|word| is_rule(word))
}

/// `CLAUSE REC-1, REC-2` and what stands after it that looks like more of them.
fn clauses(line: &str) -> impl Iterator<Item = &str> {
    line.split_once("CLAUSE ").into_iter().flat_map(|(_, rest)| named(rest))
}

/// All markers of the workspace: rule to the names of its tests.
fn traced(sources: &[Source]) -> Tests {
    let mut tests = Tests::new();
    for Source { name, text } in sources {
        let mut open: Vec<String> = Vec::new();
        for line in text.lines() {
            let line = line.trim_start();
            if line.starts_with("// ") || line.starts_with("# ") {
                open.extend(clauses(line).map(str::to_owned));
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

#[test]
fn every_rule_names_its_tests() {
    let (rules, tests) = (rules(), traced(&sources()));
    assert!(rules.len() >= 79 && rules.iter().all(|rule| is_rule(rule)), "{} rules: {rules:?}", rules.len());
    let bare: Vec<_> = rules.iter().filter(|rule| !tests.contains_key(*rule)).collect();
    assert!(bare.is_empty(), "{} of {} rules have no test: {bare:?}", bare.len(), rules.len());
    let unknown: Vec<_> = tests.keys().filter(|name| !rules.contains(name)).collect();
    assert!(unknown.is_empty(), "tests name rules that do not exist: {unknown:?}");

    let mut written = HEAD.to_owned();
    for rule in &rules {
        let lines: String = tests[rule].iter().map(|test| format!("- `{test}`\n")).collect();
        written.push_str(&format!("\n## {rule}\n\n{lines}"));
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("PROTOCOL_TESTS.md");
    if std::env::var_os("UPDATE_PROTOCOL").is_some() {
        fs::write(&path, &written).unwrap();
    }
    let current = fs::read_to_string(&path).is_ok_and(|text| text == written);
    assert!(current, "the lists of tests are not up to date: UPDATE_PROTOCOL=1 writes them anew");
}

/// Comments too, and links lead to the rule that they show: `[PST-2](crate::protocol#pst-2)`.
#[test]
fn every_rule_in_a_comment_exists() {
    let rules = rules();
    let groups: BTreeSet<_> = rules.iter().map(|rule| rule.split('-').next().unwrap()).collect();
    let mut wrong = Vec::new();
    for Source { name, text } in sources().iter().filter(|source| source.name.ends_with(".rs")) {
        for (n, line) in text.lines().enumerate() {
            let Some((_, comment)) = line.split_once("//") else { continue };
            let known =
                |word: &str| !groups.contains(word.split('-').next().unwrap()) || rules.iter().any(|r| r == word);
            wrong.extend(named(comment).filter(|word| !known(word)).map(|word| format!("{name}:{}: {word}", n + 1)));
            for (before, after) in comment.match_indices("protocol#").map(|(at, it)| comment.split_at(at + it.len())) {
                let anchor: String = after.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '-').collect();
                let shown = before.rsplit_once("](").and_then(|(text, _)| text.rsplit_once('['));
                if shown.is_none_or(|(_, shown)| shown.to_lowercase() != anchor || !is_rule(shown)) {
                    wrong.push(format!("{name}:{}: a link to {anchor}", n + 1));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn the_paths_in_contributing_exist() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let text = fs::read_to_string(root.join("CONTRIBUTING.md")).unwrap();
    let rooms: Vec<_> = FOLDERS.iter().map(|folder| format!("{folder}/")).collect();
    let paths: Vec<_> = text
        .split(['`', '(', ')', ' '])
        .filter(|word| rooms.iter().any(|room| word.starts_with(room)) && !word.contains('{'))
        .collect();
    let missing: Vec<_> = paths.iter().filter(|path| !root.join(path).exists()).collect();
    assert!(paths.len() > 40 && missing.is_empty(), "{} paths, missing {missing:?}", paths.len());
}
