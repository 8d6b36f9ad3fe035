//! A swap that takes 30 seconds, or whose reply does, and a caller that does not wait for it: readers
//! see the old table before the swap and the new one after it, and nothing is removed before the reply.

use std::collections::BTreeSet;
use std::sync::Arc;

use northstar_catalog::faulty::{Fault, Gate};
use northstar_iceberg::Lake;
use northstar_iceberg::clock::SteppingClock;
use northstar_iceberg::observer::Silent;
use northstar_tests::lab::START_MS;

use super::action_replies::for_each_swap;
use super::actions::{Action, Bed, Trial};

/// How long the catalog takes, in milliseconds of the lake's clock.
const SLOW_MS: i64 = 30_000;

async fn slow(bed: Arc<Bed>, action: Action) {
    let trial = Trial::of(&bed, &action);
    for (late_reply, broken_off) in [(false, false), (true, false), (false, true), (true, true)] {
        let when = format!("slow, late reply {late_reply}, broken off {broken_off}");
        let catalog = trial.faulty().await;
        let gate = Gate::new();
        let at = Arc::clone(&gate);
        catalog.on_swap([if late_reply { Fault::SlowReply(at) } else { Fault::Slow(at) }]);
        let clock = Arc::new(SteppingClock::new(START_MS + 5_000, 10));
        let lake = trial.behind(&catalog, Arc::new(Silent)).await;
        let lake = Lake { clock: Arc::clone(&clock) as _, ..lake };
        let mut running = (action.run)(lake);
        tokio::select! {
            () = gate.arrived() => {}
            ended = &mut running => panic!("{} {when}: before its swap: {ended:?}", action.name),
        }
        clock.set(START_MS + 5_000 + SLOW_MS);
        let is_new = trial.is_new(&bed.place.lake(2).await, &when).await;
        assert_eq!(is_new, late_reply, "{} {when}", action.name);
        trial.nothing_removed(&when);
        let mut attempts = BTreeSet::new();
        if broken_off {
            drop(running);
            trial.nothing_removed(&when);
            attempts = trial.of_attempts(&bed.place.lake(2).await, &when).await;
            assert_eq!(attempts.is_empty(), late_reply, "{} {when}", action.name);
        } else {
            gate.open();
            assert!(running.await.unwrap(), "{} {when}", action.name);
        }
        assert_eq!(trial.is_new(&bed.place.lake(3).await, &when).await, late_reply || !broken_off);
        trial.completes(&when, &trial.tidy_and(&attempts)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn w4_a_swap_that_answers_after_30_s_is_old_before_and_new_after() {
    for_each_swap(2, |bed, action| Box::pin(slow(bed, action))).await;
}
