//! The figures as plain text.

use super::measure::{Figures, Herd, Length, Row};

/// The head of a table of [`row`]s.
pub const ROW_HEAD: &str = "  outage        p50       p90       p99     worst   attempts   Auth/60 s   recovered";

/// A line of the table of outages.
#[must_use]
pub fn row(row: &Row) -> String {
    let Figures { p50, p90, p99, worst, attempts, auth_calls, recovered } = row.figures;
    let (p50, p90, p99, worst) = (seconds(p50), seconds(p90), seconds(p99), seconds(worst));
    let label = row.length.label();
    let recovered = 100.0 * recovered;
    format!("  {label:<8} {p50:>8} {p90:>9} {p99:>9} {worst:>9} {attempts:>10.1} {auth_calls:>11} {recovered:>9.2} %")
}

/// The head of a table of [`herd`]s.
pub const HERD_HEAD: &str = "                                        inside      100 ms   attempts    most   Auth/60 s";

/// A line of the table of herds.
#[must_use]
pub fn herd(name: &str, herd: &mut Herd) -> String {
    let n = herd.clients.max(1) as f64;
    let inside = 100.0 * herd.inside as f64 / n;
    let worst = 100.0 * herd.worst_100ms();
    let mean = herd.times.len() as f64 / n;
    let calls = if herd.auth_calls == 0 { "-".to_owned() } else { herd.auth_calls.to_string() };
    let most = herd.most_attempts;
    format!("  {name:<34} {inside:>7.2} % {worst:>9.2} % {mean:>9.1} {most:>7} {calls:>11}")
}

/// Seconds with two digits, or a word.
#[must_use]
pub fn seconds(value: f64) -> String {
    if value.is_finite() { format!("{value:.2}") } else { "never".to_owned() }
}

/// The head of a table with a column for each length of outage.
#[must_use]
pub fn across_head(lengths: &[Length]) -> String {
    let label = |length: &Length| format!("{:>6}", length.label().trim_end_matches(" s"));
    format!("  {:<35}{}", "", lengths.iter().map(label).collect::<String>())
}

/// A line of such a table.
#[must_use]
pub fn across(name: &str, values: impl Iterator<Item = f64>) -> String {
    let short = |value: f64| match value {
        v if v.is_infinite() => " never".to_owned(),
        v if v < 99.95 => format!("{v:>6.1}"),
        v => format!("{v:>6.0}"),
    };
    format!("  {name:<35}{}", values.map(short).collect::<String>())
}
