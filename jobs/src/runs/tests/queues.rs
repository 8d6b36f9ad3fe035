//! Bounds: of the server, of an owner, of waiting.

use northstar_iceberg::clock::SteppingClock;

use super::super::queue::settle;
use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn no_more_processes_run_than_the_server_may_have() {
    let mut fixture = Fixture::new(1);
    let owner = fixture.owner("j", None).await;
    let (ready, pipe) = (fixture.pipe("ready"), fixture.pipe("pipe"));
    let first = fixture.start(run(owner, "jr_a", &["held", &ready, &pipe])).await;
    let second = fixture.start(run(owner, "jr_b", &["exit", "0"])).await;
    fixture.supervise();
    line(ready).await;
    fixture.in_state(first, 1, State::Running).await;
    fixture.in_state(second, 1, State::Pending).await;
    let_go(pipe).await;
    assert_eq!(fixture.over(first, 1).await.state, State::Succeeded);
    let second = fixture.over(second, 1).await;
    let first = fixture.over(first, 1).await;
    assert_eq!(second.state, State::Succeeded);
    assert!(second.started_ms >= first.ended_ms);
    fixture.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_owner_has_no_more_runs_than_it_may_and_others_pass_by() {
    let mut fixture = Fixture::new(4);
    let narrow = fixture.owner("narrow", Some(1)).await;
    let other = fixture.owner("other", None).await;
    let (ready, pipe) = (fixture.pipe("ready"), fixture.pipe("pipe"));
    let first = fixture.start(run(narrow, "jr_a", &["held", &ready, &pipe])).await;
    let second = fixture.start(run(narrow, "jr_b", &["exit", "0"])).await;
    let third = fixture.start(run(other, "jr_c", &["exit", "0"])).await;
    fixture.supervise();
    line(ready).await;
    assert_eq!(fixture.over(third, 1).await.state, State::Succeeded);
    fixture.in_state(second, 1, State::Queued).await;
    assert!(fixture.ask_to_stop(second, 0).await);
    assert_eq!(fixture.over(second, 1).await.state, State::Stopped);
    let fourth = fixture.start(run(narrow, "jr_d", &["exit", "0"])).await;
    fixture.in_state(fourth, 1, State::Queued).await;
    let_go(pipe).await;
    assert_eq!(fixture.over(first, 1).await.state, State::Succeeded);
    assert_eq!(fixture.over(fourth, 1).await.state, State::Succeeded);
    fixture.stop().await;
}

#[tokio::test]
async fn a_run_that_waits_too_long_in_the_queue_expires() {
    let fixture = Fixture::with_clock(4, Arc::new(SteppingClock::new(1_000, 0)));
    let owner = fixture.owner("j", Some(1)).await;
    let first = fixture.start(run(owner, "jr_a", &["exit", "0"])).await;
    let waiting = NewRun { queue_ms: Some(60_000), ..run(owner, "jr_b", &["exit", "0"]) };
    let second = fixture.start(waiting).await;
    let at = async |now_ms: i64| {
        let settled = fixture.runs.read(move |tx| settle(tx, 4, now_ms)).await.unwrap();
        let states = [fixture.attempts(first).await, fixture.attempts(second).await]
            .map(|attempts| attempts[0].state);
        (settled.claimed.len(), settled.changed, settled.next_ms, states)
    };
    let waits = [State::Scheduled, State::Queued];
    assert_eq!(at(1_000).await, (1, true, Some(61_000), waits));
    assert_eq!(at(60_999).await, (0, false, Some(61_000), waits));
    assert_eq!(at(61_000).await, (0, true, None, [State::Scheduled, State::Expired]));
}

#[tokio::test]
async fn runs_start_in_the_order_in_which_they_were_asked_for() {
    let fixture = Fixture::new(2);
    let owner = fixture.owner("j", None).await;
    for name in ["jr_c", "jr_a", "jr_b"] {
        fixture.start(run(owner, name, &["exit", "0"])).await;
    }
    let settled = fixture.runs.read(|tx| settle(tx, 2, 1)).await.unwrap();
    let names: Vec<String> = settled.claimed.into_iter().map(|(run, _)| run.name).collect();
    assert_eq!(names, ["jr_c", "jr_a"]);
}
