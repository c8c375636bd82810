//! Which differences of Avro schemas keep a reader from reading?
//!
//! The rules are those of Avro's schema resolution. Named types are compared by their short names, logical types are
//! ignored, aliases of the reader count. Each pair of named types is compared once.

#[cfg(test)]
mod tests;

use super::pairs::{Begin, Pairs};
use super::{FAULTS_MAX, Fault};
use crate::schema::avro::tree::{Definition, Enum, Fixed, Kind, Node, Primitive, Record, Tree, short_name};

pub(super) fn faults(reader: &Tree, writer: &Tree) -> Vec<Fault> {
    let mut compare = Compare { reader, writer, pairs: Pairs::new(), faults: Vec::new(), quiet: 0 };
    compare.nodes(&reader.root, &writer.root, "/");
    compare.faults
}

struct Compare<'a> {
    reader: &'a Tree,
    writer: &'a Tree,
    /// By full names.
    pairs: Pairs<(String, String)>,
    faults: Vec<Fault>,
    /// Above zero nobody wants to hear reasons: a branch of a union is only tried.
    quiet: usize,
}

impl Compare<'_> {
    fn fault(&mut self, rule: &'static str, sentence: String, detail: impl Into<String>) -> bool {
        if self.quiet == 0 && self.faults.len() < FAULTS_MAX {
            self.faults.push(Fault::new(rule, sentence, detail));
        }
        false
    }

    fn nodes(&mut self, reader: &Node, writer: &Node, path: &str) -> bool {
        if let (Kind::Union(readers), Kind::Union(writers)) = (&reader.kind, &writer.kind)
            && readers.len() == 1
            && writers.len() == 1
        {
            return self.nodes(&readers[0], &writers[0], path);
        }
        if let Kind::Union(branches) = &writer.kind {
            let mut fits = true;
            for (index, branch) in branches.iter().enumerate() {
                fits &= self.nodes(reader, branch, &join(path, &index.to_string()));
            }
            return fits;
        }
        if let Kind::Union(branches) = &reader.kind {
            return self.reader_union(branches, writer, path);
        }
        match (&reader.kind, &writer.kind) {
            (Kind::Primitive(reader), Kind::Primitive(writer)) if promotes(*writer, *reader) => true,
            (Kind::Array(reader), Kind::Array(writer)) => self.nodes(reader, writer, &join(path, "items")),
            (Kind::Map(reader), Kind::Map(writer)) => self.nodes(reader, writer, &join(path, "values")),
            (Kind::Named(reader), Kind::Named(writer)) => self.named(reader, writer, path),
            _ => {
                let (reader, writer) = (self.type_name(self.reader, reader), self.type_name(self.writer, writer));
                self.fault(
                    "TYPE_MISMATCH",
                    format!("The type (path '{path}') of a field in the {{reader}} schema does not match with the {{writer}} schema"),
                    format!("reader type: {reader} not compatible with writer type: {writer}"),
                )
            }
        }
    }

    fn reader_union(&mut self, branches: &[Node], writer: &Node, path: &str) -> bool {
        self.quiet += 1;
        let fits = branches.iter().any(|branch| self.nodes(branch, writer, path));
        self.quiet -= 1;
        if fits {
            return true;
        }
        let name = self.type_name(self.writer, writer);
        self.fault(
            "MISSING_UNION_BRANCH",
            format!(
                "The {{reader}} schema is missing a type inside a union field at path '{path}' in the {{writer}} schema"
            ),
            format!("reader union lacking writer type: {name}"),
        )
    }

    fn named(&mut self, reader: &str, writer: &str, path: &str) -> bool {
        let quiet = self.quiet > 0;
        let mark = match self.pairs.begin((reader.to_owned(), writer.to_owned()), quiet) {
            Begin::Known(fits) => return fits,
            Begin::TooMuch => {
                self.faults.push(Fault::too_much());
                return false;
            }
            Begin::Open(mark) => mark,
        };
        let fits = self.definitions(reader, writer, path);
        self.pairs.end(mark, fits, quiet);
        fits
    }

    fn definitions(&mut self, reader: &str, writer: &str, path: &str) -> bool {
        let definitions = (self.reader.definitions.get(reader), self.writer.definitions.get(writer));
        match definitions {
            (Some(Definition::Record(ours)), Some(Definition::Record(theirs))) => {
                self.names(&ours.name, &ours.aliases, &theirs.name, path) && self.fields(ours, theirs, path)
            }
            (Some(Definition::Enum(ours)), Some(Definition::Enum(theirs))) => {
                self.names(&ours.name, &ours.aliases, &theirs.name, path) && self.symbols(ours, theirs, path)
            }
            (Some(Definition::Fixed(ours)), Some(Definition::Fixed(theirs))) => {
                self.names(&ours.name, &ours.aliases, &theirs.name, path) && self.sizes(ours, theirs, path)
            }
            _ => self.fault(
                "TYPE_MISMATCH",
                format!("The type (path '{path}') of a field in the {{reader}} schema does not match with the {{writer}} schema"),
                format!("reader type: {reader} not compatible with writer type: {writer}"),
            ),
        }
    }

    fn names(&mut self, reader: &str, aliases: &[String], writer: &str, path: &str) -> bool {
        let same = short_name(reader) == short_name(writer) || aliases.iter().any(|alias| alias == writer);
        same || self.fault(
            "NAME_MISMATCH",
            format!("The name of the schema has changed (path '{}')", join(path, "name")),
            format!("expected: {writer}"),
        )
    }

    fn fields(&mut self, reader: &Record, writer: &Record, path: &str) -> bool {
        let mut fits = true;
        for (index, field) in reader.fields.iter().enumerate() {
            let path = join(path, &format!("fields/{index}"));
            let known = |name: &String| writer.field(name);
            let source = known(&field.name).or_else(|| field.aliases.iter().find_map(known));
            match source {
                Some(source) => fits &= self.nodes(&field.node, &source.node, &join(&path, "type")),
                None if field.default.is_some() => {}
                None => {
                    let sentence = format!(
                        "The field '{}' at path '{path}' in the {{reader}} schema has no default value and is missing in the {{writer}} schema",
                        field.name
                    );
                    fits &= self.fault("READER_FIELD_MISSING_DEFAULT_VALUE", sentence, field.name.clone());
                }
            }
        }
        fits
    }

    fn symbols(&mut self, reader: &Enum, writer: &Enum, path: &str) -> bool {
        let missing: Vec<&str> =
            { writer.symbols.iter() }.filter(|symbol| !reader.symbols.contains(symbol)).map(String::as_str).collect();
        missing.is_empty()
            || reader.default.is_some()
            || self.fault(
                "MISSING_ENUM_SYMBOLS",
                format!(
                    "The {{reader}} schema is missing enum symbols '{}' at path '{}' in the {{writer}} schema",
                    missing.join(", "),
                    join(path, "symbols")
                ),
                missing.join(", "),
            )
    }

    fn sizes(&mut self, reader: &Fixed, writer: &Fixed, path: &str) -> bool {
        reader.size == writer.size
            || self.fault(
                "FIXED_SIZE_MISMATCH",
                format!(
                    "The size of FIXED type field at path '{}' in the {{reader}} schema does not match with the {{writer}} schema",
                    join(path, "size")
                ),
                format!("expected: {}, found: {}", writer.size, reader.size),
            )
    }

    fn type_name(&self, tree: &Tree, node: &Node) -> &'static str {
        match &node.kind {
            Kind::Primitive(primitive) => primitive.name(),
            Kind::Array(_) => "array",
            Kind::Map(_) => "map",
            Kind::Union(_) => "union",
            Kind::Named(name) => match tree.definitions.get(name) {
                Some(Definition::Record(_)) => "record",
                Some(Definition::Enum(_)) => "enum",
                Some(Definition::Fixed(_)) => "fixed",
                None => "unknown",
            },
        }
    }
}

fn join(path: &str, part: &str) -> String {
    if path.ends_with('/') { format!("{path}{part}") } else { format!("{path}/{part}") }
}

/// May a value written as `from` be read as `to`?
fn promotes(from: Primitive, to: Primitive) -> bool {
    use Primitive::{Bytes, Double, Float, Int, Long, String};
    from == to
        || matches!(
            (from, to),
            (Int, Long | Float | Double) | (Long, Float | Double) | (Float, Double) | (String, Bytes) | (Bytes, String)
        )
}
