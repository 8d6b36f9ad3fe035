//! `--help` of every command.

use super::Program;

const COMMANDS: &[&[&str]] = &[
    &[],
    &["demo"],
    &["generate"],
    &["load"],
    &["load", "csv"],
    &["merge"],
    &["rerun"],
    &["reconcile"],
    &["history"],
    &["sql"],
    &["shell"],
    &["snapshots"],
    &["maintain"],
    &["maintain", "compact"],
    &["maintain", "manifests"],
    &["maintain", "expire"],
    &["maintain", "orphans"],
    &["maintain", "retention"],
    &["tag"],
    &["tag", "create"],
    &["tag", "drop"],
    &["tag", "list"],
    &["branch"],
    &["branch", "create"],
    &["branch", "drop"],
    &["branch", "list"],
    &["branch", "fast-forward"],
    &["rollback"],
    &["cherry-pick"],
    &["diff"],
    &["audit"],
    &["runs"],
    &["tables"],
];

#[test]
fn help_has_examples_and_fits_100_columns() {
    let program = Program::new();
    for command in COMMANDS {
        let run = program.run(&[*command, &["--help"]].concat());
        run.succeeds();
        assert!(run.stdout.contains("Example"), "{command:?} has no example:\n{}", run.stdout);
        for line in run.stdout.lines() {
            assert!(line.chars().count() <= 100, "{command:?}: {line}");
        }
    }
    let text = program.run(&["--help"]).stdout;
    for command in COMMANDS.iter().filter_map(|command| command.first()) {
        assert!(text.contains(&format!("\n  {command} ")), "{command} is not listed");
    }
    assert!(text.contains("Exit codes: 0 done, 1 data or user error"), "{text}");
}

#[test]
fn a_mistyped_command_or_option_is_told() {
    let program = Program::new();
    program.run(&["snapshot", "bronze.visit"]).fails(1, &["snapshots"]);
    program.run(&["load", "csv", "--form", "in"]).fails(1, &["--form", "--from"]);
    program.run(&["--memory", "1KiB", "tables"]).fails(1, &["16MiB"]);
    assert!(!program.path("lake").try_exists().unwrap());
}

#[test]
fn the_version_is_told() {
    let run = Program::new().run(&["--version"]);
    run.succeeds();
    assert!(run.stdout.starts_with("northstar 0."), "{}", run.stdout);
}
