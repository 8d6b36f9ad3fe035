//! Looking at many files: in a folder one after the other, in a bucket several at once, as each look is
//! mostly a wait for S3.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use northstar_iceberg::storage::landing;

/// Looks at states and headers: a request or two each, and a quarter of a MiB.
pub(crate) const LOOKS: usize = 32;

/// Readings of whole files: some 12 MiB each.
pub(crate) const READINGS: usize = 4;

/// What `look` makes of each file, in their order. Blocking.
pub(crate) fn each<T: Sync, R: Send>(
    files: &[T],
    path: impl Fn(&T) -> &Path,
    most: usize,
    look: impl Fn(&T) -> R + Sync,
) -> Vec<R> {
    let threads = most.min(files.len());
    if threads < 2 || !files.iter().any(|file| landing::is_in_bucket(path(file))) {
        return files.iter().map(look).collect();
    }
    let next = AtomicUsize::new(0);
    let seen = Mutex::new(Vec::with_capacity(files.len()));
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some((at, file)) = take(files, &next) {
                    let made = look(file);
                    seen.lock().unwrap_or_else(PoisonError::into_inner).push((at, made));
                }
            });
        }
    });
    let mut seen = seen.into_inner().unwrap_or_else(PoisonError::into_inner);
    seen.sort_unstable_by_key(|(at, _)| *at);
    seen.into_iter().map(|(_, made)| made).collect()
}

fn take<'a, T>(files: &'a [T], next: &AtomicUsize) -> Option<(usize, &'a T)> {
    let at = next.fetch_add(1, Ordering::Relaxed);
    files.get(at).map(|file| (at, file))
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::sync::Barrier;

    use super::*;

    #[test]
    fn what_is_made_of_files_is_in_their_order() {
        for root in ["folder", "s3://bucket"] {
            let files: Vec<PathBuf> =
                (0..100).map(|at| Path::new(root).join(at.to_string())).collect();
            let made = each(&files, |file| file, 7, |file| file.clone());
            assert_eq!(made, files);
        }
        let none: Vec<PathBuf> = Vec::new();
        assert!(each(&none, |file| file, 7, |file| file.clone()).is_empty());
    }

    #[test]
    fn objects_are_looked_at_at_once() {
        let files = vec![PathBuf::from("s3://bucket/a"); 8];
        // Four are there before the first is done, or this never ends.
        let all = Barrier::new(4);
        let made = each(&files, |file| file, 4, |_| all.wait().is_leader());
        assert_eq!(made.into_iter().filter(|is_leader| *is_leader).count(), 2);
    }
}
