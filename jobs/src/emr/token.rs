//! The token of a submission: the same one for the same job, arguments and try, so that a submission that
//! is sent twice is one run.

use sha2::{Digest, Sha256};

/// What a token begins with, for who reads it.
const PREFIX: &str = "northstar-";
/// The service takes `[A-Za-z0-9._-]{1,64}`.
const MOST_CHARACTERS: usize = 64;

/// The token of a try of a job.
pub(super) fn token(application: &str, job: &str, arguments: &[String], attempt: u32) -> String {
    let mut hash = Sha256::new();
    // Each part says how long it is, so that no two lists are one text.
    let mut part = |text: &str| {
        hash.update(u64::try_from(text.len()).unwrap_or(u64::MAX).to_be_bytes());
        hash.update(text.as_bytes());
    };
    part(application);
    part(job);
    part(&attempt.to_string());
    arguments.iter().for_each(|argument| part(argument));
    let hexadecimal = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let mut token = format!("{PREFIX}{hexadecimal}");
    token.truncate(MOST_CHARACTERS);
    token
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    fn words(words: &[&str]) -> Vec<String> {
        words.iter().map(|word| (*word).to_string()).collect()
    }

    #[test]
    fn a_token_is_the_same_today_and_tomorrow() {
        // Computed apart from this code: SHA-256 of the parts, each after its length in eight bytes.
        let token = token("app", "job", &words(&["merge", "a.b"]), 1);
        assert_eq!(token, "northstar-563545d5e884238f864425d9390c551e8ae6c6e4fbe33cf76e1c38");
    }

    #[test]
    fn whatever_differs_makes_another_token() {
        let all = [
            token("app", "job", &words(&["ab", "c"]), 1),
            token("app", "job", &words(&["a", "bc"]), 1),
            token("app", "job", &words(&["abc"]), 1),
            token("app", "job", &words(&["ab", "c", ""]), 1),
            token("app", "job", &words(&["c", "ab"]), 1),
            token("app", "job", &words(&["ab", "c"]), 2),
            token("app", "jo", &words(&["ab", "c"]), 1),
            token("ap", "pjob", &words(&["ab", "c"]), 1),
            token("app", "job1", &words(&["ab", "c"]), 1),
        ];
        let distinct: HashSet<&String> = all.iter().collect();
        assert_eq!(distinct.len(), all.len(), "{all:?}");
    }

    proptest! {
        #[test]
        fn a_token_is_what_the_service_takes(
            job in ".{0,300}",
            arguments in prop::collection::vec(".{0,40}", 0..20),
            attempt in any::<u32>(),
        ) {
            let token = token("00f1abc", &job, &arguments, attempt);
            prop_assert!((1..=64).contains(&token.len()));
            prop_assert!(token.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c)));
        }
    }
}
