//! The arguments of a run: fixed ones over those of the run over the job's defaults.
//!
//! Source: <https://docs.aws.amazon.com/glue/latest/dg/aws-glue-programming-etl-glue-arguments.html>

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::definition::refused;
use crate::api::fault::Fault;
use crate::runs::{Argument, BookmarkMode};

/// Names and values together are no larger than this.
const MOST_BYTES: usize = 260 << 10;
/// The argument that says what becomes of the job's bookmark.
const BOOKMARK: &str = "--job-bookmark-option";
/// Arguments of Glue itself that would change what is run or how, and cannot be honoured here.
const INTERNAL: [&str; 3] = ["--scriptLocation", "--mode", "--debug"];

/// Arguments by name, with the dashes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Arguments(BTreeMap<String, String>);

impl Arguments {
    /// The arguments under a member.
    ///
    /// # Errors
    /// `InvalidInputException` for a name that is none.
    pub(super) fn of(input: &Map<String, Value>, member: &str) -> Result<Self, Fault> {
        let given = input.get(member).and_then(Value::as_object);
        let mut arguments = BTreeMap::new();
        for (name, value) in given.into_iter().flatten() {
            if !is_name(name) {
                return Err(refused(format!(
                    "a name in {member} is no argument; it is `--` and letters, digits, `-` or `_`"
                )));
            }
            arguments.insert(name.clone(), value.as_str().unwrap_or_default().to_string());
        }
        Ok(Self(arguments))
    }

    /// These, with the values of `over` where it has some.
    pub(super) fn under(&self, over: &Self) -> Self {
        let mut merged = self.0.clone();
        merged.extend(over.0.clone());
        Self(merged)
    }

    /// One more, whatever was there.
    pub(super) fn with(mut self, name: &str, value: &str) -> Self {
        self.0.insert(name.to_string(), value.to_string());
        self
    }

    /// Checks the arguments that mean something here.
    ///
    /// # Errors
    /// `InvalidInputException` for one that cannot be honoured.
    pub(super) fn check(&self) -> Result<(), Fault> {
        if let Some(name) = INTERNAL.iter().find(|name| self.0.contains_key(**name)) {
            return Err(refused(format!("the argument {name} is Glue's own; leave it out")));
        }
        self.bookmark().map(drop)
    }

    /// What becomes of the job's bookmark.
    ///
    /// # Errors
    /// `InvalidInputException` for an option that there is not.
    pub(super) fn bookmark(&self) -> Result<BookmarkMode, Fault> {
        match self.0.get(BOOKMARK) {
            None => Ok(BookmarkMode::Disable),
            Some(option) => BookmarkMode::of_option(option).ok_or_else(|| {
                refused(format!(
                    "{BOOKMARK} must be job-bookmark-enable, job-bookmark-disable or \
                     job-bookmark-pause"
                ))
            }),
        }
    }

    /// Without the dashes.
    pub(super) fn list(&self) -> Vec<Argument> {
        let argument = |(name, value): (&String, &String)| Argument {
            name: name.trim_start_matches('-').to_string(),
            value: value.clone(),
        };
        self.0.iter().map(argument).collect()
    }

    /// As the API shows them.
    pub(super) fn json(&self) -> Value {
        json!(self.0)
    }

    fn bytes(&self) -> usize {
        self.0.iter().map(|(name, value)| name.len() + value.len()).sum()
    }
}

/// Checks that arguments are together not larger than Glue takes.
pub(super) fn check_size(arguments: &[&Arguments]) -> Result<(), Fault> {
    let bytes: usize = arguments.iter().map(|arguments| arguments.bytes()).sum();
    match bytes <= MOST_BYTES {
        true => Ok(()),
        false => Err(refused("the arguments are larger than 260 KB together; pass a file instead")),
    }
}

fn is_name(name: &str) -> bool {
    name.strip_prefix("--").is_some_and(|name| {
        !name.is_empty()
            && !name.starts_with('-')
            && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(value: Value) -> Result<Arguments, Fault> {
        let input = Map::from_iter([("Arguments".to_string(), value)]);
        Arguments::of(&input, "Arguments")
    }

    #[test]
    fn fixed_arguments_win_over_those_of_the_run_and_these_over_defaults() {
        let defaults = of(json!({"--a": "default", "--b": "default", "--c": "default"})).unwrap();
        let run = of(json!({"--b": "run", "--c": "run"})).unwrap();
        let fixed = of(json!({"--c": "fixed"})).unwrap();
        let merged = defaults.under(&run).under(&fixed);
        assert_eq!(merged.json(), json!({"--a": "default", "--b": "run", "--c": "fixed"}));
    }

    #[test]
    fn names_that_are_none_are_refused() {
        for name in ["a", "--", "-a", "---a", "--a b", "--a=b", "--a;b", "--ä"] {
            let refused = of(json!({ name: "secret" })).unwrap_err();
            assert!(!refused.message.contains("secret"), "{name}");
        }
        of(json!({"--run-date": "", "--a_b.c": "x"})).unwrap();
    }

    #[test]
    fn bookmark_options_are_those_of_glue() {
        let mode = |option: &str| of(json!({ BOOKMARK: option })).unwrap().bookmark();
        assert_eq!(mode("job-bookmark-pause").unwrap(), BookmarkMode::Pause);
        assert_eq!(mode("on").unwrap_err().code, "InvalidInputException");
        assert_eq!(Arguments::default().bookmark().unwrap(), BookmarkMode::Disable);
    }

    #[test]
    fn arguments_are_bounded_together() {
        let large = |bytes| of(json!({ "--a": "x".repeat(bytes) })).unwrap();
        check_size(&[&large(130 << 10), &large((130 << 10) - 6)]).unwrap();
        check_size(&[&large(130 << 10), &large((130 << 10) - 5)]).unwrap_err();
    }
}
