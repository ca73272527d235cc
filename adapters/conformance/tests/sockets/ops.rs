//! The files for operators name what there is.

use std::collections::BTreeSet;
use std::path::Path;

use ringcentral_ws_adapter::metrics::{Kind, METRICS};
use serde_json::Value;

const PREFIX: &str = "ringcentral_ws_";

fn read(file: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/ops").join(file);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// All metrics that a text names.
fn named(text: &str) -> BTreeSet<&str> {
    let name = |(at, _): (usize, &str)| {
        let rest = &text[at..];
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        &text[at..at + end.unwrap_or(rest.len())]
    };
    text.match_indices(PREFIX).map(name).collect()
}

/// What a name in a query stands for: a histogram has several.
fn is_known(name: &str) -> bool {
    METRICS.iter().any(|metric| match metric.kind {
        Kind::Histogram => {
            name.strip_prefix(metric.name).is_some_and(|end| matches!(end, "_sum" | "_count" | "_bucket"))
        }
        _ => name == metric.name,
    })
}

/// Each query of a JSON file.
fn queries(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                match value {
                    Value::String(text) if matches!(key.as_str(), "expr" | "query" | "definition") => {
                        found.push(text.clone());
                    }
                    _ => queries(value, found),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| queries(item, found)),
        _ => {}
    }
}

#[test]
fn each_query_names_metrics_that_there_are() {
    for file in ["grafana-dashboard.json", "alert-rules.json"] {
        let text = read(file);
        let json: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{file}: {error}"));
        let mut found = Vec::new();
        queries(&json, &mut found);
        assert!(found.len() > 10, "{file}");
        for query in &found {
            let names = named(query);
            assert!(!names.is_empty() || query == "prometheus", "{file}: {query}");
            for name in names {
                assert!(is_known(name), "{file}: {name} in {query}");
            }
        }
        // Texts for people name them too.
        let plain = |name: &str| METRICS.iter().any(|metric| metric.name == name) || is_known(name);
        assert_eq!(named(&text).into_iter().filter(|name| !plain(name)).collect::<Vec<_>>(), [""; 0], "{file}");
    }
}

#[test]
fn the_dashboard_shows_and_the_readme_lists_every_metric() {
    let (dashboard, readme) = (read("grafana-dashboard.json"), read("README.md"));
    let (shown, listed) = (named(&dashboard), named(&readme));
    for metric in METRICS {
        let on_it = shown.iter().any(|name| name.starts_with(metric.name));
        assert!(on_it && listed.contains(metric.name), "{}", metric.name);
        let labels: Vec<_> = metric.labels.iter().map(|label| format!("`{label}`")).collect();
        let kind = format!("{:?}", metric.kind).to_lowercase();
        let row = format!("| `{}` | {kind} | {} | {} |\n", metric.name, labels.join(", "), metric.help);
        assert!(readme.contains(&row), "{row}");
    }
    assert_eq!(listed.len(), METRICS.len());
}

#[test]
fn each_alert_says_how_bad_it_is_and_what_to_do() {
    let json: Value = serde_json::from_str(&read("alert-rules.json")).unwrap();
    let rules = json["groups"][0]["rules"].as_array().unwrap();
    let names: BTreeSet<_> = rules.iter().map(|rule| rule["alert"].as_str().unwrap()).collect();
    assert_eq!(names.len(), rules.len());
    for rule in rules {
        assert!(matches!(rule["labels"]["severity"].as_str(), Some("critical" | "warning")), "{rule}");
        for text in ["summary", "description"] {
            assert!(rule["annotations"][text].as_str().is_some_and(|text| text.len() > 20), "{rule}");
        }
    }
}
