//! Tokens for clients of Iceberg REST that do not sign: given for a key and its secret, for an hour.
//!
//! A token is `ns1.KEY.EXPIRY.MAC`: the server keeps none of them, and one that was given before a
//! restart is good after it.

use std::time::SystemTime;

use aws_sigv4::sign::v4::{calculate_signature, generate_signing_key};

use super::keys::{Key, Keys};
use super::verify::is_equal;

/// How long a token is good.
pub(crate) const LIFE_SECONDS: i64 = 3_600;

const FORM: &str = "ns1";

/// A token for the holder of a key, if the secret is the key's.
pub(super) fn give(keys: &Keys, id: &str, secret: &str, now_ms: i64) -> Option<String> {
    let key = keys.find(id).filter(|key| is_equal(key.secret().as_bytes(), secret.as_bytes()))?;
    let expiry = now_ms / 1_000 + LIFE_SECONDS;
    Some(format!("{FORM}.{id}.{expiry}.{}", mac(key, expiry)))
}

/// The key that a token was given for, unless it has expired.
pub(super) fn holder<'k>(keys: &'k Keys, token: &str, now_ms: i64) -> Option<&'k Key> {
    let parts: Vec<&str> = token.split('.').collect();
    let [FORM, id, expiry, made] = parts[..] else { return None };
    let key = keys.find(id)?;
    let until: i64 = expiry.parse().ok()?;
    let is_good = until > now_ms / 1_000 && is_equal(mac(key, until).as_bytes(), made.as_bytes());
    is_good.then_some(key)
}

/// Signed as a request of a service that there is not, so that no signature of a request is a token.
fn mac(key: &Key, expiry: i64) -> String {
    let signer = generate_signing_key(key.secret(), SystemTime::UNIX_EPOCH, "token", "northstar");
    calculate_signature(signer, format!("{FORM}.{}.{expiry}", key.id).as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_good_for_an_hour_and_for_its_key_alone() {
        let keys = Keys::of("AKIA", "secret-of-the-key", "airflow");
        let token = give(&keys, "AKIA", "secret-of-the-key", 1_000_000).unwrap();
        assert_eq!(holder(&keys, &token, 1_000_000).unwrap().actor, "airflow");
        assert!(holder(&keys, &token, 1_000_000 + LIFE_SECONDS * 1_000 - 1).is_some());
        assert!(holder(&keys, &token, 1_000_000 + LIFE_SECONDS * 1_000).is_none());
        let other = Keys::of("AKIA", "another-secret-now", "airflow");
        assert!(holder(&other, &token, 1_000_000).is_none());
        for bad in [
            token.replace("AKIA", "AKIB"),
            token.replace(".4600.", ".9999999999."),
            format!("{token}0"),
            String::new(),
        ] {
            assert!(holder(&keys, &bad, 1_000_000).is_none(), "{bad}");
        }
        assert!(give(&keys, "AKIA", "wrong-secret-here", 0).is_none());
        assert!(give(&keys, "AKIB", "secret-of-the-key", 0).is_none());
    }
}
