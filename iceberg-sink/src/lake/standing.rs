//! How far does the table of a topic say that it is, to somebody who does not run it?

use std::collections::{BTreeMap, HashMap, HashSet};

use iceberg::TableUpdate;
use model::{Kind, Offset, Result, Term, TopicId, TopicName};

use super::name::{dead_letter_table, table_name};
use super::table::{CLUSTER_ID, TOPIC_ID};
use crate::catalog::Catalog;
use crate::commit::{Owner, recover};

/// For each partition of a topic the first offset that is in neither of its tables. Empty if it has none.
pub async fn standing(
    catalog: &Catalog,
    topic: &TopicName,
    topic_id: TopicId,
    cluster_id: &str,
) -> Result<BTreeMap<i32, Offset>> {
    let owner = Owner { topic_id, cluster_id: cluster_id.to_owned(), term: Term(i64::MAX as u64) };
    let mut all: BTreeMap<i32, Offset> = BTreeMap::new();
    for name in [table_name(topic), dead_letter_table(topic)] {
        let head = match catalog.load(&catalog.ident(&name)).await {
            Ok(head) => head,
            Err(error) if error.kind == Kind::Missing => continue,
            Err(error) => return Err(error),
        };
        // Of another topic, or of another cluster: it says nothing of this one.
        if head.metadata.properties().get(TOPIC_ID) != Some(&topic_id.to_string()) {
            continue;
        }
        for (partition, next) in recover(catalog, &head, &owner).await?.next {
            let known = all.entry(partition).or_insert(next);
            *known = next.max(*known);
        }
    }
    Ok(all)
}

/// Makes the tables of this cluster whose topics are not known (any more) nobody's: they stay as they are, and are
/// not dropped with the topics that they had. Their names are told.
pub async fn disown(catalog: &Catalog, cluster_id: &str, known: &HashSet<TopicId>) -> Result<Vec<String>> {
    let known: HashSet<String> = known.iter().map(TopicId::to_string).collect();
    let mut disowned = Vec::new();
    for name in catalog.list().await? {
        let ident = catalog.ident(&name);
        let head = catalog.load(&ident).await?;
        let properties = head.metadata.properties();
        let is_ours = properties.get(CLUSTER_ID).is_some_and(|id| id == cluster_id);
        if is_ours && !properties.get(TOPIC_ID).is_some_and(|id| known.contains(id)) {
            let updates = HashMap::from([(CLUSTER_ID.to_owned(), format!("{cluster_id}, topic lost"))]);
            catalog.commit(&ident, &[], vec![TableUpdate::SetProperties { updates }]).await?;
            disowned.push(name);
        }
    }
    Ok(disowned)
}
