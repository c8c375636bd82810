//! What does the demo show, step by step?

use std::io::Write;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use client::{Acks, Client};
use schema_registry::{Schema, SchemaType};
use serde_json::{Value, json};
use wire::{BatchBuilder, Compression};

use super::data::{BAD_READING, QUERIES, TOPICS, Topic};
use crate::clock::now_ms;
use crate::command::reach::ask;
use crate::command::sql::table;
use crate::command::typed::encode;
use crate::node::Node;

const RECORDS_PER_BATCH: u32 = 500;
const PARTITIONS: i32 = 3;
const COMMIT_TIMEOUT: Duration = Duration::from_secs(120);

/// All of it goes over TCP, as any client would.
pub async fn take(node: &Node, records: u32) -> Result<()> {
    let mut kafka = Client::connect(&node.addresses.kafka.to_string()).await?;
    println!("1. Topics, schemas and typed records");
    let mut sensors = None;
    for topic in TOPICS {
        kafka.create_topic(topic.name, PARTITIONS, topic.settings).await?;
        let (id, schema) = register(node, topic).await?;
        produce(&mut kafka, topic, id, &schema, records).await?;
        if topic.kind == "JSON" {
            sensors = Some((id, schema));
        }
    }
    println!("\n2. A record that is no value of its schema");
    let (id, schema) = sensors.context("one topic has a JSON schema")?;
    refuse_one(&mut kafka, id, &schema).await?;
    println!("\n3. The topics are Iceberg tables");
    wait(node, records).await?;
    println!("\n4. Questions");
    for query in QUERIES {
        println!("\nfrazil> {query}\n{}", table(&sql(node, query).await?)?);
    }
    println!("\n5. The same tables elsewhere\n{}", elsewhere(node).await?);
    Ok(())
}

async fn register(node: &Node, topic: &Topic) -> Result<(u32, Schema)> {
    let kind = match topic.kind {
        "AVRO" => SchemaType::Avro,
        "PROTOBUF" => SchemaType::Protobuf,
        _ => SchemaType::Json,
    };
    let url = format!("http://{}/subjects/{}-value/versions", node.addresses.registry, topic.name);
    let answer = post(url, json!({ "schema": topic.schema, "schemaType": topic.kind }).to_string()).await?;
    let id = answer["id"].as_u64().context("the registry gave no id")?;
    Ok((u32::try_from(id)?, Schema::parse(kind, topic.schema, &[])?))
}

async fn produce(kafka: &mut Client, topic: &Topic, id: u32, schema: &Schema, records: u32) -> Result<()> {
    let begun = Instant::now();
    let mut sent = 0;
    while sent < records {
        let until = records.min(sent + RECORDS_PER_BATCH);
        let mut batch = BatchBuilder::new(Compression::Lz4);
        for n in sent..until {
            let value = encode(id, schema, &(topic.record)(n).to_string())?;
            batch.push(now_ms(), Some(n.to_string().as_bytes()), Some(&value), &[]);
        }
        let partition = (sent / RECORDS_PER_BATCH) as i32 % PARTITIONS;
        kafka.produce(topic.name, partition, batch.build(), Acks::All).await?;
        sent = until;
        print!("\r   {:<8} {:<8} schema id {id}: {sent} records", topic.name, topic.kind.to_lowercase());
        std::io::stdout().flush()?;
    }
    println!(" acknowledged in {:.1} s", begun.elapsed().as_secs_f64());
    Ok(())
}

async fn refuse_one(kafka: &mut Client, id: u32, schema: &Schema) -> Result<()> {
    let mut batch = BatchBuilder::new(Compression::None);
    batch.push(now_ms(), None, Some(&encode(id, schema, BAD_READING)?), &[]);
    println!("   sent:    {BAD_READING}");
    match kafka.produce("sensors", 0, batch.build(), Acks::All).await {
        Ok(_) => bail!("the bad record was stored"),
        Err(error) if error.record_errors.is_empty() => Err(error.into()),
        Err(error) => {
            for (index, why) in &error.record_errors {
                println!("   refused: record {index} of the batch, Kafka error {}: {why}", error.code);
            }
            Ok(())
        }
    }
}

async fn wait(node: &Node, records: u32) -> Result<()> {
    let begun = Instant::now();
    for topic in TOPICS {
        let query = format!("select count(*) as n from frazil.topics.{}", topic.name);
        while rows(node, &query).await != Ok(records.into()) {
            if begun.elapsed() > COMMIT_TIMEOUT {
                let seen = rows(node, &query).await;
                bail!("the table of '{}' is not complete after {} s: {seen:?}", topic.name, COMMIT_TIMEOUT.as_secs());
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        println!(
            "   frazil.topics.{:<8} {records} rows, committed {:.1} s after the last record",
            topic.name,
            begun.elapsed().as_secs_f64()
        );
    }
    Ok(())
}

/// What a counting query says; a table that is not there yet is an error like any other.
async fn rows(node: &Node, query: &str) -> Result<u64, String> {
    let rows = sql(node, query).await.map_err(|error| error.to_string())?;
    rows[0]["n"].as_u64().ok_or_else(|| format!("no number: {rows}"))
}

async fn elsewhere(node: &Node) -> Result<String> {
    let catalog = format!("http://{}", node.addresses.catalog);
    let url = format!("{catalog}/v1/namespaces/topics/tables/orders");
    let loaded = tokio::task::spawn_blocking(move || ask("GET", &url, "application/json", None)?.json()).await??;
    let location = loaded["metadata"]["location"].as_str().context("a table has a location")?;
    let path = location.trim_start_matches("file://");
    Ok(format!(
        "   DuckDB      INSTALL iceberg; LOAD iceberg;\n\
         \x20              ATTACH '' AS frazil (TYPE ICEBERG, ENDPOINT '{catalog}', AUTHORIZATION_TYPE 'none');\n\
         \x20              SELECT count(*) FROM frazil.topics.orders;\n\
         \x20  ClickHouse  SELECT count() FROM icebergLocal('{path}/');\n\
         \x20  PyIceberg   from pyiceberg.catalog.rest import RestCatalog\n\
         \x20              RestCatalog('frazil', uri='{catalog}').load_table('topics.orders').scan().to_pandas()\n\
         \x20  frazil      frazil sql --admin-addr {admin} 'select count(*) from frazil.topics.orders'",
        admin = node.addresses.admin,
    ))
}

async fn sql(node: &Node, statement: &str) -> Result<Value> {
    post(format!("http://{}/v1/sql", node.addresses.admin), statement.to_owned()).await
}

async fn post(url: String, body: String) -> Result<Value> {
    tokio::task::spawn_blocking(move || ask("POST", &url, "application/json", Some(&body))?.json()).await?
}
