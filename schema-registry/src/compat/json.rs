//! Which differences of JSON Schemas keep a reader from reading?
//!
//! The reader's schema must accept every value that the writer's accepts; where that cannot be decided, the answer is
//! Confluent's (policy STRICT). In an open content model (the default of JSON Schema) a new property is a restriction:
//! values with any content under that name were valid before.

mod array;
mod combined;
mod object;
mod scalar;
mod shape;
#[cfg(test)]
mod tests;

use super::pairs::{Begin, Pairs};
use super::{FAULTS_MAX, Fault};
use crate::schema::JsonSchema;
use crate::schema::json::refs::Index;
use shape::{Key, Shape, Site};

pub(super) fn faults(reader: &JsonSchema, writer: &JsonSchema) -> Vec<Fault> {
    let indexes = Index::new(&reader.root, &reader.refs)
        .and_then(|ours| Index::new(&writer.root, &writer.refs).map(|theirs| (ours, theirs)));
    let Ok((ours, theirs)) = indexes else { return vec![Fault::too_much()] };
    let (new, old) = (Site::root(&ours, &reader.root), Site::root(&theirs, &writer.root));
    let mut compare = Compare { pairs: Pairs::new(), faults: Vec::new(), quiet: 0, path: Vec::new() };
    compare.schemas(old, new);
    compare.faults
}

/// `old` is always the writer's schema, `new` the reader's.
struct Compare {
    pairs: Pairs<(Key, Key)>,
    faults: Vec<Fault>,
    /// Above zero nobody wants to hear reasons: a combination is only tried.
    quiet: usize,
    path: Vec<String>,
}

impl Compare {
    /// Notes a fault; gives false, the answer that goes with it.
    fn fault(&mut self, rule: &'static str, sentence: &str) -> bool {
        if self.quiet == 0 && self.faults.len() < FAULTS_MAX {
            let path = format!("#/{}", self.path.join("/"));
            self.faults.push(Fault::new(rule, format!("{sentence} (path '{path}')"), path));
        }
        false
    }

    fn within(&mut self, part: &str, body: impl FnOnce(&mut Compare) -> bool) -> bool {
        self.path.push(part.to_owned());
        let fits = body(self);
        self.path.pop();
        fits
    }

    /// Would it fit? Without a word about why not.
    fn tries(&mut self, old: Site, new: Site) -> bool {
        self.quiet += 1;
        let fits = self.schemas(old, new);
        self.quiet -= 1;
        fits
    }

    fn schemas(&mut self, old: Site, new: Site) -> bool {
        let (old, new) = (old.followed(), new.followed());
        let quiet = self.quiet > 0;
        let mark = match self.pairs.begin((old.key(), new.key()), quiet) {
            Begin::Known(fits) => return fits,
            Begin::TooMuch => {
                self.faults.push(Fault::too_much());
                return false;
            }
            Begin::Open(mark) => mark,
        };
        let fits = self.shapes(old, new);
        self.pairs.end(mark, fits, quiet);
        fits
    }

    fn shapes(&mut self, old: Site, new: Site) -> bool {
        match (old.shape(), new.shape()) {
            (_, Shape::Any) | (Shape::Never, _) => true,
            (Shape::Combined(old), Shape::Combined(new)) => self.combined(&old, &new),
            (_, Shape::Combined(parts)) => parts.takes_one(|part| self.tries(old, part)) || self.type_changed(),
            (Shape::Combined(parts), _) => parts.gives_one(|part| self.tries(part, new)) || self.type_changed(),
            (Shape::Enum(old), Shape::Enum(new)) => {
                old.iter().all(|value| new.contains(value))
                    || self.fault(
                        "ENUM_ARRAY_NARROWED",
                        "The {reader} schema has no longer all enum values of the {writer} schema",
                    )
            }
            (Shape::Const(old), Shape::Const(new)) => {
                old == new
                    || self.fault("CONST_CHANGED", "The constant differs between the {reader} and the {writer} schema")
            }
            // What is excluded now must have been excluded before.
            (Shape::Not(old), Shape::Not(new)) => {
                self.tries(new, old)
                    || self.fault(
                        "NOT_TYPE_EXTENDED",
                        "The {reader} schema excludes more by 'not' than the {writer} schema",
                    )
            }
            (Shape::Conditional(old), Shape::Conditional(new)) => {
                old == new
                    || self.fault(
                        "CONDITIONAL_CHANGED",
                        "'if', 'then' or 'else' differ between the {reader} and the {writer} schema",
                    )
            }
            (Shape::Typed(old_type), Shape::Typed(new_type)) => match (old_type, new_type) {
                ("string", "string") => self.strings(old, new),
                ("integer" | "number", "integer" | "number") => self.numbers(old, new, old_type, new_type),
                ("object", "object") => self.objects(old, new),
                ("array", "array") => self.arrays(old, new),
                (old, new) => old == new || self.type_changed(),
            },
            _ => self.type_changed(),
        }
    }

    fn type_changed(&mut self) -> bool {
        self.fault("TYPE_CHANGED", "The type in the {reader} schema does not accept that of the {writer} schema")
    }

    /// Both absent, or gone, is fine; a schema where there was none restricts.
    fn optional(&mut self, old: Option<Site>, new: Option<Site>) -> bool {
        match (old, new) {
            (_, None) => true,
            (Some(old), Some(new)) => self.schemas(old, new),
            (None, Some(_)) => {
                self.fault("SCHEMA_ADDED", "The {reader} schema has a schema where the {writer} schema has none")
            }
        }
    }
}
