//! Where do the `$ref`s of a JSON Schema lead, and does following them end?

use std::collections::{BTreeMap, HashMap};

use model::limits;
use serde_json::{Map, Value};

use super::super::ParseError;

/// Subschemas that one value may have to pass at one place.
const CHECKS_PER_VALUE_MAX: u64 = 100_000;

/// Keywords whose subschemas look at the same value as the schema itself.
const IN_PLACE: [&str; 9] =
    ["allOf", "anyOf", "oneOf", "not", "if", "then", "else", "dependentSchemas", "dependencies"];

/// The document that a `$ref`'s URI, already resolved against its base, names.
pub fn lookup<'a>(refs: &'a BTreeMap<String, Value>, uri: &str) -> Option<(&'a str, &'a Value)> {
    let uri = uri.split('#').next().unwrap_or_default();
    let matches = |name: &str| {
        let bare = name.trim_start_matches("./").trim_end_matches('#');
        // A relative name was resolved against the base of the document that uses it.
        uri == bare || (!bare.contains("://") && uri.strip_suffix(bare).is_some_and(|base| base.ends_with(['/', ':'])))
    };
    refs.iter().find(|(name, _)| matches(name)).map(|(name, value)| (name.as_str(), value))
}

/// Bounds and cycles. A schema that refers to itself without looking deeper into the value would never end.
pub(super) fn check(root: &Value, refs: &BTreeMap<String, Value>) -> Result<(), ParseError> {
    let index = Index::new(root, refs)?;
    let mut walk = Walk { index: &index, costs: HashMap::new(), open: Vec::new() };
    for (object, document) in &index.objects {
        walk.cost(object, document, 0)?;
    }
    Ok(())
}

/// All objects of all documents, and their anchors.
pub struct Index<'a> {
    root: &'a Value,
    refs: &'a BTreeMap<String, Value>,
    objects: Vec<(&'a Map<String, Value>, &'a Value)>,
    /// `$anchor`, `$dynamicAnchor` and `$id` to the schemas that carry them.
    named: HashMap<&'a str, Vec<(&'a Value, &'a Value)>>,
}

impl<'a> Index<'a> {
    pub fn new(root: &'a Value, refs: &'a BTreeMap<String, Value>) -> Result<Index<'a>, ParseError> {
        let mut index = Index { root, refs, objects: Vec::new(), named: HashMap::new() };
        for document in std::iter::once(root).chain(refs.values()) {
            index.add(document)?;
        }
        Ok(index)
    }

    fn add(&mut self, document: &'a Value) -> Result<(), ParseError> {
        let mut open = vec![document];
        while let Some(value) = open.pop() {
            match value {
                Value::Array(values) => open.extend(values),
                Value::Object(object) => {
                    self.objects.push((object, document));
                    open.extend(object.values());
                    for key in ["$anchor", "$dynamicAnchor", "$id", "id"] {
                        if let Some(name) = object.get(key).and_then(Value::as_str) {
                            let name = last_segment(name);
                            self.named.entry(name).or_default().push((value, document));
                        }
                    }
                }
                _ => {}
            }
            if self.objects.len() > limits::SCHEMA_FIELDS_MAX {
                return Err(ParseError::new(format!(
                    "the schema with all it refers to has more than {} objects",
                    limits::SCHEMA_FIELDS_MAX
                )));
            }
        }
        Ok(())
    }

    /// The schemas that a reference found in `document` may mean, each with its document. More than one only where
    /// anchors are resolved at run time or ids repeat.
    pub fn targets(&self, reference: &str, document: &'a Value) -> Vec<(&'a Value, &'a Value)> {
        let (uri, fragment) = reference.split_once('#').unwrap_or((reference, ""));
        let mut documents: Vec<(&Value, &Value)> = Vec::new();
        if uri.is_empty() {
            documents.push((document, document));
        } else {
            let foreign = self.refs.get(uri).or_else(|| lookup(self.refs, uri).map(|(_, value)| value));
            documents.extend(foreign.map(|value| (value, value)));
            documents.extend(self.named.get(last_segment(uri)).into_iter().flatten());
            if self.root.get("$id").and_then(Value::as_str).is_some_and(|id| id.trim_end_matches('#') == uri) {
                documents.push((self.root, self.root));
            }
        }
        if fragment.is_empty() {
            return documents;
        }
        if !fragment.starts_with('/') {
            return self.named.get(fragment).cloned().unwrap_or_default();
        }
        let pointer = percent_decoded(fragment);
        documents.into_iter().filter_map(|(value, document)| Some((value.pointer(&pointer)?, document))).collect()
    }
}

fn last_segment(uri: &str) -> &str {
    let uri = uri.trim_end_matches('#');
    uri.rsplit(['/', '#', ':']).next().unwrap_or(uri)
}

fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((byte, after)) = rest.split_first() {
        let code = (*byte == b'%').then(|| after.get(..2)).flatten();
        let code = code.and_then(|code| u8::from_str_radix(std::str::from_utf8(code).ok()?, 16).ok());
        bytes.push(code.unwrap_or(*byte));
        rest = if code.is_some() { &after[2..] } else { after };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

struct Walk<'w, 'a> {
    index: &'w Index<'a>,
    costs: HashMap<*const Map<String, Value>, u64>,
    open: Vec<*const Map<String, Value>>,
}

impl<'a> Walk<'_, 'a> {
    /// How many subschemas look at one value, following references that stay at it.
    fn cost(&mut self, object: &'a Map<String, Value>, document: &'a Value, depth: usize) -> Result<u64, ParseError> {
        let id = std::ptr::from_ref(object);
        if let Some(cost) = self.costs.get(&id) {
            return Ok(*cost);
        }
        if self.open.contains(&id) {
            return Err(ParseError::new(
                "the schema refers to itself at the same place of the value, so that checking a value would never end",
            ));
        }
        if depth > 2 * limits::NESTING_MAX {
            return Err(ParseError::new(format!(
                "the schema follows more than {} references and combinations at one place",
                2 * limits::NESTING_MAX
            )));
        }
        self.open.push(id);
        let mut cost = 1u64;
        for (target, document) in self.edges(object, document) {
            if let Value::Object(target) = target {
                cost = cost.saturating_add(self.cost(target, document, depth + 1)?);
            }
        }
        self.open.pop();
        if cost > CHECKS_PER_VALUE_MAX {
            return Err(ParseError::new(format!(
                "references and combinations multiply to more than {CHECKS_PER_VALUE_MAX} checks of one value"
            )));
        }
        self.costs.insert(id, cost);
        Ok(cost)
    }

    fn edges(&self, object: &'a Map<String, Value>, document: &'a Value) -> Vec<(&'a Value, &'a Value)> {
        let mut edges = Vec::new();
        for keyword in ["$ref", "$recursiveRef", "$dynamicRef"] {
            if let Some(reference) = object.get(keyword).and_then(Value::as_str) {
                edges.extend(self.index.targets(reference, document));
            }
        }
        for keyword in IN_PLACE {
            match object.get(keyword) {
                Some(Value::Array(schemas)) => edges.extend(schemas.iter().map(|schema| (schema, document))),
                Some(Value::Object(schemas)) if keyword.starts_with("depend") => {
                    edges.extend(schemas.values().map(|schema| (schema, document)));
                }
                Some(schema) => edges.push((schema, document)),
                None => {}
            }
        }
        edges
    }
}
