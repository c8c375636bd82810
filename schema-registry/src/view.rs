//! Which schemas exist right now, seen by those who only read?

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use uuid::Uuid;

use crate::schema::Schema;

/// An immutable snapshot of the registry. Reading takes no lock; a newer state is a newer view.
#[derive(Debug, Default, Clone)]
pub struct View {
    schemas: HashMap<u32, Arc<Schema>>,
    guids: HashMap<Uuid, u32>,
    subjects: BTreeMap<String, SubjectView>,
}

#[derive(Debug, Default, Clone)]
struct SubjectView {
    /// Version to id; deleted ones are absent.
    live: BTreeMap<i32, u32>,
    /// All ids that were ever registered and not erased.
    ids: BTreeSet<u32>,
}

impl View {
    /// The schema with this id in the default context.
    pub fn schema(&self, id: u32) -> Option<Arc<Schema>> {
        self.schemas.get(&id).cloned()
    }

    /// The id of the schema with this GUID.
    pub fn id_of(&self, guid: &Uuid) -> Option<u32> {
        self.guids.get(guid).copied()
    }

    /// Id, version and schema of the latest version that is not deleted.
    pub fn latest(&self, subject: &str) -> Option<(u32, i32, Arc<Schema>)> {
        let (version, id) = self.subjects.get(subject)?.live.last_key_value()?;
        Some((*id, *version, self.schema(*id)?))
    }

    /// Was this id registered under this subject? Deleted versions count: records of theirs may still arrive.
    pub fn has(&self, subject: &str, id: u32) -> bool {
        self.subjects.get(subject).is_some_and(|subject| subject.ids.contains(&id))
    }

    /// Versions of a subject that are not deleted, with their ids, ascending.
    pub fn versions(&self, subject: &str) -> Vec<(i32, u32)> {
        let Some(subject) = self.subjects.get(subject) else { return Vec::new() };
        subject.live.iter().map(|(version, id)| (*version, *id)).collect()
    }

    /// Subjects with at least one version that is not deleted, in order.
    pub fn subjects(&self) -> impl Iterator<Item = &str> {
        self.subjects.iter().filter(|(_, subject)| !subject.live.is_empty()).map(|(name, _)| name.as_str())
    }
}

/// Building a view: the registry's replay and the tests of those who read views.
impl View {
    /// Adds or replaces one version; a deleted one is only remembered by its id.
    pub fn put(&mut self, subject: &str, version: i32, id: u32, deleted: bool, schema: Arc<Schema>) {
        self.guids.insert(schema.identity(), id);
        self.schemas.insert(id, schema);
        let entry = self.subjects.entry(subject.to_owned()).or_default();
        entry.ids.insert(id);
        if deleted {
            entry.live.remove(&version);
        } else {
            entry.live.insert(version, id);
        }
    }

    /// Replaces all versions of a subject at once; none removes it.
    pub(crate) fn replace_subject(&mut self, subject: &str, versions: impl Iterator<Item = (i32, u32, bool)>) {
        let mut entry = SubjectView::default();
        for (version, id, deleted) in versions {
            entry.ids.insert(id);
            if !deleted {
                entry.live.insert(version, id);
            }
        }
        if entry.ids.is_empty() {
            self.subjects.remove(subject);
        } else {
            self.subjects.insert(subject.to_owned(), entry);
        }
    }

    pub(crate) fn put_schema(&mut self, id: u32, guid: Uuid, schema: Arc<Schema>) {
        self.guids.insert(guid, id);
        self.schemas.insert(id, schema);
    }

    pub(crate) fn remove_schema(&mut self, id: u32, guid: &Uuid) {
        self.schemas.remove(&id);
        if self.guids.get(guid) == Some(&id) {
            self.guids.remove(guid);
        }
    }
}
