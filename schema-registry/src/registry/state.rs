//! What do the records of `_schemas` add up to?

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use md5::{Digest, Md5};
use serde_json::Value;
use uuid::Uuid;

use super::level::Level;
use super::mode::Mode;
use super::record::{Change, SchemaValue};
use super::subject::{DEFAULT_CONTEXT, context_of, qualified};
use crate::schema::{Reference, Schema, SchemaType};
use crate::view::View;

/// A schema as it is stored: with what belongs to its identity.
#[derive(Debug)]
pub(crate) struct Stored {
    pub schema: Arc<Schema>,
    pub metadata: Option<Value>,
    pub rule_set: Option<Value>,
    pub guid: Uuid,
}

impl Stored {
    pub(crate) fn new(schema: Schema, metadata: Option<Value>, rule_set: Option<Value>) -> Stored {
        let mut guid = schema.identity();
        if metadata.is_some() || rule_set.is_some() {
            let mut md5 = Md5::new();
            md5.update(guid);
            for part in [&metadata, &rule_set] {
                let text = part.as_ref().map(Value::to_string).unwrap_or_default();
                md5.update((text.len() as u64).to_be_bytes());
                md5.update(text);
            }
            guid = Uuid::from_bytes(md5.finalize().into());
        }
        Stored { schema: Arc::new(schema), metadata, rule_set, guid }
    }
}

#[derive(Debug, Clone)]
pub(crate) struct Version {
    pub id: u32,
    pub deleted: bool,
    pub stored: Arc<Stored>,
}

#[derive(Debug)]
struct Slot {
    stored: Arc<Stored>,
    /// Versions of subjects that have this id.
    uses: usize,
}

/// Ids of one context.
#[derive(Debug, Default)]
struct Ids {
    slots: BTreeMap<u32, Slot>,
    by_guid: HashMap<Uuid, u32>,
    /// Ids never return, as long as the log remembers them: old records still carry them.
    max: u32,
}

#[derive(Debug, Default)]
pub(crate) struct State {
    pub subjects: BTreeMap<String, BTreeMap<i32, Version>>,
    contexts: BTreeMap<String, Ids>,
    pub configs: BTreeMap<Option<String>, Value>,
    pub modes: BTreeMap<Option<String>, Value>,
    /// Schemas whose references have not been seen: compaction may move a record behind those that use it.
    waiting: Vec<SchemaValue>,
    pub view: Arc<View>,
}

impl State {
    pub(crate) fn apply(&mut self, change: Change) -> Result<(), String> {
        match change {
            Change::Nothing => {}
            Change::Config { subject, value } => set(&mut self.configs, subject, value),
            Change::Mode { subject, value } => set(&mut self.modes, subject, value),
            Change::Schema(value) => self.apply_schema(value)?,
            Change::Erase { subject, version } => {
                self.waiting.retain(|value| (&value.subject, value.version) != (&subject, version));
                self.erase(&subject, |known| known == version);
            }
            Change::ClearSubject { subject } => {
                self.waiting.retain(|value| value.subject != subject);
                self.erase(&subject, |_| true);
            }
            Change::DeleteSubject { subject, version } => {
                if let Some(versions) = self.subjects.get_mut(&subject) {
                    versions.range_mut(..=version).for_each(|(_, version)| version.deleted = true);
                }
                for value in &mut self.waiting {
                    value.deleted |= value.subject == subject && value.version <= version;
                }
                self.show(&subject);
            }
        }
        Ok(())
    }

    fn apply_schema(&mut self, mut value: SchemaValue) -> Result<(), String> {
        value.subject = qualified(None, &value.subject).map_err(|refusal| refusal.message)?;
        let ids = self.contexts.entry(context_of(&value.subject).to_owned()).or_default();
        ids.max = ids.max.max(value.id);
        self.waiting.retain(|other| (&other.subject, other.version) != (&value.subject, value.version));
        let Some(stored) = self.stored(&value)? else {
            self.waiting.push(value);
            return Ok(());
        };
        self.insert(&value, stored);
        // Each pass resolves at least one or ends.
        while let Some(index) = self.waiting.iter().position(|value| self.references(value).is_some()) {
            let value = self.waiting.swap_remove(index);
            if let Some(stored) = self.stored(&value)? {
                self.insert(&value, stored);
            }
        }
        Ok(())
    }

