//! What does the pointer of one version of a table hold, and where does it lie?
//!
//! Drawn in `docs/formats/catalog.md`.

use bytes::Bytes;
use iceberg::{NamespaceIdent, TableIdent};
use model::{Error, Result};
use objects::Path;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::head::Head;

const FORMAT: u32 = 1;
const ROOT: &str = "catalog";

/// The head of a table at one version. Unique, because each metadata file's name is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Pointer {
    format: u32,
    pub metadata_location: String,
    pub table_uuid: Uuid,
    /// A tombstone: the table is gone, `metadata_location` is its last head.
    #[serde(default)]
    pub dropped: bool,
}

impl Pointer {
    pub fn to(head: &Head) -> Pointer {
        Pointer {
            format: FORMAT,
            metadata_location: head.metadata_location.clone(),
            table_uuid: head.metadata.uuid(),
            dropped: false,
        }
    }

    pub fn dropped(head: &Head) -> Pointer {
        Pointer { dropped: true, ..Pointer::to(head) }
    }

    pub fn encode(&self) -> Bytes {
        serde_json::to_vec(self).expect("a pointer is plain JSON").into()
    }

    pub fn decode(path: &Path, bytes: &[u8]) -> Result<Pointer> {
        let damaged = |why: String| Error::damaged(format!("the catalog's object '{path}' cannot be used: {why}"));
        let pointer: Pointer = serde_json::from_slice(bytes).map_err(|error| damaged(error.to_string()))?;
        match pointer.format {
            FORMAT => Ok(pointer),
            other => Err(damaged(format!("its format is {other}, this program knows {FORMAT}; use a newer one"))),
        }
    }
}

/// `catalog/<namespace>`
pub fn namespace_path(namespace: &NamespaceIdent) -> Result<Path> {
    objects::Objects::path(&format!("{ROOT}/{}", namespace.to_url_string()))
}

/// `catalog/<namespace>/<table>`
pub fn table_path(ident: &TableIdent) -> Result<Path> {
    Ok(namespace_path(ident.namespace())?.join(ident.name()))
}

/// `catalog/<namespace>/<table>/<20 digits>.json`
pub fn path(ident: &TableIdent, version: u64) -> Result<Path> {
    Ok(table_path(ident)?.join(format!("{version:020}.json")))
}

/// Table and version of a pointer below `root`; `None` for anything else that lies there.
pub fn parse_path(root: &Path, path: &Path) -> Option<(String, u64)> {
    let mut parts = path.prefix_match(root)?;
    let (table, file) = (parts.next()?, parts.next()?);
    let digits = file.as_ref().strip_suffix(".json")?.to_owned();
    match parts.next().is_none() && digits.len() == 20 && digits.bytes().all(|digit| digit.is_ascii_digit()) {
        true => Some((table.as_ref().to_owned(), digits.parse().ok()?)),
        false => None,
    }
}

/// Names become parts of paths as they are: letters, digits, `_` and `-`.
pub fn check_name(what: &str, name: &str) -> Result<()> {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    match !name.is_empty() && name.bytes().all(legal) {
        true => Ok(()),
        false => Err(Error::missing(format!("{what} '{name}' does not exist; names are a-z, A-Z, 0-9, '_' and '-'"))),
    }
}
