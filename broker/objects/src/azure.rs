//! How is a container of Azure Blob Storage reached, and what of its configuration is refused?

use std::sync::Arc;

use model::{Error, Result};
use object_store::azure::{AzureConfigKey, MicrosoftAzureBuilder};
use object_store::{ClientConfigKey, ObjectStore};

use crate::endpoint;
use crate::place::Account;

const SUFFIX: &str = "core.windows.net";

/// A container with its account: from the URL, or from `AZURE_STORAGE_ACCOUNT_NAME`, `AZURE_STORAGE_ACCOUNT` or
/// `AZURE_STORAGE_CONNECTION_STRING`. Keys, tokens and so on come from `AZURE_*` variables;
/// `AZURE_STORAGE_USE_EMULATOR=true` and `AZURITE_BLOB_STORAGE_URL` name an emulator.
pub fn open(container: &str, account: Option<Account>) -> Result<(Arc<dyn ObjectStore>, Account)> {
    open_with(MicrosoftAzureBuilder::from_env(), container, account, &|name| std::env::var(name).ok())
}

fn open_with(
    builder: MicrosoftAzureBuilder,
    container: &str,
    account: Option<Account>,
    env: &dyn Fn(&str) -> Option<String>,
) -> Result<(Arc<dyn ObjectStore>, Account)> {
    let mut builder = from_other_names(builder, env);
    if let Some(Account { name, suffix }) = &account {
        builder = builder.with_account(name);
        if suffix != SUFFIX && builder.get_config_value(&AzureConfigKey::Endpoint).is_none() {
            builder = builder.with_endpoint(format!("https://{name}.blob.{suffix}"));
        }
    }
    let value = |key: AzureConfigKey| builder.get_config_value(&key).filter(|value| !value.is_empty());
    let emulated = value(AzureConfigKey::UseEmulator).is_some_and(|on| on.eq_ignore_ascii_case("true"));
    let account = match (account, value(AzureConfigKey::AccountName)) {
        (Some(account), _) => account,
        (None, Some(name)) => Account { name, suffix: SUFFIX.to_owned() },
        (None, None) if emulated => Account { name: "devstoreaccount1".to_owned(), suffix: SUFFIX.to_owned() },
        (None, None) => {
            return Err(Error::invalid(format!(
                "the account of container '{container}' is not known; set AZURE_STORAGE_ACCOUNT_NAME, or write \
                 abfss://{container}@ACCOUNT.dfs.core.windows.net/prefix"
            )));
        }
    };
    let at = match emulated {
        true => env("AZURITE_BLOB_STORAGE_URL"),
        false => value(AzureConfigKey::Endpoint),
    };
    let allowed = value(AzureConfigKey::Client(ClientConfigKey::AllowHttp));
    let plain = endpoint::is_plain(at.as_deref(), "AZURE_ALLOW_HTTP", allowed.as_deref())?;
    let store = builder
        .with_container_name(container)
        .with_allow_http(plain)
        .with_retry(endpoint::retry())
        .build()
        .map_err(|error| {
            Error::invalid(format!(
                "container '{container}' cannot be used, check AZURE_STORAGE_ACCOUNT_KEY and other AZURE_* variables: \
                 {error}"
            ))
        })?;
    Ok((Arc::new(store), account))
}

/// What Azure's own command line calls them.
fn from_other_names(mut builder: MicrosoftAzureBuilder, env: &dyn Fn(&str) -> Option<String>) -> MicrosoftAzureBuilder {
    let set = |builder: MicrosoftAzureBuilder, key: AzureConfigKey, value: String| match builder
        .get_config_value(&key)
        .is_some()
    {
        true => builder,
        false => builder.with_config(key, value),
    };
    for (name, key) in
        [("AZURE_STORAGE_ACCOUNT", AzureConfigKey::AccountName), ("AZURE_STORAGE_KEY", AzureConfigKey::AccessKey)]
    {
        if let Some(value) = env(name) {
            builder = set(builder, key, value);
        }
    }
    let Some(text) = env("AZURE_STORAGE_CONNECTION_STRING") else { return builder };
    for (name, value) in text.split(';').filter_map(|part| part.trim().split_once('=')) {
        let key = match name {
            "AccountName" => AzureConfigKey::AccountName,
            "AccountKey" => AzureConfigKey::AccessKey,
            "SharedAccessSignature" => AzureConfigKey::SasKey,
            "BlobEndpoint" => AzureConfigKey::Endpoint,
            _ => continue,
        };
        builder = set(builder, key, value.to_owned());
    }
    builder
}

#[cfg(test)]
mod tests;
