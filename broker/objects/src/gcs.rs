//! How is a bucket of Google Cloud Storage reached, and what of its configuration is refused?

use std::sync::Arc;

use model::{Error, Result};
use object_store::gcp::{GcpCredential, GoogleCloudStorageBuilder, GoogleConfigKey};
use object_store::{ClientConfigKey, ObjectStore, StaticCredentialProvider};

use crate::endpoint;

/// What Google's own clients look at, too.
const EMULATOR: &str = "STORAGE_EMULATOR_HOST";

/// A bucket by name, with everything else from `GOOGLE_*` variables: `GOOGLE_APPLICATION_CREDENTIALS`,
/// `GOOGLE_SERVICE_ACCOUNT_KEY` … or the account of the machine. `STORAGE_EMULATOR_HOST` names an emulator.
pub fn open(bucket: &str) -> Result<Arc<dyn ObjectStore>> {
    open_with(GoogleCloudStorageBuilder::from_env(), bucket, std::env::var(EMULATOR).ok())
}

fn open_with(
    builder: GoogleCloudStorageBuilder,
    bucket: &str,
    emulator: Option<String>,
) -> Result<Arc<dyn ObjectStore>> {
    let builder = match emulator.filter(|host| !host.is_empty()) {
        None => builder,
        Some(host) => {
            let url = if host.contains("://") { host } else { format!("http://{host}") };
            // Emulators believe everybody; without a token of ours, one would be asked of the machine's account.
            let token = GcpCredential { bearer: "emulator".to_owned() };
            builder.with_base_url(&url).with_credentials(Arc::new(StaticCredentialProvider::new(token)))
        }
    };
    let at = builder.get_config_value(&GoogleConfigKey::BaseUrl);
    let allowed = builder.get_config_value(&GoogleConfigKey::Client(ClientConfigKey::AllowHttp));
    // The clients of this store allow plain HTTP unless told otherwise, as the metadata server speaks it: only what
    // somebody has written into the environment counts.
    let allowed = allowed.filter(|_| std::env::var_os("GOOGLE_ALLOW_HTTP").is_some());
    endpoint::is_plain(at.as_deref(), "GOOGLE_ALLOW_HTTP", allowed.as_deref())?;
    let store = builder.with_bucket_name(bucket).with_retry(endpoint::retry()).build().map_err(|error| {
        Error::invalid(format!(
            "bucket '{bucket}' cannot be used, check GOOGLE_APPLICATION_CREDENTIALS and other GOOGLE_* variables: \
             {error}"
        ))
    })?;
    Ok(Arc::new(store))
}

#[cfg(test)]
mod tests;
