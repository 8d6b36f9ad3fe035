//! The buckets of this process, as DataFusion finds them.

use std::sync::Arc;

use datafusion::common::{DataFusionError, Result as DFResult};
use datafusion::execution::object_store::{DefaultObjectStoreRegistry, ObjectStoreRegistry};
use object_store::ObjectStore;
use url::Url;

use super::stores;

/// Finds local files and the buckets that [`super::s3::configure`] has set up. Executors want it in
/// their runtime, too.
#[derive(Debug, Default)]
pub struct StoreRegistry {
    others: DefaultObjectStoreRegistry,
}

impl ObjectStoreRegistry for StoreRegistry {
    fn register_store(
        &self,
        url: &Url,
        store: Arc<dyn ObjectStore>,
    ) -> Option<Arc<dyn ObjectStore>> {
        self.others.register_store(url, store)
    }

    fn deregister_store(&self, url: &Url) -> DFResult<Arc<dyn ObjectStore>> {
        self.others.deregister_store(url)
    }

    fn get_store(&self, url: &Url) -> DFResult<Arc<dyn ObjectStore>> {
        match url.host_str() {
            // One that was registered by name comes first.
            Some(bucket) if url.scheme() == "s3" => {
                self.others.get_store(url).or_else(|_| match stores::bucket(bucket) {
                    Ok(bucket) => Ok(bucket as Arc<dyn ObjectStore>),
                    Err(error) => Err(DataFusionError::External(Box::new(error))),
                })
            }
            _ => self.others.get_store(url),
        }
    }
}
