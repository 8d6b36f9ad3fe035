//! Commands of the launcher, which are those of this program itself.

use std::ffi::OsString;
use std::path::Path;

use clap::Parser;

use super::registered::of;
use super::work::{Refused, Work};
use crate::cli::{Backfill, Cli, Command};

/// Options that the server sets, and what it says of each.
const OF_SERVER: [(&str, &str); 3] = [
    ("--actor", "it is who signed the request"),
    ("--memory", "it is the same for all runs of this server"),
    ("--run-id", "it is given by this server"),
];

impl Work {
    /// What a launcher does with its arguments. A `--warehouse` among them must be that of the server.
    ///
    /// # Errors
    /// For arguments that this program does not take, or that a run may not have.
    pub(crate) fn of_launcher(arguments: &[String], server: &[OsString]) -> Result<Self, Refused> {
        let arguments = without_mode(arguments)?;
        let options = arguments.iter().take_while(|word| *word != "--");
        for word in options {
            let name = word.split('=').next().unwrap_or_default();
            if let Some((name, why)) = OF_SERVER.iter().find(|(known, _)| *known == name) {
                return Err(Refused(format!("leave `{name}` out: {why}")));
            }
        }
        let words = without_warehouse(arguments, server)?;
        fits(&words)?;
        Ok(Self::Command { words })
    }
}

/// Whether these words are a command that a run can be.
///
/// # Errors
/// With what does not fit, and none of its values.
pub(crate) fn fits(words: &[String]) -> Result<(), Refused> {
    let program = std::iter::once("northstar");
    match Cli::try_parse_from(program.chain(words.iter().map(String::as_str))) {
        Ok(cli) if is_for_runs(&cli.command) => Ok(()),
        Ok(_) => Err(Refused(
            "this command is not for runs; see docs/jobs.md for those that are".to_string(),
        )),
        Err(error) => Err(Refused(format!("{} does not fit; see `northstar --help`", of(&error)))),
    }
}

/// Commands that end by themselves and read nothing from a terminal.
fn is_for_runs(command: &Command) -> bool {
    match command {
        Command::Sql { query, .. } => query != "-",
        Command::History { key_from, .. } => key_from != Path::new("-"),
        Command::Backfill(Backfill::Commit { descriptors, .. }) => descriptors != Path::new("-"),
        Command::Backfill(_)
        | Command::Load(_)
        | Command::Merge { .. }
        | Command::Rerun(_)
        | Command::Reconcile(_)
        | Command::Audit(_)
        | Command::Script { .. }
        | Command::Snapshots { .. }
        | Command::Maintain(_)
        | Command::Tag(_)
        | Command::Branch(_)
        | Command::Rollback(_)
        | Command::CherryPick { .. }
        | Command::Diff { .. }
        | Command::Tables => true,
        _ => false,
    }
}

/// The words without the launcher's own option, which stands first: in both modes a run is one process here.
fn without_mode(arguments: &[String]) -> Result<&[String], Refused> {
    let (mode, rest) = match arguments {
        [option, mode, rest @ ..] if option == "--mode" => (mode.as_str(), rest),
        [first, rest @ ..] => match first.strip_prefix("--mode=") {
            Some(mode) => (mode, rest),
            None => return Ok(arguments),
        },
        [] => return Ok(arguments),
    };
    match mode {
        "single" | "fanout" => Ok(rest),
        _ => Err(Refused("`--mode` is either single or fanout".to_string())),
    }
}

/// The words without the option that says where tables are, which the server gives itself.
fn without_warehouse(arguments: &[String], server: &[OsString]) -> Result<Vec<String>, Refused> {
    const OPTION: &str = "--warehouse";
    let of_server = |value: &str| {
        let joined = OsString::from(format!("{OPTION}={value}"));
        server.contains(&joined)
            || server.windows(2).any(|pair| pair[0] == OPTION && pair[1] == *value)
    };
    let mut words = Vec::with_capacity(arguments.len());
    let mut rest = arguments.iter();
    while let Some(word) = rest.next() {
        if word == "--" {
            words.push(word.clone());
            words.extend(rest.cloned());
            break;
        }
        let value = match (word.as_str(), word.split_once('=')) {
            (OPTION, _) => rest.next().map_or("", String::as_str),
            (_, Some((OPTION, value))) => value,
            _ => {
                words.push(word.clone());
                continue;
            }
        };
        if !of_server(value) {
            return Err(Refused(
                "`--warehouse` is not that of this server; leave it out".to_string(),
            ));
        }
    }
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn launched(arguments: &[&str]) -> Result<Work, Refused> {
        let arguments: Vec<String> = arguments.iter().map(|word| (*word).to_string()).collect();
        Work::of_launcher(&arguments, &["--warehouse".into(), "/lake".into()])
    }

    #[test]
    fn the_launcher_runs_commands_of_this_program() {
        let words = ["load", "csv", "--from", "/in", "--into", "bronze"];
        let work = launched(&words).unwrap();
        assert_eq!(work, Work::Command { words: words.map(String::from).to_vec() });
        let named = launched(&["--warehouse=/lake", "tables"]).unwrap();
        assert_eq!(named, launched(&["tables", "--warehouse", "/lake"]).unwrap());
        assert_eq!(named, Work::Command { words: vec!["tables".into()] });
    }

    #[test]
    fn a_backfill_is_one_process_in_both_modes_of_the_launcher() {
        let words = ["backfill", "run", "--from", "/in", "--into", "bronze"];
        let plain = launched(&words).unwrap();
        assert_eq!(plain, Work::Command { words: words.map(String::from).to_vec() });
        for mode in [vec!["--mode", "fanout"], vec!["--mode=single"]] {
            assert_eq!(launched(&[&mode[..], &words[..]].concat()).unwrap(), plain);
        }
        for refused in [vec!["--mode"], vec!["--mode", "both", "tables"], vec!["--mode=", "tables"]]
        {
            assert!(launched(&refused).is_err(), "{refused:?}");
        }
        let commit = ["backfill", "commit", "--from", "a", "--into", "b", "--descriptors"];
        assert!(launched(&[&commit[..], &["-"]].concat()).is_err());
        assert!(launched(&[&commit[..], &["waves.jsonl"]].concat()).is_ok());
    }

    #[test]
    fn what_the_server_decides_is_not_for_the_launcher() {
        for words in [
            ["--actor=root", "tables"],
            ["--memory", "tables"],
            ["tables", "--actor"],
            ["--warehouse=/other", "tables"],
            ["tables", "--warehouse"],
        ] {
            assert!(launched(&words).is_err(), "{words:?}");
        }
    }

    #[test]
    fn what_reads_from_a_terminal_is_not_for_runs() {
        for words in [vec!["shell"], vec!["sql", "-"], vec!["demo"], vec!["no such"], vec![]] {
            assert!(launched(&words).is_err(), "{words:?}");
        }
        assert!(launched(&["history", "a.b", "--key-from", "-"]).is_err());
        assert!(launched(&["sql", "SELECT 1"]).is_ok());
    }

    #[test]
    fn a_refusal_does_not_show_values() {
        let Refused(why) = launched(&["maintain", "expire", "a.b", "--keep", "Jane"]).unwrap_err();
        assert!(why.contains("--keep") && !why.contains("Jane"), "{why}");
    }
}
