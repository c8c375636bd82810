//! Can a reader with one schema understand what was written with another?

mod avro;
mod json;
mod pairs;
mod protobuf;
#[cfg(test)]
mod tests;

use crate::schema::{Parsed, Schema};

/// Everything that keeps `reader` from reading what `writer` wrote, each in Confluent's form; empty when nothing
/// does. `reader_name` and `writer_name` say which of the two is the new and which the old schema.
pub(crate) fn faults(reader: &Schema, writer: &Schema, reader_name: &str, writer_name: &str) -> Vec<String> {
    // Chains of references may be longer than the stack of a shard or a pool's thread allows.
    let compared = std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().name("compare-schemas".to_owned()).stack_size(STACK_BYTES);
        thread.spawn_scoped(scope, || compare(reader, writer)).map(|thread| thread.join())
    });
    let faults = match compared {
        Ok(Ok(faults)) => faults,
        Ok(Err(panic)) => std::panic::resume_unwind(panic),
        Err(error) => {
            vec![Fault::new("NOT_COMPARED", format!("The schemas could not be compared, try again: {error}"), "")]
        }
    };
    faults.iter().map(|fault| fault.text(reader_name, writer_name)).collect()
}

/// Room for the nested comparisons that `pairs` allows; only what is used takes memory.
const STACK_BYTES: usize = 64 * 1024 * 1024;

fn compare(reader: &Schema, writer: &Schema) -> Vec<Fault> {
    match (&reader.parsed, &writer.parsed) {
        (Parsed::Avro(reader), Parsed::Avro(writer)) => avro::faults(&reader.tree, &writer.tree),
        (Parsed::Protobuf(reader), Parsed::Protobuf(writer)) => protobuf::faults(reader, writer),
        (Parsed::Json(reader), Parsed::Json(writer)) => json::faults(reader, writer),
        _ => vec![Fault::new(
            "SCHEMA_TYPE_CHANGED",
            format!(
                "Incompatible because of different schema type: the {{reader}} schema is {}, the {{writer}} schema {}",
                reader.schema_type, writer.schema_type
            ),
            "",
        )],
    }
}

/// One reason why a reader cannot read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    /// The rule that is broken: Confluent's name of it.
    pub rule: &'static str,
    /// A sentence, in which `{reader}` and `{writer}` stand for the two schemas.
    pub sentence: String,
    pub detail: String,
}

/// Faults of one comparison that are kept.
const FAULTS_MAX: usize = 100;

impl Fault {
    pub(crate) fn new(rule: &'static str, sentence: impl Into<String>, detail: impl Into<String>) -> Fault {
        Fault { rule, sentence: sentence.into(), detail: detail.into() }
    }

    fn text(&self, reader: &str, writer: &str) -> String {
        let sentence = self.sentence.replace("{reader}", reader).replace("{writer}", writer);
        let detail = self.detail.chars().take(300).collect::<String>();
        format!("{{errorType:'{}', description:'{sentence}', additionalInfo:'{detail}'}}", self.rule)
    }

    /// Said instead of going on without an end.
    pub(crate) fn too_much() -> Fault {
        let sentence = "The schemas are nested too deeply or combined in too many ways to be compared: simplify them";
        Fault::new("NOT_COMPARED", sentence, "")
    }
}
