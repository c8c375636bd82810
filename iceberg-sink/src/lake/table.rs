//! Which tables does a topic have, and how far are they?

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use iceberg::TableIdent;
use iceberg::spec::{FormatVersion, Schema, Transform, UnboundPartitionSpec};
use model::{Error, Kind, LakeMode, Offset, Result};

use super::LakeTopic;
use super::admit::{followed, root};
use super::name::{dead_letter_table, table_name};
use super::supervise::Context;
use super::verify::offsets_from;
use crate::catalog::{Creation, Head};
use crate::commit::{Ledger, Owner, recover};
use crate::types::{PARTITION, columns, dead_letter_schema, key_value_schema, table_schema};

/// Properties of a table that name its topic.
const TOPIC: &str = "frazil.topic";
pub const TOPIC_ID: &str = "frazil.topic-id";
pub const CLUSTER_ID: &str = "frazil.cluster-id";

/// One of a topic's two tables.
pub struct Table {
    pub ident: TableIdent,
    /// None: it is made when the first row needs it.
    pub head: Option<Arc<Head>>,
    pub ledger: Ledger,
}

/// Both tables, as their heads say.
pub struct Tables {
    pub rows: Table,
    pub dead: Table,
    /// Dead letters that are committed while the rows around them are not: what has been decided stays so.
    pub known_dead: Arc<BTreeSet<(i32, i64)>>,
}

impl Tables {
    /// Finds a topic's tables; makes that of the rows if its schema is known.
    pub async fn open(context: &Context, topic: &LakeTopic, owner: &Owner) -> Result<Tables> {
        let mut rows = Table::find(context, topic, owner, &table_name(&topic.name)).await?;
        let dead = Table::find(context, topic, owner, &dead_letter_table(&topic.name)).await?;
        rows.create_if_known(context, topic).await?;
        let ahead: BTreeMap<i32, i64> = dead
            .ledger
            .next
            .iter()
            .filter(|(partition, next)| **next > rows.ledger.next_of(**partition))
            .map(|(partition, _)| (*partition, rows.ledger.next_of(*partition).0))
            .collect();
        let known_dead = match (&dead.head, ahead.is_empty()) {
            (Some(head), false) => offsets_from(&context.catalog, head, &ahead).await?,
            _ => BTreeSet::new(),
        };
        Ok(Tables { rows, dead, known_dead: Arc::new(known_dead) })
    }
}

impl Table {
    async fn find(context: &Context, topic: &LakeTopic, owner: &Owner, name: &str) -> Result<Table> {
        let ident = context.catalog.ident(name);
        let head = match context.catalog.load(&ident).await {
            Ok(head) => Some(head),
            Err(error) if error.kind == Kind::Missing => None,
            Err(error) => return Err(error),
        };
        let head = match head {
            Some(head) if !belongs(&head, topic) && context.config.keep_tables => {
                return Err(Error::invalid(format!(
                    "table {ident} belongs to something else than this topic '{}' (id {}); drop the table, or delete \
                     the topic and use another name",
                    topic.name, topic.id
                )));
            }
            Some(head) if !belongs(&head, topic) && is_ours(&head, context) => {
                tracing::info!(table = %ident, topic = %topic.name, "the table of an earlier topic is dropped");
                context.catalog.drop_table(&ident).await?;
                None
            }
            Some(head) if !belongs(&head, topic) => {
                return Err(Error::invalid(format!(
                    "table {ident} was not made by this cluster ({}); drop it there, or use another name or bucket",
                    context.config.cluster_id
                )));
            }
            other => other,
        };
        let ledger = match &head {
            Some(head) => recover(&context.catalog, head, owner).await?,
            None => Ledger::default(),
        };
        Ok(Table { ident, head, ledger })
    }

    /// Makes the table if it is not there and the registry, or the mode, says what columns it has.
    pub async fn create_if_known(&mut self, context: &Context, topic: &LakeTopic) -> Result<()> {
        if self.head.is_some() {
            return Ok(());
        }
        let mode = topic.settings.lake_mode();
        let schema = match &mode {
            LakeMode::Off => return Ok(()),
            LakeMode::KeyValue => key_value_schema(),
            LakeMode::SchemaId | LakeMode::SchemaLatest { .. } => {
                let subject = followed(&topic.name, &topic.settings);
                let latest = subject.and_then(|subject| context.source.registry().latest(&subject));
                let Some((_, _, latest)) = latest else { return Ok(()) };
                match columns(&latest, root(&mode)).and_then(|columns| table_schema(&columns)) {
                    Ok(schema) => schema,
                    // It came before the topic was a table, or past the registry. Records with other schemas go on.
                    Err(refused) => {
                        tracing::warn!(topic = %topic.name, %refused, "the latest schema has no columns for the table");
                        bare()?
                    }
                }
            }
        };
        self.create(context, topic, schema).await.map(drop)
    }