    /// None when a reference has not been seen yet.
    fn stored(&self, value: &SchemaValue) -> Result<Option<Arc<Stored>>, String> {
        let wrong = |cause: &dyn std::fmt::Display| {
            format!("version {} of subject {:?} cannot be used: {cause}", value.version, value.subject)
        };
        let schema_type = value.schema_type.as_deref().unwrap_or("AVRO").parse::<SchemaType>();
        let schema_type = schema_type.map_err(|error| wrong(&error))?;
        let known = self.stored_by_id(context_of(&value.subject), value.id);
        let same = known.filter(|known| {
            known.schema.text == value.schema
                && known.schema.schema_type == schema_type
                && known.schema.references == *value.references.as_deref().unwrap_or_default()
                && (&known.metadata, &known.rule_set) == (&value.metadata, &value.rule_set)
        });
        if let Some(same) = same {
            return Ok(Some(same.clone()));
        }
        let Some(references) = self.references(value) else { return Ok(None) };
        let schema = Schema::parse(schema_type, &value.schema, &references).map_err(|error| wrong(&error))?;
        Ok(Some(Arc::new(Stored::new(schema, value.metadata.clone(), value.rule_set.clone()))))
    }

    fn references(&self, value: &SchemaValue) -> Option<Vec<(Reference, Arc<Schema>)>> {
        let context = context_of(&value.subject);
        let resolve = |reference: &Reference| {
            let subject = qualified(Some(context), &reference.subject).ok()?;
            let version = self.subjects.get(&subject)?.get(&reference.version)?;
            Some((reference.clone(), version.stored.schema.clone()))
        };
        value.references.iter().flatten().map(resolve).collect()
    }

    fn insert(&mut self, value: &SchemaValue, stored: Arc<Stored>) {
        self.erase(&value.subject, |version| version == value.version);
        let context = context_of(&value.subject);
        let ids = self.contexts.entry(context.to_owned()).or_default();
        ids.by_guid.entry(stored.guid).or_insert(value.id);
        let slot = ids.slots.entry(value.id).or_insert_with(|| Slot { stored: stored.clone(), uses: 0 });
        slot.uses += 1;
        slot.stored = stored.clone();
        if context == DEFAULT_CONTEXT {
            Arc::make_mut(&mut self.view).put_schema(value.id, stored.guid, stored.schema.clone());
        }
        let version = Version { id: value.id, deleted: value.deleted, stored };
        self.subjects.entry(value.subject.clone()).or_default().insert(value.version, version);
        self.show(&value.subject);
    }

    fn erase(&mut self, subject: &str, which: impl Fn(i32) -> bool) {
        let Some(versions) = self.subjects.get_mut(subject) else { return };
        let context = context_of(subject);
        let gone: Vec<i32> = versions.keys().copied().filter(|version| which(*version)).collect();
        for version in gone {
            let Some(version) = versions.remove(&version) else { continue };
            let Some(ids) = self.contexts.get_mut(context) else { continue };
            let Some(slot) = ids.slots.get_mut(&version.id) else { continue };
            slot.uses -= 1;
            if slot.uses == 0 {
                ids.slots.remove(&version.id);
                if ids.by_guid.get(&version.stored.guid) == Some(&version.id) {
                    ids.by_guid.remove(&version.stored.guid);
                }
                if context == DEFAULT_CONTEXT {
                    Arc::make_mut(&mut self.view).remove_schema(version.id, &version.stored.guid);
                }
            }
        }
        if versions.is_empty() {
            self.subjects.remove(subject);
        }
        self.show(subject);
    }

