//! Credentials of the AWS SDK's chain, asked for again before they expire.

use std::sync::Arc;
use std::time::UNIX_EPOCH;

use async_trait::async_trait;
use aws_credential_types::Credentials;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use object_store::CredentialProvider;
use object_store::aws::AwsCredential;
use tokio::runtime::Handle;
use tokio::sync::Mutex;

use super::error::NoCredentials;
use crate::clock::Clock;

/// Credentials are asked for again when they last no longer than this: a request is sent again for up
/// to three minutes, with the signature that it began with.
const RENEW_BEFORE_MS: i64 = 5 * 60 * 1_000;

/// A chain that has nothing newer yet is not asked more often than this.
const LEAST_WAIT_MS: i64 = 10 * 1_000;

/// Gives each request credentials that last.
#[derive(Debug)]
pub(super) struct Renewed {
    chain: SharedCredentialsProvider,
    clock: Arc<dyn Clock>,
    runtime: Handle,
    current: Mutex<Option<Current>>,
}

#[derive(Debug)]
struct Current {
    credential: Arc<AwsCredential>,
    asked_ms: i64,
    expires_ms: Option<i64>,
}

impl Current {
    fn lasts(&self, now_ms: i64) -> bool {
        self.expires_ms.is_none_or(|expires_ms| {
            let is_new = now_ms < self.asked_ms.saturating_add(LEAST_WAIT_MS);
            now_ms < expires_ms - RENEW_BEFORE_MS || (is_new && now_ms < expires_ms)
        })
    }

    fn is_valid(&self, now_ms: i64) -> bool {
        self.expires_ms.is_none_or(|expires_ms| now_ms < expires_ms)
    }
}

impl Renewed {
    pub(super) fn new(
        chain: SharedCredentialsProvider,
        clock: Arc<dyn Clock>,
        runtime: Handle,
    ) -> Self {
        Self { chain, clock, runtime, current: Mutex::new(None) }
    }

    /// Forgets what is held, which S3 takes for expired: the next request asks the chain.
    pub(super) async fn forget(&self) {
        *self.current.lock().await = None;
    }

    async fn ask(&self) -> Result<Credentials, NoCredentials> {
        let chain = self.chain.clone();
        let asked = self.runtime.spawn(async move { chain.provide_credentials().await });
        match asked.await {
            Ok(Ok(credentials)) => Ok(credentials),
            Ok(Err(error)) => Err(NoCredentials(Box::new(error))),
            Err(error) => Err(NoCredentials(Box::new(error))),
        }
    }
}

#[async_trait]
impl CredentialProvider for Renewed {
    type Credential = AwsCredential;

    async fn get_credential(&self) -> object_store::Result<Arc<AwsCredential>> {
        let mut current = self.current.lock().await;
        let now_ms = self.clock.now_ms();
        if let Some(held) = current.as_ref().filter(|held| held.lasts(now_ms)) {
            return Ok(Arc::clone(&held.credential));
        }
        match self.ask().await {
            Ok(credentials) => {
                let held = held(&credentials, now_ms);
                let credential = Arc::clone(&held.credential);
                *current = Some(held);
                Ok(credential)
            }
            Err(error) => match current.as_ref().filter(|held| held.is_valid(now_ms)) {
                Some(held) => {
                    tracing::warn!(%error, "AWS credentials expire soon and could not be renewed");
                    Ok(Arc::clone(&held.credential))
                }
                None => Err(object_store::Error::Generic { store: "S3", source: Box::new(error) }),
            },
        }
    }
}

fn held(credentials: &Credentials, now_ms: i64) -> Current {
    let expires_ms = credentials.expiry().map(|at| {
        let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
        i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
    });
    Current {
        credential: Arc::new(AwsCredential {
            key_id: credentials.access_key_id().to_string(),
            secret_key: credentials.secret_access_key().to_string(),
            token: credentials.session_token().map(str::to_string),
        }),
        asked_ms: now_ms,
        expires_ms,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::time::Duration;

    use aws_credential_types::provider::error::CredentialsError;
    use aws_credential_types::provider::future;

    use super::*;
    use crate::clock::SteppingClock;

    /// Gives keys that are numbered and last for ten minutes from the time of the first, or none.
    #[derive(Debug)]
    struct Numbered {
        asked: AtomicU64,
        begun_ms: i64,
        most: u64,
    }

    impl ProvideCredentials for Numbered {
        fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
        where
            Self: 'a,
        {
            let at = self.asked.fetch_add(1, Ordering::SeqCst);
            if at >= self.most {
                return future::ProvideCredentials::ready(Err(CredentialsError::not_loaded(
                    "none",
                )));
            }
            let lasts_ms = u64::try_from(self.begun_ms).unwrap() + (at + 1) * 600_000;
            let expires = UNIX_EPOCH + Duration::from_millis(lasts_ms);
            let credentials =
                Credentials::new(format!("key-{at}"), "secret", None, Some(expires), "test");
            future::ProvideCredentials::ready(Ok(credentials))
        }
    }

    fn chain(most: u64) -> (Renewed, Arc<SteppingClock>) {
        let clock = Arc::new(SteppingClock::new(1_000_000, 0));
        let numbered = Numbered { asked: AtomicU64::new(0), begun_ms: 1_000_000, most };
        let chain = SharedCredentialsProvider::new(numbered);
        (Renewed::new(chain, Arc::clone(&clock) as _, Handle::current()), clock)
    }

    async fn key(chain: &Renewed) -> String {
        chain.get_credential().await.unwrap().key_id.clone()
    }

    #[tokio::test]
    async fn credentials_are_renewed_five_minutes_before_they_expire() {
        let (chain, clock) = chain(9);
        assert_eq!(key(&chain).await, "key-0");
        clock.set(1_000_000 + 299_999);
        assert_eq!(key(&chain).await, "key-0");
        clock.set(1_000_000 + 300_000);
        assert_eq!(key(&chain).await, "key-1");
        assert_eq!(key(&chain).await, "key-1");
        chain.forget().await;
        assert_eq!(key(&chain).await, "key-2");
    }

    #[tokio::test]
    async fn what_cannot_be_renewed_is_used_as_long_as_it_lasts() {
        let (chain, clock) = chain(1);
        assert_eq!(key(&chain).await, "key-0");
        clock.set(1_000_000 + 599_999);
        assert_eq!(key(&chain).await, "key-0");
        clock.set(1_000_000 + 600_000);
        let error = chain.get_credential().await.unwrap_err();
        assert!(error.to_string().contains("no AWS credentials"), "{error}");
    }
}
