//! SIGKILL at each write of each action, again during recovery and at random moments: the table is in
//! the old or the new state, every snapshot that is kept has its rows, the rerun completes it once (W2
//! to W4), and nothing is left but what docs/commits.md says.

use std::collections::BTreeSet;
use std::path::PathBuf;

use super::actions::{Bed, Removes, Trial, actions};
use super::child::{Death, Work, work_and_die};
use super::files::ending;
use super::kill::{edges, numbers, random_deaths};

impl Trial<'_> {
    /// Dies as told, once or more often, then does the action to the end; whether each child was
    /// killed.
    async fn survive(&self, deaths: &[Death]) -> Vec<bool> {
        self.bed.restore();
        let when = format!("after {deaths:?}");
        let mut killed = Vec::new();
        let mut kept = self.tidy();
        for (run, death) in (1..).zip(deaths) {
            killed.push(work_and_die(&self.bed.place, Work::Act(self.action.name), run, death));
            let lake = self.bed.place.lake(run).await;
            let is_new = self.is_new(&lake, &when).await;
            self.nothing_is_missing(is_new, &when);
            let left = self.left(&lake).await;
            if killed.ends_with(&[true]) && death.after_us == 0 && self.action.swaps > 0 {
                let kind = death.kind.as_deref().unwrap_or_default();
                let moved = ["Committed", "FileRemoved"].contains(&kind);
                assert!(kind.is_empty() || is_new == moved, "{} {when}", self.action.name);
                if deaths.len() == 1 {
                    self.leaves(&left, kind);
                }
            }
            // What the table had stays part of it, or is the next expiry's to remove.
            let (of_table, of_attempts): (BTreeSet<PathBuf>, BTreeSet<PathBuf>) =
                left.into_iter().partition(|file| self.bed.files.contains(file));
            let expires = self.action.removes == Removes::Expired && is_new;
            assert!(of_table.is_empty() || expires, "{} {when}: {of_table:?}", self.action.name);
            kept.extend(of_attempts);
        }
        self.completes(&when, &kept).await;
        killed
    }

    /// A file of the table is only gone if it is one of those that the action is to remove, and the
    /// table does not lead to it any more.
    fn nothing_is_missing(&self, is_new: bool, when: &str) {
        let now = self.bed.files_now();
        let gone: BTreeSet<_> = self.bed.files.difference(&now).collect();
        let may_go = match self.action.removes {
            Removes::Nothing => false,
            Removes::Expired => is_new,
            Removes::Leftovers => gone.iter().all(|file| self.bed.leftovers.contains(*file)),
        };
        assert!(gone.is_empty() || may_go, "{} {when}: gone are {gone:?}", self.action.name);
    }

    /// What a process that was killed at an event leaves: the files that were written by then.
    fn leaves(&self, left: &BTreeSet<PathBuf>, kind: &str) {
        let when = format!("{} killed at {kind}: {left:#?}", self.action.name);
        let files: Vec<PathBuf> =
            left.iter().filter(|file| !self.bed.files.contains(*file)).cloned().collect();
        let is_list = |file: &&PathBuf| file.to_string_lossy().contains("/metadata/snap-");
        let lists = files.iter().filter(is_list).count();
        let manifests = ending(&files, ".avro") - lists;
        let found =
            [ending(&files, ".parquet"), manifests, lists, ending(&files, ".metadata.json")];
        assert_eq!(found.iter().sum::<usize>(), files.len(), "{when}");
        let [data, manifests, lists, metadata] = found.map(|count| count > 0);
        let with_files = self.events.contains(&"ManifestsWritten");
        match kind {
            "Committed" | "FileRemoved" => assert!(files.is_empty(), "{when}"),
            "MetadataWritten" | "Syncing" => {
                assert!(metadata && manifests == lists && lists == with_files, "{when}");
            }
            "ManifestsWritten" => assert!(manifests && lists && !metadata, "{when}"),
            "ManifestWritten" => assert!(manifests && !lists && !metadata, "{when}"),
            "DataFileWritten" | "DataFilesComplete" => {
                assert!(data && !manifests && !lists && !metadata, "{when}");
            }
            _ => assert!(!manifests && !lists && !metadata, "{when}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn w4_each_action_killed_at_each_edge() {
    let bed = Bed::new().await;
    let mut kinds = BTreeSet::new();
    for action in actions() {
        let trial = Trial::undisturbed(&bed, &action).await;
        kinds.extend(trial.events.iter().copied());
        for (kind, nth) in edges(&trial.events) {
            let killed = trial.survive(&[Death::at(kind, nth)]).await;
            assert_eq!(killed, [true], "{} at {kind} {nth}", action.name);
        }
    }
    for kind in [
        "DataFileWritten",
        "DataFilesComplete",
        "ManifestWritten",
        "ManifestsWritten",
        "Syncing",
        "MetadataWritten",
        "Committed",
        "FileRemoved",
    ] {
        assert!(kinds.contains(kind), "{kind} is never sent, so nothing dies at it");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn w4_each_action_killed_again_while_it_recovers() {
    let bed = Bed::new().await;
    for action in actions() {
        let trial = Trial::undisturbed(&bed, &action).await;
        let edges: &[&str] = match action.removes {
            Removes::Nothing => &["Syncing", "MetadataWritten", "Committed"],
            Removes::Expired => &["MetadataWritten", "Committed", "FileRemoved", "FileRemoved"],
            Removes::Leftovers => &["FileRemoved", "FileRemoved"],
        };
        let deaths: Vec<Death> = edges.iter().map(|kind| Death::at(kind, 1)).collect();
        let killed = trial.survive(&deaths).await;
        assert_eq!(killed, vec![true; deaths.len()], "{}", action.name);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn w4_each_action_killed_at_random_moments() {
    let bed = Bed::new().await;
    let mut random = numbers(20_240_701);
    // As many as for loads, and at least one for each action.
    let actions = actions();
    let each = (random_deaths() as usize).div_ceil(actions.len());
    let mut killed = 0;
    for action in &actions {
        let trial = Trial::undisturbed(&bed, action).await;
        for _ in 0..each {
            let death = Death {
                kind: None,
                nth: 1 + random(trial.events.len()),
                after_us: u64::try_from(random(1_500)).expect("small"),
            };
            killed += usize::from(trial.survive(&[death]).await[0]);
        }
    }
    let trials = each * actions.len();
    println!("{killed} of {trials} died before they were done");
    assert!(killed * 4 > trials, "only {killed} of {trials} died before they were done");
}