    /// Only the default context is seen by brokers: ids of others mean something else.
    fn show(&mut self, subject: &str) {
        if context_of(subject) != DEFAULT_CONTEXT {
            return;
        }
        let versions = self.subjects.get(subject).into_iter().flatten();
        let versions = versions.map(|(number, version)| (*number, version.id, version.deleted));
        Arc::make_mut(&mut self.view).replace_subject(subject, versions);
    }
}

/// Questions.
impl State {
    pub(crate) fn stored_by_id(&self, context: &str, id: u32) -> Option<&Arc<Stored>> {
        Some(&self.contexts.get(context)?.slots.get(&id)?.stored)
    }

    pub(crate) fn id_of(&self, context: &str, guid: &Uuid) -> Option<u32> {
        self.contexts.get(context)?.by_guid.get(guid).copied()
    }

    pub(crate) fn max_id(&self, context: &str) -> u32 {
        self.contexts.get(context).map_or(0, |ids| ids.max)
    }

    /// Contexts with at least one subject, and the default one.
    pub(crate) fn contexts(&self) -> Vec<String> {
        let mut names: Vec<String> = self.subjects.keys().map(|subject| context_of(subject).to_owned()).collect();
        names.push(DEFAULT_CONTEXT.to_owned());
        names.sort();
        names.dedup();
        names
    }

    /// Versions that are not deleted, or all, ascending; empty for an unknown subject.
    pub(crate) fn versions(
        &self,
        subject: &str,
        deleted: bool,
    ) -> impl DoubleEndedIterator<Item = (i32, &Version)> + use<'_> {
        let versions = self.subjects.get(subject).into_iter().flatten();
        versions.filter(move |(_, version)| deleted || !version.deleted).map(|(number, version)| (*number, version))
    }

    /// Versions of other subjects (or this one) whose schemas refer to this version.
    pub(crate) fn referencing(
        &self,
        subject: &str,
        number: i32,
        deleted: bool,
    ) -> impl Iterator<Item = (&str, i32, &Version)> {
        let all = self.subjects.iter().flat_map(|(name, versions)| versions.iter().map(move |(n, v)| (name, *n, v)));
        let refers = move |user: &str, version: &Version| {
            version.stored.schema.references.iter().any(|reference| {
                reference.version == number
                    && qualified(Some(context_of(user)), &reference.subject).is_ok_and(|name| name == subject)
            })
        };
        all.filter(move |(name, _, version)| (deleted || !version.deleted) && refers(name, version))
            .map(|(name, number, version)| (name.as_str(), number, version))
    }

    /// A setting of the subject, its context or the whole registry: the nearest.
    fn nearest<'a>(
        &'a self,
        settings: &'a BTreeMap<Option<String>, Value>,
        subject: &str,
        key: &str,
    ) -> Option<&'a Value> {
        let context = format!(":{}:", context_of(subject));
        [Some(subject.to_owned()), Some(context), None]
            .iter()
            .find_map(|scope| settings.get(scope)?.get(key).filter(|value| !value.is_null()))
    }

    pub(crate) fn config(&self, subject: &str, key: &str) -> Option<&Value> {
        self.nearest(&self.configs, subject, key)
    }

    pub(crate) fn level(&self, subject: &str) -> Level {
        let level = self.config(subject, "compatibilityLevel").and_then(Value::as_str);
        level.and_then(|level| level.parse().ok()).unwrap_or(Level::Backward)
    }

    pub(crate) fn mode(&self, subject: &str) -> Mode {
        let mode_of = |value: &Value| value.as_str().and_then(|mode| mode.parse::<Mode>().ok());
        let global = self.modes.get(&None).and_then(|mode| mode_of(mode.get("mode")?));
        if global == Some(Mode::ReadOnlyOverride) {
            return Mode::ReadOnlyOverride;
        }
        self.nearest(&self.modes, subject, "mode").and_then(mode_of).unwrap_or(Mode::ReadWrite)
    }
}

fn set(settings: &mut BTreeMap<Option<String>, Value>, scope: Option<String>, value: Option<Value>) {
    match value {
        Some(value) => drop(settings.insert(scope, value)),
        None => drop(settings.remove(&scope)),
    }
}
