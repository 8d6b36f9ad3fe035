//! One action on one table: what it comes to without faults, and what must hold after each fault.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use northstar_catalog::{Error, ErrorKind};
use northstar_iceberg::observer::Observer;
use northstar_iceberg::{Lake, Result};

use super::bed::Bed;
use super::list::{Action, Removes};
use super::model::Model;
use crate::merging::put_aside;
use crate::observers::Recorder;

/// An action and a table that it is tried on, time and again.
pub(crate) struct Trial<'a> {
    pub(crate) bed: &'a Bed,
    pub(crate) action: &'a Action,
    pub(crate) old: Model,
    pub(crate) new: Model,
    /// What an undisturbed run tells.
    pub(crate) events: Vec<&'static str>,
}

impl<'a> Trial<'a> {
    /// An action on a table. Its events are not known, and it was not done yet.
    pub(crate) fn of(bed: &'a Bed, action: &'a Action) -> Self {
        let (old, mut new) = (bed.model.clone(), bed.model.clone());
        (action.after)(&mut new);
        Self { bed, action, old, new, events: Vec::new() }
    }

    /// Does the action without faults: it makes of the table what the model says, and once.
    pub(crate) async fn undisturbed(bed: &'a Bed, action: &'a Action) -> Self {
        let mut trial = Self::of(bed, action);
        bed.restore();
        let recorder = Arc::new(Recorder::default());
        let observed = bed.place.observed(1, Arc::clone(&recorder) as Arc<dyn Observer>).await;
        assert!(trial.run(&observed).await.unwrap(), "{} does nothing", action.name);
        trial.events = recorder.kinds();
        assert_eq!(recorder.count("Committed"), action.swaps, "{}", action.name);
        trial.completes("without faults", &trial.tidy()).await;
        bed.restore();
        trial
    }

    /// Does the action; whether that changed something.
    pub(crate) async fn run(&self, lake: &Lake) -> Result<bool> {
        (self.action.run)(lake.clone()).await
    }

    /// Whether the table shows the action. It shows all of it or nothing of it, and every snapshot
    /// that is kept has its rows.
    pub(crate) async fn is_new(&self, lake: &Lake, when: &str) -> bool {
        let found = Model::read(lake).await;
        let is_new = found == self.new;
        let name = self.action.name;
        assert!(is_new || found == self.old, "{name} {when}: neither old nor new: {found:#?}");
        is_new
    }

    /// The leftovers that are there once the action is done.
    pub(crate) fn tidy(&self) -> BTreeSet<PathBuf> {
        match self.action.removes {
            Removes::Leftovers => [self.bed.young.clone()].into(),
            _ => self.bed.leftovers.clone(),
        }
    }

    /// What is there beside the leftovers and nothing refers to.
    pub(crate) async fn left(&self, lake: &Lake) -> BTreeSet<PathBuf> {
        let orphans = self.bed.orphans(lake).await;
        assert!(orphans.contains(&self.bed.young), "{}: a young file is gone", self.action.name);
        orphans.difference(&self.bed.leftovers).cloned().collect()
    }

    /// Does the action twice without faults: the table is as without faults, the second time changed
    /// nothing (W2), and nothing is there that nothing refers to but `left`.
    pub(crate) async fn completes(&self, when: &str, left: &BTreeSet<PathBuf>) {
        let when = format!("{} {when}", self.action.name);
        for run in [50, 51] {
            let lake = self.bed.place.lake(run).await;
            let changed = self.run(&lake).await.unwrap_or_else(|error| panic!("{when}: {error}"));
            assert!(run == 50 || !changed, "W2, {when}: the second run changed something");
        }
        let lake = self.bed.place.lake(52).await;
        assert_eq!(Model::read(&lake).await, self.new, "{when}");
        assert_eq!(self.bed.orphans(&lake).await, *left, "{when}");
        assert_eq!(put_aside(&self.bed.place), Vec::<PathBuf>::new(), "{when}");
    }

    /// After an error before the pointer moved: the table is as it was, and so are its files.
    pub(crate) async fn nothing_changed(&self, when: &str) {
        let lake = self.bed.place.lake(20).await;
        let name = self.action.name;
        assert_eq!(Model::read(&lake).await, self.old, "{name} {when}");
        assert_eq!(self.bed.files_now(), self.bed.files, "{name} {when}");
        assert_eq!(put_aside(&self.bed.place), Vec::<PathBuf>::new(), "{name} {when}");
    }

    /// The error has the kind and names a file.
    pub(crate) fn names(&self, error: &Error, kind: ErrorKind, file: &str, when: &str) {
        let name = self.action.name;
        assert_eq!(error.kind(), kind, "{name} {when}: {error:?}");
        assert!(error.to_string().contains(file), "{name} {when}: {file} is not in: {error}");
    }
}
