//! The schemas in `docs/schema`, and checks of values against them.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use boon::{Compiler, Schemas};
use serde_json::{Value, json};

/// A file of the repository.
pub(crate) fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path)
}

pub(crate) fn source(path: &str) -> String {
    std::fs::read_to_string(repository(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// A schema that takes no field but those that it names, so that none is forgotten in it.
pub(crate) struct Schema {
    pub(crate) text: Value,
    compiler: Compiler,
    schemas: Schemas,
}

impl Schema {
    pub(crate) fn load(file: &str) -> Self {
        let text: Value = serde_json::from_str(&source(&format!("docs/schema/{file}"))).unwrap();
        let mut strict = text.clone();
        close(&mut strict);
        let mut compiler = Compiler::new();
        let id = text["$id"].as_str().unwrap().to_owned();
        compiler.add_resource(&id, strict).unwrap();
        Self { text, compiler, schemas: Schemas::new() }
    }

    /// The value is as this definition says.
    pub(crate) fn check(&mut self, definition: &str, value: &Value) -> Result<(), String> {
        let id = format!("{}#/$defs/{definition}", self.text["$id"].as_str().unwrap());
        let index = self.compiler.compile(&id, &mut self.schemas).unwrap_or_else(|error| panic!("{id}: {error:#}"));
        self.schemas.validate(value, index).map_err(|error| format!("{definition}: {value}\n{error:#}"))
    }

    pub(crate) fn assert(&mut self, definition: &str, value: &Value) {
        self.check(definition, value).unwrap_or_else(|why| panic!("{why}"));
    }

    /// The names of the alternatives of a definition: the `const` of their member `key`.
    pub(crate) fn alternatives(&self, definition: &str, key: &str) -> BTreeSet<String> {
        let alternatives = self.text["$defs"][definition]["oneOf"].as_array().unwrap().iter();
        let named = alternatives.map(|it| {
            let name = it["$ref"].as_str().unwrap().strip_prefix("#/$defs/").unwrap();
            self.text["$defs"][name]["properties"][key]["const"].as_str().unwrap().to_owned()
        });
        named.collect()
    }

    /// The words that a place of the schema knows.
    pub(crate) fn words(&self, pointer: &str) -> BTreeSet<String> {
        let place = self.text.pointer(pointer).unwrap_or_else(|| panic!("no {pointer}"));
        let words = place.get("enum").or_else(|| place.get("examples")).and_then(Value::as_array).unwrap();
        words.iter().map(|word| word.as_str().unwrap().to_owned()).collect()
    }
}

fn close(schema: &mut Value) {
    match schema {
        Value::Object(members) => {
            if members.contains_key("properties") && members.contains_key("type") {
                members.entry("additionalProperties").or_insert(json!(false));
            }
            members.values_mut().for_each(close);
        }
        Value::Array(items) => items.iter_mut().for_each(close),
        _ => {}
    }
}

/// What stands in quotes after each `start`, up to `end` of the text behind `from`.
pub(crate) fn quoted(text: &str, from: &str, start: &str, end: &str) -> BTreeSet<String> {
    let (_, text) = text.split_once(from).unwrap_or_else(|| panic!("no {from}"));
    let text = text.split_once(end).map_or(text, |(text, _)| text);
    let parts = text.split(start).skip(1).filter_map(|part| part.split_once('"'));
    parts.map(|(word, _)| word.to_owned()).collect()
}
