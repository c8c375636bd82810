//! With which schema is a value read, and how does that schema fit the table?

use std::collections::HashMap;

use iceberg::spec::Schema as Table;
use model::limits::PLANS_MAX;
use schema_registry::View;
use schema_registry::framing::{self, Framed, Indexes, SchemaRef};
use schema_registry::schema::{Schema, SchemaType};

use crate::types::{COORDINATES, Column, Fault, Root, Source, merge};

use super::Mode;

/// A writer's schema beside the table.
pub(super) enum Plan {
    /// Bound to the table: its payloads can be walked.
    Walk(Source),
    /// Records with it cannot be rows of this table.
    Dead(Fault),
    /// The table must take these columns first.
    Grow(Vec<Column>),
}

/// A schema id and the message in it; none is the one that the topic's settings name.
pub(super) type PlanKey = (u32, Option<Indexes>);

/// One way to read a value: the bytes, and the plan for them.
pub(super) struct Reading<'a> {
    pub key: PlanKey,
    pub payload: &'a [u8],
}

/// The plans of the schemas seen so far. Schemas never change, and neither does the table of a projector.
#[derive(Default)]
pub(super) struct Plans(HashMap<PlanKey, Plan>);

impl Plans {
    pub fn get(&self, key: &PlanKey) -> &Plan {
        self.0.get(key).expect("readings only name plans that were made")
    }

    /// The ways to read a value, the likeliest first; each has its plan.
    pub fn readings<'a>(
        &mut self,
        table: &Table,
        mode: &Mode,
        value: &'a [u8],
        header: Option<&'a [u8]>,
        view: &View,
    ) -> Result<[Option<Reading<'a>>; 2], Fault> {
        // Only here: the plans that this record makes must outlive it.
        if self.0.len() >= PLANS_MAX {
            self.0.clear();
        }
        let framed = framing::split(value, header).map_err(|error| Fault::new(error.to_string()));
        let Mode::SchemaLatest { subject, protobuf_name } = mode else {
            let framed = framed?;
            let (id, schema) = named(&framed, view)?;
            return Ok([Some(self.framed(table, id, &schema, &framed)?), None]);
        };
        let latest = view.latest(subject);
        let (latest_id, _, latest) = latest.ok_or_else(|| {
            Fault::new(format!("subject '{subject}' has no schema: register one, or name another in frazil.lake.mode"))
        })?;
        if header.is_some() {
            let framed = framed?;
            let (id, schema) = named(&framed, view)?;
            return Ok([Some(self.framed(table, id, &schema, &framed)?), None]);
        }
        let mut first = None;
        if let Ok(framed) = &framed
            && let Ok((id, schema)) = named(framed, view)
            && view.has(subject, id)
        {
            first = self.framed(table, id, &schema, framed).ok();
            // Values of the other formats never begin with the byte of a frame; those of Avro may, but seldom with the
            // id of a schema of this subject behind it, so that such a value is first taken for a framed one.
            if first.is_some() && schema.schema_type != SchemaType::Avro {
                return Ok([first, None]);
            }
        }
        let root = protobuf_name.as_deref().map_or(Root::First, Root::Named);
        self.make(table, (latest_id, None), &latest, root);
        let bare = Reading { key: (latest_id, None), payload: value };
        Ok(match first {
            Some(first) => [Some(first), Some(bare)],
            None => [Some(bare), None],
        })
    }

    fn framed<'a>(
        &mut self,
        table: &Table,
        id: u32,
        schema: &Schema,
        framed: &Framed<'a>,
    ) -> Result<Reading<'a>, Fault> {
        let opened = framed.open(schema.schema_type);
        let (indexes, payload) = opened.map_err(|error| Fault::new(error.to_string()))?;
        let key = (id, Some(indexes));
        self.make(table, key, schema, Root::Indexes(&indexes));
        Ok(Reading { key, payload })
    }

    fn make(&mut self, table: &Table, key: PlanKey, schema: &Schema, root: Root<'_>) {
        if self.0.contains_key(&key) {
            return;
        }
        self.0.insert(key, plan(table, schema, root).unwrap_or_else(Plan::Dead));
    }
}

fn plan(table: &Table, schema: &Schema, root: Root<'_>) -> Result<Plan, Fault> {
    let mut source = Source::lower(schema, root)?;
    let columns = source.columns();
    if merge(table, table.highest_field_id(), &columns)?.is_some() {
        return Ok(Plan::Grow(columns));
    }
    source.bind(table.as_struct().fields())?;
    source.leave(|place| COORDINATES.contains(&table.as_struct().fields()[place].name.as_str()));
    Ok(Plan::Walk(source))
}

/// The schema that a frame names.
fn named(framed: &Framed<'_>, view: &View) -> Result<(u32, std::sync::Arc<Schema>), Fault> {
    let (id, shown) = match framed.schema {
        SchemaRef::Id(id) => (Some(id), id.to_string()),
        SchemaRef::Guid(guid) => (view.id_of(&guid), guid.to_string()),
    };
    let schema = id.and_then(|id| Some((id, view.schema(id)?)));
    schema.ok_or_else(|| Fault::new(format!("schema {shown} is not registered: write with this node's registry")))
}
