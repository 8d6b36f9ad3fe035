//! SIGKILL at each stage edge of a MERGE and at random moments: the table is in the old or the new
//! state, and the rerun completes it once (W2 to W4).

use super::child::{Death, Work, work_and_die};
use super::kill::{edges, numbers, random_deaths};
use super::merged::{State, Undisturbed};
use super::merging::{before, put_aside};

impl Undisturbed {
    /// Dies as told, once or more often, then merges to the end; whether each child was killed.
    async fn survive(&self, deaths: &[Death]) -> Vec<bool> {
        let (_folder, place) = before().await;
        let mut killed = Vec::new();
        for (run, death) in (1..).zip(deaths) {
            killed.push(work_and_die(&place, Work::Merge, run, death));
            let found = State::read(&place.lake(run).await).await;
            let is_new = found == self.new;
            assert!(
                is_new || found == self.old,
                "after {deaths:?}: neither old nor new: {found:#?}"
            );
            if death.after_us == 0 && killed.ends_with(&[true]) {
                assert_eq!(is_new, death.kind.as_deref() == Some("Committed"), "{deaths:?}");
                assert!(!put_aside(&place).is_empty(), "{deaths:?}: nothing to be swept");
            }
        }
        self.completes(&place, &format!("after {deaths:?}")).await;
        killed
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn w4_a_merge_killed_at_each_edge() {
    let undisturbed = Undisturbed::new().await;
    for kind in [
        "SourceKept",
        "RowsFound",
        "Spilled",
        "DataFileWritten",
        "DataFilesComplete",
        "ManifestsWritten",
        "MetadataWritten",
        "Committed",
    ] {
        assert!(undisturbed.events.contains(&kind), "{kind} is never sent, so nothing dies at it");
    }
    for (kind, nth) in edges(&undisturbed.events) {
        let killed = undisturbed.survive(&[Death::at(kind, nth)]).await;
        // How often rows are spilled depends on the order in which threads give them.
        assert!(killed == [true] || nth > 1, "{kind} {nth}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn w4_a_merge_killed_again_while_it_recovers() {
    let undisturbed = Undisturbed::new().await;
    for (first, second) in [
        ("MetadataWritten", "MetadataWritten"),
        ("ManifestsWritten", "Spilled"),
        ("RowsFound", "Committed"),
    ] {
        let deaths = [Death::at(first, 1), Death::at(second, 1)];
        assert_eq!(undisturbed.survive(&deaths).await, [true, true], "{deaths:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn w4_a_merge_killed_at_random_moments() {
    let undisturbed = Undisturbed::new().await;
    let mut random = numbers(20_240_601);
    let trials = random_deaths();
    let mut killed = 0;
    for _ in 0..trials {
        let death = Death {
            kind: None,
            nth: 1 + random(undisturbed.events.len()),
            after_us: u64::try_from(random(4_000)).expect("small"),
        };
        killed += u32::from(undisturbed.survive(&[death]).await[0]);
    }
    assert!(killed * 2 > trials, "only {killed} of {trials} died before they were done");
}
