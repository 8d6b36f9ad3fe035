//! Registered jobs: names for commands of this program, with arguments that are checked.

use clap::Parser;
use clap::error::ContextKind;

use super::work::{Argument, Refused};
use crate::cli::Cli;

/// How an argument of a job becomes one of the command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// The table, by its place.
    Table,
    /// Tables that commas divide, by their places.
    Tables,
    /// `--name=value`.
    One,
    /// `--name` with values that commas divide.
    Many,
    /// `--name` if the value is `true` or blank.
    Flag,
}

/// A job with a name.
#[derive(Debug)]
pub(super) struct Registered {
    name: &'static str,
    words: &'static [&'static str],
    /// Name, kind, whether it must be there.
    arguments: &'static [(&'static str, Kind, bool)],
}

const TABLE: (&str, Kind, bool) = ("table", Kind::Table, true);
const DRY_RUN: (&str, Kind, bool) = ("dry-run", Kind::Flag, false);

const JOBS: [Registered; 11] = [
    Registered {
        name: "load",
        words: &["load", "csv"],
        arguments: &[
            ("from", Kind::One, true),
            ("into", Kind::One, true),
            ("contract", Kind::One, false),
            ("source-system", Kind::One, false),
            ("threads", Kind::One, false),
        ],
    },
    Registered {
        name: "backfill",
        words: &["backfill", "run"],
        arguments: &[
            ("from", Kind::One, true),
            ("into", Kind::One, true),
            ("table", Kind::Many, false),
            ("group", Kind::Many, false),
            ("contract", Kind::One, false),
            ("source-system", Kind::One, false),
            ("threads", Kind::One, false),
            ("commit-units", Kind::One, false),
            ("commit-minutes", Kind::One, false),
            ("by-name", Kind::Flag, false),
            DRY_RUN,
        ],
    },
    Registered {
        name: "merge",
        words: &["merge"],
        arguments: &[TABLE, ("changes", Kind::Many, true), ("contract", Kind::One, false)],
    },
    Registered {
        name: "rerun",
        words: &["rerun"],
        arguments: &[
            TABLE,
            ("facility", Kind::One, true),
            ("from", Kind::One, true),
            ("to", Kind::One, true),
            ("changes", Kind::Many, false),
            ("bronze", Kind::One, false),
            ("no-bronze", Kind::Flag, false),
            ("contract", Kind::One, false),
            ("facility-column", Kind::One, false),
            ("time-column", Kind::One, false),
            ("zone", Kind::One, false),
            ("complete", Kind::Flag, false),
            DRY_RUN,
        ],
    },
    Registered {
        name: "audit",
        words: &["audit"],
        arguments: &[
            ("tables", Kind::Tables, false),
            ("from", Kind::One, true),
            ("to", Kind::One, false),
            ("namespace", Kind::One, false),
            ("report", Kind::One, false),
        ],
    },
    Registered {
        name: "reconcile",
        words: &["reconcile"],
        arguments: &[
            TABLE,
            ("changes", Kind::Many, false),
            ("bronze", Kind::One, false),
            ("no-bronze", Kind::Flag, false),
            ("contract", Kind::One, false),
            ("facility-column", Kind::One, false),
            ("time-column", Kind::One, false),
            ("extract", Kind::One, false),
        ],
    },
    Registered {
        name: "compact",
        words: &["maintain", "compact"],
        arguments: &[
            TABLE,
            ("partition", Kind::Many, false),
            ("sort", Kind::Flag, false),
            ("light", Kind::Flag, false),
            ("threads", Kind::One, false),
            DRY_RUN,
        ],
    },
    Registered {
        name: "manifests",
        words: &["maintain", "manifests"],
        arguments: &[TABLE, DRY_RUN],
    },
    Registered {
        name: "expire",
        words: &["maintain", "expire"],
        arguments: &[TABLE, ("older-than", Kind::One, false), ("keep", Kind::One, false), DRY_RUN],
    },
    Registered {
        name: "orphans",
        words: &["maintain", "orphans"],
        arguments: &[TABLE, ("older-than", Kind::One, false), ("apply", Kind::Flag, false)],
    },
    Registered { name: "retention", words: &["maintain", "retention"], arguments: &[TABLE] },
];

