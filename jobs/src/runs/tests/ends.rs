//! How attempts end: by themselves, by request, for want of time; and what they leave.

use std::os::unix::fs::PermissionsExt;

use northstar_iceberg::clock::SteppingClock;

use super::super::prune::prune;
use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn what_a_run_prints_is_kept_for_its_owner_alone() {
    let mut fixture = Fixture::new(2);
    let owner = fixture.owner("j", None).await;
    let id = fixture.start(run(owner, "jr_a", &["exit", "0"])).await;
    fixture.supervise();
    let attempt = fixture.over(id, 1).await;
    assert_eq!((attempt.state, attempt.exit_code), (State::Succeeded, Some(0)));
    assert!(attempt.started_ms.is_some() && attempt.ended_ms >= attempt.started_ms);
    let folder = AttemptFolder::of(fixture.folder.path(), "jr_a", 1);
    assert_eq!(read(&folder.path().join("stdout")), "printed\n");
    assert_eq!(read(&folder.path().join("stderr")), "logged\n");
    for (path, mode) in [("", 0o700), ("stdout", 0o600), ("stderr", 0o600)] {
        let found = folder.path().join(path).metadata().unwrap().permissions().mode();
        assert_eq!(found & 0o777, mode, "{path}");
    }
    fixture.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_is_told_what_it_is_and_no_more() {
    let mut fixture = Fixture::new(2);
    let owner = fixture.owner("j", None).await;
    let id = fixture.start(run(owner, "jr_a", &["variables"])).await;
    fixture.supervise();
    fixture.over(id, 1).await;
    let printed = read(&AttemptFolder::of(fixture.folder.path(), "jr_a", 1).path().join("stdout"));
    let has = |start: &str| printed.lines().any(|line| line.starts_with(start));
    assert!(has(&format!("NORTHSTAR_PARENT={}", std::process::id())), "{printed}");
    assert!(has("NORTHSTAR_RUN_ID=jr_a") && has("NORTHSTAR_ADDRESS_SPACE="), "{printed}");
    // Cargo sets this for tests.
    assert!(!has("CARGO") && !has("USER="), "{printed}");
    fixture.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_fails_is_tried_as_often_as_it_may_be() {
    let mut fixture = Fixture::new(2);
    let owner = fixture.owner("j", None).await;
    let counted = fixture.path("counted");
    let words = ["nth", counted.as_str(), "3"];
    let twice = NewRun { max_attempts: 2, ..run(owner, "jr_a", &words) };
    let id = fixture.start(twice).await;
    fixture.supervise();
    let last = fixture.over(id, 2).await;
    assert_eq!((last.state, last.exit_code), (State::Failed, Some(3)));
    assert!(last.detail.contains("a retry may help"), "{}", last.detail);
    let thrice = NewRun { max_attempts: 3, ..run(owner, "jr_b", &words) };
    let id = fixture.start(thrice).await;
    assert_eq!(fixture.over(id, 1).await.state, State::Succeeded);
    fixture.stop().await;
    assert_eq!(fixture.attempts(id).await.len(), 1);
    let named = fixture.runs.read(move |tx| Run::named(tx, owner, "jr_a")).await.unwrap().unwrap();
    assert_eq!([1, 2].map(|n| named.attempt_name(n)), ["jr_a", "jr_a_attempt_1"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_is_stopped_ends_and_is_not_tried_again() {
    let mut fixture = Fixture::new(2);
    let owner = fixture.owner("j", None).await;
    let (ready, pipe) = (fixture.pipe("ready"), fixture.pipe("pipe"));
    let held = NewRun { max_attempts: 3, ..run(owner, "jr_a", &["held", &ready, &pipe]) };
    let id = fixture.start(held).await;
    fixture.supervise();
    line(ready).await;
    fixture.in_state(id, 1, State::Running).await;
    assert!(fixture.ask_to_stop(id, 60_000).await);
    let attempt = fixture.over(id, 1).await;
    assert_eq!((attempt.state, attempt.exit_code), (State::Stopped, None));
    assert!(!fixture.ask_to_stop(id, 0).await);
    assert_eq!(fixture.attempts(id).await.len(), 1);
    fixture.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_does_not_end_in_time_is_ended_by_force() {
    let mut fixture = Fixture::new(4);
    let owner = fixture.owner("j", None).await;
    let ready = fixture.pipe("ready");
    let id = fixture.start(run(owner, "jr_a", &["deaf", &ready])).await;
    fixture.supervise();
    line(ready).await;
    let running = fixture.in_state(id, 1, State::Running).await;
    fixture.ask_to_stop(id, 50).await;
    assert_eq!(fixture.over(id, 1).await.state, State::Stopped);
    assert_eq!(process::began(running.process.unwrap()), None);
    let ready = fixture.pipe("at once");
    let id = fixture.start(run(owner, "jr_b", &["deaf", &ready])).await;
    line(ready).await;
    fixture.in_state(id, 1, State::Running).await;
    fixture.ask_to_stop(id, 0).await;
    assert_eq!(fixture.over(id, 1).await.state, State::Stopped);
    fixture.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_takes_too_long_is_ended_and_not_tried_again() {
    let mut fixture = Fixture::new(2);
    let owner = fixture.owner("j", None).await;
    let (ready, pipe) = (fixture.path("ready"), fixture.pipe("pipe"));
    let held = run(owner, "jr_a", &["held", &ready, &pipe]);
    let id = fixture.start(NewRun { timeout_ms: Some(20), max_attempts: 2, ..held }).await;
    fixture.supervise();
    let attempt = fixture.over(id, 1).await;
    assert_eq!(attempt.state, State::TimedOut);
    assert_eq!(fixture.attempts(id).await.len(), 1);
    fixture.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_cannot_be_kept_fails_the_run_and_not_the_server() {
    let mut fixture = Fixture::new(2);
    let owner = fixture.owner("j", None).await;
    std::fs::create_dir(fixture.path("logs")).unwrap();
    // In the place of the folder stands a file.
    std::fs::write(fixture.path("logs/jr_a"), "").unwrap();
    let failing = fixture.start(run(owner, "jr_a", &["exit", "0"])).await;
    let other = fixture.start(run(owner, "jr_b", &["exit", "0"])).await;
    fixture.supervise();
    let attempt = fixture.over(failing, 1).await;
    assert_eq!((attempt.state, attempt.process), (State::Failed, None));
    assert!(attempt.detail.contains("log"), "{}", attempt.detail);
    assert_eq!(fixture.over(other, 1).await.state, State::Succeeded);
    fixture.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_log_fails_the_run() {
    let mut fixture = Fixture::new(2);
    let owner = fixture.owner("j", None).await;
    let folder = AttemptFolder::of(fixture.folder.path(), "jr_a", 1);
    std::fs::create_dir_all(folder.path()).unwrap();
    // Every write to it fails, as on a full disk.
    std::os::unix::fs::symlink("/dev/full", folder.path().join("stdout")).unwrap();
    let id = fixture.start(run(owner, "jr_a", &["variables"])).await;
    fixture.supervise();
    assert_eq!(fixture.over(id, 1).await.state, State::Failed);
    fixture.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_that_is_not_there_fails_the_run() {
    let mut fixture = Fixture::new(2);
    fixture.config.program = "/no/such/program".into();
    let mut fixture = fixture.restart();
    let owner = fixture.owner("j", None).await;
    let id = fixture.start(run(owner, "jr_a", &["exit", "0"])).await;
    fixture.supervise();
    assert_eq!(fixture.over(id, 1).await.state, State::Failed);
    fixture.stop().await;
}

#[tokio::test]
async fn runs_that_ended_long_ago_go_with_their_logs() {
    const DAY_MS: i64 = 86_400_000;
    let clock = Arc::new(SteppingClock::new(DAY_MS, 0));
    let fixture = Fixture::with_clock(2, Arc::<SteppingClock>::clone(&clock) as _);
    let owner = fixture.owner("j", None).await;
    let old = fixture.start(run(owner, "jr_a", &["exit", "0"])).await;
    fixture.ask_to_stop(old, 0).await;
    let waiting = fixture.start(run(owner, "jr_b", &["exit", "0"])).await;
    for name in ["jr_a", "jr_b"] {
        AttemptFolder::of(fixture.folder.path(), name, 1).create().unwrap();
    }
    let left = async || [fixture.attempts(old).await.len(), fixture.attempts(waiting).await.len()];
    clock.set(91 * DAY_MS);
    prune(&fixture.runs).await.unwrap();
    assert_eq!(left().await, [1, 1]);
    clock.set(91 * DAY_MS + 1);
    prune(&fixture.runs).await.unwrap();
    assert_eq!(left().await, [0, 1]);
    let logs = std::fs::read_dir(fixture.path("logs")).unwrap();
    let names: Vec<_> = logs.map(|log| log.unwrap().file_name()).collect();
    assert_eq!(names, ["jr_b"]);
}
