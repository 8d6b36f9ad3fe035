//! What goes into an action and comes out of it, as the service's model says: members, types, bounds.
//!
//! A model is botocore's own (Apache-2.0), cut down to the actions that are served. Members that it
//! does not know are left out, as AWS does; what does not fit is told by its place, never by its value.

use std::collections::HashMap;

use regex::Regex;
use serde::Deserialize;
use serde_json::{Map, Value};

/// A service's actions and shapes.
#[derive(Debug)]
pub(crate) struct Model {
    file: ModelFile,
    patterns: HashMap<String, Regex>,
}

#[derive(Debug, Deserialize)]
struct ModelFile {
    operations: HashMap<String, Operation>,
    shapes: HashMap<String, Shape>,
}

#[derive(Debug, Deserialize)]
struct Operation {
    input: Option<String>,
    #[cfg_attr(not(test), expect(dead_code, reason = "tests hold answers against it"))]
    output: Option<String>,
    #[cfg_attr(not(test), expect(dead_code, reason = "tests hold refusals against it"))]
    errors: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
enum Shape {
    Structure {
        #[serde(default)]
        required: Vec<String>,
        members: HashMap<String, String>,
    },
    List {
        member: String,
        #[serde(flatten)]
        bounds: Bounds,
    },
    Map {
        key: String,
        value: String,
        #[serde(flatten)]
        bounds: Bounds,
    },
    String {
        pattern: Option<String>,
        r#enum: Option<Vec<String>>,
        #[serde(flatten)]
        bounds: Bounds,
    },
    Integer(Bounds),
    Long(Bounds),
    Double {},
    Boolean {},
    Timestamp {},
}

#[derive(Debug, Clone, Copy, Deserialize)]
struct Bounds {
    min: Option<i64>,
    max: Option<i64>,
}

impl Bounds {
    fn hold(self, number: i64) -> bool {
        self.min.is_none_or(|min| min <= number) && self.max.is_none_or(|max| number <= max)
    }

    fn hold_length(self, length: usize) -> bool {
        self.hold(i64::try_from(length).unwrap_or(i64::MAX))
    }

    fn text(self) -> String {
        match (self.min, self.max) {
            (Some(min), Some(max)) => format!("{min} to {max}"),
            (Some(min), None) => format!("at least {min}"),
            (None, Some(max)) => format!("at most {max}"),
            (None, None) => "any".to_string(),
        }
    }
}

impl Model {
    /// Reads a model.
    ///
    /// # Errors
    /// If it is no model; the text says why.
    pub(crate) fn read(text: &str) -> Result<Self, String> {
        let file: ModelFile = serde_json::from_str(text).map_err(|error| error.to_string())?;
        let mut patterns = HashMap::new();
        for shape in file.shapes.values() {
            if let Shape::String { pattern: Some(pattern), .. } = shape {
                // AWS matches whole texts, which may have several lines.
                let whole = format!("(?s)^(?:{pattern})$");
                let compiled = Regex::new(&whole).map_err(|error| error.to_string())?;
                patterns.insert(pattern.clone(), compiled);
            }
        }
        Ok(Self { file, patterns })
    }

    /// The input of an action: its members alone, without nulls.
    ///
    /// # Errors
    /// The text says which member does not fit, and what would.
    pub(crate) fn input(&self, action: &str, value: &Value) -> Result<Map<String, Value>, String> {
        let shape = self.file.operations.get(action).and_then(|operation| operation.input.as_ref());
        match shape {
            None => Ok(Map::new()),
            Some(shape) => match self.fit(shape, value, "")? {
                Value::Object(members) => Ok(members),
                _ => Err("the request is no JSON object".to_string()),
            },
        }
    }

