//! `northstar generate`: a seed stands for its bytes.

use super::{Program, content};

#[test]
fn the_same_seed_gives_the_same_bytes() {
    let program = Program::new();
    let sizes = ["--patients", "40", "--months", "2", "--facilities", "3"];
    for (to, seed) in [("one", "7"), ("two", "7"), ("other", "8")] {
        let run = program.run(&[&["generate", "--to", to, "--seed", seed], &sizes[..]].concat());
        run.succeeds();
        assert!(run.stderr.contains("northstar load csv --from"), "{}", run.stderr);
    }
    let one = content(&program.path("one"));
    assert!(one.iter().any(|(path, _)| path.starts_with("extract")), "{:?}", one.len());
    assert!(one == content(&program.path("two")), "the same seed gave other bytes");
    assert!(one != content(&program.path("other")), "another seed gave the same bytes");
}

#[test]
fn what_is_generated_loads_as_it_was_announced() {
    let program = Program::new();
    let arguments =
        ["--output", "json", "generate", "--to", "emr", "--patients", "40", "--months", "2"];
    let run = program.run(&[&arguments[..], &["--malformed", "0"]].concat());
    run.succeeds();
    let announced: u64 = run
        .json()
        .iter()
        .filter(|row| row["file"].as_str().is_some_and(|file| file.starts_with("extract/")))
        .map(|row| row["records"].as_str().unwrap().parse::<u64>().unwrap())
        .sum();
    let load = program.run(&["load", "csv", "--from", "emr/extract", "--into", "bronze"]);
    load.succeeds();
    let line = format!("{announced} records read = {announced} landed + 0 quarantined");
    assert!(announced > 0 && load.stdout.contains(&line), "{line} in {}", load.stdout);
}
