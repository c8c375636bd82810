//! Which store does a URL name?

use model::{Error, Result};
use object_store::path::Path;

/// Where objects lie, as the URL says it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    Memory,
    Folder(String),
    S3 { bucket: String, prefix: Path },
    Gcs { bucket: String, prefix: Path },
    Azure { container: String, account: Option<Account>, prefix: Path },
}

/// An Azure account as it stands in a URL: `name.dfs.suffix`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    pub name: String,
    /// `core.windows.net`, or that of another cloud.
    pub suffix: String,
}

impl Place {
    pub fn parse(url: &str) -> Result<Place> {
        let Some((scheme, rest)) = url.split_once("://") else { return Ok(Place::Folder(url.to_owned())) };
        match scheme {
            "file" if rest.starts_with('/') => Ok(Place::Folder(rest.to_owned())),
            "file" => Err(Error::invalid(format!(
                "'{url}' names a host; write three slashes, file:///folder, or the folder alone"
            ))),
            "memory" => Ok(Place::Memory),
            "s3" | "s3a" => {
                let (bucket, prefix) = split(url, rest, "s3://bucket/prefix")?;
                Ok(Place::S3 { bucket: bucket.to_owned(), prefix })
            }
            "gs" => {
                let (bucket, prefix) = split(url, rest, "gs://bucket/prefix")?;
                Ok(Place::Gcs { bucket: bucket.to_owned(), prefix })
            }
            "az" | "abfs" | "abfss" => azure(url, rest),
            _ => Err(Error::invalid(format!(
                "object storage '{scheme}://' is not built in; a folder, file:///folder, s3://bucket/prefix, \
                 gs://bucket/prefix and abfss://container@account.dfs.core.windows.net/prefix are"
            ))),
        }
    }
}

/// `container/prefix`, with the account from the environment, or `container@account.dfs.core.windows.net/prefix`.
fn azure(url: &str, rest: &str) -> Result<Place> {
    const FORM: &str = "abfss://container@account.dfs.core.windows.net/prefix or az://container/prefix";
    let (authority, prefix) = split(url, rest, FORM)?;
    let Some((container, host)) = authority.split_once('@') else {
        return Ok(Place::Azure { container: authority.to_owned(), account: None, prefix });
    };
    let account = host
        .split_once(".dfs.")
        .or_else(|| host.split_once(".blob."))
        .filter(|(name, suffix)| !container.is_empty() && !name.is_empty() && !name.contains('.') && !suffix.is_empty())
        .map(|(name, suffix)| Account { name: name.to_owned(), suffix: suffix.to_owned() })
        .ok_or_else(|| Error::invalid(format!("'{url}' does not name a container and its account; write {FORM}")))?;
    Ok(Place::Azure { container: container.to_owned(), account: Some(account), prefix })
}

/// Bucket and prefix.
fn split<'a>(url: &str, rest: &'a str, form: &str) -> Result<(&'a str, Path)> {
    let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
    if bucket.is_empty() {
        return Err(Error::invalid(format!("'{url}' does not name its bucket; write {form}")));
    }
    let prefix = Path::parse(prefix.trim_end_matches('/'))
        .map_err(|error| Error::invalid(format!("'{prefix}' cannot be a prefix in a bucket: {error}")))?;
    Ok((bucket, prefix))
}

#[cfg(test)]
mod tests;
