//! Owner, reason and time of creation of a ref: Iceberg has no fields for them, so they are table
//! properties beside it, and go with it.

use std::collections::HashMap;

use crate::commit::summary::MAX_VALUE_BYTES;
use crate::{Error, ErrorKind, Result};

const PREFIX: &str = "northstar.ref.";
const FIELDS: [&str; 3] = ["owner", "reason", "created-ms"];

/// What is known of a ref beside what it names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Notes {
    /// Who answers for it.
    pub owner: Option<String>,
    /// Why it is there. Never anything of a patient.
    pub reason: Option<String>,
    /// When it was made, in milliseconds since 1970-01-01 UTC.
    pub created_ms: Option<i64>,
}

/// The properties of a ref's notes. Whoever removes a ref removes them too.
pub fn note_keys(name: &str) -> [String; 3] {
    // No field has a dot in it, so two refs never share a key, whatever dots their names have.
    FIELDS.map(|field| format!("{PREFIX}{name}.{field}"))
}

impl Notes {
    pub(super) fn of(name: &str, properties: &HashMap<String, String>) -> Self {
        let [owner, reason, created] = note_keys(name).map(|key| properties.get(&key).cloned());
        Self { owner, reason, created_ms: created.and_then(|text| text.parse().ok()) }
    }

    /// The properties that hold the notes of the ref `name`.
    pub(super) fn properties(&self, name: &str) -> HashMap<String, String> {
        let created = self.created_ms.map(|ms| ms.to_string());
        note_keys(name)
            .into_iter()
            .zip([self.owner.clone(), self.reason.clone(), created])
            .filter_map(|(key, value)| Some((key, value?)))
            .collect()
    }

    /// # Errors
    /// `InvalidInput` for a note that is blank, too long, or more than one line.
    pub(super) fn check(&self) -> Result<()> {
        for (what, text) in [("owner", &self.owner), ("reason", &self.reason)] {
            let Some(text) = text else { continue };
            let why = if text.trim().is_empty() {
                "is blank; say it or leave it out".to_string()
            } else if text.len() >= MAX_VALUE_BYTES {
                format!("must be shorter than {MAX_VALUE_BYTES} bytes; shorten it")
            } else if text.chars().any(char::is_control) {
                "must be one line of plain text".to_string()
            } else {
                continue;
            };
            return Err(Error::new(ErrorKind::InvalidInput, format!("the {what} {why}")));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_come_back_and_dots_in_names_do_not_mix_them_up() {
        let notes = |owner: &str| Notes {
            owner: Some(owner.to_string()),
            reason: None,
            created_ms: Some(7),
        };
        let mut properties = notes("a").properties("x");
        properties.extend(notes("b").properties("x.owner"));
        assert_eq!(properties.len(), 4);
        assert_eq!(Notes::of("x", &properties), notes("a"));
        assert_eq!(Notes::of("x.owner", &properties), notes("b"));
        assert_eq!(Notes::of("x.owner.owner", &properties), Notes::default());
    }

    #[test]
    fn notes_are_short_lines() {
        let with = |owner: &str| Notes { owner: Some(owner.to_string()), ..Notes::default() };
        assert!(with("finance").check().is_ok());
        assert!(with(&"x".repeat(4_095)).check().is_ok());
        for bad in ["", "  ", "a\nb", &"x".repeat(4_096)] {
            assert_eq!(with(bad).check().unwrap_err().kind(), ErrorKind::InvalidInput);
        }
    }
}
