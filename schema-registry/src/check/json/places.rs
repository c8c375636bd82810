//! What does a JSON Schema say about one place in a value?

use std::collections::HashSet;

use serde_json::Value;

use super::Documents;

/// One step from a value into it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step<'v> {
    Property(&'v str),
    Item(usize),
}

/// All parts of a schema that speak about one place of a value: references are followed, alternatives put together.
/// It is looked up only for numbers beyond 64 bits, which are rare.
pub struct Place<'s> {
    documents: Documents<'s>,
    parts: Vec<Part<'s>>,
}

/// A subschema, and the document in which its local references point.
#[derive(Clone, Copy)]
struct Part<'s> {
    document: &'s Value,
    schema: &'s Value,
}

impl<'s> Place<'s> {
    /// The place at the end of `path`.
    pub fn of(documents: Documents<'s>, path: &[Step<'_>]) -> Place<'s> {
        let root = Part { document: documents.root, schema: documents.root };
        path.iter().fold(Place::gather(documents, vec![root]), |place, step| place.child(*step))
    }

    /// Whether the schema says integer there, and nowhere number.
    pub fn wants_integer(&self) -> bool {
        self.says("integer") && !self.says("number")
    }

    fn says(&self, name: &str) -> bool {
        self.parts.iter().any(|part| match part.schema.get("type") {
            Some(Value::String(one)) => one == name,
            Some(Value::Array(several)) => several.iter().any(|one| one == name),
            _ => false,
        })
    }

    fn child(self, step: Step<'_>) -> Place<'s> {
        let found = self.parts.iter().filter_map(|part| {
            let schema = match step {
                Step::Property(name) => property(part.schema, name),
                Step::Item(index) => item(part.schema, index),
            };
            Some(Part { document: part.document, schema: schema? })
        });
        Place::gather(self.documents, found.collect())
    }

    /// The given parts with all that they refer to or are put together from, each once.
    fn gather(documents: Documents<'s>, mut open: Vec<Part<'s>>) -> Place<'s> {
        let mut seen = HashSet::new();
        let mut parts = Vec::new();
        while let Some(part) = open.pop() {
            if !seen.insert(std::ptr::from_ref(part.schema)) {
                continue;
            }
            parts.push(part);
            let reference = part.schema.get("$ref").and_then(Value::as_str);
            open.extend(reference.and_then(|reference| resolve(documents, part.document, reference)));
            for keyword in ["allOf", "anyOf", "oneOf"] {
                let inner = part.schema.get(keyword).and_then(Value::as_array);
                open.extend(inner.into_iter().flatten().map(|schema| Part { document: part.document, schema }));
            }
            for keyword in ["then", "else"] {
                open.extend(part.schema.get(keyword).map(|schema| Part { document: part.document, schema }));
            }
        }
        Place { documents, parts }
    }
}

fn property<'s>(schema: &'s Value, name: &str) -> Option<&'s Value> {
    let declared = schema.get("properties").and_then(|properties| properties.get(name));
    declared.or_else(|| schema.get("additionalProperties"))
}

fn item(schema: &Value, index: usize) -> Option<&Value> {
    let tuple = schema.get("prefixItems").or_else(|| schema.get("items").filter(|items| items.is_array()));
    let rest = schema.get("items").filter(|items| !items.is_array()).or_else(|| schema.get("additionalItems"));
    tuple.and_then(|tuple| tuple.get(index)).or(rest)
}

/// A reference to another document by its URI, to a place by a JSON pointer, or to both. Others are not followed.
fn resolve<'s>(documents: Documents<'s>, document: &'s Value, reference: &str) -> Option<Part<'s>> {
    let (uri, pointer) = reference.split_once('#').unwrap_or((reference, ""));
    let document = match uri {
        "" => document,
        _ if documents.root.get("$id").and_then(Value::as_str) == Some(uri) => documents.root,
        _ => documents.refs.get(uri)?,
    };
    Some(Part { document, schema: document.pointer(pointer)? })
}
