//! What kind of statement does one place of a JSON Schema make?
//!
//! JSON Schema lets one object make several statements at once: a type, an enumeration, combinations, a reference.
//! Here each place makes one, and several become a combination of type `allOf`.

use std::collections::HashSet;

use serde_json::{Map, Value};

use crate::schema::json::draft;
use crate::schema::json::refs::Index;

/// One statement in a schema's document.
#[derive(Clone, Copy)]
pub(super) struct Site<'a> {
    index: &'a Index<'a>,
    document: &'a Value,
    value: &'a Value,
    facet: Facet,
}

/// Which of an object's statements is meant.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Facet {
    Whole,
    /// What keywords of one type say; the number is the place in `TYPES`.
    Type(usize),
    /// Any of several types.
    Types,
    Enum,
    Const,
    Not,
    If,
    List(Criterion),
    Reference(&'static str),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Criterion {
    All,
    Any,
    One,
}

/// Names a site; two of one document differ.
pub(super) type Key = (usize, usize, u64);

pub(super) enum Shape<'a> {
    Any,
    Never,
    Typed(&'static str),
    Enum(&'a [Value]),
    Const(&'a Value),
    Not(Site<'a>),
    Conditional([Option<&'a Value>; 3]),
    Combined(Parts<'a>),
}

pub(super) struct Parts<'a> {
    pub criterion: Criterion,
    pub sites: Vec<Site<'a>>,
}

const TYPES: [&str; 7] = ["object", "array", "string", "number", "integer", "boolean", "null"];

/// Keywords that say something about values of one type only.
const TYPE_KEYWORDS: [(usize, &[&str]); 4] = [
    (
        0,
        &[
            "properties",
            "required",
            "additionalProperties",
            "patternProperties",
            "minProperties",
            "maxProperties",
            "dependencies",
            "dependentRequired",
            "dependentSchemas",
            "propertyNames",
            "unevaluatedProperties",
        ],
    ),
    (
        1,
        &[
            "items",
            "prefixItems",
            "additionalItems",
            "minItems",
            "maxItems",
            "uniqueItems",
            "contains",
            "unevaluatedItems",
        ],
    ),
    (2, &["minLength", "maxLength", "pattern"]),
    (3, &["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"]),
];

impl<'a> Site<'a> {
    pub(super) fn root(index: &'a Index<'a>, document: &'a Value) -> Site<'a> {
        Site { index, document, value: document, facet: Facet::Whole }
    }

    /// A schema below this one.
    pub(super) fn at(self, value: &'a Value) -> Site<'a> {
        Site { value, facet: Facet::Whole, ..self }
    }

    pub(super) fn child(self, keyword: &str) -> Option<Site<'a>> {
        Some(self.at(self.get(keyword)?))
    }

    pub(super) fn get(self, keyword: &str) -> Option<&'a Value> {
        self.value.get(keyword)
    }

    pub(super) fn object(self, keyword: &str) -> impl Iterator<Item = (&'a String, &'a Value)> {
        self.get(keyword).and_then(Value::as_object).into_iter().flatten()
    }

    pub(super) fn value(self) -> &'a Value {
        self.value
    }

    pub(super) fn has_prefix_items(self) -> bool {
        draft(self.document) == jsonschema::Draft::Draft202012
    }

    pub(super) fn key(self) -> Key {
        let facet = match self.facet {
            Facet::Whole => 0,
            Facet::Types => 1,
            Facet::Enum => 2,
            Facet::Const => 3,
            Facet::Not => 4,
            Facet::If => 5,
            Facet::List(criterion) => 6 + criterion as u64,
            Facet::Type(index) => 10 + index as u64,
            Facet::Reference(keyword) => 20 + keyword.len() as u64,
        };
        (std::ptr::from_ref(self.index) as usize, std::ptr::from_ref(self.value) as usize, facet)
    }

    /// The site itself, or where its references lead as long as it says nothing else. References cannot lead in
    /// circles: such schemas are not parsed.
    pub(super) fn followed(self) -> Site<'a> {
        let mut site = self;
        loop {
            let facets = match (site.facet, site.value) {
                (Facet::Whole, Value::Object(object)) => site.facets(object),
                (facet, _) => vec![facet],
            };
            match facets[..] {
                [Facet::Reference(keyword)] => match site.target(keyword) {
                    Some(target) => site = target,
                    None => return site,
                },
                [facet] if facet != site.facet => return Site { facet, ..site },
                _ => return site,
            }
        }
    }

    fn target(self, keyword: &str) -> Option<Site<'a>> {
        let reference = self.get(keyword)?.as_str()?;
        let (value, document) = self.index.targets(reference, self.document).into_iter().next()?;
        Some(Site { value, document, facet: Facet::Whole, ..self })
    }

    fn facets(self, object: &'a Map<String, Value>) -> Vec<Facet> {
        let mut facets = Vec::new();
        for keyword in ["$ref", "$recursiveRef", "$dynamicRef"] {
            if object.get(keyword).is_some_and(Value::is_string) {
                facets.push(Facet::Reference(keyword));
                if draft(self.document) < jsonschema::Draft::Draft201909 {
                    // Up to draft 7 nothing beside a reference counts.
                    return facets;
                }
            }
        }
        match object.get("type") {
            Some(Value::String(name)) => facets.extend(type_index(name).map(Facet::Type)),
            Some(Value::Array(names)) => match &names[..] {
                [Value::String(name)] => facets.extend(type_index(name).map(Facet::Type)),
                _ => facets.push(Facet::Types),
            },
            _ => {
                let said = |keywords: &[&str]| keywords.iter().any(|keyword| object.contains_key(*keyword));
                let types = TYPE_KEYWORDS.iter().filter(|(_, keywords)| said(keywords));
                facets.extend(types.map(|(index, _)| Facet::Type(*index)));
            }
        }
        let rest = [
            ("enum", Facet::Enum),
            ("const", Facet::Const),
            ("not", Facet::Not),
            ("if", Facet::If),
            ("allOf", Facet::List(Criterion::All)),
            ("anyOf", Facet::List(Criterion::Any)),
            ("oneOf", Facet::List(Criterion::One)),
        ];
        facets.extend(rest.iter().filter(|(keyword, _)| object.contains_key(*keyword)).map(|(_, facet)| *facet));
        facets
    }

    pub(super) fn shape(self) -> Shape<'a> {
        let object = match (self.facet, self.value) {
            (_, Value::Bool(false)) => return Shape::Never,
            (_, Value::Object(object)) => object,
            _ => return Shape::Any,
        };
        match self.facet {
            Facet::Type(index) => Shape::Typed(TYPES[index]),
            Facet::Enum => match object.get("enum") {
                Some(Value::Array(values)) => Shape::Enum(values),
                _ => Shape::Any,
            },
            Facet::Const => object.get("const").map_or(Shape::Any, Shape::Const),
            Facet::Not => self.child("not").map_or(Shape::Any, Shape::Not),
            Facet::If => Shape::Conditional(["if", "then", "else"].map(|keyword| object.get(keyword))),
            Facet::Types => {
                let names = object.get("type").and_then(Value::as_array).into_iter().flatten();
                let types = names.filter_map(|name| type_index(name.as_str()?)).map(Facet::Type);
                let sites = types.map(|facet| Site { facet, ..self }).collect();
                Shape::Combined(Parts { criterion: Criterion::Any, sites })
            }
            Facet::List(criterion) => {
                let keyword = ["allOf", "anyOf", "oneOf"][criterion as usize];
                let schemas = object.get(keyword).and_then(Value::as_array).into_iter().flatten();
                let mut seen = HashSet::new();
                let schemas = schemas.filter(|schema| seen.insert(schema.to_string()));
                Shape::Combined(Parts { criterion, sites: schemas.map(|schema| self.at(schema)).collect() })
            }
            Facet::Reference(keyword) => self.target(keyword).map_or(Shape::Any, |target| target.followed().shape()),
            Facet::Whole => {
                let facets = self.facets(object);
                if facets.is_empty() {
                    return Shape::Any;
                }
                let sites = facets.into_iter().map(|facet| Site { facet, ..self }).collect();
                Shape::Combined(Parts { criterion: Criterion::All, sites })
            }
        }
    }
}

impl<'a> Parts<'a> {
    /// As the new schema: does one part suffice, and does one take the old?
    pub(super) fn takes_one(&self, mut fits: impl FnMut(Site<'a>) -> bool) -> bool {
        (self.criterion != Criterion::All || self.sites.len() == 1) && self.sites.iter().any(|site| fits(*site))
    }

    /// As the old schema: does every value obey each part, and is one part taken by the new?
    pub(super) fn gives_one(&self, mut fits: impl FnMut(Site<'a>) -> bool) -> bool {
        (self.criterion == Criterion::All || self.sites.len() == 1) && self.sites.iter().any(|site| fits(*site))
    }
}

fn type_index(name: &str) -> Option<usize> {
    TYPES.iter().position(|known| *known == name)
}
