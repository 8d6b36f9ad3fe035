//! The command of a run: one of this program, and free of what looks like a secret. The service keeps
//! arguments, shows them to whoever may read the run, and writes them into logs of its own.

use northstar_iceberg::{Error, ErrorKind, Result};
use regex::Regex;

use crate::runs::fits;

/// What an argument looks like, and how that is told.
const LOOKS: [(&str, &str); 8] = [
    ("an AWS access key", r"\b(AKIA|ASIA)[A-Z0-9]{16}\b"),
    ("a private key", r"-----BEGIN [A-Z ]*PRIVATE KEY"),
    ("a signed token", r"\beyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\."),
    (
        "a signed URL",
        r"(?i)\b(X-Amz-Signature|X-Amz-Security-Token|Signature|sig)=[A-Za-z0-9%/+]{16,}",
    ),
    ("a URL with a password", r"(?i)\b[a-z][a-z0-9+.-]*://[^/\s:@]*:[^/\s@]+@"),
    (
        "a password or key with its name",
        r#"(?i)\b(\w+[_-])?(password|passwd|pwd|secret|secret[_-]?access[_-]?key|api[_-]?key|access[_-]?token|auth[_-]?token|session[_-]?token)["']?\s*[=:]\s*\S"#,
    ),
    ("a password or key with its name", r"(?i)^--?(password|passwd|pwd|secret|api-?key|token)$"),
    ("a social security number", r"\b\d{3}-\d{2}-\d{4}\b"),
];

/// Checks the words of a command before they go anywhere.
///
/// # Errors
/// `InvalidInput` for a command that a run cannot be, and for what looks like a secret or like a person.
/// No word is quoted.
pub(crate) fn check(words: &[String]) -> Result<()> {
    for (at, word) in words.iter().enumerate() {
        if let Some(look) = look(word)? {
            let text = format!(
                "word {} of the command looks like {look}; arguments are kept and shown to others: give \
                 the run a role, a file or a secret's name instead",
                at + 1
            );
            return Err(Error::new(ErrorKind::InvalidInput, text));
        }
    }
    fits(words).map_err(|why| Error::new(ErrorKind::InvalidInput, why.0))
}

/// What a word looks like that it should not.
fn look(word: &str) -> Result<Option<&'static str>> {
    if is_secret_access_key(word) {
        return Ok(Some("an AWS secret access key"));
    }
    for (told, pattern) in LOOKS {
        let pattern = Regex::new(pattern).map_err(|error| {
            Error::new(ErrorKind::Internal, "a pattern does not fit").with_source(error)
        })?;
        if pattern.is_match(word) {
            return Ok(Some(told));
        }
    }
    Ok(None)
}

/// Forty characters of base64, of each kind some. A checksum has lower-case letters alone, and a path has
/// more of it, or an ending.
fn is_secret_access_key(word: &str) -> bool {
    let value = word.split_once('=').map_or(word, |(_, value)| value);
    let has = |kind: fn(&u8) -> bool| value.as_bytes().iter().any(kind);
    value.len() == 40
        && value.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/+".contains(&byte))
        && !value.starts_with('/')
        && has(u8::is_ascii_uppercase)
        && has(u8::is_ascii_lowercase)
        && has(u8::is_ascii_digit)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(words: &[&str]) -> Result<()> {
        check(&words.iter().map(|word| (*word).to_string()).collect::<Vec<_>>())
    }

    #[test]
    fn commands_of_runs_pass() {
        for words in [
            vec!["merge", "silver.lab_result", "--changes", "/in/day_1.csv"],
            vec!["load", "csv", "--from", "s3://bucket/in/2024-05-01", "--into", "bronze"],
            vec!["sql", "SELECT token, secret FROM a.b WHERE facility_id = 'F9'"],
            vec!["--warehouse", "s3://b/p", "--catalog", "sqlite:///srv/c.db", "tables"],
            vec!["maintain", "expire", "a.b", "--older-than", "35d"],
            vec!["sql", "SELECT 1 WHERE '2024-05-01' = '555-1234'"],
        ] {
            checked(&words).unwrap();
        }
    }

    #[test]
    fn what_is_no_command_of_a_run_is_refused() {
        for words in
            [vec!["shell"], vec!["serve", "--anonymous"], vec!["merge"], vec!["no"], vec![]]
        {
            assert_eq!(checked(&words).unwrap_err().kind(), ErrorKind::InvalidInput, "{words:?}");
        }
        let error = checked(&["maintain", "expire", "a.b", "--keep", "Jane"]).unwrap_err();
        assert!(!error.to_string().contains("Jane"), "{error}");
    }

    #[test]
    fn what_looks_like_a_secret_is_refused_and_not_quoted() {
        for secret in [
            "AKIAIOSFODNN7EXAMPLE",
            "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
            "aws_secret_access_key=abc",
            "Server=db;User=sa;Password=hunter2",
            "postgres://loader:hunter2@db/emr",
            "-----BEGIN RSA PRIVATE KEY-----",
            "https://b.s3.amazonaws.com/x?X-Amz-Signature=0123456789abcdef0123",
            "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2ln",
            "{\"api_key\": \"k\"}",
            "--password",
            "SELECT * FROM a.b WHERE ssn = '123-45-6789'",
        ] {
            let error = checked(&["sql", secret]).unwrap_err();
            let text = error.to_string();
            assert!(text.contains("word 2") && text.contains("looks like"), "{secret}: {text}");
            assert!(!text.contains(secret), "{text}");
        }
    }
}
