//! How is an S3 bucket reached, and what of its configuration is refused?

use std::sync::Arc;

use model::{Error, Result};
use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey, S3ConditionalPut};
use object_store::{ClientConfigKey, ObjectStore};

use crate::endpoint;

/// A bucket by name, with everything else from `AWS_*` variables (region, keys, `AWS_ENDPOINT_URL` …).
pub fn open(bucket: &str) -> Result<Arc<dyn ObjectStore>> {
    open_with(AmazonS3Builder::from_env(), bucket)
}

fn open_with(builder: AmazonS3Builder, bucket: &str) -> Result<Arc<dyn ObjectStore>> {
    let at = builder.get_config_value(&AmazonS3ConfigKey::Endpoint);
    let allowed = builder.get_config_value(&AmazonS3ConfigKey::Client(ClientConfigKey::AllowHttp));
    let plain = endpoint::is_plain(at.as_deref(), "AWS_ALLOW_HTTP", allowed.as_deref())?;
    // Requests are signed for path style: the one that every S3 server understands, also under a bare address.
    let store = builder
        .with_bucket_name(bucket)
        .with_allow_http(plain)
        .with_conditional_put(S3ConditionalPut::ETagMatch)
        .with_retry(endpoint::retry())
        .build()
        .map_err(|error| Error::invalid(format!("bucket '{bucket}' cannot be used, check AWS_* variables: {error}")))?;
    Ok(Arc::new(store))
}

#[cfg(test)]
mod tests;
