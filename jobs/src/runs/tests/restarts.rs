//! A server that ends, and one that goes on after it.

use std::os::unix::process::CommandExt;

use super::super::process::began;
use super::*;

/// Notes that an attempt has a process, as a server does before it ends without a word.
async fn note_process(fixture: &Fixture, run: i64, state: State, process: (i64, Option<i64>)) {
    fixture
        .runs
        .write(move |tx| {
            let mut attempt = Attempt::numbered(tx, run, 1)?.unwrap();
            attempt.enter(state, "it runs", 5);
            attempt.started_ms = Some(5);
            (attempt.process, attempt.process_started) = (Some(process.0), process.1);
            attempt.update(tx)
        })
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_restart_runs_without_a_process_are_lost_or_tried_again_and_others_go_on() {
    let fixture = Fixture::new(1);
    let owner = fixture.owner("j", None).await;
    let lost = fixture.start(run(owner, "jr_a", &["exit", "0"])).await;
    let again = NewRun { max_attempts: 2, ..run(owner, "jr_b", &["exit", "0"]) };
    let again = fixture.start(again).await;
    let stopping = fixture.start(run(owner, "jr_c", &["exit", "0"])).await;
    let waiting = fixture.start(run(owner, "jr_d", &["exit", "0"])).await;
    let gone = (i64::from(i32::MAX), Some(1));
    note_process(&fixture, lost, State::Running, gone).await;
    note_process(&fixture, again, State::Scheduled, gone).await;
    note_process(&fixture, stopping, State::Running, gone).await;
    assert!(fixture.ask_to_stop(stopping, 0).await);
    let mut fixture = fixture.restart();
    fixture.supervise();
    let attempt = fixture.over(lost, 1).await;
    assert_eq!((attempt.state, attempt.detail.as_str()), (State::Lost, "server restarted"));
    assert_eq!(fixture.over(again, 1).await.state, State::Lost);
    assert_eq!(fixture.over(again, 2).await.state, State::Succeeded);
    assert_eq!(fixture.over(stopping, 1).await.state, State::Stopped);
    assert_eq!(fixture.over(waiting, 1).await.state, State::Succeeded);
    fixture.stop().await;
    for (run, attempts) in [(lost, 1), (again, 2), (stopping, 1), (waiting, 1)] {
        assert_eq!(fixture.attempts(run).await.len(), attempts);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_outlived_its_server_is_ended_before_the_run_is_tried_again() {
    let fixture = Fixture::new(1);
    let owner = fixture.owner("j", None).await;
    let mut process =
        std::process::Command::new("/bin/sleep").arg("1000").process_group(0).spawn().unwrap();
    let pid = i64::from(process.id());
    let again = NewRun { max_attempts: 2, ..run(owner, "jr_a", &["exit", "0"]) };
    let id = fixture.start(again).await;
    note_process(&fixture, id, State::Running, (pid, began(pid))).await;
    let mut fixture = fixture.restart();
    fixture.supervise();
    assert_eq!(fixture.over(id, 2).await.state, State::Succeeded);
    assert!(!process.wait().unwrap().success());
    fixture.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_of_the_same_number_is_left_alone() {
    let fixture = Fixture::new(1);
    let owner = fixture.owner("j", None).await;
    let id = fixture.start(run(owner, "jr_a", &["exit", "0"])).await;
    let own = i64::from(std::process::id());
    // That number now is another process: this one, which would not survive a mistake.
    note_process(&fixture, id, State::Running, (own, began(own).map(|began| began - 1))).await;
    let mut fixture = fixture.restart();
    fixture.supervise();
    assert_eq!(fixture.over(id, 1).await.state, State::Lost);
    fixture.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_stops_ends_its_processes_and_the_next_one_tries_again() {
    let mut fixture = Fixture::new(2);
    let owner = fixture.owner("j", None).await;
    let (ready, pipe) = (fixture.pipe("ready"), fixture.pipe("pipe"));
    let held = NewRun { max_attempts: 2, ..run(owner, "jr_a", &["held", &ready, &pipe]) };
    let id = fixture.start(held).await;
    fixture.supervise();
    line(ready.clone()).await;
    let running = fixture.in_state(id, 1, State::Running).await;
    fixture.stop().await;
    assert_eq!(began(running.process.unwrap()), None);
    let states: Vec<State> = fixture.attempts(id).await.iter().map(|one| one.state).collect();
    assert_eq!(states, [State::Lost, State::Submitted]);
    let mut fixture = fixture.restart();
    fixture.supervise();
    line(ready).await;
    let_go(pipe).await;
    assert_eq!(fixture.over(id, 2).await.state, State::Succeeded);
    fixture.stop().await;
}
