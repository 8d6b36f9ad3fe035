//! `northstar shell`, with its input from a pipe.

use super::Program;

#[test]
fn queries_are_answered_one_after_the_other_and_mistakes_do_not_end_it() {
    let program = Program::loaded();
    let input = "SELECT count(*) AS visits\n  FROM bronze.visit;\n\
                 SELECT nothing FROM bronze.visit;\n\
                 \\s bronze.lab_result\n\
                 \\t\n\
                 \\h\n\
                 SELECT max(id) AS highest FROM bronze.lab_result;\n";
    let run = program.run_with_input(&["shell"], input);
    run.succeeds();
    let visits = run.stdout.find("visits").expect("the first answer");
    let highest = run.stdout.find("highest").expect("the last answer");
    assert!(visits < highest, "{}", run.stdout);
    for part in ["load csv", "bronze.quarantine"] {
        assert!(run.stdout.contains(part), "{part} in {}", run.stdout);
    }
    for part in ["error: ", "nothing", "Ctrl-D leaves"] {
        assert!(run.stderr.contains(part), "{part} in {}", run.stderr);
    }
}

#[test]
fn it_can_be_left_and_answers_in_the_form_that_was_asked_for() {
    let program = Program::loaded();
    let input = "SELECT id FROM bronze.lab_result ORDER BY id;\n\\q\nSELECT 'not reached';\n";
    let run = program.run_with_input(&["--output", "csv", "shell"], input);
    run.succeeds();
    assert_eq!(run.stdout, "id\n1\n2\n");
}