    fn fit(&self, shape: &str, value: &Value, place: &str) -> Result<Value, String> {
        let found = self.file.shapes.get(shape);
        let found = found.ok_or_else(|| format!("{}: its shape is not known", at(place)))?;
        match found {
            Shape::Structure { required, members } => {
                self.structure(required, members, value, place)
            }
            Shape::List { member, bounds } => {
                let items = value.as_array().ok_or_else(|| no("list", place))?;
                length(*bounds, items.len(), "entries", place)?;
                let fit = |(index, item)| self.fit(member, item, &format!("{place}[{index}]"));
                Ok(Value::Array(items.iter().enumerate().map(fit).collect::<Result<_, _>>()?))
            }
            Shape::Map { key, value: shape, bounds } => {
                let entries = value.as_object().ok_or_else(|| no("map", place))?;
                length(*bounds, entries.len(), "entries", place)?;
                let mut fit = Map::new();
                for (name, value) in entries.iter().filter(|(_, value)| !value.is_null()) {
                    self.fit(
                        key,
                        &Value::String(name.clone()),
                        &format!("a key of {}", at(place)),
                    )?;
                    let value = self.fit(shape, value, &format!("a value of {}", at(place)))?;
                    fit.insert(name.clone(), value);
                }
                Ok(Value::Object(fit))
            }
            Shape::String { pattern, r#enum, bounds } => {
                let text = value.as_str().ok_or_else(|| no("text", place))?;
                self.text(text, (pattern.as_deref(), r#enum.as_deref(), *bounds), place)?;
                Ok(value.clone())
            }
            Shape::Integer(bounds) => {
                integer(value, *bounds, (i64::from(i32::MIN), i64::from(i32::MAX)), place)
            }
            Shape::Long(bounds) => integer(value, *bounds, (i64::MIN, i64::MAX), place),
            Shape::Double {} | Shape::Timestamp {} => {
                value.as_f64().map(|_| value.clone()).ok_or_else(|| no("number", place))
            }
            Shape::Boolean {} => {
                value.as_bool().map(|_| value.clone()).ok_or_else(|| no("boolean", place))
            }
        }
    }

    fn structure(
        &self,
        required: &[String],
        members: &HashMap<String, String>,
        value: &Value,
        place: &str,
    ) -> Result<Value, String> {
        let given = value.as_object().ok_or_else(|| no("JSON object", place))?;
        let is_there = |name: &str| given.get(name).is_some_and(|value| !value.is_null());
        if let Some(name) = required.iter().find(|name| !is_there(name)) {
            return Err(format!("{} is missing", at(&below(place, name))));
        }
        let mut fit = Map::new();
        for (name, value) in given.iter().filter(|(_, value)| !value.is_null()) {
            if let Some(shape) = members.get(name) {
                fit.insert(name.clone(), self.fit(shape, value, &below(place, name))?);
            }
        }
        Ok(Value::Object(fit))
    }

    fn text(
        &self,
        text: &str,
        (pattern, options, bounds): (Option<&str>, Option<&[String]>, Bounds),
        place: &str,
    ) -> Result<(), String> {
        length(bounds, text.chars().count(), "characters", place)?;
        if let Some(options) = options.filter(|options| !options.iter().any(|one| one == text)) {
            return Err(format!("{} must be one of {}", at(place), options.join(", ")));
        }
        let pattern = pattern.and_then(|pattern| self.patterns.get(pattern));
        match pattern.filter(|pattern| !pattern.is_match(text)) {
            Some(_) => Err(format!("{} holds characters that it may not", at(place))),
            None => Ok(()),
        }
    }
}

fn integer(
    value: &Value,
    bounds: Bounds,
    (min, max): (i64, i64),
    place: &str,
) -> Result<Value, String> {
    let number = value.as_i64().filter(|number| (min..=max).contains(number));
    let number = number.ok_or_else(|| no("integer", place))?;
    match bounds.hold(number) {
        true => Ok(value.clone()),
        false => Err(format!("{} must be {}", at(place), bounds.text())),
    }
}

fn length(bounds: Bounds, length: usize, of: &str, place: &str) -> Result<(), String> {
    match bounds.hold_length(length) {
        true => Ok(()),
        false => Err(format!("{} must have {} {of}", at(place), bounds.text())),
    }
}

fn no(what: &str, place: &str) -> String {
    format!("{} is no {what}", at(place))
}

fn at(place: &str) -> &str {
    if place.is_empty() { "the request" } else { place }
}

fn below(place: &str, name: &str) -> String {
    if place.is_empty() { name.to_string() } else { format!("{place}.{name}") }
}

#[cfg(test)]
impl Model {
    /// Panics unless an answer is one that the model describes, to the last member.
    pub(crate) fn assert_answer(&self, action: &str, answer: &Value) {
        let Some(shape) = &self.file.operations[action].output else {
            assert_eq!(*answer, serde_json::json!({}), "{action}");
            return;
        };
        match self.fit(shape, answer, "") {
            Ok(fit) => assert_eq!(fit, *answer, "{action}: members that the model does not know"),
            Err(why) => panic!("{action}: {why} in {answer}"),
        }
    }

    /// Panics unless a refusal is one that the model names for the action.
    pub(crate) fn assert_refusal(&self, action: &str, fault: &super::fault::Fault) {
        let errors = &self.file.operations[action].errors;
        assert!(errors.iter().any(|error| error == fault.code), "{action}: {fault:?}");
    }
}

/// Requests made up from a model, some of them malformed.
#[cfg(test)]
pub(crate) mod made_up {
    use northstar_iceberg::ids::{Ids, SeededIds};
    use serde_json::json;

    use super::*;

    /// Makes up the same requests for the same seed.
    pub(crate) struct Maker<'a> {
        pub(crate) model: &'a Model,
        pub(crate) ids: SeededIds,
    }

    impl Maker<'_> {
        /// A number below `most`.
        pub(crate) fn below(&self, most: usize) -> usize {
            usize::try_from(self.ids.uuid().as_u128() % most as u128).unwrap()
        }

        /// The names of all operations, in order.
        pub(crate) fn operations(&self) -> Vec<String> {
            let mut names: Vec<String> = self.model.file.operations.keys().cloned().collect();
            names.sort();
            names
        }

        /// The input of an operation.
        pub(crate) fn input(&self, operation: &str) -> Value {
            self.shape(self.model.file.operations[operation].input.as_deref().unwrap(), 0)
        }

        fn shape(&self, shape: &str, depth: usize) -> Value {
            if self.below(24) == 0 {
                return self.wrong();
            }
            match &self.model.file.shapes[shape] {
                Shape::Structure { required, members } => {
                    let mut names: Vec<&String> = members.keys().collect();
                    names.sort();
                    let chosen = names.into_iter().filter(|name| {
                        let is_needed = required.contains(name);
                        self.below(8) < if is_needed { 7 } else { 3_usize.saturating_sub(depth) }
                    });
                    let member =
                        |name: &String| (name.clone(), self.shape(&members[name], depth + 1));
                    Value::Object(chosen.map(member).collect())
                }
                Shape::List { member, .. } => {
                    (0..self.below(4)).map(|_| self.shape(member, depth + 1)).collect()
                }
                Shape::Map { key, value, .. } => {
                    let entry = |_| match self.shape(key, depth + 1) {
                        Value::String(key) => (key, self.shape(value, depth + 1)),
                        other => (other.to_string(), Value::Null),
                    };
                    Value::Object((0..self.below(4)).map(entry).collect())
                }
                Shape::String { r#enum: Some(options), .. } => {
                    json!(options[self.below(options.len())])
                }
                Shape::String { .. } => json!(TEXTS[self.below(TEXTS.len())]),
                Shape::Integer(_) | Shape::Long(_) => json!(NUMBERS[self.below(NUMBERS.len())]),
                Shape::Double {} | Shape::Timestamp {} => json!(2.5),
                Shape::Boolean {} => json!(self.below(2) == 0),
            }
        }

        fn wrong(&self) -> Value {
            let wrong =
                [json!(null), json!([]), json!({}), json!(-1), json!("\u{0}"), json!(1e300)];
            wrong[self.below(wrong.len())].clone()
        }
    }

