//! Which tables exist, and what is the head of each?
//!
//! The state lies in the bucket (`docs/formats/catalog.md`): version n of a table is the object
//! `catalog/<namespace>/<table>/<n>.json`, created only if it is absent. Whoever creates it has committed; all others
//! get `Conflict`. Nothing is ever overwritten, so a process that dies at any moment leaves a whole catalog behind.

mod storage;
mod pointer;
mod head;
mod trouble;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use iceberg::io::FileIO;
use iceberg::spec::{FormatVersion, Schema, SortOrder, TableMetadata, TableMetadataBuilder, UnboundPartitionSpec};
use iceberg::{NamespaceIdent, TableIdent, TableRequirement, TableUpdate};
use model::{Error, Kind, Result};
use objects::{Objects, Path};

pub use head::Head;
use pointer::Pointer;
pub use trouble::from_iceberg;

/// Older pointers than these of a table are removed.
const POINTERS_KEPT: u64 = 10;
/// Older metadata files than these of a table are removed; more than pointers, so that none of those dangles.
const METADATA_KEPT: &str = "20";

/// The tables of one namespace in one bucket. Shared by all who read or commit.
pub struct Catalog {
    objects: Objects,
    io: FileIO,
    namespace: NamespaceIdent,
    known: Mutex<HashMap<String, Known>>,
}

/// What we last saw of a table.
#[derive(Clone)]
struct Known {
    version: u64,
    pointer: Pointer,
    head: Option<Arc<Head>>,
}

/// A table to be made.
pub struct Creation {
    pub schema: Schema,
    pub spec: UnboundPartitionSpec,
    pub properties: HashMap<String, String>,
    pub format_version: FormatVersion,
}

impl Catalog {
    /// A catalog over a bucket. Touches nothing yet.
    pub fn new(objects: Objects, namespace: &str) -> Result<Catalog> {
        let name = NamespaceIdent::new(namespace.to_owned());
        pointer::check_name("namespace", namespace)?;
        let io = storage::file_io(objects.clone());
        Ok(Catalog { objects, io, namespace: name, known: Mutex::default() })
    }

    /// The only namespace.
    pub fn namespace(&self) -> &NamespaceIdent {
        &self.namespace
    }

    /// The identifier of a table here.
    pub fn ident(&self, table: &str) -> TableIdent {
        TableIdent::new(self.namespace.clone(), table.to_owned())
    }

    /// Reads and writes files of tables by their URIs.
    pub fn file_io(&self) -> &FileIO {
        &self.io
    }

    pub fn objects(&self) -> &Objects {
        &self.objects
    }

    /// The head of a table, as of now. `Missing`: there is no such table (any more).
    pub async fn load(&self, ident: &TableIdent) -> Result<Arc<Head>> {
        self.check_ident(ident)?;
        // The newest pointer can be superseded ten times, and removed, between our listing and our reading.
        let mut gone = None;
        for _ in 0..5 {
            let Some(version) = self.versions(ident).await?.pop() else { break };
            match self.read(ident, version).await {
                Ok(Some(head)) => return Ok(head),
                Ok(None) => break,
                Err(error) if error.kind == Kind::Missing => gone = Some(error),
                Err(error) => return Err(error),
            }
        }
        Err(match gone {
            Some(error) => Error::damaged(format!("the head of table {ident} is not there: {error}")),
            None => Error::missing(format!("table {ident} does not exist")),
        })
    }

    /// The names of all tables, sorted. One listing, plus one small read for each table that changed.
    pub async fn list(&self) -> Result<Vec<String>> {
        let root = pointer::namespace_path(&self.namespace)?;
        let mut newest: BTreeMap<String, u64> = BTreeMap::new();
        for object in self.objects.list(&root).await? {
            if let Some((table, version)) = pointer::parse_path(&root, &object.location) {
                newest.insert(table, version); // Sorted by path: the last one is the newest.
            }
        }
        let mut names = Vec::new();
        for (table, version) in newest {
            if !self.pointer(&self.ident(&table), version).await?.dropped {
                names.push(table);
            }
        }
        Ok(names)
    }