/// Arguments that Glue's users give to Glue itself. They mean nothing here, and do no harm.
///
/// Source: <https://docs.aws.amazon.com/glue/latest/dg/aws-glue-programming-etl-glue-arguments.html>
const OF_GLUE: [&str; 17] = [
    "JOB_NAME",
    "JOB_ID",
    "JOB_RUN_ID",
    "TempDir",
    "additional-python-modules",
    "class",
    "conf",
    "datalake-formats",
    "extra-files",
    "extra-jars",
    "extra-py-files",
    "python-modules-installer-option",
    "spark-event-logs-path",
    "user-jars-first",
    "job-language",
    "library-set",
    "write-shuffle-files-to-s3",
];
const OF_GLUE_PREFIXES: [&str; 4] = ["job-bookmark-", "enable-", "continuous-log-", "customer-"];

impl Registered {
    /// The job of that name.
    ///
    /// # Errors
    /// If there is none, saying which there are.
    pub(super) fn named(name: &str) -> Result<&'static Self, Refused> {
        JOBS.iter().find(|job| job.name == name).ok_or_else(|| {
            Refused(format!("there is no such registered job; there are {}", Self::names()))
        })
    }

    /// The names of all, for people.
    pub(super) fn names() -> String {
        JOBS.map(|job| format!("northstar:{}", job.name)).join(", ")
    }

    /// The words of the command.
    ///
    /// # Errors
    /// For an argument that the job does not know, one that does not fit and, if they are to be
    /// `complete`, one that is missing.
    pub(super) fn words(
        &self,
        arguments: &[Argument],
        complete: bool,
    ) -> Result<Vec<String>, Refused> {
        let mut words: Vec<String> = self.words.iter().map(|word| (*word).to_string()).collect();
        let mut places = Vec::new();
        let mut given = Vec::new();
        for Argument { name, value } in arguments.iter().filter(|given| !is_of_glue(&given.name)) {
            let name = name.replace('_', "-");
            let (name, kind, _) = self.argument(&name)?;
            if given.contains(&name) && kind != Kind::Many {
                return Err(Refused(format!("the argument `--{name}` is there twice")));
            }
            given.push(name);
            match kind {
                Kind::Table => places.push(value.clone()),
                Kind::Tables => places.extend(value.split(',').map(|one| one.trim().to_string())),
                Kind::One => words.push(format!("--{name}={value}")),
                Kind::Many => {
                    words.extend(value.split(',').map(|one| format!("--{name}={}", one.trim())));
                }
                Kind::Flag => match value.as_str() {
                    "true" | "" => words.push(format!("--{name}")),
                    "false" => {}
                    _ => return Err(Refused(format!("`--{name}` is either true or false"))),
                },
            }
        }
        if !complete {
            return Ok(words);
        }
        let missing =
            |(name, _, must): &&(&'static str, Kind, bool)| *must && !given.contains(name);
        if let Some((name, ..)) = self.arguments.iter().find(missing) {
            return Err(Refused(format!("the job northstar:{} needs `--{name}`", self.name)));
        }
        words.push("--".to_string());
        words.extend(places);
        self.checked(words)
    }

    fn argument(&self, name: &str) -> Result<(&'static str, Kind, bool), Refused> {
        self.arguments.iter().find(|(known, ..)| *known == name).copied().ok_or_else(|| {
            let known: Vec<String> =
                self.arguments.iter().map(|(name, ..)| format!("--{name}")).collect();
            Refused(format!(
                "the job northstar:{} has no argument of that name; it has {}",
                self.name,
                known.join(", ")
            ))
        })
    }

    /// The words, once it is sure that the program takes them.
    fn checked(&self, words: Vec<String>) -> Result<Vec<String>, Refused> {
        match Cli::try_parse_from(
            std::iter::once("northstar").chain(words.iter().map(String::as_str)),
        ) {
            Ok(_) => Ok(words),
            Err(error) => Err(Refused(format!(
                "{} of the job northstar:{} does not fit; see `northstar {} --help`",
                of(&error),
                self.name,
                self.words.join(" ")
            ))),
        }
    }
}

