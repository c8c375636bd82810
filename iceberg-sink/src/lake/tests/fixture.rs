//! How is one round run by hand, over a store that may fail?

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use iceberg::TableUpdate;
use iceberg::spec::{Transform, UnboundPartitionSpec};
use model::{Result, Term};
use objects::Objects;
use schema_registry::{Schema, SchemaType};
use wire::batch::{BatchHeader, HEADER_BYTES};

use super::super::round::{Outcome, Work};
use super::super::supervise::Context;
use super::super::table::{Tables, sweep};
use super::super::{LakeConfig, LakeTopic, Report, Source, verify};
use crate::catalog::{Catalog, Head};
use crate::testing::{Fault, Faulty, Memory, name};
use crate::types::COORDINATES;

/// A node: everything that a process has and loses.
pub struct Stand {
    pub source: Arc<Memory>,
    pub faulty: Arc<Faulty>,
    pub objects: Objects,
    pub term: u64,
    pub config: LakeConfig,
}

impl Stand {
    pub fn new(source: &Arc<Memory>, objects: &Objects, term: u64) -> Stand {
        let (faulty, objects) = Faulty::over(objects);
        Stand { source: source.clone(), faulty, objects, term, config: LakeConfig::new("c", Term(term)) }
    }

    pub fn with(mut self, change: impl FnOnce(&mut LakeConfig)) -> Stand {
        change(&mut self.config);
        self
    }

    pub fn catalog(&self) -> Arc<Catalog> {
        Arc::new(Catalog::new(self.objects.clone(), "topics").expect("opens"))
    }

    fn context(&self) -> Context {
        let config = LakeConfig { term: Term(self.term), ..self.config.clone() };
        Context::new(self.source.clone(), self.catalog(), config)
    }

    fn topic(&self, topic: &str) -> LakeTopic {
        self.source.topics().into_iter().find(|known| known.name == name(topic)).expect("exists")
    }

    /// A process that starts, has one round, and ends.
    pub async fn round(&self, topic: &str) -> Result<Outcome> {
        let (context, topic) = (self.context(), self.topic(topic));
        let owner = context.owner(&topic);
        let mut tables = Tables::open(&context, &topic, &owner).await?;
        Work::new(&context, &topic, &owner, &mut tables).run(0).await
    }

    /// A round whose dead letters are committed and whose rows are not.
    pub async fn round_without_rows(&self, topic: &str) -> Result<Outcome> {
        let (context, topic) = (self.context(), self.topic(topic));
        let owner = context.owner(&topic);
        let mut tables = Tables::open(&context, &topic, &owner).await?;
        // The puts of a first round: two files, the table of dead letters (2), its commit (4), then that of the rows.
        self.faulty.fail(2 + 2 + 4, 1, Fault::Before);
        Work::new(&context, &topic, &owner, &mut tables).run(0).await
    }

    pub fn heal(&self) {
        self.faulty.heal();
    }

    pub async fn head(&self, table: &str) -> Arc<Head> {
        let catalog = self.catalog();
        catalog.load(&catalog.ident(table)).await.expect("loads")
    }

    /// Makes a table's metadata unreadable.
    pub async fn spoil(&self, table: &str) {
        let head = self.head(table).await;
        let path = self.objects.path_of(&head.metadata_location).expect("lies in the bucket");
        self.objects.put(&path, Bytes::from_static(b"{")).await.expect("puts");
    }

    pub async fn sweep(&self) -> Result<()> {
        sweep(&self.context(), &self.source.topics()).await
    }

    /// As somebody else may do with another program; the day stays what rows are partitioned by.
    pub async fn partition_also_by(&self, table: &str, column: &str, name: &str) {
        let head = self.head(table).await;
        let source = head.metadata.current_schema().field_id_by_name(column).expect("has it");
        let spec = UnboundPartitionSpec::builder().add_partition_field(source, name, Transform::Identity);
        let update = TableUpdate::AddSpec { spec: spec.expect("is a field").build() };
        self.catalog().commit(&head.ident, &[], vec![update]).await.expect("commits");
    }

    /// The columns behind the coordinates.
    pub async fn columns(&self, table: &str) -> Vec<String> {
        let head = self.head(table).await;
        let fields = head.metadata.current_schema().as_struct().fields();
        fields.iter().skip(COORDINATES.len()).map(|field| field.name.clone()).collect()
    }

    pub async fn assert_whole(&self, topic: &str, rows: i64, dead: i64) -> Report {
        let (context, topic) = (self.context(), self.topic(topic));
        let report = verify(&context.catalog, &topic.name, &context.owner(&topic)).await.expect("verifies");
        assert!(report.ok, "{report:?}");
        let sum = |of: fn(&super::super::PartitionReport) -> i64| report.partitions.iter().map(of).sum::<i64>();
        assert_eq!((sum(|p| p.rows), sum(|p| p.dead_letters)), (rows, dead), "{report:?}");
        report
    }
}

pub fn folder() -> (tempfile::TempDir, Objects) {
    let dir = tempfile::tempdir().expect("scratch folder");
    let objects = Objects::open(dir.path().to_str().expect("utf-8")).expect("opens");
    (dir, objects)
}

/// Registers an Avro schema as the next version of a topic's subject; version and id are the same.
pub fn register(source: &Memory, topic: &str, id: u32, text: &str) {
    let schema = Schema::parse(SchemaType::Avro, text, &[]).expect("is a schema");
    let version = i32::try_from(id).expect("is small");
    source.register(|view| view.put(&format!("{topic}-value"), version, id, false, Arc::new(schema)));
}

/// A value with the registry's prefix.
pub fn avro(id: u32, payload: &[u8]) -> Vec<u8> {
    [&[0], &id.to_be_bytes()[..], payload].concat()
}

/// Not a value of any schema.
pub fn garbage() -> &'static [u8] {
    b"\x07garbage"
}

/// The same batch with other bytes where its records are, and the checksum that goes with them.
pub fn spoil(batch: &Bytes) -> Bytes {
    let mut spoilt = BytesMut::from(&**batch);
    spoilt[HEADER_BYTES..].fill(0xab);
    // The checksum is not looked at behind the door.
    assert!(BatchHeader::parse(&spoilt).is_ok());
    spoilt.freeze()
}