    /// Makes a table. `Conflict`: it exists.
    pub async fn create_table(&self, ident: &TableIdent, creation: Creation) -> Result<Arc<Head>> {
        self.check_ident(ident)?;
        let newest = self.versions(ident).await?.pop();
        if let Some(version) = newest
            && !self.pointer(ident, version).await?.dropped
        {
            return Err(Error::conflict(format!("table {ident} exists already")));
        }
        let version = newest.map_or(0, |newest| newest + 1);
        let location = self.table_location(ident, version);
        let mut properties = HashMap::from([
            ("write.metadata.previous-versions-max".to_owned(), METADATA_KEPT.to_owned()),
            ("write.metadata.delete-after-commit.enabled".to_owned(), "true".to_owned()),
            ("write.parquet.compression-codec".to_owned(), "zstd".to_owned()),
        ]);
        properties.extend(creation.properties);
        let built = TableMetadataBuilder::new(
            creation.schema,
            creation.spec,
            SortOrder::unsorted_order(),
            location,
            creation.format_version,
            properties,
        )
        .and_then(TableMetadataBuilder::build)
        .map_err(|error| from_iceberg(Kind::Invalid, &format!("table {ident} cannot be made"), error))?;
        self.advance(ident, version, built.metadata).await
    }

    /// Applies updates to the head if it meets all requirements.
    ///
    /// `Conflict`: somebody was faster, or a requirement does not hold; nothing was changed. `Unknown`: it may have
    /// happened; load the head and look.
    pub async fn commit(
        &self,
        ident: &TableIdent,
        requirements: &[TableRequirement],
        updates: Vec<TableUpdate>,
    ) -> Result<Arc<Head>> {
        let head = self.load(ident).await?;
        let doing = format!("the commit to table {ident} was refused");
        for requirement in requirements {
            requirement.check(Some(&head.metadata)).map_err(|error| from_iceberg(Kind::Conflict, &doing, error))?;
        }
        let mut builder = TableMetadata::clone(&head.metadata).into_builder(Some(head.metadata_location.clone()));
        for update in updates {
            builder = update.apply(builder).map_err(|error| from_iceberg(Kind::Invalid, &doing, error))?;
        }
        let built = builder.build().map_err(|error| from_iceberg(Kind::Invalid, &doing, error))?;
        let head = self.advance(ident, head.version + 1, built.metadata).await?;
        for expired in built.expired_metadata_logs {
            self.remove_metadata(&head, &expired.metadata_file).await;
        }
        Ok(head)
    }

    /// Forgets a table; its files stay. A later table of the same name gets a folder of its own.
    pub async fn drop_table(&self, ident: &TableIdent) -> Result<()> {
        let head = self.load(ident).await?;
        let pointer = Pointer::dropped(&head);
        self.publish(ident, head.version + 1, &pointer).await?;
        self.remember(ident, Known { version: head.version + 1, pointer, head: None });
        Ok(())
    }

    /// Writes the metadata of a new version, then the pointer that makes it the head.
    async fn advance(&self, ident: &TableIdent, version: u64, metadata: TableMetadata) -> Result<Arc<Head>> {
        let head = Head::write(&self.objects, &self.io, ident, version, metadata).await?;
        let pointer = Pointer::to(&head);
        if let Err(error) = self.publish(ident, version, &pointer).await {
            if error.kind == Kind::Conflict {
                self.remove_metadata(&head, &head.metadata_location).await; // Nobody can have seen it.
            }
            return Err(error);
        }
        let head = Arc::new(head);
        self.remember(ident, Known { version, pointer, head: Some(head.clone()) });
        Ok(head)
    }

    /// The one moment of a commit: the pointer of this version is created, by us or by somebody else.
    async fn publish(&self, ident: &TableIdent, version: u64, pointer: &Pointer) -> Result<()> {
        let path = pointer::path(ident, version)?;
        let bytes = pointer.encode();
        let created = self.objects.put_if_absent(&path, bytes.clone()).await;
        if !matches!(created, Ok(true)) {
            self.judge(ident, version, &path, &bytes, created.err()).await?;
        }
        let versions = self.versions(ident).await.map_err(|error| unclear(ident, version, &error.message))?;
        // A process that slept through ten commits can re-create a pointer that was removed. Nobody reads it there,
        // but whether it is that, or others have built on ours meanwhile, only the table's history can say.
        if versions.last().is_none_or(|newest| *newest != version) {
            return Err(unclear(ident, version, "others have committed since"));
        }
        for old in versions.into_iter().filter(|old| old + POINTERS_KEPT <= version) {
            if let Err(error) = self.objects.delete(&pointer::path(ident, old)?).await {
                tracing::warn!(table = %ident, version = old, %error, "an old pointer stays for now");
                break; // Oldest first, without holes.
            }
        }
        Ok(())
    }

