//! How is an S3 bucket reached, and what of its configuration is refused?

use std::sync::Arc;
use std::time::Duration;

use model::{Error, Result};
use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey, S3ConditionalPut};
use object_store::{ObjectStore, RetryConfig};

/// How often and how long one request is repeated before its caller hears of it.
const RETRIES_MAX: usize = 5;
const RETRY_TIME_MAX: Duration = Duration::from_secs(30);

/// A bucket by name, with everything else from `AWS_*` variables (region, keys, `AWS_ENDPOINT_URL` …).
pub fn open(bucket: &str) -> Result<Arc<dyn ObjectStore>> {
    open_with(AmazonS3Builder::from_env(), bucket)
}

fn open_with(builder: AmazonS3Builder, bucket: &str) -> Result<Arc<dyn ObjectStore>> {
    if bucket.is_empty() {
        return Err(Error::invalid("an S3 URL names its bucket: s3://bucket/prefix"));
    }
    let endpoint = builder.get_config_value(&AmazonS3ConfigKey::Endpoint);
    let http_allowed = builder
        .get_config_value(&AmazonS3ConfigKey::Client(object_store::ClientConfigKey::AllowHttp))
        .is_some_and(|allowed| allowed.eq_ignore_ascii_case("true"));
    let plain = endpoint.as_deref().is_some_and(|url| url.starts_with("http://"));
    let loopback = endpoint.as_deref().is_some_and(is_loopback);
    if plain && !loopback && !http_allowed {
        return Err(Error::invalid(format!(
            "the S3 endpoint {} is plain HTTP on another machine, where anyone on the way can read and change the \
             tables; use https://, or set AWS_ALLOW_HTTP=true if the network is trusted",
            endpoint.unwrap_or_default()
        )));
    }
    // Requests are signed for path style: the one that every S3 server understands, also under a bare address.
    let store = builder
        .with_bucket_name(bucket)
        .with_allow_http(plain)
        .with_conditional_put(S3ConditionalPut::ETagMatch)
        .with_retry(RetryConfig { max_retries: RETRIES_MAX, retry_timeout: RETRY_TIME_MAX, ..RetryConfig::default() })
        .build()
        .map_err(|error| Error::invalid(format!("bucket '{bucket}' cannot be used, check AWS_* variables: {error}")))?;
    Ok(Arc::new(store))
}

/// `http://127.0.0.1:9000`, `http://localhost`, `http://[::1]:9000` …
fn is_loopback(url: &str) -> bool {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split('/').next().unwrap_or(rest);
    let host = match authority.strip_prefix('[') {
        Some(v6) => v6.split(']').next().unwrap_or(v6),
        None => authority.split(':').next().unwrap_or(authority),
    };
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests;
