//! What is refused, and under which of Confluent's codes?

use serde_json::json;

use crate::http::Response;

/// A refusal: its code, whose first three digits are the HTTP status, and a sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub code: u32,
    pub message: String,
}

pub(crate) type Result<T, E = Refusal> = std::result::Result<T, E>;

impl Refusal {
    pub(crate) fn new(code: u32, message: impl Into<String>) -> Refusal {
        Refusal { code, message: message.into() }
    }

    pub(crate) fn response(&self) -> Response {
        let status = if self.code >= 10_000 { self.code / 100 } else { self.code };
        let status = u16::try_from(status).unwrap_or(500);
        Response::json(status, &json!({ "error_code": self.code, "message": self.message }))
    }
}

/// Constructors with one text argument or none; the sentences are Confluent's, since clients match on them.
macro_rules! refusals {
    ($($name:ident($($argument:ident: $kind:ty),*) => $code:literal, $message:literal;)*) => {
        impl Refusal {
            $(pub(crate) fn $name($($argument: $kind),*) -> Refusal { Refusal::new($code, format!($message)) })*
        }
    };
}

refusals! {
    no_subject(subject: &str) => 40401, "Subject '{subject}' not found.";
    no_version(version: i32) => 40402, "Version {version} not found.";
    no_schema() => 40403, "Schema not found";
    no_schema_id(id: &str) => 40403, "Schema {id} not found";
    subject_deleted(subject: &str) => 40404,
        "Subject '{subject}' was soft deleted. Set permanent=true to delete permanently";
    subject_not_deleted(subject: &str) => 40405,
        "Subject '{subject}' was not deleted first before being permanently deleted";
    version_deleted(subject: &str, version: i32) => 40406,
        "Subject '{subject}' Version {version} was soft deleted. Set permanent=true to delete permanently";
    version_not_deleted(subject: &str, version: i32) => 40407,
        "Subject '{subject}' Version {version} was not deleted first before being permanently deleted";
    no_config(subject: &str) => 40408, "Subject '{subject}' does not have subject-level compatibility configured";
    no_mode(subject: &str) => 40409, "Subject '{subject}' does not have subject-level mode configured";
    invalid_schema(cause: &str) => 42201, "Invalid schema: {cause}";
    invalid_version(version: &str) => 42202,
        "The specified version '{version}' is not a valid version id. Allowed values are between [1, 2^31-1] and the string \"latest\"";
    invalid_level() => 42203,
        "Invalid compatibility level. Valid values are none, backward, forward, full, backward_transitive, forward_transitive, and full_transitive";
    invalid_mode() => 42204, "Invalid mode. Valid values are READWRITE, READONLY, READONLY_OVERRIDE, and IMPORT";
    read_only(subject: &str) => 42205, "Subject {subject} is in read-only mode";
    not_import(subject: &str) => 42205, "Subject {subject} is not in import mode";
    not_read_write(subject: &str) => 42205, "Subject {subject} is in import mode: give the id of the schema, or set mode READWRITE";
    not_empty(subject: &str) => 42205, "Cannot import since found existing subjects: {subject}. Use force=true to import over them";
    referenced(subject: &str, version: i32) => 42206,
        "One or more references exist to the schema {{magic=1,keytype=SCHEMA,subject={subject},version={version}}}.";
    id_taken(id: u32) => 42207, "Overwrite new schema with id {id} is not permitted: the id already names another schema.";
    invalid_subject(subject: &str) => 42208, "The specified subject '{subject}' is not a valid subject name.";
    too_large(bytes: usize) => 42209, "The schema has {bytes} bytes, which is too large: split it and use references.";
    context_not_empty(context: &str) => 42211, "The specified context '{context}' is not empty.";
    bad_body(cause: &str) => 400, "The body is not the JSON this request takes: {cause}";
    no_route() => 404, "HTTP 404 Not Found";
    no_method() => 405, "HTTP 405 Method Not Allowed";
}