    /// Our pointer was not plainly created: is the one that is there ours all the same (a lost answer)?
    async fn judge(
        &self,
        ident: &TableIdent,
        version: u64,
        path: &Path,
        ours: &[u8],
        why: Option<Error>,
    ) -> Result<()> {
        if let Some(error) = &why
            && error.kind == Kind::Invalid
        {
            return Err(error.clone());
        }
        match self.objects.get(path).await {
            Ok(found) if found == ours => Ok(()),
            Ok(_) => Err(Error::conflict(format!("somebody else has committed version {version} of table {ident}"))),
            Err(error) => Err(unclear(ident, version, &why.unwrap_or(error).message)),
        }
    }

    /// The versions of a table that have pointers, ascending.
    async fn versions(&self, ident: &TableIdent) -> Result<Vec<u64>> {
        let root = pointer::namespace_path(&self.namespace)?;
        let listed = self.objects.list(&pointer::table_path(ident)?).await?;
        let mut versions: Vec<u64> =
            listed.iter().filter_map(|o| pointer::parse_path(&root, &o.location)).map(|(_, version)| version).collect();
        versions.sort_unstable();
        Ok(versions)
    }

    /// One version's head, from memory or from the bucket; `None` if it is a tombstone.
    async fn read(&self, ident: &TableIdent, version: u64) -> Result<Option<Arc<Head>>> {
        if let Some(Known { version: known, head: Some(head), .. }) = self.known(ident)
            && known == version
        {
            return Ok(Some(head));
        }
        let pointer = self.pointer(ident, version).await?;
        if pointer.dropped {
            return Ok(None);
        }
        let head = Arc::new(Head::read(&self.io, ident, version, &pointer.metadata_location).await?);
        self.remember(ident, Known { version, pointer, head: Some(head.clone()) });
        Ok(Some(head))
    }

    async fn pointer(&self, ident: &TableIdent, version: u64) -> Result<Pointer> {
        if let Some(known) = self.known(ident)
            && known.version == version
        {
            return Ok(known.pointer);
        }
        let path = pointer::path(ident, version)?;
        let pointer = Pointer::decode(&path, &self.objects.get(&path).await?)?;
        self.remember(ident, Known { version, pointer: pointer.clone(), head: None });
        Ok(pointer)
    }

    fn known(&self, ident: &TableIdent) -> Option<Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).get(ident.name()).cloned()
    }

    fn remember(&self, ident: &TableIdent, seen: Known) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        match known.get_mut(ident.name()) {
            Some(older) if older.version > seen.version => {}
            Some(older) if older.version == seen.version && seen.head.is_none() => {}
            Some(older) => *older = seen,
            None => drop(known.insert(ident.name().to_owned(), seen)),
        }
    }

    /// `<root>/<namespace>/<table>`; a name that is used again gets a dot, which no table's name has, and the version.
    fn table_location(&self, ident: &TableIdent, version: u64) -> String {
        let again = if version == 0 { String::new() } else { format!(".{version}") };
        let path = format!("{}/{}{again}", self.namespace.to_url_string(), ident.name());
        self.objects.location(&Path::from(path))
    }

    async fn remove_metadata(&self, head: &Head, uri: &str) {
        let folder = format!("{}/metadata/", head.metadata.location());
        let Some(path) = uri.starts_with(&folder).then(|| self.objects.path_of(uri)).flatten() else { return };
        if let Err(error) = self.objects.delete(&path).await {
            tracing::warn!(table = %head.ident, file = uri, %error, "an old metadata file stays");
        }
    }

    fn check_ident(&self, ident: &TableIdent) -> Result<()> {
        if ident.namespace() != &self.namespace {
            return Err(Error::missing(format!("namespace {} does not exist", ident.namespace())));
        }
        pointer::check_name("table", ident.name())
    }
}

fn unclear(ident: &TableIdent, version: u64, why: &str) -> Error {
    Error::unknown(format!("it is not known whether version {version} of table {ident} was committed: {why}"))
}

#[cfg(test)]
mod tests;