    const NUMBERS: [i64; 8] = [0, 1, 2, 15, 200, -1, i64::MAX, i64::MIN];
    const TEXTS: [&str; 16] = [
        "",
        "a",
        "--a",
        "job",
        "northstar:expire",
        "northstar:",
        "/a.sql",
        "file:///etc/passwd",
        "../../launcher.py",
        "SPARK",
        "4 vCPU",
        "\u{202e}\u{1f600}\n",
        "MA",
        "--conf spark.driver.memory=9999999999999g",
        "arn:aws:iam::123456789012:role/lake",
        "arn:aws:emr-serverless:eu-west-2:123456789012:/applications/00a",
    ];
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn model() -> Model {
        Model::read(
            r#"{"operations": {"Do": {"input": "In", "errors": []}}, "shapes": {
            "In": {"type": "structure", "required": ["Name"], "members":
                {"Name": "Name", "Count": "Count", "Tags": "Tags", "Kind": "Kind", "Many": "Many"}},
            "Name": {"type": "string", "min": 1, "max": 3, "pattern": "[a-z\n]+"},
            "Count": {"type": "integer", "min": 1},
            "Kind": {"type": "string", "enum": ["A", "B"]},
            "Tags": {"type": "map", "key": "Name", "value": "Kind", "max": 1},
            "Many": {"type": "list", "member": "Count", "max": 2}}}"#,
        )
        .unwrap()
    }

    #[test]
    fn what_fits_comes_through_without_nulls_and_strangers() {
        let given =
            json!({"Name": "a\nb", "Count": null, "Other": 1, "Tags": {"a": "B"}, "Many": [1]});
        let fit = model().input("Do", &given).unwrap();
        let expected = json!({"Name": "a\nb", "Tags": {"a": "B"}, "Many": [1]});
        assert_eq!(Value::Object(fit), expected);
    }

    #[test]
    fn what_does_not_fit_is_told_by_its_place_and_not_by_its_value() {
        for (given, place) in [
            (json!({}), "Name"),
            (json!({"Name": null}), "Name"),
            (json!({"Name": "Jane"}), "Name"),
            (json!({"Name": "J"}), "Name"),
            (json!({"Name": ""}), "Name"),
            (json!({"Name": 7}), "Name"),
            (json!({"Name": "a", "Count": 0}), "Count"),
            (json!({"Name": "a", "Count": 1.5}), "Count"),
            (json!({"Name": "a", "Count": 3_000_000_000_u64}), "Count"),
            (json!({"Name": "a", "Kind": "Jane"}), "Kind"),
            (json!({"Name": "a", "Tags": {"a": "Jane"}}), "Tags"),
            (json!({"Name": "a", "Tags": {"J": "A"}}), "Tags"),
            (json!({"Name": "a", "Tags": {"a": "A", "b": "A"}}), "Tags"),
            (json!({"Name": "a", "Many": [1, 0]}), "Many[1]"),
            (json!({"Name": "a", "Many": {}}), "Many"),
            (json!([]), "the request"),
        ] {
            let why = model().input("Do", &given).unwrap_err();
            assert!(why.contains(place) && !why.contains("Jane"), "{given}: {why}");
        }
    }
}