    /// The head of the table of rows; made with the coordinates alone if nothing else is known yet.
    pub async fn rows_head(&mut self, context: &Context, topic: &LakeTopic) -> Result<Arc<Head>> {
        self.create_if_known(context, topic).await?;
        match &self.head {
            Some(head) => Ok(head.clone()),
            None => self.create(context, topic, bare()?).await,
        }
    }

    /// The head of the table of dead letters, made if it is not there.
    pub async fn dead_head(&mut self, context: &Context, topic: &LakeTopic) -> Result<Arc<Head>> {
        match &self.head {
            Some(head) => Ok(head.clone()),
            None => self.create(context, topic, dead_letter_schema()).await,
        }
    }

    async fn create(&mut self, context: &Context, topic: &LakeTopic, schema: Schema) -> Result<Arc<Head>> {
        let time = schema.field_id_by_name("kafka_timestamp").expect("every table of ours has it");
        let spec = UnboundPartitionSpec::builder()
            .add_partition_field(time, PARTITION, Transform::Day)
            .map_err(|error| Error::invalid(error.to_string()))?
            .build();
        let properties = HashMap::from([
            (TOPIC.to_owned(), topic.name.to_string()),
            (TOPIC_ID.to_owned(), topic.id.to_string()),
            (CLUSTER_ID.to_owned(), context.config.cluster_id.clone()),
        ]);
        let creation = Creation { schema, spec, properties, format_version: FormatVersion::V2 };
        let head = context.catalog.create_table(&self.ident, creation).await?;
        self.head = Some(head.clone());
        Ok(head)
    }

    /// Where the table is after a commit.
    pub fn advanced(&mut self, head: Arc<Head>, ledger: Ledger) {
        self.head = Some(head);
        self.ledger = ledger;
    }

    /// Rows in the table, by its summary.
    pub fn total_records(&self) -> u64 {
        let snapshot = self.head.as_ref().and_then(|head| head.metadata.current_snapshot());
        let total = snapshot.and_then(|snapshot| snapshot.summary().additional_properties.get("total-records"));
        total.and_then(|total| total.parse().ok()).unwrap_or(0)
    }
}

/// The schema of a table with the coordinates alone.
fn bare() -> Result<Schema> {
    table_schema(&[]).map_err(|refused| Error::invalid(refused.to_string()))
}

/// All partitions of a topic are in each ledger, also those without records.
pub fn complete(ledger: &mut Ledger, partitions: i32) {
    for partition in 0..partitions {
        ledger.next.entry(partition).or_insert(Offset::ZERO);
    }
}

fn belongs(head: &Head, topic: &LakeTopic) -> bool {
    head.metadata.properties().get(TOPIC_ID).is_some_and(|id| *id == topic.id.to_string())
}

fn is_ours(head: &Head, context: &Context) -> bool {
    head.metadata.properties().get(CLUSTER_ID) == Some(&context.config.cluster_id)
}

/// Drops the tables of topics that are not among `topics`, as far as this cluster made them. What is in the way of one
/// table is not in the way of the others; an error means that another try may do more.
pub async fn sweep(context: &Context, topics: &[LakeTopic]) -> Result<()> {
    if context.config.keep_tables {
        return Ok(());
    }
    let mut passing = None;
    for name in context.catalog.list().await? {
        let ident = context.catalog.ident(&name);
        match sweep_one(context, topics, &ident).await {
            Ok(()) => {}
            Err(error) if matches!(error.kind, Kind::Busy | Kind::Storage | Kind::Unknown | Kind::Conflict) => {
                passing = Some(error)
            }
            Err(error) => tracing::warn!(table = %ident, %error, "cannot tell whether its topic is gone: it stays"),
        }
    }
    passing.map_or(Ok(()), Err)
}

async fn sweep_one(context: &Context, topics: &[LakeTopic], ident: &TableIdent) -> Result<()> {
    let head = context.catalog.load(ident).await?;
    if is_ours(&head, context) && !topics.iter().any(|topic| belongs(&head, topic)) {
        tracing::info!(table = %ident, "its topic is gone, the table is dropped; its files stay");
        context.catalog.drop_table(ident).await?;
    }
    Ok(())
}
