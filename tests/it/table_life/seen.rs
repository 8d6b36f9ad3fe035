//! How often each kind of operation and outcome was reached, so that a generator that no longer
//! reaches one is noticed.

use std::collections::BTreeMap;

#[derive(Debug)]
pub(super) struct Seen(BTreeMap<(&'static str, &'static str), usize>);

/// What the lives must have come to.
const WANTED: [(&str, &str); 57] = [
    ("ingest", "done"),
    ("ingest", "nothing"),
    ("ingest", "refused"),
    ("ingest", "again after a rollback"),
    ("ingest into a branch", "done"),
    ("insert", "done"),
    ("merge", "done"),
    ("merge", "nothing"),
    ("merge", "refused"),
    ("merge on a branch", "done"),
    ("update", "done"),
    ("update", "nothing"),
    ("delete", "done"),
    ("delete", "nothing"),
    ("overwrite", "done"),
    ("truncate", "done"),
    ("mode", "done"),
    ("mode", "nothing"),
    ("add column", "done"),
    ("drop column", "done"),
    ("rename column", "done"),
    ("widen column", "done"),
    ("make optional", "done"),
    ("move column", "done"),
    ("add partition field", "done"),
    ("drop partition field", "done"),
    ("replace partition field", "done"),
    ("compact", "done"),
    ("compact", "nothing"),
    ("rewrite manifests", "done"),
    ("rewrite manifests", "nothing"),
    ("expire", "done"),
    ("expire", "nothing"),
    ("orphans", "done"),
    ("orphans", "nothing"),
    ("tag", "done"),
    ("tag", "refused"),
    ("branch", "done"),
    ("drop ref", "done"),
    ("publish", "done"),
    ("publish", "nothing"),
    ("publish", "refused"),
    ("cherry-pick", "done"),
    ("cherry-pick", "refused"),
    ("roll back", "done"),
    ("roll back", "nothing"),
    ("course", "lost reply"),
    ("course", "stale"),
    ("course", "crash early"),
    ("course", "crash before the swap"),
    ("course", "crash after the swap"),
    ("course", "overtaken, done"),
    ("course", "overtaken, refused"),
    ("check", "filter with rows"),
    ("check", "branch or tag"),
    ("check", "snapshot"),
    ("check", "counts"),
];

impl Seen {
    pub(super) const fn new() -> Self {
        Self(BTreeMap::new())
    }

    pub(super) fn add(&mut self, what: &'static str, outcome: &'static str) {
        *self.0.entry((what, outcome)).or_default() += 1;
    }

    /// Takes the counts of another part in.
    pub(super) fn add_all(&mut self, other: Self) {
        for (key, count) in other.0 {
            *self.0.entry(key).or_default() += count;
        }
    }

    /// All kinds of operations and outcomes were reached.
    pub(super) fn check(&self) {
        let missing: Vec<_> = WANTED.iter().filter(|wanted| !self.0.contains_key(wanted)).collect();
        assert!(missing.is_empty(), "never seen: {missing:?}\n{}", self.text());
    }

    pub(super) fn text(&self) -> String {
        let lines =
            self.0.iter().map(|((what, outcome), count)| format!("{what}, {outcome}: {count}\n"));
        lines.collect()
    }
}