/// Which argument an error of the command line is about. Its text would quote the value.
pub(super) fn of(error: &clap::Error) -> String {
    match error.get(ContextKind::InvalidArg) {
        Some(argument) => format!("the argument `{argument}`"),
        None => "an argument".to_string(),
    }
}

fn is_of_glue(name: &str) -> bool {
    OF_GLUE.contains(&name) || OF_GLUE_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(job: &str, arguments: &[(&str, &str)]) -> Result<Vec<String>, Refused> {
        let arguments: Vec<Argument> = arguments
            .iter()
            .map(|(name, value)| Argument { name: (*name).into(), value: (*value).into() })
            .collect();
        Registered::named(job)?.words(&arguments, true)
    }

    #[test]
    fn each_job_is_a_command_of_this_program() {
        for job in &JOBS {
            let arguments: Vec<(&str, &str)> = job
                .arguments
                .iter()
                // An audit is of tables or of a namespace.
                .filter(|(name, ..)| *name != "namespace")
                .map(|(name, kind, _)| match (*name, kind) {
                    ("from" | "to", _) => (*name, "2024-05-01"),
                    ("older-than", _) => (*name, "35d"),
                    ("partition", _) => (*name, "site=north,site=south"),
                    ("threads" | "keep" | "commit-units" | "commit-minutes", _) => (*name, "2"),
                    (_, Kind::Flag) => (*name, "true"),
                    (_, Kind::Table) => (*name, "a.b"),
                    (_, Kind::Tables) => (*name, "a.b, a.c"),
                    _ => (*name, "x"),
                })
                .collect();
            let made = words(job.name, &arguments).unwrap();
            assert_eq!(made[..job.words.len()], *job.words, "{}", job.name);
        }
    }

    #[test]
    fn values_are_never_options() {
        let made = words("merge", &[("table", "--warehouse=/x"), ("changes", "--a, b")]).unwrap();
        assert_eq!(made, ["merge", "--changes=--a", "--changes=b", "--", "--warehouse=/x"]);
    }

    #[test]
    fn tables_that_commas_divide_stand_at_their_places() {
        let made = words("audit", &[("tables", "a.b, a.c"), ("from", "close")]).unwrap();
        assert_eq!(made, ["audit", "--from=close", "--", "a.b", "a.c"]);
        let all = words("audit", &[("from", "close"), ("namespace", "a")]).unwrap();
        assert_eq!(all, ["audit", "--from=close", "--namespace=a", "--"]);
    }

    #[test]
    fn arguments_of_glue_are_left_to_glue() {
        let made =
            words("retention", &[("table", "a.b"), ("enable-metrics", ""), ("TempDir", "s3://x")]);
        assert_eq!(made.unwrap(), ["maintain", "retention", "--", "a.b"]);
    }

    #[test]
    fn what_does_not_fit_is_named_without_its_value() {
        for (job, arguments, named) in [
            ("expire", vec![("older_than", "secret"), ("table", "a.b")], "--older-than"),
            ("expire", vec![("table", "a.b"), ("older", "secret")], "--keep"),
            ("expire", vec![("older-than", "1d")], "--table"),
            ("compact", vec![("table", "a.b"), ("sort", "secret")], "--sort"),
            ("load", vec![("from", "secret"), ("from", "b")], "--from"),
        ] {
            let Refused(why) = words(job, &arguments).unwrap_err();
            assert!(why.contains(named) && !why.contains("secret"), "{why}");
        }
    }
}
