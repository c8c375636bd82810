//! Which endpoints may be reached without encryption, and how often is a request repeated?

use std::time::Duration;

use model::{Error, Result};
use object_store::RetryConfig;

/// How often and how long one request is repeated before its caller hears of it.
const RETRIES_MAX: usize = 5;
const RETRY_TIME_MAX: Duration = Duration::from_secs(30);

pub fn retry() -> RetryConfig {
    RetryConfig { max_retries: RETRIES_MAX, retry_timeout: RETRY_TIME_MAX, ..RetryConfig::default() }
}

/// Whether an endpoint is plain HTTP, which is for this machine only unless `variable=true` allows it.
pub fn is_plain(endpoint: Option<&str>, variable: &str, allowed: Option<&str>) -> Result<bool> {
    let Some(url) = endpoint.filter(|url| url.starts_with("http://")) else { return Ok(false) };
    if !is_loopback(url) && !allowed.is_some_and(|allowed| allowed.eq_ignore_ascii_case("true")) {
        return Err(Error::invalid(format!(
            "the endpoint {url} is plain HTTP on another machine, where anyone on the way can read and change the \
             tables; use https://, or set {variable}=true if the network is trusted"
        )));
    }
    Ok(true)
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
