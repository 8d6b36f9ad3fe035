//! What a run does: a script, or a command of this program.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::end::marks;
use super::registered::Registered;

/// What a run does. No part of it goes through a shell.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Work {
    /// Runs the statements of a file, with parameters.
    Script {
        /// The file.
        script: String,
        /// By name.
        parameters: BTreeMap<String, String>,
    },
    /// Runs a command of this program.
    Command {
        /// The command, its options and arguments.
        words: Vec<String>,
    },
}

/// An argument of a run: `--name value`, without the dashes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Argument {
    pub(crate) name: String,
    pub(crate) value: String,
}

/// Why a run cannot be: for people, without values of arguments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refused(pub(crate) String);

impl Work {
    /// What a script location and arguments mean. `complete` says that arguments which must be there
    /// are to be there.
    ///
    /// # Errors
    /// For a location that is none of those that can be run, saying which can; for arguments that do
    /// not fit.
    pub(crate) fn of(
        location: &str,
        arguments: &[Argument],
        complete: bool,
    ) -> Result<Self, Refused> {
        if arguments.iter().any(|argument| argument.value.contains('\0')) {
            return Err(Refused("a value of an argument holds a zero byte".to_string()));
        }
        if let Some(name) = location.strip_prefix("northstar:") {
            let words = Registered::named(name)?.words(arguments, complete)?;
            return Ok(Self::Command { words });
        }
        let script = script(location)?;
        if complete && !matches!(Path::new(&script).try_exists(), Ok(true)) {
            return Err(Refused("the script file is not there, or may not be read".to_string()));
        }
        Ok(Self::Script { script, parameters: parameters(arguments)? })
    }
}

/// The path of a script.
fn script(location: &str) -> Result<String, Refused> {
    let path = location.strip_prefix("file://").unwrap_or(location);
    let is_script = Path::new(path).extension().is_some_and(|extension| extension == "sql");
    if path.contains("://") || !is_script || !Path::new(path).is_absolute() {
        return Err(Refused(format!(
            "this script cannot be run here; name a `.sql` file by its absolute path or as \
             file:///PATH, or a registered job: {}",
            Registered::names()
        )));
    }
    Ok(path.to_string())
}

/// Arguments as the parameters of a script: `--run-date` is `:run_date`.
fn parameters(arguments: &[Argument]) -> Result<BTreeMap<String, String>, Refused> {
    let mut parameters = BTreeMap::new();
    for Argument { name, value } in arguments {
        let name = name.replace('-', "_");
        if parameters.insert(name.clone(), value.clone()).is_some() {
            return Err(Refused(format!("the argument `--{name}` is there twice")));
        }
    }
    Ok(parameters)
}

/// The mark of a table's last batch, by which bronze rows are numbered.
const SEQ: &str = "northstar.seq";

/// What a script is given: its parameters, the run, the job's bookmark as JSON, and for each table of
/// it `bookmark_NAMESPACE_TABLE`, the snapshot, and `bookmark_seq_NAMESPACE_TABLE`, the last `_seq`.
pub(super) fn given(
    parameters: &BTreeMap<String, String>,
    run: &str,
    bookmark: Option<&str>,
) -> Value {
    let mut given: Map<String, Value> =
        parameters.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
    given.insert("JOB_RUN_ID".to_string(), json!(run));
    given.insert("JOB_BOOKMARK".to_string(), json!(bookmark));
    for (table, mark) in marks(bookmark.unwrap_or_default()) {
        let table = table.replace('.', "_");
        for (prefix, key) in [("bookmark_", "snapshot-id"), ("bookmark_seq_", SEQ)] {
            let Some(value) = mark.get(key) else { continue };
            let name = format!("{prefix}{table}");
            // Two of one name have no mark: what was read is read again, and nothing is skipped.
            let is_taken = given.contains_key(&name);
            given.insert(name, if is_taken { Value::Null } else { value.clone() });
        }
    }
    Value::Object(given)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn argument(name: &str, value: &str) -> Argument {
        Argument { name: name.into(), value: value.into() }
    }

    #[test]
    fn a_script_is_named_by_path_or_url() {
        for location in ["/jobs/nightly.sql", "file:///jobs/nightly.sql"] {
            let work = Work::of(location, &[argument("run-date", "x")], false).unwrap();
            let Work::Script { script, parameters } = work else { panic!("{work:?}") };
            assert_eq!(script, "/jobs/nightly.sql");
            assert_eq!(parameters["run_date"], "x");
        }
    }

    #[test]
    fn what_cannot_be_run_is_refused_with_what_can() {
        for location in ["s3://bucket/etl.py", "s3://bucket/a.sql", "etl.py", "a.sql", "/a.SQL", ""]
        {
            let Refused(why) = Work::of(location, &[], false).unwrap_err();
            assert!(why.contains(".sql") && why.contains("northstar:merge"), "{location}: {why}");
        }
        let Refused(why) = Work::of("northstar:dance", &[], false).unwrap_err();
        assert!(why.contains("northstar:compact"), "{why}");
        let missing = Work::of("/no/such/folder/a.sql", &[], true).unwrap_err();
        assert!(missing.0.contains("not there"), "{missing:?}");
    }

    #[test]
    fn a_zero_byte_is_refused() {
        for location in ["/a.sql", "northstar:retention"] {
            Work::of(location, &[argument("table", "a.b\0")], false).unwrap_err();
        }
    }

    #[test]
    fn parameters_do_not_hide_each_other() {
        let twice = [argument("run-date", "a"), argument("run_date", "b")];
        let Refused(why) = Work::of("/a.sql", &twice, false).unwrap_err();
        assert!(why.contains("run_date") && !why.contains('"'), "{why}");
    }

    #[test]
    fn a_script_is_given_its_run_and_the_marks_of_its_job() {
        let bookmark = r#"{"bronze.lab":{"snapshot-id":"7","northstar.seq":"3"},"a.b_c":{"snapshot-id":"1"},
            "a_b.c":{"snapshot-id":"2"}}"#;
        let given = given(&BTreeMap::from([("day".into(), "1".into())]), "jr_1", Some(bookmark));
        assert_eq!(given["day"], "1");
        assert_eq!(given["JOB_RUN_ID"], "jr_1");
        assert_eq!(given["bookmark_bronze_lab"], "7");
        assert_eq!(given["bookmark_seq_bronze_lab"], "3");
        assert!(given.get("bookmark_seq_a_b_c").is_none());
        assert_eq!(given["bookmark_a_b_c"], Value::Null);
    }
}
