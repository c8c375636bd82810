//! What do answers look like?

use serde::Serialize;
use serde_json::json;

use super::Response;

const JSON: &str = "application/json";

pub fn json_answer(status: u16, body: &impl Serialize) -> Response {
    match serde_json::to_vec(body) {
        Ok(body) => Response { status, content_type: JSON, etag: None, body },
        Err(error) => fault(500, "InternalServerError", &format!("the answer cannot be written as JSON: {error}")),
    }
}

/// An error in Iceberg's form; clients print type and message to their users.
pub fn fault(status: u16, kind: &str, message: &str) -> Response {
    let body = json!({ "error": { "message": message, "type": kind, "code": status } });
    Response { status, content_type: JSON, etag: None, body: body.to_string().into_bytes() }
}

pub fn no_content() -> Response {
    Response { status: 204, content_type: JSON, etag: None, body: Vec::new() }
}
