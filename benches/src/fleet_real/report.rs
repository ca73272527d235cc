//! The figures of a run.

use std::fmt::Write;

use serde_json::{Map, Value, json};

/// One figure.
#[derive(Clone, Debug)]
struct Figure {
    name: &'static str,
    /// In JSON.
    key: &'static str,
    value: f64,
    decimals: usize,
    most: Option<f64>,
}

/// All figures, and whether what must be was so.
#[derive(Clone, Debug, Default)]
pub struct Report {
    sessions: usize,
    figures: Vec<Figure>,
    /// What went wrong.
    wrong: Vec<String>,
    stand_ins: Vec<u32>,
}

impl Report {
    /// For so many sessions.
    #[must_use]
    pub fn new(sessions: usize) -> Self {
        Self { sessions, ..Self::default() }
    }

    /// Adds a figure.
    pub fn add(&mut self, key: &'static str, name: &'static str, value: f64, decimals: usize) {
        self.figures.push(Figure { name, key, value, decimals, most: None });
    }

    /// Adds a figure that has a limit.
    pub fn limited(&mut self, key: &'static str, name: &'static str, (value, most): (f64, f64), decimals: usize) {
        self.figures.push(Figure { name, key, value, decimals, most: Some(most) });
    }

    /// Something that must be is not so.
    pub fn wrong(&mut self, what: String) {
        self.wrong.push(what);
    }

    /// A process was started.
    pub fn stand_in(&mut self, id: u32) {
        self.stand_ins.push(id);
    }

    /// Whether all that must be was so.
    #[must_use]
    pub fn is_right(&self) -> bool {
        self.wrong.is_empty()
    }

    /// The figures that miss their limits.
    #[must_use]
    pub fn missed(&self) -> Vec<&'static str> {
        let missed = |figure: &&Figure| figure.most.is_some_and(|most| figure.value > most);
        self.figures.iter().filter(missed).map(|figure| figure.name).collect()
    }

    /// As a table.
    #[must_use]
    pub fn table(&self) -> String {
        let mut text = format!("| {} sessions | | at most |\n|---|---|---|\n", self.sessions);
        for Figure { name, value, decimals, most, .. } in &self.figures {
            let most = most.map_or_else(String::new, |most| most.to_string());
            let _ = writeln!(text, "| {name} | {value:.decimals$} | {most} |");
        }
        for name in self.missed() {
            let _ = writeln!(text, "MISSED: {name}");
        }
        for what in &self.wrong {
            let _ = writeln!(text, "WRONG: {what}");
        }
        text
    }

    /// As JSON.
    #[must_use]
    pub fn json(&self) -> Value {
        let figures: Map<String, Value> =
            self.figures.iter().map(|figure| (figure.key.to_owned(), json!(figure.value))).collect();
        let (wrong, stand_ins) = (&self.wrong, &self.stand_ins);
        json!({
            "sessions": self.sessions, "figures": figures, "missed": self.missed(), "wrong": wrong,
            "stand_ins": stand_ins,
        })
    }
}
